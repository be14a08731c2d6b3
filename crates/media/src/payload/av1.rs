//! AV1, "RTP Payload Format For AV1" v1.0 of the Alliance for Open Media; section numbers
//! without a name are of that text. The dependency descriptor, a header extension, is not read.

use super::{Bytes, PayloadInfo, Size, bits::Bits};

const SEQUENCE_HEADER: u8 = 1;

/// §4.4. A keyframe begins where a coded video sequence does (the N bit): such a packet holds
/// the sequence header (§4.4, §5).
pub(super) fn parse(payload: &[u8]) -> Option<PayloadInfo> {
    let mut bytes = Bytes::new(payload);
    let aggregation = bytes.u8()?;
    let (continues, new_sequence) = (aggregation & 0x80 != 0, aggregation & 0x08 != 0);
    let count = usize::from(aggregation >> 4 & 3);
    if continues && new_sequence {
        return None;
    }
    let mut info = PayloadInfo { keyframe: new_sequence, frame_start: !continues, ..PayloadInfo::default() };
    let mut index = 0usize;
    while !bytes.rest().is_empty() {
        index += 1;
        let last = count != 0 && index == count;
        let length = if last { bytes.rest().len() } else { leb128(&mut bytes)? };
        let obu = bytes.take(length)?;
        if !(index == 1 && continues) {
            element(obu, &mut info)?;
        }
        if last {
            break;
        }
    }
    (index > 0 && (count == 0 || index == count)).then_some(info)
}

fn element(obu: &[u8], info: &mut PayloadInfo) -> Option<()> {
    let mut bytes = Bytes::new(obu);
    let header = bytes.u8()?;
    // The forbidden bit, AV1 §5.3.2.
    if header & 0x80 != 0 {
        return None;
    }
    if header & 0x04 != 0 {
        let extension = bytes.u8()?;
        info.temporal.get_or_insert(extension >> 5);
        info.spatial.get_or_insert(extension >> 3 & 3);
    }
    if header & 0x02 != 0 {
        leb128(&mut bytes)?;
    }
    if header >> 3 & 0x0F == SEQUENCE_HEADER && info.size.is_none() {
        info.size = size(bytes.rest());
    }
    Some(())
}

/// AV1 §4.10.5, as far as a packet's length goes.
fn leb128(bytes: &mut Bytes<'_>) -> Option<usize> {
    let mut value = 0usize;
    for place in 0..4 {
        let byte = bytes.u8()?;
        value |= usize::from(byte & 0x7F) << (7 * place);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The largest frame of a sequence, AV1 §5.5.1.
fn size(sequence_header: &[u8]) -> Option<Size> {
    let mut bits = Bits::new(sequence_header);
    // The profile, and whether it is a still picture.
    bits.take(4)?;
    let reduced = bits.bit()?;
    if reduced {
        bits.take(5)?;
    } else {
        operating_points(&mut bits)?;
    }
    let (width_bits, height_bits) = (bits.take(4)? + 1, bits.take(4)? + 1);
    let (width, height) = (bits.take(width_bits)? + 1, bits.take(height_bits)? + 1);
    Some(Size { width: width.try_into().ok()?, height: height.try_into().ok()? })
}

fn operating_points(bits: &mut Bits<'_>) -> Option<()> {
    let mut delay_bits = None;
    if bits.bit()? {
        timing_info(bits)?;
        if bits.bit()? {
            delay_bits = Some(bits.take(5)? + 1);
            bits.take(32)?;
            bits.take(10)?;
        }
    }
    let initial_delay = bits.bit()?;
    for _ in 0..=bits.take(5)? {
        bits.take(12)?;
        // The tier is there for levels above 7.
        if bits.take(5)? > 7 {
            bits.bit()?;
        }
        if let Some(delay_bits) = delay_bits
            && bits.bit()?
        {
            bits.take(delay_bits)?;
            bits.take(delay_bits)?;
            bits.bit()?;
        }
        if initial_delay && bits.bit()? {
            bits.take(4)?;
        }
    }
    Some(())
}

fn timing_info(bits: &mut Bits<'_>) -> Option<()> {
    bits.take(32)?;
    bits.take(32)?;
    if bits.bit()? {
        bits.ue()?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sequence header as libaom writes it, for 640 x 360, with its own length taken out.
    const SEQUENCE: [u8; 14] = [0x08, 0x20, 0x00, 0x00, 0x0C, 0xC4, 0xFF, 0x67, 0x36, 0xBE, 0x48, 0x08, 0x68, 0x01];
    /// As SVT-AV1 writes it, with its length left in.
    const SEQUENCE_SVT: [u8; 13] = [0x0A, 0x0B, 0x00, 0x00, 0x00, 0x0C, 0xC4, 0xFF, 0x67, 0x3E, 0xFE, 0x40, 0x10];

    #[test]
    fn a_new_coded_video_sequence_begins_a_keyframe_and_gives_the_size() {
        // W = 2, N; the first element with its length, the second (a frame) to the end.
        let payload = [&[0x28, 14][..], &SEQUENCE, &[0x30, 0x00, 0x00]].concat();
        let info = parse(&payload).expect("well-formed");
        assert!(info.keyframe && info.frame_start);
        assert_eq!(info.size, Some(Size { width: 640, height: 360 }));
    }

    #[test]
    fn elements_that_all_have_lengths_are_read_to_the_end() {
        let payload = [&[0x08, 13][..], &SEQUENCE_SVT, &[2, 0x30, 0x00]].concat();
        let info = parse(&payload).expect("well-formed");
        assert_eq!(info.size, Some(Size { width: 640, height: 360 }));
        assert_eq!(parse(&[0x08, 2, 0x30, 0x00, 9]), None, "the last is cut off");
    }

    #[test]
    fn a_frame_says_its_temporal_and_spatial_layer() {
        let info = parse(&[0x10, 0x34, 0b0100_1000, 0x00]).expect("well-formed");
        assert!(!info.keyframe && info.frame_start);
        assert_eq!((info.temporal, info.spatial), (Some(2), Some(1)));
    }

    #[test]
    fn the_continuation_of_an_element_is_not_read_as_a_header() {
        let info = parse(&[0x90, 0xFF, 0xFF]).expect("well-formed");
        assert_eq!(info, PayloadInfo::default());
    }

    #[test]
    fn a_sequence_header_with_timing_and_a_decoder_model_gives_its_size() {
        let mut bits = String::new();
        for (value, width) in [
            (0u64, 3), // profile
            (0, 2),    // still, reduced
            (1, 1),    // timing info
            (1, 32),
            (60, 32),
            (1, 1), // equal intervals, with uvlc 0
            (1, 1),
            (1, 1), // decoder model
            (9, 5), // delays of 10 bits
            (7, 32),
            (0, 10),
            (1, 1), // initial delays
            (0, 5), // one operating point
            (0, 12),
            (5, 5), // a level without tier
            (1, 1), // with a decoder model
            (3, 10),
            (4, 10),
            (0, 1),
            (1, 1), // with an initial delay
            (2, 4),
            (10, 4), // 11 bits for each side
            (10, 4),
            (1919, 11),
            (1079, 11),
        ] {
            bits.push_str(&format!("{value:0width$b}"));
        }
        let bytes: Vec<u8> = bits
            .as_bytes()
            .chunks(8)
            .map(|byte| byte.iter().enumerate().map(|(at, bit)| (bit - b'0') << (7 - at)).sum())
            .collect();
        let payload = [&[0x18, 0x08][..], &bytes, &[0]].concat();
        assert_eq!(parse(&payload).expect("well-formed").size, Some(Size { width: 1920, height: 1080 }));
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for payload in [
            &[][..],
            &[0x08],
            &[0x98, 0x0A],
            &[0x20, 1, 0x30],
            &[0x20, 5, 0x30, 0x00],
            &[0x10, 0xB0, 0x00],
            &[0x00, 0x80, 0x80, 0x80, 0x80, 0x00],
        ] {
            assert_eq!(parse(payload), None, "{payload:02x?}");
        }
    }
}
