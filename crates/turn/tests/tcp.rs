//! TCP relays: RFC 6062.

mod world;

use std::net::SocketAddr;

use madang_turn::{AllocationChange, Config, ConnectionId, EndReason, Input, Limits, Output, Traffic};
use madang_wire::{
    FiveTuple, Transport,
    stun::{
        ALLOCATE, AttributeWrite, CONNECT, CONNECTION_ATTEMPT, CONNECTION_BIND, ConnectionIdAttribute, DontFragment,
        EvenPort, Message, MessageClass, RequestedTransport, ReservationToken, XorPeerAddress,
    },
};
use world::{Answer, Client, PEER, World, addr, config};

fn tcp() -> World {
    World::with(Config { tcp_relay: true, ..config() })
}

fn client(port: u16) -> Client {
    let mut client = Client::alice(&format!("192.0.2.1:{port}"));
    client.tuple.transport = Transport::Tls;
    client
}

fn allocate(world: &mut World, client: &mut Client, extra: &[&dyn AttributeWrite]) -> Answer {
    client.challenge(world);
    let tcp = RequestedTransport::new(6);
    let attributes: Vec<&dyn AttributeWrite> =
        [&tcp as &dyn AttributeWrite].into_iter().chain(extra.iter().copied()).collect();
    client.ask(world, ALLOCATE, &attributes)
}

fn allocated(world: &mut World) -> (Client, SocketAddr) {
    let mut alice = client(1000);
    let answer = allocate(world, &mut alice, &[]);
    assert_eq!(answer.code(), 0);
    (alice, answer.relayed())
}

/// Sends a Connect; what came of it, an answer or an order to the shell.
fn connect(world: &mut World, client: &Client, peer: &str) -> Result<ConnectionId, u16> {
    let transaction = world.transaction();
    let request = client.request(CONNECT, transaction, &[&XorPeerAddress::new(addr(peer), transaction)]);
    let answers = world.send(client.tuple, &request);
    match answers.first() {
        Some(answer) => Err(Answer(answer.clone()).code()),
        None => match world.others.as_slice() {
            [Output::Connect { connection, peer: to, relay }] => {
                assert_eq!((*to, world.relays.contains_key(relay)), (addr(peer), true));
                Ok(*connection)
            }
            other => unreachable!("{other:?}"),
        },
    }
}

fn connected(world: &mut World, connection: ConnectionId, established: bool) -> Answer {
    world.clear();
    world.input(Input::Connected { connection, established });
    Answer(world.to_clients.remove(0).1)
}

/// A further connection of the same client binds a peer's; says with what code.
fn bind(world: &mut World, client: &Client, port: u16, connection: ConnectionId) -> (FiveTuple, u16) {
    let mut data =
        Client { tuple: FiveTuple { client: addr(&format!("192.0.2.1:{port}")), ..client.tuple }, ..client.clone() };
    data.challenge(world);
    let code = data.ask(world, CONNECTION_BIND, &[&ConnectionIdAttribute::new(connection.0)]).code();
    (data.tuple, code)
}

#[test]
fn a_client_connects_to_a_peer_and_binds_the_connection() {
    let mut world = tcp();
    let (alice, _) = allocated(&mut world);
    let connection = connect(&mut world, &alice, PEER).expect("an order to connect");
    let answer = connected(&mut world, connection, true);
    assert_eq!(answer.code(), 0);
    assert_eq!(answer.message().attribute::<ConnectionIdAttribute>().expect("an id").id(), connection.0);
    let (tuple, code) = bind(&mut world, &alice, 2000, connection);
    assert_eq!(code, 0);
    assert!(
        matches!(world.others[..], [Output::Splice { client, connection: id, .. }] if (client, id) == (tuple, connection))
    );
    world.pass(31);
    assert!(world.others.len() == 1, "what is bound does not expire");
    world.input(Input::Spliced { connection, to_peer: 1000, to_client: 70 });
    world.input(Input::ConnectionClosed { connection });
    assert_eq!(world.server.counters().connections, 0);
    alice.refresh(&mut world, 0);
    let Some(AllocationChange::Ended { reason, to_peers, to_client, .. }) = world.events.last().map(|event| event.what)
    else {
        unreachable!("it has ended")
    };
    let bytes = |bytes| Traffic { packets: 0, bytes };
    assert_eq!((reason, to_peers, to_client), (EndReason::Released, bytes(1000), bytes(70)));
}

#[test]
fn tcp_relays_are_for_streams_and_where_they_are_switched_on() {
    let mut off = World::new();
    assert_eq!(allocate(&mut off, &mut client(1000), &[]).code(), 442);
    let mut world = tcp();
    let mut udp = Client::alice("192.0.2.1:1000");
    assert_eq!(allocate(&mut world, &mut udp, &[]).code(), 400);
    let (even, token) = (EvenPort::new(false), ReservationToken::new(1));
    for extra in [&DontFragment::new() as &dyn AttributeWrite, &even, &token] {
        assert_eq!(allocate(&mut world, &mut client(1001), &[extra]).code(), 400);
    }
    let mut other = client(1002);
    other.allocate(&mut world);
    assert_eq!(connect(&mut world, &other, PEER), Err(400), "a UDP allocation");
    assert_eq!(off_connect(&mut off), 400);
}

fn off_connect(world: &mut World) -> u16 {
    let mut alice = client(1001);
    alice.allocate(world);
    let transaction = world.transaction();
    let peer = XorPeerAddress::new(addr(PEER), transaction);
    alice.ask_again(world, &alice.request(CONNECT, transaction, &[&peer])).code()
}

#[test]
fn nothing_goes_by_datagrams() {
    let mut world = tcp();
    let (alice, _) = allocated(&mut world);
    assert_eq!(alice.permit(&mut world, &[PEER]).code(), 0);
    assert_eq!(alice.bind(&mut world, 0x4000, PEER).code(), 400);
    alice.indicate(&mut world, PEER, b"x");
    assert!(world.to_peers.is_empty());
}

#[test]
fn a_peer_that_cannot_be_reached_is_447_and_one_that_is_there_already_446() {
    let mut world = tcp();
    let (alice, _) = allocated(&mut world);
    let connection = connect(&mut world, &alice, PEER).expect("an order");
    assert_eq!(connect(&mut world, &alice, PEER), Err(446), "being made");
    assert_eq!(connected(&mut world, connection, false).code(), 447);
    let connection = connect(&mut world, &alice, PEER).expect("an order");
    connected(&mut world, connection, true);
    assert_eq!(connect(&mut world, &alice, PEER), Err(446), "made");
    let (_, code) = bind(&mut world, &alice, 2000, connection);
    assert_eq!(code, 0);
    assert_eq!(connect(&mut world, &alice, PEER), Err(446), "in use");
    world.input(Input::ConnectionClosed { connection });
    assert!(connect(&mut world, &alice, PEER).is_ok(), "gone");
    assert_eq!(connect(&mut world, &alice, "127.0.0.1:80"), Err(403));
    assert_eq!(connect(&mut world, &alice, "198.51.100.1:22"), Err(403), "the server itself");
    assert_eq!(connect(&mut world, &alice, "[2600::1]:80"), Err(443));
    let mut stranger = client(1001);
    stranger.challenge(&mut world);
    assert_eq!(connect(&mut world, &stranger, PEER), Err(437));
}

#[test]
fn who_neither_answers_nor_binds_within_thirty_seconds_is_dropped() {
    let mut world = tcp();
    let (alice, _) = allocated(&mut world);
    let connection = connect(&mut world, &alice, PEER).expect("an order");
    world.clear();
    world.pass(29);
    assert!(world.to_clients.is_empty());
    world.pass(1);
    assert_eq!(Answer(world.to_clients.remove(0).1).code(), 447);
    assert!(matches!(world.others[..], [Output::CloseConnection(id)] if id == connection));
    world.input(Input::Connected { connection, established: true });
    assert!(world.to_clients.is_empty(), "too late");
    let connection = connect(&mut world, &alice, PEER).expect("an order");
    world.pass(20);
    connected(&mut world, connection, true);
    world.pass(29);
    assert!(world.others.is_empty());
    world.pass(1);
    assert!(matches!(world.others[..], [Output::CloseConnection(id)] if id == connection));
    assert_eq!(bind(&mut world, &alice, 2000, connection).1, 400);
    assert_eq!(world.server.counters().connections, 0);
}

#[test]
fn a_permitted_peer_may_connect_and_another_may_not() {
    let mut world = tcp();
    let (alice, relayed) = allocated(&mut world);
    let relay = world.relay_at(relayed);
    world.clear();
    world.input(Input::PeerConnected { relay, peer: addr(PEER) });
    assert!(world.others.is_empty() && world.to_clients.is_empty(), "no permission");
    alice.permit(&mut world, &[PEER]);
    world.clear();
    world.input(Input::PeerConnected { relay, peer: addr(PEER) });
    let [Output::Accept(connection)] = world.others[..] else { unreachable!("accepted") };
    let message = Message::from_bytes(&world.to_clients[0].1).expect("a STUN message");
    assert_eq!((message.class(), message.method()), (MessageClass::Indication, CONNECTION_ATTEMPT));
    assert_eq!(message.attribute::<ConnectionIdAttribute>().expect("an id").id(), connection.0);
    let peer = message.attribute::<XorPeerAddress>().expect("a peer").addr(message.transaction_id());
    assert_eq!(peer, addr(PEER));
    assert_eq!(bind(&mut world, &alice, 2000, connection).1, 0);
    assert_eq!(bind(&mut world, &alice, 2001, connection).1, 400, "bound already");
}

#[test]
fn a_connection_is_bound_by_its_owner_on_a_stream_of_its_own() {
    let mut world = tcp();
    let (alice, relayed) = allocated(&mut world);
    alice.permit(&mut world, &[PEER]);
    let relay = world.relay_at(relayed);
    world.clear();
    world.input(Input::PeerConnected { relay, peer: addr(PEER) });
    let [Output::Accept(connection)] = world.others[..] else { unreachable!("accepted") };
    let id = ConnectionIdAttribute::new(connection.0);
    assert_eq!(alice.ask(&mut world, CONNECTION_BIND, &[&id]).code(), 400, "on the control connection");
    let mut bob = Client::new("192.0.2.7:1", "bob", "builder");
    bob.tuple.transport = Transport::Tcp;
    bob.challenge(&mut world);
    assert_eq!(bob.ask(&mut world, CONNECTION_BIND, &[&id]).code(), 441);
    assert_eq!(bob.ask(&mut world, CONNECTION_BIND, &[]).code(), 400);
    let mut udp = Client::alice("192.0.2.7:2");
    udp.challenge(&mut world);
    assert_eq!(udp.ask(&mut world, CONNECTION_BIND, &[&id]).code(), 400);
    assert_eq!(bind(&mut world, &alice, 2000, connection).1, 0);
}

#[test]
fn connections_are_limited_and_end_with_their_allocation() {
    let limits = Limits { connections: 2, ..Limits::default() };
    let mut world = World::with(Config { tcp_relay: true, limits, ..config() });
    let (alice, relayed) = allocated(&mut world);
    let first = connect(&mut world, &alice, "9.9.9.9:1").expect("an order");
    let second = connect(&mut world, &alice, "9.9.9.9:2").expect("an order");
    assert_eq!(connect(&mut world, &alice, "9.9.9.9:3"), Err(508));
    alice.permit(&mut world, &[PEER]);
    let relay = world.relay_at(relayed);
    world.clear();
    world.input(Input::PeerConnected { relay, peer: addr(PEER) });
    assert!(world.others.is_empty());
    world.input(Input::Disconnected { client: alice.tuple });
    let closed: Vec<_> = world.others.iter().map(|output| format!("{output:?}")).collect();
    let expected = [first, second].map(|id| format!("{:?}", Output::CloseConnection(id)));
    assert_eq!(closed, expected);
    assert_eq!((world.server.counters().connections, world.relays.len()), (0, 0));
    world.pass(100);
}

#[test]
fn a_connection_of_another_shard_is_bound_there() {
    let mut world = tcp();
    let mut other = World::at(Config { shard: 1, tcp_relay: true, ..config() }, world.now);
    let (alice, _) = allocated(&mut other);
    let connection = connect(&mut other, &alice, PEER).expect("an order");
    connected(&mut other, connection, true);
    let mut data = client(2000);
    data.challenge(&mut world);
    let transaction = world.transaction();
    let request = data.request(CONNECTION_BIND, transaction, &[&ConnectionIdAttribute::new(connection.0)]);
    assert!(world.send(data.tuple, &request).is_empty());
    assert!(matches!(world.others[..], [Output::PassOn { shard: 1 }]));
    assert_eq!(Answer(other.send(data.tuple, &request).remove(0)).code(), 0);
    assert!(matches!(other.others[..], [Output::Splice { client, .. }] if client == data.tuple));
}
