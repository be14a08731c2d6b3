//! One source: from its packets to a frame of 20 ms that is ready to be mixed.

use super::claim::Claim;
use super::gain::{self, Leveller};
use super::jitter::{JitterBuffer, PLAYED, Received};
use super::limiter::FRAME;
use super::loudest::{self, Activity};
use super::packet::{PayloadInfo, SoundPacket, SourceKind};
use super::statistics::SourceStatistics;
use super::stretch::{LONGEST, Queue};
use crate::codec::{CodecError, SoundDecoder};

/// 120 ms of two channels: no packet has more.
const MOST_DECODED: usize = 5760 * 2;
/// Concealment sounds worse the longer it lasts. After 160 ms the source fades out, and comes back
/// at its target delay when it can.
const MOST_CONCEALED: i64 = 7680;
/// A decoder makes up for multiples of 2.5 ms (RFC 6716 §2.1.4). A gap of less than half of that is
/// none.
const GRAIN: i64 = 120;
/// A fade takes 10 ms.
const FADE: usize = 480;
/// The delay may be above its target by this, 20 ms, without being shortened.
const SLACK: i64 = 960;
/// A packet without a level is taken for speech as loud as this, in dBov, until it was decoded.
const ASSUMED: f32 = -45.0;

/// Whether and how a source sounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is decoded; packets pass by as if they were played.
    Idle,
    /// What is in the queue, and then what begins at `next` (unwrapped RTP timestamp).
    Playing { next: i64, sequence: Option<u16>, concealed: i64 },
}

/// See above.
pub(super) struct Source {
    pub(super) kind: SourceKind,
    pub(super) activity: Activity,
    pub(super) muted: bool,
    /// It is removed when its last frame has faded out.
    pub(super) leaving: bool,
    pub(super) statistics: SourceStatistics,
    decoder: Box<dyn SoundDecoder>,
    failed: bool,
    jitter: JitterBuffer,
    queue: Queue,
    state: State,
    leveller: Leveller,
    /// What it adds to the mix in this frame; of a screen two channels that alternate.
    frame: Vec<f32>,
    /// Whether it adds anything.
    sounds: bool,
    /// Where `frame` begins, as an unwrapped RTP timestamp.
    playing: Option<i64>,
    measured: Option<f32>,
    claim: Claim,
    /// The level of the newest packet, as its header has it.
    claimed: f32,
    decoded: Vec<f32>,
}

/// The bounds of what a source does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) least_delay: i64,
    pub(super) most_delay: i64,
    pub(super) loudness: f32,
    pub(super) most_gain: f32,
}

impl Source {
    pub(super) fn new(kind: SourceKind, decoder: Box<dyn SoundDecoder>, bounds: &Bounds) -> Self {
        let channels = match kind {
            SourceKind::Voice => 1,
            SourceKind::Screen => 2,
        };
        Self {
            kind,
            activity: Activity::new(),
            muted: false,
            leaving: false,
            statistics: SourceStatistics::default(),
            decoder,
            failed: false,
            jitter: JitterBuffer::new(bounds.least_delay, bounds.most_delay),
            queue: Queue::new(channels),
            state: State::Idle,
            leveller: Leveller::new(bounds.loudness, bounds.most_gain),
            frame: vec![0.0; FRAME * channels],
            sounds: false,
            playing: None,
            measured: None,
            claim: Claim::default(),
            claimed: -127.0,
            decoded: vec![0.0; MOST_DECODED],
        }
    }

    /// A decoder in place of one that failed.
    pub(super) fn replace_decoder(&mut self, decoder: Box<dyn SoundDecoder>) {
        (self.decoder, self.failed, self.statistics.failed) = (decoder, false, false);
    }

    /// In samples.
    pub(super) fn set_least_delay(&mut self, least: i64) {
        self.jitter.set_least(least);
    }

    /// A packet has arrived, at a sample of our clock, before the given frame.
    pub(super) fn receive(&mut self, arrival: i64, now: loudest::Frame, packet: &SoundPacket<'_>, info: &PayloadInfo) {
        self.statistics.received += 1;
        let result = self.jitter.receive(arrival, packet, info);
        match result {
            Received::InTime => {}
            Received::Late => self.statistics.late += 1,
            Received::Duplicate => {
                self.statistics.duplicates += 1;
                return;
            }
            Received::Restarted => {
                self.statistics.restarts += 1;
                if let State::Playing { next, sequence, .. } = &mut self.state {
                    // What is in the queue plays on; the new base follows it without a gap.
                    *next = self.jitter.front().map_or(*next, |front| front.start);
                    *sequence = None;
                }
            }
        }
        let (level, voice) = match (packet.level, self.measured) {
            _ if info.dtx => (-127.0, false),
            (Some(level), _) => {
                self.claimed = f32::from(level);
                (self.claim.believed(self.claimed), packet.voice)
            }
            (None, Some(measured)) => (measured, measured > ASSUMED),
            (None, None) => (ASSUMED, true),
        };
        self.activity.heard(now, level, voice, info.duration);
    }

    /// Whether there may be anything to hear.
    pub(super) fn can_sound(&self) -> bool {
        !self.muted && !self.leaving && !self.failed
    }

    /// Goes on by one frame that plays at `due`. True when it has something to be mixed, which is in
    /// [`Source::frame`]. Unless it is `wanted` it fades out, and costs nothing from then on.
    pub(super) fn advance(&mut self, due: i64, now: loudest::Frame, wanted: bool) -> bool {
        let entry = match self.state {
            State::Playing { .. } => None,
            State::Idle if wanted => self.start(due),
            State::Idle => None,
        };
        self.sounds = self.state != State::Idle;
        if !self.sounds {
            self.pass_by(due);
            return false;
        }
        self.fill(due);
        let dry = self.is_dry();
        if !dry {
            self.adapt(due);
        }
        let available = self.queue.len().min(FRAME);
        self.playing = self.position();
        self.queue.pop(&mut self.frame);
        self.statistics.played += FRAME as u64;
        let level = gain::decibels(gain::power(&self.frame));
        self.measured = Some(level);
        self.claim.decoded(self.claimed, level);
        if self.kind == SourceKind::Voice {
            let factors = self.leveller.next(&self.frame, self.activity.speaks(now));
            gain::apply(&mut self.frame, factors);
        }
        let channels = self.frame.len() / FRAME;
        if let Some(lead) = entry {
            fade(&mut self.frame[lead * channels..(lead + FADE) * channels], channels, false);
        }
        if dry || !wanted {
            let from = entry.map_or(0, |_| FADE).min(available);
            let to = (from + FADE).min(available);
            fade(&mut self.frame[from * channels..to * channels], channels, true);
            self.frame[to * channels..].fill(0.0);
            self.state = State::Idle;
        }
        true
    }

    /// What [`Source::advance`] made: empty when nothing.
    pub(super) fn frame(&self) -> &[f32] {
        if self.sounds { &self.frame } else { &[] }
    }

    /// In dB.
    pub(super) fn gain(&self) -> f32 {
        self.leveller.gain()
    }

    /// The unwrapped RTP timestamp of what plays first in the frame that was made last, for lip sync.
    pub(super) const fn playing(&self) -> Option<i64> {
        self.playing
    }

    /// How long what plays first in the frame made for `due` has waited, and should have, in samples.
    pub(super) fn delay(&self, due: i64) -> Option<(i64, i64)> {
        self.jitter.delay(due, self.playing?)
    }

    /// How many packets wait, and how many had no room.
    pub(super) fn waiting(&self) -> (usize, u64) {
        (self.jitter.len(), self.jitter.overflowed)
    }

    fn pass_by(&mut self, due: i64) {
        self.playing = self.jitter.position_at(due);
        if let Some(position) = self.playing {
            self.jitter.skip_to(position);
        }
        self.measured = None;
        self.claim.passed_by();
    }

    /// The RTP timestamp of the first sample in the queue.
    fn position(&self) -> Option<i64> {
        match self.state {
            State::Idle => None,
            State::Playing { next, .. } => Some(next - self.queue.len() as i64),
        }
    }

    /// Begins to play if there is anything to play in this frame, and says after how many samples.
    /// The decoder has last decoded something else; so it first gets what came right before, and
    /// nobody hears that.
    fn start(&mut self, due: i64) -> Option<usize> {
        let position = self.jitter.position_at(due)?;
        self.jitter.skip_to(position);
        let front = self.jitter.front()?;
        let (start, lead) = (front.start, front.start - position);
        if lead >= FRAME as i64 {
            return None;
        }
        for packet in self.jitter.played().take(PLAYED) {
            // What it cannot decode now it could not decode then.
            let _ = self.decoder.decode(&packet.payload, &mut self.decoded);
        }
        self.queue.clear();
        self.state = State::Playing { next: start, sequence: None, concealed: 0 };
        if lead < 0 {
            self.decode_front();
            self.queue.skip((-lead) as usize);
            return Some(0);
        }
        // The fade has to fit into the frame.
        let lead = (lead as usize).min(FRAME - FADE);
        self.queue.push_silence(lead);
        Some(lead)
    }

    /// Nothing came for too long, or nothing can come.
    fn is_dry(&self) -> bool {
        self.failed || matches!(self.state, State::Playing { concealed, .. } if concealed >= MOST_CONCEALED)
    }

    /// Brings the queue to a frame at least, of whatever there is and of concealment, unless the decoder
    /// is at fault.
    fn fill(&mut self, due: i64) {
        while self.queue.len() < FRAME && !self.failed {
            let State::Playing { next, sequence, .. } = self.state else { return };
            while self.jitter.front().is_some_and(|front| front.end() <= next) {
                self.jitter.pop();
            }
            let ahead = self.jitter.front().map(|front| {
                let missing = sequence.map_or(0, |last| front.sequence.wrapping_sub(last).wrapping_sub(1));
                (front.start - next, front.fec, missing > 0)
            });
            match ahead {
                Some((gap, ..)) if gap < GRAIN / 2 => self.decode_front(),
                Some((gap, fec, true)) => {
                    self.jitter.missed(due);
                    if fec > 0 && gap <= fec + GRAIN / 2 {
                        self.recover(gap)
                    } else {
                        self.conceal(gap - fec, true, true)
                    }
                }
                Some((gap, _, false)) => self.conceal(gap, true, false),
                None => self.conceal(FRAME as i64, false, !self.activity.silent()),
            }
        }
    }

    /// Decodes the first packet that waits, to the end of the queue.
    fn decode_front(&mut self) {
        let Some(front) = self.jitter.front() else { return };
        let (start, duration, number) = (front.start, front.duration, front.sequence);
        let result = self.decoder.decode(&front.payload, &mut self.decoded);
        let decoded = match result {
            Ok(count) => {
                self.push_decoded(count);
                count as i64
            }
            Err(error) => {
                self.fault(&error);
                0
            }
        };
        self.jitter.pop();
        let State::Playing { concealed, .. } = self.state else { return };
        let (next, concealed) = if decoded > 0 { (start + decoded, 0) } else { (start, concealed) };
        self.state = State::Playing { next, sequence: Some(number), concealed };
        if decoded == 0 {
            (0..duration).step_by(FRAME).for_each(|from| self.conceal(duration - from, true, true));
        }
    }

    /// Makes up for a gap of at most the front packet's redundancy with it.
    fn recover(&mut self, gap: i64) {
        let samples = grains(gap, gap);
        let room = samples as usize * self.decoder.channels().max(1);
        let Some(front) = self.jitter.front() else { return };
        match self.decoder.decode_fec(&front.payload, &mut self.decoded[..room]) {
            Ok(count) if count > 0 => {
                self.statistics.recovered += count as u64;
                self.push_decoded(count);
                self.go_on(gap, 0);
            }
            Ok(_) => self.conceal(gap, true, true),
            Err(error) => {
                self.fault(&error);
                self.conceal(gap, true, true);
            }
        }
    }

    /// Makes up for at most 20 ms of a gap. Unless time goes on (`passes`), what is missing may still
    /// come and play after. It counts as concealed when something was there to be heard (`counts`).
    fn conceal(&mut self, gap: i64, passes: bool, counts: bool) {
        let samples = grains(gap, FRAME as i64);
        let channels = self.decoder.channels().max(1);
        let room = samples as usize * channels;
        let count = match self.decoder.conceal(&mut self.decoded[..room]) {
            Ok(count) if count > 0 => count,
            result => {
                if let Err(error) = result {
                    self.fault(&error);
                }
                self.decoded[..room].fill(0.0);
                samples as usize
            }
        };
        self.push_decoded(count);
        if counts {
            self.statistics.concealed += count as u64;
        }
        self.go_on(if passes { (count as i64).min(gap.max(0)) } else { 0 }, count as i64);
    }

    fn go_on(&mut self, passed: i64, made_up: i64) {
        if let State::Playing { next, sequence, concealed } = self.state {
            self.state = State::Playing { next: next + passed, sequence, concealed: concealed + made_up };
            self.jitter.skip_to(next + passed);
        }
    }

    /// Takes so many samples of each channel from the decoder, in as many channels as the source has.
    fn push_decoded(&mut self, count: usize) {
        let channels = self.decoder.channels().max(1);
        let samples = &mut self.decoded[..(count * channels).min(MOST_DECODED)];
        // A codec may be fed anything; nothing that is no number gets into the mix.
        samples.iter_mut().for_each(|sample| *sample = if sample.is_finite() { sample.clamp(-2.0, 2.0) } else { 0.0 });
        match (self.kind, channels) {
            (SourceKind::Voice, 1) | (SourceKind::Screen, 2) => self.queue.push(samples),
            (SourceKind::Voice, _) => {
                for pair in samples.chunks_exact(channels) {
                    self.queue.push(&[pair.iter().sum::<f32>() / channels as f32]);
                }
            }
            (SourceKind::Screen, _) => {
                for pair in samples.chunks_exact(channels) {
                    self.queue.push(&[pair[0], pair[channels.min(2) - 1]]);
                }
            }
        }
    }

    fn fault(&mut self, error: &CodecError) {
        self.statistics.faults += 1;
        if matches!(error, CodecError::Failed(_)) {
            (self.failed, self.statistics.failed) = (true, true);
        }
    }

    /// Brings the delay nearer to its target, where the sound bears it: the more it is off, the less
    /// alike the periods have to be.
    fn adapt(&mut self, due: i64) {
        let Some((delay, target)) = self.position().and_then(|position| self.jitter.delay(due, position)) else {
            return;
        };
        let excess = delay - target;
        if (0..=SLACK).contains(&excess) {
            return;
        }
        let off = if excess < 0 { -excess } else { excess - SLACK };
        let likeness = if off > 4800 { 0.3 } else { 0.9 - 0.5 * off as f32 / 4800.0 };
        if excess < -GRAIN {
            self.statistics.inserted += self.queue.lengthen(likeness) as u64;
        } else if excess > SLACK && self.fill_ahead() {
            self.statistics.removed += self.queue.shorten(FRAME, likeness) as u64;
        }
    }

    /// Decodes ahead what is there in full. True when that is enough to take a period out.
    fn fill_ahead(&mut self) -> bool {
        let wanted = FRAME + LONGEST;
        while self.queue.len() < wanted {
            let State::Playing { next, .. } = self.state else { return false };
            if self.failed || self.jitter.front().is_none_or(|front| front.start - next >= GRAIN / 2) {
                return false;
            }
            self.decode_front();
        }
        true
    }
}

/// A gap in whole grains, one at least, and `most` at most unless that is less than one.
fn grains(gap: i64, most: i64) -> i64 {
    (gap.min(most).min(MOST_DECODED as i64 / 2) + GRAIN / 2).div_euclid(GRAIN).max(1) * GRAIN
}

/// A quarter of a sine: with its twin that goes the other way the power stays the same.
fn fade(samples: &mut [f32], channels: usize, out: bool) {
    let frames = samples.len() / channels;
    for (index, frame) in samples.chunks_exact_mut(channels).enumerate() {
        let at = if out { frames - 1 - index } else { index };
        let weight = ((at as f32 + 0.5) / frames as f32 * std::f32::consts::FRAC_PI_2).sin();
        frame.iter_mut().for_each(|sample| *sample *= weight);
    }
}
