//! Allocations that move with their clients (RFC 8016), within a shard and between two.

mod world;

use madang_turn::{Config, Input, Output};
use madang_wire::{
    FiveTuple, Transport,
    stun::{AttributeWrite, Lifetime, MOBILITY_TICKET, REFRESH, RawAttribute},
};
use world::{Answer, Client, PEER, UNIX, World, addr, config, indication};

fn mobile() -> World {
    World::with(Config { mobility: true, ..config() })
}

fn ticket_of(answer: &Answer) -> Vec<u8> {
    answer.message().raw_attribute(MOBILITY_TICKET).expect("a ticket").value.to_vec()
}

fn allocate(world: &mut World, client: &mut Client) -> (Answer, Vec<u8>) {
    let answer = client.allocate_with(world, &[&RawAttribute::new(MOBILITY_TICKET, &[])]);
    assert_eq!(answer.code(), 0);
    let ticket = ticket_of(&answer);
    (answer, ticket)
}

/// The same client by another address, which first learns a nonce there.
fn moved(world: &mut World, client: &Client, address: &str) -> Client {
    let mut client = Client { tuple: FiveTuple { client: addr(address), ..client.tuple }, ..client.clone() };
    client.challenge(world);
    client
}

fn present(world: &mut World, client: &Client, ticket: &[u8]) -> Answer {
    let ticket = RawAttribute::new(MOBILITY_TICKET, ticket);
    client.ask(world, REFRESH, &[&ticket as &dyn AttributeWrite, &Lifetime::new(600)])
}

#[test]
fn an_allocation_moves_with_its_channels_and_permissions() {
    let mut world = mobile();
    let mut alice = Client::alice("192.0.2.1:1000");
    let (answer, ticket) = allocate(&mut world, &mut alice);
    let relayed = answer.relayed();
    alice.bind(&mut world, 0x4000, PEER);
    let there = moved(&mut world, &alice, "203.0.113.5:7");
    there.channel_data(&mut world, 0x4000, b"too early");
    assert!(world.to_peers.is_empty());
    let answer = present(&mut world, &there, &ticket);
    assert_eq!(answer.code(), 0);
    assert_ne!(ticket_of(&answer), ticket);
    there.channel_data(&mut world, 0x4000, b"here I am");
    assert_eq!(world.to_peers, [(relayed, addr(PEER), b"here I am".to_vec())]);
    world.peer_sends(relayed, addr("9.9.9.9:1"), b"welcome");
    assert_eq!(world.to_clients[0].0, there.tuple);
    assert_eq!(indication(&world.to_clients[0].1).1, b"welcome");
    // The old five-tuple leads nowhere.
    alice.channel_data(&mut world, 0x4000, b"late");
    assert!(world.to_peers.is_empty());
    assert_eq!(alice.refresh(&mut world, 600).code(), 437);
    assert_eq!((world.server.allocations(), world.server.counters().moves), (1, 1));
    there.refresh(&mut world, 0);
    assert_eq!((world.server.allocations(), world.relays.len()), (0, 0));
}

#[test]
fn an_old_ticket_holds_until_the_new_one_is_used() {
    let mut world = mobile();
    let mut alice = Client::alice("192.0.2.1:1000");
    let (_, first) = allocate(&mut world, &mut alice);
    let here = moved(&mut world, &alice, "203.0.113.5:1");
    let second = ticket_of(&present(&mut world, &here, &first));
    // The answer was lost, and the client has moved on.
    let here = moved(&mut world, &alice, "203.0.113.5:2");
    let third = ticket_of(&present(&mut world, &here, &first));
    let here = moved(&mut world, &alice, "203.0.113.5:3");
    let fourth = ticket_of(&present(&mut world, &here, &third));
    let there = moved(&mut world, &alice, "203.0.113.5:4");
    for used in [&first, &second] {
        assert_eq!(present(&mut world, &there, used).code(), 400);
    }
    assert_eq!(present(&mut world, &there, &fourth).code(), 0);
    assert_eq!(world.server.allocations(), 1);
}

#[test]
fn each_refresh_brings_a_ticket_to_those_who_have_one() {
    let mut world = mobile();
    let mut alice = Client::alice("192.0.2.1:1000");
    allocate(&mut world, &mut alice);
    let ticket = ticket_of(&alice.refresh(&mut world, 600));
    let there = moved(&mut world, &alice, "203.0.113.5:7");
    assert_eq!(present(&mut world, &there, &ticket).code(), 0);
    let mut plain = Client::alice("192.0.2.1:1001");
    plain.allocate(&mut world);
    assert!(!plain.refresh(&mut world, 600).message().has_attribute(MOBILITY_TICKET));
}

#[test]
fn forged_tickets_get_400_those_of_others_441_and_those_of_the_gone_437() {
    let mut world = mobile();
    let mut alice = Client::alice("192.0.2.1:1000");
    let (_, ticket) = allocate(&mut world, &mut alice);
    let mut bob = Client::new("203.0.113.5:7", "bob", "builder");
    bob.challenge(&mut world);
    assert_eq!(present(&mut world, &bob, &ticket).code(), 441);
    let mut forged = ticket.clone();
    forged[5] ^= 1;
    assert_eq!(present(&mut world, &bob, &forged).code(), 400);
    let mut holder = Client::alice("203.0.113.5:8");
    allocate(&mut world, &mut holder);
    assert_eq!(present(&mut world, &holder, &ticket).code(), 437, "it has an allocation of its own");
    alice.refresh(&mut world, 0);
    let mut other = Client::alice("192.0.2.1:1001");
    allocate(&mut world, &mut other);
    let there = moved(&mut world, &alice, "203.0.113.5:9");
    assert_eq!(present(&mut world, &there, &ticket).code(), 437, "its place is another's now");
    assert_eq!(world.server.allocations(), 2);
}

#[test]
fn where_mobility_is_off_it_is_forbidden() {
    let mut world = World::new();
    let mut alice = Client::alice("192.0.2.1:1000");
    assert_eq!(alice.allocate_with(&mut world, &[&RawAttribute::new(MOBILITY_TICKET, &[])]).code(), 405);
    alice.allocate(&mut world);
    assert_eq!(present(&mut world, &alice, &[1; 34]).code(), 405);
    assert_eq!(alice.refresh(&mut world, 600).code(), 0);
}

#[test]
fn an_allocate_with_a_ticket_in_it_is_a_bad_request() {
    let mut world = mobile();
    let mut alice = Client::alice("192.0.2.1:1000");
    assert_eq!(alice.allocate_with(&mut world, &[&RawAttribute::new(MOBILITY_TICKET, &[1])]).code(), 400);
}

#[test]
fn a_client_whose_connection_broke_comes_back_by_another() {
    let mut world = mobile();
    let mut alice = Client::alice("192.0.2.1:1000");
    alice.tuple.transport = Transport::Tls;
    let (answer, ticket) = allocate(&mut world, &mut alice);
    alice.bind(&mut world, 0x4000, PEER);
    world.input(Input::Disconnected { client: alice.tuple });
    assert_eq!(world.server.allocations(), 1);
    world.peer_sends(answer.relayed(), addr(PEER), b"to nobody");
    assert!(world.to_clients.is_empty(), "another client may have the port by now");
    let mut next = Client::new("192.0.2.1:1000", "bob", "builder");
    next.tuple.transport = Transport::Tls;
    assert_eq!(next.allocate(&mut world).code(), 0, "it has");
    let mut there = moved(&mut world, &alice, "203.0.113.5:7");
    there.tuple.transport = Transport::Udp;
    there.challenge(&mut world);
    assert_eq!(present(&mut world, &there, &ticket).code(), 0);
    assert_eq!(world.server.counters().allocations, [1, 0, 1, 0]);
    world.peer_sends(answer.relayed(), addr(PEER), b"again");
    assert_eq!(world.to_clients[0].0, there.tuple);
    assert_eq!(next.refresh(&mut world, 600).code(), 0);
}

#[test]
fn a_client_that_never_comes_back_is_forgotten_after_its_lifetime() {
    let mut world = mobile();
    let mut alice = Client::alice("192.0.2.1:1000");
    alice.tuple.transport = Transport::Tcp;
    allocate(&mut world, &mut alice);
    world.input(Input::Disconnected { client: alice.tuple });
    world.pass(600);
    assert_eq!((world.server.allocations(), world.relays.len()), (0, 0));
}

/// Two shards of one server.
fn shards() -> [World; 2] {
    let config = Config { mobility: true, ..config() };
    let first = World::with(config.clone());
    let second = World::at(Config { shard: 1, ..config }, first.now);
    [first, second]
}

/// Gives a packet to the shard that the kernel chose, and to the one that it is passed on to.
fn by(shards: &mut [World; 2], landing: usize, from: FiveTuple, data: &[u8]) -> (usize, Vec<Vec<u8>>) {
    let answers = shards[landing].send(from, data);
    let passed = shards[landing].others.iter().find_map(|output| match output {
        Output::PassOn { shard } => Some(usize::from(*shard)),
        _ => None,
    });
    match passed {
        Some(shard) => (shard, shards[shard].send(from, data)),
        None => (landing, answers),
    }
}

#[test]
fn a_client_that_lands_on_another_shard_is_passed_on_from_then_on() {
    let mut shards = shards();
    let (user, password) = madang_turn::mint("secret", "eve", UNIX + 60);
    let mut eve = Client::new("192.0.2.1:1000", &user, &password);
    let (answer, ticket) = allocate(&mut shards[0], &mut eve);
    eve.bind(&mut shards[0], 0x4000, PEER);
    // By now the credential has expired; the allocation vouches for its owner.
    shards.iter_mut().for_each(|shard| shard.pass(100));
    let there = moved(&mut shards[1], &eve, "203.0.113.5:7");
    let ticket = RawAttribute::new(MOBILITY_TICKET, &ticket);
    let stale = Client { nonce: eve.nonce.clone(), ..there.clone() };
    let request = stale.request(REFRESH, 70.into(), &[&ticket as &dyn AttributeWrite]);
    let (shard, answers) = by(&mut shards, 1, there.tuple, &request);
    assert_eq!((shard, Answer(answers[0].clone()).code()), (1, 438), "where he is has to be proved first");
    let request = there.request(REFRESH, 71.into(), &[&ticket as &dyn AttributeWrite]);
    let (shard, answers) = by(&mut shards, 1, there.tuple, &request);
    assert_eq!((shard, Answer(answers[0].clone()).code()), (0, 0));
    let (shard, _) = by(&mut shards, 1, there.tuple, b"\x40\x00\x00\x02hi");
    assert_eq!(shard, 0);
    assert_eq!(shards[0].to_peers, [(answer.relayed(), addr(PEER), b"hi".to_vec())]);
    let request = there.request(REFRESH, 72.into(), &[]);
    assert_eq!(by(&mut shards, 1, there.tuple, &request).0, 0);
    // Others are not.
    assert_eq!(by(&mut shards, 1, eve.tuple, b"\x40\x00\x00\x02hi").0, 1);
    // And he can come home.
    let home = moved(&mut shards[0], &eve, "203.0.113.5:8");
    let fresh = ticket_of(&Answer(answers[0].clone()));
    let ticket = RawAttribute::new(MOBILITY_TICKET, &fresh);
    let request = home.request(REFRESH, 73.into(), &[&ticket as &dyn AttributeWrite]);
    assert_eq!(by(&mut shards, 0, home.tuple, &request).0, 0);
    assert_eq!(shards[0].server.allocations(), 1);
}

#[test]
fn forged_tickets_and_stale_nonces_leave_no_trace_on_other_shards() {
    let mut shards = shards();
    let mut alice = Client::alice("192.0.2.1:1000");
    let (_, mut ticket) = allocate(&mut shards[0], &mut alice);
    let there = moved(&mut shards[1], &alice, "203.0.113.5:7");
    ticket[20] ^= 1;
    let forged = RawAttribute::new(MOBILITY_TICKET, &ticket);
    let request = there.request(REFRESH, 70.into(), &[&forged as &dyn AttributeWrite]);
    let (shard, answers) = by(&mut shards, 1, there.tuple, &request);
    assert_eq!((shard, Answer(answers[0].clone()).code()), (1, 400));
    let late = Client { nonce: "obMatJos2gAAA".into(), ..there };
    let request = late.request(REFRESH, 71.into(), &[&forged as &dyn AttributeWrite]);
    assert_eq!(by(&mut shards, 1, late.tuple, &request).0, 1);
    assert_eq!(by(&mut shards, 1, late.tuple, b"\x40\x00\x00\x02hi").0, 1);
    assert_eq!(shards[1].server.counters().passed_on, 0);
}
