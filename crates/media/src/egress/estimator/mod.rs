//! How much a receiver's path carries, from what its feedback says of what was sent.
//!
//! Feedback is that of draft-holmer-rmcat-transport-wide-cc-extensions-01. The course of the
//! estimate is Google's congestion control ([`control`], draft-ietf-rmcat-gcc-02 as libwebrtc
//! has it): queues that grow and loss above a tenth lower it, all else raises it slowly. Around
//! it are layers of our own: [`groups`] and [`delay`] take out what is noise, [`probing`] raises the
//! estimate in steps, and a path that is full and loses is taken for what it delivers.
//!
//! Give it what is sent by [`Estimator::sent`], what comes back by [`Estimator::feedback`] and the
//! time by [`Estimator::handle_timeout`], then drain [`Estimator::poll_probe`]. No input makes it
//! panic; time that goes back stands still.

#[cfg(test)]
mod abuse;
mod control;
mod delay;
mod groups;
mod history;
mod loss;
mod probing;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
mod trend;

use std::time::{Duration, Instant};

use control::{Control, LEAST_RATE, MOST_RATE};
use delay::Delay;
use groups::Groups;
use history::{Fate, History, Sent};
use loss::Loss;
use probing::Probing;
pub use probing::{Probe, ProbeId};

/// Microseconds since an estimator began, or on a receiver's clock.
type Micros = u64;

/// Later than any time that comes up, and far from where sums don't fit.
const END_OF_TIME: Micros = 1 << 50;
const TICK: Micros = 100_000;
/// How often congestion control is told that something is sent.
const TELL: Micros = 20_000;
/// The span over which loss is told.
const SECOND: Micros = 1_000_000;
/// Packets looked at in one feedback: as many as are remembered. Thirty bytes can name 65 535.
const MOST_REPORTED: usize = history::PACKETS;

/// A queue that stands this high, with this share lost over so long, is full.
const FULL: Micros = 60_000;
const FULL_LOSS: f32 = 0.1;
const FULL_OVER: Micros = 500_000;

/// Estimates what one receiver's path carries. See the module.
pub struct Estimator {
    began: Instant,
    now: Micros,
    history: History,
    delay: Delay,
    groups: Groups,
    loss: Loss,
    probing: Probing,
    control: Control,
    /// From sending to feedback: of the last packet, and smoothed.
    trip: Micros,
    round_trip: Option<Micros>,
    desired: u64,
    /// When congestion control was last told that something is sent.
    untold: Micros,
    /// The highest number that was told to have arrived.
    newest: Option<u64>,
    /// How long the last group waited that met no probe.
    undisturbed: Micros,
    timeout: Micros,
}

impl Estimator {
    /// An estimator that begins with `initial` bits per second.
    #[must_use]
    pub fn new(now: Instant, initial: u64) -> Self {
        Self {
            began: now,
            now: 0,
            history: History::default(),
            delay: Delay::default(),
            groups: Groups::default(),
            loss: Loss::default(),
            probing: Probing::default(),
            control: Control::new(0, initial),
            trip: 0,
            round_trip: None,
            desired: 0,
            untold: 0,
            newest: None,
            undisturbed: 0,
            timeout: TICK,
        }
    }

    fn pass(&mut self, now: Instant) -> Micros {
        self.now = self.now.max(micros(now.saturating_duration_since(self.began)));
        self.now
    }

    /// A packet goes out. `seq` is its transport-wide number, extended, rising by one; `bytes` is
    /// its payload's size, `probe` the probe it belongs to.
    pub fn sent(&mut self, now: Instant, seq: u64, bytes: usize, probe: Option<ProbeId>) {
        let now = self.pass(now);
        let bytes = u16::try_from(bytes).unwrap_or(u16::MAX);
        let probe = probe.is_some_and(|id| self.probing.sent(now, id, bytes));
        self.history.push(seq, Sent { at: now, bytes, fate: Fate::Open, probe });
        if now >= self.untold + TELL {
            self.control.sent(now);
            self.untold = now;
        }
    }

    /// A transport-wide feedback: packets by number, each with its arrival on the receiver's clock,
    /// or `None` where it has not come. What is unknown, old or told twice is left out.
    pub fn feedback(&mut self, now: Instant, packets: impl IntoIterator<Item = (u64, Option<Duration>)>) {
        let now = self.pass(now);
        for (seq, arrival) in packets.into_iter().take(MOST_REPORTED) {
            let Some(packet) = self.history.get_mut(seq) else { continue };
            match (arrival, packet.fate) {
                (None, Fate::Open) => {
                    packet.fate = Fate::Missing;
                    self.loss.missing(now);
                }
                (Some(arrival), Fate::Open | Fate::Missing) => {
                    self.loss.arrived(now, packet.fate == Fate::Missing);
                    packet.fate = Fate::Arrived;
                    let packet = *packet;
                    self.arrived(now, seq, packet, micros(arrival));
                }
                _ => {}
            }
        }
        self.conclude(now);
        self.consider(now);
    }

    fn arrived(&mut self, now: Micros, seq: u64, packet: Sent, arrival: Micros) {
        let waited = self.delay.waited(now, packet.at, arrival);
        if packet.probe {
            self.probing.arrived(&packet, arrival);
        }
        // Congestion control takes packets in order, and can do without those that were overtaken.
        if self.newest.is_none_or(|newest| seq > newest) {
            self.newest = Some(seq);
            self.groups.add(packet.at, arrival, waited, packet.bytes);
            // That of the last one stays, the only one that did not wait for feedback to be sent.
            self.trip = now - packet.at;
        }
    }

    /// Decides on what a feedback told.
    fn conclude(&mut self, now: Micros) {
        let former = self.control.rate();
        let arriving = self.groups.rate();
        let groups = self.groups.finish();
        let Some(last) = groups.last().copied() else { return };
        let (probing, undisturbed) = (&self.probing, &mut self.undisturbed);
        self.control.arrived(
            now,
            groups.iter().map(|group| {
                let mut group = group.without_noise();
                // What a probe makes others wait says nothing of what they make each other wait.
                if !probing.disturbs(group.sent) {
                    *undisturbed = group.waited;
                }
                group.waited = *undisturbed;
                group
            }),
            arriving,
        );
        self.groups.clear();
        let fell = self.control.rate() < former;
        let smoothed = self.round_trip.map_or(self.trip, |former| (former * 7 + self.trip) / 8);
        self.round_trip = Some(smoothed);
        self.control.round_trip(smoothed);
        if self.control.wants_loss(now) {
            self.control.loss(now, self.loss.counts(now, SECOND));
        }
        let full =
            last.waited > FULL && self.loss.counts(now, FULL_OVER).share().is_some_and(|share| share > FULL_LOSS);
        // What arrives is carried. A full queue carries no more, and no loss of chance makes it less
        // than half, however long it lasts.
        if let Some(arriving) = self.groups.rate() {
            let (most, least) = (arriving / 10 * 9, arriving / 2);
            if full && most < self.control.rate() {
                self.control.set(most as f64);
            } else if least > self.control.rate() {
                self.control.set(least as f64);
            }
        }
        if full || fell {
            self.probing.hold(now);
        }
        if let Some(found) = self.probing.result(now, self.control.rate())
            && !full
            && !fell
        {
            self.control.set(found as f64);
        }
    }

    fn consider(&mut self, now: Micros) {
        self.probing.consider(now, self.control.rate(), self.desired);
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.pass(now);
        if now < self.timeout {
            return;
        }
        self.timeout = now + TICK;
        self.control.pass(now);
        self.consider(now);
    }

    /// When to call [`Self::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Instant {
        self.began + Duration::from_micros(self.timeout)
    }

    /// What the path carries, in bits per second.
    #[must_use]
    pub fn estimate(&self) -> u64 {
        self.control.rate()
    }

    /// The share lost over about the last second; `None` when no feedback came.
    #[must_use]
    pub fn loss(&self, now: Instant) -> Option<f32> {
        let now = self.now.max(micros(now.saturating_duration_since(self.began)));
        self.loss.counts(now, SECOND).share()
    }

    /// How long it takes from sending a packet to feedback on it, smoothed.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip.map(Duration::from_micros)
    }

    /// What there is to send in all, in bits per second. Less than that is probed for more.
    pub fn set_desired(&mut self, now: Instant, desired: u64) {
        let now = self.pass(now);
        self.desired = desired.min(MOST_RATE / 2);
        self.consider(now);
    }

    /// A burst to be sent, so that a higher rate is tried.
    pub fn poll_probe(&mut self) -> Option<Probe> {
        self.probing.poll()
    }

    /// Begins anew from so many bits per second.
    pub fn restart(&mut self, now: Instant, from: u64) {
        let now = self.pass(now);
        self.history.clear();
        self.delay = Delay::default();
        self.groups = Groups::default();
        self.probing.restart(now);
        self.control = Control::new(now, from.clamp(LEAST_RATE, MOST_RATE));
        (self.newest, self.undisturbed, self.untold) = (None, 0, now);
    }
}

fn micros(time: Duration) -> Micros {
    time.as_secs().saturating_mul(1_000_000).saturating_add(u64::from(time.subsec_micros())).min(END_OF_TIME)
}
