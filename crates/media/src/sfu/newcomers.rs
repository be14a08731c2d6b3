//! How many new addresses one link's checks may come from.
//!
//! A check is good wherever it comes from (RFC 8445 §7.3.1.3), so whoever knows the password, or
//! has seen a check on the wire and sends it again, can bring as many addresses as there are
//! ports. Each stays in the ICE agent until the link ends, and makes its next check slower.

use std::time::{Duration, Instant};

/// More than the pairs of a peer with several networks, over UDP and TCP, and a server with
/// several addresses.
const AT_ONCE: u32 = 64;
/// Afterwards there may be one in so long: a peer that moves has one new address each time.
const EVERY: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug)]
pub(super) struct Newcomers {
    room: u32,
    since: Instant,
}

impl Newcomers {
    pub(super) const fn new(now: Instant) -> Self {
        Self { room: AT_ONCE, since: now }
    }

    /// Whether there is room for another.
    pub(super) fn has_room(&mut self, now: Instant) -> bool {
        let periods = now.saturating_duration_since(self.since).as_millis() / EVERY.as_millis();
        let periods = u32::try_from(periods).unwrap_or(u32::MAX);
        self.since += EVERY * periods;
        self.room = self.room.saturating_add(periods).min(AT_ONCE);
        self.room > 0
    }

    /// One was let in.
    pub(super) fn take(&mut self) {
        self.room = self.room.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_come_at_once_and_then_one_in_a_while() {
        let start = Instant::now();
        let mut newcomers = Newcomers::new(start);
        let mut come = |now| {
            let mut count = 0;
            while newcomers.has_room(now) {
                newcomers.take();
                count += 1;
            }
            count
        };
        assert_eq!(come(start), AT_ONCE);
        assert_eq!(come(start + EVERY / 2), 0);
        assert_eq!(come(start + EVERY), 1);
        assert_eq!(come(start + EVERY * 4), 3);
        assert_eq!(come(start + EVERY * 10_000), AT_ONCE);
    }
}
