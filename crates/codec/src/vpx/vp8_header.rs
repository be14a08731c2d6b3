//! The beginning of a VP8 frame (RFC 6386 §9.1).

use madang_mixer::codec::CodecError;

/// What a frame's first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vp8Header {
    Key { width: u32, height: u32 },
    Inter,
}

impl Vp8Header {
    pub(super) fn read(frame: &[u8]) -> Result<Self, CodecError> {
        let damaged = |what: &str| CodecError::Frame(format!("VP8 {what}"));
        let [first, _, _, rest @ ..] = frame else {
            return Err(damaged("too short"));
        };
        if first & 1 != 0 {
            return Ok(Self::Inter);
        }
        let [0x9D, 0x01, 0x2A, sizes @ ..] = rest else {
            return Err(damaged("without its start code"));
        };
        let &[w0, w1, h0, h1, ..] = sizes else {
            return Err(damaged("too short"));
        };
        // The upper two bits of each are how to scale it for display.
        let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3FFF);
        Ok(Self::Key { width: side(w0, w1), height: side(h0, h1) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyframe_says_its_size() {
        let frame = [0x10, 0, 0, 0x9D, 0x01, 0x2A, 0x80, 0x02, 0x68, 0x41, 7];
        assert_eq!(Vp8Header::read(&frame), Ok(Vp8Header::Key { width: 640, height: 360 }));
        assert_eq!(Vp8Header::read(&[0x31, 0, 0]), Ok(Vp8Header::Inter));
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for bytes in
            [&[][..], &[1, 2], &[0x10, 0, 0, 0x9D, 0x01, 0x2B, 0, 0, 0, 0], &[0x10, 0, 0, 0x9D, 0x01, 0x2A, 0, 0]]
        {
            assert!(matches!(Vp8Header::read(bytes), Err(CodecError::Frame(_))), "{bytes:?}");
        }
    }
}
