//! What has happened, in numbers.

use madang_wire::Transport;

/// Packets and their bytes, headers of TURN not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Packets.
    pub packets: u64,
    /// Bytes of application data.
    pub bytes: u64,
}

impl Traffic {
    #[inline]
    pub(crate) fn count(&mut self, bytes: usize) {
        *self = self.and(bytes);
    }

    /// With one packet more.
    #[inline]
    pub(crate) const fn and(self, bytes: usize) -> Self {
        Self { packets: self.packets + 1, bytes: self.bytes + bytes as u64 }
    }
}

/// What has happened since the server began. All but `allocations` and `connections` only grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Live allocations, by [`Transport::index`] of their clients.
    pub allocations: [u64; Transport::ALL.len()],
    /// Allocations ever made.
    pub allocations_total: u64,
    /// Live connections of TCP relays with peers.
    pub connections: u64,
    /// Data of clients that went on to peers.
    pub to_peers: Traffic,
    /// Data of peers that went on to clients.
    pub to_clients: Traffic,
    /// Data for which there was no allocation, permission or channel.
    pub unpermitted: u64,
    /// Binding requests answered.
    pub bindings: u64,
    /// Requests whose sender did not prove who they are, the first ones of every client included.
    pub unauthenticated: u64,
    /// Requests left without an answer, because their network asked too often.
    pub rate_limited: u64,
    /// Allocations refused because of a quota.
    pub over_quota: u64,
    /// Peers refused by the policy.
    pub forbidden_peers: u64,
    /// Relays that could not be opened.
    pub relay_failures: u64,
    /// Data over a limit of bandwidth.
    pub over_rate: u64,
    /// ICMP messages that clients were told of.
    pub icmp: u64,
    /// Allocations that moved with their clients.
    pub moves: u64,
    /// Packets for other shards.
    pub passed_on: u64,
    /// Packets that are neither STUN nor ChannelData.
    pub malformed: u64,
}
