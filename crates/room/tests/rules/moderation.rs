//! What hosts can do, and nobody else.

use std::time::Duration;

use madang_protocol::*;
use madang_room::{Grant, Settings};

use crate::{
    bye, failure,
    mix::{ask, choose},
    yard::{Yard, hello, publish},
};

fn moderate(yard: &mut Yard, who: usize, moderation: Moderation) -> Result<Done, ErrorCode> {
    yard.ask(who, ClientMessage::Mod(moderation))
}

#[test]
fn only_hosts_moderate() {
    let mut yard = Yard::with_people(2);
    let (host, track) = (yard.clients[0].id(), TrackId::from("t_any"));
    for moderation in [
        Moderation::Kick { participant: host.clone() },
        Moderation::Mute { track },
        Moderation::Lock { locked: true },
        Moderation::Role { participant: host, role: Role::Viewer },
        Moderation::Bitrate { participant: None, max_send_bps: None },
        Moderation::Topology { policy: TopologyPolicy::Mesh },
    ] {
        assert_eq!(moderate(&mut yard, 1, moderation), Err(ErrorCode::Forbidden));
    }
    assert!(yard.clients[0].inbox.is_empty());
}

#[test]
fn what_is_named_has_to_be_there() {
    let mut yard = Yard::with_people(1);
    let nobody = ParticipantId::from("p_none");
    for moderation in [
        Moderation::Kick { participant: nobody.clone() },
        Moderation::Mute { track: TrackId::from("t_none") },
        Moderation::Role { participant: nobody.clone(), role: Role::Host },
        Moderation::Bitrate { participant: Some(nobody), max_send_bps: None },
    ] {
        assert_eq!(moderate(&mut yard, 0, moderation), Err(ErrorCode::NotFound));
    }
}

#[test]
fn somebody_kicked_is_told_and_gone() {
    let mut yard = Yard::with_people(3);
    let participant = yard.clients[1].id();
    assert!(moderate(&mut yard, 0, Moderation::Kick { participant }).is_ok());
    let bye = bye(&yard.clients[1].heard());
    assert_eq!((bye.action, bye.code), (ByeAction::Stop, Some(ErrorCode::Kicked)));
    let reason = yard.clients[2].heard().into_iter().find_map(|message| match &*message {
        ServerMessage::Participant(event) => event.reason,
        _ => None,
    });
    assert_eq!(reason, Some(LeaveReason::Kicked));
    yard.check();
    let myself = yard.clients[0].id();
    assert_eq!(moderate(&mut yard, 0, Moderation::Kick { participant: myself }), Err(ErrorCode::BadRequest));
}

#[test]
fn somebody_kicked_comes_back_with_no_other_session_of_the_same_token() {
    let mut yard = Yard::new(2, Settings::default());
    yard.join(0, hello("Host"), Grant::default());
    let grant = Grant { identity: Some("mina".into()), role: Some(Role::Participant), ..Grant::default() };
    yard.join(1, hello("Mina"), grant.clone());
    let participant = yard.clients[1].id();
    assert!(moderate(&mut yard, 0, Moderation::Kick { participant }).is_ok());
    yard.clear();
    yard.join(1, hello("Mina"), grant.clone());
    assert_eq!(failure(&yard.clients[1].heard()).code, ErrorCode::Kicked);
    yard.join(1, hello("Jun"), Grant { identity: Some("jun".into()), ..grant });
    assert_eq!(yard.room.census().participants, 2);
}

#[test]
fn a_host_mutes_and_cannot_unmute() {
    let mut yard = Yard::with_people(2);
    let track = yard.ask(1, publish("c1")).expect("it may").track.expect("an id");
    yard.clear();
    assert!(moderate(&mut yard, 0, Moderation::Mute { track: track.clone() }).is_ok());
    let host = yard.clients[0].id();
    let heard = yard.clients[1].heard();
    assert!(matches!(&*heard[0], ServerMessage::Track(event) if event.track.muted && event.by.as_ref() == Some(&host)));
    let unmute = ClientMessage::Mute(Mute { track, muted: false });
    assert_eq!(yard.ask(0, unmute.clone()), Err(ErrorCode::Forbidden));
    assert!(yard.ask(1, unmute).is_ok());
    yard.check();
}

#[test]
fn a_locked_room_refuses_newcomers_but_hosts_by_token() {
    let mut yard = Yard::with_people(1);
    yard.clients.extend([Default::default(), Default::default()]);
    assert!(moderate(&mut yard, 0, Moderation::Lock { locked: true }).is_ok());
    yard.join(1, hello("b"), Grant::default());
    let failure = failure(&yard.clients[1].heard());
    assert_eq!((failure.code, failure.fatal), (ErrorCode::RoomLocked, true));
    yard.join(2, hello("c"), Grant { role: Some(Role::Host), ..Grant::default() });
    assert!(yard.clients[2].connection.is_some());
    assert!(moderate(&mut yard, 0, Moderation::Lock { locked: false }).is_ok());
    yard.join(1, hello("b"), Grant::default());
    yard.check();
}

#[test]
fn roles_are_given_and_a_new_viewer_loses_its_tracks() {
    let mut yard = Yard::with_people(2);
    yard.say(1, publish("c1"));
    let other = yard.clients[1].id();
    let give = |role| Moderation::Role { participant: other.clone(), role };
    assert!(moderate(&mut yard, 0, give(Role::Viewer)).is_ok());
    let seen = &yard.clients[0].picture().people[&other];
    assert!(seen.role == Role::Viewer && seen.tracks.is_empty());
    yard.check();
    assert!(moderate(&mut yard, 0, give(Role::Host)).is_ok());
    assert!(moderate(&mut yard, 1, Moderation::Lock { locked: true }).is_ok());
    yard.check();
}

#[test]
fn the_only_host_stays_host() {
    let mut yard = Yard::with_people(2);
    let (first, second) = (yard.clients[0].id(), yard.clients[1].id());
    let down = Moderation::Role { participant: first, role: Role::Participant };
    assert_eq!(moderate(&mut yard, 0, down.clone()), Err(ErrorCode::Forbidden));
    assert!(moderate(&mut yard, 0, Moderation::Role { participant: second, role: Role::Host }).is_ok());
    assert!(moderate(&mut yard, 0, down).is_ok());
    yard.check();
}

#[test]
fn a_limit_for_everyone_reaches_every_sender_on_every_link() {
    let mut yard = Yard::with_people(3);
    let limit = |most: Option<u64>| Moderation::Bitrate { participant: None, max_send_bps: most.map(BitsPerSecond) };
    assert!(moderate(&mut yard, 0, limit(Some(600_000))).is_ok());
    for client in &mut yard.clients {
        let mut links = 0;
        for message in client.heard() {
            if let ServerMessage::Bitrate(bitrate) = &*message {
                assert_eq!(bitrate.max_send_bps, Some(BitsPerSecond(300_000)));
                assert_eq!(bitrate.reason, BitrateReason::RoomLimit);
                links += 1;
            }
        }
        assert_eq!(links, 2);
        assert_eq!(client.picture().room.max_send_bps, Some(BitsPerSecond(600_000)));
    }
    assert_eq!(moderate(&mut yard, 0, limit(Some(15_999))), Err(ErrorCode::BadRequest));
    yard.elapse(Duration::from_secs(2));
    assert!(moderate(&mut yard, 0, limit(None)).is_ok());
    assert!(yard.clients[1].heard().iter().any(|message| matches!(&**message, ServerMessage::Bitrate(bitrate)
        if bitrate.max_send_bps.is_none() && bitrate.reason == BitrateReason::Unlimited)));
}

#[test]
fn a_limit_for_one_reaches_that_one() {
    let mut yard = Yard::with_people(2);
    let participant = Some(yard.clients[1].id());
    let limit = Moderation::Bitrate { participant, max_send_bps: Some(BitsPerSecond(200_000)) };
    assert!(moderate(&mut yard, 0, limit).is_ok());
    assert!(yard.clients[0].inbox.is_empty());
    assert!(yard.clients[1].heard().iter().any(|message| matches!(&**message, ServerMessage::Bitrate(bitrate)
        if bitrate.reason == BitrateReason::ParticipantLimit)));
}

#[test]
fn the_topology_can_be_any() {
    let mut yard = Yard::with_people(1);
    for policy in [TopologyPolicy::Auto, TopologyPolicy::Mesh, TopologyPolicy::Sfu, TopologyPolicy::Mcu] {
        assert_eq!(ask(&mut yard, 0, choose(policy)), Ok(Done::default()));
    }
}
