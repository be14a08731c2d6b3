//! What a VP9 frame says of itself: the uncompressed header of the bitstream specification, §6.2.

use super::super::Size;

/// Whether a frame refers to no other.
#[must_use]
pub fn is_keyframe(frame: &[u8]) -> bool {
    Header::parse(frame).is_some_and(|header| header.is_keyframe)
}

/// The picture's size, which keyframes carry.
#[must_use]
pub fn size(frame: &[u8]) -> Option<Size> {
    Header::parse(frame)?.size
}

struct Header {
    is_keyframe: bool,
    size: Option<Size>,
}

/// `CS_RGB` of the specification's color_space.
const RGB: u32 = 7;

impl Header {
    fn parse(frame: &[u8]) -> Option<Self> {
        let mut bits = Bits { bytes: frame, at: 0 };
        if bits.take(2)? != 2 {
            return None;
        }
        let profile = bits.take(1)? | bits.take(1)? << 1;
        if profile == 3 {
            bits.take(1)?;
        }
        let shows_existing = bits.take(1)? == 1;
        let is_keyframe = !shows_existing && bits.take(1)? == 0;
        let size = if is_keyframe { Self::size(&mut bits, profile) } else { None };
        Some(Self { is_keyframe, size })
    }

    fn size(bits: &mut Bits<'_>, profile: u32) -> Option<Size> {
        bits.take(2)?; // show_frame, error_resilient_mode
        if bits.take(24)? != 0x49_83_42 {
            return None;
        }
        if profile >= 2 {
            bits.take(1)?; // ten or twelve bits
        }
        let has_subsampling = profile == 1 || profile == 3;
        if bits.take(3)? == RGB {
            bits.take(u32::from(has_subsampling))?;
        } else {
            bits.take(if has_subsampling { 4 } else { 1 })?;
        }
        Some(Size { width: bits.take(16)? + 1, height: bits.take(16)? + 1 })
    }
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyframe_of_profile_0_tells_its_size() {
        // Made by libvpx: ffmpeg -f lavfi -i testsrc2=size=640x360 -frames:v 1 -c:v libvpx-vp9
        let frame = [0x82, 0x49, 0x83, 0x42, 0x00, 0x27, 0xF0, 0x16, 0x76, 0x00];
        assert!(is_keyframe(&frame));
        assert_eq!(size(&frame), Some(Size { width: 640, height: 360 }));
    }

    #[test]
    fn other_frames_and_short_ones_tell_none() {
        assert!(!is_keyframe(&[0x86, 0, 0]));
        assert_eq!(size(&[0x82, 0x49, 0x83]), None);
        assert_eq!(size(&[]), None);
    }
}
