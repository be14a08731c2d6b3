//! The life of an allocation, in virtual time.

mod world;

use madang_turn::{Input, Limits};
use madang_wire::{
    Transport,
    stun::{
        ALLOCATE, AddressFamily, AttributeWrite, DontFragment, EvenPort, Lifetime, REFRESH, RequestedAddressFamily,
        RequestedTransport, ReservationToken, UnknownAttributes, XorMappedAddress,
    },
};
use world::{Client, World, addr, config};

#[test]
fn a_client_gets_a_relayed_address_and_its_own() {
    let mut world = World::new();
    let mut alice = Client::alice("192.0.2.1:1000");
    let answer = alice.allocate(&mut world);
    assert_eq!(answer.code(), 0);
    assert_eq!(answer.relayed().ip(), addr("198.51.100.1:0").ip());
    assert_eq!(answer.lifetime(), 600);
    let message = answer.message();
    let mapped = message.attribute::<XorMappedAddress>().expect("an address").addr(message.transaction_id());
    assert_eq!(mapped, alice.tuple.client);
    assert_eq!(world.server.allocations(), 1);
}

#[test]
fn an_allocation_ends_when_it_is_not_refreshed() {
    let mut world = World::new();
    let mut alice = Client::alice("192.0.2.1:1000");
    alice.allocate(&mut world);
    world.pass(599);
    assert_eq!((world.server.allocations(), world.relays.len()), (1, 1));
    assert_eq!(alice.refresh(&mut world, 1000).lifetime(), 1000);
    world.pass(999);
    assert_eq!((world.server.allocations(), world.relays.len()), (1, 1));
    world.pass(1);
    assert_eq!((world.server.allocations(), world.relays.len()), (0, 0));
    alice.challenge(&mut world);
    assert_eq!(alice.refresh(&mut world, 600).code(), 437);
}

#[test]
fn lifetimes_are_between_ten_minutes_and_an_hour() {
    let mut world = World::new();
    let mut alice = Client::alice("192.0.2.1:1000");
    assert_eq!(alice.allocate_with(&mut world, &[&Lifetime::new(u32::MAX)]).lifetime(), 3600);
    assert_eq!(alice.refresh(&mut world, 1).lifetime(), 600);
    assert_eq!(alice.refresh(&mut world, 700).lifetime(), 700);
    assert_eq!(alice.ask(&mut world, REFRESH, &[]).lifetime(), 600);
}

#[test]
fn a_refresh_to_zero_ends_the_allocation_and_its_repetition_succeeds_too() {
    let mut world = World::new();
    let mut alice = Client::alice("192.0.2.1:1000");
    alice.allocate(&mut world);
    let request = alice.request(REFRESH, 77.into(), &[&Lifetime::new(0)]);
    let first = alice.ask_again(&mut world, &request);
    assert_eq!((first.code(), first.lifetime()), (0, 0));
    assert_eq!(world.relays.len(), 0);
    assert_eq!(alice.ask_again(&mut world, &request), first);
}

#[test]
fn a_repeated_allocate_gets_the_same_answer_and_a_new_one_437() {
    let mut world = World::new();
    let mut alice = Client::alice("192.0.2.1:1000");
    alice.challenge(&mut world);
    let request = alice.request(ALLOCATE, 77.into(), &[&RequestedTransport::new(17)]);
    let first = alice.ask_again(&mut world, &request);
    assert_eq!(alice.ask_again(&mut world, &request), first);
    assert_eq!(alice.allocate(&mut world).code(), 437);
    assert_eq!(world.server.allocations(), 1);
}

#[test]
fn requests_without_an_allocation_get_437() {
    let mut world = World::new();
    let mut alice = Client::alice("192.0.2.1:1000");
    alice.challenge(&mut world);
    assert_eq!(alice.refresh(&mut world, 600).code(), 437);
    assert_eq!(alice.permit(&mut world, &["9.9.9.9:1"]).code(), 437);
    assert_eq!(alice.bind(&mut world, 0x4000, "9.9.9.9:1").code(), 437);
}

#[test]
fn another_user_on_the_same_five_tuple_gets_441() {
    let mut world = World::new();
    Client::alice("192.0.2.1:1000").allocate(&mut world);
    let mut bob = Client::new("192.0.2.1:1000", "bob", "builder");
    bob.challenge(&mut world);
    assert_eq!(bob.refresh(&mut world, 0).code(), 441);
    assert_eq!(bob.permit(&mut world, &["9.9.9.9:1"]).code(), 441);
    assert_eq!(world.server.allocations(), 1);
}

#[test]
fn transports_other_than_udp_get_442_and_none_400() {
    let mut world = World::new();
    let mut alice = Client::alice("192.0.2.1:1000");
    alice.challenge(&mut world);
    assert_eq!(alice.ask(&mut world, ALLOCATE, &[&RequestedTransport::new(6)]).code(), 442);
    assert_eq!(alice.ask(&mut world, ALLOCATE, &[]).code(), 400);
}

#[test]
fn an_ipv6_relay_is_given_where_there_is_one_and_440_where_not() {
    let mut world = World::new();
    let mut alice = Client::alice("192.0.2.1:1000");
    assert!(alice.allocate_ipv6(&mut world).relayed().is_ipv6());
    let mut world = World::with(madang_turn::Config { relay_ipv6: false, ..config() });
    let mut alice = Client::alice("192.0.2.1:1000");
    assert_eq!(alice.allocate_ipv6(&mut world).code(), 440);
}

#[test]
fn a_refresh_for_the_other_family_gets_443() {
    let mut world = World::new();
    let mut alice = Client::alice("192.0.2.1:1000");
    alice.allocate(&mut world);
    assert_eq!(alice.ask(&mut world, REFRESH, &[&RequestedAddressFamily::new(AddressFamily::IPV6)]).code(), 443);
    assert_eq!(alice.ask(&mut world, REFRESH, &[&RequestedAddressFamily::new(AddressFamily::IPV4)]).code(), 0);
}

#[test]
fn dont_fragment_is_an_unknown_attribute() {
    let mut world = World::new();
    let answer = Client::alice("192.0.2.1:1000").allocate_with(&mut world, &[&DontFragment::new()]);
    assert_eq!(answer.code(), 420);
    let message = answer.message();
    let unknown = message.attribute::<UnknownAttributes>().expect("a list");
    assert!(unknown.has_attribute(0x001A.into()));
}

#[test]
fn an_even_port_comes_with_its_neighbour_for_thirty_seconds() {
    let mut world = World::new();
    let mut alice = Client::alice("192.0.2.1:1000");
    let answer = alice.allocate_with(&mut world, &[&EvenPort::new(true)]);
    let token = answer.message().attribute::<ReservationToken>().expect("a token").token();
    let mut second = Client::alice("192.0.2.1:1001");
    let next = second.allocate_with(&mut world, &[&ReservationToken::new(token)]);
    assert_eq!(next.relayed().port(), answer.relayed().port() + 1);
    let mut third = Client::alice("192.0.2.1:1002");
    assert_eq!(third.allocate_with(&mut world, &[&ReservationToken::new(token)]).code(), 508, "taken");

    let answer = third.allocate_with(&mut world, &[&EvenPort::new(true)]);
    let token = answer.message().attribute::<ReservationToken>().expect("a token").token();
    assert_eq!(world.relays.len(), 4);
    let mut bob = Client::new("192.0.2.1:1003", "bob", "builder");
    assert_eq!(bob.allocate_with(&mut world, &[&ReservationToken::new(token)]).code(), 508, "somebody else's");
    world.pass(30);
    assert_eq!(world.relays.len(), 3);
    let mut fourth = Client::alice("192.0.2.1:1004");
    assert_eq!(fourth.allocate_with(&mut world, &[&ReservationToken::new(token)]).code(), 508, "expired");
}

#[test]
fn a_reserved_port_has_a_place_in_the_quota_until_it_is_given_back() {
    let limits = Limits { allocations_per_user: 2, ..Limits::default() };
    let mut world = World::with(madang_turn::Config { limits, ..config() });
    let mut alice = Client::alice("192.0.2.1:1000");
    let answer = alice.allocate_with(&mut world, &[&EvenPort::new(true)]);
    let token = answer.message().attribute::<ReservationToken>().expect("a token").token();
    // The allocation goes, the reserved port stays for its thirty seconds.
    alice.refresh(&mut world, 0);
    let mut second = Client::alice("192.0.2.1:1001");
    assert_eq!(second.allocate_with(&mut world, &[&EvenPort::new(true)]).code(), 486);
    assert_eq!(second.allocate_with(&mut world, &[&ReservationToken::new(token)]).code(), 0, "it has its place");
    let mut third = Client::alice("192.0.2.1:1002");
    assert_eq!(third.allocate(&mut world).code(), 0);
    assert_eq!(Client::alice("192.0.2.1:1003").allocate(&mut world).code(), 486);
    second.refresh(&mut world, 0);
    third.refresh(&mut world, 0);
    let mut fourth = Client::alice("192.0.2.1:1004");
    assert_eq!(fourth.allocate_with(&mut world, &[&EvenPort::new(true)]).code(), 0);
    fourth.refresh(&mut world, 0);
    world.pass(30);
    let mut fifth = Client::alice("192.0.2.1:1005");
    assert_eq!(fifth.allocate_with(&mut world, &[&EvenPort::new(true)]).code(), 0, "nobody came for it");
    assert_eq!(world.relays.len(), 2);
}

#[test]
fn a_reservation_goes_with_no_other_wish() {
    let mut world = World::new();
    let mut alice = Client::alice("192.0.2.1:1000");
    let token = ReservationToken::new(1);
    let family = RequestedAddressFamily::new(AddressFamily::IPV4);
    for wish in [&EvenPort::new(false) as &dyn AttributeWrite, &family] {
        assert_eq!(alice.allocate_with(&mut world, &[&token, wish]).code(), 400);
    }
}

#[test]
fn quotas_hold_per_user_per_address_and_in_all() {
    let limits = Limits { allocations_per_user: 2, allocations_per_address: 3, allocations: 4, ..Limits::default() };
    let mut world = World::with(madang_turn::Config { limits, ..config() });
    let mut try_one =
        |address: &str, user: &str, word: &str| Client::new(address, user, word).allocate(&mut world).code();
    assert_eq!(try_one("192.0.2.1:1", "alice", "wonder"), 0);
    assert_eq!(try_one("192.0.2.2:1", "alice", "wonder"), 0);
    assert_eq!(try_one("192.0.2.3:1", "alice", "wonder"), 486);
    assert_eq!(try_one("192.0.2.1:2", "bob", "builder"), 0);
    let (name, word) = madang_turn::mint("secret", "eve", world::UNIX + 60);
    assert_eq!(try_one("192.0.2.1:3", &name, &word), 0);
    let (name, word) = madang_turn::mint("secret", "ann", world::UNIX + 60);
    assert_eq!(try_one("192.0.2.1:4", &name, &word), 486);
    assert_eq!(try_one("192.0.2.4:1", &name, &word), 508);
}

#[test]
fn an_allocation_that_ends_gives_its_place_back() {
    let limits = Limits { allocations: 1, ..Limits::default() };
    let mut world = World::with(madang_turn::Config { limits, ..config() });
    let mut alice = Client::alice("192.0.2.1:1000");
    let mut other = Client::alice("192.0.2.1:1001");
    alice.allocate(&mut world);
    assert_eq!(other.allocate(&mut world).code(), 508);
    alice.refresh(&mut world, 0);
    assert_eq!(other.allocate(&mut world).code(), 0);
}

#[test]
fn a_relay_that_cannot_be_opened_is_508_and_costs_no_quota() {
    let limits = Limits { allocations: 1, ..Limits::default() };
    let mut world = World::with(madang_turn::Config { limits, ..config() });
    let mut alice = Client::alice("192.0.2.1:1000");
    world.relays_fail = true;
    assert_eq!(alice.allocate(&mut world).code(), 508);
    world.relays_fail = false;
    assert_eq!(alice.allocate(&mut world).code(), 0);
}

#[test]
fn an_allocation_ends_with_its_connection() {
    let mut world = World::new();
    let mut alice = Client::alice("192.0.2.1:1000");
    alice.tuple.transport = Transport::Tcp;
    alice.allocate(&mut world);
    assert_eq!(world.server.counters().allocations, [0, 1, 0, 0]);
    world.input(Input::Disconnected { client: alice.tuple });
    assert_eq!((world.server.allocations(), world.relays.len()), (0, 0));
    assert_eq!(world.server.counters().allocations, [0, 0, 0, 0]);
}

#[test]
fn a_draining_server_keeps_what_it_has_and_takes_nothing_new() {
    let mut world = World::new();
    let mut alice = Client::alice("192.0.2.1:1000");
    alice.allocate(&mut world);
    world.input(Input::Drain);
    assert_eq!(Client::alice("192.0.2.1:1001").allocate(&mut world).code(), 508);
    assert_eq!(alice.refresh(&mut world, 600).code(), 0);
}
