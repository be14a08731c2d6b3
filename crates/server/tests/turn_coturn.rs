//! Our TURN server as coturn's own clients see it, on real sockets.

mod turn_support;

use std::net::Ipv4Addr;

use madang_server::config::{Many, TurnConfig};
use turn_support::{Peer, SECRET, loopback, run, serve, serve_tls, tool};

/// A server that lets clients reach `turnutils_peer` on loopback.
fn with_loopback_peers() -> TurnConfig {
    TurnConfig { allow_peers: Many(vec!["127.0.0.0/8".parse().expect("a network")]), ..loopback() }
}

/// uclient ends with 0 even when it lost everything, so its report decides.
async fn nothing_is_lost(args: &[&str]) {
    let report = run(tool("turnutils_uclient"), args).await;
    assert!(report.contains("Total lost packets 0 "), "turnutils_uclient {}\n{report}", args.join(" "));
}

/// Three clients send twenty messages each to `turnutils_peer` and get them back.
async fn relayed(server_port: u16, extra: &[&str]) {
    let peer = Peer::start();
    let (server_port, peer_port) = (server_port.to_string(), peer.port.to_string());
    let common = ["-n", "20", "-m", "3", "-l", "170", "-e", "127.0.0.1", "-r", &peer_port, "-p", &server_port];
    let args: Vec<&str> = common.iter().chain(extra).copied().chain(["127.0.0.1"]).collect();
    nothing_is_lost(&args).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uclient_relays_over_udp_with_a_secret() {
    let server = serve(&with_loopback_peers());
    relayed(server.addresses().turn[0].port(), &["-u", "alice", "-W", SECRET]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uclient_relays_over_udp_with_a_static_user_and_indications() {
    let mut config = with_loopback_peers();
    config.users.insert("bob".into(), "builder".into());
    let server = serve(&config);
    relayed(server.addresses().turn[0].port(), &["-u", "bob", "-w", "builder", "-s"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uclient_relays_over_tcp() {
    let server = serve(&with_loopback_peers());
    relayed(server.addresses().turn[0].port(), &["-t", "-u", "alice", "-W", SECRET]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uclient_relays_over_tcp_with_indications_and_odd_lengths() {
    let server = serve(&with_loopback_peers());
    relayed(server.addresses().turn[0].port(), &["-t", "-s", "-l", "101", "-u", "alice", "-W", SECRET]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uclient_relays_over_tls() {
    let server = serve_tls(&with_loopback_peers());
    relayed(server.addresses().turn_tls[0].port(), &["-t", "-S", "-u", "alice", "-W", SECRET]).await;
}

/// Both ends are allocations of ours on loopback, which the policy refuses to everybody else.
async fn meets_itself(server_port: u16, extra: &[&str]) {
    let server_port = server_port.to_string();
    let common = ["-y", "-c", "-n", "20", "-m", "4", "-l", "170", "-u", "alice", "-W", SECRET, "-p", &server_port];
    let args: Vec<&str> = common.iter().chain(extra).copied().chain(["127.0.0.1"]).collect();
    nothing_is_lost(&args).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clients_that_both_need_the_relay_meet_by_default() {
    let server = serve(&loopback());
    meets_itself(server.addresses().turn[0].port(), &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clients_meet_over_tcp_by_default() {
    let server = serve(&loopback());
    meets_itself(server.addresses().turn[0].port(), &["-t"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_on_loopback_is_out_of_reach_by_default() {
    let (server, peer) = (serve(&loopback()), Peer::start());
    let (server_port, peer_port) = (server.addresses().turn[0].port().to_string(), peer.port.to_string());
    let args = [
        "-c",
        "-n",
        "5",
        "-u",
        "alice",
        "-W",
        SECRET,
        "-e",
        "127.0.0.2",
        "-r",
        &peer_port,
        "-p",
        &server_port,
        "127.0.0.1",
    ];
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
