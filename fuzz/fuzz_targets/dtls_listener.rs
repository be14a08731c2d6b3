//! The DTLS listener: datagrams in any order from a few addresses, time that jumps, packets to
//! send. The first byte of each chunk says what it is; a ClientHello can be given the cookie that
//! it was asked for, and a client of dimpl can have its datagrams spoilt, so that fuzzing gets past
//! the proof of the address and into handshakes and sessions.
#![no_main]
#![allow(dead_code, unreachable_pub, reason = "the module is the server's, taken by itself")]

#[path = "../../crates/server/src/turn/dtls/mod.rs"]
mod dtls;

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use dimpl::{Config, Dtls, DtlsCertificate, Output, certificate::generate_self_signed_certificate};
use dtls::{DtlsLimits, DtlsListener, DtlsOutput};
use libfuzzer_sys::fuzz_target;

static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
static CERTIFICATE: LazyLock<DtlsCertificate> =
    LazyLock::new(|| generate_self_signed_certificate().expect("a certificate"));
static CONFIG: LazyLock<Arc<Config>> = LazyLock::new(Arc::default);

const LIMITS: DtlsLimits = DtlsLimits {
    sessions: 6,
    sessions_per_network: 5,
    half_open: 4,
    half_open_per_network: 3,
    handshakes_per_second: 1000.0,
    handshake: Duration::from_secs(10),
    idle: Duration::from_secs(60),
    idle_allocated: Duration::from_secs(3660),
};

struct World {
    listener: DtlsListener,
    client: Dtls,
    to_client: Vec<Vec<u8>>,
    cookies: HashMap<SocketAddr, Vec<u8>>,
}

impl World {
    /// Does what the listener wants, as a shell would.
    fn drain(&mut self, now: Instant) {
        let mut packets = Vec::new();
        loop {
            match self.listener.poll() {
                DtlsOutput::Datagram { to, datagram } => {
                    if datagram.len() == 60 && datagram[13] == 3 {
                        self.cookies.insert(to, datagram[28..].to_vec());
                    }
                    if to == address(0) {
                        self.to_client.push(datagram.to_vec());
                    }
                }
                DtlsOutput::Packet { from, packet } => packets.push((from, packet.to_vec())),
                DtlsOutput::Closed { .. } => {}
                DtlsOutput::Timeout(_) => break,
            }
        }
        for (from, packet) in packets {
            self.listener.send(now, from, &packet);
            self.drain(now);
        }
    }

    fn receive(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        self.listener.receive(now, from, datagram);
        self.drain(now);
        let (sessions, half_open) = self.listener.sessions();
        assert!(sessions <= LIMITS.sessions && half_open <= LIMITS.half_open);
    }

    /// What the client at address 0 says next, which `spoil` may change.
    fn client_speaks(&mut self, now: Instant, spoil: &[u8]) {
        let _ = self.client.handle_timeout(now);
        for datagram in std::mem::take(&mut self.to_client) {
            let _ = self.client.handle_packet(&datagram);
        }
        let mut buffer = vec![0; 20_000];
        loop {
            let mut datagram = match self.client.poll_output(&mut buffer) {
                Output::Packet(datagram) => datagram.to_vec(),
                Output::Timeout(_) => return,
                _ => continue,
            };
            for change in spoil.chunks_exact(3) {
                let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % datagram.len();
                datagram[at] = change[2];
            }
            self.receive(now, address(0), &datagram);
        }
    }
}

fn address(number: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, number >> 1, number], 1000))
}

/// The bytes as a ClientHello whose lengths are right, with the cookie.
fn hello(bytes: &[u8], cookie: &[u8]) -> Vec<u8> {
    let rest = bytes.get(33..).unwrap_or_default();
    let mut random = [0; 32];
    random.iter_mut().zip(bytes.iter().skip(1)).for_each(|(to, from)| *to = *from);
    let mut body = [&[0xFE, 0xFD][..], &random, &[0, cookie.len() as u8], cookie].concat();
    body.extend([0, 4, 0xC0, 0x2B, 0xC0, 0x2C, 1, 0]);
    let rest = &rest[..rest.len().min(4000)];
    body.extend(u16::try_from(rest.len()).unwrap_or(0).to_be_bytes());
    body.extend(rest);
    let length = (body.len() as u32).to_be_bytes();
    let sequence = bytes.first().map_or(0, |first| first & 3);
    let message = [&[1][..], &length[1..], &[0, sequence, 0, 0, 0], &length[1..], &body].concat();
    let record = u16::try_from(message.len()).unwrap_or(0).to_be_bytes();
    [&[22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, sequence][..], &record, &message].concat()
}

fuzz_target!(|chunks: Vec<(u8, &[u8])>| {
    let mut now = *BEGIN;
    let chain = [&CERTIFICATE.certificate];
    let listener = DtlsListener::new(&chain, &CERTIFICATE.private_key, LIMITS, &[7; 32], now).expect("an ECDSA key");
    let mut client = Dtls::new_12(CONFIG.clone(), CERTIFICATE.clone(), now);
    client.set_active(true);
    let mut world = World { listener, client, to_client: Vec::new(), cookies: HashMap::new() };
    for (what, bytes) in chunks {
        let from = address(what & 7);
        match what >> 3 & 7 {
            0 => world.receive(now, from, bytes),
            1 => world.receive(now, from, &hello(bytes, &[])),
            2 => {
                let cookie = world.cookies.get(&from).cloned().unwrap_or_default();
                world.receive(now, from, &hello(bytes, &cookie));
            }
            3 => {
                now += Duration::from_millis(u64::from(bytes.first().copied().unwrap_or(0)) * 100);
                world.listener.timeout(now);
                world.drain(now);
            }
            4 => {
                world.listener.send(now, from, bytes);
                world.drain(now);
            }
            5 => {
                world.listener.close(now, from);
                world.drain(now);
            }
            6 => {
                let _ = world.client.send_application_data(bytes);
                world.client_speaks(now, &[]);
            }
            _ => world.client_speaks(now, bytes),
        }
    }
});
