//! Our TURN server as coturn's own clients see it, on real sockets.

mod turn_support;

use std::net::Ipv4Addr;

use madang_server::{
    config::{Many, TurnConfig},
    turn::TurnHandle,
};
use turn_support::{Peer, SECRET, loopback, run, serve, tool};

/// A server that lets clients reach `turnutils_peer` on loopback.
fn with_loopback_peers() -> TurnConfig {
    TurnConfig { allow_peers: Many(vec!["127.0.0.0/8".parse().expect("a network")]), ..loopback() }
}

fn port(server: &TurnHandle) -> String {
    server.addresses().turn[0].port().to_string()
}

/// uclient ends with 0 even when it lost everything, so its report decides.
async fn nothing_is_lost(args: &[&str]) {
    let report = run(tool("turnutils_uclient"), args).await;
    assert!(report.contains("Total lost packets 0 "), "turnutils_uclient {}\n{report}", args.join(" "));
}

/// Runs uclient against `peer` with three clients of twenty messages each.
async fn relayed(server_port: &str, peer: &Peer, extra: &[&str]) {
    let peer_port = peer.port.to_string();
    let common =
        ["-u", "alice", "-n", "20", "-m", "3", "-l", "170", "-e", "127.0.0.1", "-r", &peer_port, "-p", server_port];
    let args: Vec<&str> = common.iter().chain(extra).copied().chain(["127.0.0.1"]).collect();
    nothing_is_lost(&args).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uclient_relays_over_udp_with_a_secret() {
    let (server, peer) = (serve(with_loopback_peers()), Peer::start());
    relayed(&port(&server), &peer, &["-W", SECRET]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stunclient_learns_its_address() {
    let server = serve(loopback());
    let report = run(tool("turnutils_stunclient"), &["-p", &port(&server), "127.0.0.1"]).await;
    let expected = format!("UDP reflexive addr: {}:", Ipv4Addr::LOCALHOST);
    assert!(report.contains(&expected), "{report}");
}
