//! A clip: encoded frames with their times, to be played in a loop.

mod ivf;
mod pattern;
mod tone;

use std::{borrow::Cow, ops::Range, time::Duration};

pub use ivf::InvalidIvf;
pub(crate) use pattern::temporal;
pub use pattern::{Layer, pattern};
pub use tone::{Hertz, Level, Meter, ToneError, tone};

use crate::{vp8, vp9};

/// The codecs that a participant here can send, record and look into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// RFC 6716, RFC 7587.
    Opus,
    /// RFC 6386, RFC 7741.
    Vp8,
    /// RFC 9628.
    Vp9,
}

impl Codec {
    /// The name as in SDP's `a=rtpmap`, upper case, as the signaling has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opus => "OPUS",
            Self::Vp8 => "VP8",
            Self::Vp9 => "VP9",
        }
    }

    /// The codec of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Opus, Self::Vp8, Self::Vp9].into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name))
    }

    /// Ticks of its RTP clock per second.
    #[must_use]
    pub const fn clock_rate(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::Vp8 | Self::Vp9 => 90_000,
        }
    }

    /// Whether a frame refers to no other one.
    #[must_use]
    pub fn is_keyframe(self, frame: &[u8]) -> bool {
        match self {
            Self::Opus => true,
            Self::Vp8 => vp8::is_keyframe(frame),
            Self::Vp9 => vp9::is_keyframe(frame),
        }
    }

    /// The picture's size, where this frame tells it.
    #[must_use]
    pub fn size(self, frame: &[u8]) -> Option<Size> {
        match self {
            Self::Opus => None,
            Self::Vp8 => vp8::size(frame),
            Self::Vp9 => vp9::size(frame),
        }
    }
}

/// A picture's size in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Size {
    /// From left to right.
    pub width: u32,
    /// From top to bottom.
    pub height: u32,
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

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
