//! The beginning of a VP9 frame, and how several frames make a superframe (VP9 bitstream
//! specification §6.2 and annex B).

use madang_mixer::codec::CodecError;

use crate::bits::Bits;

/// What the uncompressed header of a frame says, as far as it concerns us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Vp9Header {
    pub(super) keyframe: bool,
    /// None when it is that of a frame before.
    pub(super) size: Option<(u32, u32)>,
}

impl Vp9Header {
    /// # Errors
    /// [`CodecError::Unfit`] for profiles of more bits or more chroma.
    pub(super) fn read(frame: &[u8]) -> Result<Self, CodecError> {
        let mut bits = Bits::new(frame);
        let start = bits.take(4).filter(|start| start >> 2 == 2);
        match start {
            Some(0b1000) => {}
            Some(_) => return Err(CodecError::Unfit("VP9 of a profile other than 0".to_owned())),
            None => return Err(damaged()),
        }
        Self::read_rest(&mut bits).ok_or_else(damaged)
    }

    fn read_rest(bits: &mut Bits<'_>) -> Option<Self> {
        let show_existing = bits.bit()?;
        if show_existing {
            return Some(Self { keyframe: false, size: None });
        }
        let keyframe = !bits.bit()?;
        let shown = bits.bit()?;
        let error_resilient = bits.bit()?;
        if keyframe {
            start_code(bits)?;
            // Colour space (7, RGB, is not in profile 0), and its range.
            (bits.take(3)? != 7).then_some(())?;
            bits.bit()?;
            return Some(Self { keyframe, size: Some(size(bits)?) });
        }
        let intra = !shown && bits.bit()?;
        if !error_resilient {
            bits.take(2)?;
        }
        if intra {
            start_code(bits)?;
            bits.take(8)?;
            return Some(Self { keyframe, size: Some(size(bits)?) });
        }
        // Which buffers it refreshes, and three references with the signs of their motion.
        bits.take(8 + 3 * 4)?;
        for _ in 0..3 {
            if bits.bit()? {
                return Some(Self { keyframe, size: None });
            }
        }
        Some(Self { keyframe, size: Some(size(bits)?) })
    }
}

fn damaged() -> CodecError {
    CodecError::Frame("VP9 without a header".to_owned())
}

fn start_code(bits: &mut Bits<'_>) -> Option<()> {
    (bits.take(24)? == 0x49_83_42).then_some(())
}

fn size(bits: &mut Bits<'_>) -> Option<(u32, u32)> {
    Some((bits.take(16)? + 1, bits.take(16)? + 1))
}

/// The frames of a superframe, or the one frame that it is.
pub(super) fn frames(superframe: &[u8]) -> Result<Vec<&[u8]>, CodecError> {
    let Some((sizes, mut rest)) = index(superframe) else {
        return Ok(vec![superframe]);
    };
    let mut frames = Vec::with_capacity(sizes.len());
    for size in sizes {
        let (frame, behind) = rest.split_at_checked(size).ok_or_else(damaged)?;
        rest = behind;
        // An empty one stands for a layer that was left out.
        if !frame.is_empty() {
            frames.push(frame);
        }
    }
    Ok(frames)
}

/// The sizes at a superframe's end, and what is before them.
fn index(superframe: &[u8]) -> Option<(Vec<usize>, &[u8])> {
    let marker = *superframe.last()?;
    if marker >> 5 != 0b110 {
        return None;
    }
    let (count, width) = (usize::from(marker & 7) + 1, usize::from(marker >> 3 & 3) + 1);
    let at = superframe.len().checked_sub(2 + count * width)?;
    let (frames, index) = superframe.split_at(at);
    if index[0] != marker {
        return None;
    }
    let sizes = index[1..=count * width]
        .chunks(width)
        .map(|bytes| bytes.iter().rev().fold(0, |size, byte| size << 8 | usize::from(*byte)));
    Some((sizes.collect(), frames))
}

/// A superframe of this one frame. libvpx goes on to decode whatever it takes for another frame
/// behind a frame's end, with a size that nobody has looked at, but not within a superframe.
pub(super) fn wrap(frame: &[u8], into: &mut Vec<u8>) -> Result<(), CodecError> {
    const MARKER: u8 = 0b1101_1000;
    let size = u32::try_from(frame.len()).map_err(|_| damaged())?;
    into.clear();
    into.extend_from_slice(frame);
    into.push(MARKER);
    into.extend_from_slice(&size.to_le_bytes());
    into.push(MARKER);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts bits together: value, and how many.
    fn header(parts: &[(u64, u32)]) -> Vec<u8> {
        let bits: Vec<u8> =
            parts.iter().flat_map(|(value, count)| (0..*count).rev().map(move |at| (value >> at & 1) as u8)).collect();
        bits.chunks(8).map(|byte| byte.iter().enumerate().fold(0, |all, (at, bit)| all | bit << (7 - at))).collect()
    }

    #[test]
    fn a_frame_says_its_size_unless_it_has_that_of_another() {
        let key = header(&[
            (0b1000, 4),
            (0, 1),
            (0, 1),
            (1, 1),
            (0, 1),
            (0x49_83_42, 24),
            (2, 3),
            (0, 1),
            (639, 16),
            (359, 16),
        ]);
        assert_eq!(Vp9Header::read(&key), Ok(Vp9Header { keyframe: true, size: Some((640, 360)) }));
        let inter = |found: &[(u64, u32)]| {
            let mut parts = vec![(0b1000, 4), (0, 1), (1, 1), (1, 1), (0, 1), (0, 2), (1, 8), (0, 12)];
            parts.extend_from_slice(found);
            Vp9Header::read(&header(&parts))
        };
        assert_eq!(inter(&[(0, 1), (1, 1)]), Ok(Vp9Header { keyframe: false, size: None }));
        let own = inter(&[(0, 3), (65_535, 16), (9, 16)]);
        assert_eq!(own, Ok(Vp9Header { keyframe: false, size: Some((65_536, 10)) }));
        let intra = header(&[
            (0b1000, 4),
            (0, 1),
            (1, 1),
            (0, 1),
            (0, 1),
            (1, 1),
            (0, 2),
            (0x49_83_42, 24),
            (0, 8),
            (15, 16),
            (31, 16),
        ]);
        assert_eq!(Vp9Header::read(&intra), Ok(Vp9Header { keyframe: false, size: Some((16, 32)) }));
    }

    #[test]
    fn other_profiles_are_beyond_us_and_the_rest_is_damaged() {
        assert!(matches!(Vp9Header::read(&[0b1010_0000, 0]), Err(CodecError::Unfit(_))));
        for bytes in [&[][..], &[0], &[0x80], &[0xFF_u8 >> 1; 20], &[0x82, 0x49, 0x83, 0x42]] {
            assert!(matches!(Vp9Header::read(bytes), Err(CodecError::Frame(_))), "{bytes:?}");
        }
    }

    #[test]
    fn a_superframe_is_taken_apart_and_put_together() {
        let superframe = [1, 2, 3, 4, 5, 0b1100_0010, 2, 0, 3, 0b1100_0010];
        assert_eq!(frames(&superframe), Ok(vec![&[1, 2][..], &[3, 4, 5]]));
        assert_eq!(frames(&superframe[..9]), Ok(vec![&superframe[..9]]), "no index");
        assert!(frames(&[1, 0b1100_0000, 9, 0b1100_0000]).is_err(), "a frame longer than all");
        let mut wrapped = Vec::new();
        wrap(&[7, 8, 9], &mut wrapped).expect("a short frame");
        assert_eq!(frames(&wrapped), Ok(vec![&[7, 8, 9][..]]));
    }
}
