//! The picture's part: the canvas, its smaller renditions, and their encoders.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use madang_mixer::{
    canvas::{Canvas, Changes, Rendition, Theme},
    codec::{ActiveMap, CodecError, EncodeWish, EncodedVideo, VideoEncoder},
    layout::{Animation, Region, Source},
    picture::{Picture, View},
};

use super::{EncoderAsk, MixerConfig};
use crate::session::{LayerId, VideoCodec};

/// What has not changed is encoded so often, for whoever has lost something.
const REFRESH: Duration = Duration::from_secs(1);

/// Layers of a mixed picture, from the smallest.
pub(super) const LAYERS: usize = 3;

/// A rendition that is wanted in a codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) codec: VideoCodec,
    pub(super) layer: LayerId,
    /// Somebody can't go on without a keyframe.
    pub(super) keyframe: bool,
}

/// An encoded picture.
#[derive(Debug)]
pub(super) struct EncodedFrame {
    pub(super) codec: VideoCodec,
    pub(super) layer: LayerId,
    pub(super) encoded: EncodedVideo,
    pub(super) data: Vec<u8>,
}

/// What a picture's part is to do, and what came of it.
pub(super) struct StudioWork {
    /// Whose part it is.
    pub(super) picture: usize,
    studio: Studio,
    /// The tick that it is for.
    pub(super) now: Instant,
    /// The same in units of 1/90 000 s.
    pub(super) timestamp: u64,
    pub(super) duration: u64,
    /// Where everything is to go from now on, if that has changed.
    pub(super) regions: Option<Vec<Region>>,
    /// New pictures.
    pub(super) shown: Vec<(Source, Arc<Picture>)>,
    pub(super) wanted: Vec<Wanted>,
    pub(super) out: Vec<EncodedFrame>,
    pub(super) fault: Option<CodecError>,
}

struct Studio {
    config: MixerConfig,
    canvas: Option<Canvas>,
    animation: Animation,
    half: Option<Small>,
    quarter: Option<Small>,
    encoders: Vec<Encoder>,
}

/// A smaller rendition; while nobody wants it, it does not follow.
struct Small {
    rendition: Rendition,
    follows: bool,
}

struct Encoder {
    codec: VideoCodec,
    layer: LayerId,
    encoder: Box<dyn VideoEncoder>,
    /// What has changed since the last picture that it encoded.
    pending: ActiveMap,
    last: Option<Instant>,
}

impl StudioWork {
    pub(super) fn new(picture: usize, config: MixerConfig, now: Instant) -> Self {
        let studio = Studio {
            config,
            canvas: None,
            animation: Animation::default(),
            half: None,
            quarter: None,
            encoders: Vec::new(),
        };
        Self {
            picture,
            studio,
            now,
            timestamp: 0,
            duration: 3000,
            regions: None,
            shown: Vec::new(),
            wanted: Vec::new(),
            out: Vec::new(),
            fault: None,
        }
    }

    pub(super) fn run(&mut self) {
        (self.fault, self.out) = (None, Vec::new());
        self.studio.draw(self.now, self.regions.take(), &self.shown);
        self.shown.clear();
        self.studio.encoders.retain(|encoder| self.wanted.iter().any(|wanted| encoder.is(wanted)));
        let wish = EncodeWish { timestamp: self.timestamp, duration: self.duration, ..EncodeWish::default() };
        for wanted in std::mem::take(&mut self.wanted) {
            match self.studio.encode(self.now, wanted, wish) {
                Ok(frame) => self.out.extend(frame),
                Err(why) => self.fault = Some(why),
            }
        }
    }
}

impl Studio {
    fn draw(&mut self, now: Instant, regions: Option<Vec<Region>>, shown: &[(Source, Arc<Picture>)]) {
        let (width, height) = self.config.size;
        let canvas =
            self.canvas.get_or_insert_with(|| Canvas::new(width, height, Theme::default(), self.config.fonts.open()));
        if let Some(regions) = regions {
            self.animation.go(now, regions);
        }
        canvas.arrange(&self.animation.at(now));
        for (source, picture) in shown {
            canvas.show(*source, &picture.view(), now);
        }
        canvas.compose(now);
        for encoder in self.encoders.iter_mut().filter(|encoder| encoder.layer == LARGEST) {
            encoder.pending.merge(&canvas.changes().active);
        }
        let wants = |layer: LayerId| self.encoders.iter().any(|encoder| encoder.layer <= layer);
        let (wants_half, wants_quarter) = (wants(HALF), wants(QUARTER));
        let Some(half) = Small::follow(&mut self.half, wants_half, &canvas.view(), canvas.changes()) else { return };
        merge(&mut self.encoders, HALF, half.rendition.changes());
        let (view, changes) = (half.rendition.view(), half.rendition.changes());
        if let Some(quarter) = Small::follow(&mut self.quarter, wants_quarter, &view, changes) {
            merge(&mut self.encoders, QUARTER, quarter.rendition.changes());
        }
    }

    fn view(&mut self, layer: LayerId) -> Option<View<'_>> {
        let canvas = self.canvas.as_ref()?;
        if layer == LARGEST {
            return Some(canvas.view());
        }
        let half = Small::current(&mut self.half, &canvas.view());
        if layer == HALF {
            return Some(half.rendition.view());
        }
        Some(Small::current(&mut self.quarter, &half.rendition.view()).rendition.view())
    }

    fn encode(
        &mut self,
        now: Instant,
        wanted: Wanted,
        wish: EncodeWish<'_>,
    ) -> Result<Option<EncodedFrame>, CodecError> {
        let place = match self.encoders.iter().position(|encoder| encoder.is(&wanted)) {
            Some(place) => place,
            None => {
                let encoder = self.make(wanted)?;
                self.encoders.push(encoder);
                self.encoders.len() - 1
            }
        };
        let mut encoder = self.encoders.swap_remove(place);
        let view = self.view(wanted.layer).ok_or_else(|| CodecError::Failed("there is no canvas".into()))?;
        let result = encoder.encode(now, &view, EncodeWish { keyframe: wanted.keyframe, ..wish });
        // One that failed is made anew the next time.
        if !matches!(result, Err(CodecError::Failed(_))) {
            self.encoders.push(encoder);
        }
        result
    }

    fn make(&self, wanted: Wanted) -> Result<Encoder, CodecError> {
        let place = usize::from(wanted.layer.0).min(LAYERS - 1);
        let (width, height) = size(self.config.size, wanted.layer);
        let ask = EncoderAsk { codec: wanted.codec, width, height, bits_per_second: self.config.bitrates[place] };
        Ok(Encoder {
            codec: wanted.codec,
            layer: wanted.layer,
            encoder: self.config.codecs.video_encoder(&ask)?,
            pending: ActiveMap::new(width, height),
            last: None,
        })
    }
}

const LARGEST: LayerId = LayerId(2);
const HALF: LayerId = LayerId(1);
const QUARTER: LayerId = LayerId(0);

/// The size of a layer, as [`Rendition`] makes it.
pub(super) fn size((width, height): (usize, usize), layer: LayerId) -> (usize, usize) {
    let halvings = (LAYERS - 1).saturating_sub(usize::from(layer.0));
    let half = |length: usize| ((length / 2) & !1).max(2);
    (0..halvings).fold((width, height), |(width, height), _| (half(width), half(height)))
}

fn merge(encoders: &mut [Encoder], layer: LayerId, changes: &Changes) {
    for encoder in encoders.iter_mut().filter(|encoder| encoder.layer == layer) {
        encoder.pending.merge(&changes.active);
    }
}

impl Small {
    /// Follows what changed, if it is wanted.
    fn follow<'s>(
        slot: &'s mut Option<Self>,
        wanted: bool,
        view: &View<'_>,
        changes: &Changes,
    ) -> Option<&'s mut Self> {
        if !wanted {
            if let Some(small) = slot {
                small.follows = false;
            }
            return None;
        }
        if slot.as_ref().is_some_and(|small| small.follows) {
            let small = slot.as_mut()?;
            small.rendition.follow(view, changes);
            return Some(small);
        }
        Some(Self::current(slot, view))
    }

    /// The rendition as the picture is now; all of it is made anew where it has not followed.
    fn current<'s>(slot: &'s mut Option<Self>, view: &View<'_>) -> &'s mut Self {
        let small =
            slot.get_or_insert_with(|| Self { rendition: Rendition::new(view.width(), view.height()), follows: false });
        if !std::mem::replace(&mut small.follows, true) {
            small.rendition.refresh(view);
        }
        small
    }
}

impl Encoder {
    fn is(&self, wanted: &Wanted) -> bool {
        (self.codec, self.layer) == (wanted.codec, wanted.layer)
    }

    fn encode(
        &mut self,
        now: Instant,
        view: &View<'_>,
        wish: EncodeWish<'_>,
    ) -> Result<Option<EncodedFrame>, CodecError> {
        let rested = self.last.is_some_and(|last| now.saturating_duration_since(last) < REFRESH);
        if !wish.keyframe && rested && self.pending.count() == 0 && self.encoder.has_settled() {
            return Ok(None);
        }
        let active = Some(&self.pending).filter(|_| self.last.is_some() && !wish.keyframe);
        let keyframe = wish.keyframe || self.last.is_none();
        let mut data = Vec::new();
        let encoded = self.encoder.encode(view, &EncodeWish { active, keyframe, ..wish }, &mut data)?;
        // A picture that the encoder left out is still owed.
        let Some(encoded) = encoded else { return Ok(None) };
        self.pending.clear();
        self.last = Some(now);
        Ok(Some(EncodedFrame { codec: self.codec, layer: self.layer, encoded, data }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_have_a_half_and_a_quarter_of_the_size() {
        let sizes = [0, 1, 2].map(|layer| size((1280, 720), LayerId(layer)));
        assert_eq!(sizes, [(320, 180), (640, 360), (1280, 720)]);
    }
}
