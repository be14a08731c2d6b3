//! A token bucket in one atomic number, so that shards can share it without a lock.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// What may pass in one second may also come at once.
const BURST_NANOS: u64 = 1_000_000_000;

/// The generic cell rate algorithm (ITU-T I.371): all that is kept is when the bucket would be
/// empty again, in nanoseconds since the quota began.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    full_until: AtomicU64,
}

impl Bucket {
    /// Takes `bytes` at `per_second`, or says that there is no room for them.
    pub(crate) fn take(&self, epoch: Instant, now: Instant, per_second: u64, bytes: usize) -> bool {
        let now = u64::try_from(now.saturating_duration_since(epoch).as_nanos()).unwrap_or(u64::MAX);
        let cost = (bytes as u64).saturating_mul(BURST_NANOS) / per_second.max(1);
        let taken = self.full_until.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_until| {
            let after = full_until.max(now).saturating_add(cost);
            (after.saturating_sub(now) <= BURST_NANOS).then_some(after)
        });
        taken.is_ok()
    }

    /// Takes `bytes` at `per_second` although there may be no room for them; says after what time
    /// there is some again.
    pub(crate) fn charge(&self, epoch: Instant, now: Instant, per_second: u64, bytes: usize) -> Duration {
        let now = u64::try_from(now.saturating_duration_since(epoch).as_nanos()).unwrap_or(u64::MAX);
        let cost = (bytes as u64).saturating_mul(BURST_NANOS) / per_second.max(1);
        let after = |full_until: u64| full_until.max(now).saturating_add(cost);
        let before = self.full_until.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |until| Some(after(until)));
        let after = before.map_or(now, after);
        Duration::from_nanos(after.saturating_sub(now).saturating_sub(BURST_NANOS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_s_worth_passes_at_once_and_then_the_rate() {
        let (bucket, begin) = (Bucket::default(), Instant::now());
        let passed = |now, tries: usize| (0..tries).filter(|_| bucket.take(begin, now, 1000, 100)).count();
        assert_eq!(passed(begin, 50), 10);
        assert_eq!(passed(begin + Duration::from_millis(500), 50), 5);
        assert_eq!(passed(begin + Duration::from_secs(60), 50), 10, "no more than a second's worth is saved up");
    }

    #[test]
    fn what_could_not_be_refused_is_waited_for() {
        let (bucket, begin) = (Bucket::default(), Instant::now());
        assert_eq!(bucket.charge(begin, begin, 1000, 1000), Duration::ZERO);
        assert_eq!(bucket.charge(begin, begin, 1000, 500), Duration::from_millis(500));
        let later = begin + Duration::from_millis(500);
        assert!(!bucket.take(begin, later, 1000, 1), "it is full");
        assert_eq!(bucket.charge(begin, later, 1000, 0), Duration::ZERO);
        assert_eq!(bucket.charge(begin, later, 1000, 3000), Duration::from_secs(3), "more than it holds");
    }

    #[test]
    fn what_is_larger_than_a_second_s_worth_never_passes() {
        let (bucket, begin) = (Bucket::default(), Instant::now());
        assert!(!bucket.take(begin, begin, 1000, 1001));
        assert!(bucket.take(begin, begin, 1000, 1000));
    }
}
