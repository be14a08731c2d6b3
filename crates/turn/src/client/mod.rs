//! A TURN client core, sans-IO: RFC 8656 §6 to §12 from the client's side, for UDP relays.
//!
//! Give it what happens by [`Client::handle_input`], then drain [`Client::poll_output`] until it
//! returns [`ClientOutput::Timeout`]. A stream's bytes are cut into packets by
//! [`madang_wire::StreamFramer`] before they come here.
//!
//! Not implemented: mobility (RFC 8016), IPv6 relays at an IPv4 server and the other way round,
//! ALTERNATE-SERVER, USERHASH.

mod challenge;
mod io;
mod peer;
mod transaction;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use madang_wire::{
    ChannelData, ChannelNumber, Packet,
    stun::{
        Data, ErrorCode, Lifetime, Message, MessageClass, MessageType, MessageWrite, MessageWriteExt, MessageWriteVec,
        SEND, XorMappedAddress, XorPeerAddress, XorRelayedAddress, optional,
    },
};

pub use io::{ClientConfig, ClientInput, ClientOutput, Failed};

use challenge::Challenge;
use peer::{Peer, Renewal, Way};
use transaction::{Due, Ids, Purpose, Transaction};

/// What is asked for: RFC 8656 §3.2's default.
const LIFETIME: u32 = 600;
/// Peers at most; packets to more are dropped.
const PEERS: usize = 64;
/// Answers to a challenge of one request: the first 401, and nonces that aged meanwhile.
const CHALLENGES: u32 = 3;

/// See the module.
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    state: State,
    challenge: Option<Challenge>,
    ids: Ids,
    transactions: Vec<Transaction>,
    peers: Vec<Peer>,
    outputs: VecDeque<ClientOutput>,
}

#[derive(Debug)]
enum State {
    Idle,
    Allocating,
    Allocated {
        refresh_at: Instant,
    },
    /// The end was asked for; its answer is not waited for long.
    Closing,
    Over,
}

impl Client {
    /// A client that has not asked yet.
    #[must_use]
    pub fn new(config: ClientConfig) -> Self {
        Self {
            ids: Ids::new(&config.seed),
            config,
            state: State::Idle,
            challenge: None,
            transactions: Vec::new(),
            peers: Vec::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Takes what happened.
    pub fn handle_input(&mut self, now: Instant, input: ClientInput<'_>) {
        match input {
            ClientInput::Packet(bytes) => match Packet::classify(bytes) {
                Some(Packet::Channel(data)) => self.channel_data(data),
                Some(Packet::Stun(bytes)) => {
                    if let Ok(message) = Message::from_bytes(bytes) {
                        self.message(now, &message);
                    }
                }
                None => {}
            },
            ClientInput::Send { peer, data } => self.send(now, peer, data),
            ClientInput::Timeout => self.timeout(now),
            ClientInput::Close => self.close(now),
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> ClientOutput {
        self.outputs.pop_front().unwrap_or_else(|| ClientOutput::Timeout(self.next_timeout()))
    }

    fn next_timeout(&self) -> Option<Instant> {
        let refresh = if let State::Allocated { refresh_at } = self.state { Some(refresh_at) } else { None };
        let renewals = self.peers.iter().filter_map(Peer::timeout);
        self.transactions.iter().map(Transaction::timeout).chain(renewals).chain(refresh).min()
    }

    fn timeout(&mut self, now: Instant) {
        match self.state {
            State::Idle => {
                self.state = State::Allocating;
                self.request(now, Purpose::Allocate, 0);
            }
            State::Allocated { refresh_at } if refresh_at <= now => {
                // The answer sets the next time; without one the transaction's end is the relay's.
                self.state = State::Allocated { refresh_at: now + Duration::from_secs(u64::from(LIFETIME)) };
                self.request(now, Purpose::Refresh(LIFETIME), 0);
            }
            _ => {}
        }
        self.repeat(now);
        for index in 0..self.peers.len() {
            let peer = &mut self.peers[index];
            let (address, channel) = (peer.address, peer.channel);
            match peer.renew(now) {
                Some(Renewal::Permission) => self.request(now, Purpose::Permit(address), 0),
                Some(Renewal::Channel) => self.request(now, Purpose::Bind(address, channel), 0),
                None => {}
            }
        }
    }

    /// Sends again what was not answered, and gives up what never will be.
    fn repeat(&mut self, now: Instant) {
        let mut index = 0;
        while index < self.transactions.len() {
            match self.transactions[index].poll(now) {
                Due::Nothing => index += 1,
                Due::Send(bytes) => {
                    self.outputs.push_back(ClientOutput::Transmit(bytes));
                    index += 1;
                }
                Due::GiveUp => {
                    let gone = self.transactions.swap_remove(index);
                    match gone.purpose {
                        Purpose::Allocate => self.fail(Failed::Unreachable),
                        Purpose::Refresh(0) => self.fail(Failed::Closed),
                        Purpose::Refresh(_) => self.fail(Failed::Unreachable),
                        // The relay is there; a peer that can't be reached shows in what it carries.
                        Purpose::Permit(_) | Purpose::Bind(..) => {}
                    }
                }
            }
        }
    }

    fn request(&mut self, now: Instant, purpose: Purpose, challenges: u32) {
        let id = self.ids.next();
        let Some(bytes) = purpose.request(id, &self.config, self.challenge.as_ref()) else {
            return self.fail(Failed::Malformed);
        };
        self.outputs.push_back(ClientOutput::Transmit(bytes.clone()));
        let mut transaction = Transaction::new(id, purpose, bytes, self.config.transport.is_stream(), now);
        transaction.challenges = challenges;
        self.transactions.push(transaction);
    }

    fn message(&mut self, now: Instant, message: &Message<'_>) {
        if message.class() == MessageClass::Indication {
            return self.indication(message);
        }
        let Some(index) = self.transactions.iter().position(|known| known.id == message.transaction_id()) else {
            return;
        };
        let is_signed = self.challenge.as_ref().is_some_and(|challenge| challenge.has_signed(message));
        match message.class() {
            // RFC 8489 §9.2.5: an answer that is not signed is none.
            MessageClass::Success if is_signed => {
                let purpose = self.transactions.swap_remove(index).purpose;
                self.succeeded(now, purpose, message);
            }
            MessageClass::Error => {
                let Ok(Some(code)) = optional::<ErrorCode>(message) else { return };
                let may_be_unsigned =
                    matches!(code.code(), ErrorCode::BAD_REQUEST | ErrorCode::UNAUTHORIZED | ErrorCode::STALE_NONCE);
                if is_signed || may_be_unsigned || self.challenge.is_none() {
                    let transaction = self.transactions.swap_remove(index);
                    self.refused(now, &transaction, message, &code);
                }
            }
            _ => {}
        }
    }

    fn succeeded(&mut self, now: Instant, purpose: Purpose, message: &Message<'_>) {
        match purpose {
            Purpose::Allocate => {
                let Ok(Some(relayed)) = optional::<XorRelayedAddress>(message) else {
                    return self.fail(Failed::Malformed);
                };
                let id = message.transaction_id();
                let mapped = optional::<XorMappedAddress>(message).ok().flatten().map(|mapped| mapped.addr(id));
                self.allocated(now, message);
                self.outputs.push_back(ClientOutput::Allocated { relayed: relayed.addr(id), mapped });
            }
            Purpose::Refresh(0) => self.fail(Failed::Closed),
            Purpose::Refresh(_) => self.allocated(now, message),
            Purpose::Permit(address) => {
                let Some(peer) = self.peers.iter_mut().find(|peer| peer.address == address) else { return };
                let channel = peer.channel;
                if let Some(waiting) = peer.permitted(now) {
                    for data in waiting {
                        self.indicate(address, &data);
                    }
                    self.request(now, Purpose::Bind(address, channel), 0);
                }
            }
            Purpose::Bind(address, _) => {
                if let Some(peer) = self.peers.iter_mut().find(|peer| peer.address == address) {
                    peer.bound(now);
                }
            }
        }
    }

    /// A relay is there for as long as the server says. It is renewed a minute before its end, or
    /// at half of it where it is short.
    fn allocated(&mut self, now: Instant, message: &Message<'_>) {
        let lifetime = optional::<Lifetime>(message).ok().flatten().map_or(LIFETIME, |lifetime| lifetime.seconds());
        let after = lifetime.saturating_sub(60).max(lifetime / 2).max(1);
        if matches!(self.state, State::Allocating | State::Allocated { .. }) {
            self.state = State::Allocated { refresh_at: now + Duration::from_secs(u64::from(after)) };
        }
    }

    fn refused(&mut self, now: Instant, transaction: &Transaction, message: &Message<'_>, code: &ErrorCode) {
        let (purpose, challenges) = (transaction.purpose, transaction.challenges);
        let is_first = self.challenge.is_none();
        let may_answer = match code.code() {
            ErrorCode::UNAUTHORIZED => is_first,
            ErrorCode::STALE_NONCE => challenges < CHALLENGES,
            _ => false,
        };
        if may_answer {
            match Challenge::read(message, &self.config, self.challenge.as_ref()) {
                Some(challenge) => {
                    self.challenge = Some(challenge);
                    self.request(now, purpose, challenges + 1);
                }
                None => self.fail(Failed::Malformed),
            }
            return;
        }
        match purpose {
            Purpose::Allocate | Purpose::Refresh(1..) => {
                self.fail(Failed::Refused { code: code.code(), reason: code.reason().to_owned() });
            }
            Purpose::Refresh(0) => self.fail(Failed::Closed),
            Purpose::Permit(peer) => self.refuse_peer(peer, code.code()),
            // The permission holds; data goes by indications.
            Purpose::Bind(..) => {}
        }
    }

    fn refuse_peer(&mut self, address: SocketAddr, code: u16) {
        if let Some(peer) = self.peers.iter_mut().find(|peer| peer.address == address) {
            peer.refused();
            self.outputs.push_back(ClientOutput::PeerRefused { peer: address, code });
        }
    }

    fn send(&mut self, now: Instant, address: SocketAddr, data: &[u8]) {
        if !matches!(self.state, State::Allocated { .. }) {
            return;
        }
        let way = match self.peers.iter_mut().find(|peer| peer.address == address) {
            Some(peer) => peer.way(data),
            None => {
                let number = u16::try_from(self.peers.len()).ok().map(|place| ChannelNumber::MIN.get() + place);
                let Some(channel) = number.and_then(ChannelNumber::new).filter(|_| self.peers.len() < PEERS) else {
                    return;
                };
                let mut peer = Peer::new(address, channel);
                let way = peer.way(data);
                self.peers.push(peer);
                self.request(now, Purpose::Permit(address), 0);
                way
            }
        };
        match way {
            Way::None => {}
            Way::Indication => self.indicate(address, data),
            Way::Channel(channel) => {
                let Some(header) = ChannelData::header(channel, data.len()) else { return };
                let mut bytes = Vec::with_capacity(data.len() + 8);
                bytes.extend_from_slice(&header);
                bytes.extend_from_slice(data);
                if self.config.transport.is_stream() {
                    bytes.resize(bytes.len() + ChannelData::padding(data.len()), 0);
                }
                self.outputs.push_back(ClientOutput::Transmit(bytes));
            }
        }
    }

    fn indicate(&mut self, peer: SocketAddr, data: &[u8]) {
        let id = self.ids.next();
        let kind = MessageType::from_class_method(MessageClass::Indication, SEND);
        let mut message = Message::builder(kind, id, MessageWriteVec::new());
        let written = message
            .add_attribute(&XorPeerAddress::new(peer, id))
            .and_then(|()| message.add_attribute(&Data::new(data)));
        if written.is_ok() {
            self.outputs.push_back(ClientOutput::Transmit(message.finish()));
        }
    }

    fn channel_data(&mut self, data: ChannelData<'_>) {
        if let Some(peer) = self.peers.iter().find(|peer| peer.channel == data.channel) {
            let (peer, data) = (peer.address, data.data.to_vec());
            self.outputs.push_back(ClientOutput::Data { peer, data });
        }
    }

    fn indication(&mut self, message: &Message<'_>) {
        let (Ok(Some(peer)), Ok(Some(data))) = (optional::<XorPeerAddress>(message), optional::<Data<'_>>(message))
        else {
            return;
        };
        let peer = peer.addr(message.transaction_id());
        self.outputs.push_back(ClientOutput::Data { peer, data: data.data().to_vec() });
    }

    fn close(&mut self, now: Instant) {
        match self.state {
            State::Allocated { .. } => {
                self.state = State::Closing;
                self.transactions.clear();
                self.peers.clear();
                self.request(now, Purpose::Refresh(0), 0);
            }
            State::Closing | State::Over => {}
            State::Idle | State::Allocating => self.fail(Failed::Closed),
        }
    }

    fn fail(&mut self, why: Failed) {
        if !matches!(self.state, State::Over) {
            self.state = State::Over;
            self.transactions.clear();
            self.peers.clear();
            self.outputs.push_back(ClientOutput::Failed(why));
        }
    }
}
