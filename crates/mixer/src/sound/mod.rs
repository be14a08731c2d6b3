//! The sound mixer: many sources of packets in, a few encoded mixes out. Each listener hears all but
//! its own sources.
//!
//! ```text
//! receive → jitter buffer ┐ only of the loudest:
//!                         ├ decode → time scale → fade → level ┐
//!                         ┘                                    ├ sum → limiter → encode, for all
//!                                                              └ sum − own → limiter → encode, for each
//! ```
//!
//! | module | what it does |
//! | --- | --- |
//! | `packet` | what comes in, and what an Opus packet says of itself |
//! | `delay` | how long a source's packets have to wait |
//! | `jitter` | where they wait |
//! | `loudest` | who is decoded and mixed |
//! | `claim` | whether headers tell the truth |
//! | `stretch` | the time scale, which keeps the wait as it should be |
//! | `gain` | the balance between talkers |
//! | `source` | all of that for one source |
//! | `limiter` | no sample above full scale |
//! | `mix` | sums with and without |
//! | `stream` | encoders, and how one takes over from another |
//! | `output` | what comes out |
//!
//! The output has one channel, and two from when a shared screen sounds until 2 s after: two cost the
//! mix twice, and Opus half as much again, and an Opus stream may change between packets (RFC 6716
//! §2.1.2).

mod claim;
mod delay;
mod gain;
mod jitter;
mod limiter;
mod loudest;
mod mix;
mod output;
mod packet;
mod source;
mod statistics;
mod stream;
mod stretch;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

pub use self::output::{Encoded, Playing, SoundOutput};
pub use self::packet::{ListenerId, PayloadInfo, SoundPacket, SourceId, SourceKind, inspect_opus};
pub use self::statistics::{MixerStatistics, SourceStatistics};
pub use self::stream::EncoderFactory;

use self::limiter::{FRAME, Limiter};
use self::loudest::Activity;
use self::mix::{Bus, Group};
use self::source::{Bounds, Source};
use self::stream::{Encoding, History, Mix, Stream};
use crate::codec::{CodecError, SAMPLE_RATE, SoundDecoder};

/// How often [`SoundMixer::tick`] is to be called.
pub const TICK: Duration = Duration::from_millis(20);

/// A tick makes up for as many frames at most; the next one goes on.
const CATCH_UP: usize = 5;
/// When the ticks are behind by more (200 ms), what was due is left out.
const GIVE_UP: i64 = 9600;
/// Frames for which the output stays stereo after a screen has sounded: 2 s.
const STEREO: u64 = 100;

/// How a mixer is to work.
pub struct SoundConfig {
    /// Makes encoders.
    pub encoder: EncoderFactory,
    /// What can be known of a payload before decoding: [`inspect_opus`].
    pub inspect: fn(&[u8]) -> Option<PayloadInfo>,
    /// How many voices are decoded and mixed at most; 5.
    pub voices: usize,
    /// How long a voice stays in the mix after it was among the loudest; 300 ms.
    pub hangover: Duration,
    /// A source's sound waits as long at least, against its fastest packet; 40 ms.
    pub least_delay: Duration,
    /// And aims at no more than this, whatever the jitter; 400 ms.
    pub most_delay: Duration,
    /// Voices are brought to this loudness, root mean square in dBFS; −24.
    pub loudness: f32,
    /// By this much at most, in dB, up or down; 15.
    pub most_gain: f32,
}

impl SoundConfig {
    /// The usual, for Opus.
    #[must_use]
    pub fn new(encoder: EncoderFactory) -> Self {
        Self {
            encoder,
            inspect: inspect_opus,
            voices: 5,
            hangover: Duration::from_millis(300),
            least_delay: Duration::from_millis(40),
            most_delay: Duration::from_millis(400),
            loudness: -24.0,
            most_gain: 15.0,
        }
    }
}

/// See the module. Sources send with [`SoundMixer::receive`]; every 20 ms [`SoundMixer::tick`] gives
/// what is to be sent. It may be moved to another thread for that.
pub struct SoundMixer {
    inspect: fn(&[u8]) -> Option<PayloadInfo>,
    voices: usize,
    hangover: u64,
    bounds: Bounds,
    sources: BTreeMap<SourceId, Source>,
    listeners: BTreeMap<ListenerId, Vec<SourceId>>,
    groups: BTreeMap<Vec<SourceId>, Group>,
    clock: Option<Clock>,
    /// Counts frames that were made, from 1.
    frame: u64,
    stereo_until: u64,
    bus: Bus,
    mix: Mix,
    common: Stream,
    encoding: Encoding,
    activities: Vec<Activity>,
    order: Vec<(f32, usize)>,
    statistics: MixerStatistics,
}

/// Our time in samples.
#[derive(Clone, Copy, Debug)]
struct Clock {
    epoch: Instant,
    /// When the next frame is due, and the index of its first sample in the output.
    next: Option<(i64, u64)>,
}

impl Clock {
    fn samples(&self, now: Instant) -> i64 {
        let passed = now.saturating_duration_since(self.epoch);
        (passed.as_nanos() * u128::from(SAMPLE_RATE) / 1_000_000_000) as i64
    }

    fn instant(&self, samples: i64) -> Instant {
        self.epoch + duration(samples)
    }
}

fn duration(samples: i64) -> Duration {
    Duration::from_nanos((samples.max(0) as u64).saturating_mul(1_000_000_000) / u64::from(SAMPLE_RATE))
}

fn samples(duration: Duration) -> i64 {
    (duration.as_millis() as i64).saturating_mul(i64::from(SAMPLE_RATE) / 1000)
}

impl SoundMixer {
    /// With nobody in it.
    #[must_use]
    pub fn new(config: SoundConfig) -> Self {
        let least_delay = samples(config.least_delay.min(Duration::from_secs(1)));
        Self {
            inspect: config.inspect,
            voices: config.voices,
            hangover: samples(config.hangover) as u64 / FRAME as u64,
            bounds: Bounds {
                least_delay,
                most_delay: samples(config.most_delay.min(Duration::from_secs(1))).max(least_delay),
                loudness: config.loudness,
                most_gain: config.most_gain.abs(),
            },
            sources: BTreeMap::new(),
            listeners: BTreeMap::new(),
            groups: BTreeMap::new(),
            clock: None,
            frame: 0,
            stereo_until: 0,
            bus: Bus::new(),
            mix: Mix::new(),
            common: Stream::new(Limiter::new()),
            encoding: Encoding::new(config.encoder),
            activities: Vec::new(),
            order: Vec::new(),
            statistics: MixerStatistics::default(),
        }
    }

    /// A source that will send. One that has the same name is gone at once.
    pub fn add_source(&mut self, source: SourceId, kind: SourceKind, decoder: Box<dyn SoundDecoder>) {
        self.sources.insert(source, Source::new(kind, decoder, &self.bounds));
    }

    /// It fades out in the next frame.
    pub fn remove_source(&mut self, source: SourceId) {
        if let Some(source) = self.sources.get_mut(&source) {
            source.leaving = true;
        }
    }

    /// A muted source is not heard, whatever it sends.
    pub fn set_muted(&mut self, source: SourceId, muted: bool) {
        if let Some(source) = self.sources.get_mut(&source) {
            source.muted = muted;
        }
    }

    /// A source's sound waits as long at least, against its fastest packet, for pictures that take
    /// longer; within the bounds of [`SoundConfig`]. The time scale brings it there.
    pub fn set_hold(&mut self, source: SourceId, hold: Duration) {
        let Bounds { least_delay, most_delay, .. } = self.bounds;
        if let Some(source) = self.sources.get_mut(&source) {
            source.set_least_delay(samples(hold.min(Duration::from_secs(1))).clamp(least_delay, most_delay));
        }
    }

    /// In place of a decoder that failed ([`SourceStatistics::failed`]).
    pub fn replace_decoder(&mut self, source: SourceId, decoder: Box<dyn SoundDecoder>) {
        if let Some(source) = self.sources.get_mut(&source) {
            source.replace_decoder(decoder);
        }
    }

    /// Somebody who hears everything but `own`. One who listens already changes what is its own.
    pub fn add_listener(&mut self, listener: ListenerId, own: &[SourceId]) {
        self.remove_listener(listener);
        let mut own = own.to_vec();
        own.sort_unstable();
        own.dedup();
        self.groups.entry(own.clone()).or_default().listeners.push(listener);
        self.listeners.insert(listener, own);
    }

    /// Gets nothing any more.
    pub fn remove_listener(&mut self, listener: ListenerId) {
        let Some(own) = self.listeners.remove(&listener) else { return };
        if let Some(group) = self.groups.get_mut(&own) {
            group.listeners.retain(|other| *other != listener);
            if group.listeners.is_empty() {
                self.groups.remove(&own);
            }
        }
    }

    /// How much loss, in percent, what is sent should be proof against.
    ///
    /// # Errors
    /// When an encoder does not take that.
    pub fn set_expected_loss(&mut self, percent: u8) -> Result<(), CodecError> {
        self.encoding.expected_loss = percent;
        let own = self.groups.values_mut().filter_map(|group| group.own.as_mut());
        own.chain([&mut self.common]).try_for_each(|stream| stream.set_expected_loss(percent))
    }

    /// A packet has come, at `now`. False when nobody knows the source, or no decoder would take the
    /// packet.
    pub fn receive(&mut self, now: Instant, source: SourceId, packet: &SoundPacket<'_>) -> bool {
        let Some(source) = self.sources.get_mut(&source) else { return false };
        let Some(info) = (self.inspect)(packet.payload).filter(|info| (1..=5760).contains(&info.duration)) else {
            source.statistics.malformed += 1;
            return false;
        };
        let arrival = self.clock.get_or_insert(Clock { epoch: now, next: None }).samples(now);
        source.receive(arrival, self.frame.max(1), packet, &info);
        true
    }

    /// Makes the frames that are due at `now`. To be called every 20 ms ([`TICK`]); when that is late it
    /// catches up, and when it is late by more than 200 ms the output has a gap.
    pub fn tick(&mut self, now: Instant, out: &mut SoundOutput) {
        out.clear();
        let clock = self.clock.get_or_insert(Clock { epoch: now, next: None });
        let now = clock.samples(now);
        let (mut due, mut time) = clock.next.unwrap_or((now, 0));
        if now - due > GIVE_UP {
            let frames = (now - due) / FRAME as i64;
            self.statistics.left_out += frames as u64;
            (due, time) = (due + frames * FRAME as i64, time + frames as u64 * FRAME as u64);
        }
        let clock = *clock;
        for _ in 0..CATCH_UP {
            if due > now {
                break;
            }
            self.make_frame(&clock, due, time, out);
            (due, time) = (due + FRAME as i64, time + FRAME as u64);
        }
        self.clock = Some(Clock { next: Some((due, time)), ..clock });
    }

    /// What a source went through; None when nobody knows it.
    #[must_use]
    pub fn source_statistics(&self, source: SourceId) -> Option<SourceStatistics> {
        let source = self.sources.get(&source)?;
        let due = self.clock.and_then(|clock| clock.next).map_or(0, |(due, _)| due - FRAME as i64);
        let (delay, target) = source.delay(due).unwrap_or((0, 0));
        let (waiting, overflowed) = source.waiting();
        Some(SourceStatistics {
            delay: duration(delay),
            target: duration(target),
            waiting,
            overflowed,
            gain: source.gain(),
            mixed: !source.frame().is_empty(),
            ..source.statistics
        })
    }

    /// What the mixer has done so far.
    #[must_use]
    pub const fn statistics(&self) -> MixerStatistics {
        MixerStatistics { encoded: self.encoding.encoded, encoder_faults: self.encoding.faults, ..self.statistics }
    }

    fn make_frame(&mut self, clock: &Clock, due: i64, time: u64, out: &mut SoundOutput) {
        self.frame += 1;
        self.statistics.frames += 1;
        self.choose();
        self.advance_sources(due);
        if self.listeners.is_empty() {
            self.common = Stream::new(Limiter::new());
            self.encoding.history = History::new();
        } else {
            self.encode(clock.instant(due), time, out);
        }
        self.report(clock, due, time, out);
        self.sources.retain(|_, source| !source.leaving);
    }

    fn choose(&mut self) {
        let groups = &self.groups;
        // Somebody hears it whose own it is not.
        let heard = |id: &SourceId| groups.keys().any(|own| !own.contains(id));
        let eligible = |id: &SourceId, source: &Source| source.can_sound() && heard(id);
        self.activities.clear();
        self.activities.extend(self.sources.iter().map(|(id, source)| match source.kind {
            SourceKind::Voice if eligible(id, source) => source.activity,
            _ => Activity::new(),
        }));
        loudest::choose(&mut self.activities, &mut self.order, self.frame, self.voices, self.hangover);
        for ((id, source), activity) in self.sources.iter_mut().zip(&self.activities) {
            match source.kind {
                SourceKind::Voice if eligible(id, source) => source.activity = *activity,
                SourceKind::Voice => source.activity.chosen = false,
                SourceKind::Screen => {
                    let audible = source.activity.was_audible(self.frame, self.hangover);
                    source.activity.chosen = audible && eligible(id, source);
                }
            }
        }
    }

    fn advance_sources(&mut self, due: i64) {
        self.bus.clear();
        for source in self.sources.values_mut() {
            let chosen = source.activity.chosen;
            if source.advance(due, self.frame, chosen) {
                self.bus.add(source);
                if source.kind == SourceKind::Screen {
                    self.stereo_until = self.frame + STEREO;
                }
            }
        }
    }

    fn encode(&mut self, due: Instant, time: u64, out: &mut SoundOutput) {
        let channels = if self.frame < self.stereo_until { 2 } else { 1 };
        let (sources, encoding, mix) = (&self.sources, &mut self.encoding, &mut self.mix);
        for (own, group) in &mut self.groups {
            let sounds = own.iter().any(|id| sources.get(id).is_some_and(|source| !source.frame().is_empty()));
            group.follow(sounds, &self.common.limiter);
            let Some(stream) = &mut group.own else { continue };
            self.bus.without(own, sources, channels, mix);
            stream.limit(mix);
            out.add((time, due, channels), group.listeners.iter(), |to| stream.encode(encoding, mix, to));
        }
        self.bus.without(&[], sources, channels, mix);
        self.common.limit(mix);
        if self.groups.values().any(|group| group.own.is_none()) {
            let rest = self.groups.values().filter(|group| group.own.is_none()).flat_map(|group| &group.listeners);
            out.add((time, due, channels), rest, |to| self.common.encode(encoding, mix, to));
        } else {
            self.common.leave_out();
        }
        encoding.history.push(mix);
    }

    fn report(&mut self, clock: &Clock, due: i64, time: u64, out: &mut SoundOutput) {
        out.playing.clear();
        for (id, source) in &self.sources {
            let Some(position) = source.playing() else { continue };
            out.playing.push(Playing {
                source: *id,
                timestamp: position as u32,
                time: time + limiter::DELAY as u64,
                due: clock.instant(due + limiter::DELAY as i64),
            });
        }
        let now = self.frame;
        self.order.clear();
        let speaking = self.sources.values().enumerate().filter(|(_, source)| {
            source.kind == SourceKind::Voice && source.can_sound() && source.activity.speaks(now)
        });
        self.order.extend(speaking.map(|(at, source)| (source.activity.level(now), at)));
        self.order.sort_unstable_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        out.speakers.clear();
        for &(_, at) in &self.order {
            out.speakers.extend(self.sources.keys().nth(at));
        }
    }
}

#[cfg(test)]
mod tests;
