//! What goes wrong between the server and its clients and peers, on real sockets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod raw_support;
mod support;
mod turn_support;

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use madang_lab::yard::{self, Namespace};
use madang_server::{
    Server,
    config::{Many, TurnConfig},
};
use madang_wire::stun::{
    ALLOCATE, AttributeStaticType, BINDING, CHANNEL_BIND, CONNECT, CREATE_PERMISSION, DATA, Data, IcmpAttribute,
    Lifetime, Message, MessageClass, MessageType, MessageWrite, MessageWriteExt, MessageWriteVec, Method, REFRESH,
    RawAttribute, RequestedTransport, SEND, TransactionId, XorPeerAddress,
};
use raw_support::{Wire, allocated, ask, bind, challenged, channel_data, on_channel, permit, world::Client};
use support::{metric, start};
use turn_support::{Peer, SECRET, WHOLE, loopback, serve, tool};

const PATIENCE: Duration = Duration::from_secs(5);

fn udp(server: &Server) -> UdpSocket {
    raw_support::udp(server.addresses().turn[0])
}

/// A request with a fingerprint and with attributes that nobody knows, as much as fits.
fn swollen(method: Method, attributes: u16) -> Vec<u8> {
    let kind = MessageType::from_class_method(MessageClass::Request, method);
    let mut message = Message::builder(kind, TransactionId::generate(), MessageWriteVec::new());
    for number in 0..attributes {
        message.add_attribute(&RawAttribute::new((0x3000 + number).into(), &[])).unwrap();
    }
    message.add_fingerprint().unwrap();
    message.finish()
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_get_small_answers_whatever_they_ask_and_whatever_is_configured() {
    let large = format!("{WHOLE}realm = \"{}\"\nsoftware = \"{}\"\n", "r".repeat(64), "s".repeat(127));
    let more = "userhash = true\ntcp_relay = true\nalternate_addresses = [\"127.0.0.2\"]\n";
    let server = start(&(large + more)).await;
    for listener in &server.addresses().turn {
        let mut wire = raw_support::udp(*listener);
        for attributes in [0, 1, 2, 50, 300] {
            for (method, most) in [
                (BINDING, 100),
                (ALLOCATE, 160),
                (REFRESH, 160),
                (CREATE_PERMISSION, 160),
                (CHANNEL_BIND, 160),
                (CONNECT, 160),
            ] {
                Wire::send(&mut wire, &swollen(method, attributes));
                let answer = wire.receive();
                assert_eq!(answer[0], 1, "an answer");
                assert!(answer.len() <= most, "{} bytes of {most} to {method} on {listener}", answer.len());
            }
        }
    }
}

/// A Send indication.
fn send_indication(peer: SocketAddr, data: &[u8]) -> Vec<u8> {
    let kind = MessageType::from_class_method(MessageClass::Indication, SEND);
    let transaction = TransactionId::generate();
    let mut message = Message::builder(kind, transaction, MessageWriteVec::new());
    message.add_attribute(&XorPeerAddress::new(peer, transaction)).unwrap();
    message.add_attribute(&Data::new(data)).unwrap();
    message.finish()
}

/// What a Data indication says of ICMP: about which peer, type and code.
fn icmp(indication: &[u8]) -> (SocketAddr, [u8; 2]) {
    let message = Message::from_bytes(indication).unwrap();
    assert_eq!((message.class(), message.method()), (MessageClass::Indication, DATA));
    let peer = message.attribute::<XorPeerAddress>().unwrap().addr(message.transaction_id());
    // RFC 8656 §18.13: two bytes reserved, the type in seven bits, the code in nine.
    let value = message.raw_attribute(IcmpAttribute::TYPE).expect("ICMP").value.to_vec();
    assert!(message.attribute::<Data<'_>>().is_err(), "it has no data");
    let both = u16::from_be_bytes([value[2], value[3]]);
    (peer, [u8::try_from(both >> 9).unwrap(), u8::try_from(both & 0x1FF).unwrap()])
}

/// Echoes one message over the channel.
fn is_alive(wire: &mut UdpSocket, client: &Client, relayed: SocketAddr) {
    let peer = UdpSocket::bind((relayed.ip(), 0)).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    bind(wire, client, peer.local_addr().unwrap());
    Wire::send(wire, &on_channel(b"are you there?"));
    let mut data = [0; 64];
    let (length, from) = peer.recv_from(&mut data).unwrap();
    assert_eq!((&data[..length], from), (&b"are you there?"[..], relayed));
    peer.send_to(b"I am", relayed).unwrap();
    assert_eq!(channel_data(&wire.receive()), b"I am");
    assert_eq!(ask(wire, client, REFRESH, &[&Lifetime::new(600)]).code(), 0);
}

/// A port on which nobody listens.
fn closed(like: SocketAddr) -> SocketAddr {
    UdpSocket::bind((like.ip(), 0)).and_then(|socket| socket.local_addr()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_refuses_is_told_of_by_icmp_and_the_allocation_goes_on() {
    let server = start(WHOLE).await;
    let mut wire = udp(&server);
    let (client, relayed) = allocated(&mut wire);
    let nobody = closed(relayed);
    assert_eq!(permit(&mut wire, &client, nobody), 0);
    for _ in 0..3 {
        Wire::send(&mut wire, &send_indication(nobody, b"hello?"));
        // RFC 792: destination unreachable, port unreachable.
        assert_eq!(icmp(&wire.receive()), (nobody, [3, 3]));
    }
    is_alive(&mut wire, &client, relayed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_on_ipv6_that_refuses_is_told_of_too() {
    let server = start(WHOLE).await;
    let mut wire = raw_support::udp(server.addresses().turn[1]);
    let client = challenged(&mut wire);
    let ipv6 = madang_wire::stun::RequestedAddressFamily::new(madang_wire::stun::AddressFamily::IPV6);
    let answer = ask(&mut wire, &client, ALLOCATE, &[&RequestedTransport::new(17), &ipv6]);
    assert_eq!(answer.code(), 0);
    let nobody = closed(answer.relayed());
    assert_eq!(permit(&mut wire, &client, nobody), 0);
    Wire::send(&mut wire, &send_indication(nobody, b"hello?"));
    // RFC 4443 §3.1: destination unreachable, port unreachable.
    assert_eq!(icmp(&wire.receive()), (nobody, [1, 4]));
    is_alive(&mut wire, &client, answer.relayed());
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_that_refuse_bursts_cost_nobody_else_a_packet() {
    let server = start(WHOLE).await;
    let (mut wire, mut other) = (udp(&server), udp(&server));
    let (client, relayed) = allocated(&mut wire);
    let (bystander, _) = allocated(&mut other);
    bind(&mut wire, &client, closed(relayed));
    let peer = UdpSocket::bind((relayed.ip(), 0)).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    bind(&mut other, &bystander, peer.local_addr().unwrap());
    for round in 0..50_u8 {
        for _ in 0..32 {
            Wire::send(&mut wire, &on_channel(&[7; 200]));
            Wire::send(&mut other, &on_channel(&[round; 200]));
        }
        for _ in 0..32 {
            let mut data = [0; 256];
            let length = peer.recv(&mut data).unwrap();
            assert_eq!(data[..length], [round; 200]);
        }
    }
    assert_eq!(icmp(&wire.receive()).1, [3, 3]);
    wire.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    while wire.recv(&mut [0; 2048]).is_ok() {}
    wire.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(ask(&mut wire, &client, REFRESH, &[&Lifetime::new(600)]).code(), 0);
}

/// In a network of its own, where the only route is to its own address.
fn without_a_route() -> io::Result<()> {
    let network = Namespace::new("noroute")?;
    network.run("ip address add 198.51.100.1/32 dev lo")?;
    network.inside(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let _inside = runtime.enter();
        let here = Many(vec!["198.51.100.1:0".parse().unwrap()]);
        let allow = Many(vec!["203.0.113.0/24".parse().unwrap()]);
        let server = serve(&TurnConfig { listen: here, allow_peers: allow, ..loopback() });
        let mut wire = raw_support::udp(server.addresses().turn[0]);
        let (client, relayed) = allocated(&mut wire);
        let beyond: SocketAddr = "203.0.113.9:9".parse().unwrap();
        let failure = UdpSocket::bind((relayed.ip(), 0))?.send_to(b"x", beyond).unwrap_err();
        assert_eq!(failure.kind(), io::ErrorKind::NetworkUnreachable, "the test needs a network without a route");
        assert_eq!(permit(&mut wire, &client, beyond), 0);
        for _ in 0..100 {
            Wire::send(&mut wire, &send_indication(beyond, b"hello?"));
        }
        assert_eq!(ask(&mut wire, &client, REFRESH, &[&Lifetime::new(600)]).code(), 0);
        Ok(())
    })
}

#[test]
fn an_allocation_outlives_that_there_is_no_route() {
    if let Err(why) = without_a_route() {
        assert_ne!(why.to_string(), "the work panicked", "see above");
        yard::skip(&format!("a network namespace can't be made: {why}"));
    }
}

async fn until(server: &Server, allocations: impl Fn(u64) -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let live = metric(server, "madang_turn_allocations{").await;
        if allocations(live) {
            return;
        }
        assert!(Instant::now() < end, "{live} allocations");
    }
}

/// Kills uclient in the middle of its work, as a crash would.
async fn is_forgotten_when_killed(port: u16, server: &Server, extra: &[&str]) {
    let peer = Peer::start();
    let mut command = Command::new(tool("turnutils_uclient"));
    command.args(["-u", "alice", "-W", SECRET, "-n", "5000", "-e", "127.0.0.1", "-r", &peer.port.to_string()]);
    command.args(["-p", &port.to_string()]).args(extra).arg("127.0.0.1");
    let mut client = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until(server, |live| live > 0).await;
    client.kill().unwrap();
    client.wait().unwrap();
    until(server, |live| live == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_killed_leaves_nothing_behind_over_tcp_and_tls() {
    let server = start(WHOLE).await;
    is_forgotten_when_killed(server.addresses().turn[0].port(), &server, &["-t"]).await;
    is_forgotten_when_killed(server.addresses().turn_tls[0].port(), &server, &["-t", "-S"]).await;
    let ended = metric(&server, "madang_turn_allocations_ended_total{reason=\"disconnected\"}").await;
    assert!(ended >= 2, "{ended}");
}
