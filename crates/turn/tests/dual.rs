//! Allocations with an address of each family (RFC 8656 §7.2, §8.2), DONT-FRAGMENT and ICMP.

mod world;

use std::net::SocketAddr;

use madang_turn::{Config, EndReason, Icmp, Input};
use madang_wire::stun::{
    AdditionalAddressFamily, AddressErrorCode, AddressFamily, AttributeStaticType, Data, DontFragment, EvenPort,
    IcmpAttribute, Lifetime, Message, REFRESH, RequestedAddressFamily, XorPeerAddress,
};
use world::{Answer, Client, PEER, World, addr, config, indication};

const PEER6: &str = "[2600::9]:5000";

fn both(world: &mut World, address: &str) -> (Client, Answer) {
    let mut client = Client::alice(address);
    let answer = client.allocate_with(world, &[&AdditionalAddressFamily::new(AddressFamily::IPV6)]);
    (client, answer)
}

fn refresh(client: &Client, world: &mut World, family: AddressFamily, seconds: u32) -> u16 {
    client.ask(world, REFRESH, &[&RequestedAddressFamily::new(family), &Lifetime::new(seconds)]).code()
}

#[test]
fn a_client_gets_an_address_of_each_family_and_uses_both() {
    let mut world = World::new();
    let (alice, answer) = both(&mut world, "192.0.2.1:1000");
    let [v4, v6]: [SocketAddr; 2] = answer.all_relayed().try_into().expect("two addresses");
    assert!(v4.is_ipv4() && v6.is_ipv6());
    assert_eq!((world.server.allocations(), world.relays.len()), (1, 2));
    assert_eq!(alice.permit(&mut world, &[PEER, PEER6]).code(), 0);
    alice.indicate(&mut world, PEER, b"four");
    assert_eq!(world.to_peers, [(v4, addr(PEER), b"four".to_vec())]);
    alice.indicate(&mut world, PEER6, b"six");
    assert_eq!(world.to_peers, [(v6, addr(PEER6), b"six".to_vec())]);
    assert_eq!(alice.bind(&mut world, 0x4000, PEER).code(), 0);
    assert_eq!(alice.bind(&mut world, 0x4001, PEER6).code(), 0);
    alice.channel_data(&mut world, 0x4001, b"six");
    assert_eq!(world.to_peers, [(v6, addr(PEER6), b"six".to_vec())]);
    world.peer_sends(v6, addr(PEER6), b"back");
    assert_eq!(world.to_clients[0].1, b"\x40\x01\x00\x04back");
    world.peer_sends(v4, addr("9.9.9.9:7"), b"back");
    assert_eq!(indication(&world.to_clients[0].1), (addr("9.9.9.9:7"), b"back".to_vec()));
}

#[test]
fn it_counts_as_one_allocation_and_ends_as_one() {
    let limits = madang_turn::Limits { allocations: 1, ..madang_turn::Limits::default() };
    let mut world = World::with(Config { limits, ..config() });
    let (alice, answer) = both(&mut world, "192.0.2.1:1000");
    assert_eq!(answer.code(), 0);
    assert_eq!(alice.refresh(&mut world, 0).code(), 0);
    assert_eq!((world.server.allocations(), world.relays.len()), (0, 0));
    assert_eq!(both(&mut world, "192.0.2.1:1001").1.code(), 0);
    world.pass(600);
    assert_eq!((world.server.allocations(), world.relays.len()), (0, 0));
}

#[test]
fn an_address_that_cannot_be_had_is_told_beside_the_one_that_can() {
    let mut no_ipv6 = World::with(Config { relay_ipv6: false, ..config() });
    let mut no_ipv4 = World::with(Config { relay_ipv4: false, ..config() });
    let mut fails = World::new();
    fails.ipv6_relays_fail = true;
    for (world, family, code) in [
        (&mut no_ipv6, AddressFamily::IPV6, 440),
        (&mut no_ipv4, AddressFamily::IPV4, 440),
        (&mut fails, AddressFamily::IPV6, 508),
    ] {
        let (_, answer) = both(world, "192.0.2.1:1000");
        assert_eq!(answer.code(), 0);
        assert_eq!(answer.all_relayed().len(), 1);
        let message = answer.message();
        let error = message.attribute::<AddressErrorCode>().expect("an error for the other");
        assert_eq!((error.family(), error.error().code()), (family, code));
        assert_eq!(world.relays.len(), 1);
    }
}

#[test]
fn without_any_address_there_is_an_error_and_nothing_is_left() {
    let mut none = World::with(Config { relay_ipv4: false, relay_ipv6: false, ..config() });
    assert_eq!(both(&mut none, "192.0.2.1:1000").1.code(), 440);
    let mut fails = World::new();
    fails.relays_fail = true;
    assert_eq!(both(&mut fails, "192.0.2.1:1000").1.code(), 508);
    for mut world in [none, fails] {
        world.pass(4000);
        assert_eq!((world.server.allocations(), world.relays.len()), (0, 0));
    }
}

#[test]
fn a_refresh_of_one_family_leaves_the_other_alone() {
    let mut world = World::new();
    let (mut alice, answer) = both(&mut world, "192.0.2.1:1000");
    let v6 = answer.all_relayed()[1];
    alice.permit(&mut world, &[PEER, PEER6]);
    assert_eq!(refresh(&alice, &mut world, AddressFamily::IPV4, 0), 0);
    assert_eq!((world.server.allocations(), world.relays.len()), (1, 1));
    assert_eq!(alice.permit(&mut world, &[PEER]).code(), 443);
    assert_eq!(refresh(&alice, &mut world, AddressFamily::IPV4, 600), 443);
    alice.indicate(&mut world, PEER, b"gone");
    assert!(world.to_peers.is_empty());
    alice.indicate(&mut world, PEER6, b"here");
    assert_eq!(world.to_peers, [(v6, addr(PEER6), b"here".to_vec())]);
    assert_eq!(refresh(&alice, &mut world, AddressFamily::IPV6, 0), 0);
    assert_eq!((world.server.allocations(), world.relays.len()), (0, 0));

    let (client, _) = both(&mut world, "192.0.2.1:1001");
    alice = client;
    assert_eq!(refresh(&alice, &mut world, AddressFamily::IPV6, 1200), 0);
    world.pass(600);
    assert_eq!((world.server.allocations(), world.relays.len()), (1, 1), "IPv4 has expired");
    world.pass(600);
    assert_eq!((world.server.allocations(), world.relays.len()), (0, 0));
    let ends = world.events.iter().filter(|event| event.what != madang_turn::AllocationChange::Began);
    let reasons: Vec<_> = ends.map(|event| format!("{:?}", event.what)).collect();
    assert!(reasons[0].contains(&format!("{:?}", EndReason::Released)), "{reasons:?}");
    assert!(reasons[1].contains(&format!("{:?}", EndReason::Expired)), "{reasons:?}");
}

#[test]
fn an_additional_family_goes_with_no_other_wish_about_addresses() {
    let mut world = World::new();
    let mut alice = Client::alice("192.0.2.1:1000");
    let additional = AdditionalAddressFamily::new(AddressFamily::IPV6);
    let family = RequestedAddressFamily::new(AddressFamily::IPV4);
    assert_eq!(alice.allocate_with(&mut world, &[&additional, &family]).code(), 400);
    assert_eq!(alice.allocate_with(&mut world, &[&additional, &EvenPort::new(true)]).code(), 400);
    let ipv4 = madang_wire::stun::RawAttribute::new(AdditionalAddressFamily::TYPE, &[1, 0, 0, 0]);
    assert_eq!(alice.allocate_with(&mut world, &[&ipv4]).code(), 400);
    assert_eq!(alice.allocate_with(&mut world, &[&additional, &EvenPort::new(false)]).code(), 0);
}

#[test]
fn dont_fragment_holds_for_the_packets_that_ask_for_it() {
    let mut world = World::new();
    let mut alice = Client::alice("192.0.2.1:1000");
    assert_eq!(alice.allocate_with(&mut world, &[&DontFragment::new()]).code(), 0);
    alice.bind(&mut world, 0x4000, PEER);
    alice.indicate_with(&mut world, PEER, b"whole", &[&DontFragment::new()]);
    assert!(world.dont_fragment && world.to_peers.len() == 1);
    alice.indicate(&mut world, PEER, b"any");
    assert!(!world.dont_fragment && world.to_peers.len() == 1);
    alice.channel_data(&mut world, 0x4000, b"any");
    assert!(!world.dont_fragment && world.to_peers.len() == 1);
    let mut world = World::with(Config { dont_fragment: false, ..config() });
    let mut alice = Client::alice("192.0.2.1:1000");
    alice.allocate(&mut world);
    alice.permit(&mut world, &[PEER]);
    alice.indicate_with(&mut world, PEER, b"whole", &[&DontFragment::new()]);
    assert!(world.to_peers.is_empty(), "what is not understood is dropped (RFC 8656 §11.2)");
}

#[test]
fn icmp_about_a_permitted_peer_reaches_the_client() {
    let mut world = World::new();
    let mut alice = Client::alice("192.0.2.1:1000");
    let relayed = alice.allocate(&mut world).relayed();
    let relay = world.relay_at(relayed);
    let too_big = Icmp { kind: 3, code: 4, data: 1280 };
    world.clear();
    world.input(Input::PeerError { relay, peer: addr(PEER), icmp: too_big });
    assert!(world.to_clients.is_empty(), "no permission yet");
    alice.permit(&mut world, &[PEER]);
    world.clear();
    world.input(Input::PeerError { relay, peer: addr(PEER), icmp: too_big });
    let (to, bytes) = &world.to_clients[0];
    assert_eq!(*to, alice.tuple);
    let message = Message::from_bytes(bytes).expect("a STUN message");
    let peer = message.attribute::<XorPeerAddress>().expect("whom it was for").addr(message.transaction_id());
    assert_eq!(peer, addr(PEER));
    // Type in seven bits, code in nine (RFC 8656 §18.13).
    let icmp = message.raw_attribute(IcmpAttribute::TYPE).expect("what it said");
    assert_eq!(&icmp.value[..], [0, 0, 3 << 1, 4, 0, 0, 5, 0]);
    assert!(!message.has_attribute(Data::TYPE));
    world.clear();
    world.input(Input::PeerError { relay, peer: addr(PEER), icmp: Icmp { kind: 8, code: 0, data: 0 } });
    assert!(world.to_clients.is_empty(), "an echo request is no error");
    assert_eq!(world.server.allocations(), 1, "no error ends an allocation");
}
