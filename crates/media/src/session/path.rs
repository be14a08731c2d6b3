//! Candidates that were gathered (RFC 8445 §5.1.1), and which of them media goes by.

use std::{collections::HashMap, net::SocketAddr};

use str0m::{Candidate, ice::StunMessage, net::Protocol};

use crate::egress::Way;

/// Where a candidate comes from (RFC 8445 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CandidateKind {
    /// A socket of its own.
    Host,
    /// What a STUN server saw.
    ServerReflexive,
    /// What the other end saw.
    PeerReflexive,
    /// An address at a TURN server.
    Relayed,
}

/// A local candidate that was gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Gathered {
    /// Where it comes from.
    pub kind: CandidateKind,
    /// What the other end is told.
    pub address: SocketAddr,
    /// Where packets for it are sent from; a relayed candidate is its own base (RFC 8445 §5.1.1.2).
    pub base: SocketAddr,
}

impl Gathered {
    /// A socket of this end.
    #[must_use]
    pub const fn host(address: SocketAddr) -> Self {
        Self { kind: CandidateKind::Host, address, base: address }
    }

    /// `None` for an address that no candidate may have.
    pub(super) fn candidate(&self) -> Option<Candidate> {
        let Self { kind, address, base } = *self;
        match kind {
            CandidateKind::Host => Candidate::host(address, Protocol::Udp),
            CandidateKind::ServerReflexive => Candidate::server_reflexive(address, base, Protocol::Udp),
            // Only checks find those.
            CandidateKind::PeerReflexive => return None,
            CandidateKind::Relayed => Candidate::relayed(address, base, Protocol::Udp),
        }
        .ok()
    }
}

/// Between which candidates media goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// Where this end sends from: the base of its candidate.
    pub from: SocketAddr,
    /// As what this end is seen by the other.
    pub local: CandidateKind,
    /// What the other end is reached by.
    pub remote: CandidateKind,
}

/// The id of a STUN transaction (RFC 8489 §5).
type Transaction = [u8; 12];

/// What is known of the ways to another participant. It is for reports alone: which way media
/// goes is ICE's decision.
#[derive(Debug, Default)]
pub(super) struct Paths {
    local: Vec<Gathered>,
    remote: HashMap<SocketAddr, CandidateKind>,
    /// By base and remote address: the newest check, and what its answer told of this end.
    checks: HashMap<(SocketAddr, SocketAddr), Check>,
}

#[derive(Debug)]
struct Check {
    newest: Transaction,
    mapped: Option<SocketAddr>,
}

/// More pairs than these are not followed; str0m has a hundred at most.
const PAIRS: usize = 256;

impl Paths {
    pub(super) fn add(&mut self, candidate: Gathered) {
        self.local.push(candidate);
    }

    pub(super) fn remove(&mut self, candidate: Gathered) {
        self.local.retain(|known| *known != candidate);
    }

    pub(super) fn remote_candidate(&mut self, candidate: &Candidate) {
        if self.remote.len() >= PAIRS {
            return;
        }
        let kind = match candidate.kind() {
            str0m::CandidateKind::Host => CandidateKind::Host,
            str0m::CandidateKind::ServerReflexive => CandidateKind::ServerReflexive,
            str0m::CandidateKind::PeerReflexive => CandidateKind::PeerReflexive,
            str0m::CandidateKind::Relayed => CandidateKind::Relayed,
        };
        self.remote.entry(candidate.addr()).or_insert(kind);
    }

    /// The candidates of a description.
    pub(super) fn remote_description(&mut self, sdp: &str) {
        for line in sdp.lines().filter_map(|line| line.strip_prefix("a=candidate:")) {
            if let Ok(candidate) = Candidate::from_sdp_string(&format!("candidate:{line}")) {
                self.remote_candidate(&candidate);
            }
        }
    }

    /// A packet goes out.
    pub(super) fn sent(&mut self, way: Way, data: &[u8]) {
        let Some(newest) = transaction(data, [0x00, 0x01]) else { return };
        let Way { from, to, .. } = way;
        if let Some(check) = self.checks.get_mut(&(from, to)) {
            check.newest = newest;
        } else if self.checks.len() < PAIRS {
            self.checks.insert((from, to), Check { newest, mapped: None });
        }
    }

    /// A packet came. Only the answer to the newest check of its pair is believed: nobody else
    /// knows the transaction's id.
    pub(super) fn received(&mut self, base: SocketAddr, from: SocketAddr, data: &[u8]) {
        let Some(id) = transaction(data, [0x01, 0x01]) else { return };
        let Some(check) = self.checks.get_mut(&(base, from)).filter(|check| check.newest == id) else { return };
        if let Some(mapped) = StunMessage::parse(data).ok().and_then(|message| message.mapped_address()) {
            check.mapped = Some(mapped);
        }
    }

    /// The path between these addresses.
    pub(super) fn path(&self, from: SocketAddr, to: SocketAddr) -> Path {
        let mapped = self.checks.get(&(from, to)).and_then(|check| check.mapped).unwrap_or(from);
        let of = |address| self.local.iter().filter(move |known| known.address == address).map(|known| known.kind);
        // One address may be both: without a NAT, a server sees the host's own.
        let local =
            of(mapped).min().unwrap_or(if mapped == from { CandidateKind::Host } else { CandidateKind::PeerReflexive });
        let local = if of(from).any(|kind| kind == CandidateKind::Relayed) { CandidateKind::Relayed } else { local };
        let remote = self.remote.get(&to).copied().unwrap_or(CandidateKind::PeerReflexive);
        Path { from, local, remote }
    }
}

/// The transaction of a STUN message of this type.
fn transaction(data: &[u8], kind: [u8; 2]) -> Option<Transaction> {
    let id = data.get(8..20).filter(|_| data.starts_with(&kind))?;
    id.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Transport;

    const BASE: &str = "192.0.2.1:5000";
    const SEEN: &str = "198.51.100.1:6000";
    const OTHER: &str = "203.0.113.1:7000";

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn check(id: u8) -> Vec<u8> {
        [vec![0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42], vec![id; 12]].concat()
    }

    /// The answer to a check, as an agent that sees `mapped` writes it (RFC 8489 §14.2).
    fn answer(id: u8, mapped: SocketAddr) -> Vec<u8> {
        let std::net::IpAddr::V4(ip) = mapped.ip() else { unreachable!("IPv4 alone is used here") };
        let cookie = [0x21, 0x12, 0xA4, 0x42];
        let port = mapped.port().to_be_bytes();
        let mut bytes = [vec![1, 1, 0, 36], cookie.to_vec(), vec![id; 12], vec![0, 0x20, 0, 8, 0, 1]].concat();
        bytes.extend([port[0] ^ cookie[0], port[1] ^ cookie[1]]);
        bytes.extend(ip.octets().iter().zip(cookie).map(|(octet, mask)| octet ^ mask));
        // MESSAGE-INTEGRITY, which is ICE's to check (RFC 8489 §14.5).
        bytes.extend([0, 8, 0, 20]);
        bytes.extend([0; 20]);
        bytes
    }

    fn checked(paths: &mut Paths, mapped: &str) -> Path {
        let way = Way { transport: Transport::Udp, from: address(BASE), to: address(OTHER) };
        paths.sent(way, &check(1));
        paths.received(address(BASE), address(OTHER), &answer(1, address(mapped)));
        paths.path(address(BASE), address(OTHER))
    }

    #[test]
    fn this_end_is_what_the_other_one_sees() {
        let mut paths = Paths::default();
        paths.add(Gathered::host(address(BASE)));
        assert_eq!(checked(&mut paths, BASE).local, CandidateKind::Host);
        assert_eq!(checked(&mut paths, SEEN).local, CandidateKind::PeerReflexive);
        paths.add(Gathered { kind: CandidateKind::ServerReflexive, address: address(SEEN), base: address(BASE) });
        assert_eq!(checked(&mut paths, SEEN).local, CandidateKind::ServerReflexive);
    }

    #[test]
    fn a_relay_is_one_whatever_its_peer_sees() {
        let mut paths = Paths::default();
        paths.add(Gathered { kind: CandidateKind::Relayed, address: address(BASE), base: address(BASE) });
        assert_eq!(checked(&mut paths, BASE).local, CandidateKind::Relayed);
    }

    #[test]
    fn the_other_end_is_what_it_said_of_its_address() {
        let mut paths = Paths::default();
        assert_eq!(checked(&mut paths, BASE).remote, CandidateKind::PeerReflexive);
        paths.remote_description(
            "v=0\r\na=candidate:1 1 udp 16777215 203.0.113.1 7000 typ relay raddr 0.0.0.0 rport 0\r\n",
        );
        assert_eq!(checked(&mut paths, BASE).remote, CandidateKind::Relayed);
    }

    #[test]
    fn an_answer_that_nobody_asked_for_is_not_believed() {
        let mut paths = Paths::default();
        paths.add(Gathered::host(address(BASE)));
        checked(&mut paths, BASE);
        paths.received(address(BASE), address(OTHER), &answer(9, address(SEEN)));
        assert_eq!(paths.path(address(BASE), address(OTHER)).local, CandidateKind::Host);
    }
}
