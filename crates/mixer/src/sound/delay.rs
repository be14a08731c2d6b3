//! How long the packets of one source take, and so how long its sound has to wait to be complete.
//! All times are samples at 48 kHz: those of arrival by our clock, those of RTP by the sender's.

use super::packet::PayloadInfo;

/// Bins of the histogram are 10 ms wide.
const BIN: i64 = 480;
const BINS: usize = 60;
/// How much of the past each new packet leaves: at 50 packets a second a memory of 4 s.
const FORGET: f32 = 0.995;
/// The share of packets that should not come late.
const IN_TIME: f32 = 0.985;
/// Packets that arrive this close to each other (3 ms) waited for the same thing: one counts.
const SAME_EVENT: i64 = 144;
/// The shortest transit is sought in the last eight half seconds: short enough to follow a clock
/// that runs slow by 0.1 % within 4 ms.
const WINDOW: i64 = 24_000;
const WINDOWS: usize = 8;
/// After a loss there is room for one more packet, from which the lost one is made up, for 10 s.
const LOSS_MEMORY: i64 = 480_000;
/// A packet is needed whole when the first sample of its frame plays: 20 ms before its last.
const FRAME: i64 = 960;

/// The estimate of one source.
#[derive(Debug)]
pub(super) struct DelayEstimate {
    least: i64,
    most: i64,
    shortest: [i64; WINDOWS],
    window: i64,
    histogram: [f32; BINS],
    counted: i64,
    lost_at: Option<i64>,
    packet: i64,
}

impl DelayEstimate {
    /// With the bounds of [`DelayEstimate::target`], and the first packet's transit: arrival minus
    /// RTP timestamp.
    pub(super) fn new(least: i64, most: i64, arrival: i64, transit: i64) -> Self {
        let mut histogram = [0.0; BINS];
        histogram[0] = 1.0;
        let window = arrival / WINDOW;
        let shortest = [transit; WINDOWS];
        Self { least, most, shortest, window, histogram, counted: i64::MIN, lost_at: None, packet: FRAME }
    }

    pub(super) fn set_least(&mut self, least: i64) {
        self.least = least.min(self.most);
    }

    /// A packet has arrived.
    pub(super) fn arrived(&mut self, arrival: i64, transit: i64, info: &PayloadInfo) {
        self.packet = i64::from(info.duration);
        self.turn_windows(arrival / WINDOW);
        let newest = &mut self.shortest[self.window.rem_euclid(WINDOWS as i64) as usize];
        *newest = transit.min(*newest);
        if arrival.saturating_sub(self.counted) < SAME_EVENT {
            return;
        }
        self.counted = arrival;
        let bin = ((transit - self.shortest()) / BIN).clamp(0, BINS as i64 - 1) as usize;
        self.histogram.iter_mut().for_each(|share| *share *= FORGET);
        self.histogram[bin] += 1.0 - FORGET;
    }

    /// The sender counts from another base. The path's jitter is as it was.
    pub(super) fn rebase(&mut self, transit: i64) {
        self.shortest = [transit; WINDOWS];
        // What seemed later than ever was the new base.
        self.histogram[0] += std::mem::take(&mut self.histogram[BINS - 1]);
    }

    /// A packet was missing when it was due, and the next one was there.
    pub(super) fn missed(&mut self, now: i64) {
        self.lost_at = Some(now);
    }

    /// The shortest transit of late.
    pub(super) fn shortest(&self) -> i64 {
        self.shortest.iter().copied().fold(i64::MAX, i64::min)
    }

    /// How far behind the fastest packet the sound should be, to be complete nearly always.
    pub(super) fn target(&self, now: i64) -> i64 {
        let mut share = 0.0;
        let late = self.histogram.iter().position(|bin| {
            share += bin;
            share >= IN_TIME
        });
        // The upper edge of the bin, but for the first, to which the least is large enough.
        let jitter = late.map_or(BINS, |bin| if bin == 0 { 0 } else { bin + 1 }) as i64 * BIN;
        let lossy = self.lost_at.is_some_and(|at| now - at < LOSS_MEMORY);
        let spare = if lossy { self.packet } else { 0 };
        (FRAME + jitter + spare).clamp(self.least, self.most)
    }

    /// Empties the windows that time has passed over. While nothing arrives, what was stays.
    fn turn_windows(&mut self, window: i64) {
        let passed = (window - self.window).clamp(0, WINDOWS as i64);
        for ago in 0..passed {
            self.shortest[(window - ago).rem_euclid(WINDOWS as i64) as usize] = i64::MAX;
        }
        self.window = self.window.max(window);
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};

    use super::*;

    const INFO: PayloadInfo = PayloadInfo { duration: 960, fec: 0, dtx: false };
    const MS: i64 = 48;

    /// Feeds packets that take 30 ms and what `extra` says; gives back when the last arrived.
    fn feed(estimate: &mut DelayEstimate, packets: std::ops::Range<i64>, mut extra: impl FnMut(i64) -> i64) -> i64 {
        for packet in packets.clone() {
            let transit = 30 * MS + extra(packet);
            estimate.arrived(packet * 960 + transit, transit, &INFO);
        }
        packets.end * 960
    }

    fn estimate() -> DelayEstimate {
        DelayEstimate::new(40 * MS, 400 * MS, 0, 30 * MS)
    }

    #[test]
    fn without_jitter_the_least_will_do() {
        let mut estimate = estimate();
        let now = feed(&mut estimate, 0..500, |_| 0);
        assert_eq!(estimate.target(now), 40 * MS);
        assert_eq!(estimate.shortest(), 30 * MS);
    }

    #[test]
    fn it_grows_with_jitter_within_bounds_and_comes_back() {
        let mut random = rand::rngs::SmallRng::seed_from_u64(1);
        let mut estimate = estimate();
        let now = feed(&mut estimate, 0..500, |_| random.random_range(0..15 * MS));
        assert!((40 * MS..=60 * MS).contains(&estimate.target(now)), "ordinary: {}", estimate.target(now) / MS);
        let now = feed(&mut estimate, 500..1000, |_| random.random_range(0..200 * MS));
        assert!((190 * MS..=230 * MS).contains(&estimate.target(now)), "jitter: {}", estimate.target(now) / MS);
        let now = feed(&mut estimate, 1000..1500, |_| random.random_range(0..900 * MS));
        assert_eq!(estimate.target(now), 400 * MS, "bounded");
        let now = feed(&mut estimate, 1500..2500, |_| 0);
        assert_eq!(estimate.target(now), 40 * MS);
    }

    #[test]
    fn a_loss_makes_room_for_the_packet_that_makes_up_for_it() {
        let mut estimate = estimate();
        let now = feed(&mut estimate, 0..100, |packet| 12 * MS * (packet % 2));
        let before = estimate.target(now);
        estimate.missed(now);
        assert_eq!(estimate.target(now), before + 20 * MS);
        assert_eq!(estimate.target(now + 11_000 * MS), before);
    }

    #[test]
    fn a_burst_after_an_outage_counts_once() {
        let mut estimate = estimate();
        feed(&mut estimate, 0..200, |_| 0);
        // One second arrives at once.
        let now = feed(&mut estimate, 200..250, |packet| (250 - packet) * 960);
        assert_eq!(estimate.target(now), 40 * MS);
    }

    #[test]
    fn the_shortest_transit_follows_a_clock_that_runs_slow() {
        let mut estimate = estimate();
        feed(&mut estimate, 0..3000, |packet| packet * 960 / 1000);
        let now = 30 * MS + 3000 * 960 / 1000;
        assert!(now - estimate.shortest() <= 5 * MS, "{} ms behind", (now - estimate.shortest()) / MS);
    }
}
