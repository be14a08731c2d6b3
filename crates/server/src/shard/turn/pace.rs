//! When packets come fast, it is cheaper to wait a moment and to serve many at once: each look at
//! the sockets costs several system calls, whatever it finds.

use std::time::{Duration, Instant};

/// How long packets are counted before the rate is known anew.
const WINDOW: Duration = Duration::from_millis(10);

/// From so many packets per second on, waiting pays: two or more come meanwhile.
const FAST: f64 = 20_000.0;

/// How long to wait. People notice nothing below some milliseconds.
const PAUSE: Duration = Duration::from_micros(100);

/// See the module.
pub(super) struct Pace {
    since: Instant,
    packets: u32,
    is_fast: bool,
}

impl Pace {
    pub(super) const fn new(now: Instant) -> Self {
        Self { since: now, packets: 0, is_fast: false }
    }

    /// A packet came.
    #[inline]
    pub(super) const fn count(&mut self) {
        self.packets = self.packets.saturating_add(1);
    }

    pub(super) fn pass_time(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.since);
        if elapsed >= WINDOW {
            self.is_fast = f64::from(self.packets) >= FAST * elapsed.as_secs_f64();
            (self.since, self.packets) = (now, 0);
        }
    }

    pub(super) fn pause(&self) -> Option<Duration> {
        self.is_fast.then_some(PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(packets: u32, time: Duration) -> Option<Duration> {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        (0..packets).for_each(|_| pace.count());
        pace.pass_time(now + time);
        pace.pause()
    }

    #[test]
    fn only_a_fast_stream_waits() {
        assert_eq!(after(199, WINDOW), None);
        assert_eq!(after(200, WINDOW), Some(PAUSE));
        assert_eq!(after(200, 2 * WINDOW), None, "a burst after silence is no stream");
        assert_eq!(after(10_000, WINDOW / 2), None, "not yet known");
    }
}
