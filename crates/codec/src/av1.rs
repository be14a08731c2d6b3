//! AV1, by libdav1d. Not rav1d: every way into it is an `extern "C"` function, so that a panic in
//! it, for which one flipped bit is enough (its issues 1476 and 1496), ends the process.

use std::marker::PhantomData;
use std::ptr::NonNull;

use madang_mixer::codec::{CodecError, VideoDecoder};
use madang_mixer::picture::View;

use crate::VideoCodec;
use crate::limit::PictureLimit;
use crate::raw::{KeyframeGate, Outcome, RawPicture};

/// `struct madang_av1_decoder` of shim/dav1d.c: only pointers to it.
#[repr(C)]
struct Decoder {
    _opaque: [u8; 0],
}

unsafe extern "C" {
    fn madang_av1_decoder_new(most_samples: u32) -> *mut Decoder;
    fn madang_av1_decoder_free(decoder: *mut Decoder);
    fn madang_av1_decode(decoder: *mut Decoder, data: *const u8, length: usize, picture: *mut RawPicture) -> i32;
}

/// Decodes AV1 of eight bits in 4:2:0, with one thread. Of a scalable stream it gives the highest
/// spatial layer that there is.
pub struct Av1Decoder {
    decoder: NonNull<Decoder>,
    limit: PictureLimit,
    gate: KeyframeGate,
}

// SAFETY: libdav1d keeps nothing in the thread; whoever has the decoder is the only one to use it.
unsafe impl Send for Av1Decoder {}

impl Av1Decoder {
    /// # Errors
    /// [`CodecError::Failed`] when libdav1d makes none, or is not on this machine.
    pub fn new(limit: PictureLimit) -> Result<Self, CodecError> {
        // libdav1d checks each frame's size against this before it allocates; 0 would be no limit.
        // SAFETY: takes no pointer.
        let decoder = unsafe { madang_av1_decoder_new(limit.samples.max(1)) };
        let decoder =
            NonNull::new(decoder).ok_or_else(|| CodecError::Failed("libdav1d makes no decoder".to_owned()))?;
        Ok(Self { decoder, limit, gate: KeyframeGate::new() })
    }

    fn picture(&mut self, unit: &[u8]) -> Result<Option<RawPicture>, CodecError> {
        self.gate.admit(begins_sequence(unit)?)?;
        let mut picture = RawPicture::NONE;
        // SAFETY: the decoder is alive and ours alone; the unit is read during the call only; the
        // struct is that of the C header.
        let code = unsafe { madang_av1_decode(self.decoder.as_ptr(), unit.as_ptr(), unit.len(), &raw mut picture) };
        if Outcome::of(code, VideoCodec::Av1)? == Outcome::Nothing {
            return Ok(None);
        }
        self.limit.check(picture.width, picture.height)?;
        Ok(Some(picture))
    }
}

impl VideoDecoder for Av1Decoder {
    fn decode(&mut self, frame: &[u8]) -> Result<Option<View<'_>>, CodecError> {
        let picture = self.picture(frame);
        let picture = self.gate.note(picture)?;
        // SAFETY: libdav1d's planes are at least as large as the picture, and the shim keeps a
        // reference to it until the next call, while the decoder is borrowed as long as the view.
        picture.map(|picture| unsafe { picture.view(PhantomData) }).transpose()
    }
}

impl Drop for Av1Decoder {
    fn drop(&mut self) {
        // SAFETY: made by `madang_av1_decoder_new`, and freed once.
        unsafe { madang_av1_decoder_free(self.decoder.as_ptr()) }
    }
}

/// Whether a sequence header is among the open bitstream units (AV1 §5.3): senders put one before
/// every keyframe, and nowhere else (AV1 RTP §5).
fn begins_sequence(unit: &[u8]) -> Result<bool, CodecError> {
    const SEQUENCE_HEADER: u8 = 1;
    let mut rest = unit;
    let mut found = false;
    while let Some((&header, behind)) = rest.split_first() {
        let (extended, sized) = (header & 4 != 0, header & 2 != 0);
        let behind = behind.get(usize::from(extended)..).ok_or_else(damaged)?;
        let (size, behind) = if sized { leb128(behind).ok_or_else(damaged)? } else { (behind.len(), behind) };
        if header & 0x80 != 0 || size > behind.len() {
            return Err(damaged());
        }
        found |= header >> 3 & 15 == SEQUENCE_HEADER;
        rest = &behind[size..];
    }
    if unit.is_empty() { Err(damaged()) } else { Ok(found) }
}

fn damaged() -> CodecError {
    CodecError::Frame("AV1 that is no temporal unit".to_owned())
}

/// leb128() of AV1 §4.10.5, and what is behind it.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(8) {
        value |= u64::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, &bytes[index + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_header_is_found_behind_other_units() {
        // A temporal delimiter, then a sequence header with an extension, of 2 bytes.
        assert_eq!(begins_sequence(&[0x12, 0, 0x0E, 0, 2, 7, 7]), Ok(true));
        assert_eq!(begins_sequence(&[0x12, 0, 0x32, 1, 9]), Ok(false));
        assert_eq!(begins_sequence(&[0x08, 1, 2, 3]), Ok(true), "without a size it is all there is");
    }

    #[test]
    fn units_that_end_too_early_are_damaged() {
        for bytes in [&[][..], &[0x12], &[0x0E], &[0x0A, 3, 1, 2], &[0x92, 0], &[0x0A, 0x80, 0x80]] {
            assert!(matches!(begins_sequence(bytes), Err(CodecError::Frame(_))), "{bytes:?}");
        }
    }
}
