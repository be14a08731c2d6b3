//! The listener and its clients, joined by a network in virtual time.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use dimpl::{Config, Dtls, DtlsCertificate, Output, ProtocolVersion};
use madang_lab::{LinkConfig, Network};
use rcgen::KeyPair;

use super::super::{DtlsLimits, DtlsListener, DtlsOutput};

/// Bytes of headers around a datagram.
const HEADERS: usize = 28;

pub(super) struct Certificate {
    pub(super) der: Vec<u8>,
    pub(super) key: Vec<u8>,
}

impl Certificate {
    pub(super) fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let cert = rcgen::CertificateParams::new(["localhost".to_owned()]).and_then(|params| params.self_signed(&key));
        Self { der: cert.expect("a certificate").der().to_vec(), key: key.serialize_der() }
    }
}

/// A client's address; those of one number less than 250 are in one network.
pub(super) fn address(number: u32) -> SocketAddr {
    let [_, a, b, c] = number.to_be_bytes();
    SocketAddr::from(([10, a, b, c], 40_000))
}

struct Client {
    dtls: Dtls,
    due: Instant,
    connected: bool,
    goodbye: bool,
    certificate: Vec<u8>,
    echoes: Vec<Vec<u8>>,
}

pub(super) struct World {
    pub(super) now: Instant,
    pub(super) listener: DtlsListener,
    pub(super) closed: Vec<SocketAddr>,
    own: Certificate,
    network: Network<SocketAddr, Vec<u8>>,
    server: SocketAddr,
    clients: BTreeMap<SocketAddr, Client>,
    sent: Vec<Vec<u8>>,
}

impl World {
    pub(super) fn new(seed: u64, limits: DtlsLimits) -> Self {
        let (now, own) = (Instant::now(), Certificate::new());
        let listener = DtlsListener::new(&[&own.der], &own.key, limits, &[3; 32], now).expect("an ECDSA key");
        Self {
            now,
            listener,
            closed: Vec::new(),
            own,
            network: Network::new(seed),
            server: SocketAddr::from(([192, 0, 2, 1], 5349)),
            clients: BTreeMap::new(),
            sent: Vec::new(),
        }
    }

    /// A client that begins now.
    pub(super) fn client(&mut self, at: SocketAddr, link: LinkConfig) -> SocketAddr {
        let dtls = Dtls::new_12(Arc::default(), client_certificate(), self.now);
        self.add(at, dtls, link)
    }

    /// One that offers DTLS 1.3 and 1.2.
    pub(super) fn auto_client(&mut self, at: SocketAddr) -> SocketAddr {
        let dtls = Dtls::new_auto(Arc::default(), client_certificate(), self.now);
        self.add(at, dtls, LinkConfig::default())
    }

    fn add(&mut self, at: SocketAddr, mut dtls: Dtls, link: LinkConfig) -> SocketAddr {
        dtls.set_active(true);
        dtls.handle_timeout(self.now).expect("a client begins");
        self.network.join(at, self.server, link, link);
        let (due, certificate, echoes) = (self.now, Vec::new(), Vec::new());
        self.clients.insert(at, Client { dtls, due, connected: false, goodbye: false, certificate, echoes });
        at
    }

    pub(super) fn run(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    /// Lets time pass until something is so; says whether it has become so.
    pub(super) fn run_until(&mut self, most: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + most;
        loop {
            self.settle();
            if done(self) {
                return true;
            }
            let clients = self.clients.values().map(|client| client.due).min();
            let next = [self.drain(), self.network.timeout(), clients].into_iter().flatten().min().unwrap_or(end);
            if next >= end {
                self.now = end;
                return false;
            }
            // dimpl's times repeat; time goes on all the same.
            self.now = next.max(self.now);
            self.listener.timeout(self.now);
            for client in self.clients.values_mut().filter(|client| client.due <= self.now) {
                let _ = client.dtls.handle_timeout(self.now);
                client.due = self.now + Duration::from_millis(1);
            }
        }
    }

    /// Carries everything that is due.
    fn settle(&mut self) {
        let addresses: Vec<_> = self.clients.keys().copied().collect();
        loop {
            self.drain();
            addresses.iter().for_each(|at| self.flush_client(*at));
            let Some(delivery) = self.network.poll(self.now) else { return };
            if delivery.to == self.server {
                self.listener.receive(self.now, delivery.from, &delivery.packet);
            } else if let Some(client) = self.clients.get_mut(&delivery.to) {
                let _ = client.dtls.handle_packet(&delivery.packet);
            }
        }
    }

    /// Does what the listener wants done, and sends back what clients send.
    pub(super) fn drain(&mut self) -> Option<Instant> {
        loop {
            match self.listener.poll() {
                DtlsOutput::Datagram { to, datagram } => {
                    self.sent.push(datagram.to_vec());
                    self.network.send(self.now, self.server, to, datagram.len() + HEADERS, datagram.to_vec());
                }
                DtlsOutput::Packet { from, packet } => {
                    let packet = packet.to_vec();
                    self.listener.send(self.now, from, &packet);
                }
                DtlsOutput::Closed { client } => self.closed.push(client),
                DtlsOutput::Timeout(next) => return next,
            }
        }
    }

    fn flush_client(&mut self, at: SocketAddr) {
        let Some(client) = self.clients.get_mut(&at) else { return };
        let mut buffer = [0; 4096];
        loop {
            match client.dtls.poll_output(&mut buffer) {
                Output::Packet(datagram) => {
                    self.network.send(self.now, at, self.server, datagram.len() + HEADERS, datagram.to_vec());
                }
                Output::Connected => client.connected = true,
                Output::PeerCert(der) => client.certificate = der.to_vec(),
                Output::ApplicationData(packet) => client.echoes.push(packet.to_vec()),
                Output::CloseNotify => client.goodbye = true,
                Output::Timeout(next) => {
                    client.due = next;
                    return;
                }
                _ => {}
            }
        }
    }

    pub(super) fn send(&mut self, from: SocketAddr, packet: &[u8]) {
        self.dtls(from).send_application_data(packet).expect("connected");
    }

    pub(super) fn leave(&mut self, who: SocketAddr) {
        self.dtls(who).close().expect("connected");
    }

    pub(super) fn version(&mut self, who: SocketAddr) -> Option<ProtocolVersion> {
        self.dtls(who).protocol_version()
    }

    fn dtls(&mut self, who: SocketAddr) -> &mut Dtls {
        &mut self.clients.get_mut(&who).expect("a client").dtls
    }

    pub(super) fn is_connected(&self, who: SocketAddr) -> bool {
        self.clients[&who].connected
    }

    pub(super) fn has_heard_goodbye(&self, who: SocketAddr) -> bool {
        self.clients[&who].goodbye
    }

    pub(super) fn echoes(&self, who: SocketAddr) -> &[Vec<u8>] {
        &self.clients[&who].echoes
    }

    pub(super) fn certificate(&self, who: SocketAddr) -> &[u8] {
        &self.clients[&who].certificate
    }

    pub(super) fn own_certificate(&self) -> &[u8] {
        &self.own.der
    }

    /// Whether a CertificateRequest was sent in the clear.
    pub(super) fn was_asked_for_a_certificate(&self) -> bool {
        self.sent.iter().flat_map(|datagram| messages(datagram)).any(|kind| kind == 13)
    }

    /// What a client says first.
    pub(super) fn hello(&self) -> Vec<u8> {
        let mut dtls = Dtls::new_12(Arc::new(Config::default()), client_certificate(), self.now);
        dtls.set_active(true);
        dtls.handle_timeout(self.now).expect("a client begins");
        match dtls.poll_output(&mut [0; 2048]) {
            Output::Packet(hello) => hello.to_vec(),
            _ => Vec::new(),
        }
    }

    /// What the listener sends at once when this comes from there.
    pub(super) fn answers(&mut self, from: SocketAddr, datagram: &[u8]) -> Vec<Vec<u8>> {
        self.sent.clear();
        self.listener.receive(self.now, from, datagram);
        self.drain();
        std::mem::take(&mut self.sent)
    }

    /// A client that proves its address and then says no more; whether it was let in.
    pub(super) fn half_open(&mut self, at: SocketAddr) -> bool {
        let hello = self.hello();
        let asked = self.answers(at, &hello).concat();
        !self.answers(at, &with_cookie(&hello, &asked)).is_empty()
    }
}

/// The hello once more, with the cookie that it was asked for.
pub(super) fn with_cookie(hello: &[u8], asked: &[u8]) -> Vec<u8> {
    let cookie = &asked[28..60];
    let at = 25 + 2 + 32 + 1 + usize::from(hello[59]);
    let mut again = [&hello[..at], &[32], cookie, &hello[at + 1..]].concat();
    let [record, length] = [13, 25].map(|headers| u16::try_from(again.len() - headers).expect("short").to_be_bytes());
    again[11..13].copy_from_slice(&record);
    again[15..17].copy_from_slice(&length);
    again[23..25].copy_from_slice(&length);
    (again[10], again[18]) = (1, 1);
    again
}

/// The kinds of the handshake messages that begin the records of a datagram.
fn messages(mut datagram: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while let [22, _, _, _, epoch, _, _, _, _, _, _, high, low, rest @ ..] = datagram {
        if *epoch == 0 {
            kinds.extend(rest.first());
        }
        datagram = rest.get(usize::from(*high) << 8 | usize::from(*low)..).unwrap_or_default();
    }
    kinds
}

fn client_certificate() -> DtlsCertificate {
    let Certificate { der, key } = Certificate::new();
    DtlsCertificate { certificate: der, private_key: key }
}
