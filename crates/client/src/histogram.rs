//! Many delays in little memory: 32 steps to each doubling, so that a percentile is right to 3 %.

use std::time::Duration;

const STEPS: u64 = 32;
/// Up to 2²⁷ µs, two minutes.
const BUCKETS: usize = (23 * STEPS) as usize;

/// Counts delays.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    /// As long as the longest delay needs.
    buckets: Vec<u32>,
    count: u64,
    longest: Duration,
}

impl Histogram {
    /// Counts one.
    pub fn record(&mut self, delay: Duration) {
        let micros = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        let bucket = bucket(micros);
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] = self.buckets[bucket].saturating_add(1);
        self.count += 1;
        self.longest = self.longest.max(delay);
    }

    /// Adds what another has counted.
    pub fn add(&mut self, other: &Self) {
        if self.buckets.len() < other.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        for (own, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *own = own.saturating_add(*theirs);
        }
        self.count += other.count;
        self.longest = self.longest.max(other.longest);
    }

    /// What was counted since `earlier`, a former state of this one.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = |index: usize| earlier.buckets.get(index).copied().unwrap_or(0);
        let buckets = self.buckets.iter().enumerate().map(|(index, count)| count.saturating_sub(before(index)));
        let buckets: Vec<u32> = buckets.collect();
        let used = buckets.iter().rposition(|count| *count > 0);
        let longest = used.map_or(Duration::ZERO, |index| Duration::from_micros(upper_end(index)));
        Self { buckets, count: self.count.saturating_sub(earlier.count), longest: longest.min(self.longest) }
    }

    /// How many it has counted.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The longest.
    #[must_use]
    pub const fn longest(&self) -> Duration {
        self.longest
    }

    /// The delay that this share (0 to 1) of all did not exceed; zero when there are none.
    #[must_use]
    pub fn percentile(&self, share: f64) -> Duration {
        let wanted = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= wanted {
                return Duration::from_micros(upper_end(index)).min(self.longest);
            }
        }
        self.longest
    }
}

/// Below 32 µs a bucket for each; above, 32 for each doubling.
fn bucket(micros: u64) -> usize {
    let doublings = u64::from((micros / STEPS).checked_ilog2().map_or(0, |log| log + 1));
    let index = if doublings == 0 { micros } else { doublings * STEPS + (micros >> (doublings - 1)) - STEPS };
    usize::try_from(index).map_or(BUCKETS - 1, |index| index.min(BUCKETS - 1))
}

fn upper_end(index: usize) -> u64 {
    let (doublings, step) = (index as u64 / STEPS, index as u64 % STEPS);
    if doublings == 0 { step } else { ((STEPS + step + 1) << (doublings - 1)) - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_was_recorded_in_two_parts_too() {
        let (mut odd, mut even) = (Histogram::default(), Histogram::default());
        for micros in 1..=1000 {
            if micros % 2 == 0 { &mut even } else { &mut odd }.record(Duration::from_micros(micros));
        }
        even.add(&odd);
        for (share, micros) in [(0.5, 500), (0.99, 990), (1.0, 1000)] {
            let found = even.percentile(share).as_micros();
            assert!(found >= micros && found <= micros * 104 / 100, "{share}: {found}");
        }
        assert_eq!((even.count(), even.longest()), (1000, Duration::from_micros(1000)));
    }

    #[test]
    fn what_was_counted_before_can_be_taken_off() {
        let mut histogram = Histogram::default();
        histogram.record(Duration::from_secs(1));
        let earlier = histogram.clone();
        histogram.record(Duration::from_millis(1));
        let since = histogram.since(&earlier);
        assert_eq!(since.count(), 1);
        assert!(since.longest() < Duration::from_millis(2), "{:?}", since.longest());
    }

    #[test]
    fn every_delay_lies_in_its_bucket() {
        for micros in (0..100_000).chain([1 << 26, (1 << 27) - 1]) {
            let end = upper_end(bucket(micros));
            assert!(micros <= end && end as f64 <= micros as f64 * 1.032, "{micros}");
        }
    }

    #[test]
    fn nothing_recorded_is_zero_and_beyond_the_last_bucket_the_longest_counts() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.percentile(0.99), Duration::ZERO);
        histogram.record(Duration::MAX);
        assert_eq!(histogram.longest(), Duration::MAX);
    }
}
