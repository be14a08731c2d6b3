//! What happens later.

use std::{collections::BTreeSet, time::Instant};

use crate::{allocation::AllocationId, io::ConnectionId, reservation::Token};

/// Why a time-out fires. Permissions and channels need none: their end is checked at each use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// An allocation was not refreshed, or one of its two relays.
    RelayExpires(AllocationId),
    /// Nobody came for a reserved port.
    ReservationExpires(Token),
    /// A peer does not answer, or nobody has bound its connection (RFC 6062 §5.2, §5.3).
    ConnectionExpires(ConnectionId),
    /// What is left when the server ends is closed.
    DrainEnds,
}

/// Pending time-outs in order.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    pending: BTreeSet<(Instant, Timer)>,
}

impl Timers {
    pub(crate) fn set(&mut self, at: Instant, timer: Timer) {
        self.pending.insert((at, timer));
    }

    pub(crate) fn clear(&mut self, at: Instant, timer: Timer) {
        self.pending.remove(&(at, timer));
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.pending.first().map(|(at, _)| *at)
    }

    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        self.pending.pop_first().map(|(_, timer)| timer)
    }
}
