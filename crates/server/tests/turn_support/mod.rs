//! What the TURN tests share: a server on loopback, coturn's tools.
#![allow(dead_code, clippy::panic, reason = "each test binary uses its own part, and fails where it has to")]

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
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

/// `turnutils_peer`: sends back whatever comes.
pub(crate) struct Peer {
    pub(crate) port: u16,
    process: Child,
}

impl Peer {
    pub(crate) fn start() -> Self {
        let free = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
        let port = free.expect("a free port").port();
        let mut command = Command::new(tool("turnutils_peer"));
        command.args(["-p", &port.to_string(), "-L", "127.0.0.1"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("turnutils_peer runs");
        wait_for_echo(port);
        Self { port, process }
    }
}

/// Waits until the peer has opened its socket.
fn wait_for_echo(port: u16) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a time-out");
    for _ in 0..200 {
        let _ = socket.send_to(b"echo?", (Ipv4Addr::LOCALHOST, port));
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
