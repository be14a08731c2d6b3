//! The sound's part: who talks, who listens, and what comes out every 20 ms.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use madang_mixer::sound::{ListenerId, SoundConfig, SoundMixer, SoundOutput, SoundPacket, SourceId, SourceKind, TICK};

use super::Codecs;
use crate::session::MediaPacket;

/// Packets that wait while the part is away; more are of no use, for what they hold is over.
const WAITING: usize = 4096;

/// What is to be done with the mixer of sound, in order.
enum Order {
    Source(SourceId, SourceKind),
    NoSource(SourceId),
    Muted(SourceId, bool),
    Hold(SourceId, Duration),
    Listener(ListenerId, Vec<SourceId>),
    NoListener(ListenerId),
    Packet(Instant, SourceId, Packet),
}

struct Packet {
    sequence: u16,
    timestamp: u32,
    level: Option<i8>,
    voice: bool,
    payload: Arc<[u8]>,
}

/// The mixer of sound while it works.
pub(super) struct SoundWork {
    mixer: SoundMixer,
    codecs: Arc<dyn Codecs>,
    orders: Vec<Order>,
    sources: BTreeMap<SourceId, Known>,
    now: Instant,
    pub(super) out: SoundOutput,
    /// Since the time before.
    pub(super) heard: Played,
}

/// A source that has a decoder.
struct Known {
    channels: usize,
    heard: Played,
    /// How long what plays has waited.
    waited: Duration,
}

/// How much of sources was played, and how much of that was made up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Played {
    pub(super) played_us: u64,
    pub(super) concealed_us: u64,
}

impl SoundWork {
    fn new(codecs: Arc<dyn Codecs>, now: Instant) -> Self {
        let makes = Arc::clone(&codecs);
        let mixer = SoundMixer::new(SoundConfig::new(Box::new(move |channels| makes.sound_encoder(channels))));
        Self {
            mixer,
            codecs,
            orders: Vec::new(),
            sources: BTreeMap::new(),
            now,
            out: SoundOutput::new(),
            heard: Played::default(),
        }
    }

    pub(super) fn run(&mut self) {
        for order in std::mem::take(&mut self.orders) {
            self.follow(order);
        }
        self.replace_failed();
        self.mixer.tick(self.now, &mut self.out);
        self.heard = self.count();
    }

    fn follow(&mut self, order: Order) {
        let mixer = &mut self.mixer;
        match order {
            Order::Source(id, kind) => {
                let channels = if kind == SourceKind::Screen { 2 } else { 1 };
                match self.codecs.sound_decoder(channels) {
                    Ok(decoder) => {
                        let known = Known { channels, heard: Played::default(), waited: Duration::ZERO };
                        self.sources.insert(id, known);
                        mixer.add_source(id, kind, decoder);
                    }
                    Err(why) => tracing::warn!(%why, "a source of sound has no decoder"),
                }
            }
            Order::NoSource(id) => {
                self.sources.remove(&id);
                mixer.remove_source(id);
            }
            Order::Hold(id, hold) => mixer.set_hold(id, hold),
            Order::Muted(id, muted) => mixer.set_muted(id, muted),
            Order::Listener(id, own) => mixer.add_listener(id, &own),
            Order::NoListener(id) => mixer.remove_listener(id),
            Order::Packet(at, source, packet) => {
                let Packet { sequence, timestamp, level, voice, payload } = packet;
                mixer.receive(at, source, &SoundPacket { sequence, timestamp, payload: &payload, level, voice });
            }
        }
    }

    /// How long what plays of a source has waited in its jitter buffer.
    pub(super) fn waited(&self, source: SourceId) -> Duration {
        self.sources.get(&source).map_or(Duration::ZERO, |known| known.waited)
    }

    fn count(&mut self) -> Played {
        let mut sum = Played::default();
        for (id, source) in &mut self.sources {
            let Some(statistics) = self.mixer.source_statistics(*id) else { continue };
            let (played_us, concealed_us) = (micros(statistics.played), micros(statistics.concealed));
            sum.played_us += played_us.saturating_sub(source.heard.played_us);
            sum.concealed_us += concealed_us.saturating_sub(source.heard.concealed_us);
            source.heard = Played { played_us, concealed_us };
            source.waited = statistics.delay;
        }
        sum
    }

    fn replace_failed(&mut self) {
        for (id, Known { channels, .. }) in &self.sources {
            if self.mixer.source_statistics(*id).is_some_and(|statistics| statistics.failed)
                && let Ok(decoder) = self.codecs.sound_decoder(*channels)
            {
                self.mixer.replace_decoder(*id, decoder);
            }
        }
    }
}

/// Samples at 48 kHz in microseconds.
const fn micros(samples: u64) -> u64 {
    samples * 125 / 6
}

/// The mixer of sound as the room's mixer has it.
pub(super) struct Sound {
    /// `None` while it works.
    home: Option<Box<SoundWork>>,
    orders: Vec<Order>,
    packets: usize,
    listeners: usize,
    due: Option<Instant>,
}

impl Sound {
    pub(super) fn new(codecs: Arc<dyn Codecs>, now: Instant) -> Self {
        let home = Some(Box::new(SoundWork::new(codecs, now)));
        Self { home, orders: Vec::new(), packets: 0, listeners: 0, due: None }
    }

    pub(super) fn add_source(&mut self, source: usize, kind: SourceKind, muted: bool) {
        let id = SourceId(source as u64);
        self.orders.push(Order::Source(id, kind));
        self.orders.push(Order::Muted(id, muted));
    }

    pub(super) fn remove_source(&mut self, source: usize) {
        self.orders.push(Order::NoSource(SourceId(source as u64)));
    }

    pub(super) fn mute(&mut self, source: usize, muted: bool) {
        self.orders.push(Order::Muted(SourceId(source as u64), muted));
    }

    /// A source's sound is to wait so long at least.
    pub(super) fn hold(&mut self, source: usize, hold: Duration) {
        self.orders.push(Order::Hold(SourceId(source as u64), hold));
    }

    /// Somebody hears everything but `own`, from now on.
    pub(super) fn listen(&mut self, listener: usize, own: impl Iterator<Item = usize>, is_new: bool) {
        self.listeners += usize::from(is_new);
        let own = own.map(|source| SourceId(source as u64)).collect();
        self.orders.push(Order::Listener(ListenerId(listener as u64), own));
    }

    pub(super) fn leave(&mut self, listener: usize) {
        self.listeners = self.listeners.saturating_sub(1);
        self.orders.push(Order::NoListener(ListenerId(listener as u64)));
    }

    pub(super) fn listeners(&self) -> usize {
        self.listeners
    }

    /// A packet came. Nothing is kept while nobody listens.
    pub(super) fn packet(&mut self, now: Instant, source: usize, packet: &MediaPacket) {
        if self.listeners == 0 || self.packets >= WAITING {
            return;
        }
        self.packets += 1;
        let level = packet.audio_level;
        #[expect(clippy::cast_possible_truncation, reason = "as on the wire")]
        let sequence = packet.seq as u16;
        let packet = Packet {
            sequence,
            timestamp: packet.timestamp,
            level: level.and_then(|level| i8::try_from(level.below_full.min(127)).ok()).map(|below| -below),
            voice: level.is_some_and(|level| level.voice),
            payload: Arc::clone(&packet.payload),
        };
        self.orders.push(Order::Packet(now, SourceId(source as u64), packet));
    }

    /// What is due: frames of 20 ms as long as somebody listens, and a last word after.
    pub(super) fn work(&mut self, now: Instant) -> Option<Box<SoundWork>> {
        let has_news = self.listeners > 0 || !self.orders.is_empty();
        if !has_news || self.due.is_some_and(|due| due > now) {
            return None;
        }
        let mut work = self.home.take()?;
        self.due = Some(next_on_grid(self.due.unwrap_or(now), now));
        (work.orders, self.packets) = (std::mem::take(&mut self.orders), 0);
        work.now = now;
        Some(work)
    }

    /// When [`Self::work`] is to be called; `None` while it is away or nobody listens.
    pub(super) fn timeout(&self, now: Instant) -> Option<Instant> {
        let is_needed = self.home.is_some() && (self.listeners > 0 || !self.orders.is_empty());
        is_needed.then(|| self.due.unwrap_or(now))
    }

    pub(super) fn back(&mut self, work: Box<SoundWork>) {
        self.home = Some(work);
    }
}

/// The first moment after `now` on the grid that `due` is on: a late tick makes no later one late.
fn next_on_grid(due: Instant, now: Instant) -> Instant {
    let late = now.saturating_duration_since(due).as_nanos() / TICK.as_nanos();
    due + TICK * u32::try_from(late + 1).unwrap_or(1)
}
