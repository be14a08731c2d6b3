//! The course of the estimate: Google's congestion control (draft-ietf-rmcat-gcc-02), as
//! libwebrtc refines it.
//!
//! Two rates, of which the lower one counts. That of delay (§5.5) falls below what arrives when a
//! queue grows; it rises by 8 % a second, or by about a packet each round trip near the rate at
//! which a queue last grew, and to no more than one and a half times what arrives. That of loss
//! (§6) falls where more than a tenth is lost and rises where less than a fiftieth is.

use super::{
    Micros,
    groups::Group,
    loss::Counts,
    trend::{Queue, Trend},
};

/// Bits per second.
pub(super) const LEAST_RATE: u64 = 20_000;
pub(super) const MOST_RATE: u64 = 200_000_000;

/// What is left of what arrives when a queue grows.
const BACK_OFF: f64 = 0.85;
/// By how much rates rise in a second, and at least, in bits per second.
const RISE: f64 = 1.08;
const LEAST_RISE: f64 = 1000.0;
const LEAST_STEADY_RISE: f64 = 4000.0;
/// No higher than this share of what arrives, and so much.
const AHEAD: (f64, f64) = (1.5, 10_000.0);
/// In bits, of which one more is sent each response time.
const PACKET: f64 = 1200.0 * 8.0;
/// What comes to a round trip until a change shows, in seconds.
const RESPONSE: f64 = 0.1;
const HIGH_LOSS: f32 = 0.1;
const LOW_LOSS: f32 = 0.02;
/// How often loss is looked at: over less than this, chance decides.
const LOSS_INTERVAL: Micros = 1_000_000;
const ROUND_TRIPS: (Micros, Micros) = (1000, 5_000_000);
/// A second fall waits for a round trip, within these bounds.
const FALL_AGAIN: (Micros, Micros) = (10_000, 200_000);
/// Nothing was heard for so long; from then on the rate falls each second.
const SILENCE: Micros = 3_000_000;
const SILENT_STEP: Micros = 1_000_000;
const SILENT_FALL: f64 = 0.8;

#[derive(Debug)]
pub(super) struct Control {
    /// By delay and by loss, in bits per second.
    by_delay: f64,
    by_loss: f64,
    trend: Trend,
    /// A queue has grown or shrunk: nothing rises before it stays.
    holds: bool,
    capacity: Option<Capacity>,
    changed: Micros,
    round_trip: Micros,
    /// Since when something is on its way that nothing was heard of.
    unheard: Option<Micros>,
    fell_in_silence: Micros,
    next_loss: Micros,
    newest: Micros,
}

/// The rate of arrival when a queue grew: its mean and how much it scatters, in kbit/s.
#[derive(Clone, Copy, Debug)]
struct Capacity {
    mean: f64,
    scatter: f64,
}

impl Capacity {
    fn with(before: Option<Self>, rate: f64) -> Self {
        const WEIGHT: f64 = 0.05;
        let sample = rate / 1000.0;
        let Some(Self { mean, scatter }) = before else { return Self { mean: sample, scatter: 0.4 } };
        let mean = (1.0 - WEIGHT) * mean + WEIGHT * sample;
        let off = mean - sample;
        let scatter = (1.0 - WEIGHT) * scatter + WEIGHT * off * off / mean.max(1.0);
        Self { mean, scatter: scatter.clamp(0.4, 2.5) }
    }

    /// Within three deviations: outside, the path is another.
    fn fits(self, rate: f64) -> bool {
        (rate / 1000.0 - self.mean).abs() <= 3.0 * (self.scatter * self.mean).sqrt()
    }
}

impl Control {
    pub(super) fn new(now: Micros, from: u64) -> Self {
        let from = clamp(from as f64);
        Self {
            by_delay: from,
            by_loss: from,
            trend: Trend::default(),
            holds: false,
            capacity: None,
            changed: now,
            round_trip: 200_000,
            unheard: None,
            fell_in_silence: now,
            next_loss: now,
            newest: 0,
        }
    }

    /// Bits per second.
    pub(super) fn rate(&self) -> u64 {
        self.by_delay.min(self.by_loss) as u64
    }

    /// Something goes out.
    pub(super) fn sent(&mut self, now: Micros) {
        self.unheard.get_or_insert(now);
    }

    /// Takes groups of packets that arrived, in the order in which they were sent, and the rate at
    /// which packets arrive of late.
    pub(super) fn arrived(&mut self, now: Micros, groups: impl Iterator<Item = Group>, arriving: Option<u64>) {
        self.unheard = None;
        for group in groups {
            self.newest = self.newest.max(group.sent);
            self.trend.add(self.newest, group.waited);
        }
        match (self.trend.queue(), arriving) {
            (Queue::Grows, Some(arriving)) => self.fall(now, arriving as f64),
            // A queue that grows before anything is known of it.
            (Queue::Grows, None) => self.holds = true,
            (Queue::Shrinks, _) => (self.holds, self.changed) = (true, now),
            (Queue::Stays, _) if self.holds => (self.holds, self.changed) = (false, now),
            (Queue::Stays, arriving) => self.rise(now, arriving.map(|rate| rate as f64)),
        }
    }

    fn fall(&mut self, now: Micros, arriving: f64) {
        let wait = self.round_trip.clamp(FALL_AGAIN.0, FALL_AGAIN.1);
        self.holds = true;
        if now.saturating_sub(self.changed) < wait && arriving >= self.by_delay / 2.0 {
            return;
        }
        let mut to = arriving * BACK_OFF;
        if to > self.by_delay
            && let Some(capacity) = self.capacity
        {
            to = capacity.mean * 1000.0 * BACK_OFF;
        }
        self.by_delay = clamp(to.min(self.by_delay));
        self.by_loss = self.by_loss.min(self.by_delay);
        let known = self.capacity.filter(|capacity| capacity.fits(arriving));
        self.capacity = Some(Capacity::with(known, arriving));
        self.changed = now;
    }

    fn rise(&mut self, now: Micros, arriving: Option<f64>) {
        let passed = (now.saturating_sub(self.changed) as f64 / 1e6).min(1.0);
        self.changed = now;
        self.capacity = self.capacity.filter(|capacity| {
            arriving.is_none_or(|arriving| capacity.fits(arriving) || arriving / 1000.0 < capacity.mean)
        });
        let most = arriving.map_or(f64::INFINITY, |arriving| arriving * AHEAD.0 + AHEAD.1);
        if self.by_delay >= most {
            return;
        }
        let by = if self.capacity.is_some() {
            let response = self.round_trip as f64 / 1e6 + RESPONSE;
            (PACKET / response).max(LEAST_STEADY_RISE) * passed
        } else {
            (self.by_delay * (RISE.powf(passed) - 1.0)).max(LEAST_RISE * passed)
        };
        self.by_delay = clamp((self.by_delay + by).min(most));
    }

    pub(super) fn round_trip(&mut self, round_trip: Micros) {
        self.round_trip = round_trip.clamp(ROUND_TRIPS.0, ROUND_TRIPS.1);
    }

    /// Whether loss is to be told.
    pub(super) fn wants_loss(&self, now: Micros) -> bool {
        now >= self.next_loss
    }

    /// What was lost over the last second.
    pub(super) fn loss(&mut self, now: Micros, counts: Counts) {
        self.next_loss = now + LOSS_INTERVAL;
        let Some(share) = counts.share() else { return };
        let before = self.by_loss.min(self.by_delay);
        if share > HIGH_LOSS {
            self.by_loss = clamp(before * f64::from(1.0 - share / 2.0));
        } else if share <= LOW_LOSS {
            self.by_loss = if self.by_loss > self.by_delay {
                self.by_delay * RISE
            } else {
                clamp(self.by_loss * RISE + LEAST_RISE)
            };
        }
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, now: Micros) {
        let is_silent = self.unheard.is_some_and(|since| now.saturating_sub(since) > SILENCE);
        if is_silent && now.saturating_sub(self.fell_in_silence) >= SILENT_STEP {
            self.fell_in_silence = now;
            self.set(self.rate() as f64 * SILENT_FALL);
        }
    }

    /// Goes on from so many bits per second: something else has found out.
    pub(super) fn set(&mut self, from: f64) {
        self.by_delay = clamp(from);
        self.by_loss = self.by_delay;
    }
}

fn clamp(rate: f64) -> f64 {
    rate.clamp(LEAST_RATE as f64, MOST_RATE as f64)
}
