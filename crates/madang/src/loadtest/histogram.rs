//! Latencies of many tasks, counted without a lock: 32 steps to each doubling, so that a
//! percentile is right to 3 %.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

const STEPS: u64 = 32;
/// Up to 2³² µs, more than an hour.
const BUCKETS: usize = (33 * STEPS) as usize;

pub(crate) struct Histogram {
    buckets: Box<[AtomicU64]>,
    greatest: AtomicU64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(), greatest: AtomicU64::new(0) }
    }

    pub(crate) fn record(&self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX).min(u64::from(u32::MAX));
        self.buckets[bucket(micros)].fetch_add(1, Relaxed);
        self.greatest.fetch_max(micros, Relaxed);
    }

    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Relaxed)).sum()
    }

    pub(crate) fn greatest(&self) -> Duration {
        Duration::from_micros(self.greatest.load(Relaxed))
    }

    /// The latency that this share (0 to 1) of all did not exceed.
    pub(crate) fn percentile(&self, share: f64) -> Duration {
        let wanted = (self.count() as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count.load(Relaxed);
            if seen >= wanted && seen > 0 {
                return Duration::from_micros(upper_end(index)).min(self.greatest());
            }
        }
        self.greatest()
    }
}

/// Below 32 µs a bucket for each; above, 32 for each doubling.
fn bucket(micros: u64) -> usize {
    let doublings = u64::from((micros / STEPS).checked_ilog2().map_or(0, |log| log + 1));
    let index = if doublings == 0 { micros } else { doublings * STEPS + (micros >> (doublings - 1)) - STEPS };
    (index as usize).min(BUCKETS - 1)
}

fn upper_end(index: usize) -> u64 {
    let (doublings, step) = (index as u64 / STEPS, index as u64 % STEPS);
    if doublings == 0 { step } else { ((STEPS + step + 1) << (doublings - 1)) - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_latency_lies_in_its_bucket_and_buckets_follow_each_other() {
        let mut former = 0;
        for micros in 0..200_000 {
            let index = bucket(micros);
            assert!(index == former || index == former + 1, "{micros}");
            assert!(micros <= upper_end(index), "{micros}");
            assert!(upper_end(index) as f64 <= micros as f64 * 1.032, "{micros}");
            former = index;
        }
    }

    #[test]
    fn percentiles_are_those_of_the_latencies_recorded() {
        let histogram = Histogram::new();
        for micros in 1..=1000 {
            histogram.record(Duration::from_micros(micros));
        }
        let near = |share, micros: f64| {
            let found = histogram.percentile(share).as_micros() as f64;
            assert!((found - micros).abs() <= micros * 0.04, "{share}: {found}");
        };
        near(0.5, 500.0);
        near(0.99, 990.0);
        assert_eq!(histogram.percentile(1.0), Duration::from_micros(1000));
        assert_eq!(histogram.count(), 1000);
    }

    #[test]
    fn nothing_recorded_is_zero_and_the_longest_is_kept() {
        let histogram = Histogram::new();
        assert_eq!(histogram.percentile(0.99), Duration::ZERO);
        histogram.record(Duration::MAX);
        assert_eq!(histogram.greatest(), Duration::from_micros(u64::from(u32::MAX)));
    }
}
