//! Native codecs behind the traits of [`madang_mixer::codec`]. All foreign code is called from
//! here.
//!
//! | module | what it has | by |
//! | --- | --- | --- |
//! | [`opus`] | [`SoundDecoder`], [`SoundEncoder`] | libopus, built along |
//! | [`vpx`] | [`VideoDecoder`] for VP8 and VP9, [`VideoEncoder`] for VP8 | libvpx |
//! | [`h264`] | [`VideoDecoder`], [`VideoEncoder`]: constrained baseline | OpenH264, built along |
//! | [`av1`] | [`VideoDecoder`] | libdav1d, loaded where it is no part of the program |
//!
//! Every decoder takes whole frames: VP8 and VP9 as the payload format hands them on (a whole
//! superframe for VP9), H.264 as an access unit with start codes (Annex B), AV1 as a temporal unit
//! in the low-overhead format (AV1 §5). After a frame that could not be decoded, all up to the next
//! keyframe are refused: what would be shown otherwise is grey or smeared.
//!
//! [`SoundDecoder`]: madang_mixer::codec::SoundDecoder
//! [`SoundEncoder`]: madang_mixer::codec::SoundEncoder
//! [`VideoEncoder`]: madang_mixer::codec::VideoEncoder

pub mod av1;
mod bits;
pub mod h264;
mod limit;
pub mod opus;
mod raw;
pub mod vpx;

use madang_mixer::codec::{CodecError, VideoDecoder};

pub use limit::PictureLimit;

/// What pictures are coded in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// RFC 6386.
    Vp8,
    /// Profile 0 alone: eight bits, 4:2:0.
    Vp9,
    /// ITU-T H.264, whatever OpenH264 decodes: baseline, and main and high without interlacing.
    H264,
    /// Eight bits, 4:2:0.
    Av1,
}

impl VideoCodec {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Vp8, Self::Vp9, Self::H264, Self::Av1];
}

/// A decoder for a source that sends in that codec. It refuses pictures beyond the limit before
/// anything is allocated for them.
///
/// # Errors
/// [`CodecError::Failed`] when the library can't make one.
pub fn make_decoder(codec: VideoCodec, limit: PictureLimit) -> Result<Box<dyn VideoDecoder>, CodecError> {
    Ok(match codec {
        VideoCodec::Vp8 => Box::new(vpx::Vp8Decoder::new(limit)?),
        VideoCodec::Vp9 => Box::new(vpx::Vp9Decoder::new(limit)?),
        VideoCodec::H264 => Box::new(h264::H264Decoder::new(limit)?),
        VideoCodec::Av1 => Box::new(av1::Av1Decoder::new(limit)?),
    })
}
