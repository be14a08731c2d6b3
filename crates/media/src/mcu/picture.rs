//! A mixed picture as the room's mixer has it: who wants it, in which codecs and sizes.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use madang_mixer::{
    layout::{Region, Source},
    picture::Picture,
};
use madang_protocol::MixLayout;

use super::{
    MixerConfig,
    load::Level,
    studio::{EncodedFrame, LAYERS, StudioWork, Wanted},
};
use crate::{
    frames::{
        h264,
        vp8::{self, Temporal},
    },
    session::{LayerId, VideoCodec},
    sfu::layers::LayerSet,
};

/// Between two keyframes that were asked for, of one rendition: who comes meanwhile shares the next.
const KEYFRAMES_APART: Duration = Duration::from_secs(1);
/// The largest payload of a packet, in bytes: it fits whatever path there is.
const LARGEST_PAYLOAD: usize = 1160;

/// How a picture looks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Look {
    pub(super) layout: MixLayout,
    /// The link whose tile is left out.
    pub(super) hidden: Option<usize>,
}

/// Packets of one encoded picture.
#[derive(Debug)]
pub(crate) struct VideoFrame {
    pub(crate) codec: VideoCodec,
    pub(crate) layer: LayerId,
    /// The number of its first packet in its layer, extended.
    pub(crate) seq: u64,
    /// The payloads of its packets.
    pub(crate) payloads: Vec<Vec<u8>>,
}

/// See the module.
pub(super) struct MixedPicture {
    pub(super) look: Look,
    /// `None` while it works.
    home: Option<Box<StudioWork>>,
    lines: Vec<CodecLine>,
    /// Where everything is, or goes.
    pub(super) regions: Vec<Region>,
    sent: bool,
    /// The version of each source's picture that the canvas has.
    versions: HashMap<Source, (u64, u64)>,
    /// When the part went away.
    pub(super) away_since: Option<Instant>,
}

/// The picture in one codec.
struct CodecLine {
    codec: VideoCodec,
    viewers: usize,
    /// The layers that somebody gets, or is to get.
    demand: LayerSet,
    layers: [Layer; LAYERS],
}

struct Layer {
    wants_keyframe: bool,
    forced_at: Option<Instant>,
    packetizer: vp8::Packetizer,
    seq: u64,
}

impl MixedPicture {
    pub(super) fn new(key: usize, look: Look, config: MixerConfig, now: Instant) -> Self {
        Self {
            look,
            home: Some(Box::new(StudioWork::new(key, config, now))),
            lines: Vec::new(),
            regions: Vec::new(),
            sent: false,
            versions: HashMap::new(),
            away_since: None,
        }
    }

    /// Somebody watches it in a codec. `seed` is where its numbers begin (RFC 3550 §5.1).
    pub(super) fn watch(&mut self, codec: VideoCodec, seed: u64) {
        match self.lines.iter_mut().find(|line| line.codec == codec) {
            Some(line) => line.viewers += 1,
            None => self.lines.push(CodecLine::new(codec, seed)),
        }
    }

    pub(super) fn leave(&mut self, codec: VideoCodec) {
        if let Some(line) = self.lines.iter_mut().find(|line| line.codec == codec) {
            line.viewers -= 1;
        }
        self.lines.retain(|line| line.viewers > 0);
    }

    pub(super) fn is_watched(&self) -> bool {
        !self.lines.is_empty()
    }

    /// Which layers of the picture somebody needs in a codec.
    pub(super) fn demand(&mut self, codec: VideoCodec, layers: LayerSet) {
        if let Some(line) = self.lines.iter_mut().find(|line| line.codec == codec) {
            line.demand = layers;
        }
    }

    pub(super) fn want_keyframe(&mut self, codec: VideoCodec, layer: LayerId) {
        let line = self.lines.iter_mut().find(|line| line.codec == codec);
        if let Some(layer) = line.and_then(|line| line.layers.get_mut(usize::from(layer.0))) {
            layer.wants_keyframe = true;
        }
    }

    /// The largest layer that is encoded at present.
    pub(super) fn largest(&self, level: Level) -> Option<LayerId> {
        self.wanted_layers(level).map(|(_, layer)| layer).max()
    }

    /// How many renditions are encoded.
    pub(super) fn encoding(&self, level: Level) -> usize {
        self.wanted_layers(level).count()
    }

    fn wanted_layers(&self, level: Level) -> impl Iterator<Item = (usize, LayerId)> {
        let most = most(level);
        let layers = self
            .lines
            .iter()
            .enumerate()
            .flat_map(move |(place, line)| line.demand.iter().map(move |layer| (place, layer.min(most))));
        let mut layers: Vec<_> = layers.collect();
        layers.dedup();
        layers.into_iter()
    }

    /// Takes where everything goes. Says whether that is news.
    pub(super) fn arrange(&mut self, regions: Vec<Region>) -> bool {
        let place = |region: &Region| (region.source, region.rect);
        let moved = !self.regions.iter().map(place).eq(regions.iter().map(place));
        if self.regions != regions {
            self.regions = regions;
            self.sent = false;
        }
        moved
    }

    /// What is to be drawn and encoded for a tick; `None` when nobody wants anything. `Err` when
    /// the part is away.
    pub(super) fn work<'s>(
        &mut self,
        (now, timestamp): (Instant, u64),
        level: Level,
        sources: impl Iterator<Item = (Source, (u64, u64), &'s Arc<Picture>)>,
    ) -> Result<Option<Box<StudioWork>>, Away> {
        let layers: Vec<_> = self.wanted_layers(level).collect();
        if layers.is_empty() {
            return Ok(None);
        }
        let mut work = self.home.take().ok_or(Away)?;
        (work.now, work.timestamp, work.duration) = (now, timestamp, 90_000 / u64::from(level.rate()));
        work.regions = (!std::mem::replace(&mut self.sent, true)).then(|| self.regions.clone());
        let regions = &self.regions;
        self.versions.retain(|source, _| regions.iter().any(|region| region.source == *source));
        for (source, version, picture) in sources {
            let is_seen = self.regions.iter().any(|region| region.source == source);
            if is_seen && self.versions.insert(source, version) != Some(version) {
                work.shown.push((source, Arc::clone(picture)));
            }
        }
        for (place, layer) in layers {
            let line = &mut self.lines[place];
            let state = &mut line.layers[usize::from(layer.0)];
            let may = state.forced_at.is_none_or(|at| now.saturating_duration_since(at) >= KEYFRAMES_APART);
            let keyframe = state.wants_keyframe && may;
            if keyframe {
                (state.wants_keyframe, state.forced_at) = (false, Some(now));
            }
            work.wanted.push(Wanted { codec: line.codec, layer, keyframe });
        }
        self.away_since = Some(now);
        Ok(Some(work))
    }

    /// The part has panicked: another one begins.
    pub(super) fn replace(&mut self, key: usize, config: MixerConfig, now: Instant) {
        self.home = Some(Box::new(StudioWork::new(key, config, now)));
        (self.sent, self.away_since) = (false, None);
        self.versions.clear();
    }

    /// The part is back with what it encoded.
    pub(super) fn back(&mut self, mut work: Box<StudioWork>) -> Vec<VideoFrame> {
        let encoded = std::mem::take(&mut work.out);
        let at = work.now;
        self.home = Some(work);
        self.away_since = None;
        encoded.into_iter().filter_map(|frame| self.packetize(at, &frame)).collect()
    }

    fn packetize(&mut self, at: Instant, frame: &EncodedFrame) -> Option<VideoFrame> {
        let line = self.lines.iter_mut().find(|line| line.codec == frame.codec)?;
        let layer = line.layers.get_mut(usize::from(frame.layer.0))?;
        if frame.encoded.keyframe {
            (layer.wants_keyframe, layer.forced_at) = (false, Some(at));
        }
        let payloads: Vec<Vec<u8>> = if frame.codec == VideoCodec::H264 {
            h264::packetize(&frame.data, LARGEST_PAYLOAD)
        } else {
            let temporal = Temporal { layer: frame.encoded.temporal_layer, is_sync: frame.encoded.layer_sync };
            layer.packetizer.packetize(&frame.data, temporal).collect()
        };
        let seq = layer.seq;
        layer.seq += payloads.len() as u64;
        Some(VideoFrame { codec: frame.codec, layer: frame.layer, seq, payloads })
    }
}

/// The part that is to work is still at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Away;

/// The largest layer that is made.
pub(super) fn most(level: Level) -> LayerId {
    if level >= Level::Smaller { LayerId(1) } else { LayerId(2) }
}

impl CodecLine {
    fn new(codec: VideoCodec, seed: u64) -> Self {
        let layers = [0, 16, 32].map(|turn| {
            let [high, low, rest @ ..] = seed.rotate_left(turn).to_be_bytes();
            let [.., a, b, c, d] = rest;
            Layer {
                wants_keyframe: false,
                forced_at: None,
                packetizer: vp8::Packetizer::new(LARGEST_PAYLOAD, u32::from_be_bytes([a, b, c, d])),
                seq: u64::from(u16::from_be_bytes([high, low]) >> 1),
            }
        });
        Self { codec, viewers: 1, demand: LayerSet::NONE, layers }
    }
}
