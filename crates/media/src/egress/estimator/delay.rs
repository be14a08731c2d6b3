//! How long packets wait in queues, from two clocks that know nothing of each other.
//!
//! The least delay of late stands for a path without a queue. What a packet takes longer than
//! that, it waited.

use super::Micros;

/// The least delay is forgotten after one to two of these.
const WINDOW: Micros = 10_000_000;
/// No queue is that long: the receiver's clock was set.
const MOST: i64 = 5_000_000;

#[derive(Debug, Default)]
pub(super) struct Delay {
    /// The least delay in this window and in the one before.
    least: Option<(i64, i64)>,
    window_ends: Micros,
}

impl Delay {
    /// Takes when a packet was sent and came, each on its own clock. Returns how long it waited.
    pub(super) fn waited(&mut self, now: Micros, sent: Micros, arrival: Micros) -> Micros {
        let delay = i64::try_from(arrival).unwrap_or(i64::MAX).saturating_sub_unsigned(sent);
        let (mut this, mut before) = self.least.unwrap_or((delay, delay));
        if delay.saturating_sub(this.min(before)) > MOST {
            (this, before) = (delay, delay);
        }
        if now >= self.window_ends {
            (this, before) = (delay, if self.window_ends + WINDOW > now { this } else { delay });
            self.window_ends = now + WINDOW;
        }
        this = this.min(delay);
        self.least = Some((this, before));
        delay.abs_diff(this.min(before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_waited_for_as_long_as_it_took_longer_than_the_fastest() {
        let mut delay = Delay::default();
        let waited = |(sent, arrival)| delay.waited(sent, sent, arrival);
        assert_eq!([(0, 7000), (10, 7110), (20, 7015), (30, 7031)].map(waited), [0, 100, 0, 6]);
    }

    #[test]
    fn the_fastest_is_forgotten_after_a_while() {
        let mut delay = Delay::default();
        delay.waited(0, 0, 1000);
        assert_eq!(delay.waited(WINDOW - 1, WINDOW, WINDOW + 5000), 4000);
        assert_eq!(delay.waited(WINDOW, WINDOW, WINDOW + 5000), 4000);
        assert_eq!(delay.waited(2 * WINDOW, 2 * WINDOW, 2 * WINDOW + 5000), 0);
    }

    #[test]
    fn a_clock_that_is_set_begins_anew() {
        let mut delay = Delay::default();
        delay.waited(0, 0, 1000);
        assert_eq!(delay.waited(10, 10, 3_600_000_000), 0);
        assert_eq!(delay.waited(20, 20, 3_600_000_020), 10);
        assert_eq!(delay.waited(30, 30, 5), 0);
        assert_eq!(delay.waited(40, 40, u64::MAX), 0);
    }
}
