//! The TURN server: packets of clients and peers in any order. The first byte of each chunk says
//! from where; messages get a good nonce and signature when it asks for it, so that fuzzing gets
//! past authentication.
#![no_main]

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use libfuzzer_sys::fuzz_target;
use madang_turn::{
    Alternates, Bandwidth, Config, ConnectionId, Credentials, Icmp, Input, Limits, Output, PeerPolicy, Quota, RelayId, Reload,
    Server,
};
use madang_wire::{
    FiveTuple, Transport,
    stun::{
        Attribute, AttributeWrite, IntegrityAlgorithm, IntegrityKey, LongTermKeyCredentials, Message, MessageClass, MessageType,
        MessageWrite, MessageWriteExt, MessageWriteVec, Method, Nonce, RawAttribute, Realm, Username,
    },
};

static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
static KEY: LazyLock<IntegrityKey> = LazyLock::new(|| {
    LongTermKeyCredentials::new("user".into(), "password".into(), "realm".into()).make_key(IntegrityAlgorithm::Sha1)
});

struct World {
    server: Server,
    nonces: HashMap<SocketAddr, String>,
    ports: u16,
}

impl World {
    fn input(&mut self, now: Instant, input: Input<'_>) {
        let data = match input {
            Input::Client { data, .. } | Input::Peer { data, .. } | Input::Sibling { data, .. } => data,
            _ => &[],
        };
        self.server.handle_input(now, input);
        loop {
            match self.server.poll_output() {
                Output::Transmit(transmit) => {
                    let mut packet = Vec::new();
                    transmit.write(data, &mut packet);
                    self.learn_nonce(&transmit.route, &packet);
                }
                Output::OpenRelay(wish) | Output::OpenTcpRelay(wish) => {
                    self.ports = self.ports.wrapping_add(2);
                    let relayed = (self.ports % 16 != 0).then(|| SocketAddr::from(([198, 51, 100, 1], self.ports)));
                    self.server.handle_input(now, Input::RelayOpened { relay: wish.relay, relayed });
                }
                Output::Timeout(_) => return,
                _ => {}
            }
        }
    }

    fn learn_nonce(&mut self, route: &madang_turn::Route, packet: &[u8]) {
        if let madang_turn::Route::Client(client) = route
            && let Ok(message) = Message::from_bytes(packet)
            && let Ok(nonce) = message.attribute::<Nonce>()
        {
            self.nonces.insert(client.client, nonce.nonce().to_owned());
        }
    }

    /// A signed request whose method and attributes come from the fuzzer.
    fn signed(&self, client: SocketAddr, bytes: &[u8]) -> Option<Vec<u8>> {
        let (method, mut rest) = bytes.split_first()?;
        let kind = MessageType::from_class_method(MessageClass::Request, Method::new(u16::from(method % 16)));
        let mut message = Message::builder(kind, 7.into(), MessageWriteVec::new());
        while let Ok(attribute) = RawAttribute::from_bytes(rest) {
            let kind = attribute.get_type().value();
            if !matches!(kind, 0x0008 | 0x001C | 0x8028) {
                message.add_attribute(&attribute).ok()?;
            }
            rest = rest.get(attribute.to_raw().to_bytes().len()..)?;
        }
        message.add_attribute(&Username::new("user").ok()?).ok()?;
        message.add_attribute(&Realm::new("realm").ok()?).ok()?;
        message.add_attribute(&Nonce::new(self.nonces.get(&client)?).ok()?).ok()?;
        message.add_message_integrity_with_key(&KEY, IntegrityAlgorithm::Sha1).ok()?;
        Some(message.finish())
    }
}

fuzz_target!(|chunks: Vec<(u8, &[u8])>| {
    let mut now = *BEGIN;
    let bandwidth = Bandwidth { per_allocation: 1000, ..Bandwidth::default() };
    let limits = Limits { allocations: 3, permissions: 3, channels: 3, connections: 3, bandwidth, ..Limits::default() };
    let config = Config {
        realm: "realm".into(),
        credentials: Credentials {
            users: HashMap::from([("user".into(), "password".into())]),
            userhash: true,
            ..Credentials::default()
        },
        policy: PeerPolicy::default(),
        media: Vec::new(),
        relay_ipv4: true,
        relay_ipv6: true,
        dont_fragment: true,
        tcp_relay: true,
        mobility: true,
        alternates: vec![Alternates {
            addresses: [[198, 51, 100, 1], [198, 51, 100, 2]].map(|ip| std::net::IpAddr::from(ip).into()),
            ports: [3478, 3479],
        }],
        response_port_and_padding: true,
        software: Some("fuzz".into()),
        shard: 0,
        shards: 2,
        directory: None,
        quota: Arc::new(Quota::new(now)),
        limits: limits.clone(),
    };
    let reload = Reload { credentials: config.credentials.clone(), policy: PeerPolicy::default(), limits };
    let server = Server::new(config, [7; 32], now, 0);
    let mut world = World { server, nonces: HashMap::new(), ports: 40_000 };
    for (from, bytes) in chunks {
        let client = SocketAddr::from(([127, 0, 0, 1], u16::from(from & 3)));
        let transport = Transport::ALL[usize::from(from & 3) % 4];
        let from_client = FiveTuple { client, server: SocketAddr::from(([198, 51, 100, 1], 3478)), transport };
        let (relay, peer) = (RelayId(u32::from(from & 3)), SocketAddr::from(([9, 9, 9, 9], 1)));
        let first = bytes.first().copied().unwrap_or(0);
        match from >> 2 & 15 {
            0 => world.input(now, Input::Client { from: from_client, data: bytes }),
            1 => world.input(now, Input::Peer { relay, from: peer, data: bytes }),
            2 => {
                now += Duration::from_secs(u64::from(from));
                world.input(now, Input::Timeout);
            }
            3 => world.input(now, Input::Disconnected { client: from_client }),
            4 => world.input(now, Input::PeerConnected { relay, peer }),
            5 => {
                let connection = ConnectionId(u32::from(first & 7));
                world.input(now, Input::Connected { connection, established: first & 8 == 0 });
            }
            6 => world.input(now, Input::ConnectionClosed { connection: ConnectionId(u32::from(first & 7)) }),
            7 => world.input(now, Input::PeerError { relay, peer, icmp: Icmp { kind: first, code: 4, data: 1280 } }),
            8 => world.input(now, Input::Reload(&reload)),
            9 => {
                let to = SocketAddr::from(([198, 51, 100, 1], u16::from(first).wrapping_add(40_000)));
                world.input(now, Input::Sibling { to, from: peer, data: bytes });
            }
            _ => match world.signed(client, bytes) {
                Some(request) => world.input(now, Input::Client { from: from_client, data: &request }),
                // A request without credentials brings the nonce for the next one.
                None => {
                    let challenge = [&[0, 3, 0, 0, 0x21, 0x12, 0xA4, 0x42][..], &[9; 12]].concat();
                    world.input(now, Input::Client { from: from_client, data: &challenge });
                }
            },
        }
    }
});
