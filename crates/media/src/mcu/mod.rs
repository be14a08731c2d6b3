//! A room's mixer: an internal subscriber to everybody's tracks, and the publisher of the mix.
//!
//! It is sans-IO like the forwarder that it lives in ([`crate::sfu`]), and runs no codec by itself:
//! whatever decodes, draws or encodes is a [`Job`], which the caller runs where it likes and gives
//! back. What a job works on is moved into it and comes back with it, so nothing is shared and
//! nothing is locked; a job that comes back late makes what it is for late, and nothing else.
//!
//! ```text
//! packets of sound ──────────────────────────────► sound job, every 20 ms ──► packets, numbered per link
//! packets of pictures ─► frames ─► (lip sync) ─► decode job, one a source ─┐
//!                                                  newest picture of each  ▼
//! people, layout, who speaks ─► regions ─────────► picture job, every 33 ms ─► packets of up to three layers
//! ```
//!
//! | module | what it does |
//! | --- | --- |
//! | `mixer` | the room's mixer: what comes in, what is due, what comes out |
//! | `job` | what runs elsewhere |
//! | `sound` | the sound's part: who talks, who listens |
//! | `source` | a source's pictures on their way to its decoder |
//! | `decode` | the decoder's part |
//! | `picture` | a mixed picture: who wants it in which size |
//! | `studio` | the picture's part: canvas and encoders |
//! | `people` | who is there, who speaks, where they are |
//! | `sync` | lip sync |
//! | `load` | what is given up when there is too much to do |

mod decode;
mod job;
mod load;
mod mixer;
mod people;
mod picture;
mod sound;
mod source;
mod studio;
mod sync;

use std::{fmt, sync::Arc};

use madang_mixer::{
    canvas::{FontSources, SharedFonts},
    codec::{CodecError, SoundDecoder, SoundEncoder, VideoDecoder, VideoEncoder},
};

pub use job::{Job, JobKind, MixerId};
pub(crate) use mixer::{Mixer, MixerOutput, Take};
pub(crate) use picture::VideoFrame;
pub(crate) use source::Video;

use crate::session::VideoCodec;

/// What makes codecs. Called within jobs.
pub trait Codecs: Send + Sync {
    /// For the pictures of one source, however large up to the maker's own limit.
    ///
    /// # Errors
    /// When the library can't make one.
    fn video_decoder(&self, codec: VideoCodec) -> Result<Box<dyn VideoDecoder>, CodecError>;

    /// For one rendition.
    ///
    /// # Errors
    /// When there is no encoder for that codec, or the library can't make one.
    fn video_encoder(&self, ask: &EncoderAsk) -> Result<Box<dyn VideoEncoder>, CodecError>;

    /// For the sound of one source.
    ///
    /// # Errors
    /// When the library can't make one.
    fn sound_decoder(&self, channels: usize) -> Result<Box<dyn SoundDecoder>, CodecError>;

    /// For one listener, or all who hear the same.
    ///
    /// # Errors
    /// When the library can't make one.
    fn sound_encoder(&self, channels: usize) -> Result<Box<dyn SoundEncoder>, CodecError>;
}

/// What an encoder of pictures is to be like. It is for people who talk: no look-ahead, keyframes
/// only when asked for, and two temporal layers where the codec's payload format tells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncoderAsk {
    /// [`VideoCodec::Vp8`] or [`VideoCodec::H264`].
    pub codec: VideoCodec,
    /// In samples of luma.
    pub width: usize,
    /// In samples of luma.
    pub height: usize,
    /// What comes out on average.
    pub bits_per_second: u32,
}

/// How the mixers of a forwarder are set up.
#[derive(Clone)]
pub struct MixerConfig {
    /// Makes codecs.
    pub codecs: Arc<dyn Codecs>,
    /// Where the names' fonts come from.
    pub fonts: SharedFonts,
    /// The largest rendition in samples; the others have a half and a quarter of it. Multiples of 8.
    pub size: (usize, usize),
    /// What renditions take, in bits per second, from the smallest.
    pub bitrates: [u32; 3],
}

impl MixerConfig {
    /// The usual: 1280 × 720 at 1.5 Mbit/s, 640 × 360 at 500 kbit/s, 320 × 180 at 150 kbit/s.
    #[must_use]
    pub fn new(codecs: Arc<dyn Codecs>) -> Self {
        let fonts = SharedFonts::new(FontSources::default());
        Self { codecs, fonts, size: (1280, 720), bitrates: [150_000, 500_000, 1_500_000] }
    }
}

impl fmt::Debug for MixerConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MixerConfig").field("size", &self.size).finish_non_exhaustive()
    }
}
