//! A published track: its layers as they come in, and who gets it.

use std::time::{Duration, Instant};

use madang_protocol::{Delivery, ParticipantId, Subscribe, TrackId, TrackInfo, TrackKind, TrackSource};
use smallvec::SmallVec;

use super::{
    allocator::Decision,
    demand::Demand,
    keyframes::KeyframeRequests,
    layers::{Activity, MAX_LAYERS},
    link::TrackKey,
    rewrite::Rewriter,
    select::LayerSelector,
    speakers::{Speakers, Voice},
};
use crate::{
    payload::PayloadInfo,
    session::{LayerId, Line, MediaPacket},
};

/// The layers of a camera and of a screen, from the smallest.
const CAMERA: &[&str] = &["l", "m", "h"];
const SCREEN: &[&str] = &["l", "h"];

/// The layers that a publisher of several is offered.
pub(super) fn rids(track: &TrackInfo) -> &'static [&'static str] {
    match (track.kind, track.source) {
        (TrackKind::Audio, _) => &[],
        (TrackKind::Video, TrackSource::Screen) => SCREEN,
        (TrackKind::Video, _) => CAMERA,
    }
}

/// Temporal layers that are measured by themselves.
const TEMPORAL: usize = 3;

/// The forwarder's view of a room.
#[derive(Default)]
pub(super) struct MediaRoom {
    pub(super) links: Vec<usize>,
    pub(super) tracks: Vec<TrackKey>,
    pub(super) speakers: Speakers<TrackKey>,
    /// The speakers that everyone was last told of.
    pub(super) told: Vec<ParticipantId>,
    /// The links whose cameras are forwarded, where there are too many for all.
    pub(super) on_stage: Option<Vec<usize>>,
}

/// A published track.
pub(super) struct Track {
    pub(super) id: TrackId,
    pub(super) kind: TrackKind,
    pub(super) source: TrackSource,
    pub(super) muted: bool,
    /// The publisher's link, and the line on which it comes.
    pub(super) owner: usize,
    pub(super) line: Line,
    pub(super) layers: SmallVec<[Layer; 3]>,
    pub(super) activity: Activity,
    /// Since when each layer is needed and not sent.
    pub(super) missing: [Option<Instant>; MAX_LAYERS],
    pub(super) keyframes: KeyframeRequests<LayerId>,
    /// Of sound: who speaks.
    pub(super) voice: Voice,
    pub(super) demand: Demand,
    pub(super) subscriptions: Vec<Subscription>,
}

/// One layer as it comes in.
pub(super) struct Layer {
    pub(super) rid: Option<&'static str>,
    /// From its newest keyframe, or guessed from what the publisher said of the track.
    pub(super) height: Option<u32>,
    /// By temporal layer; more than three are counted with the third.
    rates: [RateMeter; TEMPORAL],
    /// What it took when it was last measured, in bits per second, with temporal layers up to
    /// each; empty before.
    pub(super) measured: SmallVec<[u64; TEMPORAL]>,
}

/// One participant's share of a track.
pub(super) struct Subscription {
    pub(super) link: usize,
    pub(super) line: Line,
    pub(super) wish: Option<Subscribe>,
    pub(super) selector: LayerSelector,
    pub(super) rewriter: Rewriter,
    pub(super) decision: Option<Decision<TrackKey>>,
    pub(super) told: Option<Delivery>,
    /// Its link can carry it: negotiated and connected.
    pub(super) open: bool,
}

impl Track {
    pub(super) fn new(info: TrackInfo, owner: usize, line: Line, rids: &[&'static str], now: Instant) -> Self {
        let names = rids.iter().copied().map(Some).chain(rids.is_empty().then_some(None));
        let count = rids.len().max(1);
        let layers = names.enumerate().map(|(place, rid)| Layer {
            rid,
            // Each layer is half as high as the next, as the SDK sets them up.
            height: info.height.map(|height| height >> (count - 1 - place)),
            rates: std::array::from_fn(|_| RateMeter::new(now)),
            measured: SmallVec::new(),
        });
        Self {
            kind: info.kind,
            source: info.source,
            muted: info.muted,
            owner,
            line,
            layers: layers.collect(),
            activity: Activity::default(),
            missing: [None; MAX_LAYERS],
            keyframes: KeyframeRequests::default(),
            voice: Voice::new(now),
            demand: Demand::new(now, count),
            subscriptions: Vec::new(),
            id: info.id,
        }
    }

    pub(super) fn subscription_mut(&mut self, link: usize) -> Option<&mut Subscription> {
        self.subscriptions.iter_mut().find(|subscription| subscription.link == link)
    }
}

impl Track {
    /// Takes note of a packet: its layer is alive, and so large and so fast.
    pub(super) fn saw(&mut self, now: Instant, packet: &MediaPacket, info: &PayloadInfo) {
        self.activity.packet(now, packet.layer);
        if let Some(layer) = self.layers.get_mut(usize::from(packet.layer.0)) {
            let temporal = usize::from(info.temporal.unwrap_or(0)).min(TEMPORAL - 1);
            layer.rates[temporal].add(now, packet.payload.len() + OVERHEAD);
            if let Some(size) = info.size {
                // A picture on its side is as high as it is wide.
                layer.height = Some(u32::from(size.height.min(size.width)));
            }
        }
        if info.keyframe && self.kind == TrackKind::Video {
            self.keyframes.arrived(now, packet.layer);
        }
        if let Some(level) = packet.audio_level {
            self.voice.packet(now, level);
        }
    }

    /// What its sound takes, in bits per second.
    pub(super) fn sound_rate(&mut self, now: Instant) -> u64 {
        self.layers.iter_mut().map(|layer| layer.measure(now).last().copied().unwrap_or(0)).sum()
    }
}

impl Layer {
    /// What it takes in bits per second, with temporal layers up to each.
    pub(super) fn measure(&mut self, now: Instant) -> &[u64] {
        let rates = self.rates.each_mut().map(|rate| rate.bits_per_second(now));
        if rates.iter().any(Option::is_some) {
            let layers = rates.iter().rposition(Option::is_some).map_or(1, |last| last + 1);
            let mut sum = 0;
            self.measured.clear();
            for rate in rates.into_iter().take(layers) {
                sum += rate.unwrap_or(0);
                self.measured.push(sum);
            }
        }
        &self.measured
    }
}

impl Subscription {
    pub(super) fn new(link: usize, line: Line, wish: Option<Subscribe>, kind: TrackKind) -> Self {
        // RFC 7587 §4.1; every video format has 90 kHz.
        let clock_rate = if kind == TrackKind::Audio { 48_000 } else { 90_000 };
        Self {
            link,
            line,
            wish,
            selector: LayerSelector::default(),
            rewriter: Rewriter::new(1, 0, clock_rate),
            decision: None,
            told: None,
            open: false,
        }
    }
}

/// What a packet takes beside its payload: IP, UDP, RTP with extensions, the seal.
const OVERHEAD: usize = 20 + 8 + 12 + 12 + 16;

/// Bits per second over the last second, in eighths.
#[derive(Debug)]
pub(super) struct RateMeter {
    slots: [u64; Self::SLOTS],
    slot: u64,
    start: Instant,
    /// When the first packet came.
    since: Option<Instant>,
}

impl RateMeter {
    const SLOTS: usize = 8;
    const SLOT: Duration = Duration::from_millis(125);

    fn new(now: Instant) -> Self {
        Self { slots: [0; Self::SLOTS], slot: 0, start: now, since: None }
    }

    fn turn_to(&mut self, now: Instant) {
        let slot = (now.saturating_duration_since(self.start).as_millis() / Self::SLOT.as_millis()) as u64;
        for passed in (self.slot + 1..=slot).take(Self::SLOTS) {
            self.slots[(passed % Self::SLOTS as u64) as usize] = 0;
        }
        self.slot = self.slot.max(slot);
    }

    pub(super) fn add(&mut self, now: Instant, bytes: usize) {
        self.turn_to(now);
        self.since.get_or_insert(now);
        self.slots[(self.slot % Self::SLOTS as u64) as usize] += bytes as u64;
    }

    /// `None` before anything came for a quarter of a second, or when nothing came for a second.
    pub(super) fn bits_per_second(&mut self, now: Instant) -> Option<u64> {
        self.turn_to(now);
        let age = now.saturating_duration_since(self.since?);
        let sum: u64 = self.slots.iter().sum();
        if sum == 0 {
            self.since = None;
            return None;
        }
        let window = age.min(Self::SLOT * Self::SLOTS as u32);
        (window >= Self::SLOT * 2).then(|| sum * 8 * 1000 / u64::try_from(window.as_millis()).unwrap_or(1000).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_is_measured_and_silence_forgets_it() {
        let start = Instant::now();
        let mut meter = RateMeter::new(start);
        assert_eq!(meter.bits_per_second(start), None);
        for step in 0..200_u32 {
            meter.add(start + Duration::from_millis(10) * step, 1250);
        }
        let rate = meter.bits_per_second(start + Duration::from_millis(1999)).expect("a rate");
        assert!((900_000..=1_100_000).contains(&rate), "{rate}");
        assert_eq!(meter.bits_per_second(start + Duration::from_secs(4)), None);
    }
}
