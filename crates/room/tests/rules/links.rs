//! Descriptions, candidates, restarts: who may send what on which link.

use std::{sync::Arc, time::Duration};

use madang_protocol::*;

use crate::yard::{Yard, desc, ice, publish};

fn the_link(yard: &Yard, one: usize, other: usize) -> LinkId {
    yard.clients[one].picture().link_to(&yard.clients[other].id()).link.clone()
}

fn describe(link: &LinkId, kind: SdpType, n: u32) -> ClientMessage {
    ClientMessage::Desc(desc(link, kind, n))
}

fn restart(link: &LinkId, replace: bool) -> ClientMessage {
    ClientMessage::Restart(Restart { link: link.clone(), epoch: Epoch(0), replace })
}

fn negotiates(messages: &[Arc<ServerMessage>]) -> Vec<bool> {
    let restart = |message: &Arc<ServerMessage>| match &**message {
        ServerMessage::Negotiate(negotiate) => Some(negotiate.restart),
        _ => None,
    };
    messages.iter().filter_map(restart).collect()
}

#[test]
fn descriptions_and_candidates_reach_the_other_end_alone_with_their_true_sender() {
    let mut yard = Yard::with_people(3);
    let link = the_link(&yard, 0, 1);
    yard.say(0, describe(&link, SdpType::Offer, 1));
    yard.say(0, ClientMessage::Ice(ice(&link, 1)));
    let heard = yard.clients[1].heard();
    assert!(matches!(&*heard[0], ServerMessage::Desc(desc) if desc.from.as_ref() == Some(&yard.clients[0].id())));
    assert!(matches!(&*heard[1], ServerMessage::Ice(ice) if ice.from.as_ref() == Some(&yard.clients[0].id())));
    yard.say(1, describe(&link, SdpType::Answer, 1));
    assert!(matches!(&*yard.clients[0].heard()[0], ServerMessage::Desc(desc) if desc.kind == SdpType::Answer));
    assert!(yard.clients[2].inbox.is_empty());
}

#[test]
fn a_link_of_others_is_not_found() {
    let mut yard = Yard::with_people(3);
    let link = the_link(&yard, 0, 1);
    for message in [describe(&link, SdpType::Offer, 1), ClientMessage::Ice(ice(&link, 1)), restart(&link, false)] {
        assert_eq!(yard.ask(2, message), Err(ErrorCode::NotFound));
    }
    assert_eq!(yard.ask(2, restart(&LinkId::from("l_none"), true)), Err(ErrorCode::NotFound));
    assert!(yard.clients.iter().all(|client| client.inbox.is_empty()));
}

#[test]
fn only_the_offerer_offers_and_only_the_other_answers() {
    let mut yard = Yard::with_people(2);
    let link = the_link(&yard, 0, 1);
    assert_eq!(yard.ask(1, describe(&link, SdpType::Offer, 1)), Err(ErrorCode::Forbidden));
    assert_eq!(yard.ask(0, describe(&link, SdpType::Answer, 1)), Err(ErrorCode::Forbidden));
    assert!(yard.clients.iter().all(|client| client.inbox.is_empty()));
}

#[test]
fn old_numbers_and_other_epochs_are_stale() {
    let mut yard = Yard::with_people(2);
    let link = the_link(&yard, 0, 1);
    let stale = Err(ErrorCode::ConflictStale);
    assert_eq!(yard.ask(1, describe(&link, SdpType::Answer, 1)), stale);
    assert!(yard.ask(0, describe(&link, SdpType::Offer, 2)).is_ok());
    assert_eq!(yard.ask(0, describe(&link, SdpType::Offer, 2)), stale);
    assert_eq!(yard.ask(1, describe(&link, SdpType::Answer, 1)), stale);
    assert_eq!(yard.ask(1, ClientMessage::Ice(ice(&link, 1))), stale);
    assert_eq!(yard.ask(1, ClientMessage::Ice(ice(&link, 3))), stale);
    let other_epoch = Description { epoch: Epoch(1), ..desc(&link, SdpType::Answer, 2) };
    assert_eq!(yard.ask(1, ClientMessage::Desc(other_epoch)), stale);
    assert!(yard.ask(1, describe(&link, SdpType::Answer, 2)).is_ok());
    assert_eq!(yard.ask(1, describe(&link, SdpType::Answer, 2)), stale);
}

#[test]
fn a_description_names_tracks_of_its_sender_alone() {
    let mut yard = Yard::with_people(2);
    yard.say(1, publish("c1"));
    let own = yard.clients[1].me().tracks[0].id.clone();
    yard.clear();
    let link = the_link(&yard, 0, 1);
    let with = |kind, n, track: &TrackId| {
        let tracks = [(Mid::from("0"), track.clone())].into();
        ClientMessage::Desc(Description { tracks, ..desc(&link, kind, n) })
    };
    assert_eq!(yard.ask(0, with(SdpType::Offer, 1, &own)), Err(ErrorCode::Forbidden));
    assert!(yard.ask(0, describe(&link, SdpType::Offer, 1)).is_ok());
    yard.clear();
    assert!(yard.ask(1, with(SdpType::Answer, 1, &own)).is_ok());
    assert!(matches!(&*yard.clients[0].heard()[0], ServerMessage::Desc(desc) if desc.tracks.len() == 1));
    // A host's hand may have been faster: a track that has gone is left out.
    assert!(yard.ask(0, with(SdpType::Offer, 2, &TrackId::from("t_gone"))).is_ok());
    assert!(yard.clients[1].heard().iter().any(|message| matches!(&**message, ServerMessage::Desc(desc)
        if desc.tracks.is_empty())));
}

#[test]
fn what_is_no_sdp_or_too_large_is_refused() {
    let mut yard = Yard::with_people(2);
    let link = the_link(&yard, 0, 1);
    let with = |sdp: String| ClientMessage::Desc(Description { sdp, ..desc(&link, SdpType::Offer, 1) });
    assert_eq!(yard.ask(0, with("hello".into())), Err(ErrorCode::BadRequest));
    assert_eq!(yard.ask(0, with(format!("v=0{}", "x".repeat(61_440)))), Err(ErrorCode::TooLarge));
    let tracks = (0..300).map(|n| (Mid(n.to_string()), TrackId::from("t_none"))).collect();
    let many = Description { tracks, ..desc(&link, SdpType::Offer, 1) };
    assert_eq!(yard.ask(0, ClientMessage::Desc(many)), Err(ErrorCode::TooLarge));
    assert!(yard.ask(0, describe(&link, SdpType::Offer, 1)).is_ok());
    let mut long = ice(&link, 1);
    long.candidate.as_mut().expect("a candidate").candidate = "x".repeat(1100);
    assert_eq!(yard.ask(0, ClientMessage::Ice(long)), Err(ErrorCode::TooLarge));
}

#[test]
fn either_end_may_ask_for_a_restart_and_the_offerer_is_told() {
    let mut yard = Yard::with_people(2);
    let link = the_link(&yard, 0, 1);
    for who in [0, 1] {
        assert!(yard.ask(who, restart(&link, false)).is_ok());
        assert_eq!(negotiates(&yard.clients[0].heard()), [true]);
        assert!(negotiates(&yard.clients[1].heard()).is_empty());
    }
}

#[test]
fn a_replaced_link_closes_and_another_opens_with_the_same_offerer() {
    let mut yard = Yard::with_people(3);
    let link = the_link(&yard, 0, 1);
    yard.say(0, describe(&link, SdpType::Offer, 4));
    assert_eq!(yard.ask(1, restart(&link, true)), Err(ErrorCode::RateLimited), "it has just been opened");
    yard.elapse(Duration::from_secs(1));
    assert!(yard.ask(1, restart(&link, true)).is_ok());
    assert_ne!(the_link(&yard, 0, 1), link);
    yard.check();
    assert_eq!(yard.ask(0, restart(&link, true)), Err(ErrorCode::NotFound), "the other end was faster");
    let link = the_link(&yard, 0, 1);
    assert!(yard.ask(0, describe(&link, SdpType::Offer, 1)).is_ok(), "a new link counts from 1");
}

#[test]
fn a_link_replaced_keeps_what_is_watched() {
    let mut yard = Yard::with_people(2);
    yard.say(0, publish("c1"));
    let track = yard.clients[0].me().tracks[0].id.clone();
    let off = Subscribe { track: track.clone(), on: false, width: None, height: None, fps: None, priority: 0 };
    yard.say(1, ClientMessage::Subscribe(off));
    yard.elapse(Duration::from_secs(1));
    yard.clear();
    yard.say(0, restart(&the_link(&yard, 0, 1), true));
    let link = the_link(&yard, 0, 1);
    let told = yard.clients[0].heard().into_iter().find_map(|message| match &*message {
        ServerMessage::Bitrate(bitrate) if bitrate.track.is_some() => Some(bitrate.clone()),
        _ => None,
    });
    let expected = Bitrate {
        link: Some(link),
        track: Some(track),
        max_send_bps: Some(BitsPerSecond(0)),
        max_height: None,
        layers: None,
        reason: BitrateReason::NotWatched,
    };
    assert_eq!(told, Some(expected));
}
