//! What a VP8 frame says of itself, RFC 6386 §9.1.

use super::super::Size;

/// Whether a frame refers to no other.
#[must_use]
pub fn is_keyframe(frame: &[u8]) -> bool {
    frame.first().is_some_and(|first| first & 0x01 == 0)
}

/// The picture's size, which only keyframes carry.
#[must_use]
pub fn size(frame: &[u8]) -> Option<Size> {
    let header: &[u8; 10] = frame.first_chunk()?;
    if header[0] & 0x01 != 0 || header[3..6] != [0x9D, 0x01, 0x2A] {
        return None;
    }
    // The two top bits of each are a hint for scaling.
    let side = |low: u8, high: u8| u32::from(u16::from_le_bytes([low, high]) & 0x3FFF);
    Some(Size { width: side(header[6], header[7]), height: side(header[8], header[9]) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyframe_tells_its_size_without_the_scaling_bits() {
        let frame = [0x10, 0, 0, 0x9D, 0x01, 0x2A, 0x80, 0x42, 0x68, 0x01, 0xFF];
        assert!(is_keyframe(&frame));
        assert_eq!(size(&frame), Some(Size { width: 640, height: 360 }));
    }

    #[test]
    fn other_frames_and_short_ones_tell_none() {
        assert_eq!(size(&[0x11, 0, 0, 0x9D, 0x01, 0x2A, 0x80, 0x02, 0x68, 0x01]), None);
        assert_eq!(size(&[0x10, 0, 0, 0x9D, 0x01]), None);
        assert_eq!(size(&[0x10, 0, 0, 0, 0, 0, 0x80, 0x02, 0x68, 0x01]), None);
        assert!(!is_keyframe(&[]));
    }
}
