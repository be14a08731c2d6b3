//! Decoding by libvpx.

use std::marker::PhantomData;
use std::ptr::NonNull;

use madang_mixer::codec::{CodecError, VideoDecoder};
use madang_mixer::picture::View;

use super::ffi;
use super::vp8_header::Vp8Header;
use super::vp9_header::{self, Vp9Header};
use crate::VideoCodec;
use crate::limit::PictureLimit;
use crate::raw::{KeyframeGate, Outcome, RawPicture};

/// A decoder of libvpx, with one thread.
struct Decoder {
    decoder: NonNull<ffi::Decoder>,
    codec: VideoCodec,
}

// SAFETY: libvpx keeps nothing in the thread; whoever has the decoder is the only one to use it.
unsafe impl Send for Decoder {}

impl Decoder {
    fn new(codec: VideoCodec) -> Result<Self, CodecError> {
        // SAFETY: takes no pointer.
        let decoder = unsafe { ffi::madang_vpx_decoder_new(i32::from(codec == VideoCodec::Vp9)) };
        let decoder = NonNull::new(decoder).ok_or_else(|| CodecError::Failed("libvpx makes no decoder".to_owned()))?;
        Ok(Self { decoder, codec })
    }

    /// The picture, if there is one, is valid until the next call.
    fn decode(&mut self, frame: &[u8]) -> Result<Option<RawPicture>, CodecError> {
        let mut picture = RawPicture::NONE;
        // SAFETY: the decoder is alive and ours alone; the frame is read during the call only; the
        // struct is that of the C header.
        let code =
            unsafe { ffi::madang_vpx_decode(self.decoder.as_ptr(), frame.as_ptr(), frame.len(), &raw mut picture) };
        Ok((Outcome::of(code, self.codec)? == Outcome::Picture).then_some(picture))
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: made by `madang_vpx_decoder_new`, and freed once.
        unsafe { ffi::madang_vpx_decoder_free(self.decoder.as_ptr()) }
    }
}

/// # Safety
/// The picture came from the last call to the decoder that `'a` borrows.
unsafe fn show<'a>(picture: Option<RawPicture>) -> Result<Option<View<'a>>, CodecError> {
    // SAFETY: libvpx gives planes that are at least as large as what is displayed, and keeps them
    // until the next call.
    picture.map(|picture| unsafe { picture.view(PhantomData) }).transpose()
}

/// Decodes VP8.
pub struct Vp8Decoder {
    decoder: Decoder,
    limit: PictureLimit,
    gate: KeyframeGate,
}

impl Vp8Decoder {
    /// # Errors
    /// [`CodecError::Failed`] when libvpx makes none.
    pub fn new(limit: PictureLimit) -> Result<Self, CodecError> {
        Ok(Self { decoder: Decoder::new(VideoCodec::Vp8)?, limit, gate: KeyframeGate::new() })
    }

    fn picture(&mut self, frame: &[u8]) -> Result<Option<RawPicture>, CodecError> {
        match Vp8Header::read(frame)? {
            Vp8Header::Key { width, height } => self.limit.check(width, height)?,
            Vp8Header::Inter => self.gate.admit(false)?,
        }
        self.decoder.decode(frame)
    }
}

impl VideoDecoder for Vp8Decoder {
    fn decode(&mut self, frame: &[u8]) -> Result<Option<View<'_>>, CodecError> {
        let picture = self.picture(frame);
        let picture = self.gate.note(picture)?;
        // SAFETY: the decoder was called just now, and is borrowed as long as the view.
        unsafe { show(picture) }
    }
}

/// Decodes VP9 of profile 0.
pub struct Vp9Decoder {
    decoder: Decoder,
    limit: PictureLimit,
    gate: KeyframeGate,
    wrapped: Vec<u8>,
}

impl Vp9Decoder {
    /// # Errors
    /// [`CodecError::Failed`] when libvpx makes none.
    pub fn new(limit: PictureLimit) -> Result<Self, CodecError> {
        Ok(Self { decoder: Decoder::new(VideoCodec::Vp9)?, limit, gate: KeyframeGate::new(), wrapped: Vec::new() })
    }

    /// What the last frame of the superframe shows: the highest spatial layer, or what hidden
    /// frames before it were for.
    fn picture(&mut self, superframe: &[u8]) -> Result<Option<RawPicture>, CodecError> {
        let mut shown = None;
        for (index, frame) in vp9_header::frames(superframe)?.into_iter().enumerate() {
            let header = Vp9Header::read(frame)?;
            if let Some((width, height)) = header.size {
                self.limit.check(width, height)?;
            }
            if index == 0 {
                self.gate.admit(header.keyframe)?;
            }
            vp9_header::wrap(frame, &mut self.wrapped)?;
            // What an earlier frame of it showed is no longer ours to read.
            shown = self.decoder.decode(&self.wrapped)?;
        }
        Ok(shown)
    }
}

impl VideoDecoder for Vp9Decoder {
    fn decode(&mut self, frame: &[u8]) -> Result<Option<View<'_>>, CodecError> {
        let picture = self.picture(frame);
        let picture = self.gate.note(picture)?;
        // SAFETY: the decoder was called just now, and is borrowed as long as the view.
        unsafe { show(picture) }
    }
}
