//! How fast one client may speak: a token bucket.

use std::time::Instant;

/// Refusals in a row after which a client is hostile rather than hasty.
const PATIENCE: u32 = 100;

/// A bucket that fills steadily up to its brim; each message takes one token.
#[derive(Debug)]
pub(crate) struct Bucket {
    per_second: f64,
    brim: f64,
    tokens: f64,
    filled: Instant,
    refused: u32,
}

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Handle it.
    Pass,
    /// Drop it and say so.
    Refuse {
        /// When the next one passes.
        retry_after_ms: u32,
    },
    /// The client does not slow down: close.
    Close,
}

impl Bucket {
    pub(crate) fn new(now: Instant, per_second: u32, burst: u32) -> Self {
        let brim = f64::from(burst);
        Self { per_second: f64::from(per_second), brim, tokens: brim, filled: now, refused: 0 }
    }

    pub(crate) fn take(&mut self, now: Instant) -> Verdict {
        let gained = now.saturating_duration_since(self.filled).as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + gained).min(self.brim);
        self.filled = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            if self.tokens + 1.0 >= self.brim {
                self.refused = 0;
            }
            return Verdict::Pass;
        }
        self.refused += 1;
        if self.refused > PATIENCE {
            return Verdict::Close;
        }
        let wait = (1.0 - self.tokens) / self.per_second * 1000.0;
        Verdict::Refuse { retry_after_ms: wait.ceil() as u32 }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_passes_then_the_rate_holds() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start, 50, 100);
        for _ in 0..100 {
            assert_eq!(bucket.take(start), Verdict::Pass);
        }
        assert_eq!(bucket.take(start), Verdict::Refuse { retry_after_ms: 20 });
        assert_eq!(bucket.take(start + Duration::from_millis(20)), Verdict::Pass);
        assert!(matches!(bucket.take(start + Duration::from_millis(20)), Verdict::Refuse { .. }));
    }

    #[test]
    fn who_does_not_slow_down_is_cut_off() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start, 1, 1);
        let verdicts: Vec<_> = (0..=PATIENCE + 1).map(|_| bucket.take(start)).collect();
        assert_eq!(verdicts.last(), Some(&Verdict::Close));
        assert_eq!(verdicts.iter().filter(|verdict| **verdict == Verdict::Close).count(), 1);
    }

    #[test]
    fn a_pause_forgives() {
        let mut now = Instant::now();
        let mut bucket = Bucket::new(now, 10, 1);
        for _ in 0..PATIENCE * 3 {
            assert_eq!(bucket.take(now), Verdict::Pass);
            assert!(matches!(bucket.take(now), Verdict::Refuse { .. }));
            now += Duration::from_secs(1);
        }
    }
}
