//! Sessions lost and taken up again.

use std::{sync::Arc, time::Duration};

use madang_protocol::*;
use madang_room::{Grant, Settings};

use crate::{
    bye, failure,
    yard::{Yard, camera, desc, hello, publish},
};

fn chat(text: &str) -> ClientMessage {
    ClientMessage::Chat(ChatLine { text: text.to_owned(), to: vec![] })
}

fn lines(messages: &[Arc<ServerMessage>]) -> Vec<String> {
    let text = |message: &Arc<ServerMessage>| match &**message {
        ServerMessage::Chat(chat) => Some(chat.text.clone()),
        _ => None,
    };
    messages.iter().filter_map(text).collect()
}

fn resumed(messages: &[Arc<ServerMessage>]) -> Resumed {
    let resumed = messages.iter().find_map(|message| match &**message {
        ServerMessage::Resumed(resumed) => Some(resumed.clone()),
        _ => None,
    });
    resumed.expect("a resumed")
}

fn welcomes(messages: &[Arc<ServerMessage>]) -> usize {
    messages.iter().filter(|message| matches!(***message, ServerMessage::Welcome(_))).count()
}

#[test]
fn what_was_said_meanwhile_arrives_once_and_in_order() {
    let mut yard = Yard::with_people(2);
    yard.say(0, chat("one"));
    yard.lose(1);
    yard.say(0, chat("two"));
    yard.say(0, chat("three"));
    yard.elapse(Duration::from_secs(10));
    yard.resume(1, true);
    let heard = yard.clients[1].heard();
    assert!(resumed(&heard).replay);
    assert_eq!(welcomes(&heard), 0);
    assert_eq!(lines(&heard), ["one", "two", "three"]);
    yard.check();
}

#[test]
fn somebody_lost_is_away_keeps_their_links_and_comes_back() {
    let mut yard = Yard::with_people(2);
    let links = yard.clients[0].picture().links.clone();
    yard.lose(1);
    let away = yard.clients[1].id();
    assert_eq!(yard.clients[0].picture().people[&away].presence, Presence::Away);
    assert_eq!((yard.room.census().present, yard.room.census().links), (1, 1));
    yard.elapse(Duration::from_secs(59));
    yard.resume(1, true);
    assert_eq!(yard.clients[0].picture().people[&away].presence, Presence::Present);
    assert_eq!(yard.clients[0].picture().links, links);
    yard.check();
}

#[test]
fn who_closes_the_page_is_gone_at_once_and_back_as_who_they_were() {
    let mut yard = Yard::with_people(2);
    let (host, links) = (yard.clients[0].id(), yard.clients[1].picture().links.len());
    yard.close_page(0);
    assert!(!yard.clients[1].picture().people.contains_key(&host), "no empty tile stays");
    assert_eq!((yard.room.census().participants, yard.room.census().links), (1, 0));
    yard.elapse(Duration::from_secs(59));
    yard.resume(0, false);
    assert_eq!(yard.clients[0].id(), host);
    assert_eq!(yard.clients[0].me().role, Role::Host);
    assert_eq!(yard.clients[1].picture().links.len(), links);
    yard.check();
}

#[test]
fn a_page_alone_keeps_its_room_while_it_reloads_and_no_longer_than_the_grace() {
    let mut yard = Yard::with_people(1);
    let (me, session) = (yard.clients[0].id(), yard.clients[0].session.clone());
    yard.close_page(0);
    assert!(!yard.room.is_over());
    yard.resume(0, false);
    assert_eq!(yard.clients[0].id(), me);
    assert_ne!(yard.clients[0].session, session, "its state is gone, so its session is new");
    yard.close_page(0);
    yard.elapse(Duration::from_secs(60));
    assert!(yard.room.is_over());
    assert_eq!(yard.timeout, None);
}

#[test]
fn a_closed_page_comes_back_to_a_locked_room_but_not_with_a_wrong_secret() {
    let mut yard = Yard::with_people(2);
    yard.say(0, ClientMessage::Mod(Moderation::Lock { locked: true }));
    yard.close_page(1);
    let mut forged = yard.resume_hello(1, false);
    if let Some(resume) = &mut forged.resume {
        resume.secret = "x".repeat(32);
    }
    yard.clear();
    yard.join(1, forged, Grant::default());
    assert_eq!(failure(&yard.clients[1].heard()).code, ErrorCode::Unauthorized);
    yard.resume(1, false);
    assert_eq!(yard.room.census().participants, 2);
    yard.check();
}

#[test]
fn nobody_gains_a_role_by_reloading() {
    let mut yard = Yard::with_people(2);
    let participant = yard.clients[1].id();
    yard.say(0, ClientMessage::Mod(Moderation::Role { participant, role: Role::Viewer }));
    yard.close_page(1);
    yard.resume(1, false);
    assert_eq!(yard.clients[1].me().role, Role::Viewer);
}

#[test]
fn after_the_grace_somebody_is_gone_and_returns_as_a_newcomer() {
    let mut yard = Yard::with_people(2);
    let (former, session) = (yard.clients[1].id(), yard.clients[1].session.clone());
    yard.lose(1);
    yard.elapse(Duration::from_secs(60));
    assert!(!yard.clients[0].picture().people.contains_key(&former));
    yard.resume(1, true);
    assert_ne!(yard.clients[1].id(), former);
    assert_ne!(yard.clients[1].session, session);
    yard.check();
}

#[test]
fn a_room_whose_last_one_is_lost_is_over_after_the_grace() {
    let mut yard = Yard::with_people(1);
    yard.lose(0);
    assert!(!yard.room.is_over());
    yard.elapse(Duration::from_secs(60));
    assert!(yard.room.is_over());
    assert_eq!(yard.timeout, None);
}

#[test]
fn a_reloaded_page_is_the_same_participant_with_new_links_and_tracks() {
    let mut yard = Yard::with_people(2);
    yard.say(1, publish("old"));
    let (id, old_link) = (yard.clients[1].id(), yard.clients[1].picture().links.clone());
    yard.clear();
    let hello = Hello { tracks: vec![camera("new")], ..yard.resume_hello(1, false) };
    yard.join(1, hello, Grant::default());
    let heard = yard.clients[1].heard();
    assert!(!resumed(&heard).replay);
    assert_eq!(welcomes(&heard), 1);
    assert_eq!(yard.clients[1].id(), id);
    assert_ne!(yard.clients[1].picture().links, old_link);
    assert_eq!(yard.clients[0].picture().people.len(), 2, "no ghost");
    let cids: Vec<_> = yard.clients[0].picture().people[&id].tracks.iter().map(|track| track.cid.clone()).collect();
    assert_eq!(cids, ["new"]);
    yard.check();
}

#[test]
fn somebody_who_missed_too_much_gets_the_whole_room_and_keeps_their_links() {
    let mut yard = Yard::with_settings(2, Settings { ring_events: 4, ..Settings::default() });
    let links = yard.clients[1].picture().links.clone();
    yard.lose(1);
    for n in 0..10 {
        yard.say(0, chat(&n.to_string()));
    }
    yard.resume(1, true);
    let heard = yard.clients[1].heard();
    assert!(!resumed(&heard).replay);
    assert_eq!(welcomes(&heard), 1);
    assert_eq!(yard.clients[1].picture().links, links);
    yard.check();
}

#[test]
fn a_description_that_was_missed_makes_the_offerer_offer_again() {
    let mut yard = Yard::with_settings(2, Settings { ring_events: 4, ..Settings::default() });
    let link = yard.clients[0].picture().links.keys().next().expect("a link").clone();
    yard.lose(1);
    yard.say(0, ClientMessage::Desc(desc(&link, SdpType::Offer, 1)));
    for n in 0..10 {
        yard.say(0, chat(&n.to_string()));
    }
    yard.clear();
    yard.resume(1, true);
    let negotiate = yard.clients[0].heard().into_iter().find_map(|message| match &*message {
        ServerMessage::Negotiate(negotiate) => Some(negotiate.clone()),
        _ => None,
    });
    assert_eq!(negotiate, Some(Negotiate { link, epoch: Epoch(0), restart: true }));
}

#[test]
fn a_wrong_secret_is_unauthorized_and_changes_nothing() {
    let mut yard = Yard::with_people(2);
    yard.clients.push(Default::default());
    let mut thief = yard.resume_hello(1, true);
    thief.resume.as_mut().expect("a resume").secret = "x".repeat(32);
    yard.join(2, thief, Grant::default());
    let failure = failure(&yard.clients[2].heard());
    assert_eq!((failure.code, failure.fatal), (ErrorCode::Unauthorized, true));
    assert!(yard.clients[1].inbox.is_empty() && yard.clients[1].connection.is_some());
    yard.check();
}

#[test]
fn each_secret_is_spent_once_the_next_has_arrived() {
    let mut yard = Yard::with_people(1);
    let first = yard.resume_hello(0, true);
    yard.lose(0);
    yard.resume(0, true);
    yard.say(0, ClientMessage::Ack(Ack { s: Seq(1) }));
    yard.lose(0);
    yard.clear();
    yard.join(0, first, Grant::default());
    assert_eq!(failure(&yard.clients[0].heard()).code, ErrorCode::Unauthorized);
}

#[test]
fn a_resume_whose_answer_was_lost_can_be_repeated() {
    let mut yard = Yard::with_people(2);
    let first = yard.resume_hello(1, true);
    yard.lose(1);
    let last_s = yard.clients[1].last_s;
    yard.join(1, first.clone(), Grant::default());
    yard.clients[1].last_s = last_s;
    yard.lose(1);
    yard.clear();
    yard.clients[1].last_s = last_s;
    yard.join(1, first, Grant::default());
    assert!(resumed(&yard.clients[1].heard()).replay);
}

#[test]
fn a_resume_on_a_new_connection_ends_the_old_one() {
    let mut yard = Yard::with_people(1);
    yard.clients.push(Default::default());
    let (session, secret, last_s) =
        (yard.clients[0].session.clone(), yard.clients[0].secret.clone(), yard.clients[0].last_s);
    let picture = yard.clients[0].picture.clone();
    let copy = &mut yard.clients[1];
    (copy.session, copy.secret, copy.last_s, copy.picture) = (session, secret, last_s, picture);
    yard.resume(1, true);
    assert_eq!(bye(&yard.clients[0].heard()).code, Some(ErrorCode::DuplicateIdentity));
    assert_eq!(yard.clients[0].connection, None);
    assert_eq!(yard.room.census().participants, 1);
    yard.check();
}

#[test]
fn a_session_belongs_to_its_identity() {
    let grant = |identity: &str| Grant { identity: Some(identity.into()), ..Grant::default() };
    let mut yard = Yard::new(1, Settings::default());
    yard.join(0, hello("Mina"), grant("mina"));
    yard.lose(0);
    yard.clear();
    let hello = yard.resume_hello(0, true);
    yard.join(0, hello.clone(), grant("juno"));
    assert_eq!(failure(&yard.clients[0].heard()).code, ErrorCode::Unauthorized);
    yard.join(0, hello, grant("mina"));
    assert!(resumed(&yard.clients[0].heard()).replay);
}

#[test]
fn a_kicked_session_can_not_be_resumed() {
    let mut yard = Yard::with_people(2);
    let participant = yard.clients[1].id();
    yard.say(0, ClientMessage::Mod(Moderation::Kick { participant }));
    yard.clear();
    yard.resume(1, true);
    let failure = failure(&yard.clients[1].heard());
    assert_eq!((failure.code, failure.fatal), (ErrorCode::Kicked, true));
    yard.check();
}

#[test]
fn a_locked_room_lets_those_inside_come_back() {
    let mut yard = Yard::with_people(2);
    yard.say(0, ClientMessage::Mod(Moderation::Lock { locked: true }));
    yard.lose(1);
    yard.resume(1, false);
    yard.check();
    assert_eq!(yard.room.census().present, 2);
}

#[test]
fn a_reload_that_brings_no_common_codec_is_refused_and_the_session_stays() {
    let mut yard = Yard::with_people(2);
    yard.lose(1);
    let mut other = yard.resume_hello(1, false);
    other.capabilities.codecs.video = vec!["AV1".into()];
    yard.clear();
    yard.join(1, other, Grant::default());
    assert_eq!(failure(&yard.clients[1].heard()).code, ErrorCode::CodecUnsupported);
    yard.resume(1, true);
    yard.check();
}

#[test]
fn resumed_names_the_last_request_that_arrived() {
    let mut yard = Yard::with_people(1);
    assert_eq!(yard.ask(0, chat("one")), Ok(Done::default()));
    yard.lose(0);
    yard.resume(0, true);
    assert_eq!(resumed(&yard.clients[0].heard()).last_id, Some(RequestId(99)));
    yard.lose(0);
    yard.resume(0, false);
    assert_eq!(resumed(&yard.clients[0].heard()).last_id, None, "a reloaded page counts anew");
}

#[test]
fn a_replay_brings_fresh_relay_credentials_and_bit_rates() {
    let settings = Settings { max_send_bps: Some(BitsPerSecond(900_000)), ..Settings::default() };
    let mut yard = Yard::with_settings(2, settings);
    yard.lose(1);
    yard.resume(1, true);
    let heard = yard.clients[1].heard();
    assert!(heard.iter().any(|message| matches!(**message, ServerMessage::IceServers(_))));
    assert!(heard.iter().any(|message| matches!(&**message, ServerMessage::Bitrate(bitrate)
        if bitrate.max_send_bps == Some(BitsPerSecond(900_000)) && bitrate.reason == BitrateReason::RoomLimit)));
}
