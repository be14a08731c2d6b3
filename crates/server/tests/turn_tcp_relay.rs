//! TCP allocations (RFC 6062) on real sockets.
#![allow(clippy::panic, reason = "a test fails where it has to")]

#[path = "../../turn/tests/world/mod.rs"]
mod world;

mod support;
mod turn_support;

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use madang_server::{
    config::{Many, TurnConfig},
    turn::{TurnHandle, TurnMetrics, start},
};
use madang_wire::{
    StreamFramer,
    stun::{
        ALLOCATE, AttributeWrite, CONNECT, CONNECTION_ATTEMPT, CONNECTION_BIND, CREATE_PERMISSION,
        ConnectionIdAttribute, Lifetime, Message, MessageClass, MessageType, MessageWrite, MessageWriteVec, Method,
        Nonce, REFRESH, RequestedTransport, TransactionId, XorPeerAddress,
    },
};
use prometheus_client::{encoding::text::encode, registry::Registry};
use turn_support::{SECRET, loopback, run, serve, serve_tls, tool};
use world::{Answer, Client};

/// More than all buffers between a client and a peer hold.
const MUCH: usize = 1 << 23;

const PATIENCE: Duration = Duration::from_secs(10);

/// TCP relays, and peers on loopback.
fn switched_on() -> TurnConfig {
    let network = "127.0.0.0/8".parse().expect("a network");
    TurnConfig { tcp_relay: true, allow_peers: Many(vec![network]), ..loopback() }
}

/// A connection of a TURN client.
struct Wire {
    stream: TcpStream,
    framer: StreamFramer,
    client: Client,
}

impl Wire {
    /// Connects and is challenged.
    fn new(server: &TurnHandle) -> Self {
        let (username, password) = server.mint("alice", Duration::from_secs(60));
        Self::with(server.addresses().turn[0], &username, &password)
    }

    /// A further one of the same client: user names that are minted later are others.
    fn beside(&self) -> Self {
        let server = self.stream.peer_addr().expect("connected");
        Self::with(server, &self.client.username, &self.client.password)
    }

    fn with(server: SocketAddr, username: &str, password: &str) -> Self {
        let stream = TcpStream::connect(server).expect("the server accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let client = Client::new("127.0.0.1:1", username, password);
        let mut wire = Self { stream, framer: StreamFramer::new(65_536), client };
        let kind = MessageType::from_class_method(MessageClass::Request, ALLOCATE);
        let bare = Message::builder(kind, TransactionId::generate(), MessageWriteVec::new()).finish();
        wire.stream.write_all(&bare).expect("sent");
        let answer = wire.receive();
        assert_eq!(answer.code(), 401);
        wire.client.nonce = answer.message().attribute::<Nonce>().expect("a nonce").nonce().into();
        wire
    }

    fn allocated(server: &TurnHandle) -> (Self, SocketAddr) {
        let mut wire = Self::new(server);
        let relayed = wire.allocate();
        (wire, relayed)
    }

    fn allocate(&mut self) -> SocketAddr {
        let answer = self.ask(ALLOCATE, &[&RequestedTransport::new(6)]);
        assert_eq!(answer.code(), 0);
        answer.relayed()
    }

    fn receive(&mut self) -> Answer {
        let mut bytes = [0; 2048];
        loop {
            if let Some(frame) = self.framer.next_frame().expect("STUN") {
                return Answer(frame.to_vec());
            }
            let length = self.stream.read(&mut bytes).expect("an answer");
            assert_ne!(length, 0, "the server has closed");
            self.framer.push(&bytes[..length]);
        }
    }

    fn ask(&mut self, method: Method, attributes: &[&dyn AttributeWrite]) -> Answer {
        let request = self.client.request(method, TransactionId::generate(), attributes);
        self.stream.write_all(&request).expect("sent");
        self.receive()
    }

    fn ask_about(&mut self, method: Method, peer: SocketAddr) -> Answer {
        let transaction = TransactionId::generate();
        let request = self.client.request(method, transaction, &[&XorPeerAddress::new(peer, transaction)]);
        self.stream.write_all(&request).expect("sent");
        self.receive()
    }

    /// Binds a peer's connection; what follows the answer is the peer's.
    fn bind(&self, connection: u32) -> TcpStream {
        let mut wire = self.beside();
        assert_eq!(wire.ask(CONNECTION_BIND, &[&ConnectionIdAttribute::new(connection)]).code(), 0);
        assert_eq!(wire.framer.take_rest(), b"", "no peer has sent anything");
        wire.stream
    }
}

fn connection_id(answer: &Answer) -> u32 {
    answer.message().attribute::<ConnectionIdAttribute>().expect("an id").id()
}

fn peer() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

fn accepted(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    let (stream, from) = listener.accept().expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    (stream, from)
}

/// A client connects to a peer: its data connection, and the peer's end.
fn connected(control: &mut Wire) -> (TcpStream, TcpStream, SocketAddr) {
    let (listener, address) = peer();
    let answer = control.ask_about(CONNECT, address);
    assert_eq!(answer.code(), 0);
    let (peer, from) = accepted(&listener);
    (control.bind(connection_id(&answer)), peer, from)
}

/// Bytes that tell when some are missing, doubled or exchanged.
fn pattern(seed: u32) -> Vec<u8> {
    (0..MUCH as u32).map(|at| (at.wrapping_add(seed).wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// Sends a lot both ways at once.
fn exchange(left: &TcpStream, right: &TcpStream) {
    std::thread::scope(|scope| {
        for (mut from, mut to, seed) in [(left, right, 1), (right, left, 2)] {
            let sent = pattern(seed);
            let expected = sent.clone();
            scope.spawn(move || from.write_all(&sent).expect("sent"));
            scope.spawn(move || {
                let mut received = vec![0; MUCH];
                to.read_exact(&mut received).expect("all of it");
                assert!(received == expected, "what was sent from {seed} is not what arrived");
            });
        }
    });
}

/// Whether the server has closed a connection, in order or not.
fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 64]) {
        Ok(length) => length == 0,
        Err(why) => why.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tcp_allocation_gets_442_where_it_is_not_switched_on() {
    let server = serve(&TurnConfig { tcp_relay: false, ..switched_on() });
    let mut wire = Wire::new(&server);
    assert_eq!(wire.ask(ALLOCATE, &[&RequestedTransport::new(6)]).code(), 442);
    assert_eq!(wire.ask(ALLOCATE, &[&RequestedTransport::new(17)]).code(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_connects_to_a_peer_and_much_goes_both_ways() {
    let server = serve(&switched_on());
    let (mut control, relayed) = Wire::allocated(&server);
    let (client, peer, from) = connected(&mut control);
    assert_eq!(from, relayed, "peers see the relayed address");
    exchange(&client, &peer);
    let (second, second_peer, from) = connected(&mut control);
    assert_eq!(from, relayed, "a second one from the same address");
    exchange(&second, &second_peer);
    let (listener, gone) = self::peer();
    drop(listener);
    assert_eq!(control.ask_about(CONNECT, gone).code(), 447);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_bound_on_whichever_shard_the_client_lands() {
    let toml =
        "media.shards = 3\nturn.tcp_relay = true\nturn.allow_peers = \"127.0.0.0/8\"\nturn.users.bob = \"builder\"";
    let server = madang_server::Server::start(support::config(toml)).await.expect("the server starts");
    let address = server.addresses().turn[0];
    let mut control = Wire::with(SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())), "bob", "builder");
    control.allocate();
    // Connections go to the shards in turn: two of these land where the allocation is not.
    let ends: Vec<_> = (0..3).map(|_| connected(&mut control)).collect();
    for (client, peer, _) in &ends {
        exchange(client, peer);
    }
    drop(control);
    for (mut client, mut peer, _) in ends {
        assert!(is_closed(&mut client) && is_closed(&mut peer));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_peer_sends_before_it_is_bound_waits_for_the_client() {
    let server = serve(&switched_on());
    let (mut control, _) = Wire::allocated(&server);
    let (listener, address) = peer();
    let answer = control.ask_about(CONNECT, address);
    let (mut peer, _) = accepted(&listener);
    // Looks like a message of TURN, and is none.
    peer.write_all(&[0x01, 0x1B, 0, 0, 0x21, 0x12, 0xA4, 0x42]).expect("sent");
    peer.shutdown(std::net::Shutdown::Write).expect("connected");
    let mut wire = control.beside();
    assert_eq!(wire.ask(CONNECTION_BIND, &[&ConnectionIdAttribute::new(connection_id(&answer))]).code(), 0);
    let mut received = wire.framer.take_rest();
    wire.stream.read_to_end(&mut received).expect("an orderly end");
    assert_eq!(received, [0x01, 0x1B, 0, 0, 0x21, 0x12, 0xA4, 0x42]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_sends_right_behind_its_bind_is_the_peers() {
    let server = serve(&switched_on());
    let (mut control, _) = Wire::allocated(&server);
    let (listener, address) = peer();
    let answer = control.ask_about(CONNECT, address);
    let (mut peer, _) = accepted(&listener);
    let mut wire = control.beside();
    let wrong = ConnectionIdAttribute::new(connection_id(&answer) + 1);
    assert_eq!(wire.ask(CONNECTION_BIND, &[&wrong]).code(), 400, "and the connection may try again");
    let id = ConnectionIdAttribute::new(connection_id(&answer));
    let request = wire.client.request(CONNECTION_BIND, TransactionId::generate(), &[&id]);
    // The second looks like a message too.
    wire.stream.write_all(&[&request[..], &request, b"\xFFmore"].concat()).expect("sent");
    assert_eq!(wire.receive().code(), 0);
    let mut received = vec![0; request.len() + 5];
    peer.read_exact(&mut received).expect("all of it");
    assert_eq!(received, [&request[..], b"\xFFmore"].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_with_permission_connects_in_and_another_is_closed() {
    let server = serve(&switched_on());
    let (mut control, relayed) = Wire::allocated(&server);
    let mut stranger = TcpStream::connect(relayed).expect("the relay listens");
    stranger.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    assert!(is_closed(&mut stranger), "no permission");
    assert_eq!(control.ask_about(CREATE_PERMISSION, SocketAddr::from((Ipv4Addr::LOCALHOST, 1))).code(), 0);
    let peer = TcpStream::connect(relayed).expect("the relay listens");
    peer.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let attempt = control.receive();
    let message = attempt.message();
    assert_eq!((message.class(), message.method()), (MessageClass::Indication, CONNECTION_ATTEMPT));
    let who = message.attribute::<XorPeerAddress>().expect("a peer").addr(message.transaction_id());
    assert_eq!(who, peer.local_addr().expect("connected"));
    let client = control.bind(connection_id(&attempt));
    exchange(&client, &peer);
}

#[tokio::test(flavor = "multi_thread")]
async fn either_end_of_a_connection_ends_with_the_other() {
    let server = serve(&switched_on());
    let (mut control, _) = Wire::allocated(&server);
    let (mut client, peer, _) = connected(&mut control);
    drop(peer);
    assert!(is_closed(&mut client), "the peer has gone");
    let (client, mut peer, _) = connected(&mut control);
    drop(client);
    assert!(is_closed(&mut peer), "the client has gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_of_both_directions_are_counted() {
    let metrics = TurnMetrics::new();
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    let server = start(&switched_on(), &[], None, metrics).expect("free ports on loopback");
    let (mut control, _) = Wire::allocated(&server);
    let (client, peer, _) = connected(&mut control);
    exchange(&client, &peer);
    drop((client, peer));
    let began = Instant::now();
    for direction in ["client_to_peer", "peer_to_client"] {
        let expected = format!("turn_relayed_bytes_total{{direction=\"{direction}\"}} {MUCH}\n");
        loop {
            let mut text = String::new();
            encode(&mut text, &registry).expect("text");
            if text.contains(&expected) {
                break;
            }
            assert!(began.elapsed() < PATIENCE, "no {expected}in {text}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_ends_with_the_allocation() {
    let server = serve(&switched_on());
    let (mut control, relayed) = Wire::allocated(&server);
    let (mut client, mut peer, _) = connected(&mut control);
    let (listener, address) = self::peer();
    assert_eq!(control.ask_about(CONNECT, address).code(), 0);
    let (mut unbound, _) = accepted(&listener);
    assert_eq!(control.ask(REFRESH, &[&Lifetime::new(0)]).code(), 0);
    for (stream, which) in [(&mut client, "client's"), (&mut peer, "peer's"), (&mut unbound, "unbound peer's")] {
        assert!(is_closed(stream), "the {which} connection is still open");
    }
    let began = Instant::now();
    while TcpStream::connect(relayed).is_ok() || server.allocations() != 0 {
        assert!(began.elapsed() < PATIENCE, "the relay still listens, or is still counted");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// uclient ends with 0 even when it lost everything, so its report decides. Four of its clients, each
/// of which has a connection with every other one's relayed address. They go on from one connection
/// to another with the same nonce.
async fn uclient_loses_nothing(port: u16, extra: &[&str]) {
    let port = port.to_string();
    let common = ["-T", "-n", "100", "-m", "4", "-l", "170", "-u", "alice", "-W", SECRET, "-p", &port];
    let args: Vec<&str> = common.iter().chain(extra).copied().chain(["127.0.0.1"]).collect();
    let report = run(tool("turnutils_uclient"), &args).await;
    for part in ["12 connections are completed", "tot_send_msgs=400, tot_recv_msgs=400", "Total lost packets 0 "] {
        assert!(report.contains(part), "{part}: turnutils_uclient {}\n{report}", args.join(" "));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn uclient_connects_tcp_relays_with_each_other_over_tcp() {
    let server = serve(&switched_on());
    uclient_loses_nothing(server.addresses().turn[0].port(), &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uclient_connects_tcp_relays_with_each_other_over_tls() {
    let server = serve_tls(&switched_on());
    uclient_loses_nothing(server.addresses().turn_tls[0].port(), &["-S"]).await;
}
