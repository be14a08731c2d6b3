//! A sender of pictures and sound, a path and a receiver, in virtual time.

use std::collections::{BTreeMap, VecDeque};

use madang_lab::{Link, LinkConfig};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::*;

const PACKET: usize = 1200;
const FRAME: Duration = Duration::from_nanos(33_333_333);
const SOUND: Duration = Duration::from_millis(20);
const SOUND_BYTES: usize = 100;
const SOUND_RATE: u64 = 40_000;
/// What is wanted in all, and what an estimator begins with, in bits per second.
pub(super) const DESIRED: u64 = 3_000_000;
/// The receiver's clock is an hour ahead.
const AHEAD: Duration = Duration::from_secs(3600);

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(super) fn path(rate: u64, delay: u64) -> LinkConfig {
    LinkConfig { rate: Some(rate), delay: ms(delay), ..LinkConfig::default() }
}

/// What is sent: no more than this, and no more than the estimate where `adapts`.
#[derive(Clone, Copy)]
pub(super) struct Media {
    pub(super) rate: u64,
    pub(super) adapts: bool,
}

/// How badly both ends keep time.
#[derive(Clone, Copy, Default)]
pub(super) struct Sloth {
    /// A sender wakes late by up to this.
    pub(super) late: Duration,
    /// The clock it reads when it wakes is old by up to this once its packets leave.
    pub(super) stale: Duration,
    /// The receiver gives all that arrives within this one time.
    pub(super) batch: Duration,
    /// Once in a second the receiver does nothing for up to this.
    pub(super) stall: Duration,
}

pub(super) struct Sim {
    start: Instant,
    pub(super) now: Instant,
    pub(super) estimator: Estimator,
    pub(super) link: Link<u64>,
    random: StdRng,
    pub(super) sloth: Sloth,
    pub(super) media: Media,
    /// How often the receiver sends feedback.
    pub(super) interval: Duration,
    wake: Instant,
    left: Instant,
    seq: u64,
    /// How often something of the picture is sent.
    pub(super) frame: Duration,
    frame_due: Instant,
    sound_due: Instant,
    /// A probe, since when it is sent, and how much of it has been.
    probe: Option<(Probe, Instant, usize, usize)>,
    pub(super) probes: usize,
    /// When each packet left, and how long those that came have waited.
    sends: Vec<Instant>,
    pub(super) waits: Vec<Duration>,
    arrived: BTreeMap<u64, Duration>,
    reported: u64,
    stalled_until: Instant,
    feedback_due: Instant,
    returning: VecDeque<(Instant, Report)>,
}

/// What a feedback tells of packets by number.
type Report = Vec<(u64, Option<Duration>)>;

/// For counting instructions: `valgrind --tool=callgrind --toggle-collect='*cost_sent*'`.
#[inline(never)]
fn cost_sent(estimator: &mut Estimator, now: Instant, seq: u64, bytes: usize, probe: Option<ProbeId>) {
    estimator.sent(now, seq, bytes, probe);
}

#[inline(never)]
fn cost_feedback(estimator: &mut Estimator, now: Instant, report: &[(u64, Option<Duration>)]) {
    estimator.feedback(now, report.iter().copied());
}

#[inline(never)]
fn cost_timeout(estimator: &mut Estimator, now: Instant) {
    estimator.handle_timeout(now);
}

impl Sim {
    /// A path, and what is to be sent over it. All of [`DESIRED`] is wanted.
    pub(super) fn new(config: LinkConfig, media: Media, seed: u64) -> Self {
        let start = Instant::now();
        let mut estimator = Estimator::new(start, DESIRED);
        estimator.set_desired(start, DESIRED);
        Self {
            start,
            now: start,
            estimator,
            link: Link::new(config, seed),
            random: StdRng::seed_from_u64(seed),
            sloth: Sloth::default(),
            media,
            interval: ms(75),
            wake: start,
            left: start,
            seq: 70_000,
            frame: FRAME,
            frame_due: start,
            sound_due: start,
            probe: None,
            probes: 0,
            sends: Vec::new(),
            waits: Vec::new(),
            arrived: BTreeMap::new(),
            reported: 70_000,
            stalled_until: start,
            feedback_due: start,
            returning: VecDeque::new(),
        }
    }

    fn send(&mut self, bytes: usize, probe: Option<ProbeId>) {
        let stale = Duration::from_micros(self.random.random_range(0..=self.sloth.stale.as_micros() as u64));
        cost_sent(&mut self.estimator, self.now, self.seq, bytes, probe);
        self.left = self.left.max(self.now + stale);
        self.link.send(self.left, bytes, self.seq);
        self.sends.push(self.left);
        self.seq += 1;
    }

    fn send_due(&mut self) {
        while self.frame_due <= self.now {
            self.frame_due += self.frame;
            let room = self.estimator.estimate().saturating_sub(SOUND_RATE);
            let rate = if self.media.adapts { self.media.rate.min(room) } else { self.media.rate };
            let mut bytes = (rate as f64 * self.frame.as_secs_f64() / 8.0) as usize;
            while bytes > 0 {
                let packet = bytes.min(PACKET);
                self.send(packet, None);
                bytes -= packet;
            }
        }
        while self.sound_due <= self.now {
            self.sound_due += SOUND;
            self.send(SOUND_BYTES, None);
        }
        if self.probe.is_none() {
            self.probe = self.estimator.poll_probe().map(|probe| (probe, self.now, 0, 0));
            self.probes += usize::from(self.probe.is_some());
        }
        while let Some((probe, since, bytes, packets)) = self.probe {
            let due = (probe.rate as f64 * (self.now - since).as_secs_f64() / 8.0) as usize;
            if bytes >= probe.bytes && packets >= probe.packets {
                self.probe = None;
            } else if bytes > due {
                break;
            } else {
                let packet = (probe.bytes / probe.packets).min(PACKET);
                self.send(packet, Some(probe.id));
                self.probe = Some((probe, since, bytes + packet, packets + 1));
            }
        }
    }

    fn receive(&mut self) {
        if self.now < self.stalled_until {
            return;
        }
        if !self.sloth.stall.is_zero() && self.random.random_bool(0.001) {
            let stall = self.random.random_range(0..=self.sloth.stall.as_millis() as u64);
            self.stalled_until = self.now + ms(stall);
            return;
        }
        while let Some(seq) = self.link.poll(self.now) {
            let mut at = self.now - self.start + AHEAD;
            let took = self.now - self.sends[(seq - 70_000) as usize];
            self.waits.push(took.saturating_sub(self.link.config().delay));
            if !self.sloth.batch.is_zero() {
                let batch = self.sloth.batch.as_micros();
                at = Duration::from_micros((at.as_micros().div_ceil(batch) * batch) as u64);
            }
            self.arrived.insert(seq, at);
        }
        if self.feedback_due <= self.now {
            self.feedback_due += self.interval;
            if let Some((&last, _)) = self.arrived.last_key_value() {
                let first = self.reported.min(*self.arrived.first_key_value().expect("there is a last").0);
                let report = (first..=last).map(|seq| (seq, self.arrived.get(&seq).copied())).collect();
                self.returning.push_back((self.now + ms(20), report));
                self.arrived.clear();
                self.reported = last + 1;
            }
        }
        while self.returning.front().is_some_and(|(at, _)| *at <= self.now) {
            let (_, report) = self.returning.pop_front().expect("was there");
            cost_feedback(&mut self.estimator, self.now, &report);
        }
    }

    /// Lets time pass and returns the estimate of each millisecond.
    pub(super) fn run(&mut self, time: Duration) -> Vec<u64> {
        let end = self.now + time;
        let mut estimates = Vec::new();
        while self.now < end {
            self.receive();
            if self.estimator.poll_timeout() <= self.now {
                cost_timeout(&mut self.estimator, self.now);
            }
            if self.wake <= self.now {
                self.send_due();
                let late = self.random.random_range(0..=self.sloth.late.as_millis() as u64);
                self.wake = self.now + ms(1 + late);
            }
            estimates.push(self.estimator.estimate());
            self.now += ms(1);
        }
        estimates
    }
}
