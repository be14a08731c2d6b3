//! The whole server as coturn's own clients see it, on real sockets and two shards. They wait more
//! than they work, so those of a test run at one time.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;
mod turn_support;

use std::net::Ipv4Addr;

use futures_util::future::join_all;
use madang_server::Server;
use support::{metric, start};
use turn_support::{Peer, SECRET, WHOLE, loopback, nothing_is_lost, run, serve, tool};

/// Messages of each client, and their bytes.
const COMMON: [&str; 5] = ["-n", "20", "-l", "170", "-p"];

/// A transport: its flags, and which listener.
type Transport = (&'static [&'static str], fn(&Server) -> u16);

const UDP: Transport = (&[], |server| server.addresses().turn[0].port());
const TCP: Transport = (&["-t"], |server| server.addresses().turn[0].port());
const TLS: Transport = (&["-t", "-S"], |server| server.addresses().turn_tls[0].port());

/// Checks that so many bytes have gone each way.
async fn has_relayed(server: &Server, bytes: u64) {
    for direction in ["client_to_peer", "peer_to_client"] {
        let relayed = metric(server, &format!("madang_turn_relayed_bytes_total{{direction=\"{direction}\"}}")).await;
        assert!(relayed >= bytes, "{relayed} bytes of {bytes} {direction}");
    }
}

/// Two clients over each transport send twenty messages each to `turnutils_peer` and get them back.
async fn relay(server: &Server, transports: &[Transport], extra: &[&str]) {
    let peer = Peer::start();
    let at_peer = ["-m", "2", "-e", "127.0.0.1", "-r", &peer.port.to_string()];
    join_all(transports.iter().map(async |(flags, port)| {
        let port = port(server).to_string();
        let args = COMMON.into_iter().chain([port.as_str()]).chain(at_peer).chain(flags.iter().copied());
        nothing_is_lost(&args.chain(extra.iter().copied()).chain(["127.0.0.1"]).collect::<Vec<_>>()).await;
    }))
    .await;
    has_relayed(server, 20 * 2 * 100 * transports.len() as u64).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uclient_relays_by_channels_over_udp_tcp_and_tls_and_as_a_static_user() {
    let server = start(WHOLE).await;
    let static_user = ["-u", "bob", "-w", "builder"];
    tokio::join!(relay(&server, &[UDP, TCP, TLS], &[]), relay(&server, &[UDP], &static_user));
}

#[tokio::test(flavor = "multi_thread")]
async fn uclient_relays_by_indications_of_odd_lengths_over_udp_tcp_and_tls() {
    relay(&start(WHOLE).await, &[UDP, TCP, TLS], &["-s", "-l", "101"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uclient_moves_to_another_port_and_keeps_its_allocations() {
    let server = start(WHOLE).await;
    tokio::join!(relay(&server, &[UDP], &["-M"]), meet(&server, &[UDP], &["-M"]));
    let moves = metric(&server, "madang_turn_moves_total").await;
    assert!(moves >= 2 + 4, "{moves} moves of two clients and four");
}

#[tokio::test(flavor = "multi_thread")]
async fn uclient_relays_on_ipv6_over_udp_tcp_and_tls() {
    let (server, peer) = (start(WHOLE).await, Peer::ipv6());
    let at_peer = ["-x", "-m", "2", "-e", "::1", "-r", &peer.port.to_string()];
    let (open, encrypted) = (server.addresses().turn[1], server.addresses().turn_tls[1]);
    assert!(open.is_ipv6() && encrypted.is_ipv6());
    join_all([(open, &[][..]), (open, &["-t"]), (encrypted, &["-t", "-S"])].map(async |(listener, flags)| {
        let port = listener.port().to_string();
        let args = COMMON.into_iter().chain([port.as_str()]).chain(at_peer).chain(flags.iter().copied());
        nothing_is_lost(&args.chain(["::1"]).collect::<Vec<_>>()).await;
    }))
    .await;
    has_relayed(&server, 20 * 2 * 100 * 3).await;
}

/// Four clients over each transport send twenty messages to each other.
async fn meet(server: &Server, transports: &[Transport], extra: &[&str]) {
    join_all(transports.iter().map(async |(flags, port)| {
        let port = port(server).to_string();
        let args = COMMON.into_iter().chain([port.as_str(), "-y", "-c", "-m", "4"]).chain(flags.iter().copied());
        nothing_is_lost(&args.chain(extra.iter().copied()).chain(["127.0.0.1"]).collect::<Vec<_>>()).await;
    }))
    .await;
    has_relayed(server, 20 * 4 * 100 * transports.len() as u64).await;
}

/// Both ends are allocations of ours on loopback, which the policy refuses to everybody else.
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_both_need_the_relay_meet_by_default_over_udp_tcp_and_tls() {
    let closed = WHOLE.lines().filter(|line| !line.starts_with("allow_peers")).collect::<Vec<_>>().join("\n");
    let server = start(&closed).await;
    tokio::join!(meet(&server, &[UDP, TCP, TLS], &[]), meet(&server, &[UDP, TCP, TLS], &["-s"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_on_loopback_is_out_of_reach_by_default() {
    let (server, peer) = (serve(&loopback()), Peer::start());
    let (port, peer) = (server.addresses().turn[0].port().to_string(), peer.port.to_string());
    let user = ["-c", "-n", "5", "-u", "alice", "-W", SECRET];
    let args: Vec<&str> = user.into_iter().chain(["-e", "127.0.0.2", "-r", &peer, "-p", &port, "127.0.0.1"]).collect();
    let report = run(tool("turnutils_uclient"), &args).await;
    assert!(report.contains("error 403 (Forbidden)"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stunclient_learns_its_address() {
    let server = serve(&loopback());
    let port = server.addresses().turn[0].port().to_string();
    let report = run(tool("turnutils_stunclient"), &["-p", &port, "127.0.0.1"]).await;
    let expected = format!("UDP reflexive addr: {}:", Ipv4Addr::LOCALHOST);
    assert!(report.contains(&expected), "{report}");
}
