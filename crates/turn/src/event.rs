//! What the books of the operator need to know: who relayed how much, and for how long.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use madang_wire::{FiveTuple, Pii};

use crate::Traffic;

/// The beginning or the end of an allocation.
#[derive(Clone, PartialEq, Eq)]
pub struct AllocationEvent {
    /// A number that no other allocation has, neither of this shard nor of another, as long as
    /// the server runs.
    pub allocation: u64,
    /// Whose: the user name, of time-limited ones the part after the time.
    pub account: Arc<str>,
    /// From where, as things are now: a mobile client may have moved.
    pub client: FiveTuple,
    /// What peers see: one address, or one of each family.
    pub relayed: Vec<SocketAddr>,
    /// Whether this is a TCP allocation (RFC 6062).
    pub tcp: bool,
    /// What has happened.
    pub what: AllocationChange,
}

/// Addresses and names stay out of logs.
impl fmt::Debug for AllocationEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let relayed = self.relayed.iter().map(|address| Pii(*address).to_string()).collect::<Vec<_>>();
        f.debug_struct("AllocationEvent")
            .field("allocation", &self.allocation)
            .field("client", &self.client)
            .field("relayed", &relayed)
            .field("tcp", &self.tcp)
            .field("what", &self.what)
            .finish_non_exhaustive()
    }
}

/// See [`AllocationEvent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllocationChange {
    /// It has begun.
    Began,
    /// It has ended.
    Ended {
        /// Why.
        reason: EndReason,
        /// How long it lasted.
        lasted: Duration,
        /// Data of the client that went on to peers.
        to_peers: Traffic,
        /// Data of peers that went on to the client. The packets of TCP allocations are not
        /// counted, and are 0.
        to_client: Traffic,
    },
}

/// Why an allocation has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// It was not refreshed in time.
    Expired,
    /// The client gave it back, by a Refresh with lifetime 0.
    Released,
    /// The client's connection has ended.
    Disconnected,
    /// The server's drain has come to its deadline.
    Drained,
}

impl EndReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Expired, Self::Released, Self::Disconnected, Self::Drained];

    /// The name used in metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Released => "released",
            Self::Disconnected => "disconnected",
            Self::Drained => "drained",
        }
    }
}
