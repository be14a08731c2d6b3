//! IVF: a 32 byte header, then each frame behind 12 bytes of length and time.

use std::{borrow::Cow, time::Duration};

use super::{Clip, Codec, Size};

/// Why a file is no IVF file that can be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIvf {
    /// No signature, or a header that is cut short.
    #[error("this is no IVF file")]
    Header,
    /// Neither VP8 nor VP9.
    #[error("the IVF file is neither VP8 nor VP9")]
    Codec,
    /// A frame goes beyond the end.
    #[error("the IVF file is cut short")]
    Truncated,
}

const FILE_HEADER: usize = 32;
const FRAME_HEADER: usize = 12;

impl Clip {
    /// Reads a whole IVF file.
    ///
    /// # Errors
    /// When it is none, of an unknown codec, or cut short.
    pub fn from_ivf(bytes: impl Into<Cow<'static, [u8]>>) -> Result<Self, InvalidIvf> {
        let bytes = bytes.into();
        let header: [u8; FILE_HEADER] = *bytes.first_chunk().ok_or(InvalidIvf::Header)?;
        if &header[..4] != b"DKIF" {
            return Err(InvalidIvf::Header);
        }
        let codec = match &header[8..12] {
            b"VP80" => Codec::Vp8,
            b"VP90" => Codec::Vp9,
            _ => return Err(InvalidIvf::Codec),
        };
        let side = |at: usize| u32::from(u16::from_le_bytes([header[at], header[at + 1]]));
        let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let (rate, scale) = (u64::from(number(16).max(1)), u64::from(number(20)));

        let mut clip = Self::over(codec, Size { width: side(12), height: side(14) }, bytes);
        let mut at = FILE_HEADER;
        while at < clip.bytes.len() {
            let header: [u8; FRAME_HEADER] =
                *clip.bytes.get(at..).and_then(<[u8]>::first_chunk).ok_or(InvalidIvf::Truncated)?;
            let [l0, l1, l2, l3, ..] = header;
            let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
            let [.., t0, t1, t2, t3, _, _, _, _] = header;
            let ticks = u64::from(u32::from_le_bytes([t0, t1, t2, t3]));
            let start = at + FRAME_HEADER;
            let end = start.checked_add(length).filter(|end| *end <= clip.bytes.len()).ok_or(InvalidIvf::Truncated)?;
            clip.add(Duration::from_nanos((ticks * scale).saturating_mul(1_000_000_000) / rate), None, start..end);
            at = end;
        }
        Ok(clip)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn other_files_and_cut_ones_are_refused() {
        assert_eq!(Clip::from_ivf(&b"RIFF"[..]).err(), Some(InvalidIvf::Header));
        let mut file = [0u8; 45];
        file[..4].copy_from_slice(b"DKIF");
        assert_eq!(Clip::from_ivf(file.to_vec()).err(), Some(InvalidIvf::Codec));
        file[8..12].copy_from_slice(b"VP80");
        file[32] = 2;
        assert_eq!(Clip::from_ivf(file.to_vec()).err(), Some(InvalidIvf::Truncated));
        file[32] = 1;
        assert_eq!(Clip::from_ivf(file.to_vec()).map(|clip| clip.len()), Ok(1));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(tail in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut file = b"DKIF\0\0\x20\0VP80".to_vec();
            file.extend_from_slice(&tail);
            let _ = Clip::from_ivf(file);
        }
    }
}
