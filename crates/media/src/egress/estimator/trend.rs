//! Whether a queue grows (draft-ietf-rmcat-gcc-02 §5.3 and §5.4, with the slope of a line through
//! the last waits in place of a Kalman filter, as libwebrtc has it).

use std::collections::VecDeque;

use super::Micros;

/// Groups that a line is laid through.
const WINDOW: usize = 20;
/// The share of what it was that a smoothed wait keeps.
const SMOOTHING: f64 = 0.9;
/// How steep a slope is, is told by itself times this and the groups that it stands on.
const GAIN: f64 = 4.0;
const MOST_WEIGHT: u32 = 60;
/// The slope from which a queue is said to grow, which adapts to what is usual.
const THRESHOLD: f64 = 12.5;
const THRESHOLDS: (f64, f64) = (6.0, 600.0);
const RISE: f64 = 0.0087;
const FALL: f64 = 0.039;
/// A slope that far above is not usual.
const OUTLIER: f64 = 15.0;
const LONGEST_STEP: f64 = 100.0;
/// How long it has to be so, in milliseconds.
const OVER_FOR: f64 = 10.0;
/// What comes so soon after what was sent before it had piled up behind something.
const BURST: Micros = 5_000;
const LONGEST_BURST: Micros = 100_000;
/// After such a silence it begins anew.
const SILENCE: Micros = 2_000_000;

/// What a queue does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue {
    Grows,
    Stays,
    Shrinks,
}

/// Follows the waits of groups of packets.
#[derive(Debug)]
pub(super) struct Trend {
    /// Arrival and smoothed wait, in milliseconds, from an origin of its own.
    points: VecDeque<(f64, f64)>,
    origin: Micros,
    /// The newest group, which may turn out to be the begin of a burst.
    open: Option<Arrival>,
    /// When the group before was sent and came.
    before: Option<(Micros, Micros)>,
    smoothed: f64,
    groups: u32,
    threshold: f64,
    slope: f64,
    /// How long the slope has been above the threshold, and over how many groups.
    over: Option<(f64, u32)>,
    queue: Queue,
}

/// A group on its arrival.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    sent: Micros,
    waited: Micros,
    arrival: Micros,
    /// When the first of its burst came.
    begin: Micros,
}

impl Arrival {
    /// Whether a group that was sent and came then is a part of the same burst.
    fn is_followed_by(&self, sent: Micros, arrival: Micros) -> bool {
        let between = arrival.saturating_sub(self.arrival);
        between <= BURST
            && between < sent.saturating_sub(self.sent)
            && arrival.saturating_sub(self.begin) < LONGEST_BURST
    }
}

impl Default for Trend {
    fn default() -> Self {
        Self {
            points: VecDeque::with_capacity(WINDOW),
            origin: 0,
            open: None,
            before: None,
            smoothed: 0.0,
            groups: 0,
            threshold: THRESHOLD,
            slope: 0.0,
            over: None,
            queue: Queue::Stays,
        }
    }
}

impl Trend {
    pub(super) fn queue(&self) -> Queue {
        self.queue
    }

    /// Takes a group that was sent then and waited so long. Of a burst, which arrives at once where
    /// the receiver or something on the way stood still, only the last one says how long a queue is.
    pub(super) fn add(&mut self, sent: Micros, waited: Micros) {
        let arrival = sent.saturating_add(waited);
        let arrival = self.open.as_ref().map_or(arrival, |open| arrival.max(open.arrival));
        let burst = self.open.filter(|open| open.is_followed_by(sent, arrival));
        let begin = burst.map_or(arrival, |open| open.begin);
        let former = self.open.replace(Arrival { sent, waited, arrival, begin });
        if let Some(former) = former.filter(|_| burst.is_none()) {
            self.take(&former);
        }
    }

    fn take(&mut self, group: &Arrival) {
        let Arrival { sent, waited, arrival, .. } = *group;
        let Some((sent_before, arrived_before)) = self.before.replace((sent, arrival)) else {
            (self.origin, self.smoothed) = (arrival, ms(waited));
            return;
        };
        if arrival.saturating_sub(arrived_before) > SILENCE {
            let open = self.open.take();
            *self = Self { open, origin: arrival, before: self.before, smoothed: ms(waited), ..Self::default() };
            return;
        }
        self.groups = self.groups.saturating_add(1);
        self.smoothed = SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * ms(waited);
        if self.points.len() == WINDOW {
            self.points.pop_front();
        }
        self.points.push_back((ms(arrival.saturating_sub(self.origin)), self.smoothed));
        self.judge(ms(sent.saturating_sub(sent_before)), ms(arrival.saturating_sub(arrived_before)));
    }

    fn judge(&mut self, between: f64, passed: f64) {
        let slope = if self.points.len() < WINDOW { self.slope } else { slope(&self.points).unwrap_or(self.slope) };
        let steepness = f64::from(self.groups.min(MOST_WEIGHT)) * slope * GAIN;
        self.queue = if steepness > self.threshold {
            let (time, groups) = self.over.map_or((between / 2.0, 1), |(time, groups)| (time + between, groups + 1));
            let grows = time > OVER_FOR && groups > 1 && slope >= self.slope;
            self.over = if grows { Some((0.0, 0)) } else { Some((time, groups)) };
            if grows { Queue::Grows } else { self.queue }
        } else {
            self.over = None;
            if steepness < -self.threshold { Queue::Shrinks } else { Queue::Stays }
        };
        self.slope = slope;
        let off = steepness.abs() - self.threshold;
        if off <= OUTLIER {
            let pace = if off < 0.0 { FALL } else { RISE };
            self.threshold = (self.threshold + pace * off * passed.min(LONGEST_STEP)).clamp(THRESHOLDS.0, THRESHOLDS.1);
        }
    }
}

fn ms(micros: Micros) -> f64 {
    micros as f64 / 1000.0
}

/// The slope of the line with the least squares.
fn slope(points: &VecDeque<(f64, f64)>) -> Option<f64> {
    let count = points.len() as f64;
    let (sum_x, sum_y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (mean_x, mean_y) = (sum_x / count, sum_y / count);
    let (mut above, mut below) = (0.0, 0.0);
    for (x, y) in points {
        above += (x - mean_x) * (y - mean_y);
        below += (x - mean_x) * (x - mean_x);
    }
    (below > 0.0).then(|| above / below)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Groups 30 ms apart, the n-th of which waited `waits(n)` microseconds.
    fn queue(groups: u64, waits: impl Fn(u64) -> u64) -> Queue {
        let mut trend = Trend::default();
        (0..groups).for_each(|number| trend.add(number * 30_000, waits(number)));
        trend.queue()
    }

    #[test]
    fn a_queue_that_grows_is_told_from_one_that_stays_or_shrinks() {
        assert_eq!(queue(100, |_| 50_000), Queue::Stays);
        assert_eq!(queue(60, |number| number * 3000), Queue::Grows);
        assert_eq!(queue(60, |number| 300_000 - number * 3000), Queue::Shrinks);
    }

    #[test]
    fn noise_is_no_queue() {
        assert_eq!(queue(100, |number| number * 7919 % 9000), Queue::Stays);
    }

    #[test]
    fn any_times_are_taken() {
        let mut trend = Trend::default();
        for (sent, waited) in [(5, 0), (5, 0), (0, u64::MAX), (u64::MAX, 5), (3, 3), (1 << 50, 1), (0, 0)] {
            (0..30).for_each(|_| trend.add(sent, waited));
        }
        assert!(trend.threshold.is_finite() && trend.slope.is_finite());
    }
}
