//! The client core against the server core, in virtual time.

mod world;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use madang_turn::client::{Client as Core, ClientConfig, ClientInput, ClientOutput, Failed, Wishes};
use madang_turn::{Config, Input, Limits};
use madang_wire::{
    FiveTuple, Packet, StreamFramer, Transport,
    stun::{
        ALLOCATE, Message, MessageClass, MessageType, MessageWrite, MessageWriteExt, MessageWriteVec, XorRelayedAddress,
    },
};
use proptest::prelude::*;
use world::{PEER, World, addr, config};

const CLIENT: &str = "192.0.2.1:4000";

/// A client and the server, joined.
struct Pair {
    world: World,
    core: Core,
    tuple: FiveTuple,
    outputs: Vec<ClientOutput>,
    timeout: Option<Instant>,
    /// Packets to the server that get lost.
    loses: u32,
    sent: Vec<Vec<u8>>,
}

impl Pair {
    fn with(world: World, password: &str, transport: Transport) -> Self {
        let tuple = FiveTuple { client: addr(CLIENT), server: addr("198.51.100.1:3478"), transport };
        let (username, password) = ("alice".to_owned(), password.to_owned());
        let (server, wishes) = (Some(tuple.server), Wishes::default());
        let core = Core::new(ClientConfig { username, password, transport, seed: [3; 32], server, wishes });
        Self { world, core, tuple, outputs: vec![], timeout: None, loses: 0, sent: vec![] }
    }

    fn begin(world: World, password: &str, transport: Transport) -> Self {
        let mut pair = Self::with(world, password, transport);
        pair.input(ClientInput::Timeout);
        pair
    }

    fn allocated() -> Self {
        let pair = Self::begin(World::new(), "wonder", Transport::Udp);
        assert!(matches!(pair.outputs[..], [ClientOutput::Allocated { .. }]), "{:?}", pair.outputs);
        pair
    }

    fn relayed(&self) -> SocketAddr {
        let address = self.outputs.iter().find_map(|output| match output {
            ClientOutput::Allocated { relayed, .. } => Some(*relayed),
            _ => None,
        });
        address.expect("a relay")
    }

    fn input(&mut self, input: ClientInput<'_>) {
        self.core.handle_input(self.world.now, input);
        self.exchange();
    }

    /// Hands everything over until both are quiet.
    fn exchange(&mut self) {
        let mut waiting = Vec::new();
        loop {
            match self.core.poll_output() {
                ClientOutput::Transmit(bytes) => waiting.push(bytes),
                ClientOutput::Timeout(at) => {
                    self.timeout = at;
                    if waiting.is_empty() {
                        return;
                    }
                    for bytes in waiting.drain(..) {
                        self.sent.push(bytes.clone());
                        if self.loses > 0 {
                            self.loses -= 1;
                            continue;
                        }
                        // On a stream the server's shell has cut the padding off.
                        let frame = if self.tuple.transport.is_stream() { unpadded(&bytes) } else { bytes };
                        self.world.input(Input::Client { from: self.tuple, data: &frame });
                    }
                    for (to, bytes) in std::mem::take(&mut self.world.to_clients) {
                        if to == self.tuple {
                            self.core.handle_input(self.world.now, ClientInput::Packet(&bytes));
                        }
                    }
                }
                output => self.outputs.push(output),
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.world.now + time;
        while let Some(at) = self.timeout.filter(|at| *at <= end) {
            let seconds = at.saturating_duration_since(self.world.now);
            self.world.now += seconds;
            self.world.input(Input::Timeout);
            self.input(ClientInput::Timeout);
        }
        self.world.now = end;
        self.world.input(Input::Timeout);
    }

    fn peer_says(&mut self, data: &[u8]) {
        let relayed = self.relayed();
        self.world.peer_sends(relayed, addr(PEER), data);
        for (_, bytes) in std::mem::take(&mut self.world.to_clients) {
            self.core.handle_input(self.world.now, ClientInput::Packet(&bytes));
        }
        self.exchange();
    }

    fn data(&mut self) -> Vec<Vec<u8>> {
        let took = std::mem::take(&mut self.outputs);
        let (data, others): (Vec<_>, Vec<_>) =
            took.into_iter().partition(|output| matches!(output, ClientOutput::Data { .. }));
        self.outputs = others;
        data.into_iter()
            .map(|output| match output {
                ClientOutput::Data { peer, data } => {
                    assert_eq!(peer, addr(PEER));
                    data
                }
                other => unreachable!("{other:?}"),
            })
            .collect()
    }
}

fn unpadded(bytes: &[u8]) -> Vec<u8> {
    let mut framer = StreamFramer::new(65_000);
    framer.push(bytes);
    framer.next_frame().expect("STUN").expect("whole").to_vec()
}

#[test]
fn a_client_gets_a_relay_and_sends_by_a_channel_once_the_peer_is_permitted() {
    let mut pair = Pair::allocated();
    let relayed = pair.relayed();
    assert!(matches!(pair.outputs[0], ClientOutput::Allocated { mapped: Some(mapped), .. } if mapped == addr(CLIENT)));

    for data in [&b"one"[..], b"two"] {
        pair.input(ClientInput::Send { peer: addr(PEER), data });
    }
    let arrived: Vec<_> = pair.world.to_peers.iter().map(|(from, to, data)| (*from, *to, &data[..])).collect();
    assert_eq!(arrived, [(relayed, addr(PEER), &b"one"[..]), (relayed, addr(PEER), b"two")]);
    let last = pair.sent.last().expect("sent");
    assert!(matches!(Packet::classify(last), Some(Packet::Channel(data)) if data.data == b"two"));

    pair.peer_says(b"three");
    assert_eq!(pair.data(), [b"three"]);
}

#[test]
fn what_is_sent_before_the_permission_is_there_waits_for_it() {
    let mut pair = Pair::allocated();
    pair.loses = 1;
    for data in [&b"one"[..], b"two"] {
        pair.input(ClientInput::Send { peer: addr(PEER), data });
    }
    assert!(pair.world.to_peers.is_empty());
    pair.pass(Duration::from_millis(500));
    let arrived: Vec<_> = pair.world.to_peers.iter().map(|(.., data)| &data[..]).collect();
    assert_eq!(arrived, [b"one", b"two"]);
}

#[test]
fn an_hour_later_the_relay_and_the_way_to_the_peer_are_there_still() {
    let mut pair = Pair::allocated();
    pair.input(ClientInput::Send { peer: addr(PEER), data: b"early" });
    pair.pass(Duration::from_secs(3600));
    pair.peer_says(b"late");
    assert_eq!(pair.data(), [b"late"]);
    pair.world.to_peers.clear();
    pair.input(ClientInput::Send { peer: addr(PEER), data: b"late too" });
    assert_eq!(pair.world.to_peers.len(), 1);
    assert!(!pair.outputs.iter().any(|output| matches!(output, ClientOutput::Failed(_))));
}

#[test]
fn lost_requests_are_sent_again_after_half_a_second_and_then_ever_later() {
    let mut pair = Pair::with(World::new(), "wonder", Transport::Udp);
    pair.loses = 3;
    pair.input(ClientInput::Timeout);
    pair.pass(Duration::from_millis(3499));
    assert_eq!((pair.sent.len(), pair.outputs.len()), (3, 0));
    pair.pass(Duration::from_millis(1));
    assert!(matches!(pair.outputs[..], [ClientOutput::Allocated { .. }]));
}

#[test]
fn a_server_that_never_answers_is_given_up_after_seven_requests() {
    let mut pair = Pair::with(World::new(), "wonder", Transport::Udp);
    pair.loses = u32::MAX;
    pair.input(ClientInput::Timeout);
    // RFC 8489 §6.2.1: 31.5 s for seven requests, 8 s more for the last one's answer.
    pair.pass(Duration::from_millis(39_499));
    assert_eq!((pair.sent.len(), pair.outputs.len()), (7, 0));
    pair.pass(Duration::from_millis(1));
    assert_eq!(pair.outputs, [ClientOutput::Failed(Failed::Unreachable)]);
}

#[test]
fn over_a_stream_nothing_is_sent_twice_and_data_is_padded() {
    let mut pair = Pair::begin(World::new(), "wonder", Transport::Tcp);
    for data in [&b"first"[..], b"second"] {
        pair.input(ClientInput::Send { peer: addr(PEER), data });
    }
    let arrived: Vec<_> = pair.world.to_peers.iter().map(|(.., data)| &data[..]).collect();
    assert_eq!(arrived, [&b"first"[..], b"second"]);
    assert_eq!(pair.sent.last().expect("sent").len(), 4 + 8);

    let mut silent = Pair::with(World::new(), "wonder", Transport::Tcp);
    silent.loses = u32::MAX;
    silent.input(ClientInput::Timeout);
    silent.pass(Duration::from_secs(60));
    assert_eq!((silent.sent.len(), &silent.outputs[..]), (1, &[ClientOutput::Failed(Failed::Unreachable)][..]));
}

#[test]
fn wrong_credentials_fail_after_one_more_try_and_not_in_a_circle() {
    let pair = Pair::begin(World::new(), "wrong", Transport::Udp);
    assert!(matches!(pair.outputs[..], [ClientOutput::Failed(Failed::Refused { code: 401, .. })]));
    assert_eq!(pair.sent.len(), 2);
}

#[test]
fn a_full_server_is_told_with_its_code() {
    let limits = Limits { allocations_per_user: 0, ..Limits::default() };
    let pair = Pair::begin(World::with(Config { limits, ..config() }), "wonder", Transport::Udp);
    assert!(
        matches!(pair.outputs[..], [ClientOutput::Failed(Failed::Refused { code: 486, .. })]),
        "{:?}",
        pair.outputs
    );
}

#[test]
fn a_peer_that_the_servers_policy_forbids_is_told_and_the_relay_stays() {
    let mut pair = Pair::allocated();
    let private = addr("10.0.0.1:5000");
    pair.input(ClientInput::Send { peer: private, data: b"hello" });
    assert_eq!(pair.outputs[1..], [ClientOutput::PeerRefused { peer: private, code: 403 }]);
    pair.input(ClientInput::Send { peer: addr(PEER), data: b"hello" });
    assert_eq!(pair.world.to_peers.len(), 1);
}

#[test]
fn closing_frees_the_relay() {
    let mut pair = Pair::allocated();
    pair.input(ClientInput::Close);
    assert_eq!(pair.outputs[1..], [ClientOutput::Failed(Failed::Closed)]);
    assert!(pair.world.relays.is_empty());
    assert_eq!(pair.timeout, None);
}

#[test]
fn an_answer_that_is_not_signed_changes_nothing() {
    let mut pair = Pair::with(World::new(), "wonder", Transport::Udp);
    pair.loses = 1;
    pair.input(ClientInput::Timeout);
    let id = Message::from_bytes(&pair.sent[0]).expect("a request").transaction_id();
    let kind = MessageType::from_class_method(MessageClass::Success, ALLOCATE);
    let mut forged = Message::builder(kind, id, MessageWriteVec::new());
    forged.add_attribute(&XorRelayedAddress::new(addr("203.0.113.66:1"), id)).expect("room");
    pair.input(ClientInput::Packet(&forged.finish()));
    assert_eq!(pair.outputs, []);
    pair.pass(Duration::from_secs(1));
    assert_eq!(pair.relayed().ip(), addr("198.51.100.1:0").ip());
}

proptest! {
    #[test]
    fn any_packets_from_the_server_are_taken(packets in proptest::collection::vec(any::<Vec<u8>>(), 0..20)) {
        let mut pair = Pair::allocated();
        pair.input(ClientInput::Send { peer: addr(PEER), data: b"hello" });
        for packet in &packets {
            pair.input(ClientInput::Packet(packet));
        }
    }

    #[test]
    fn any_attributes_from_the_server_are_taken(body in proptest::collection::vec(any::<u8>(), 0..60), kind: u8) {
        let mut pair = Pair::with(World::new(), "wonder", Transport::Udp);
        pair.loses = 1;
        pair.input(ClientInput::Timeout);
        let mut answer = pair.sent[0][..20].to_vec();
        // Allocate: an error, a success, or anything.
        answer[..2].copy_from_slice(&[1, if kind < 100 { 0x13 } else if kind < 200 { 3 } else { kind }]);
        let length = body.len() / 4 * 4;
        answer[2..4].copy_from_slice(&u16::try_from(length).expect("short").to_be_bytes());
        answer.extend_from_slice(&body[..length]);
        pair.input(ClientInput::Packet(&answer));
    }
}
