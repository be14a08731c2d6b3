//! From packets to frames and back: the RTP payload formats of what is sent here, as those need
//! them who look at whole frames: the mixer, and the native participant.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`vp8`], [`vp9`] | RFC 7741 and RFC 9628: payload descriptors, packets of frames, what a frame tells of itself |
//! | [`h264`] | RFC 6184, single units, STAP-A and FU-A: access units in Annex B |
//! | [`av1`] | the RTP payload format for AV1: temporal units in the low-overhead format |
//! | [`Assembler`] | frames from the packets of one stream, in order |
//! | [`Continuity`] | whether a decoder could show a frame |

mod assembler;
pub mod av1;
mod continuity;
pub mod h264;
mod piece;
pub mod vp8;
pub mod vp9;

use std::fmt;

pub use assembler::{Arrival, Assembler, Frame, Packet};
pub use continuity::Continuity;
pub use piece::FrameInfo;

use crate::session::VideoCodec;

/// What frames are encoded in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// RFC 6716, RFC 7587.
    Opus,
    /// RFC 6386, RFC 7741.
    Vp8,
    /// RFC 9628.
    Vp9,
    /// ITU-T H.264, RFC 6184.
    H264,
    /// AV1 Bitstream & Decoding Process, and its RTP payload format.
    Av1,
}

impl Codec {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Opus, Self::Vp8, Self::Vp9, Self::H264, Self::Av1];

    /// The name as in SDP's `a=rtpmap`, upper case, as the signaling has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opus => "OPUS",
            Self::Vp8 => "VP8",
            Self::Vp9 => "VP9",
            Self::H264 => "H264",
            Self::Av1 => "AV1",
        }
    }

    /// The codec of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name))
    }

    /// Ticks of its RTP clock per second.
    #[must_use]
    pub const fn clock_rate(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::Vp8 | Self::Vp9 | Self::H264 | Self::Av1 => 90_000,
        }
    }

    /// Whether a frame refers to no other one.
    #[must_use]
    pub fn is_keyframe(self, frame: &[u8]) -> bool {
        match self {
            Self::Opus => true,
            Self::Vp8 => vp8::is_keyframe(frame),
            Self::Vp9 => vp9::is_keyframe(frame),
            Self::H264 => h264::is_keyframe(frame),
            Self::Av1 => av1::is_keyframe(frame),
        }
    }

    /// The picture's size, where this frame tells it.
    #[must_use]
    pub fn size(self, frame: &[u8]) -> Option<Size> {
        match self {
            Self::Opus => None,
            Self::Vp8 => vp8::size(frame),
            Self::Vp9 => vp9::size(frame),
            Self::H264 => h264::size(frame),
            Self::Av1 => av1::size(frame),
        }
    }
}

impl From<VideoCodec> for Codec {
    fn from(codec: VideoCodec) -> Self {
        match codec {
            VideoCodec::Vp8 => Self::Vp8,
            VideoCodec::Vp9 => Self::Vp9,
            VideoCodec::H264 => Self::H264,
            VideoCodec::Av1 => Self::Av1,
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

impl From<crate::payload::Size> for Size {
    fn from(size: crate::payload::Size) -> Self {
        Self { width: size.width.into(), height: size.height.into() }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}
