//! Joining, and what keeps somebody out.

use std::time::Duration;

use madang_protocol::*;
use madang_room::{Grant, Settings};

use crate::{
    bye, failure,
    yard::{Yard, camera, hello},
};

fn identity(identity: &str, role: Role) -> Grant {
    Grant { identity: Some(identity.to_owned()), role: Some(role), ..Grant::default() }
}

/// A hello that the room of one other refuses, and with what code.
fn refused(hello: Hello, grant: Grant) -> ErrorCode {
    let mut yard = Yard::new(2, Settings::default());
    yard.join(0, crate::yard::hello("Mina"), Grant::default());
    yard.clear();
    yard.join(1, hello, grant);
    let failure = failure(&yard.clients[1].heard());
    assert!(failure.fatal, "a refused hello ends the connection");
    assert_eq!(yard.clients[1].connection, None);
    assert!(yard.clients[0].inbox.is_empty(), "nobody inside hears of it");
    yard.check();
    failure.code
}

#[test]
fn a_newcomer_gets_the_whole_room_and_the_others_hear_of_it() {
    let mut yard = Yard::new(2, Settings::default());
    yard.join(0, Hello { tracks: vec![camera("c1")], ..hello("Mina") }, Grant::default());
    yard.join(1, hello("Juno"), Grant::default());
    let ServerMessage::Welcome(welcome) = &*yard.clients[1].heard()[0] else { panic!("a welcome first") };
    assert_eq!((welcome.version, welcome.last_s, welcome.topology), (1, Seq(0), Topology::Mesh));
    assert_eq!(welcome.ice_servers.len(), 1);
    assert_eq!(welcome.participants[0].tracks[0].cid, "c1");
    assert_eq!(welcome.links[0].offerer, Offerer::Peer);
    assert_eq!((welcome.ping_interval_ms, welcome.resume_grace_ms), (15_000, 60_000));
    assert_eq!(yard.clients[1].inbox.len(), 0);
    yard.check();
    assert_eq!(yard.room.roster(), ["Mina", "Juno"]);
}

#[test]
fn tracks_in_hello_are_known_before_the_link_opens_and_need_no_negotiation() {
    let mut yard = Yard::with_people(1);
    yard.clients.push(Default::default());
    yard.join(1, Hello { tracks: vec![camera("c1")], ..hello("Juno") }, Grant::default());
    let heard = yard.clients[0].heard();
    let place = |wanted: fn(&ServerMessage) -> bool| heard.iter().position(|message| wanted(message));
    let added =
        place(|message| matches!(message, ServerMessage::Participant(event) if event.participant.tracks.len() == 1));
    let opened = place(|message| matches!(message, ServerMessage::Link(LinkEvent::Open(_))));
    assert!(added.expect("the participant") < opened.expect("the link"));
    assert_eq!(place(|message| matches!(message, ServerMessage::Negotiate(_))), None);
}

#[test]
fn without_tokens_the_first_is_host_and_the_longest_present_inherits() {
    let mut yard = Yard::with_people(3);
    assert_eq!(yard.clients[0].me().role, Role::Host);
    assert_eq!(yard.clients[1].me().role, Role::Participant);
    yard.lose(1);
    yard.say(0, ClientMessage::Leave(Leave {}));
    assert_eq!(yard.clients[2].me().role, Role::Host, "the second is away");
    yard.check();
}

#[test]
fn with_tokens_roles_are_theirs_and_nobody_inherits() {
    let mut yard = Yard::new(3, Settings::default());
    yard.join(0, hello("a"), identity("a", Role::Participant));
    yard.join(1, hello("b"), identity("b", Role::Host));
    yard.join(2, Hello { tracks: vec![camera("c")], ..hello("c") }, identity("c", Role::Viewer));
    assert_eq!(yard.clients[0].me().role, Role::Participant);
    assert!(yard.clients[2].me().tracks.is_empty(), "a viewer publishes nothing");
    yard.say(1, ClientMessage::Leave(Leave {}));
    assert_eq!(yard.clients[0].me().role, Role::Participant);
    yard.check();
}

#[test]
fn a_token_name_overrides_the_name_in_hello() {
    let mut yard = Yard::new(1, Settings::default());
    yard.join(0, hello("Nobody"), Grant { name: Some("Mina".into()), ..identity("mina", Role::Host) });
    assert_eq!((yard.clients[0].me().name.as_str(), yard.clients[0].me().identity.as_str()), ("Mina", "mina"));
}

#[test]
fn a_second_session_of_an_identity_takes_the_place_of_the_first() {
    let mut yard = Yard::new(3, Settings::default());
    yard.join(0, hello("Mina"), identity("mina", Role::Host));
    yard.join(1, hello("Juno"), identity("juno", Role::Host));
    yard.clear();
    yard.join(2, hello("Mina again"), identity("mina", Role::Host));
    let bye = bye(&yard.clients[0].heard());
    assert_eq!((bye.action, bye.code), (ByeAction::Stop, Some(ErrorCode::DuplicateIdentity)));
    let gone = yard.clients[1].heard().into_iter().find_map(|message| match &*message {
        ServerMessage::Participant(event) if event.change == Change::Removed => event.reason,
        _ => None,
    });
    assert_eq!(gone, Some(LeaveReason::DuplicateIdentity));
    assert_eq!(yard.room.census().participants, 2);
    yard.check();
}

#[test]
fn a_second_session_of_an_identity_enters_a_full_or_locked_room() {
    let mut settings = Settings::default();
    settings.limits.participants = 1;
    let mut yard = Yard::new(2, settings);
    yard.join(0, hello("Mina"), identity("mina", Role::Participant));
    yard.join(1, hello("Mina"), identity("mina", Role::Participant));
    assert!(yard.clients[1].connection.is_some());
    yard.check();
}

#[test]
fn a_hello_with_a_fault_is_bad_request() {
    let long = "x".repeat(65);
    for name in ["", " ", "a\tb", long.as_str()] {
        assert_eq!(refused(hello(name), Grant::default()), ErrorCode::BadRequest, "{name:?}");
    }
    let mut track = camera("c");
    track.cid.clear();
    assert_eq!(refused(Hello { tracks: vec![track], ..hello("a") }, Grant::default()), ErrorCode::BadRequest);
    let mut codecs = hello("a");
    codecs.capabilities.codecs.video = vec!["VP8 or so".into()];
    assert_eq!(refused(codecs, Grant::default()), ErrorCode::BadRequest);
    assert_eq!(refused(hello("a"), identity("", Role::Host)), ErrorCode::BadRequest);
}

#[test]
fn a_hello_without_version_one_is_bad_version() {
    assert_eq!(refused(Hello { versions: vec![2, 3], ..hello("a") }, Grant::default()), ErrorCode::BadVersion);
}

#[test]
fn too_many_tracks_in_hello_are_too_large() {
    let tracks = vec![camera("c"); 9];
    assert_eq!(refused(Hello { tracks, ..hello("a") }, Grant::default()), ErrorCode::TooLarge);
}

#[test]
fn a_newcomer_without_a_common_codec_is_told_both_sides() {
    let mut yard = Yard::with_people(1);
    yard.clients.push(Default::default());
    let mut newcomer = hello("Juno");
    newcomer.capabilities.codecs.video = vec!["AV1".into()];
    yard.join(1, newcomer.clone(), Grant::default());
    let failure = failure(&yard.clients[1].heard());
    assert_eq!(failure.code, ErrorCode::CodecUnsupported);
    assert!(failure.message.contains("VP8") && failure.message.contains("AV1"), "{}", failure.message);
    newcomer.capabilities.codecs.video = vec![];
    yard.join(1, newcomer, Grant::default());
    yard.check();
}

#[test]
fn common_codecs_narrow_when_somebody_comes_and_widen_when_they_go() {
    let mut yard = Yard::with_people(1);
    yard.clients.push(Default::default());
    let mut newcomer = hello("Juno");
    newcomer.capabilities.codecs.video = vec!["VP9".into(), "H264".into()];
    yard.join(1, newcomer, Grant::default());
    assert_eq!(yard.clients[0].picture().room.codecs.video, ["H264"]);
    yard.check();
    yard.say(1, ClientMessage::Leave(Leave {}));
    assert_eq!(yard.clients[0].picture().room.codecs.video, ["VP8", "H264"]);
}

#[test]
fn a_full_room_says_so() {
    let mut settings = Settings::default();
    settings.limits.participants = 2;
    let mut yard = Yard::with_settings(2, settings);
    yard.clients.push(Default::default());
    yard.join(2, hello("c"), Grant::default());
    assert_eq!(failure(&yard.clients[2].heard()).code, ErrorCode::RoomFull);
    yard.say(1, ClientMessage::Leave(Leave {}));
    yard.join(2, hello("c"), Grant::default());
    yard.check();
}

#[test]
fn somebody_in_grace_keeps_their_place_in_a_full_room() {
    let mut settings = Settings::default();
    settings.limits.participants = 2;
    let mut yard = Yard::with_settings(2, settings);
    yard.clients.push(Default::default());
    yard.lose(1);
    yard.join(2, hello("c"), Grant::default());
    assert_eq!(failure(&yard.clients[2].heard()).code, ErrorCode::RoomFull);
    yard.elapse(Duration::from_secs(61));
    yard.join(2, hello("c"), Grant::default());
    yard.check();
}

#[test]
fn whoever_creates_a_room_gets_the_topology_that_they_ask_for() {
    for (policy, topology) in [
        (TopologyPolicy::Auto, Topology::Mesh),
        (TopologyPolicy::Mesh, Topology::Mesh),
        (TopologyPolicy::Sfu, Topology::Sfu),
        (TopologyPolicy::Mcu, Topology::Mcu),
    ] {
        let mut yard = Yard::new(1, Settings::default());
        yard.join(0, Hello { topology: Some(policy), ..hello("a") }, Grant::default());
        assert_eq!(yard.clients[0].picture().topology, topology, "{policy:?}");
        yard.check();
    }
}

#[test]
fn a_second_hello_is_refused_and_ends_nothing() {
    let mut yard = Yard::with_people(2);
    assert_eq!(yard.ask(0, ClientMessage::Hello(hello("again"))), Err(ErrorCode::BadRequest));
    yard.check();
}

#[test]
fn a_ping_is_answered() {
    let mut yard = Yard::with_people(1);
    yard.say(0, ClientMessage::Ping(Ping {}));
    assert_eq!(*yard.clients[0].heard()[0], ServerMessage::Pong(Pong {}));
}

#[test]
fn a_server_that_goes_down_tells_everyone_to_come_back_and_lets_nobody_in() {
    let mut yard = Yard::with_people(2);
    yard.input(madang_room::Input::Drain { retry_after_ms: 700 });
    for client in &mut yard.clients {
        let bye = bye(&client.heard());
        assert_eq!((bye.action, bye.code), (ByeAction::Rejoin, Some(ErrorCode::ServerDraining)));
        assert_eq!(bye.retry_after_ms, Some(700));
        assert_eq!(client.connection, None);
    }
    assert!(yard.room.is_over());
    yard.join(0, hello("a"), Grant::default());
    let failure = failure(&yard.clients[0].heard());
    assert_eq!((failure.code, failure.retry_after_ms), (ErrorCode::ServerDraining, Some(700)));
}

#[test]
fn leaving_ends_links_and_place_at_once() {
    let mut yard = Yard::with_people(3);
    yard.say(1, ClientMessage::Leave(Leave {}));
    let bye = bye(&yard.clients[1].heard());
    assert_eq!((bye.action, bye.code), (ByeAction::Stop, None));
    assert_eq!((yard.room.census().participants, yard.room.census().links), (2, 1));
    yard.check();
}
