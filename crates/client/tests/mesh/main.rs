//! Two participants who meet in a mesh, in virtual time: the room's server hands on what they say,
//! a STUN and TURN server of ours stands beside it, and a simulated network is between them all.

mod world;

use std::time::Duration;

use madang_client::{
    clip::Codec,
    participant::{Event, Kinds},
};
use world::{ANN, BEN, SERVER, World};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn they_connect_directly_and_both_see_and_hear() {
    let mut world = World::new(1, Kinds::All);
    world.connect(&[(ANN, SERVER), (BEN, SERVER), (ANN, BEN)]);
    world.run(seconds(6));
    for who in [0, 1] {
        assert_eq!(world.path(who), "host");
        assert!(world.frames(who, Codec::Vp8) > 100, "{who}: {:?}", world.figures(who));
        assert!(world.frames(who, Codec::Opus) > 200, "{who}: {:?}", world.figures(who));
    }
    // The pairs with relays are checked too, and kept.
    assert!(world.relayed_packets < 150, "{}", world.relayed_packets);
}

#[test]
fn without_a_way_between_them_they_meet_at_the_relay() {
    let mut world = World::new(2, Kinds::All);
    world.connect(&[(ANN, SERVER), (BEN, SERVER)]);
    world.run(seconds(8));
    for who in [0, 1] {
        assert!(world.path(who).starts_with("relay_"), "{who}: {}", world.path(who));
        assert!(world.frames(who, Codec::Vp8) > 100, "{who}: {:?}", world.figures(who));
    }
    assert!(world.relayed_packets > 1000, "{}", world.relayed_packets);
}

#[test]
fn whoever_wants_the_relay_alone_goes_by_it() {
    let mut world = World::new(3, Kinds::Relay);
    world.connect(&[(ANN, SERVER), (BEN, SERVER), (ANN, BEN)]);
    world.run(seconds(6));
    for who in [0, 1] {
        assert_eq!(world.path(who), "relay_udp");
        assert!(world.frames(who, Codec::Opus) > 150, "{who}: {:?}", world.figures(who));
    }
    assert_eq!(world.direct_packets, 0, "no address of theirs is known to the other");
}

#[test]
fn without_a_relay_and_a_way_between_them_the_link_is_replaced_in_vain() {
    let mut world = World::new(4, Kinds::NoRelay);
    world.connect(&[(ANN, SERVER), (BEN, SERVER)]);
    world.run(seconds(10));
    assert!(world.events(0).any(|event| matches!(event, Event::LinkFailed(..))));
    assert!(!world.events(0).any(|event| matches!(event, Event::Connected(_))));
    assert_eq!(world.relayed_packets, 0);
}

#[test]
fn where_udp_is_blocked_the_relay_is_reached_over_tcp() {
    let mut world = World::new(5, Kinds::All);
    world.connect(&[(BEN, SERVER)]);
    world.run(seconds(8));
    assert_eq!(world.path(0), "relay_tcp");
    assert!(world.frames(0, Codec::Vp8) > 100, "{:?}", world.figures(0));
    assert!(world.frames(1, Codec::Vp8) > 100, "{:?}", world.figures(1));
}

#[test]
fn who_moves_to_another_network_is_found_there() {
    let mut world = World::new(6, Kinds::All);
    world.connect(&[(ANN, SERVER), (BEN, SERVER), (ANN, BEN)]);
    world.run(seconds(4));
    let before = (world.frames(0, Codec::Opus), world.frames(1, Codec::Opus));
    world.move_ann();
    world.run(seconds(4));
    assert_eq!(world.path(1), "host", "the new address was told");
    for (who, before) in [(0, before.0), (1, before.1)] {
        let since = world.frames(who, Codec::Opus) - before;
        assert!(since > 150, "{who}: {since} frames of sound in the 4 s since");
    }
    assert_eq!(world.opened(0), 1, "it is the same link");
}

#[test]
fn when_the_way_between_them_breaks_the_relay_takes_over() {
    let mut world = World::new(7, Kinds::All);
    world.connect(&[(ANN, SERVER), (BEN, SERVER), (ANN, BEN)]);
    world.run(seconds(4));
    assert_eq!(world.path(0), "host");
    world.disconnect(ANN, BEN);
    world.run(seconds(7));
    assert!(world.events(0).any(|event| matches!(event, Event::PathLost(_))));
    let before = world.frames(1, Codec::Opus);
    world.run(seconds(2));
    assert!(world.path(0).starts_with("relay_"), "{}", world.path(0));
    assert!(world.frames(1, Codec::Opus) - before > 80);
    assert_eq!(world.opened(0), 1, "it is the same link");
}
