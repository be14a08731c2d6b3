//! What the TURN tests share: a server on loopback, coturn's tools.
#![allow(dead_code, clippy::panic, reason = "each test binary uses its own part, and fails where it has to")]

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use madang_server::{
    config::{Many, TurnConfig},
    turn::{TurnHandle, TurnMetrics, start},
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// The secret of every server made here.
pub(crate) const SECRET: &str = "a secret for tests";

/// A whole server for coturn's tools, over `support::start`: two shards, both families, encryption,
/// and peers on loopback.
pub(crate) const WHOLE: &str = r#"
tls.mode = "self-signed"
media.shards = 2
[turn]
listen = ["127.0.0.1:0", "[::1]:0"]
tls_listen = ["127.0.0.1:0", "[::1]:0"]
secrets = ["a secret for tests"]
allow_peers = ["127.0.0.0/8", "::1/128"]
users = { bob = "builder" }
"#;

/// TURN on free ports of loopback.
pub(crate) fn loopback() -> TurnConfig {
    let any = Many(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))]);
    TurnConfig { listen: any.clone(), tls_listen: any, secrets: Many(vec![SECRET.into()]), ..TurnConfig::default() }
}

/// Starts a server without TLS.
pub(crate) fn serve(config: &TurnConfig) -> TurnHandle {
    start(config, &[], None, TurnMetrics::new()).expect("free ports on loopback")
}

/// Starts a server with TLS too, under a certificate of its own making.
pub(crate) fn serve_tls(config: &TurnConfig) -> TurnHandle {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("key and certificate belong together");
    start(config, &[], Some(Arc::new(tls)), TurnMetrics::new()).expect("free ports on loopback")
}

/// Where a tool of coturn is.
pub(crate) fn tool(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed; `make test` installs it (Debian: the package coturn)"))
}

/// Runs a tool to its end and gives back all it has printed.
pub(crate) async fn run(tool: PathBuf, args: &[&str]) -> String {
    let mut command = tokio::process::Command::new(tool);
    command.args(args).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(60), command.output()).await;
    let output = output.expect("the tool ends within a minute").expect("the tool runs");
    [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat()
}

/// Runs uclient, with the test secret unless it has a password. It ends with 0 even when it lost
/// everything, so its report decides.
pub(crate) async fn nothing_is_lost(args: &[&str]) {
    let user: &[&str] = if args.contains(&"-w") { &[] } else { &["-u", "alice", "-W", SECRET] };
    let args: Vec<&str> = user.iter().chain(args).copied().collect();
    let report = run(tool("turnutils_uclient"), &args).await;
    assert!(report.contains("Total lost packets 0 "), "turnutils_uclient {}\n{report}", args.join(" "));
}

/// `turnutils_peer`: sends back whatever comes.
pub(crate) struct Peer {
    pub(crate) port: u16,
    process: Child,
}

impl Peer {
    pub(crate) fn start() -> Self {
        Self::at(Ipv4Addr::LOCALHOST.into())
    }

    pub(crate) fn ipv6() -> Self {
        Self::at(Ipv6Addr::LOCALHOST.into())
    }

    fn at(ip: IpAddr) -> Self {
        let free = UdpSocket::bind((ip, 0)).and_then(|socket| socket.local_addr());
        let port = free.expect("a free port").port();
        let mut command = Command::new(tool("turnutils_peer"));
        command.args(["-p", &port.to_string(), "-L", &ip.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("turnutils_peer runs");
        wait_for_echo(SocketAddr::new(ip, port));
        Self { port, process }
    }
}

/// Waits until the peer has opened its socket.
fn wait_for_echo(peer: SocketAddr) {
    let socket = UdpSocket::bind((peer.ip(), 0)).expect("a free port");
    socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a time-out");
    for _ in 0..200 {
        let _ = socket.send_to(b"echo?", peer);
        if socket.recv(&mut [0; 16]).is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("turnutils_peer does not answer");
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
