//! Links to the server: offers and answers, failures, resumes, and their end.

use std::{sync::Arc, time::Duration};

use madang_protocol::*;
use madang_room::{Grant, Input, Settings};

use crate::{
    failure,
    yard::{Yard, camera, desc, hello, ice, publish},
};

fn restart(yard: &Yard, who: usize, replace: bool) -> ClientMessage {
    let link = yard.clients[who].picture().server_link();
    ClientMessage::Restart(Restart { link: link.link.clone(), epoch: link.epoch, replace })
}

fn answer(yard: &Yard, who: usize, n: u32) -> ClientMessage {
    let link = yard.clients[who].picture().server_link();
    ClientMessage::Desc(Description { epoch: link.epoch, ..desc(&link.link, SdpType::Answer, n) })
}

pub(crate) fn subscribe(track: &TrackId, height: u32) -> Subscribe {
    Subscribe { track: track.clone(), on: true, width: Some(height * 2), height: Some(height), fps: None, priority: 3 }
}

fn offers(messages: &[Arc<ServerMessage>]) -> Vec<Description> {
    let offer = |message: &Arc<ServerMessage>| match &**message {
        ServerMessage::Desc(desc) => Some(desc.clone()),
        _ => None,
    };
    messages.iter().filter_map(offer).collect()
}

pub(crate) fn links(messages: &[Arc<ServerMessage>]) -> Vec<&'static str> {
    let op = |message: &Arc<ServerMessage>| match &**message {
        ServerMessage::Link(LinkEvent::Open(_)) => Some("open"),
        ServerMessage::Link(LinkEvent::Close { .. }) => Some("close"),
        ServerMessage::Topology(_) => Some("topology"),
        _ => None,
    };
    messages.iter().filter_map(op).collect()
}

/// The kinds of commands, in order.
pub(crate) fn kinds(commands: &[MediaCommand]) -> Vec<&'static str> {
    let kind = |command: &MediaCommand| match command {
        MediaCommand::OpenLink(_) => "open",
        MediaCommand::CloseLink { .. } => "close",
        MediaCommand::Answer { .. } => "answer",
        MediaCommand::Candidate { .. } => "candidate",
        MediaCommand::RestartIce { .. } => "restart",
        MediaCommand::AddTrack { .. } => "add",
        MediaCommand::RemoveTrack { .. } => "remove",
        MediaCommand::MuteTrack { .. } => "mute",
        MediaCommand::Watch { .. } => "watch",
        MediaCommand::Limit { .. } => "limit",
        MediaCommand::Describe { .. } => "describe",
        MediaCommand::Mix { .. } => "mix",
        MediaCommand::End => "end",
    };
    commands.iter().map(kind).collect()
}

pub(crate) fn published(yard: &mut Yard, who: usize) -> TrackId {
    let track = yard.ask(who, publish("c1")).expect("it may").track.expect("an id");
    yard.clear();
    track
}

pub(crate) fn bitrates(messages: &[Arc<ServerMessage>]) -> Vec<Bitrate> {
    let bitrate = |message: &Arc<ServerMessage>| match &**message {
        ServerMessage::Bitrate(bitrate) => Some(bitrate.clone()),
        _ => None,
    };
    messages.iter().filter_map(bitrate).collect()
}

#[test]
fn a_newcomer_finds_its_link_in_the_welcome_and_the_media_server_knows_its_tracks() {
    let mut yard = Yard::with_policy(1, Settings::default(), TopologyPolicy::Sfu);
    let mut hello = Hello { tracks: vec![camera("c1"), camera("c2")], ..hello("Mina") };
    hello.capabilities.simulcast = true;
    yard.join(0, hello, Grant::default());
    let ServerMessage::Welcome(welcome) = &*yard.clients[0].heard()[0] else { panic!("a welcome") };
    assert_eq!((welcome.topology, welcome.epoch), (Topology::Sfu, Epoch(0)));
    let link = &welcome.links[0];
    assert_eq!((link.kind, &link.peer, link.offerer), (Topology::Sfu, &None, Offerer::Peer));
    let expected = OpenMediaLink {
        link: link.link.clone(),
        participant: welcome.me.id.clone(),
        person: Person { name: "Mina".into(), is_shown: true },
        mix_codec: Some("VP8".into()),
        mix: None,
        video_codec: Some("VP8".into()),
        simulcast: true,
    };
    let commands = yard.media.commands();
    assert_eq!(commands[0], MediaCommand::OpenLink(expected));
    assert_eq!(kinds(&commands), ["open", "add", "add"]);
    yard.check();
}

#[test]
fn the_servers_offer_reaches_its_client_alone_and_the_answer_the_server() {
    let mut yard = Yard::forwarded(2);
    published(&mut yard, 0);
    yard.offer(1);
    assert!(yard.clients[0].inbox.is_empty());
    let offer = offers(&yard.clients[1].heard()).remove(0);
    assert_eq!((offer.kind, offer.n, &offer.from, offer.tracks.len()), (SdpType::Offer, Negotiation(1), &None, 1));
    assert_eq!(yard.ask(1, answer(&yard, 1, 2)), Err(ErrorCode::ConflictStale));
    assert!(yard.ask(1, answer(&yard, 1, 1)).is_ok());
    assert_eq!(yard.ask(1, answer(&yard, 1, 1)), Err(ErrorCode::ConflictStale));
    let link = yard.server_link(1);
    assert!(yard.ask(1, ClientMessage::Ice(ice(&link, 1))).is_ok());
    assert_eq!(kinds(&yard.media.commands()), ["answer", "candidate"]);
    assert_eq!(yard.ask(0, ClientMessage::Ice(ice(&link, 1))), Err(ErrorCode::NotFound));
}

#[test]
fn a_client_offers_nothing_on_a_link_to_the_server() {
    let mut yard = Yard::forwarded(1);
    let offer = desc(&yard.server_link(0), SdpType::Offer, 1);
    assert_eq!(yard.ask(0, ClientMessage::Desc(offer)), Err(ErrorCode::Forbidden));
    assert!(yard.media.commands().is_empty());
}

#[test]
fn an_offer_leaves_out_tracks_that_have_gone_and_a_late_one_is_dropped() {
    let mut yard = Yard::forwarded(2);
    let track = published(&mut yard, 0);
    let link = yard.server_link(1);
    let offer = yard.media.offer(&link);
    yard.say(0, ClientMessage::Unpublish(Unpublish { track }));
    yard.clear();
    yard.media_says(offer.clone());
    assert!(offers(&yard.clients[1].heard())[0].tracks.is_empty());
    yard.media_says(offer);
    assert!(yard.clients[1].inbox.is_empty(), "the same number again");
    yard.elapse(Duration::from_secs(1));
    yard.say(1, restart(&yard, 1, true));
    yard.clear();
    let late = yard.media.offer(&link);
    yard.media_says(late);
    assert!(yard.clients[1].inbox.is_empty(), "the link is closed");
}

#[test]
fn a_replaced_link_has_its_tracks_and_all_wishes_again() {
    let mut yard = Yard::forwarded(3);
    let (mine, theirs) = (published(&mut yard, 0), published(&mut yard, 1));
    yard.watch(0, subscribe(&theirs, 90));
    yard.watch(1, subscribe(&mine, 180));
    let former = yard.server_link(0);
    assert_eq!(yard.ask(0, restart(&yard, 0, true)), Err(ErrorCode::RateLimited), "it has just been opened");
    yard.elapse(Duration::from_secs(1));
    yard.clear();
    assert!(yard.ask(0, restart(&yard, 0, true)).is_ok());
    assert_ne!(yard.server_link(0), former);
    assert_eq!(kinds(&yard.media.commands()), ["close", "open", "add", "watch", "watch"]);
    assert_eq!(yard.media.wishes[&(yard.server_link(0), theirs.clone())], subscribe(&theirs, 90));
    assert_eq!(yard.media.wishes[&(yard.server_link(1), mine.clone())], subscribe(&mine, 180));
    assert!(links(&yard.clients[1].heard()).is_empty(), "nobody else's link changes");
    yard.check();
}

#[test]
fn a_restart_is_the_media_servers_to_make() {
    let mut yard = Yard::forwarded(1);
    assert!(yard.ask(0, restart(&yard, 0, false)).is_ok());
    assert_eq!(yard.media.commands(), [MediaCommand::RestartIce { link: yard.server_link(0) }]);
}

#[test]
fn somebody_away_keeps_the_link_and_gets_the_offer_on_return() {
    let mut yard = Yard::forwarded(2);
    let link = yard.server_link(1);
    yard.lose(1);
    assert!(yard.media.commands().is_empty(), "media goes on");
    let offer = yard.media.offer(&link);
    yard.media_says(offer);
    yard.elapse(Duration::from_secs(59));
    yard.resume(1, true);
    assert_eq!(yard.server_link(1), link);
    assert_eq!(offers(&yard.clients[1].heard())[0].n, Negotiation(1));
    assert!(yard.ask(1, answer(&yard, 1, 1)).is_ok());
    yard.check();
}

#[test]
fn an_unanswered_offer_is_sent_again_to_somebody_who_missed_too_much() {
    let settings = Settings { ring_events: 4, ..Settings::default() };
    let mut yard = Yard::with_policy(2, settings, TopologyPolicy::Sfu).filled(2);
    let come_back = |yard: &mut Yard| {
        for _ in 0..10 {
            yard.say(0, ClientMessage::Chat(ChatLine { text: "hello".into(), to: vec![] }));
        }
        yard.clear();
        yard.resume(1, true);
        let heard = yard.clients[1].heard();
        assert!(heard.iter().any(|message| matches!(**message, ServerMessage::Welcome(_))));
        assert!(yard.media.commands().is_empty(), "its link was not lost");
        yard.check();
        offers(&heard).len()
    };
    let before = yard.clients[1].last_s;
    yard.lose(1);
    yard.offer(1);
    assert_eq!(come_back(&mut yard), 1);
    assert!(yard.ask(1, answer(&yard, 1, 1)).is_ok());
    yard.lose(1);
    yard.clients[1].last_s = before;
    assert_eq!(come_back(&mut yard), 0, "it has answered, so it had the offer");
}

#[test]
fn a_link_closes_when_its_participant_leaves_is_kicked_reloads_or_stays_away() {
    let mut yard = Yard::forwarded(5);
    let track = published(&mut yard, 4);
    yard.say(1, ClientMessage::Leave(Leave {}));
    let participant = yard.clients[2].id();
    yard.say(0, ClientMessage::Mod(Moderation::Kick { participant }));
    yard.close_page(3);
    assert_eq!(kinds(&yard.media.commands()), ["close", "close", "close"]);
    yard.lose(4);
    yard.resume(4, false);
    assert_eq!(kinds(&yard.media.commands()), ["remove", "close", "open"], "it lost its state");
    assert!(!yard.media.tracks.contains_key(&track));
    yard.lose(4);
    yard.elapse(Duration::from_secs(60));
    assert_eq!(kinds(&yard.media.commands()), ["close"]);
    yard.check();
}

#[test]
fn the_media_server_is_told_when_the_room_is_over_and_not_before() {
    let mut yard = Yard::forwarded(2);
    yard.close_page(0);
    yard.close_page(1);
    assert_eq!(kinds(&yard.media.commands()), ["close", "close"], "they may come back");
    yard.elapse(Duration::from_secs(60));
    assert_eq!(yard.media.commands(), [MediaCommand::End]);
    assert!(yard.room.is_over());
    let mut mesh = Yard::with_people(1);
    mesh.say(0, ClientMessage::Leave(Leave {}));
    assert!(mesh.media.commands().is_empty(), "it never had anything of this room");
}

#[test]
fn a_server_that_goes_down_ends_its_media_too() {
    let mut yard = Yard::forwarded(2);
    yard.input(Input::Drain { retry_after_ms: 500 });
    assert_eq!(yard.media.commands(), [MediaCommand::End]);
}

#[test]
fn a_link_that_failed_is_replaced_once_it_is_a_second_old() {
    let mut yard = Yard::forwarded(2);
    let former = yard.server_link(0);
    yard.media_says(MediaEvent::Failed { link: former.clone(), why: "no checks".into() });
    assert!(yard.media.commands().is_empty());
    yard.elapse(Duration::from_millis(999));
    assert_eq!(yard.server_link(0), former);
    yard.elapse(Duration::from_millis(1));
    assert_ne!(yard.server_link(0), former);
    assert_eq!(kinds(&yard.media.commands()), ["close", "open"]);
    yard.media_says(MediaEvent::Failed { link: former, why: "late".into() });
    yard.elapse(Duration::from_secs(5));
    assert!(yard.media.commands().is_empty());
    yard.check();
}

#[test]
fn a_link_that_failed_stays_so_and_is_not_waited_for_once_its_participant_left() {
    let mut yard = Yard::forwarded(2);
    let former = [yard.server_link(0), yard.server_link(1)];
    for link in former.clone() {
        yard.media_says(MediaEvent::Failed { link: link.clone(), why: "no checks".into() });
        yard.media_says(MediaEvent::Connected { link });
    }
    yard.say(0, ClientMessage::Leave(Leave {}));
    yard.elapse(Duration::from_secs(1));
    assert_ne!(yard.server_link(1), former[1]);
    yard.media_says(MediaEvent::Failed { link: yard.server_link(1), why: "no checks".into() });
    yard.say(1, ClientMessage::Leave(Leave {}));
    assert_eq!(yard.timeout, None);
}

#[test]
fn a_link_that_failed_while_its_participant_was_away_waits_for_them() {
    let mut yard = Yard::forwarded(2);
    let former = yard.server_link(1);
    yard.elapse(Duration::from_secs(5));
    yard.lose(1);
    yard.media_says(MediaEvent::Failed { link: former.clone(), why: "no checks".into() });
    yard.elapse(Duration::from_secs(30));
    assert!(yard.media.commands().is_empty());
    yard.resume(1, true);
    assert_ne!(yard.server_link(1), former);
    assert_eq!(kinds(&yard.media.commands()), ["close", "open"]);
    yard.check();
}

#[test]
fn an_answer_that_is_refused_is_told_and_gets_one_more_try() {
    let mut yard = Yard::forwarded(1);
    yard.elapse(Duration::from_secs(1));
    let refuse = |yard: &mut Yard, n| {
        let link = yard.server_link(0);
        yard.clear();
        yard.media_says(MediaEvent::AnswerRefused { link, n: Negotiation(n), why: "no fingerprint".into() });
    };
    yard.offer(0);
    refuse(&mut yard, 7);
    assert!(yard.clients[0].inbox.is_empty(), "the newest offer alone counts");
    refuse(&mut yard, 1);
    let heard = yard.clients[0].heard();
    let told = failure(&heard);
    assert!(told.code == ErrorCode::BadRequest && !told.fatal && told.message.contains("no fingerprint"));
    assert_eq!(links(&heard), ["close", "open"]);
    yard.elapse(Duration::from_secs(1));
    yard.offer(0);
    refuse(&mut yard, 1);
    assert!(links(&yard.clients[0].heard()).is_empty(), "a client that can't do it is not asked for ever");
    yard.media_says(MediaEvent::Connected { link: yard.server_link(0) });
    yard.elapse(Duration::from_secs(1));
    refuse(&mut yard, 1);
    assert_eq!(links(&yard.clients[0].heard()), ["close", "open"], "it could, so it may try again");
    yard.check();
}
