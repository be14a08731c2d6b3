//! Gathering of candidates (RFC 8445 §5.1.1): the sockets of this end, what STUN servers see of
//! them, and a relay. All links of a participant share them.

use std::{
    collections::{HashSet, VecDeque},
    net::SocketAddr,
    time::Instant,
};

use madang_media::session::{CandidateKind, Gathered};
use madang_wire::stun::Message;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{
    binding::Binding,
    io::{Ice, Kinds, StreamId, StreamInput, StreamOutput, Transmit, Transport},
    relays::{RelayOutput, Relays},
};
use crate::relay::{Server, Service, Transport as RelayTransport};

/// What comes of gathering.
#[derive(Debug)]
pub(super) enum GatheringOutput {
    Transmit(Transmit),
    Stream(StreamId, StreamOutput),
    /// A candidate was found.
    Found(Gathered),
    /// One is gone.
    Lost(Gathered),
    RelayOpened(SocketAddr, RelayTransport),
    RelayFailed(String),
    /// A packet came by a relay.
    Data {
        relayed: SocketAddr,
        peer: SocketAddr,
        data: Vec<u8>,
    },
    Timeout(Option<Instant>),
}

pub(super) struct Gathering {
    ice: Ice,
    random: StdRng,
    hosts: Vec<SocketAddr>,
    /// `None` until they are known.
    servers: Option<Vec<Server>>,
    has_begun: bool,
    bindings: Vec<Binding>,
    relays: Relays,
    candidates: Vec<Gathered>,
    outputs: VecDeque<GatheringOutput>,
}

impl Gathering {
    pub(super) fn new(ice: Ice, hosts: Vec<SocketAddr>) -> Self {
        let mut random = StdRng::from_seed(ice.secret);
        let relays = Relays::new(StdRng::from_seed(random.random()));
        Self {
            ice,
            random,
            hosts,
            servers: None,
            has_begun: false,
            bindings: Vec::new(),
            relays,
            candidates: Vec::new(),
            outputs: VecDeque::new(),
        }
    }

    /// The sockets of this end.
    pub(super) fn hosts(&self) -> &[SocketAddr] {
        &self.hosts
    }

    /// What was found so far.
    pub(super) fn candidates(&self) -> &[Gathered] {
        &self.candidates
    }

    /// The relay, where there is one.
    pub(super) fn relayed(&self) -> Option<SocketAddr> {
        self.candidates.iter().find(|found| found.kind == CandidateKind::Relayed).map(|found| found.address)
    }

    pub(super) fn relay_transport(&self, relayed: SocketAddr) -> Option<RelayTransport> {
        self.relays.transport(relayed)
    }

    /// Whether nothing more is to be expected.
    pub(super) fn is_done(&self) -> bool {
        let has_asked = self.has_begun && self.servers.is_some();
        let relays = self.ice.kinds == Kinds::NoRelay || self.relays.is_settled();
        has_asked && relays && self.bindings.iter().all(Binding::is_settled)
    }

    /// Begins, unless it has.
    pub(super) fn begin(&mut self, now: Instant) {
        if !self.has_begun {
            self.has_begun = true;
            self.gather(now);
        }
    }

    /// Takes the servers to ask, or their fresh credentials.
    pub(super) fn set_servers(&mut self, now: Instant, servers: Vec<Server>) {
        let wanted = self.ice.relay;
        let fits = |server: &&Server| match &server.service {
            Service::Turn { transport, .. } => wanted.is_none_or(|wanted| wanted == *transport),
            Service::Stun => false,
        };
        self.relays.set_servers(servers.iter().filter(fits).cloned().collect());
        let is_first = self.servers.replace(servers).is_none();
        if is_first && self.has_begun {
            self.gather(now);
        }
    }

    /// The sockets are others now; what was gathered from the former ones is gone.
    pub(super) fn set_hosts(&mut self, now: Instant, hosts: Vec<SocketAddr>) {
        self.hosts = hosts;
        let lost = std::mem::take(&mut self.candidates);
        self.outputs.extend(lost.into_iter().map(GatheringOutput::Lost));
        self.bindings.clear();
        self.relays.close(now);
        if self.has_begun {
            self.gather(now);
        }
    }

    /// Nothing is needed any more.
    pub(super) fn close(&mut self, now: Instant) {
        self.bindings.clear();
        self.relays.close(now);
    }

    fn gather(&mut self, now: Instant) {
        if self.ice.kinds != Kinds::Relay {
            for host in self.hosts.clone() {
                self.found(Gathered::host(host));
            }
        }
        let Some(servers) = &self.servers else { return };
        if self.ice.kinds != Kinds::Relay {
            let stun: HashSet<SocketAddr> =
                servers.iter().filter(|server| server.service == Service::Stun).map(|server| server.at).collect();
            for host in &self.hosts {
                let reaches = |server: &&SocketAddr| {
                    server.is_ipv4() == host.is_ipv4() && server.ip().is_loopback() == host.ip().is_loopback()
                };
                // One server sees as much as another.
                let server = stun.iter().filter(reaches).min();
                self.bindings.extend(server.map(|server| Binding::new(*host, *server, now)));
            }
        }
        if self.ice.kinds != Kinds::NoRelay {
            self.relays.begin(now, &self.hosts);
        }
        self.handle_timeout(now);
    }

    fn found(&mut self, candidate: Gathered) {
        if !self.candidates.contains(&candidate) {
            self.candidates.push(candidate);
            self.outputs.push_back(GatheringOutput::Found(candidate));
        }
    }

    fn mapped(&mut self, host: SocketAddr, address: SocketAddr) {
        if self.ice.kinds != Kinds::Relay && address != host {
            self.found(Gathered { kind: CandidateKind::ServerReflexive, address, base: host });
        }
    }

    /// A datagram came. `false` when it is for a link.
    pub(super) fn receive(&mut self, now: Instant, from: SocketAddr, to: SocketAddr, data: &[u8]) -> bool {
        let mut of = self.bindings.iter_mut().filter(|binding| binding.server == from && binding.host == to);
        if let Some(binding) = of.next()
            && let Ok(message) = Message::from_bytes(data)
            && let Some(seen) = binding.receive(now, &message)
        {
            if let Some(seen) = seen {
                self.mapped(to, seen);
            }
            return true;
        }
        self.relays.receive(now, from, to, data)
    }

    pub(super) fn stream(&mut self, now: Instant, id: StreamId, input: StreamInput<'_>) {
        match input {
            StreamInput::Frame(frame) => self.relays.stream_frame(now, id, frame),
            StreamInput::Closed(why) => self.relays.stream_closed(now, id, why),
        }
    }

    /// Sends a link's packet by the relay that it is from. Gives back what no relay is for.
    pub(super) fn send(&mut self, now: Instant, transmit: Transmit) -> Option<Transmit> {
        let is_relayed = self.relays.send(now, transmit.from, transmit.to, &transmit.data);
        (!is_relayed).then_some(transmit)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        for binding in &mut self.bindings {
            // 96 bits, RFC 8489 §5.
            let random = &mut self.random;
            if let Some(data) = binding.poll(now, || (random.random::<u128>() >> 32).into()) {
                let (from, to, transport) = (binding.host, binding.server, Transport::Udp);
                self.outputs.push_back(GatheringOutput::Transmit(Transmit { transport, from, to, data }));
            }
        }
        self.relays.handle_timeout(now);
    }

    /// The next thing to do; it is to be done before the next is asked for.
    pub(super) fn poll_output(&mut self, now: Instant) -> GatheringOutput {
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return output;
            }
            match self.relays.poll_output(now) {
                RelayOutput::Transmit { from, to, data } => {
                    return GatheringOutput::Transmit(Transmit { transport: Transport::Udp, from, to, data });
                }
                RelayOutput::Stream(id, what) => return GatheringOutput::Stream(id, what),
                RelayOutput::Opened { relayed, transport, base, mapped } => {
                    self.outputs.push_back(GatheringOutput::RelayOpened(relayed, transport));
                    self.found(Gathered {
                        kind: CandidateKind::Relayed,
                        address: relayed,
                        base: base.unwrap_or(relayed),
                    });
                    if let (Some(base), Some(mapped)) = (base, mapped) {
                        self.mapped(base, mapped);
                    }
                }
                RelayOutput::Lost { relayed } => {
                    let is_gone =
                        |found: &mut Gathered| found.kind == CandidateKind::Relayed && found.address == relayed;
                    self.outputs.extend(self.candidates.extract_if(.., is_gone).map(GatheringOutput::Lost));
                }
                RelayOutput::Data { relayed, peer, data } => return GatheringOutput::Data { relayed, peer, data },
                RelayOutput::Failed(why) => return GatheringOutput::RelayFailed(why),
                RelayOutput::Timeout(at) => {
                    let bindings = self.bindings.iter().map(Binding::timeout);
                    return GatheringOutput::Timeout(bindings.chain(at).min());
                }
            }
        }
    }
}
