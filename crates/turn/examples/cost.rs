//! What the server core costs by itself: instructions of a relayed packet, and memory of an idle
//! allocation. A measuring tool.
//!
//! ```text
//! cargo build --release -p madang-turn --example cost
//! valgrind --tool=callgrind --callgrind-out-file=/dev/null target/release/examples/cost channel 1000000
//! target/release/examples/cost memory 100000
//! ```
//!
//! The first argument says which way packets go: `channel` and `send` from a client to a peer,
//! `peer` back on a channel, `indication` back without one, `meet` from one client to another in
//! process, `nothing` for what the tool itself costs.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use madang_turn::{Config, Credentials, Input, Limits, Output, PeerPolicy, Quota, Rate, RelayId, Server};
use madang_wire::{
    ChannelData, ChannelNumber, FiveTuple, Transport,
    stun::{
        ALLOCATE, AttributeWrite, CHANNEL_BIND, CREATE_PERMISSION, ChannelNumberAttribute, Data, IntegrityAlgorithm,
        IntegrityKey, LongTermKeyCredentials, Message, MessageClass, MessageType, MessageWrite, MessageWriteExt,
        MessageWriteVec, Method, Nonce, Realm, RequestedTransport, SEND, Username, XorPeerAddress, XorRelayedAddress,
    },
};

const PEER: ([u8; 4], u16) = ([9, 9, 9, 9], 5000);

struct Bench {
    server: Server,
    now: Instant,
    key: IntegrityKey,
    transactions: u128,
    ports: u32,
}

fn tuple(client: u32) -> FiveTuple {
    let [a, b, c, d] = client.to_be_bytes();
    FiveTuple {
        client: SocketAddr::from(([20 + a, b, c, d], 1000)),
        server: SocketAddr::from(([198, 51, 100, 1], 3478)),
        transport: Transport::Udp,
    }
}

impl Bench {
    fn new() -> Self {
        let now = Instant::now();
        let most = usize::MAX;
        let limits = Limits {
            allocations: most,
            allocations_per_user: most,
            allocations_per_address: most,
            unauthenticated: Rate { per_second: 1e9, burst: 1e9 },
            ..Limits::default()
        };
        let config = Config {
            realm: "r".into(),
            credentials: Credentials { users: [("u".into(), "p".into())].into(), ..Credentials::default() },
            policy: PeerPolicy { own: vec![[198, 51, 100, 1].into()], ..PeerPolicy::default() },
            media: vec![SocketAddr::from(([198, 51, 100, 1], 4000))],
            relay_ipv4: true,
            relay_ipv6: true,
            dont_fragment: true,
            tcp_relay: false,
            mobility: false,
            alternates: Vec::new(),
            response_port_and_padding: false,
            software: None,
            shard: 0,
            directory: None,
            quota: Arc::new(Quota::new(now)),
            limits,
        };
        let server = Server::new(config, [7; 32], now, 1_700_000_000);
        let key = LongTermKeyCredentials::new("u".into(), "p".into(), "r".into()).make_key(IntegrityAlgorithm::Sha1);
        Self { server, now, key, transactions: 0, ports: 0 }
    }

    /// Handles an input; gives back the last message of the core's own making.
    fn input(&mut self, input: Input<'_>) -> Vec<u8> {
        self.server.handle_input(self.now, input);
        let mut own = Vec::new();
        loop {
            match self.server.poll_output() {
                Output::Transmit(transmit) => own = transmit.body(&[]).to_vec(),
                Output::OpenRelay(wish) => {
                    self.ports += 1;
                    let ip = [198, 51, 100, 1 + (self.ports >> 16) as u8];
                    let relayed = SocketAddr::from((ip, (self.ports & 0xFFFF) as u16));
                    let opened = Input::RelayOpened { relay: wish.relay, relayed: Some(relayed) };
                    self.server.handle_input(self.now, opened);
                }
                Output::Timeout(_) => return own,
                _ => {}
            }
        }
    }

    fn ask(
        &mut self,
        from: FiveTuple,
        nonce: Option<&str>,
        method: Method,
        attributes: &[&dyn AttributeWrite],
    ) -> Vec<u8> {
        self.transactions += 1;
        let kind = MessageType::from_class_method(MessageClass::Request, method);
        let mut message = Message::builder(kind, self.transactions.into(), MessageWriteVec::new());
        let add = |message: &mut MessageWriteVec, attribute: &dyn AttributeWrite| {
            message.add_attribute(attribute).expect("room");
        };
        attributes.iter().for_each(|attribute| add(&mut message, *attribute));
        if let Some(nonce) = nonce {
            add(&mut message, &Username::new("u").expect("short"));
            add(&mut message, &Realm::new("r").expect("short"));
            add(&mut message, &Nonce::new(nonce).expect("short"));
            message.add_message_integrity_with_key(&self.key, IntegrityAlgorithm::Sha1).expect("room");
        }
        let data = message.finish();
        self.input(Input::Client { from, data: &data })
    }

    /// An allocation; its nonce and relayed address.
    fn allocate(&mut self, client: u32) -> (String, SocketAddr) {
        let answer = self.ask(tuple(client), None, ALLOCATE, &[]);
        let answer = Message::from_bytes(&answer).expect("a challenge");
        let nonce = answer.attribute::<Nonce>().expect("a nonce").nonce().to_owned();
        let answer = self.ask(tuple(client), Some(&nonce), ALLOCATE, &[&RequestedTransport::new(17)]);
        let answer = Message::from_bytes(&answer).expect("a success");
        let relayed = answer.attribute::<XorRelayedAddress>().expect("an address").addr(answer.transaction_id());
        (nonce, relayed)
    }

    fn bind(&mut self, client: u32, nonce: &str, peer: SocketAddr) {
        let peer = XorPeerAddress::new(peer, (self.transactions + 1).into());
        self.ask(tuple(client), Some(nonce), CHANNEL_BIND, &[&ChannelNumberAttribute::new(0x4000), &peer]);
    }

    fn permit(&mut self, client: u32, nonce: &str, peer: SocketAddr) {
        let peer = XorPeerAddress::new(peer, (self.transactions + 1).into());
        self.ask(tuple(client), Some(nonce), CREATE_PERMISSION, &[&peer]);
    }
}

fn relay(way: &str, packets: usize) {
    let mut bench = Bench::new();
    let peer = SocketAddr::from(PEER);
    let (nonce, relayed) = bench.allocate(1);
    let (other, at_other) = bench.allocate(2);
    match way {
        "channel" | "peer" | "nothing" => bench.bind(1, &nonce, peer),
        "send" | "indication" => bench.permit(1, &nonce, peer),
        "meet" => {
            bench.bind(1, &nonce, at_other);
            bench.bind(2, &other, relayed);
        }
        _ => return usage(),
    }
    let mut on_channel = ChannelData::header(ChannelNumber::MIN, 200).expect("short").to_vec();
    on_channel.extend_from_slice(&[0; 200]);
    let kind = MessageType::from_class_method(MessageClass::Indication, SEND);
    let mut send = Message::builder(kind, 7.into(), MessageWriteVec::new());
    send.add_attribute(&XorPeerAddress::new(peer, 7.into())).expect("room");
    send.add_attribute(&Data::new(&[0; 200])).expect("room");
    let send = send.finish();
    let input = match way {
        "channel" | "meet" => Input::Client { from: tuple(1), data: &on_channel },
        "send" => Input::Client { from: tuple(1), data: &send },
        _ => Input::Peer { relay: RelayId(0), from: peer, data: &[0; 200] },
    };
    let mut sent = 0;
    for _ in 0..packets {
        if way != "nothing" {
            bench.server.handle_input(bench.now, input);
        }
        while let Output::Transmit(transmit) = bench.server.poll_output() {
            std::hint::black_box(&transmit);
            sent += 1;
        }
    }
    println!("{way}: {sent} of {packets} packets relayed");
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn memory(allocations: usize) {
    let mut bench = Bench::new();
    let before = resident();
    for client in 0..u32::try_from(allocations).unwrap_or(u32::MAX) {
        bench.allocate(client);
    }
    let kilobytes = resident() - before;
    println!(
        "{} allocations: {kilobytes} kB resident more, {} bytes each",
        bench.server.allocations(),
        kilobytes * 1024 / allocations.max(1)
    );
}

fn usage() {
    println!("cost channel|send|peer|indication|meet|nothing PACKETS, or cost memory ALLOCATIONS");
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["memory", count] => memory(count.parse().unwrap_or(0)),
        [way, count] => relay(way, count.parse().unwrap_or(0)),
        _ => usage(),
    }
}
