//! Tracks published, muted, watched, withdrawn.

use std::sync::Arc;

use madang_protocol::*;
use madang_room::{Grant, Settings};

use crate::yard::{Yard, camera, hello, publish};

fn subscribe(track: &TrackId, on: bool, height: Option<u32>) -> ClientMessage {
    ClientMessage::Subscribe(Subscribe { track: track.clone(), on, width: None, height, fps: None, priority: 0 })
}

fn bitrates(messages: &[Arc<ServerMessage>]) -> Vec<Bitrate> {
    let bitrate = |message: &Arc<ServerMessage>| match &**message {
        ServerMessage::Bitrate(bitrate) => Some(bitrate.clone()),
        _ => None,
    };
    messages.iter().filter_map(bitrate).collect()
}

fn negotiated(yard: &mut Yard, who: usize) -> usize {
    yard.clients[who].heard().iter().filter(|message| matches!(***message, ServerMessage::Negotiate(_))).count()
}

#[test]
fn a_track_published_gets_an_id_and_the_offerers_are_told() {
    let mut yard = Yard::with_people(3);
    let done = yard.ask(1, publish("c1")).expect("it may");
    assert_eq!(done.track.as_ref(), Some(&yard.clients[1].me().tracks[0].id));
    assert_eq!(negotiated(&mut yard, 0), 1, "the first offers to the second");
    assert_eq!(negotiated(&mut yard, 1), 0, "the second offers to the third by itself");
    assert_eq!(negotiated(&mut yard, 2), 0);
    yard.check();
}

#[test]
fn withdrawing_a_track_negotiates_nothing() {
    let mut yard = Yard::with_people(2);
    let track = yard.ask(1, publish("c1")).expect("it may").track.expect("an id");
    yard.clear();
    assert!(yard.ask(1, ClientMessage::Unpublish(Unpublish { track: track.clone() })).is_ok());
    assert_eq!(negotiated(&mut yard, 0), 0);
    assert_eq!(yard.ask(1, ClientMessage::Unpublish(Unpublish { track })), Err(ErrorCode::NotFound));
    yard.check();
}

#[test]
fn the_tracks_of_others_are_not_for_oneself_to_change() {
    let mut yard = Yard::with_people(2);
    let track = yard.ask(1, publish("c1")).expect("it may").track.expect("an id");
    yard.clear();
    for message in [
        ClientMessage::Mute(Mute { track: track.clone(), muted: true }),
        ClientMessage::Unpublish(Unpublish { track: track.clone() }),
    ] {
        assert_eq!(yard.ask(0, message), Err(ErrorCode::Forbidden));
    }
    let none = TrackId::from("t_none");
    assert_eq!(yard.ask(0, ClientMessage::Mute(Mute { track: none, muted: true })), Err(ErrorCode::NotFound));
    assert!(yard.clients[1].inbox.is_empty());
}

#[test]
fn muting_is_seen_once_by_everyone() {
    let mut yard = Yard::with_people(2);
    let track = yard.ask(1, publish("c1")).expect("it may").track.expect("an id");
    yard.clear();
    let mute = ClientMessage::Mute(Mute { track, muted: true });
    yard.say(1, mute.clone());
    yard.say(1, mute);
    let heard = yard.clients[0].heard();
    assert_eq!(heard.len(), 1);
    assert!(matches!(&*heard[0], ServerMessage::Track(event) if event.track.muted && event.by.is_none()));
}

#[test]
fn a_viewer_publishes_nothing() {
    let mut yard = Yard::new(1, Settings::default());
    yard.join(0, hello("a"), Grant { role: Some(Role::Viewer), ..Grant::default() });
    assert_eq!(yard.ask(0, publish("c1")), Err(ErrorCode::Forbidden));
}

#[test]
fn the_number_of_tracks_is_bounded() {
    let mut yard = Yard::with_people(1);
    for n in 0..8 {
        assert!(yard.ask(0, publish(&n.to_string())).is_ok());
    }
    assert_eq!(yard.ask(0, publish("9")), Err(ErrorCode::TooLarge));
}

#[test]
fn a_track_that_makes_no_sense_is_refused() {
    let mut yard = Yard::with_people(1);
    let with = |track| ClientMessage::Publish(Publish { track });
    let sound_of_camera = PublishTrack { kind: TrackKind::Audio, ..camera("c") };
    assert_eq!(yard.ask(0, with(sound_of_camera)), Err(ErrorCode::BadRequest));
    assert_eq!(yard.ask(0, with(camera(""))), Err(ErrorCode::BadRequest));
    let other_codec = PublishTrack { codecs: vec!["AV1".into()], ..camera("c") };
    assert_eq!(yard.ask(0, with(other_codec)), Err(ErrorCode::CodecUnsupported));
    let one_of_them = PublishTrack { codecs: vec!["AV1".into(), "H264".into()], ..camera("c") };
    assert!(yard.ask(0, with(one_of_them)).is_ok());
}

#[test]
fn what_nobody_watches_on_a_link_is_not_sent_on_it() {
    let mut yard = Yard::with_people(3);
    let track = yard.ask(0, publish("c1")).expect("it may").track.expect("an id");
    let link = yard.clients[0].picture().link_to(&yard.clients[1].id()).link.clone();
    yard.clear();
    let told = |max_send_bps: Option<u64>, max_height, reason| Bitrate {
        link: Some(link.clone()),
        track: Some(track.clone()),
        max_send_bps: max_send_bps.map(BitsPerSecond),
        max_height,
        layers: None,
        reason,
    };
    yard.say(1, subscribe(&track, false, Some(100)));
    yard.say(1, subscribe(&track, false, None));
    yard.say(1, subscribe(&track, true, Some(180)));
    yard.say(1, subscribe(&track, true, None));
    let expected = [
        told(Some(0), None, BitrateReason::NotWatched),
        told(None, Some(180), BitrateReason::Unlimited),
        told(None, None, BitrateReason::Unlimited),
    ];
    assert_eq!(bitrates(&yard.clients[0].heard()), expected);
    assert!(yard.clients[2].inbox.is_empty());
}

#[test]
fn one_watches_tracks_of_others_that_are_there() {
    let mut yard = Yard::with_people(2);
    let track = yard.ask(0, publish("c1")).expect("it may").track.expect("an id");
    assert_eq!(yard.ask(0, subscribe(&track, true, None)), Err(ErrorCode::BadRequest));
    assert_eq!(yard.ask(1, subscribe(&TrackId::from("t_none"), true, None)), Err(ErrorCode::NotFound));
}

#[test]
fn a_publisher_that_comes_back_is_told_again_what_is_watched() {
    let mut yard = Yard::with_people(2);
    let track = yard.ask(0, publish("c1")).expect("it may").track.expect("an id");
    yard.lose(0);
    yard.say(1, subscribe(&track, false, None));
    yard.clear();
    yard.resume(0, true);
    let told = bitrates(&yard.clients[0].heard());
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].track.as_ref(), told[0].reason), (Some(&track), BitrateReason::NotWatched));
}
