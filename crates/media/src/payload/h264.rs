//! H.264, RFC 6184: single NAL units, STAP-A and FU-A, the packets of packetization modes 0
//! and 1. Interleaved mode (STAP-B, MTAP, FU-B) is not negotiated and is refused.

use super::{Bytes, PayloadInfo, Size, bits::Bits};

const SLICE: u8 = 1;
const SLICE_IDR: u8 = 5;
const SPS: u8 = 7;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

/// A keyframe begins with its SPS: an IDR slice alone can't be decoded by who has none.
pub(super) fn parse(payload: &[u8]) -> Option<PayloadInfo> {
    let (header, body) = payload.split_first()?;
    // The forbidden bit, RFC 6184 §1.3.
    if header & 0x80 != 0 {
        return None;
    }
    match header & 0x1F {
        1..=23 => single(payload),
        STAP_A => aggregate(body),
        FU_A => fragment(*header, body),
        _ => None,
    }
}

fn single(nal: &[u8]) -> Option<PayloadInfo> {
    let (header, body) = nal.split_first()?;
    let kind = header & 0x1F;
    let sps = kind == SPS;
    Some(PayloadInfo {
        keyframe: sps,
        frame_start: begins_frame(kind, body),
        discardable: is_discardable(*header, kind),
        size: if sps { size(body) } else { None },
        ..PayloadInfo::default()
    })
}

/// RFC 6184 §5.7.1.
fn aggregate(body: &[u8]) -> Option<PayloadInfo> {
    let mut bytes = Bytes::new(body);
    let mut all = PayloadInfo { discardable: true, ..PayloadInfo::default() };
    let mut first = true;
    while !bytes.rest().is_empty() {
        let length = bytes.u16()?;
        let one = single(bytes.take(usize::from(length))?)?;
        all.keyframe |= one.keyframe;
        all.frame_start |= one.frame_start && (first || one.keyframe);
        all.discardable &= one.discardable;
        all.size = all.size.or(one.size);
        first = false;
    }
    (!first).then_some(all)
}

/// RFC 6184 §5.8.
fn fragment(indicator: u8, body: &[u8]) -> Option<PayloadInfo> {
    let (header, body) = body.split_first()?;
    let (start, end, kind) = (header & 0x80 != 0, header & 0x40 != 0, header & 0x1F);
    if start && end || !(1..=23).contains(&kind) {
        return None;
    }
    let sps = start && kind == SPS;
    Some(PayloadInfo {
        keyframe: sps,
        frame_start: start && begins_frame(kind, body),
        discardable: is_discardable(indicator, kind),
        ..PayloadInfo::default()
    })
}

/// Slices whose `first_mb_in_slice` is 0 (one bit, 1), and what only comes before slices.
fn begins_frame(kind: u8, body: &[u8]) -> bool {
    match kind {
        SLICE | 2 | SLICE_IDR => body.first().is_some_and(|byte| byte & 0x80 != 0),
        6..=9 => true,
        _ => false,
    }
}

/// `nal_ref_idc` is 0 in a slice: no other picture needs this one (H.264 §7.4.1).
fn is_discardable(header: u8, kind: u8) -> bool {
    header & 0x60 == 0 && (SLICE..=SLICE_IDR).contains(&kind)
}

/// H.264 §7.3.2.1.1.
fn size(sps: &[u8]) -> Option<Size> {
    let mut bits = Bits::of_nal(sps);
    let profile = bits.take(8)?;
    // Constraints and the level.
    bits.take(16)?;
    bits.ue()?;
    let mut chroma = 1;
    let mut separate_planes = false;
    if matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135) {
        chroma = bits.ue()?;
        separate_planes = chroma == 3 && bits.bit()?;
        bits.ue()?;
        bits.ue()?;
        bits.bit()?;
        if bits.bit()? {
            skip_scaling_lists(&mut bits, if chroma == 3 { 12 } else { 8 })?;
        }
    }
    // The width of frame numbers.
    bits.ue()?;
    skip_order_count(&mut bits)?;
    // Reference frames, and whether gaps are allowed.
    bits.ue()?;
    bits.bit()?;
    let (width_mbs, height_units) = (bits.ue()?.checked_add(1)?, bits.ue()?.checked_add(1)?);
    let frame_only = bits.bit()?;
    if !frame_only {
        bits.bit()?;
    }
    bits.bit()?;
    let fields = if frame_only { 1 } else { 2 };
    let (mut width, mut height) = (width_mbs.checked_mul(16)?, height_units.checked_mul(16 * fields)?);
    if bits.bit()? {
        // Table 6-1: samples of a chroma unit.
        let (unit_x, unit_y) = match (chroma, separate_planes) {
            (1, _) => (2, 2 * fields),
            (2, _) => (2, fields),
            _ => (1, fields),
        };
        let (left, right, top, bottom) = (bits.ue()?, bits.ue()?, bits.ue()?, bits.ue()?);
        width = width.checked_sub(left.checked_add(right)?.checked_mul(unit_x)?)?;
        height = height.checked_sub(top.checked_add(bottom)?.checked_mul(unit_y)?)?;
    }
    Some(Size { width: width.try_into().ok()?, height: height.try_into().ok()? })
}

/// H.264 §7.3.2.1.1.1.
fn skip_scaling_lists(bits: &mut Bits<'_>, count: u32) -> Option<()> {
    for list in 0..count {
        if !bits.bit()? {
            continue;
        }
        let (mut last, mut next) = (8i64, 8i64);
        for _ in 0..if list < 6 { 16 } else { 64 } {
            if next != 0 {
                next = (last + bits.se()?).rem_euclid(256);
            }
            last = if next == 0 { last } else { next };
        }
    }
    Some(())
}

fn skip_order_count(bits: &mut Bits<'_>) -> Option<()> {
    match bits.ue()? {
        0 => drop(bits.ue()?),
        1 => {
            bits.bit()?;
            bits.se()?;
            bits.se()?;
            let count = bits.ue()?;
            if count > 255 {
                return None;
            }
            for _ in 0..count {
                bits.se()?;
            }
        }
        _ => {}
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As x264 writes them: constrained baseline, 640 x 360 (368 with 8 lines cropped), and high,
    /// 1920 x 1080 in fields.
    const SPS_360: [u8; 25] = [
        0x67, 0x42, 0xC0, 0x1E, 0xD9, 0x00, 0xA0, 0x2F, 0xF9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00,
        0x03, 0x00, 0x3C, 0x0F, 0x16, 0x2E, 0x48,
    ];
    const SPS_1080: [u8; 26] = [
        0x67, 0x64, 0x00, 0x28, 0xAC, 0xD9, 0x40, 0x78, 0x04, 0x4F, 0xDE, 0x02, 0x20, 0x00, 0x00, 0x03, 0x00, 0x20,
        0x00, 0x00, 0x07, 0x83, 0xE2, 0xC5, 0xB2, 0xC0,
    ];
    const PPS: [u8; 4] = [0x68, 0xCE, 0x38, 0x80];

    fn stap(units: &[&[u8]]) -> Vec<u8> {
        let mut payload = vec![0x78];
        for unit in units {
            payload.extend(u16::try_from(unit.len()).expect("short").to_be_bytes());
            payload.extend(*unit);
        }
        payload
    }

    /// Writes bits and Exp-Golomb codes.
    #[derive(Default)]
    struct Writer(Vec<bool>);

    impl Writer {
        fn bits(mut self, value: u32, count: u32) -> Self {
            self.0.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
            self
        }

        fn ue(self, value: u32) -> Self {
            let length = 32 - (value + 1).leading_zeros();
            self.bits(0, length - 1).bits(value + 1, length)
        }

        fn bytes(self) -> Vec<u8> {
            self.0
                .chunks(8)
                .map(|bits| bits.iter().enumerate().map(|(at, bit)| u8::from(*bit) << (7 - at)).sum())
                .collect()
        }
    }

    fn baseline(width_mbs: u32, height_mbs: u32, crop_bottom: u32) -> Vec<u8> {
        let sps = Writer::default().bits(66, 8).bits(0xC01E, 16).ue(0).ue(0).ue(2).ue(1).bits(0, 1);
        let sps = sps.ue(width_mbs - 1).ue(height_mbs - 1).bits(1, 1).bits(1, 1);
        let sps = sps.bits(1, 1).ue(0).ue(0).ue(0).ue(crop_bottom).bits(0, 1).bits(1, 1);
        [vec![0x67], sps.bytes()].concat()
    }

    #[test]
    fn a_stap_with_parameter_sets_begins_a_keyframe_and_gives_the_size() {
        let info = parse(&stap(&[&baseline(40, 23, 4), &PPS])).expect("well-formed");
        assert!(info.keyframe && info.frame_start && !info.discardable);
        assert_eq!(info.size, Some(Size { width: 640, height: 360 }));
    }

    #[test]
    fn a_high_profile_sps_with_scaling_lists_and_field_coding_gives_its_size() {
        let sps = Writer::default().bits(100, 8).bits(0x0028, 16).ue(0).ue(1).ue(0).ue(0).bits(0, 1).bits(1, 1);
        // One scaling list of 16 that ends at once (delta -8 makes 0), seven that are absent.
        let sps = sps.bits(1, 1).ue(16).bits(0, 7);
        // Order count of type 1 with one offset.
        let sps = sps.ue(0).ue(1).bits(0, 1).ue(0).ue(0).ue(1).ue(3).ue(1).bits(0, 1);
        // 120 x 34 pairs of macroblocks, fields, 8 lines cropped: 1920 x 1080.
        let sps = sps.ue(119).ue(33).bits(0, 2).bits(1, 1).bits(1, 1).ue(0).ue(0).ue(0).ue(2).bits(1, 1);
        let info = parse(&[vec![0x67], sps.bytes()].concat()).expect("well-formed");
        assert_eq!(info.size, Some(Size { width: 1920, height: 1080 }));
    }

    #[test]
    fn an_sps_that_an_encoder_wrote_gives_its_size() {
        let info = parse(&SPS_360).expect("well-formed");
        assert_eq!(info.size, Some(Size { width: 640, height: 360 }));
        let info = parse(&SPS_1080).expect("well-formed");
        assert_eq!(info.size, Some(Size { width: 1920, height: 1080 }));
    }

    #[test]
    fn an_idr_slice_alone_begins_a_frame_and_no_keyframe() {
        let info = parse(&[0x65, 0x88, 0x84]).expect("well-formed");
        assert!(info.frame_start && !info.keyframe);
        let info = parse(&[0x7C, 0x85, 0x88, 0x84]).expect("well-formed");
        assert!(info.frame_start && !info.keyframe, "the first of its fragments");
        let info = parse(&[0x7C, 0x05, 0x88, 0x84]).expect("well-formed");
        assert!(!info.frame_start, "a later fragment");
    }

    #[test]
    fn a_slice_that_no_picture_refers_to_is_discardable() {
        assert!(parse(&[0x01, 0x9A]).expect("well-formed").discardable);
        assert!(parse(&[0x1C, 0x81, 0x9A]).expect("well-formed").discardable);
        assert!(!parse(&[0x41, 0x9A]).expect("well-formed").discardable);
        assert!(!parse(&stap(&[&[0x01, 0x9A], &[0x41, 0x9A]])).expect("well-formed").discardable);
    }

    #[test]
    fn what_the_negotiated_modes_do_not_have_is_refused() {
        for payload in [
            &[][..],
            &[0xE7, 0x42],
            &[0x79, 0x00, 0x00],
            &[0x7D, 0x85, 0x00],
            &[0x78],
            &[0x78, 0x00],
            &[0x78, 0x00, 0x05, 0x67],
            &[0x78, 0x00, 0x00],
            &[0x7C],
            &[0x7C, 0xC5, 0x00],
            &[0x7C, 0x98, 0x00],
        ] {
            assert_eq!(parse(payload), None, "{payload:02x?}");
        }
    }

    #[test]
    fn a_crop_larger_than_the_picture_gives_no_size() {
        let info = parse(&baseline(1, 1, 9)).expect("well-formed");
        assert!(info.keyframe);
        assert_eq!(info.size, None);
    }
}
