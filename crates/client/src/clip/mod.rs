//! A clip: encoded frames with their times, to be played in a loop.

mod ivf;
mod pattern;
mod tone;

use std::{borrow::Cow, ops::Range, time::Duration};

pub use ivf::InvalidIvf;
pub(crate) use pattern::temporal;
pub use pattern::{Layer, pattern};
pub use tone::{Hertz, Level, Meter, ToneError, tone};

pub use madang_media::frames::{Codec, Size};

/// Encoded frames with their times.
#[derive(Clone, Debug)]
pub struct Clip {
    /// What they are encoded in.
    pub codec: Codec,
    /// The picture's size; zero for sound.
    pub size: Size,
    bytes: Cow<'static, [u8]>,
    frames: Vec<Frame>,
    length: Duration,
}

#[derive(Clone, Debug)]
struct Frame {
    at: Duration,
    is_keyframe: bool,
    level: Option<Level>,
    bytes: Range<usize>,
}

/// A frame of a clip.
#[derive(Clone, Copy, Debug)]
pub struct ClipFrame<'a> {
    /// When it is shown, from the clip's beginning.
    pub at: Duration,
    /// Whether it refers to no other.
    pub is_keyframe: bool,
    /// How loud it is, where that is known.
    pub level: Option<Level>,
    /// Its bytes.
    pub data: &'a [u8],
}

impl Clip {
    /// An empty clip over `bytes`.
    fn over(codec: Codec, size: Size, bytes: Cow<'static, [u8]>) -> Self {
        Self { codec, size, bytes, frames: Vec::new(), length: Duration::ZERO }
    }

    /// A clip without frames yet.
    #[must_use]
    pub fn new(codec: Codec, size: Size) -> Self {
        Self::over(codec, size, Cow::Owned(Vec::new()))
    }

    /// Appends a frame that is shown at `at`, and goes on for as long as the one before it did.
    pub fn push(&mut self, at: Duration, level: Option<Level>, data: &[u8]) {
        let bytes = self.bytes.to_mut();
        let range = bytes.len()..bytes.len() + data.len();
        bytes.extend_from_slice(data);
        self.add(at, level, range);
    }

    fn add(&mut self, at: Duration, level: Option<Level>, bytes: Range<usize>) {
        let lasts = self.frames.last().map_or(Duration::ZERO, |last| at.saturating_sub(last.at));
        let is_keyframe = self.codec.is_keyframe(&self.bytes[bytes.clone()]);
        self.length = self.length.max(at + lasts);
        self.frames.push(Frame { at, is_keyframe, level, bytes });
    }

    /// How many frames it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// How long it is, the last frame included.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.length
    }

    /// The frame at that place.
    #[must_use]
    pub fn frame(&self, index: usize) -> Option<ClipFrame<'_>> {
        let Frame { at, is_keyframe, level, bytes } = self.frames.get(index)?;
        Some(ClipFrame { at: *at, is_keyframe: *is_keyframe, level: *level, data: &self.bytes[bytes.clone()] })
    }

    /// The keyframe at `index` or the first one behind it, from the beginning again if there is
    /// none up to the end.
    #[must_use]
    pub fn keyframe_from(&self, index: usize) -> Option<usize> {
        let is_key = |index: &usize| self.frames[*index].is_keyframe;
        (index..self.len()).find(is_key).or_else(|| (0..self.len()).find(is_key))
    }
}
