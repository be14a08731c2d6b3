//! A published track: its layers as they come in, and who gets it.

use std::time::Instant;

use madang_protocol::{Delivery, ParticipantId, Subscribe, TrackId, TrackInfo, TrackKind, TrackSource};
use smallvec::SmallVec;

use super::{
    RoomKey,
    allocator::Decision,
    demand::Demand,
    keyframes::KeyframeRequests,
    layers::{Activity, LayerSet, MAX_LAYERS},
    link::TrackKey,
    meter::Meter,
    mixing::RoomMix,
    rewrite::Rewriter,
    select::LayerSelector,
    speakers::{Speakers, Voice},
};
use crate::{
    payload::PayloadInfo,
    session::{LayerId, Line, MediaPacket, VideoCodec},
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

/// The layers of a mixed picture.
pub(super) fn mixed_layers() -> &'static [&'static str] {
    CAMERA
}

/// The forwarder's view of a room.
#[derive(Default)]
pub(super) struct MediaRoom {
    pub(super) links: Vec<usize>,
    pub(super) tracks: Vec<TrackKey>,
    pub(super) speakers: Speakers<TrackKey>,
    /// Whose microphones these are: their links, loudest first.
    pub(super) speaking: Vec<usize>,
    /// The speakers that everyone was last told of.
    pub(super) told: Vec<ParticipantId>,
    /// The links whose cameras are forwarded, where there are too many for all.
    pub(super) on_stage: Option<Vec<usize>>,
    /// Its mixer, while somebody gets a mix.
    pub(super) mix: Option<Box<RoomMix>>,
}

/// Who publishes a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// A participant, by their link.
    Link(usize),
    /// A room's mixer.
    Mixer(RoomKey, MixedTrack),
}

/// A mixed picture in one codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MixedTrack {
    /// Which, as the mixer names it.
    pub(super) picture: usize,
    pub(super) codec: VideoCodec,
}

impl Owner {
    pub(super) fn link(self) -> Option<usize> {
        match self {
            Self::Link(link) => Some(link),
            Self::Mixer(..) => None,
        }
    }
}

/// A published track.
pub(super) struct Track {
    pub(super) id: TrackId,
    pub(super) kind: TrackKind,
    pub(super) source: TrackSource,
    pub(super) muted: bool,
    /// The publisher, and the line on which it comes.
    pub(super) owner: Owner,
    pub(super) line: Line,
    /// It goes into its room's mixer as well.
    pub(super) is_mixed: bool,
    /// Of a mixed picture: the layers that its viewers need.
    pub(super) made: LayerSet,
    /// And the largest of them that there is, in place of those above it.
    pub(super) most: LayerId,
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
    pub(super) meter: Meter,
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
    /// What is mixed was never in a payload type of anybody's: this receiver's.
    pub(super) payload_type: Option<u8>,
}

impl Track {
    pub(super) fn new(info: TrackInfo, owner: Owner, line: Line, rids: &[&'static str], now: Instant) -> Self {
        let names = rids.iter().copied().map(Some).chain(rids.is_empty().then_some(None));
        let count = rids.len().max(1);
        let layers = names.enumerate().map(|(place, rid)| Layer {
            rid,
            // Each layer is half as high as the next, as the SDK sets them up.
            height: info.height.map(|height| height >> (count - 1 - place)),
            meter: Meter::new(now),
        });
        Self {
            kind: info.kind,
            source: info.source,
            muted: info.muted,
            owner,
            line,
            is_mixed: false,
            made: LayerSet::NONE,
            most: LayerId(u8::MAX),
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

    /// The layers that are sent at present. A mixed picture that does not change is not sent, and
    /// is there nevertheless.
    pub(super) fn live(&self, now: Instant) -> LayerSet {
        match self.owner {
            Owner::Link(_) => self.activity.live(now),
            Owner::Mixer(..) => self.made.iter().map(|layer| layer.min(self.most)).collect(),
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
            layer.meter.add(now, usize::from(info.temporal.unwrap_or(0)), packet.payload.len());
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
        self.layers.iter_mut().map(|layer| layer.meter.last_second(now)).sum()
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
            payload_type: None,
        }
    }
}
