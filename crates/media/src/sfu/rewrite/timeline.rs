//! Timestamps over a switch between layers whose clocks began at random (RFC 3550 §5.1).

use std::time::{Duration, Instant};

use crate::session::{LayerId, SenderReport};

const LAYERS: usize = 4;
/// A layer's timestamps may be this far from where they are expected by the time that has
/// passed; else its clock has jumped.
const TOLERANCE: Duration = Duration::from_secs(1);
/// Sender reports further apart say nothing.
const REPORTS_APART_US: i64 = 3_600_000_000;

/// What is known of a layer's clock.
#[derive(Clone, Copy, Debug)]
struct Clock {
    /// What makes its timestamps those of the outgoing stream.
    offset: u32,
    report: Option<SenderReport>,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    layer: LayerId,
    timestamp: u32,
    at: Instant,
}

/// The outgoing stream's clock.
#[derive(Debug)]
pub(super) struct Timeline {
    first: u32,
    /// In Hz.
    rate: u32,
    last: Option<Last>,
    clocks: [Option<Clock>; LAYERS],
}

impl Timeline {
    pub(super) fn new(first: u32, rate: u32) -> Self {
        Self { first, rate, last: None, clocks: [None; LAYERS] }
    }

    /// What to add to the timestamps of a layer that begins now with `timestamp`.
    pub(super) fn begin(&mut self, now: Instant, layer: LayerId, timestamp: u32, report: Option<SenderReport>) -> u32 {
        let Some(last) = self.last else {
            let offset = self.first.wrapping_sub(timestamp);
            self.keep(layer, Clock { offset, report });
            return offset;
        };
        let passed = self.ticks(now.saturating_duration_since(last.at)).max(1);
        let expected = last.timestamp.wrapping_add(passed);
        let known = self.by_reports(last.layer, timestamp, report).or_else(|| self.by_offset(layer, timestamp));
        let tolerance = self.ticks(TOLERANCE);
        let exact = known.filter(|known| known.wrapping_sub(expected).wrapping_add(tolerance) <= 2 * tolerance);
        let exact = exact.unwrap_or(expected);
        self.keep(layer, Clock { offset: exact.wrapping_sub(timestamp), report });
        // A frame of the new layer may have been captured with the last one of the old, or before.
        let ahead = is_newer(exact, last.timestamp);
        let sent = if ahead { exact } else { last.timestamp.wrapping_add(1) };
        sent.wrapping_sub(timestamp)
    }

    /// A packet went out, not a late one.
    pub(super) fn sent(&mut self, now: Instant, layer: LayerId, timestamp: u32, report: Option<SenderReport>) {
        if self.last.is_none_or(|last| last.layer != layer || is_newer(timestamp, last.timestamp)) {
            self.last = Some(Last { layer, timestamp, at: now });
        }
        if let (Some(report), Some(Some(clock))) = (report, self.clocks.get_mut(usize::from(layer.0))) {
            clock.report = Some(report);
        }
    }

    fn keep(&mut self, layer: LayerId, clock: Clock) {
        if let Some(place) = self.clocks.get_mut(usize::from(layer.0)) {
            *place = Some(clock);
        }
    }

    fn clock(&self, layer: LayerId) -> Option<Clock> {
        *self.clocks.get(usize::from(layer.0))?
    }

    fn by_offset(&self, layer: LayerId, timestamp: u32) -> Option<u32> {
        Some(timestamp.wrapping_add(self.clock(layer)?.offset))
    }

    /// Both layers' reports are of one wall clock, RFC 3550 §6.4.1: the moment of `timestamp` is
    /// found in the layer sent last.
    fn by_reports(&self, from: LayerId, timestamp: u32, report: Option<SenderReport>) -> Option<u32> {
        let (from, report) = (self.clock(from)?, report?);
        let reference = from.report?;
        #[expect(clippy::cast_possible_wrap, reason = "the difference is what counts, and is bounded below")]
        let apart = report.at_us.wrapping_sub(reference.at_us) as i64;
        if apart.saturating_abs() > REPORTS_APART_US {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "timestamps wrap")]
        let apart = (apart * i64::from(self.rate) / 1_000_000) as u32;
        let since = timestamp.wrapping_sub(report.timestamp);
        Some(reference.timestamp.wrapping_add(apart).wrapping_add(since).wrapping_add(from.offset))
    }

    /// Wraps after hours, as timestamps do.
    fn ticks(&self, time: Duration) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "timestamps wrap")]
        let ticks = (time.as_micros() * u128::from(self.rate) / 1_000_000) as u32;
        ticks
    }
}

/// RFC 1982 arithmetic.
fn is_newer(timestamp: u32, than: u32) -> bool {
    timestamp != than && timestamp.wrapping_sub(than) < 1 << 31
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOW: LayerId = LayerId(0);
    const HIGH: LayerId = LayerId(2);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn report(at_ms: u64, timestamp: u32) -> Option<SenderReport> {
        Some(SenderReport { at_us: 1_700_000_000_000_000 + at_ms * 1000, timestamp })
    }

    #[test]
    fn without_reports_a_switch_goes_on_by_the_time_that_has_passed() {
        let (mut timeline, start) = (Timeline::new(1000, 90_000), Instant::now());
        assert_eq!(timeline.begin(start, LOW, 50, None), 950);
        timeline.sent(start, LOW, 1000, None);
        let shift = timeline.begin(start + ms(100), HIGH, 7, None);
        assert_eq!(shift.wrapping_add(7), 1000 + 9000);
    }

    #[test]
    fn with_reports_a_switch_goes_on_by_the_senders_clock() {
        let (mut timeline, start) = (Timeline::new(0, 90_000), Instant::now());
        timeline.begin(start, LOW, 500, report(0, 500));
        timeline.sent(start, LOW, 0, report(0, 500));
        // Captured 40 ms after, came 70 ms after: its report says that 30 ms had passed at 7.
        let timestamp = 7 + 900;
        let shift = timeline.begin(start + ms(70), HIGH, timestamp, report(30, 7));
        assert_eq!(shift.wrapping_add(timestamp), 40 * 90);
    }

    #[test]
    fn a_layer_that_comes_back_keeps_its_offset() {
        let (mut timeline, start) = (Timeline::new(0, 90_000), Instant::now());
        timeline.begin(start, LOW, 0, None);
        timeline.sent(start, LOW, 0, None);
        let high = timeline.begin(start + ms(33), HIGH, 100_000, None);
        timeline.sent(start + ms(33), HIGH, 100_000u32.wrapping_add(high), None);
        // Came 20 ms late.
        let low = timeline.begin(start + ms(86), LOW, 66 * 90, None);
        assert_eq!(low, 0);
    }

    #[test]
    fn a_frame_captured_with_the_last_one_gets_the_next_tick() {
        let (mut timeline, start) = (Timeline::new(0, 90_000), Instant::now());
        timeline.begin(start, LOW, 0, report(0, 0));
        timeline.sent(start, LOW, 0, None);
        let shift = timeline.begin(start, HIGH, 4000, report(0, 4000));
        assert_eq!(shift.wrapping_add(4000), 1);
        timeline.sent(start, HIGH, 1, None);
        let shift = timeline.begin(start + ms(33), LOW, 2970, report(0, 0));
        assert_eq!(shift, 0, "the tick does not add up");
    }

    #[test]
    fn a_layer_whose_clock_jumped_goes_on_by_the_time_that_has_passed() {
        let (mut timeline, start) = (Timeline::new(0, 48_000), Instant::now());
        timeline.begin(start, LOW, 0, report(0, 0));
        timeline.sent(start, LOW, 0, None);
        let shift = timeline.begin(start + ms(10), LOW, 3_000_000_000, None);
        assert_eq!(shift.wrapping_add(3_000_000_000), 480);
        let shift = timeline.begin(start + ms(10), HIGH, 5, report(1 << 50, 5));
        assert_eq!(shift.wrapping_add(5), 480, "reports that make no sense change nothing");
    }

    #[test]
    fn timestamps_wrap() {
        let (mut timeline, start) = (Timeline::new(u32::MAX - 10, 90_000), Instant::now());
        timeline.begin(start, LOW, 0, None);
        timeline.sent(start, LOW, u32::MAX - 10, None);
        let shift = timeline.begin(start + ms(1), HIGH, 9, None);
        assert_eq!(shift.wrapping_add(9), 79);
    }
}
