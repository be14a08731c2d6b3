//! What the forwarder needs to know of a video packet: where a keyframe begins, which temporal
//! and spatial layer it is in, and the numbers that must stay continuous for the receiver.
//!
//! Read from the RTP payload alone, without allocation. Whatever is malformed is `None`.

mod av1;
mod bits;
mod h264;
mod vp8;
mod vp9;

use crate::session::VideoCodec;

/// Whether and how a receiver of fewer temporal layers can go up at a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SwitchUp {
    /// Not here.
    #[default]
    No,
    /// This frame needs the base layer only: who receives the layer below can enter this one
    /// here (RFC 7741 §4.2, the Y bit).
    Into,
    /// After this frame, frames of any higher layer need nothing from before it (RFC 9628 §4.2,
    /// the U bit).
    Above,
}

/// A PictureID as it stands in a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureId {
    /// Its value, below 2^7 or 2^15.
    pub value: u16,
    /// Whether it has 15 bits; else 7.
    pub long: bool,
    /// Where it begins in the payload.
    pub offset: u8,
}

impl PictureId {
    /// The bits that a number of this width has.
    #[must_use]
    pub fn mask(self) -> u16 {
        if self.long { 0x7FFF } else { 0x7F }
    }

    /// Writes another value in its place, as wide as it was; does nothing to a payload that is
    /// too short for it.
    pub fn write(self, payload: &mut [u8], value: u16) {
        let [high, low] = (value & self.mask()).to_be_bytes();
        let at = usize::from(self.offset);
        if !self.long {
            if let Some(byte) = payload.get_mut(at) {
                *byte = low;
            }
        } else if let Some(bytes) = payload.get_mut(at..at + 2) {
            bytes.copy_from_slice(&[high | 0x80, low]);
        }
    }
}

/// A number in the low bits of one byte of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its value.
    pub value: u8,
    /// Which byte of the payload it is in.
    pub offset: u8,
    /// The bits of that byte that it has.
    pub mask: u8,
}

impl Field {
    /// Writes another value in its place; does nothing to a payload that is too short for it.
    pub fn write(self, payload: &mut [u8], value: u8) {
        if let Some(byte) = payload.get_mut(usize::from(self.offset)) {
            *byte = (*byte & !self.mask) | (value & self.mask);
        }
    }
}

/// Numbers to write over those that stand in a payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    /// PictureID.
    pub picture_id: Option<(PictureId, u16)>,
    /// TL0PICIDX.
    pub tl0: Option<(Field, u8)>,
    /// KEYIDX.
    pub key_idx: Option<(Field, u8)>,
}

impl Patch {
    /// Writes them into a copy of the payload that they were made for.
    pub fn apply(&self, payload: &mut [u8]) {
        if let Some((field, value)) = self.picture_id {
            field.write(payload, value);
        }
        for (field, value) in [self.tl0, self.key_idx].into_iter().flatten() {
            field.write(payload, value);
        }
    }
}

/// A picture's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
}

/// What a video packet says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PayloadInfo {
    /// A keyframe begins with this packet: a receiver that has nothing can begin here.
    pub keyframe: bool,
    /// A frame begins with this packet. A hint: H.264 and AV1 don't always say.
    pub frame_start: bool,
    /// A frame ends with this packet. Only VP9 says it here; for the others see the marker bit.
    pub frame_end: bool,
    /// The temporal layer, from 0.
    pub temporal: Option<u8>,
    /// The spatial layer within the stream, from 0.
    pub spatial: Option<u8>,
    /// Whether a receiver of fewer temporal layers can go up here.
    pub switch_up: SwitchUp,
    /// No other frame needs this one.
    pub discardable: bool,
    /// PictureID, of VP8 and VP9.
    pub picture_id: Option<PictureId>,
    /// TL0PICIDX, of VP8 and VP9.
    pub tl0: Option<Field>,
    /// KEYIDX, of VP8.
    pub key_idx: Option<Field>,
    /// The picture's size, where a keyframe says it.
    pub size: Option<Size>,
}

impl PayloadInfo {
    /// What a packet of sound says: a receiver can begin with any.
    pub const SOUND: Self = Self {
        keyframe: true,
        frame_start: true,
        frame_end: true,
        temporal: None,
        spatial: None,
        switch_up: SwitchUp::No,
        discardable: false,
        picture_id: None,
        tl0: None,
        key_idx: None,
        size: None,
    };

    /// Reads an RTP payload; `None` when it is malformed.
    #[must_use]
    pub fn parse(codec: VideoCodec, payload: &[u8]) -> Option<Self> {
        match codec {
            VideoCodec::Vp8 => vp8::parse(payload),
            VideoCodec::Vp9 => vp9::parse(payload),
            VideoCodec::H264 => h264::parse(payload),
            VideoCodec::Av1 => av1::parse(payload),
        }
    }
}

/// Reads bytes one after the other.
struct Bytes<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Bytes<'a> {
    fn new(all: &'a [u8]) -> Self {
        Self { all, at: 0 }
    }

    fn u8(&mut self) -> Option<u8> {
        let byte = *self.all.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.u8()?, self.u8()?]))
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.all.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    fn rest(&self) -> &'a [u8] {
        self.all.get(self.at..).unwrap_or_default()
    }

    /// Where the next byte is, for [`PictureId`] and [`Field`]: descriptors are short.
    fn offset(&self) -> Option<u8> {
        u8::try_from(self.at).ok()
    }

    /// A PictureID of 7 or 15 bits, as VP8 (RFC 7741 §4.2) and VP9 (RFC 9628 §4.2) write it.
    fn picture_id(&mut self) -> Option<PictureId> {
        let offset = self.offset()?;
        let first = self.u8()?;
        if first & 0x80 == 0 {
            return Some(PictureId { value: u16::from(first), long: false, offset });
        }
        let value = u16::from_be_bytes([first & 0x7F, self.u8()?]);
        Some(PictureId { value, long: true, offset })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_and_what_is_found_lies_within_them(
            bytes in prop::collection::vec(any::<u8>(), 0..80)
        ) {
            for codec in VideoCodec::ALL {
                let Some(info) = PayloadInfo::parse(codec, &bytes) else { continue };
                if let Some(id) = info.picture_id {
                    prop_assert!(usize::from(id.offset) + usize::from(id.long) < bytes.len());
                    prop_assert!(id.value <= id.mask());
                }
                for field in [info.tl0, info.key_idx].into_iter().flatten() {
                    prop_assert_eq!(bytes[usize::from(field.offset)] & field.mask, field.value);
                }
                prop_assert!(!info.keyframe || info.frame_start, "a keyframe is a frame");
            }
        }

        #[test]
        fn numbers_that_were_written_are_read_again_and_nothing_else_changes(
            bytes in prop::collection::vec(any::<u8>(), 0..30), id in any::<u16>(), number in any::<u8>()
        ) {
            for codec in [VideoCodec::Vp8, VideoCodec::Vp9] {
                let Some(before) = PayloadInfo::parse(codec, &bytes) else { continue };
                let mut changed = bytes.clone();
                let mut expected = before;
                if let Some(old) = before.picture_id {
                    old.write(&mut changed, id);
                    expected.picture_id = Some(PictureId { value: id & old.mask(), ..old });
                }
                if let Some(old) = before.tl0 {
                    old.write(&mut changed, number);
                    expected.tl0 = Some(Field { value: number & old.mask, ..old });
                }
                if let Some(old) = before.key_idx {
                    old.write(&mut changed, number);
                    expected.key_idx = Some(Field { value: number & old.mask, ..old });
                }
                prop_assert_eq!(PayloadInfo::parse(codec, &changed), Some(expected));
            }
        }
    }

    #[test]
    fn a_write_into_a_payload_that_is_too_short_does_nothing() {
        let mut payload = [1, 2];
        PictureId { value: 0, long: true, offset: 1 }.write(&mut payload, 5);
        Field { value: 0, offset: 2, mask: 0xFF }.write(&mut payload, 5);
        assert_eq!(payload, [1, 2]);
    }
}
