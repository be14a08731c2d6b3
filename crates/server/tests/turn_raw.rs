//! Single packets to a TURN server on real sockets: what goes wrong, and what streams do.
#![allow(clippy::panic, reason = "a test fails where it has to")]

mod raw_support;
mod turn_support;

use std::{
    io::Read,
    net::{TcpStream, UdpSocket},
    time::Duration,
};

use madang_server::{config::TurnConfig, turn::TurnHandle};
use madang_wire::{
    ChannelData,
    stun::{
        ALLOCATE, AttributeWrite, BINDING, CHANNEL_BIND, CREATE_PERMISSION, ChannelNumberAttribute, Lifetime, REFRESH,
        RequestedTransport, TransactionId, XorMappedAddress, XorPeerAddress,
    },
};
use raw_support::{
    Stream, Wire, allocated, ask, bare, bind, challenged, challenged_as,
    world::{self, Answer, Client},
};
use turn_support::{SECRET, loopback, serve};

fn udp(server: &TurnHandle) -> UdpSocket {
    raw_support::udp(server.addresses().turn[0])
}

fn tcp(server: &TurnHandle) -> Stream {
    raw_support::tcp(server.addresses().turn[0])
}

#[tokio::test]
async fn minted_credentials_allocate_and_wrong_or_expired_ones_get_401() {
    let server = serve(&loopback());
    let mut socket = udp(&server);
    let client = challenged_as(&mut socket, server.mint("alice", Duration::from_secs(60)));
    let udp = RequestedTransport::new(17);
    let wrong = Client { password: "wrong".into(), ..client.clone() };
    assert_eq!(ask(&mut socket, &wrong, ALLOCATE, &[&udp]).code(), 401);
    let (username, password) = madang_turn::mint(SECRET, "alice", 1_000_000_000);
    let expired = Client { username, password, ..client.clone() };
    assert_eq!(ask(&mut socket, &expired, ALLOCATE, &[&udp]).code(), 401);
    let stale = Client { nonce: "stale".into(), ..client.clone() };
    assert_eq!(ask(&mut socket, &stale, ALLOCATE, &[&udp]).code(), 438);
    let answer = ask(&mut socket, &client, ALLOCATE, &[&udp]);
    assert_eq!(answer.code(), 0);
    let relayed = answer.relayed();
    assert!(relayed.ip().is_loopback() && relayed.port() >= 49152, "{relayed}");
    server.stop().await;
}

#[tokio::test]
async fn a_forbidden_peer_gets_403() {
    let server = serve(&loopback());
    let mut socket = udp(&server);
    let (client, _) = allocated(&mut socket);
    for peer in ["10.0.0.1:80", "169.254.169.254:80", "127.0.0.2:80"] {
        let transaction = TransactionId::generate();
        let peer = XorPeerAddress::new(peer.parse().expect("an address"), transaction);
        let number = ChannelNumberAttribute::new(0x4000);
        for (method, attributes) in
            [(CREATE_PERMISSION, &[&peer as &dyn AttributeWrite][..]), (CHANNEL_BIND, &[&number, &peer])]
        {
            Wire::send(&mut socket, &client.request(method, transaction, attributes));
            assert_eq!(Answer(socket.receive()).code(), 403, "{peer}");
        }
    }
}

#[tokio::test]
async fn answers_to_strangers_are_small() {
    let server = serve(&loopback());
    let mut socket = udp(&server);
    Wire::send(&mut socket, &bare(BINDING));
    let answer = socket.receive();
    assert!(answer.len() <= 100, "{} bytes", answer.len());
    let answer = Answer(answer);
    let message = answer.message();
    let mapped = message.attribute::<XorMappedAddress>().expect("an address").addr(message.transaction_id());
    assert_eq!(mapped, socket.local_addr().expect("bound"));
    Wire::send(&mut socket, &bare(ALLOCATE));
    assert!(socket.receive().len() <= 160);
}

#[tokio::test(flavor = "multi_thread")]
async fn data_crosses_between_a_datagram_client_and_a_stream_client() {
    let server = serve(&loopback());
    let (mut left, mut right) = (udp(&server), tcp(&server));
    let (alice, at_alice) = allocated(&mut left);
    let (bob, at_bob) = allocated(&mut right);
    bind(&mut left, &alice, at_bob);
    bind(&mut right, &bob, at_alice);
    for length in [0, 1, 5, 1200] {
        let data = vec![7; length];
        let mut packet = ChannelData::header(world::channel(0x4000), length).expect("short").to_vec();
        packet.extend_from_slice(&data);
        Wire::send(&mut left, &packet);
        assert_eq!(ChannelData::parse(&right.receive()).map(|channel| channel.data.to_vec()), Ok(data.clone()));
        packet.resize(packet.len() + ChannelData::padding(length), 0);
        right.send(&packet);
        assert_eq!(ChannelData::parse(&left.receive()).map(|channel| channel.data.to_vec()), Ok(data));
    }
}

/// Reads until the server hangs up; fails if it doesn't.
fn hangs_up(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(why) => assert_eq!(why.kind(), std::io::ErrorKind::ConnectionReset, "the server keeps the connection"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_not_stun_is_closed() {
    let server = serve(&loopback());
    for garbage in [&[0xFF; 64][..], &[0x16, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[0; 64]] {
        let mut wire = tcp(&server);
        wire.send(garbage);
        hangs_up(&mut wire.stream);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_one_address_are_limited() {
    let server = serve(&TurnConfig { connections_per_address: 2, ..loopback() });
    let mut first = tcp(&server);
    let mut second = tcp(&server);
    for wire in [&mut first, &mut second] {
        wire.send(&bare(BINDING));
        assert_eq!(Answer(wire.receive()).code(), 0);
    }
    hangs_up(&mut tcp(&server).stream);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allocation_ends_with_its_connection_and_its_port_is_free_again() {
    let server = serve(&loopback());
    let mut wire = tcp(&server);
    let (_, relayed) = allocated(&mut wire);
    assert!(UdpSocket::bind(relayed).is_err(), "the relay holds its port");
    drop(wire);
    let freed = (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        UdpSocket::bind(relayed).is_ok()
    });
    assert!(freed, "{relayed} is still held");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draining_server_keeps_allocations_and_a_stopped_one_frees_its_ports() {
    let server = serve(&loopback());
    let mut socket = udp(&server);
    let (client, relayed) = allocated(&mut socket);
    server.drain(None);
    assert_eq!(ask(&mut socket, &client, REFRESH, &[&Lifetime::new(600)]).code(), 0);
    // The thread hears of it in its next round, which may be after a packet or two.
    let refused = (0..100).any(|_| {
        let mut late = udp(&server);
        let newcomer = challenged(&mut late);
        ask(&mut late, &newcomer, ALLOCATE, &[&RequestedTransport::new(17)]).code() == 508
    });
    assert!(refused, "newcomers are refused");
    let address = server.addresses().turn[0];
    server.stop().await;
    UdpSocket::bind(address).expect("the listener is free");
    UdpSocket::bind(relayed).expect("the relay is free");
}

#[tokio::test]
async fn a_port_in_use_is_an_error_that_names_the_key() {
    let server = serve(&loopback());
    let config = TurnConfig { listen: madang_server::config::Many(vec![server.addresses().turn[0]]), ..loopback() };
    let failed = madang_server::turn::start(&config, &[], None, madang_server::turn::TurnMetrics::new());
    let message = failed.err().map(|why| why.to_string()).unwrap_or_default();
    assert!(message.contains("turn.listen"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_client_that_does_not_read_costs_bounded_memory_and_holds_up_nobody() {
    let server = serve(&loopback());
    let (mut left, mut right) = (udp(&server), tcp(&server));
    let (alice, at_alice) = allocated(&mut left);
    let (bob, at_bob) = allocated(&mut right);
    bind(&mut left, &alice, at_bob);
    bind(&mut right, &bob, at_alice);
    // Far more than socket buffers and the queue hold; what does not fit is dropped.
    let mut packet = ChannelData::header(world::channel(0x4000), 16_000).expect("short").to_vec();
    packet.resize(16_004, 7);
    for _ in 0..2000 {
        Wire::send(&mut left, &packet);
    }
    // The flood may have filled the listener's buffer, so a client asks again until it is heard.
    left.set_read_timeout(Some(Duration::from_millis(200))).expect("a time-out");
    let heard = (0..50).any(|_| {
        Wire::send(&mut left, &bare(BINDING));
        left.recv(&mut [0; 2048]).is_ok()
    });
    assert!(heard, "the shard goes on");
    let (mut received, mut last) = (0, Vec::new());
    right.stream.set_read_timeout(Some(Duration::from_millis(500))).expect("a time-out");
    let mut bytes = [0; 65_536];
    while let Ok(length) = right.stream.read(&mut bytes) {
        right.framer.push(&bytes[..length]);
        while let Some(frame) = right.framer.next_frame().expect("whole frames, whatever was dropped") {
            received += 1;
            last = frame.to_vec();
        }
    }
    assert!(received > 0 && received < 2000, "{received} of 2000 arrived");
    assert_eq!(last, packet);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unspecified_address_serves_this_machines_addresses_on_one_port() {
    let any = madang_server::config::Many(vec!["0.0.0.0:0".parse().expect("an address")]);
    let server = serve(&TurnConfig { listen: any, ..loopback() });
    let [listen] = server.addresses().turn[..] else { panic!("one entry, one address") };
    assert!(listen.ip().is_unspecified() && listen.port() != 0);
    let mut socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.connect(("127.0.0.1", listen.port())).expect("loopback");
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a time-out");
    let (_, relayed) = allocated(&mut socket);
    assert!(relayed.ip().is_loopback(), "the relay is where the client is: {relayed}");
}
