//! A changed configuration while the server runs.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod turn_support;

use std::{path::Path, time::Duration};

use madang_server::{
    Config, Server,
    config::{Many, TurnConfig},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use turn_support::{Peer, SECRET, loopback, run, serve, tool};

const NEW: &str = "another secret for tests";
const PATIENCE: Duration = Duration::from_secs(10);

/// What uclient says of messages to `turnutils_peer` with a secret.
async fn relays(port: u16, peer: &Peer, secret: &str, messages: &str) -> bool {
    let (port, peer) = (port.to_string(), peer.port.to_string());
    let args =
        ["-n", messages, "-m", "1", "-c", "-e", "127.0.0.1", "-r", &peer, "-p", &port, "-u", "alice", "-W", secret];
    let args: Vec<&str> = args.into_iter().chain(["127.0.0.1"]).collect();
    run(tool("turnutils_uclient"), &args).await.contains("Total lost packets 0 ")
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_and_peers_change_for_new_allocations_and_live_ones_go_on() {
    let allow = Many(vec!["127.0.0.0/8".parse().unwrap()]);
    let old = TurnConfig { allow_peers: allow.clone(), ..loopback() };
    let server = serve(&old);
    let (port, peer) = (server.addresses().turn[0].port(), Peer::start());
    assert!(relays(port, &peer, SECRET, "5").await);
    let live = relays(port, &peer, SECRET, "200");
    let change = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let denied = TurnConfig { secrets: Many(vec![NEW.into()]), ..loopback() };
        server.reload(&denied);
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!relays(port, &peer, SECRET, "1").await, "the former secret still opens allocations");
        assert!(!relays(port, &peer, NEW, "1").await, "a peer that is not allowed any more is reached");
        server.reload(&TurnConfig { allow_peers: allow, ..denied });
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(relays(port, &peer, NEW, "5").await, "the new secret is refused");
    };
    let (live, ()) = tokio::join!(live, change);
    assert!(live, "an allocation that lived has lost something");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_handed_out_are_signed_with_the_new_secret() {
    let server = serve(&loopback());
    let before = server.mint("ada", Duration::from_secs(600));
    server.reload(&TurnConfig { secrets: Many(vec![NEW.into(), SECRET.into()]), ..loopback() });
    let after = server.mint("ada", Duration::from_secs(600));
    assert_ne!(before.1, after.1);
    server.reload(&TurnConfig { secrets: Many(Vec::new()), ..loopback() });
    let random = server.mint("ada", Duration::from_secs(600));
    assert_ne!(random.1, after.1, "a secret that is named no more is good no more");
    server.reload(&TurnConfig { secrets: Many(Vec::new()), ..loopback() });
    assert_eq!(server.mint("ada", Duration::from_secs(600)).1, random.1, "a random one that is in use goes on");
}

/// A certificate and its key in files.
fn certificate(folder: &Path) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
}

fn with_files(folder: &Path, more: &str) -> Config {
    let any = "http.listen = \"127.0.0.1:0\"\nmedia.listen = \"127.0.0.1:0\"\nturn.listen = \"127.0.0.1:0\"\n\
               turn.tls_listen = \"127.0.0.1:0\"";
    let files =
        format!("tls.mode = \"files\"\ntls.cert = \"{0}/cert.pem\"\ntls.key = \"{0}/key.pem\"", folder.display());
    Config::parse("a test", &format!("{any}\n{files}\n{more}")).unwrap()
}

/// What `openssl` sees.
async fn shown(server: &Server) -> String {
    let address = server.addresses().turn_tls[0].to_string();
    let output = run(tool("openssl"), &["s_client", "-connect", &address]).await;
    let (_, begun) = output.split_once("-----BEGIN CERTIFICATE-----").unwrap();
    begun.split_once("-----END").unwrap().0.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_elsewhere_is_taken_over_and_one_that_is_none_changes_nothing() {
    let [first, second, none] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
    certificate(first.path());
    certificate(second.path());
    let server = Server::start(with_files(first.path(), "")).await.unwrap();
    let before = shown(&server).await;
    let why = server.reload(&with_files(none.path(), "turn.allocations = 1")).err().unwrap();
    assert!(why.to_string().contains("cert.pem"), "{why}");
    assert_eq!(shown(&server).await, before);
    let changes = server.reload(&with_files(second.path(), "turn.allocations = 1\nroom.max_tracks = 3")).unwrap();
    let named: Vec<_> = changes.iter().map(|change| (change.key, change.live)).collect();
    let expected = [("tls.cert", true), ("tls.key", true), ("room.max_tracks", false), ("turn.allocations", true)];
    assert_eq!(named, expected, "what was refused before counts as changed now");
    assert_ne!(shown(&server).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_allocate_nothing_are_bounded_by_network() {
    const BINDING: [u8; 20] = *b"\x00\x01\x00\x00\x21\x12\xA4\x42a transac.ID";
    let server = serve(&loopback());
    let address = server.addresses().turn[0];
    let mut strangers = Vec::new();
    for _ in 0..256 {
        strangers.push(TcpStream::connect(address).await.unwrap());
    }
    let ask = async || {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let _ = stream.write_all(&BINDING).await;
        matches!(timeout(PATIENCE, stream.read(&mut [0; 64])).await.unwrap(), Ok(1..))
    };
    assert!(!ask().await, "one more is let in");
    strangers.truncate(200);
    let end = std::time::Instant::now() + PATIENCE;
    while !ask().await {
        assert!(std::time::Instant::now() < end, "nobody is let in any more");
    }
}
