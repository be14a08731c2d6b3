//! A server in virtual time: a clock that tests move, relays that are addresses only, and clients
//! that build their messages attribute by attribute.
#![allow(dead_code, clippy::panic, reason = "each test binary uses its own part, and fails where it has to")]

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use madang_turn::{
    AllocationEvent, Config, Credentials, Input, Output, PeerPolicy, PortRequirement, RelayId, Route, Server, Shard,
};
use madang_wire::{
    ChannelData, ChannelNumber, FiveTuple, Transport,
    stun::{
        ALLOCATE, AddressFamily, AttributeWrite, CHANNEL_BIND, CREATE_PERMISSION, ChannelNumberAttribute, Data,
        ErrorCode, IntegrityAlgorithm, IntegrityKey, Lifetime, LongTermKeyCredentials, Message, MessageClass,
        MessageType, MessageWrite, MessageWriteExt, MessageWriteVec, Method, Nonce, PasswordAlgorithm,
        PasswordAlgorithmValue, PasswordAlgorithms, REFRESH, Realm, RequestedAddressFamily, RequestedTransport, SEND,
        TransactionId, Username, XorPeerAddress, XorRelayedAddress,
    },
};

pub(crate) const REALM: &str = "madang";
pub(crate) const UNIX: u64 = 1_700_000_000;
/// A peer that the default policy lets everybody reach.
pub(crate) const PEER: &str = "9.9.9.9:5000";

pub(crate) fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address and port")
}

pub(crate) fn channel(number: u16) -> ChannelNumber {
    ChannelNumber::new(number).expect("a channel number")
}

pub(crate) fn config() -> Config {
    let users = HashMap::from([("alice".to_owned(), "wonder".to_owned()), ("bob".to_owned(), "builder".to_owned())]);
    Config {
        credentials: Credentials { users, secrets: vec!["old secret".into(), "secret".into()], userhash: false },
        policy: PeerPolicy { own: vec![addr("198.51.100.1:0").ip()], ..PeerPolicy::default() },
        relay_ipv6: true,
        shards: 4,
        ..Config::new(REALM, Instant::now())
    }
}

pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) now: Instant,
    pub(crate) relays: HashMap<RelayId, SocketAddr>,
    /// What was sent to clients, whole packets.
    pub(crate) to_clients: Vec<(FiveTuple, Vec<u8>)>,
    /// What was sent from relays: from, to, bytes.
    pub(crate) to_peers: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    pub(crate) relays_fail: bool,
    pub(crate) ipv6_relays_fail: bool,
    /// What was sent to allocations of other shards: which shard, from, to, bytes.
    pub(crate) to_siblings: Vec<(Shard, SocketAddr, SocketAddr, Vec<u8>)>,
    /// Of the last packet to a peer.
    pub(crate) dont_fragment: bool,
    /// Outputs about connections and other shards.
    pub(crate) others: Vec<Output>,
    pub(crate) events: Vec<AllocationEvent>,
    next_port: u16,
    transactions: u128,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: Config) -> Self {
        Self::at(config, Instant::now())
    }

    pub(crate) fn at(config: Config, now: Instant) -> Self {
        Self {
            server: Server::new(config, [7; 32], now, UNIX),
            now,
            relays: HashMap::new(),
            to_clients: Vec::new(),
            to_peers: Vec::new(),
            relays_fail: false,
            ipv6_relays_fail: false,
            to_siblings: Vec::new(),
            dont_fragment: false,
            others: Vec::new(),
            events: Vec::new(),
            next_port: 50_000,
            transactions: 0,
        }
    }

    pub(crate) fn input(&mut self, input: Input<'_>) {
        let data = match input {
            Input::Client { data, .. }
            | Input::Peer { data, .. }
            | Input::Media { data, .. }
            | Input::Sibling { data, .. } => data,
            _ => &[],
        };
        self.server.handle_input(self.now, input);
        loop {
            match self.server.poll_output() {
                Output::Transmit(transmit) => {
                    let mut bytes = Vec::new();
                    transmit.write(data, &mut bytes);
                    match transmit.route {
                        Route::Client(client) => self.to_clients.push((client, bytes)),
                        Route::Peer { relay, to } => {
                            self.dont_fragment = transmit.dont_fragment;
                            self.to_peers.push((self.relays[&relay], to, bytes));
                        }
                        Route::Sibling { shard, from, to } => self.to_siblings.push((shard, from, to, bytes)),
                        Route::Media { relayed, to } => self.to_peers.push((relayed, to, bytes)),
                    }
                }
                Output::OpenRelay(wish) | Output::OpenTcpRelay(wish) => {
                    let fails = self.relays_fail || (self.ipv6_relays_fail && wish.family == AddressFamily::IPV6);
                    let relayed = (!fails).then(|| {
                        let ip = if wish.family == AddressFamily::IPV4 { "198.51.100.1" } else { "2001:db8::1" };
                        self.next_port += 2;
                        SocketAddr::new(ip.parse::<IpAddr>().expect("an address"), self.next_port)
                    });
                    if let Some(relayed) = relayed {
                        self.relays.insert(wish.relay, relayed);
                        if let PortRequirement::EvenAndNext(next) = wish.port {
                            self.relays.insert(next, SocketAddr::new(relayed.ip(), relayed.port() + 1));
                        }
                    }
                    self.server.handle_input(self.now, Input::RelayOpened { relay: wish.relay, relayed });
                }
                Output::CloseRelay(relay) => {
                    self.relays.remove(&relay).expect("only open relays are closed");
                }
                Output::Timeout(_) => return,
                Output::Event(event) => self.events.push(*event),
                other => self.others.push(other),
            }
        }
    }

    pub(crate) fn skip_ports(&mut self, ports: u16) {
        self.next_port += ports;
    }

    /// Lets time pass, firing each time-out when it is due.
    pub(crate) fn pass(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        loop {
            self.input(Input::Timeout);
            let Output::Timeout(next) = self.server.poll_output() else { panic!("drained") };
            match next {
                Some(next) if next <= end => self.now = self.now.max(next),
                _ => break,
            }
        }
        self.now = end;
        self.input(Input::Timeout);
    }

    /// Sends bytes of a client and gives back the answers to it.
    pub(crate) fn send(&mut self, client: FiveTuple, data: &[u8]) -> Vec<Vec<u8>> {
        self.clear();
        self.input(Input::Client { from: client, data });
        self.to_clients.iter().filter(|(to, _)| *to == client).map(|(_, bytes)| bytes.clone()).collect()
    }

    /// A datagram from outside to the relay at `relayed`.
    pub(crate) fn peer_sends(&mut self, relayed: SocketAddr, from: SocketAddr, data: &[u8]) {
        self.clear();
        let relay = self.relay_at(relayed);
        self.input(Input::Peer { relay, from, data });
    }

    pub(crate) fn relay_at(&self, relayed: SocketAddr) -> RelayId {
        *self.relays.iter().find(|(_, address)| **address == relayed).expect("an open relay").0
    }

    pub(crate) fn clear(&mut self) {
        self.to_clients.clear();
        self.to_peers.clear();
        self.to_siblings.clear();
        self.others.clear();
    }

    pub(crate) fn transaction(&mut self) -> TransactionId {
        self.transactions += 1;
        self.transactions.into()
    }
}

/// A client and what it knows.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) tuple: FiveTuple,
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) nonce: String,
    pub(crate) algorithm: IntegrityAlgorithm,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer(pub(crate) Vec<u8>);

impl Answer {
    pub(crate) fn message(&self) -> Message<'_> {
        Message::from_bytes(&self.0).expect("a STUN message")
    }

    /// The error code, 0 for a success.
    pub(crate) fn code(&self) -> u16 {
        match self.message().class() {
            MessageClass::Success => 0,
            _ => self.message().attribute::<ErrorCode>().expect("an error has a code").code(),
        }
    }

    pub(crate) fn relayed(&self) -> SocketAddr {
        let message = self.message();
        message.attribute::<XorRelayedAddress>().expect("an address").addr(message.transaction_id())
    }

    /// All relayed addresses, in their order.
    pub(crate) fn all_relayed(&self) -> Vec<SocketAddr> {
        let message = self.message();
        let addresses = (0..).map_while(|n| message.nth_attribute::<XorRelayedAddress>(n).ok());
        addresses.map(|address| address.addr(message.transaction_id())).collect()
    }

    pub(crate) fn lifetime(&self) -> u32 {
        self.message().attribute::<Lifetime>().expect("a lifetime").seconds()
    }
}

impl Client {
    pub(crate) fn new(address: &str, username: &str, password: &str) -> Self {
        let tuple = FiveTuple { client: addr(address), server: addr("198.51.100.1:3478"), transport: Transport::Udp };
        Self {
            tuple,
            username: username.into(),
            password: password.into(),
            nonce: String::new(),
            algorithm: IntegrityAlgorithm::Sha1,
        }
    }

    pub(crate) fn alice(address: &str) -> Self {
        Self::new(address, "alice", "wonder")
    }

    pub(crate) fn key(&self) -> IntegrityKey {
        LongTermKeyCredentials::new(self.username.clone(), self.password.clone(), REALM.into()).make_key(self.algorithm)
    }

    /// An authenticated request.
    pub(crate) fn request(
        &self,
        method: Method,
        transaction: TransactionId,
        attributes: &[&dyn AttributeWrite],
    ) -> Vec<u8> {
        let kind = MessageType::from_class_method(MessageClass::Request, method);
        let mut message = Message::builder(kind, transaction, MessageWriteVec::new());
        for attribute in attributes {
            message.add_attribute(*attribute).expect("room");
        }
        message.add_attribute(&Username::new(&self.username).expect("short")).expect("room");
        message.add_attribute(&Realm::new(REALM).expect("short")).expect("room");
        message.add_attribute(&Nonce::new(&self.nonce).expect("short")).expect("room");
        if self.algorithm == IntegrityAlgorithm::Sha256 {
            let all = [PasswordAlgorithmValue::SHA256, PasswordAlgorithmValue::MD5];
            message.add_attribute(&PasswordAlgorithms::new(&all)).expect("room");
            message.add_attribute(&PasswordAlgorithm::new(PasswordAlgorithmValue::SHA256)).expect("room");
        }
        message.add_message_integrity_with_key(&self.key(), self.algorithm).expect("room");
        message.finish()
    }

    /// Sends a request and checks that exactly one answer comes, to it, and signed when it should be.
    pub(crate) fn ask(&self, world: &mut World, method: Method, attributes: &[&dyn AttributeWrite]) -> Answer {
        let transaction = world.transaction();
        self.ask_again(world, &self.request(method, transaction, attributes))
    }

    pub(crate) fn ask_again(&self, world: &mut World, request: &[u8]) -> Answer {
        let mut answers = world.send(self.tuple, request);
        assert_eq!(answers.len(), 1, "one answer");
        let answer = Answer(answers.remove(0));
        let transaction = Message::from_bytes(request).expect("a request").transaction_id();
        assert_eq!(answer.message().transaction_id(), transaction);
        if !matches!(answer.code(), 400 | 401 | 438) {
            answer.message().validate_integrity_with_key(&self.key()).expect("signed with the client's key");
        }
        answer
    }

    /// Learns a nonce, as every client does: by asking without credentials.
    pub(crate) fn challenge(&mut self, world: &mut World) -> Answer {
        let transaction = world.transaction();
        let kind = MessageType::from_class_method(MessageClass::Request, ALLOCATE);
        let message = Message::builder(kind, transaction, MessageWriteVec::new()).finish();
        let answer = Answer(world.send(self.tuple, &message).remove(0));
        self.nonce = answer.message().attribute::<Nonce>().expect("a nonce").nonce().into();
        answer
    }

    pub(crate) fn allocate(&mut self, world: &mut World) -> Answer {
        self.allocate_with(world, &[])
    }

    pub(crate) fn allocate_with(&mut self, world: &mut World, extra: &[&dyn AttributeWrite]) -> Answer {
        if self.nonce.is_empty() {
            self.challenge(world);
        }
        let udp = RequestedTransport::new(17);
        let attributes: Vec<&dyn AttributeWrite> =
            [&udp as &dyn AttributeWrite].into_iter().chain(extra.iter().copied()).collect();
        self.ask(world, ALLOCATE, &attributes)
    }

    pub(crate) fn allocate_ipv6(&mut self, world: &mut World) -> Answer {
        self.allocate_with(world, &[&RequestedAddressFamily::new(AddressFamily::IPV6)])
    }

    pub(crate) fn refresh(&self, world: &mut World, seconds: u32) -> Answer {
        self.ask(world, REFRESH, &[&Lifetime::new(seconds)])
    }

    pub(crate) fn permit(&self, world: &mut World, peers: &[&str]) -> Answer {
        let transaction = world.transaction();
        let peers: Vec<_> = peers.iter().map(|peer| XorPeerAddress::new(addr(peer), transaction)).collect();
        let attributes: Vec<&dyn AttributeWrite> = peers.iter().map(|peer| peer as &dyn AttributeWrite).collect();
        self.ask_again(world, &self.request(CREATE_PERMISSION, transaction, &attributes))
    }

    pub(crate) fn bind(&self, world: &mut World, number: u16, peer: &str) -> Answer {
        let transaction = world.transaction();
        let peer = XorPeerAddress::new(addr(peer), transaction);
        let number = ChannelNumberAttribute::new(number);
        self.ask_again(world, &self.request(CHANNEL_BIND, transaction, &[&number, &peer]))
    }

    /// Data by a Send indication.
    pub(crate) fn indicate(&self, world: &mut World, peer: &str, data: &[u8]) {
        self.indicate_with(world, peer, data, &[]);
    }

    pub(crate) fn indicate_with(&self, world: &mut World, peer: &str, data: &[u8], extra: &[&dyn AttributeWrite]) {
        let kind = MessageType::from_class_method(MessageClass::Indication, SEND);
        let transaction = world.transaction();
        let mut message = Message::builder(kind, transaction, MessageWriteVec::new());
        message.add_attribute(&XorPeerAddress::new(addr(peer), transaction)).expect("room");
        for attribute in extra {
            message.add_attribute(*attribute).expect("room");
        }
        message.add_attribute(&Data::new(data)).expect("room");
        world.send(self.tuple, &message.finish());
    }

    /// Data on a channel.
    pub(crate) fn channel_data(&self, world: &mut World, number: u16, data: &[u8]) {
        let mut bytes = ChannelData::header(channel(number), data.len()).expect("short").to_vec();
        bytes.extend_from_slice(data);
        world.send(self.tuple, &bytes);
    }
}

/// What a Data indication says: from whom, and the data.
pub(crate) fn indication(bytes: &[u8]) -> (SocketAddr, Vec<u8>) {
    let message = Message::from_bytes(bytes).expect("a STUN message");
    assert_eq!(message.class(), MessageClass::Indication);
    let peer = message.attribute::<XorPeerAddress>().expect("a peer").addr(message.transaction_id());
    (peer, message.attribute::<Data<'_>>().expect("data").data().to_vec())
}
