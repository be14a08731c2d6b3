//! What an operator does: limits, books, a new configuration, the end.

mod world;

use std::time::Duration;

use madang_turn::{
    AllocationChange, Bandwidth, Config, Credentials, EndReason, Input, Limits, Output, PeerPolicy, Reload, Traffic,
};
use madang_wire::{Transport, stun::Lifetime};
use world::{Client, PEER, World, addr, config};

fn with_bandwidth(bandwidth: Bandwidth) -> World {
    let limits = Limits { bandwidth, ..Limits::default() };
    World::with(Config { limits, ..config() })
}

fn bound(world: &mut World, address: &str, user: &str, password: &str) -> (Client, std::net::SocketAddr) {
    let mut client = Client::new(address, user, password);
    let relayed = client.allocate(world).relayed();
    assert_eq!(client.bind(world, 0x4000, PEER).code(), 0);
    (client, relayed)
}

/// Sends packets of 100 bytes; how many of them went on.
fn sent(world: &mut World, client: &Client, packets: usize) -> usize {
    (0..packets)
        .map(|_| {
            client.channel_data(world, 0x4000, &[0; 100]);
            world.to_peers.len()
        })
        .sum()
}

#[test]
fn bandwidth_is_limited_for_each_allocation() {
    let mut world = with_bandwidth(Bandwidth { per_allocation: 1000, ..Bandwidth::default() });
    let (alice, relayed) = bound(&mut world, "192.0.2.1:1", "alice", "wonder");
    let (second, _) = bound(&mut world, "192.0.2.1:2", "alice", "wonder");
    assert_eq!(sent(&mut world, &alice, 20), 10);
    world.peer_sends(relayed, addr(PEER), &[0; 100]);
    assert!(world.to_clients.is_empty(), "both directions together");
    assert_eq!(sent(&mut world, &second, 20), 10);
    assert_eq!(world.server.counters().over_rate, 21);
    world.pass(1);
    assert_eq!(sent(&mut world, &alice, 20), 10);
}

#[test]
fn bandwidth_is_limited_for_each_user_and_in_all() {
    let mut world = with_bandwidth(Bandwidth { per_user: 1000, total: 1500, ..Bandwidth::default() });
    let (alice, _) = bound(&mut world, "192.0.2.1:1", "alice", "wonder");
    let (second, _) = bound(&mut world, "192.0.2.1:2", "alice", "wonder");
    let (bob, _) = bound(&mut world, "192.0.2.1:3", "bob", "builder");
    assert_eq!(sent(&mut world, &alice, 8) + sent(&mut world, &second, 8), 10);
    assert_eq!(sent(&mut world, &bob, 20), 5);
}

#[test]
fn without_limits_nothing_is_over_them() {
    let mut world = World::new();
    let (alice, _) = bound(&mut world, "192.0.2.1:1", "alice", "wonder");
    assert_eq!(sent(&mut world, &alice, 2000), 2000);
    assert_eq!(world.server.counters().over_rate, 0);
}

#[test]
fn the_longest_lifetime_is_the_operators() {
    for (longest, granted) in [(900, 900), (7200, 7200), (10, 600)] {
        let limits = Limits { lifetime: longest, ..Limits::default() };
        let mut world = World::with(Config { limits, ..config() });
        let mut alice = Client::alice("192.0.2.1:1000");
        assert_eq!(alice.allocate_with(&mut world, &[&Lifetime::new(100_000)]).lifetime(), granted);
        assert_eq!(alice.refresh(&mut world, 100_000).lifetime(), granted);
    }
}

#[test]
fn each_allocation_is_told_of_at_its_beginning_and_at_its_end() {
    let mut world = World::new();
    let (name, word) = madang_turn::mint("secret", "eve", world::UNIX + 60);
    let (eve, relayed) = bound(&mut world, "192.0.2.1:1", &name, &word);
    assert_eq!(sent(&mut world, &eve, 3), 3);
    world.peer_sends(relayed, addr(PEER), b"seven b");
    world.pass(100);
    eve.refresh(&mut world, 0);
    let [began, ended] = &world.events[..] else { unreachable!("{:?}", world.events) };
    assert_eq!(began.what, AllocationChange::Began);
    assert_eq!((&*began.account, began.client, &began.relayed[..]), ("eve", eve.tuple, &[relayed][..]));
    assert_eq!((began.allocation, &*ended.account, ended.tcp), (ended.allocation, "eve", false));
    assert_eq!(
        ended.what,
        AllocationChange::Ended {
            reason: EndReason::Released,
            lasted: Duration::from_secs(100),
            to_peers: Traffic { packets: 3, bytes: 300 },
            to_client: Traffic { packets: 1, bytes: 7 },
        }
    );
}

#[test]
fn reasons_and_numbers_are_told_apart() {
    let mut world = World::new();
    let mut tcp = Client::alice("192.0.2.1:1");
    tcp.tuple.transport = Transport::Tcp;
    tcp.allocate(&mut world);
    world.input(Input::Disconnected { client: tcp.tuple });
    Client::alice("192.0.2.1:2").allocate(&mut world);
    world.pass(600);
    Client::alice("192.0.2.1:3").allocate(&mut world);
    world.input(Input::Drain { deadline: Some(world.now) });
    world.pass(0);
    let ends = world.events.iter().filter_map(|event| match event.what {
        AllocationChange::Ended { reason, .. } => Some((reason, event.allocation)),
        AllocationChange::Began => None,
    });
    let (reasons, mut numbers): (Vec<_>, Vec<_>) = ends.unzip();
    assert_eq!(reasons, [EndReason::Disconnected, EndReason::Expired, EndReason::Drained]);
    numbers.dedup();
    assert_eq!(numbers.len(), 3);
}

#[test]
fn a_reload_changes_what_comes_and_leaves_what_is() {
    let mut world = World::new();
    let (alice, relayed) = bound(&mut world, "192.0.2.1:1", "alice", "wonder");
    let reload = Reload {
        credentials: Credentials { users: [("carol".into(), "carol's".into())].into(), ..Credentials::default() },
        policy: PeerPolicy { deny: vec!["9.9.0.0/16".parse().expect("a network")], ..config().policy },
        limits: Limits { allocations_per_user: 1, lifetime: 700, ..Limits::default() },
    };
    world.input(Input::Reload(&reload));
    // The live one goes on, with its permission, its channel and its key.
    assert_eq!(sent(&mut world, &alice, 1), 1);
    world.peer_sends(relayed, addr(PEER), b"x");
    assert_eq!(world.to_clients.len(), 1);
    assert_eq!(alice.refresh(&mut world, 3600).lifetime(), 700);
    // New permissions are judged anew, and new clients too.
    assert_eq!(alice.permit(&mut world, &[PEER]).code(), 403);
    assert_eq!(alice.permit(&mut world, &["8.8.8.8:1"]).code(), 0);
    assert_eq!(Client::alice("192.0.2.1:2").allocate(&mut world).code(), 401);
    assert_eq!(Client::new("192.0.2.1:3", "carol", "carol's").allocate(&mut world).code(), 0);
    assert_eq!(Client::new("192.0.2.1:4", "carol", "carol's").allocate(&mut world).code(), 486);
    // Bandwidth can be limited, and set free again, under a live allocation.
    let bandwidth = Bandwidth { per_allocation: 100, ..Bandwidth::default() };
    world.input(Input::Reload(&Reload { limits: Limits { bandwidth, ..Limits::default() }, ..reload.clone() }));
    assert_eq!(sent(&mut world, &alice, 5), 1);
    world.input(Input::Reload(&reload));
    assert_eq!(sent(&mut world, &alice, 5), 5);
}

#[test]
fn a_drain_lets_allocations_run_out_until_its_deadline() {
    let mut world = World::new();
    let (alice, _) = bound(&mut world, "192.0.2.1:1", "alice", "wonder");
    let (other, _) = bound(&mut world, "192.0.2.1:2", "alice", "wonder");
    world.input(Input::Drain { deadline: Some(world.now + Duration::from_secs(120)) });
    assert_eq!(Client::alice("192.0.2.1:3").allocate(&mut world).code(), 508);
    assert_eq!(sent(&mut world, &alice, 1), 1);
    assert_eq!(alice.refresh(&mut world, 600).code(), 0);
    other.refresh(&mut world, 0);
    world.pass(119);
    assert_eq!(world.server.allocations(), 1);
    // A later word replaces the time.
    world.input(Input::Drain { deadline: Some(world.now + Duration::from_secs(60)) });
    world.pass(59);
    assert_eq!(world.server.allocations(), 1);
    world.pass(1);
    assert_eq!((world.server.allocations(), world.relays.len()), (0, 0));
    assert!(matches!(world.server.poll_output(), Output::Timeout(None)));
}
