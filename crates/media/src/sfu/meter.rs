//! What a layer takes, in bits per second, as the bandwidth estimator counts: payloads alone.

use std::time::{Duration, Instant};

use smallvec::SmallVec;

/// Temporal layers that are measured by themselves; more are counted with the last.
pub(super) const TEMPORAL: usize = 3;

const SLOTS: usize = 8;
const SLOT: Duration = Duration::from_millis(125);
const WINDOW: Duration = Duration::from_secs(1);
/// The first measure is rough, and better than a guess.
const FIRST: Duration = Duration::from_millis(250);
/// Every stream begins with a keyframe, which is not counted.
const KEYFRAME: Duration = Duration::from_millis(30);
/// A layer that has paused for so long is not measured: its last second would be half empty, and
/// the layer would look cheap just when nobody sends it.
const IDLE: Duration = Duration::from_millis(250);

/// Measures one layer over its last second.
#[derive(Debug)]
pub(super) struct Meter {
    slots: [[u64; TEMPORAL]; SLOTS],
    slot: u64,
    start: Instant,
    /// When it began to be sent, after a second of silence at least.
    since: Option<Instant>,
    newest: Option<Instant>,
    /// What it took when it was last measured, with temporal layers up to each.
    measured: SmallVec<[u64; TEMPORAL]>,
}

impl Meter {
    pub(super) fn new(now: Instant) -> Self {
        let slots = [[0; TEMPORAL]; SLOTS];
        Self { slots, slot: 0, start: now, since: None, newest: None, measured: SmallVec::new() }
    }

    pub(super) fn add(&mut self, now: Instant, temporal: usize, bytes: usize) {
        self.turn_to(now);
        if self.idle(now) >= WINDOW {
            self.since = Some(now);
        }
        self.newest = Some(now);
        if self.since.is_some_and(|since| now.saturating_duration_since(since) < KEYFRAME) {
            return;
        }
        self.slots[(self.slot % SLOTS as u64) as usize][temporal.min(TEMPORAL - 1)] += bytes as u64;
    }

    /// What it takes with temporal layers up to each, while it is sent or when it last was;
    /// empty before it has come for a quarter of a second.
    pub(super) fn measure(&mut self, now: Instant) -> &[u64] {
        self.turn_to(now);
        let age = self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let enough = if self.measured.is_empty() { FIRST } else { WINDOW };
        if age >= enough && self.idle(now) < IDLE {
            let sums = self.sums();
            let window = (age.as_millis() as u64).min(self.window(now));
            let window = window.saturating_sub(self.idle(now).as_millis() as u64).max(1);
            let layers = sums.iter().rposition(|sum| *sum > 0).map_or(1, |last| last + 1);
            self.measured.clear();
            let mut up_to = 0;
            for sum in sums.into_iter().take(layers) {
                up_to += sum;
                self.measured.push(up_to * 8 * 1000 / window);
            }
        }
        &self.measured
    }

    /// All that came within the last second, in bits per second.
    pub(super) fn last_second(&mut self, now: Instant) -> u64 {
        self.turn_to(now);
        self.sums().iter().sum::<u64>() * 8 * 1000 / self.window(now)
    }

    /// The time that the slots hold, in milliseconds: the newest one is not over yet.
    fn window(&self, now: Instant) -> u64 {
        let passed = now.saturating_duration_since(self.start).as_millis() as u64;
        let slot = SLOT.as_millis() as u64;
        (SLOTS as u64 - 1) * slot + passed.saturating_sub(self.slot * slot)
    }

    fn idle(&self, now: Instant) -> Duration {
        self.newest.map_or(Duration::MAX, |newest| now.saturating_duration_since(newest))
    }

    fn sums(&self) -> [u64; TEMPORAL] {
        std::array::from_fn(|temporal| self.slots.iter().map(|slot| slot[temporal]).sum())
    }

    fn turn_to(&mut self, now: Instant) {
        let slot = (now.saturating_duration_since(self.start).as_millis() / SLOT.as_millis()) as u64;
        for passed in (self.slot + 1..=slot).take(SLOTS) {
            self.slots[(passed % SLOTS as u64) as usize] = [0; TEMPORAL];
        }
        self.slot = self.slot.max(slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// 1250 bytes each 10 ms, a megabit per second.
    fn send(meter: &mut Meter, from: Instant, time: Duration) -> Instant {
        let count = u32::try_from(time.as_millis() / 10).expect("short");
        for step in 0..count {
            meter.add(from + ms(10) * step, (step % 2) as usize, 1250);
        }
        from + time
    }

    #[test]
    fn a_steady_stream_is_measured_with_temporal_layers_up_to_each() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        assert!(meter.measure(start).is_empty());
        let end = send(&mut meter, start, ms(2000));
        let measured = meter.measure(end);
        assert!((400_000..=600_000).contains(&measured[0]), "{measured:?}");
        assert!((900_000..=1_100_000).contains(&measured[1]), "{measured:?}");
        assert_eq!(measured.len(), 2);
    }

    #[test]
    fn a_layer_that_stops_keeps_what_it_took() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        let end = send(&mut meter, start, ms(2000));
        let while_sent = meter.measure(end)[1];
        for later in [100, 400, 900, 5000] {
            let measured = meter.measure(end + ms(later))[1];
            assert!(measured >= while_sent * 95 / 100, "{measured} after {later} ms");
        }
        assert_eq!(meter.last_second(end + ms(5000)), 0);
    }

    #[test]
    fn a_layer_that_begins_anew_is_measured_over_a_whole_second() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        let end = send(&mut meter, start, ms(2000));
        let before = meter.measure(end)[1];
        let again = end + ms(8000);
        meter.add(again, 0, 200_000);
        let end = send(&mut meter, again, ms(900));
        assert_eq!(meter.measure(end)[1], before);
        let end = send(&mut meter, end, ms(1500));
        let measured = meter.measure(end)[1];
        assert!((900_000..=1_100_000).contains(&measured), "{measured}");
    }
}
