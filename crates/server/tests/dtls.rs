//! DTLS as other people's clients speak it, on real sockets: OpenSSL's own, and coturn's through it.
//! The listener stands in front of our TURN server here, a UDP socket for each of its clients.

mod turn_support;

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use madang_server::{
    config::{Many, TurnConfig},
    turn::dtls::{DtlsCounters, DtlsLimits, DtlsListener, DtlsOutput},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use turn_support::{Peer, SECRET, loopback, run, serve, tool};

/// A Binding request, RFC 8489 §5.
const BINDING: [u8; 20] = *b"\x00\x01\x00\x00\x21\x12\xA4\x42a transac.ID";

/// The listener on a socket of its own, and what it brings to and from a TURN server.
struct Front {
    address: SocketAddr,
    certificate: String,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<DtlsCounters>>,
}

impl Front {
    fn start(turn: SocketAddr) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let socket = udp();
        let address = socket.local_addr().expect("bound");
        let (chain, key) = ([made.cert.der().to_vec()], made.signing_key.serialize_der());
        let listener = DtlsListener::new(&chain, &key, DtlsLimits::default(), &rand::random(), Instant::now());
        let listener = listener.expect("an ECDSA key");
        let stop = Arc::new(AtomicBool::new(false));
        let mut carrier = Carrier { socket, turn, listener, clients: HashMap::new() };
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                carrier.round();
            }
            carrier.listener.counters()
        });
        Self { address, certificate: made.cert.pem(), stop, thread: Some(thread) }
    }

    fn end(mut self) -> DtlsCounters {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().map(|thread| thread.join().expect("no panic")).unwrap_or_default()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn udp() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    socket.set_nonblocking(true).expect("a socket");
    socket
}

struct Carrier {
    socket: UdpSocket,
    turn: SocketAddr,
    listener: DtlsListener,
    clients: HashMap<SocketAddr, UdpSocket>,
}

impl Carrier {
    fn round(&mut self) {
        let mut buffer = [0; 65_536];
        let mut idle = true;
        while let Ok((length, from)) = self.socket.recv_from(&mut buffer) {
            idle = false;
            self.listener.receive(Instant::now(), from, &buffer[..length]);
            self.drain();
        }
        let mut answers = Vec::new();
        for (client, socket) in &self.clients {
            while let Ok(length) = socket.recv(&mut buffer) {
                answers.push((*client, buffer[..length].to_vec()));
            }
        }
        for (client, packet) in answers {
            idle = false;
            self.listener.send(Instant::now(), client, &packet);
            self.drain();
        }
        self.listener.timeout(Instant::now());
        self.drain();
        if idle {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn drain(&mut self) {
        loop {
            match self.listener.poll() {
                DtlsOutput::Datagram { to, datagram } => drop(self.socket.send_to(datagram, to)),
                DtlsOutput::Packet { from, packet } => {
                    let socket = self.clients.entry(from).or_insert_with(udp);
                    let _ = socket.send_to(packet, self.turn);
                }
                DtlsOutput::Closed { client } => drop(self.clients.remove(&client)),
                DtlsOutput::Timeout(_) => return,
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_gets_an_answer_to_a_binding_request_from_a_certificate_that_it_trusts() {
    let turn = serve(&loopback());
    let front = Front::start(turn.addresses().turn[0]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("certificate.pem");
    std::fs::write(&file, &front.certificate).expect("written");
    let mut client = tokio::process::Command::new(tool("openssl"));
    client.args(["s_client", "-dtls1_2", "-quiet", "-verify_return_error", "-connect", &front.address.to_string()]);
    client.arg("-CAfile").arg(&file).kill_on_drop(true);
    client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut client = client.spawn().expect("openssl runs");
    let (mut to, mut from) = (client.stdin.take().expect("piped"), client.stdout.take().expect("piped"));
    to.write_all(&BINDING).await.expect("written");
    to.flush().await.expect("written");
    let mut answer = [0; 20];
    let read = tokio::time::timeout(Duration::from_secs(20), from.read_exact(&mut answer)).await;
    let _ = client.start_kill();
    let said = client.wait_with_output().await.expect("it ends").stderr;
    assert!(matches!(read, Ok(Ok(_))), "no answer: {}", String::from_utf8_lossy(&said));
    assert_eq!(answer[..2], [0x01, 0x01], "no success");
    assert_eq!(answer[4..], BINDING[4..]);
    let counters = front.end();
    assert_eq!((counters.asked, counters.begun, counters.opened), (1, 1, 1), "{counters:?}");
}

/// coturn's client, version 4.6, draws for each connection whether it speaks DTLS 1.0 alone or 1.2
/// alone. RFC 8996 forbids 1.0, so here both of its methods are that of 1.2.
const ONLY_1_2: &str = "void *DTLSv1_2_client_method(void);
void *DTLSv1_client_method(void) { return DTLSv1_2_client_method(); }
";

/// Runs uclient over DTLS. It ends with 0 even when it lost everything, so its report decides.
async fn nothing_is_lost(args: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    let [source, library] = ["method.c", "method.so"].map(|name| folder.path().join(name));
    std::fs::write(&source, ONLY_1_2).expect("written");
    let mut cc = tokio::process::Command::new(tool("cc"));
    cc.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source);
    assert!(cc.status().await.expect("a compiler").success());
    let preload = format!("LD_PRELOAD={}", library.display());
    let uclient = tool("turnutils_uclient").display().to_string();
    let args: Vec<&str> = [&preload, &uclient, "-S"].into_iter().chain(args.iter().copied()).collect();
    let report = run(tool("env"), &args).await;
    assert!(report.contains("Total lost packets 0 "), "{}\n{report}", args.join(" "));
}

#[tokio::test(flavor = "multi_thread")]
async fn uclient_relays_over_dtls() {
    let allow = Many(vec!["127.0.0.0/8".parse().expect("a network")]);
    let turn = serve(&TurnConfig { allow_peers: allow, ..loopback() });
    let front = Front::start(turn.addresses().turn[0]);
    let (peer, port) = (Peer::start(), front.address.port().to_string());
    let peer = peer.port.to_string();
    let common = ["-n", "20", "-m", "3", "-e", "127.0.0.1", "-r", &peer, "-p", &port, "-u", "alice", "-W", SECRET];
    for extra in [&["-l", "170"][..], &["-l", "101", "-s"], &["-l", "1200"]] {
        let args: Vec<&str> = common.iter().chain(extra).copied().chain(["127.0.0.1"]).collect();
        nothing_is_lost(&args).await;
    }
    let counters = front.end();
    assert!(counters.opened >= 9 && counters.failed == 0, "{counters:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clients_meet_over_dtls() {
    let turn = serve(&loopback());
    let front = Front::start(turn.addresses().turn[0]);
    let port = front.address.port().to_string();
    let args = ["-y", "-c", "-n", "20", "-m", "4", "-l", "170", "-u", "alice", "-W", SECRET, "-p", &port, "127.0.0.1"];
    nothing_is_lost(&args).await;
}
