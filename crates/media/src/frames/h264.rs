//! H.264 over RTP, RFC 6184 with packetization-mode 1: single units, STAP-A and FU-A. A frame is
//! an access unit in the byte stream format (ITU-T H.264, Annex B).

use super::{Size, piece::Begins};
use crate::payload::PayloadInfo;
use crate::session::VideoCodec;

const IDR: u8 = 5;
const SPS: u8 = 7;
const PPS: u8 = 8;
const DELIMITER: u8 = 9;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// Whether an access unit has an IDR picture.
#[must_use]
pub fn is_keyframe(frame: &[u8]) -> bool {
    units(frame).any(|unit| kind(unit) == IDR)
}

/// The picture's size, where the access unit has a sequence parameter set.
#[must_use]
pub fn size(frame: &[u8]) -> Option<Size> {
    let sps = units(frame).find(|unit| kind(unit) == SPS)?;
    PayloadInfo::parse(VideoCodec::H264, sps)?.size.map(Size::from)
}

fn kind(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |header| header & 0x1F)
}

/// The NAL units of a byte stream, without their start codes; empty ones are left out.
pub fn units(frame: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(frame);
    std::iter::from_fn(move || {
        let bytes = rest?;
        let end = bytes.windows(3).position(|three| three == [0, 0, 1]).unwrap_or(bytes.len());
        rest = after_start_code(&bytes[end..]);
        let mut unit = &bytes[..end];
        // Zeros before a start code belong to neither (Annex B, trailing_zero_8bits).
        while let Some((0, shorter)) = unit.split_last() {
            unit = shorter;
        }
        Some(unit)
    })
    .filter(|unit| !unit.is_empty())
}

fn after_start_code(bytes: &[u8]) -> Option<&[u8]> {
    let at = bytes.windows(3).position(|three| three == [0, 0, 1])?;
    Some(&bytes[at + 3..])
}

/// Parameter sets, a delimiter and the slice with the first macroblock begin an access unit; later
/// pieces of a unit do not.
pub(super) fn begins(payload: &[u8]) -> Begins {
    let (kind, body) = match kind(payload) {
        STAP_A => (payload.get(3..).map_or(0, kind), payload.get(4..)),
        FU_A if payload.get(1).is_some_and(|header| header & 0x80 == 0) => return Begins::No,
        FU_A => (payload.get(1).map_or(0, |header| header & 0x1F), payload.get(2..)),
        kind => (kind, payload.get(1..)),
    };
    // first_mb_in_slice is 0, in Exp-Golomb code a single 1 (ITU-T H.264 §7.3.3, §9.1).
    let is_first_slice = || body.and_then(<[u8]>::first).is_some_and(|byte| byte & 0x80 != 0);
    match kind {
        SPS | DELIMITER => Begins::Yes,
        1 | 2 | IDR if is_first_slice() => Begins::Yes,
        _ => Begins::Perhaps,
    }
}

/// Appends what a payload holds of an access unit. `None` when it is malformed, or of a mode that
/// was not negotiated.
pub(super) fn append(payload: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (indicator, body) = payload.split_first()?;
    match indicator & 0x1F {
        1..=23 => push(payload, out),
        STAP_A => {
            let mut rest = body;
            while !rest.is_empty() {
                let (length, after) = rest.split_first_chunk()?;
                let (unit, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
                push(unit, out);
                rest = after;
            }
        }
        FU_A => {
            let (header, piece) = body.split_first()?;
            if header & 0x80 != 0 {
                out.extend_from_slice(&START_CODE);
                out.push(indicator & 0xE0 | header & 0x1F);
            } else if out.is_empty() {
                return None;
            }
            out.extend_from_slice(piece);
        }
        _ => return None,
    }
    Some(())
}

fn push(unit: &[u8], out: &mut Vec<u8>) {
    if !unit.is_empty() {
        out.extend_from_slice(&START_CODE);
        out.extend_from_slice(unit);
    }
}

/// The payloads of an access unit, each of at most `largest` bytes (4 at least), in order; the last
/// one's RTP packet has the marker bit. Parameter sets go together, so that one packet tells that a
/// keyframe begins.
#[must_use]
pub fn packetize(frame: &[u8], largest: usize) -> Vec<Vec<u8>> {
    let largest = largest.max(4);
    let mut payloads = Vec::new();
    let mut sets: Vec<&[u8]> = Vec::new();
    for unit in units(frame) {
        if matches!(kind(unit), SPS | PPS) && unit.len() + 2 < largest {
            let size: usize = sets.iter().map(|set| set.len() + 2).sum();
            if 1 + size + unit.len() + 2 > largest {
                flush_sets(&mut sets, &mut payloads);
            }
            sets.push(unit);
            continue;
        }
        flush_sets(&mut sets, &mut payloads);
        if unit.len() <= largest {
            payloads.push(unit.to_vec());
        } else {
            fragment(unit, largest, &mut payloads);
        }
    }
    flush_sets(&mut sets, &mut payloads);
    payloads
}

/// RFC 6184 §5.7.1; one set alone needs no aggregation.
fn flush_sets(sets: &mut Vec<&[u8]>, payloads: &mut Vec<Vec<u8>>) {
    match sets[..] {
        [] => {}
        [one] => payloads.push(one.to_vec()),
        _ => {
            let importance = sets.iter().map(|set| set[0] & 0x60).max().unwrap_or(0);
            let mut payload = vec![importance | STAP_A];
            for set in sets.iter() {
                payload.extend_from_slice(&u16::try_from(set.len()).unwrap_or(u16::MAX).to_be_bytes());
                payload.extend_from_slice(set);
            }
            payloads.push(payload);
        }
    }
    sets.clear();
}

/// RFC 6184 §5.8, in pieces of like size.
fn fragment(unit: &[u8], largest: usize, payloads: &mut Vec<Vec<u8>>) {
    let Some((header, body)) = unit.split_first() else { return };
    let pieces = body.len().div_ceil(largest - 2);
    let size = body.len().div_ceil(pieces);
    for (index, piece) in body.chunks(size).enumerate() {
        let start = if index == 0 { 0x80 } else { 0 };
        let end = if (index + 1) * size >= body.len() { 0x40 } else { 0 };
        let mut payload = vec![header & 0xE0 | FU_A, start | end | header & 0x1F];
        payload.extend_from_slice(piece);
        payloads.push(payload);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Constrained baseline, 640 × 360, as x264 writes it.
    const SPS_360: [u8; 25] = [
        0x67, 0x42, 0xC0, 0x1E, 0xD9, 0x00, 0xA0, 0x2F, 0xF9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00,
        0x03, 0x00, 0x3C, 0x0F, 0x16, 0x2E, 0x48,
    ];
    const PPS_SHORT: [u8; 4] = [0x68, 0xCE, 0x38, 0x80];

    fn stream(units: &[&[u8]]) -> Vec<u8> {
        units.iter().flat_map(|unit| START_CODE.into_iter().chain(unit.iter().copied())).collect()
    }

    fn joined(payloads: &[Vec<u8>]) -> Vec<u8> {
        let mut out = Vec::new();
        payloads.iter().for_each(|payload| append(payload, &mut out).expect("well-formed"));
        out
    }

    #[test]
    fn parameter_sets_go_in_one_packet_before_the_pieces_of_the_picture() {
        let picture: Vec<u8> = [0x65].into_iter().chain((0..2500).map(|byte| (byte % 250) as u8 + 1)).collect();
        let frame = stream(&[&SPS_360, &PPS_SHORT, &picture]);
        assert!(is_keyframe(&frame));
        assert_eq!(size(&frame), Some(Size { width: 640, height: 360 }));
        let payloads = packetize(&frame, 1200);
        assert_eq!(payloads.iter().map(|payload| payload[0] & 0x1F).collect::<Vec<_>>(), [24, 28, 28, 28]);
        assert_eq!(
            [&payloads[0], &payloads[1], &payloads[2]].map(|payload| begins(payload)),
            [Begins::Yes, Begins::Perhaps, Begins::No]
        );
        assert_eq!(begins(&[0x41, 0x9A]), Begins::Yes, "the first macroblock's slice");
        assert!(PayloadInfo::parse(VideoCodec::H264, &payloads[0]).expect("well-formed").keyframe);
        assert_eq!(joined(&payloads), frame);
    }

    #[test]
    fn start_codes_of_three_bytes_and_trailing_zeros_are_understood() {
        let found: Vec<&[u8]> =
            [&[0u8, 0, 1, 0x09, 0xF0, 0, 0, 0, 0, 1, 0x41, 7, 0, 0][..]].into_iter().flat_map(units).collect();
        assert_eq!(found, [&[0x09, 0xF0][..], &[0x41, 7]]);
        assert!(!is_keyframe(&[0, 0, 1, 0x41, 7]));
        assert_eq!(units(&[1, 2, 3]).count(), 0);
    }

    #[test]
    fn what_is_cut_short_or_not_negotiated_is_refused() {
        for payload in [&[][..], &[0x78, 0], &[0x78, 0, 5, 0x67], &[0x7C], &[0x79, 0, 0], &[0x60]] {
            assert_eq!(append(payload, &mut Vec::new()), None, "{payload:02x?}");
        }
    }

    proptest! {
        #[test]
        fn packets_of_any_access_unit_give_it_back(
            bodies in proptest::collection::vec(
                (1u8..24, proptest::collection::vec(1u8.., 0..3000)), 1..6),
            largest in 60..1400usize,
        ) {
            let units: Vec<Vec<u8>> = bodies.into_iter().map(|(kind, mut body)| { body.insert(0, 0x60 | kind); body }).collect();
            let frame = stream(&units.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let payloads = packetize(&frame, largest);
            prop_assert!(payloads.iter().all(|payload| payload.len() <= largest));
            prop_assert_eq!(joined(&payloads), frame);
        }

        #[test]
        fn any_bytes_are_taken_or_refused(payload in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut out = Vec::new();
            let _ = append(&payload, &mut out);
            let _ = (begins(&payload), is_keyframe(&payload), size(&payload), packetize(&payload, 10));
        }
    }
}
