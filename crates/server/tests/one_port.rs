//! The port of HTTPS, which serves TURN over TLS and ICE-TCP too.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod media_support;
mod raw_support;
mod support;
mod turn_support;

use std::{net::SocketAddr, time::Duration};

use madang_server::Server;
use madang_wire::stun::{
    ALLOCATE, BINDING, IntegrityAlgorithm, Message, MessageClass, MessageIntegrityCredentials, MessageType,
    MessageWrite, MessageWriteExt, MessageWriteVec, RequestedTransport, ShortTermCredentials, TransactionId, Username,
};
use media_support::Person;
use raw_support::{Stream, Wire, ask, bare, bind, challenged_as, channel_data, credentials, on_channel};
use support::{Client, PATIENCE, authority, get, metric, start, trust};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use turn_support::{Peer, WHOLE, nothing_is_lost};

fn address(server: &Server) -> SocketAddr {
    authority(server).parse().unwrap()
}

/// TURN on the web listener's port, inside TLS.
fn turn_over_tls(server: &Server) -> Stream<impl std::io::Read + std::io::Write + use<>> {
    let stream = std::net::TcpStream::connect(address(server)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    Stream::new(trust::over(stream))
}

/// Reads until the server hangs up.
async fn hangs_up(mut stream: impl AsyncRead + Unpin) {
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("the server keeps the connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn https_websockets_and_turn_share_a_port_at_one_time() {
    let server = start(WHOLE).await;
    let (_ada, welcome) = Client::join(&server, "yard", "Ada").await;
    let mut sides = [turn_over_tls(&server), turn_over_tls(&server)];
    let [(alice, at_alice), (bob, at_bob)] = sides.each_mut().map(raw_support::allocated);
    bind(&mut sides[0], &alice, at_bob);
    bind(&mut sides[1], &bob, at_alice);
    for length in [4, 160, 1200] {
        sides[0].send(&on_channel(&vec![7; length]));
        assert_eq!(channel_data(&sides[1].receive()), vec![7; length]);
        sides[1].send(&on_channel(&vec![8; length]));
        assert_eq!(channel_data(&sides[0].receive()), vec![8; length]);
    }
    assert_eq!(metric(&server, "madang_turn_allocations{transport=\"tls\"}").await, 2);
    assert_eq!(get(&server, "/healthz", "").await.0, 200);
    let (_bo, second) = Client::join(&server, "yard", "Bo").await;
    assert_eq!(second["participants"][0]["id"], welcome["self"]["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn uclient_relays_over_tls_on_the_port_of_https_and_over_tcp_on_that_of_http() {
    let (https, http) = (start(WHOLE).await, start(&WHOLE.replace("self-signed", "off")).await);
    let peer = Peer::start();
    let at_peer = ["-n", "20", "-m", "3", "-e", "127.0.0.1", "-r", &peer.port.to_string()];
    let relay = async |server: &Server, flags: &[&str]| {
        let port = address(server).port().to_string();
        let args = at_peer.iter().chain(flags).copied().chain(["-p", &port, "127.0.0.1"]);
        nothing_is_lost(&args.collect::<Vec<_>>()).await;
        assert_ne!(metric(server, "madang_turn_relayed_bytes_total").await, 0);
        assert_eq!(get(server, "/healthz", "").await.0, 200);
    };
    tokio::join!(relay(&https, &["-t", "-S"]), relay(&http, &["-t"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_welcome_names_the_port_of_https_for_turn() {
    let server = start(WHOLE).await;
    let (_ada, welcome) = Client::join(&server, "yard", "Ada").await;
    let urls = welcome["ice_servers"][1]["urls"].as_array().unwrap();
    let named = format!("turns:{}?transport=tcp", address(&server));
    assert!(urls.iter().any(|url| url == named.as_str()), "{named} is not in {urls:?}");
    let mut wire = turn_over_tls(&server);
    let text = |key: &str| welcome["ice_servers"][1][key].as_str().unwrap().to_owned();
    let client = challenged_as(&mut wire, (text("username"), text("credential")));
    assert_eq!(ask(&mut wire, &client, ALLOCATE, &[&RequestedTransport::new(17)]).code(), 0);
}

/// A packet of ICE-TCP (RFC 4571 §2).
fn framed(packet: &[u8]) -> Vec<u8> {
    [&u16::try_from(packet.len()).unwrap().to_be_bytes()[..], packet].concat()
}

/// Sends a check; the answer, unless the server hangs up.
async fn checked(server: &Server, check: &[u8]) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(address(server)).await.unwrap();
    stream.write_all(&framed(check)).await.unwrap();
    let read = async {
        let mut answer = vec![0; stream.read_u16().await.ok()?.into()];
        stream.read_exact(&mut answer).await.ok()?;
        Some(answer)
    };
    timeout(PATIENCE, read).await.expect("an answer or an end")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_over_ice_tcp_reaches_its_session_on_whichever_shard_and_a_strangers_is_cut_off() {
    let server = start(WHOLE).await;
    // Rooms live on the shards in turn.
    for room in ["yard", "park"] {
        let check = Person::join(&server, room, "Ada").await.check().await;
        let sent = Message::from_bytes(&check).unwrap();
        assert_eq!((sent.class(), sent.method()), (MessageClass::Request, BINDING));
        let answer = checked(&server, &check).await.expect("an answer");
        let answer = Message::from_bytes(&answer).unwrap();
        assert_eq!(answer.class(), MessageClass::Success);
        assert_eq!(answer.transaction_id(), sent.transaction_id());
    }
    for user in ["nobody:here", "no"] {
        assert_eq!(checked(&server, &strange(user)).await, None, "{user} is answered");
    }
    assert_eq!(get(&server, "/healthz", "").await.0, 200);
}

/// A check of a session that does not exist.
fn strange(user: &str) -> Vec<u8> {
    let kind = MessageType::from_class_method(MessageClass::Request, BINDING);
    let mut check = Message::builder(kind, TransactionId::generate(), MessageWriteVec::new());
    check.add_attribute(&Username::new(user).unwrap()).unwrap();
    let password = MessageIntegrityCredentials::ShortTerm(ShortTermCredentials::new("0123456789012345678901".into()));
    check.add_message_integrity(&password, IntegrityAlgorithm::Sha1).unwrap();
    check.add_fingerprint().unwrap();
    check.finish()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_ice_tcp_is_spoken_in_the_clear_on_the_port_of_https() {
    let server = start(WHOLE).await;
    for said in [&b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"[..], &bare(ALLOCATE), &[0xFF; 64]] {
        let mut stream = TcpStream::connect(address(&server)).await.unwrap();
        stream.write_all(said).await.unwrap();
        let mut rest = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("it is closed");
        assert_eq!(rest, [0; 0], "{said:?} is answered");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_is_cut_off_before_and_inside_tls() {
    let server = start(&format!("http.handshake_timeout = \"300ms\"\n{WHOLE}")).await;
    for begun in [&[][..], &[0], &bare(ALLOCATE)[..6], &[0x16, 3, 1]] {
        let mut stream = TcpStream::connect(address(&server)).await.unwrap();
        stream.write_all(begun).await.unwrap();
        hangs_up(stream).await;
    }
    for begun in [&[][..], &bare(ALLOCATE)[..6], b"GET / "] {
        let mut stream = trust::connect(&authority(&server)).await.unwrap();
        stream.write_all(begun).await.unwrap();
        stream.flush().await.unwrap();
        hangs_up(stream).await;
    }
    // A TURN client has said enough with its first message, and may then take its time.
    let mut wire = turn_over_tls(&server);
    let (alice, _) = raw_support::allocated(&mut wire);
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(raw_support::permit(&mut wire, &alice, "127.0.0.1:9".parse().unwrap()), 0);
}

/// More than the half-open connections of one network.
const MANY: usize = 520;

#[tokio::test(flavor = "multi_thread")]
async fn turn_connections_that_have_begun_are_not_half_open_any_more() {
    let limits = "http.max_connections_per_address = 2000";
    let server = start(&format!("{limits}\n{}", WHOLE.replace("self-signed", "off"))).await;
    let mut wires = Vec::new();
    for number in 0..MANY {
        let mut wire = raw_support::tcp(address(&server));
        let client = challenged_as(&mut wire, credentials(&format!("user {}", number / 100)));
        let answer = ask(&mut wire, &client, ALLOCATE, &[&RequestedTransport::new(17)]);
        assert_eq!(answer.code(), 0, "connection {number}");
        wires.push(wire);
    }
    assert_eq!(get(&server, "/healthz", "").await.0, 200, "the web is cut off by those who relay");
}
