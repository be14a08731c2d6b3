//! The discovery of NAT behaviour, sans-IO: RFC 5780 §4.3 (mapping), §4.4 (filtering) and, with a
//! socket to each side of it, hairpinning (§3.3); and a single [`Binding`] transaction.
//!
//! Two sockets take part. The first one asks the server at all of its addresses, which tells how
//! the NAT maps; by that it lets those addresses in, so whom the NAT lets in is found out with the
//! second one, which never sends but to the first address of the server.
//!
//! Not implemented: the lifetime of mappings (§4.6), which takes minutes; fragments (§4.7).

mod binding;
mod report;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

pub use binding::{Answer, Binding};
pub use report::{Behaviour, Report, Unknown};

use crate::retransmission::{Ids, Retransmission};
use binding::Change;

/// How often a request is sent that has to come by a way nobody knows to be open.
const PROBES: u32 = 4;

/// How to find out.
#[derive(Clone)]
pub struct Config {
    /// The server's address, by UDP.
    pub server: SocketAddr,
    /// The local address of the first socket: there is no NAT if the server sees the same.
    pub local: Option<SocketAddr>,
    /// How often the first request is sent before the server is given up: 7 in RFC 8489 §6.2.1,
    /// which takes 39.5 s. With fewer the wait after the last is a second.
    pub sends: u32,
    /// Secret and random: transaction ids are made from it.
    pub seed: [u8; 32],
}

/// The seed stays out of logs.
impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config").field("server", &self.server).finish_non_exhaustive()
    }
}

/// One of the two sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Socket {
    /// By which the mapping is found out.
    First,
    /// By which the filtering is.
    Second,
}

/// What happens.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A datagram came.
    Packet {
        /// To this socket.
        at: Socket,
        /// From there.
        from: SocketAddr,
        /// Its bytes.
        data: &'a [u8],
    },
    /// The time named by [`Output::Timeout`] has come; the first one begins.
    Timeout,
}

/// What the shell is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a datagram.
    Transmit {
        /// By this socket.
        by: Socket,
        /// To there.
        to: SocketAddr,
        /// Its bytes.
        data: Vec<u8>,
    },
    /// That is all there is to know. Nothing follows.
    Done(Report),
    /// Nothing more now. Come again at that time.
    Timeout(Option<Instant>),
}

/// What a request is to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    /// How each socket is seen by the server's first address.
    Seen(Socket),
    /// How the first one is seen at the other address, at the first port (§4.3, test II)...
    OtherAddress,
    /// ...and at the other port (test III).
    OtherBoth,
    /// Whether the other address and port may answer (§4.4, test II)...
    FromOtherBoth,
    /// ...or the other port of the first address (test III).
    FromOtherPort,
    /// Whether one socket reaches the other by its outer address.
    Hairpin(Socket),
}

#[derive(Debug)]
struct Probe {
    test: Test,
    by: Socket,
    to: SocketAddr,
    binding: Binding,
}

/// The answers, as far as they have come. Silence is `None` too, once the test is over.
#[derive(Debug, Default)]
struct Found {
    first: Option<Seen>,
    second: Option<Seen>,
    at_other_address: Option<Seen>,
    at_other_both: Option<Seen>,
    from_other_both: Option<Seen>,
    from_other_port: Option<Seen>,
    hairpinned: bool,
    other: Option<SocketAddr>,
    round_trip: Option<Duration>,
}

/// What a test has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    As(SocketAddr),
    Not(Unknown),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Asking,
    Comparing,
    Hairpin,
    Over,
}

/// See the module.
#[derive(Debug)]
pub struct Discovery {
    config: Config,
    ids: Ids,
    phase: Phase,
    probes: Vec<Probe>,
    found: Found,
    outputs: VecDeque<Output>,
}

impl Discovery {
    /// A discovery that has not begun.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            ids: Ids::new(&config.seed),
            config,
            phase: Phase::Idle,
            probes: Vec::new(),
            found: Found::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Takes what happened.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Packet { at, from, data } => self.packet(now, at, from, data),
            Input::Timeout => self.timeout(now),
        }
        if self.phase != Phase::Idle && self.probes.is_empty() {
            self.advance(now);
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Output {
        let timeout = self.probes.iter().map(|probe| probe.binding.timeout()).min();
        self.outputs.pop_front().unwrap_or(Output::Timeout(timeout))
    }

    fn timeout(&mut self, now: Instant) {
        if self.phase == Phase::Idle {
            self.phase = Phase::Asking;
            let server = self.config.server;
            for socket in [Socket::First, Socket::Second] {
                self.ask(now, Test::Seen(socket), socket, server, Change::default());
            }
            return;
        }
        let outputs = &mut self.outputs;
        self.probes.retain_mut(|probe| match probe.binding.is_due(now) {
            Some(is_due) => {
                if is_due {
                    let data = probe.binding.bytes().to_vec();
                    outputs.push_back(Output::Transmit { by: probe.by, to: probe.to, data });
                }
                true
            }
            None => false,
        });
    }

    fn ask(&mut self, now: Instant, test: Test, by: Socket, to: SocketAddr, change: Change) {
        let again = match test {
            Test::Seen(_) if self.config.sends >= 7 => Retransmission::datagram(now),
            Test::Seen(_) => Retransmission::short(now, self.config.sends.max(1)),
            _ => Retransmission::short(now, PROBES),
        };
        let binding = Binding::new(self.ids.next(), change, again, now);
        self.outputs.push_back(Output::Transmit { by, to, data: binding.bytes().to_vec() });
        self.probes.push(Probe { test, by, to, binding });
    }

    fn packet(&mut self, now: Instant, at: Socket, from: SocketAddr, data: &[u8]) {
        let hairpinned =
            self.probes.iter().any(|p| matches!(p.test, Test::Hairpin(to) if to == at) && p.binding.is(data));
        if hairpinned {
            self.found.hairpinned = true;
            self.probes.clear();
            return;
        }
        let found = self.probes.iter().enumerate().find_map(|(index, probe)| {
            let answer = probe.binding.answer(data).filter(|_| probe.by == at)?;
            Some((index, answer))
        });
        let Some((index, answer)) = found else { return };
        let probe = self.probes.swap_remove(index);
        let seen = match answer {
            Answer::Success { mapped, .. } if self.came_rightly(probe.test, probe.to, from) => Seen::As(mapped),
            Answer::Success { .. } | Answer::Malformed => Seen::Not(Unknown::Malformed),
            Answer::Error(code) => Seen::Not(Unknown::Refused(code)),
        };
        let found = &mut self.found;
        match probe.test {
            Test::Seen(Socket::First) => {
                found.first = Some(seen);
                if let Answer::Success { other, .. } = answer {
                    found.other = other;
                }
                let took = now.saturating_duration_since(probe.binding.sent());
                found.round_trip = Some(took).filter(|took| *took < Duration::from_millis(500));
            }
            Test::Seen(Socket::Second) => found.second = Some(seen),
            Test::OtherAddress => found.at_other_address = Some(seen),
            Test::OtherBoth => found.at_other_both = Some(seen),
            Test::FromOtherBoth => found.from_other_both = Some(seen),
            Test::FromOtherPort => found.from_other_port = Some(seen),
            Test::Hairpin(_) => {}
        }
    }

    /// Whether an answer came from where it was asked to come: a server that knows nothing of
    /// CHANGE-REQUEST answers from where it was asked, and that tells nothing about the filtering.
    fn came_rightly(&self, test: Test, to: SocketAddr, from: SocketAddr) -> bool {
        let is_other_port = from.port() != to.port();
        match test {
            Test::FromOtherBoth => from.ip() != to.ip() && is_other_port,
            Test::FromOtherPort => from.ip() == to.ip() && is_other_port,
            _ => from == to,
        }
    }

    /// All requests of a phase are answered or given up.
    fn advance(&mut self, now: Instant) {
        match self.phase {
            Phase::Asking => match self.other() {
                Ok(other) => {
                    self.phase = Phase::Comparing;
                    self.compare(now, other);
                }
                Err(why) => {
                    let (mapped, round_trip) = (self.mapped(), self.found.round_trip);
                    let unknown = Report::unknown(mapped, why);
                    // One address is enough to see that there is no NAT.
                    let mapping =
                        if mapped.is_some() && mapped == self.config.local { Behaviour::None } else { unknown.mapping };
                    self.finish(Report { mapping, round_trip, ..unknown });
                }
            },
            Phase::Comparing => match (self.mapped(), self.found.second) {
                (Some(first), Some(Seen::As(second))) if self.mapping() != Behaviour::None => {
                    self.phase = Phase::Hairpin;
                    // Each way: the first packet is what lets the one from the other side in.
                    self.ask(now, Test::Hairpin(Socket::Second), Socket::First, second, Change::default());
                    self.ask(now, Test::Hairpin(Socket::First), Socket::Second, first, Change::default());
                }
                _ => self.conclude(),
            },
            Phase::Hairpin => self.conclude(),
            Phase::Idle | Phase::Over => {}
        }
    }

    fn mapped(&self) -> Option<SocketAddr> {
        if let Some(Seen::As(mapped)) = self.found.first { Some(mapped) } else { None }
    }

    /// The server's other address, if it has one that can be used: RFC 5780 §6.
    fn other(&self) -> Result<SocketAddr, Unknown> {
        match self.found.first {
            None => return Err(Unknown::NoAnswer),
            Some(Seen::Not(why)) => return Err(why),
            Some(Seen::As(_)) => {}
        }
        let server = self.config.server;
        self.found
            .other
            .filter(|other| other.ip() != server.ip() && other.port() != server.port() && other.port() != 0)
            .filter(|other| other.is_ipv4() == server.is_ipv4())
            .filter(|other| !other.ip().is_unspecified() && !other.ip().is_multicast())
            .ok_or(Unknown::NoOtherAddress)
    }

    fn compare(&mut self, now: Instant, other: SocketAddr) {
        let server = self.config.server;
        let at_first_port = SocketAddr::new(other.ip(), server.port());
        let (both, port) = (Change { address: true, port: true }, Change { address: false, port: true });
        self.ask(now, Test::OtherAddress, Socket::First, at_first_port, Change::default());
        self.ask(now, Test::OtherBoth, Socket::First, other, Change::default());
        self.ask(now, Test::FromOtherBoth, Socket::Second, server, both);
        self.ask(now, Test::FromOtherPort, Socket::Second, server, port);
    }

    /// RFC 5780 §4.3.
    fn mapping(&self) -> Behaviour {
        let Some(mapped) = self.mapped() else { return Behaviour::Unknown(Unknown::NoAnswer) };
        if self.config.local == Some(mapped) {
            return Behaviour::None;
        }
        match (self.found.at_other_address, self.found.at_other_both) {
            (Some(Seen::As(seen)), _) if seen == mapped => Behaviour::EndpointIndependent,
            (Some(Seen::As(address)), Some(Seen::As(both))) if address == both => Behaviour::AddressDependent,
            (Some(Seen::As(_)), Some(Seen::As(_))) => Behaviour::AddressAndPortDependent,
            (Some(Seen::Not(why)), _) | (_, Some(Seen::Not(why))) => Behaviour::Unknown(why),
            (None, _) | (_, None) => Behaviour::Unknown(Unknown::OtherSilent),
        }
    }

    /// RFC 5780 §4.4. Silence means that the NAT is against it only where the server is known to
    /// speak from there.
    fn filtering(&self) -> Behaviour {
        let found = &self.found;
        let other_speaks =
            [found.at_other_address, found.at_other_both].iter().any(|seen| matches!(seen, Some(Seen::As(_))));
        match (found.from_other_both, found.from_other_port) {
            (Some(Seen::As(_)), _) if self.mapping() == Behaviour::None => Behaviour::None,
            (Some(Seen::As(_)), _) => Behaviour::EndpointIndependent,
            (Some(Seen::Not(why)), _) | (_, Some(Seen::Not(why))) => Behaviour::Unknown(why),
            _ if found.second.is_none() => Behaviour::Unknown(Unknown::NoAnswer),
            _ if !other_speaks => Behaviour::Unknown(Unknown::OtherSilent),
            (None, Some(Seen::As(_))) => Behaviour::AddressDependent,
            (None, None) => Behaviour::AddressAndPortDependent,
        }
    }

    fn conclude(&mut self) {
        let hairpinning = (self.phase == Phase::Hairpin).then_some(self.found.hairpinned);
        self.finish(Report {
            mapped: self.mapped(),
            mapping: self.mapping(),
            filtering: self.filtering(),
            hairpinning,
            round_trip: self.found.round_trip,
        });
    }

    fn finish(&mut self, report: Report) {
        self.phase = Phase::Over;
        self.outputs.push_back(Output::Done(report));
    }
}
