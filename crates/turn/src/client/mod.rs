//! A TURN client core, sans-IO: RFC 8656 §6 to §12 from the client's side, for UDP relays, with
//! mobility (RFC 8016).
//!
//! Give it what happens by [`Client::handle_input`], then drain [`Client::poll_output`] until it
//! returns [`ClientOutput::Timeout`]. A stream's bytes are cut into packets by
//! [`madang_wire::StreamFramer`] before they come here.
//!
//! Not implemented: EVEN-PORT and RESERVATION-TOKEN (RFC 8656 §7.1), TCP relays (RFC 6062),
//! MESSAGE-INTEGRITY-SHA256 with a key made by MD5 (RFC 8489 §9.2.3).

mod answer;
mod challenge;
mod data;
mod io;
mod peer;
mod transaction;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use madang_wire::{
    Packet,
    stun::{Lifetime, Message, optional},
};

pub use io::{ClientConfig, ClientInput, ClientOutput, Failed, Families, Wishes};

use crate::retransmission::{Due, Ids};
use challenge::Challenge;
use peer::{Peer, Renewal};
use transaction::{Material, Purpose, Transaction};

/// What is asked for: RFC 8656 §3.2's default.
const LIFETIME: u32 = 600;

/// See the module.
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    state: State,
    challenge: Option<Challenge>,
    /// What moves the relay to another address (RFC 8016 §3.1.3).
    ticket: Option<Vec<u8>>,
    /// Servers that have sent this client on to others.
    left: Vec<SocketAddr>,
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
    /// The relay is asked to come along to a new address. Until it has, nothing gets through.
    Moving,
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
            left: config.server.into_iter().collect(),
            config,
            state: State::Idle,
            challenge: None,
            ticket: None,
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
            ClientInput::AddressChanged => self.address_changed(now),
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
        self.transactions.iter().map(|transaction| transaction.again.timeout()).chain(renewals).chain(refresh).min()
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
            if let Some(due) = self.peers[index].renew(now) {
                self.renew(now, index, due);
            }
        }
    }

    /// Asks for a peer's permission or channel. While the relay moves it has to wait.
    fn renew(&mut self, now: Instant, index: usize, what: Renewal) {
        let Some(peer) = self.peers.get(index).filter(|_| !matches!(self.state, State::Moving)) else { return };
        let purpose = match what {
            Renewal::Permission => Purpose::Permit(peer.address),
            Renewal::Channel => Purpose::Bind(peer.address, peer.channel),
        };
        self.request(now, purpose, 0);
    }

    /// Sends again what was not answered, and gives up what never will be.
    fn repeat(&mut self, now: Instant) {
        let mut index = 0;
        while index < self.transactions.len() {
            match self.transactions[index].again.poll(now) {
                Due::Nothing => index += 1,
                Due::Send => {
                    self.outputs.push_back(ClientOutput::Transmit(self.transactions[index].bytes.clone()));
                    index += 1;
                }
                Due::GiveUp => {
                    let gone = self.transactions.swap_remove(index);
                    match gone.purpose {
                        Purpose::Refresh(0) => self.fail(Failed::Closed),
                        Purpose::Allocate | Purpose::Refresh(_) | Purpose::Move(_) => self.fail(Failed::Unreachable),
                        // The relay is there; a peer that can't be reached shows in what it carries.
                        Purpose::Permit(_) | Purpose::Bind(..) => {}
                    }
                }
            }
        }
    }

    fn request(&mut self, now: Instant, purpose: Purpose, challenges: u32) {
        let id = self.ids.next();
        let (config, challenge) = (&self.config, self.challenge.as_ref());
        let material = Material { config, challenge, ticket: self.ticket.as_deref() };
        let Some(bytes) = purpose.request(id, &material) else {
            return self.fail(Failed::Malformed);
        };
        self.outputs.push_back(ClientOutput::Transmit(bytes.clone()));
        let mut transaction = Transaction::new(id, purpose, bytes, self.config.transport.is_stream(), now);
        transaction.challenges = challenges;
        self.transactions.push(transaction);
    }

    /// A relay is there for as long as the server says. It is renewed a minute before its end, or
    /// at half of it where it is short.
    fn allocated(&mut self, now: Instant, message: &Message<'_>) {
        let lifetime = optional::<Lifetime>(message).ok().flatten().map_or(LIFETIME, |lifetime| lifetime.seconds());
        let after = lifetime.saturating_sub(60).max(lifetime / 2).max(1);
        if matches!(self.state, State::Allocating | State::Allocated { .. } | State::Moving) {
            self.state = State::Allocated { refresh_at: now + Duration::from_secs(u64::from(after)) };
        }
    }

    /// RFC 8016 §3.2: the ticket, shown from the new address, brings the relay along. What was on
    /// its way from the old one is asked for again afterwards.
    fn address_changed(&mut self, now: Instant) {
        match self.state {
            State::Idle | State::Closing | State::Over => {}
            State::Allocating => {
                self.transactions.clear();
                self.request(now, Purpose::Allocate, 0);
            }
            State::Allocated { .. } | State::Moving if self.ticket.is_some() => {
                self.transactions.clear();
                self.state = State::Moving;
                self.request(now, Purpose::Move(LIFETIME), 0);
            }
            State::Allocated { .. } | State::Moving => self.fail(Failed::AddressChanged),
        }
    }

    /// The relay has come along.
    fn moved(&mut self, now: Instant) {
        self.outputs.push_back(ClientOutput::Moved);
        for index in 0..self.peers.len() {
            if let Some(what) = self.peers[index].unanswered() {
                self.renew(now, index, what);
            }
        }
    }

    fn close(&mut self, now: Instant) {
        match self.state {
            State::Allocated { .. } | State::Moving => {
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
