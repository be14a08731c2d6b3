//! DTLS as other people's clients speak it, on real sockets: OpenSSL's own, and coturn's through it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;
mod turn_support;

use std::{net::SocketAddr, process::Stdio, time::Duration};

use madang_server::Server;
use support::{metric, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use turn_support::{Peer, SECRET, WHOLE, run, tool};

/// A Binding request, RFC 8489 §5.
const BINDING: [u8; 20] = *b"\x00\x01\x00\x00\x21\x12\xA4\x42a transac.ID";

/// What `openssl` hears to a Binding request over DTLS from a server whose certificate it trusts.
async fn answered(address: SocketAddr, trusted: &std::path::Path) -> [u8; 20] {
    let mut client = tokio::process::Command::new(tool("openssl"));
    client.args(["s_client", "-dtls1_2", "-quiet", "-verify_return_error", "-connect", &address.to_string()]);
    client.arg("-CAfile").arg(trusted).kill_on_drop(true);
    client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut client = client.spawn().unwrap();
    let (mut to, mut from) = (client.stdin.take().unwrap(), client.stdout.take().unwrap());
    to.write_all(&BINDING).await.unwrap();
    to.flush().await.unwrap();
    let mut answer = [0; 20];
    let read = tokio::time::timeout(Duration::from_secs(20), from.read_exact(&mut answer)).await;
    let _ = client.start_kill();
    let said = client.wait_with_output().await.unwrap().stderr;
    assert!(matches!(read, Ok(Ok(_))), "no answer: {}", String::from_utf8_lossy(&said));
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_is_answered_on_every_udp_port_under_a_certificate_that_it_trusts() {
    let folder = tempfile::tempdir().unwrap();
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    let files = format!("tls.cert = \"{}\"\ntls.key = \"{}\"", cert.display(), key.display());
    let server = start(&format!("{files}\n{WHOLE}")).await;
    for address in server.addresses().turn.iter().chain(&server.addresses().turn_tls) {
        let answer = answered(*address, &cert).await;
        assert_eq!(answer[..2], [0x01, 0x01], "no success on {address}");
        assert_eq!(answer[4..], BINDING[4..]);
    }
}

/// coturn's client, version 4.6, draws for each connection whether it speaks DTLS 1.0 alone or 1.2
/// alone. RFC 8996 forbids 1.0, so here both of its methods are that of 1.2.
const ONLY_1_2: &str = "void *DTLSv1_2_client_method(void);
void *DTLSv1_client_method(void) { return DTLSv1_2_client_method(); }
";

/// Where `turnutils_uclient` finds no other method.
struct Only1_2 {
    folder: tempfile::TempDir,
}

impl Only1_2 {
    async fn compiled() -> Self {
        let made = Self { folder: tempfile::tempdir().unwrap() };
        let source = made.folder.path().join("method.c");
        std::fs::write(&source, ONLY_1_2).unwrap();
        let mut cc = tokio::process::Command::new(tool("cc"));
        cc.args(["-shared", "-fPIC", "-o"]).arg(made.library()).arg(&source);
        assert!(cc.status().await.unwrap().success());
        made
    }

    fn library(&self) -> std::path::PathBuf {
        self.folder.path().join("method.so")
    }

    /// Runs uclient over DTLS. It ends with 0 even when it lost everything, so its report decides.
    async fn nothing_is_lost(&self, listener: SocketAddr, args: &[&str]) {
        let preload = format!("LD_PRELOAD={}", self.library().display());
        let uclient = tool("turnutils_uclient").display().to_string();
        let (port, host) = (listener.port().to_string(), listener.ip().to_string());
        let common = [&preload, &uclient, "-S", "-u", "alice", "-W", SECRET, "-n", "20", "-p", &port];
        let args: Vec<&str> = common.into_iter().chain(args.iter().copied()).chain([host.as_str()]).collect();
        let report = run(tool("env"), &args).await;
        assert!(report.contains("Total lost packets 0 "), "{}\n{report}", args.join(" "));
    }
}

async fn has_relayed(server: &Server, bytes: u64) {
    for direction in ["client_to_peer", "peer_to_client"] {
        let relayed = metric(server, &format!("madang_turn_relayed_bytes_total{{direction=\"{direction}\"}}")).await;
        assert!(relayed >= bytes, "{relayed} bytes {direction}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn uclient_relays_over_dtls_on_every_udp_port() {
    let (server, peers, dtls) = (start(WHOLE).await, [Peer::start(), Peer::ipv6()], Only1_2::compiled().await);
    let [at_ipv4, at_ipv6] = peers.each_ref().map(|peer| peer.port.to_string());
    let at_ipv4 = ["-m", "3", "-e", "127.0.0.1", "-r", &at_ipv4];
    let at_ipv6 = ["-m", "3", "-x", "-e", "::1", "-r", &at_ipv6];
    let relay = async |listener, peer: [&str; 6], extra: &[&str]| {
        dtls.nothing_is_lost(listener, &peer.iter().chain(extra).copied().collect::<Vec<_>>()).await;
    };
    let [open, open_ipv6] = server.addresses().turn[..] else { panic!("one of each family") };
    let [encrypted, encrypted_ipv6] = server.addresses().turn_tls[..] else { panic!("one of each family") };
    let at_ipv6 = &at_ipv6[..];
    let relay_ipv6 = async |listener| dtls.nothing_is_lost(listener, at_ipv6).await;
    tokio::join!(
        relay(open, at_ipv4, &["-l", "1200"]),
        relay(encrypted, at_ipv4, &["-l", "170"]),
        relay(encrypted, at_ipv4, &["-l", "101", "-s"]),
        relay_ipv6(open_ipv6),
        relay_ipv6(encrypted_ipv6),
    );
    has_relayed(&server, 5 * 20 * 3 * 100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_meet_over_dtls() {
    let (server, dtls) = (start(WHOLE).await, Only1_2::compiled().await);
    dtls.nothing_is_lost(server.addresses().turn_tls[0], &["-y", "-c", "-m", "4", "-l", "170"]).await;
    has_relayed(&server, 20 * 4 * 100).await;
}
