//! Permissions, channels and data, in virtual time.

mod world;

use std::net::SocketAddr;

use madang_turn::{Config, PeerPolicy};
use madang_wire::{ChannelData, Transport, stun::CREATE_PERMISSION};
use world::{Client, PEER, World, addr, channel, config, indication};

fn allocated(world: &mut World, address: &str) -> (Client, SocketAddr) {
    let mut client = Client::alice(address);
    let answer = client.allocate(world);
    assert_eq!(answer.code(), 0);
    (client, answer.relayed())
}

#[test]
fn indications_go_both_ways_under_a_permission() {
    let mut world = World::new();
    let (alice, relayed) = allocated(&mut world, "192.0.2.1:1000");
    alice.indicate(&mut world, PEER, b"too early");
    world.peer_sends(relayed, addr(PEER), b"too early");
    assert!(world.to_peers.is_empty() && world.to_clients.is_empty());

    assert_eq!(alice.permit(&mut world, &[PEER]).code(), 0);
    alice.indicate(&mut world, PEER, b"hello");
    assert_eq!(world.to_peers, [(relayed, addr(PEER), b"hello".to_vec())]);
    // A permission is for the address, whatever the port (RFC 8656 §9).
    world.peer_sends(relayed, addr("9.9.9.9:1"), b"world");
    assert_eq!(world.to_clients.len(), 1);
    assert_eq!(indication(&world.to_clients[0].1), (addr("9.9.9.9:1"), b"world".to_vec()));
    world.peer_sends(relayed, addr("9.9.9.8:5000"), b"a stranger");
    assert!(world.to_clients.is_empty());
}

#[test]
fn a_channel_carries_data_both_ways() {
    let mut world = World::new();
    let (alice, relayed) = allocated(&mut world, "192.0.2.1:1000");
    assert_eq!(alice.bind(&mut world, 0x4000, PEER).code(), 0);
    alice.channel_data(&mut world, 0x4000, b"hello");
    assert_eq!(world.to_peers, [(relayed, addr(PEER), b"hello".to_vec())]);
    world.peer_sends(relayed, addr(PEER), b"world");
    let expected = ChannelData { channel: channel(0x4000), data: b"world" };
    assert_eq!(ChannelData::parse(&world.to_clients[0].1), Ok(expected));
    assert_eq!(world.to_clients[0].1.len(), 9, "no padding over UDP");
    alice.channel_data(&mut world, 0x4001, b"unbound");
    assert!(world.to_peers.is_empty());
    let counters = world.server.counters();
    assert_eq!((counters.to_peers.bytes, counters.to_clients.bytes, counters.unpermitted), (5, 5, 1));
}

#[test]
fn channel_data_is_padded_on_a_stream() {
    let mut world = World::new();
    let mut alice = Client::alice("192.0.2.1:1000");
    alice.tuple.transport = Transport::Tls;
    let relayed = alice.allocate(&mut world).relayed();
    alice.bind(&mut world, 0x4000, PEER);
    world.peer_sends(relayed, addr(PEER), b"world");
    assert_eq!(world.to_clients[0].1, [0x40, 0, 0, 5, b'w', b'o', b'r', b'l', b'd', 0, 0, 0]);
}

#[test]
fn permissions_last_five_minutes_and_channels_ten() {
    let mut world = World::new();
    let (alice, relayed) = allocated(&mut world, "192.0.2.1:1000");
    alice.refresh(&mut world, 3600);
    alice.bind(&mut world, 0x4000, PEER);
    world.pass(299);
    world.peer_sends(relayed, addr(PEER), b"x");
    assert_eq!(world.to_clients.len(), 1);
    world.pass(1);
    world.peer_sends(relayed, addr(PEER), b"x");
    assert!(world.to_clients.is_empty());
    alice.channel_data(&mut world, 0x4000, b"x");
    assert!(world.to_peers.is_empty(), "a channel without its permission carries nothing");
    assert_eq!(alice.permit(&mut world, &[PEER]).code(), 0);
    alice.channel_data(&mut world, 0x4000, b"x");
    assert_eq!(world.to_peers.len(), 1);
    world.pass(290);
    assert_eq!(alice.permit(&mut world, &[PEER]).code(), 0);
    world.pass(10);
    alice.channel_data(&mut world, 0x4000, b"x");
    assert!(world.to_peers.is_empty(), "the channel has expired");
    world.peer_sends(relayed, addr(PEER), b"x");
    assert_eq!(indication(&world.to_clients[0].1).1, b"x", "an indication, without the channel");
}

#[test]
fn a_binding_cannot_change_while_it_lives() {
    let mut world = World::new();
    let (alice, _) = allocated(&mut world, "192.0.2.1:1000");
    assert_eq!(alice.bind(&mut world, 0x4000, PEER).code(), 0);
    assert_eq!(alice.bind(&mut world, 0x4000, PEER).code(), 0, "a refresh");
    assert_eq!(alice.bind(&mut world, 0x4000, "9.9.9.9:1").code(), 400);
    assert_eq!(alice.bind(&mut world, 0x4001, PEER).code(), 400);
    for number in [0, 0x3FFF, 0x8000, 0xFFFF] {
        assert_eq!(alice.bind(&mut world, number, "9.9.9.9:2").code(), 400, "{number:#x}");
    }
}

#[test]
fn forbidden_peers_get_403_and_the_whole_request_fails() {
    let mut world = World::new();
    let (alice, relayed) = allocated(&mut world, "192.0.2.1:1000");
    for peer in ["127.0.0.1:80", "10.0.0.1:80", "169.254.169.254:80", "224.0.0.1:80", "0.0.0.0:80"] {
        assert_eq!(alice.permit(&mut world, &[PEER, peer]).code(), 403, "{peer}");
        assert_eq!(alice.bind(&mut world, 0x4000, peer).code(), 403, "{peer}");
        alice.indicate(&mut world, peer, b"x");
        assert!(world.to_peers.is_empty());
    }
    world.peer_sends(relayed, addr(PEER), b"x");
    assert!(world.to_clients.is_empty(), "nothing of a failed request is installed");
    let mut six = Client::alice("192.0.2.1:1006");
    six.allocate_ipv6(&mut world);
    for peer in ["[::1]:80", "[fd00::1]:80", "[::ffff:10.0.0.1]:80", "[64:ff9b::10.0.0.1]:80", "[2002:a00:1::]:80"] {
        assert_eq!(six.permit(&mut world, &[peer]).code(), 403, "{peer}");
    }
}

#[test]
fn a_peer_of_the_other_family_gets_443() {
    let mut world = World::new();
    let (alice, _) = allocated(&mut world, "192.0.2.1:1000");
    assert_eq!(alice.permit(&mut world, &["[2600::1]:1"]).code(), 443);
    assert_eq!(alice.bind(&mut world, 0x4000, "[2600::1]:1").code(), 443);
    let mut six = Client::alice("192.0.2.1:1006");
    let relayed = six.allocate_ipv6(&mut world).relayed();
    assert_eq!(six.permit(&mut world, &[PEER]).code(), 443);
    assert_eq!(six.permit(&mut world, &["[2600::1]:1"]).code(), 0);
    world.peer_sends(relayed, addr("[2600::1]:1"), b"six");
    assert_eq!(indication(&world.to_clients[0].1), (addr("[2600::1]:1"), b"six".to_vec()));
}

#[test]
fn a_permission_names_at_least_one_peer() {
    let mut world = World::new();
    let (alice, _) = allocated(&mut world, "192.0.2.1:1000");
    assert_eq!(alice.ask(&mut world, CREATE_PERMISSION, &[]).code(), 400);
}

#[test]
fn two_allocations_meet_within_the_process() {
    let mut world = World::new();
    let (alice, at_alice) = allocated(&mut world, "192.0.2.1:1000");
    let (carol, at_carol) = allocated(&mut world, "192.0.2.9:1000");
    assert_eq!(alice.bind(&mut world, 0x4000, &at_carol.to_string()).code(), 0);
    alice.channel_data(&mut world, 0x4000, b"no permission yet");
    assert!(world.to_clients.is_empty() && world.to_peers.is_empty());
    assert_eq!(carol.permit(&mut world, &[&at_alice.to_string()]).code(), 0);
    alice.channel_data(&mut world, 0x4000, b"hello");
    assert!(world.to_peers.is_empty(), "no trip through the network");
    assert_eq!(world.to_clients.len(), 1);
    assert_eq!(world.to_clients[0].0, carol.tuple);
    assert_eq!(indication(&world.to_clients[0].1), (at_alice, b"hello".to_vec()));
    assert_eq!(carol.bind(&mut world, 0x4567, &at_alice.to_string()).code(), 0);
    alice.indicate(&mut world, &at_carol.to_string(), b"again");
    let expected = ChannelData { channel: channel(0x4567), data: b"again" };
    assert_eq!(ChannelData::parse(&world.to_clients[0].1), Ok(expected));
}

#[test]
fn our_own_address_is_reachable_at_live_relayed_addresses_only() {
    let mut world = World::new();
    let (alice, at_alice) = allocated(&mut world, "192.0.2.1:1000");
    let (carol, at_carol) = allocated(&mut world, "192.0.2.9:1000");
    carol.permit(&mut world, &[&at_alice.to_string()]);
    // The server's own port: the permission is granted for the relays on this address ...
    assert_eq!(alice.permit(&mut world, &["198.51.100.1:3478"]).code(), 0);
    assert_eq!(alice.bind(&mut world, 0x4000, "198.51.100.1:3478").code(), 403);
    alice.indicate(&mut world, "198.51.100.1:3478", b"to the server itself");
    assert!(world.to_peers.is_empty() && world.to_clients.is_empty());
    // ... and lets in nothing that comes through the network.
    world.peer_sends(at_alice, addr("198.51.100.1:3478"), b"x");
    assert!(world.to_clients.is_empty());
    carol.refresh(&mut world, 0);
    alice.indicate(&mut world, &at_carol.to_string(), b"gone");
    assert!(world.to_peers.is_empty() && world.to_clients.is_empty());
}

#[test]
fn a_permission_for_our_own_address_needs_a_live_relay_there() {
    let mut world = World::new();
    let mut six = Client::alice("192.0.2.1:1006");
    six.allocate_ipv6(&mut world);
    assert_eq!(six.permit(&mut world, &["[2001:db8::2]:1"]).code(), 403);
    assert_eq!(six.permit(&mut world, &["[2001:db8::1]:1"]).code(), 0);
}

#[test]
fn what_deny_peers_names_is_refused_even_among_our_own() {
    let policy = PeerPolicy {
        allow: vec!["10.0.0.0/8".parse().expect("a network")],
        deny: ["198.51.100.0/24", "10.1.0.0/16"].map(|text| text.parse().expect("a network")).into(),
        ..PeerPolicy::default()
    };
    let mut world = World::with(Config { policy, ..config() });
    let (alice, at_alice) = allocated(&mut world, "192.0.2.1:1000");
    assert_eq!(alice.permit(&mut world, &[&at_alice.to_string()]).code(), 403);
    assert_eq!(alice.permit(&mut world, &["10.2.0.1:1"]).code(), 0);
    assert_eq!(alice.permit(&mut world, &["10.1.0.1:1"]).code(), 403);
}

#[test]
fn permissions_and_channels_are_limited() {
    let limits = madang_turn::Limits { permissions: 2, channels: 1, ..madang_turn::Limits::default() };
    let mut world = World::with(Config { limits, ..config() });
    let (alice, _) = allocated(&mut world, "192.0.2.1:1000");
    assert_eq!(alice.permit(&mut world, &["9.9.9.1:1", "9.9.9.2:1", "9.9.9.3:1"]).code(), 508);
    assert_eq!(alice.permit(&mut world, &["9.9.9.1:1", "9.9.9.2:1"]).code(), 0);
    assert_eq!(alice.permit(&mut world, &["9.9.9.3:1"]).code(), 508);
    assert_eq!(alice.bind(&mut world, 0x4000, "9.9.9.1:1").code(), 0);
    assert_eq!(alice.bind(&mut world, 0x4001, "9.9.9.2:1").code(), 508);
}

#[test]
fn empty_data_is_relayed_too() {
    let mut world = World::new();
    let (alice, relayed) = allocated(&mut world, "192.0.2.1:1000");
    alice.bind(&mut world, 0x4000, PEER);
    alice.channel_data(&mut world, 0x4000, b"");
    assert_eq!(world.to_peers, [(relayed, addr(PEER), Vec::new())]);
    world.peer_sends(relayed, addr(PEER), b"");
    assert_eq!(world.to_clients[0].1, [0x40, 0, 0, 0]);
}
