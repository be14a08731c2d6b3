//! What is in an access unit with start codes (H.264 annex B), and the size that a sequence
//! parameter set announces (§7.3.2.1.1).

use madang_mixer::codec::CodecError;

use crate::bits::Bits;
use crate::limit::PictureLimit;

const IDR_SLICE: u8 = 5;
const SEQUENCE_PARAMETERS: u8 = 7;
const SUBSET_SEQUENCE_PARAMETERS: u8 = 15;

/// Whether it is an IDR picture.
///
/// # Errors
/// [`CodecError::Unfit`] when it announces pictures beyond the limit, [`CodecError::Frame`] when it
/// has no unit, or parameters that can't be read.
pub(super) fn inspect(unit: &[u8], limit: PictureLimit) -> Result<bool, CodecError> {
    let (mut idr, mut any) = (false, false);
    for nal in nal_units(unit) {
        let Some((header, payload)) = nal.split_first() else { continue };
        any = true;
        match header & 0x1F {
            IDR_SLICE => idr = true,
            SEQUENCE_PARAMETERS | SUBSET_SEQUENCE_PARAMETERS => {
                let (width, height) = picture_size(&without_escapes(payload))
                    .ok_or_else(|| CodecError::Frame("H.264 parameters that can't be read".to_owned()))?;
                limit.check(width, height)?;
            }
            _ => {}
        }
    }
    if any { Ok(idr) } else { Err(CodecError::Frame("no H.264 access unit".to_owned())) }
}

/// What is between start codes.
fn nal_units(unit: &[u8]) -> impl Iterator<Item = &[u8]> {
    let next = |from: &[u8]| from.windows(3).position(|bytes| bytes == [0, 0, 1]);
    let mut rest = next(unit).map(|at| &unit[at + 3..]);
    std::iter::from_fn(move || {
        let bytes = rest?;
        let (nal, behind) = next(bytes).map_or((bytes, None), |at| (&bytes[..at], Some(&bytes[at + 3..])));
        rest = behind;
        Some(nal)
    })
}

/// A third byte of 3 after two zeros only keeps start codes from arising (§7.4.1).
fn without_escapes(payload: &[u8]) -> Vec<u8> {
    let mut zeros = 0;
    let mut bytes = Vec::with_capacity(payload.len());
    for &byte in payload {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        bytes.push(byte);
    }
    bytes
}

/// Before cropping, in samples of luma.
fn picture_size(parameters: &[u8]) -> Option<(u32, u32)> {
    let mut bits = Bits::new(parameters);
    let profile = bits.take(8)?;
    // Constraints, level, and the number of the set.
    bits.take(16)?;
    bits.golomb()?;
    if matches!(profile, 44 | 83 | 86 | 100 | 110 | 118 | 122 | 128 | 134 | 135 | 138 | 139 | 244) {
        skip_high_profile(&mut bits)?;
    }
    bits.golomb()?;
    skip_picture_order(&mut bits)?;
    // References, and whether there may be gaps in their numbers.
    bits.golomb()?;
    bits.bit()?;
    let columns = u64::from(bits.golomb()?) + 1;
    let rows = u64::from(bits.golomb()?) + 1;
    let frames_only = bits.bit()?;
    let side = |blocks: u64| u32::try_from(blocks * 16).ok();
    Some((side(columns)?, side(if frames_only { rows } else { rows * 2 })?))
}

fn skip_high_profile(bits: &mut Bits<'_>) -> Option<()> {
    let chroma = bits.golomb()?;
    if chroma == 3 {
        bits.bit()?;
    }
    bits.golomb()?;
    bits.golomb()?;
    bits.bit()?;
    if bits.bit()? {
        for list in 0..if chroma == 3 { 12 } else { 8 } {
            if bits.bit()? {
                skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Some(())
}

/// §7.3.2.1.1.1.
fn skip_scaling_list(bits: &mut Bits<'_>, length: usize) -> Option<()> {
    let (mut last, mut next) = (8, 8);
    for _ in 0..length {
        if next != 0 {
            next = (last + bits.signed_golomb()?).rem_euclid(256);
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}

fn skip_picture_order(bits: &mut Bits<'_>) -> Option<()> {
    match bits.golomb()? {
        0 => {
            bits.golomb()?;
        }
        1 => {
            bits.bit()?;
            bits.golomb()?;
            bits.golomb()?;
            // At most 255 (§7.4.2.1.1).
            let count = bits.golomb().filter(|count| *count <= 255)?;
            for _ in 0..count {
                bits.golomb()?;
            }
        }
        _ => {}
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Baseline, 640 × 368 before cropping, as OpenH264 writes it.
    const PARAMETERS: [u8; 15] = [0, 0, 0, 1, 0x67, 0x42, 0xC0, 0x1E, 0x8C, 0x8D, 0x40, 0x50, 0x17, 0xFC, 0xB0];

    #[test]
    fn a_size_beyond_the_limit_is_refused() {
        let limit = |side| PictureLimit { side, ..PictureLimit::default() };
        assert_eq!(inspect(&PARAMETERS, limit(640)), Ok(false));
        assert!(matches!(inspect(&PARAMETERS, limit(639)), Err(CodecError::Unfit(_))));
    }

    #[test]
    fn units_are_told_apart_by_their_start_codes() {
        let unit = [0, 0, 0, 1, 0x09, 0x10, 0, 0, 1, 0x65, 7, 0, 0, 1, 0x41, 8];
        assert_eq!(nal_units(&unit).map(|nal| nal[0]).collect::<Vec<_>>(), [0x09, 0x65, 0x41]);
        assert_eq!(inspect(&unit, PictureLimit::default()), Ok(true));
        assert_eq!(inspect(&unit[12..], PictureLimit::default()).ok(), None, "no start code");
        assert!(inspect(&[0, 0, 1, 0x67, 0x42], PictureLimit::default()).is_err(), "cut off");
    }

    #[test]
    fn escapes_are_taken_out() {
        assert_eq!(without_escapes(&[0, 0, 3, 1, 0, 0, 3, 0, 0, 3]), [0, 0, 1, 0, 0, 0, 0]);
    }
}
