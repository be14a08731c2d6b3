//! A relayed candidate: an allocation at a TURN server, over UDP, or over TCP or TLS where that
//! does not get through. The next way is tried while the former may still come about; the first
//! that does is kept.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use madang_turn::client::{Client, ClientConfig, ClientInput, ClientOutput, Failed, Wishes};
use rand::{RngExt, rngs::StdRng};

use super::io::{StreamId, StreamOutput};
use crate::relay::{Server, Service, Transport};

/// One lost request and its repetition fit into this; then the next way is tried too.
const PATIENCE: Duration = Duration::from_secs(1);
/// After a relay was lost, another is asked for.
const AGAIN: Duration = Duration::from_secs(1);

/// What comes of relays.
#[derive(Debug)]
pub(super) enum RelayOutput {
    /// Send this datagram.
    Transmit { from: SocketAddr, to: SocketAddr, data: Vec<u8> },
    /// Do this with a stream.
    Stream(StreamId, StreamOutput),
    /// There is a relay. `mapped` is what its server sees of the socket `base`.
    Opened { relayed: SocketAddr, transport: Transport, base: Option<SocketAddr>, mapped: Option<SocketAddr> },
    /// It is gone, and another is asked for.
    Lost { relayed: SocketAddr },
    /// A peer's packet.
    Data { relayed: SocketAddr, peer: SocketAddr, data: Vec<u8> },
    /// There is none to be had.
    Failed(String),
    /// Nothing more now.
    Timeout(Option<Instant>),
}

pub(super) struct Relays {
    random: StdRng,
    hosts: Vec<SocketAddr>,
    servers: Vec<Server>,
    /// Those not tried yet.
    left: VecDeque<Server>,
    /// When the next is tried.
    next_at: Option<Instant>,
    attempts: Vec<Attempt>,
    streams: u32,
    outputs: VecDeque<RelayOutput>,
    is_settled: bool,
}

struct Attempt {
    core: Client,
    at: SocketAddr,
    transport: Transport,
    via: Via,
    relayed: Option<SocketAddr>,
    /// It is not wanted any more.
    is_closing: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Via {
    Datagrams(SocketAddr),
    Stream(StreamId),
}

impl Relays {
    pub(super) fn new(random: StdRng) -> Self {
        Self {
            random,
            hosts: Vec::new(),
            servers: Vec::new(),
            left: VecDeque::new(),
            next_at: None,
            attempts: Vec::new(),
            streams: 0,
            outputs: VecDeque::new(),
            is_settled: false,
        }
    }

    /// Takes the servers for the attempts to come; a relay that is there stays.
    pub(super) fn set_servers(&mut self, servers: Vec<Server>) {
        self.servers = servers;
    }

    /// Begins to ask for a relay, from these sockets, unless there is one.
    pub(super) fn begin(&mut self, now: Instant, hosts: &[SocketAddr]) {
        self.hosts = hosts.to_vec();
        if self.attempts.iter().any(|attempt| !attempt.is_closing) {
            return;
        }
        let mut rank: Vec<(usize, Transport, Server)> = Vec::new();
        for server in &self.servers {
            let Service::Turn { transport, .. } = server.service else { continue };
            let before = rank.iter().filter(|(_, known, _)| *known == transport).count();
            rank.push((before, transport, server.clone()));
        }
        // One of each transport before the second of any.
        rank.sort_by_key(|(before, transport, _)| (*before, *transport));
        self.left = rank.into_iter().map(|(.., server)| server).collect();
        self.is_settled = false;
        self.next_at = Some(now);
        self.try_next(now);
    }

    /// Whether it is known if there is a relay.
    pub(super) fn is_settled(&self) -> bool {
        self.is_settled
    }

    /// How a relay's server is reached.
    pub(super) fn transport(&self, relayed: SocketAddr) -> Option<Transport> {
        self.attempts.iter().find(|attempt| attempt.relayed == Some(relayed)).map(|attempt| attempt.transport)
    }

    /// Gives up whatever there is.
    pub(super) fn close(&mut self, now: Instant) {
        self.left.clear();
        self.next_at = None;
        for attempt in self.attempts.iter_mut().filter(|attempt| !attempt.is_closing) {
            attempt.close(now);
        }
    }

    fn try_next(&mut self, now: Instant) {
        while self.next_at.is_some_and(|at| at <= now) {
            let Some(server) = self.left.pop_front() else {
                self.next_at = None;
                if self.attempts.iter().all(|attempt| attempt.is_closing) {
                    self.settle("the server names no relay that can be asked".into());
                }
                return;
            };
            if let Some(attempt) = self.attempt(now, server) {
                self.attempts.push(attempt);
                self.next_at = Some(now + PATIENCE);
            }
        }
    }

    fn attempt(&mut self, now: Instant, server: Server) -> Option<Attempt> {
        let Server { at, host, service: Service::Turn { transport, username, password } } = server else { return None };
        let via = if transport == Transport::Udp {
            // A loopback socket reaches nothing but this machine.
            let fits =
                |from: &&SocketAddr| from.is_ipv4() == at.is_ipv4() && from.ip().is_loopback() == at.ip().is_loopback();
            let same_family = |from: &&SocketAddr| from.is_ipv4() == at.is_ipv4();
            Via::Datagrams(*self.hosts.iter().find(fits).or_else(|| self.hosts.iter().find(same_family))?)
        } else {
            let id = StreamId(self.streams);
            self.streams += 1;
            self.outputs.push_back(RelayOutput::Stream(id, StreamOutput::Open { at, host, transport }));
            Via::Stream(id)
        };
        let seed = self.random.random();
        let mut core =
            Client::new(ClientConfig { username, password, transport, seed, server: None, wishes: Wishes::default() });
        core.handle_input(now, ClientInput::Timeout);
        Some(Attempt { core, at, transport, via, relayed: None, is_closing: false })
    }

    /// A datagram came. `false` when it is from none of the servers.
    pub(super) fn receive(&mut self, now: Instant, from: SocketAddr, to: SocketAddr, data: &[u8]) -> bool {
        let of = |attempt: &&mut Attempt| attempt.at == from && attempt.via == Via::Datagrams(to);
        let Some(attempt) = self.attempts.iter_mut().find(of) else { return false };
        attempt.core.handle_input(now, ClientInput::Packet(data));
        true
    }

    /// A frame came by a stream.
    pub(super) fn stream_frame(&mut self, now: Instant, id: StreamId, frame: &[u8]) {
        if let Some(attempt) = self.attempts.iter_mut().find(|attempt| attempt.via == Via::Stream(id)) {
            attempt.core.handle_input(now, ClientInput::Packet(frame));
        }
    }

    /// A stream could not be opened, or is gone.
    pub(super) fn stream_closed(&mut self, now: Instant, id: StreamId, why: &str) {
        if let Some(index) = self.attempts.iter().position(|attempt| attempt.via == Via::Stream(id)) {
            let gone = self.attempts.swap_remove(index);
            self.ended(now, &gone, why.to_owned());
        }
    }

    /// Sends to a peer by a relay. `false` when `from` is no relay.
    pub(super) fn send(&mut self, now: Instant, from: SocketAddr, peer: SocketAddr, data: &[u8]) -> bool {
        let Some(attempt) = self.attempts.iter_mut().find(|attempt| attempt.relayed == Some(from)) else {
            return false;
        };
        attempt.core.handle_input(now, ClientInput::Send { peer, data });
        true
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        for attempt in &mut self.attempts {
            attempt.core.handle_input(now, ClientInput::Timeout);
        }
        if self.next_at.is_some_and(|at| at <= now) {
            if self.left.is_empty() && self.attempts.is_empty() {
                let hosts = std::mem::take(&mut self.hosts);
                self.begin(now, &hosts);
            } else {
                self.try_next(now);
            }
        }
    }

    /// The next thing to do. Whatever it is, what came of it is to be done before the next: a
    /// session holds one packet of media.
    pub(super) fn poll_output(&mut self, now: Instant) -> RelayOutput {
        let mut earliest = self.next_at;
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return output;
            }
            let mut index = 0;
            while index < self.attempts.len() && self.outputs.is_empty() {
                match self.attempts[index].core.poll_output() {
                    ClientOutput::Timeout(at) => {
                        earliest = [earliest, at].into_iter().flatten().min();
                        index += 1;
                    }
                    output => self.client_output(now, index, output),
                }
            }
            if self.outputs.is_empty() {
                return RelayOutput::Timeout(earliest);
            }
        }
    }

    fn client_output(&mut self, now: Instant, index: usize, output: ClientOutput) {
        let attempt = &mut self.attempts[index];
        match output {
            ClientOutput::Transmit(data) => self.outputs.push_back(match attempt.via {
                Via::Datagrams(from) => RelayOutput::Transmit { from, to: attempt.at, data },
                Via::Stream(id) => RelayOutput::Stream(id, StreamOutput::Send(data)),
            }),
            ClientOutput::Allocated { relayed, mapped, .. } => {
                attempt.relayed = Some(relayed);
                let base = if let Via::Datagrams(from) = attempt.via { Some(from) } else { None };
                let transport = attempt.transport;
                let mapped = mapped.filter(|_| base.is_some());
                self.outputs.push_back(RelayOutput::Opened { relayed, transport, base, mapped });
                self.keep(now, index);
            }
            ClientOutput::Data { peer, data } => {
                if let Some(relayed) = attempt.relayed {
                    self.outputs.push_back(RelayOutput::Data { relayed, peer, data });
                }
            }
            ClientOutput::PeerRefused { code, .. } => tracing::debug!(code, "the relay does not serve a peer"),
            ClientOutput::Failed(why) => {
                let gone = self.attempts.swap_remove(index);
                if let Via::Stream(id) = gone.via {
                    self.outputs.push_back(RelayOutput::Stream(id, StreamOutput::Close));
                }
                let why = if gone.is_closing { Failed::Closed } else { why };
                self.ended(now, &gone, format!("{} over {}: {why}", gone.at, gone.transport.name()));
            }
            ClientOutput::Redirected { to, .. } => match attempt.via {
                Via::Datagrams(_) => attempt.at = to,
                // A connection leads where it leads.
                Via::Stream(id) => {
                    let gone = self.attempts.swap_remove(index);
                    self.outputs.push_back(RelayOutput::Stream(id, StreamOutput::Close));
                    self.ended(now, &gone, format!("{} over {} names another server", gone.at, gone.transport.name()));
                }
            },
            // Not asked for; and what ICMP says of a peer, ICE finds out by itself.
            ClientOutput::FamilyRefused { .. }
            | ClientOutput::Moved
            | ClientOutput::Icmp { .. }
            | ClientOutput::Timeout(_) => {}
        }
    }

    /// The first relay is enough.
    fn keep(&mut self, now: Instant, index: usize) {
        self.is_settled = true;
        self.left.clear();
        self.next_at = None;
        for (_, other) in self.attempts.iter_mut().enumerate().filter(|(place, _)| *place != index) {
            other.close(now);
        }
    }

    fn ended(&mut self, now: Instant, gone: &Attempt, why: String) {
        if let Some(relayed) = gone.relayed {
            self.outputs.push_back(RelayOutput::Lost { relayed });
        }
        if gone.is_closing {
            return;
        }
        let others = self.attempts.iter().filter(|attempt| !attempt.is_closing).count();
        match (gone.relayed, others) {
            (Some(_), 0) => self.next_at = Some(now + AGAIN),
            (None, _) if !self.left.is_empty() => {
                self.next_at = Some(now);
                self.try_next(now);
            }
            (None, 0) => self.settle(why),
            _ => {}
        }
    }

    fn settle(&mut self, why: String) {
        if !std::mem::replace(&mut self.is_settled, true) {
            self.outputs.push_back(RelayOutput::Failed(why));
        }
    }
}

impl Attempt {
    fn close(&mut self, now: Instant) {
        self.is_closing = true;
        self.core.handle_input(now, ClientInput::Close);
    }
}
