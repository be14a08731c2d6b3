//! AV1 over RTP ("RTP Payload Format For AV1" of the Alliance for Open Media). A frame is a
//! temporal unit in the low-overhead bitstream format (AV1 §5.2): every OBU has its size.

use super::{Size, piece::Begins};
use crate::payload::PayloadInfo;
use crate::session::VideoCodec;

const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;
const FRAME_HEADER: u8 = 3;
const FRAME: u8 = 6;
const TILE_LIST: u8 = 8;

/// An OBU of a temporal unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Obu<'a> {
    /// One byte, or two with an extension; without the bit that says that a size follows.
    header: [u8; 2],
    has_extension: bool,
    body: &'a [u8],
}

impl<'a> Obu<'a> {
    /// The first OBU of `bytes`, and what follows it.
    fn split(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&first, mut rest) = bytes.split_first()?;
        // The forbidden bit, §5.3.2.
        if first & 0x80 != 0 {
            return None;
        }
        let has_extension = first & 0x04 != 0;
        let mut header = [first & !0x02, 0];
        if has_extension {
            let (&second, after) = rest.split_first()?;
            (header[1], rest) = (second, after);
        }
        let (body, rest) = if first & 0x02 != 0 {
            let (length, after) = leb128(rest)?;
            after.split_at_checked(length)?
        } else {
            (rest, &[][..])
        };
        Some((Self { header, has_extension, body }, rest))
    }

    const fn kind(&self) -> u8 {
        self.header[0] >> 3 & 0x0F
    }

    fn header(&self) -> &[u8] {
        &self.header[..1 + usize::from(self.has_extension)]
    }
}

/// The OBUs of a temporal unit, up to the first that is malformed.
fn obus(frame: &[u8]) -> impl Iterator<Item = Obu<'_>> {
    let mut rest = frame;
    std::iter::from_fn(move || {
        let (obu, after) = Obu::split(rest)?;
        rest = after;
        Some(obu)
    })
}

/// AV1 §4.10.5, as far as a frame's length goes.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0usize;
    for (place, byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7F) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[place + 1..]));
        }
    }
    None
}

fn write_leb128(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Whether a coded video sequence begins with this temporal unit (§7.5): it has a sequence header,
/// which may be repeated elsewhere too, and its first frame is a keyframe that is shown.
#[must_use]
pub fn is_keyframe(frame: &[u8]) -> bool {
    let header = obus(frame).find(|obu| obu.kind() == SEQUENCE_HEADER);
    let first = obus(frame).find(|obu| matches!(obu.kind(), FRAME_HEADER | FRAME));
    // reduced_still_picture_header, §5.5.1: no other frame there can be.
    let is_still = |obu: Obu<'_>| obu.body.first().is_some_and(|byte| byte & 0x08 != 0);
    // show_existing_frame, then two bits of frame_type: §5.9.2.
    let is_key = |obu: Obu<'_>| obu.body.first().is_some_and(|byte| byte & 0xE0 == 0);
    header.is_some_and(|header| first.is_some_and(|first| is_still(header) || is_key(first)))
}

/// The largest picture of the sequence, where this temporal unit begins one.
#[must_use]
pub fn size(frame: &[u8]) -> Option<Size> {
    let obu = obus(frame).find(|obu| obu.kind() == SEQUENCE_HEADER)?;
    // As the only element of a packet (W = 1, N = 1): its size is read there.
    let payload = [&[0x18], obu.header(), obu.body].concat();
    PayloadInfo::parse(VideoCodec::Av1, &payload)?.size.map(Size::from)
}

/// One that begins a sequence begins a temporal unit, and one that continues an OBU does not.
pub(super) fn begins(payload: &[u8]) -> Begins {
    match payload.first() {
        Some(aggregation) if aggregation & 0x80 != 0 => Begins::No,
        Some(aggregation) if aggregation & 0x08 != 0 => Begins::Yes,
        _ => Begins::Perhaps,
    }
}

/// What is known so far of a temporal unit.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    /// An OBU whose end has not come.
    pending: Vec<u8>,
}

impl Joiner {
    /// Appends what a payload holds. `None` when it is malformed.
    pub(super) fn append(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let (&aggregation, mut rest) = payload.split_first()?;
        let (continues, goes_on) = (aggregation & 0x80 != 0, aggregation & 0x40 != 0);
        let count = usize::from(aggregation >> 4 & 3);
        // The end of an OBU whose beginning never came is of no use.
        let mut is_headless = continues && self.pending.is_empty();
        if !continues {
            self.pending.clear();
        }
        let mut index = 0usize;
        while !rest.is_empty() {
            index += 1;
            let element;
            if count != 0 && index == count {
                (element, rest) = (rest, &[]);
            } else {
                let (length, after) = leb128(rest)?;
                (element, rest) = after.split_at_checked(length)?;
            }
            if std::mem::take(&mut is_headless) {
                continue;
            }
            self.pending.extend_from_slice(element);
            if !(rest.is_empty() && goes_on) {
                self.finish(out)?;
            }
        }
        Some(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Option<()> {
        if out.is_empty() {
            out.extend_from_slice(&[TEMPORAL_DELIMITER << 3 | 0x02, 0]);
        }
        let bytes = std::mem::take(&mut self.pending);
        let (obu, _) = Obu::split(&bytes)?;
        if !matches!(obu.kind(), TEMPORAL_DELIMITER | TILE_LIST) {
            out.push(obu.header[0] | 0x02);
            out.extend_from_slice(&obu.header()[1..]);
            write_leb128(obu.body.len(), out);
            out.extend_from_slice(obu.body);
        }
        Some(())
    }
}

/// The payloads of a temporal unit, each of at most `largest` bytes (8 at least), in order; the last
/// one's RTP packet has the marker bit.
#[must_use]
pub fn packetize(frame: &[u8], largest: usize) -> Vec<Vec<u8>> {
    let largest = largest.max(8);
    let begins_sequence = is_keyframe(frame);
    let mut payloads: Vec<Vec<u8>> = Vec::new();
    let mut open = vec![if begins_sequence { 0x08 } else { 0 }];
    let mut layer = None;
    for obu in obus(frame).filter(|obu| !matches!(obu.kind(), TEMPORAL_DELIMITER | TILE_LIST)) {
        // §5: OBUs of one packet that name their layers are of the same one.
        let own = obu.has_extension.then_some(obu.header[1]);
        if own.is_some() && layer.is_some() && own != layer && open.len() > 1 {
            payloads.push(std::mem::replace(&mut open, vec![0]));
        }
        layer = own.or(layer);
        let bytes = [obu.header(), obu.body].concat();
        let mut rest = &bytes[..];
        loop {
            // An element has its length before it, in up to two bytes at this size.
            let room = (largest - open.len()).saturating_sub(if largest > 128 { 2 } else { 1 });
            let (piece, after) = rest.split_at(rest.len().min(room));
            if !piece.is_empty() {
                write_leb128(piece.len(), &mut open);
                open.extend_from_slice(piece);
            }
            rest = after;
            if rest.is_empty() {
                break;
            }
            // What goes on in the next packet: Y here, Z there, unless none of it is here yet.
            let is_split = rest.len() < bytes.len();
            open[0] |= if is_split { 0x40 } else { 0 };
            payloads.push(std::mem::replace(&mut open, vec![if is_split { 0x80 } else { 0 }]));
        }
    }
    if open.len() > 1 {
        payloads.push(open);
    }
    payloads
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 640 × 360, the reduced header of a still picture: profile, two flags, level, 10 + 9 bits.
    fn sequence_header() -> Vec<u8> {
        // 000 1 1 00000 1001 1000 1001111111 101100111 …
        let bits = "000".to_owned() + "1" + "1" + "00000" + "1001" + "1000" + "1001111111" + "101100111" + "0000000";
        let bytes = bits
            .as_bytes()
            .chunks(8)
            .map(|chunk| chunk.iter().enumerate().fold(0, |byte, (at, bit)| byte | (bit - b'0') << (7 - at)));
        bytes.collect()
    }

    fn unit(obus: &[(u8, Vec<u8>)]) -> Vec<u8> {
        let mut out = vec![TEMPORAL_DELIMITER << 3 | 0x02, 0];
        for (kind, body) in obus {
            out.push(kind << 3 | 0x02);
            write_leb128(body.len(), &mut out);
            out.extend_from_slice(body);
        }
        out
    }

    fn joined(payloads: &[Vec<u8>]) -> Vec<u8> {
        let (mut joiner, mut out) = (Joiner::default(), Vec::new());
        payloads.iter().for_each(|payload| joiner.append(payload, &mut out).expect("well-formed"));
        out
    }

    #[test]
    fn a_unit_with_a_sequence_header_is_a_keyframe_and_tells_its_size() {
        let frame = unit(&[(SEQUENCE_HEADER, sequence_header()), (FRAME, vec![0x10; 3000])]);
        assert!(is_keyframe(&frame));
        assert_eq!(size(&frame), Some(Size { width: 640, height: 360 }));
        let payloads = packetize(&frame, 1200);
        assert_eq!([begins(&payloads[0]), begins(&payloads[1])], [Begins::Yes, Begins::No]);
        assert_eq!(payloads.iter().map(|payload| payload[0] >> 6).collect::<Vec<_>>(), [1, 3, 2]);
        let info = PayloadInfo::parse(VideoCodec::Av1, &payloads[0]).expect("well-formed");
        assert!(info.keyframe && info.size.is_some());
        assert_eq!(joined(&payloads), frame);
        assert!(!is_keyframe(&unit(&[(FRAME, vec![0x10; 30])])));
    }

    #[test]
    fn the_last_of_a_counted_number_of_elements_has_no_length() {
        // W = 2: a length before the first alone.
        let payload = vec![0x20, 2, 6 << 3, 0xAA, 6 << 3, 0xBB, 0xCC];
        let expected = unit(&[(6, vec![0xAA]), (6, vec![0xBB, 0xCC])]);
        assert_eq!(joined(&[payload]), expected);
    }

    #[test]
    fn a_repeated_sequence_header_makes_no_keyframe_of_a_frame_that_refers_to_others() {
        // Not reduced: the fourth bit after the profile is 0. A shown inter frame: 0 01.
        let header = vec![0x00, 0x00, 0x00];
        assert!(!is_keyframe(&unit(&[(SEQUENCE_HEADER, header.clone()), (FRAME, vec![0x30, 1])])));
        assert!(is_keyframe(&unit(&[(SEQUENCE_HEADER, header), (FRAME, vec![0x10, 1])])));
    }

    #[test]
    fn layers_do_not_share_a_packet() {
        let obu = |layer: u8| [vec![FRAME << 3 | 0x06, layer << 3, 3], vec![1, 2, 3]].concat();
        let frame = [vec![TEMPORAL_DELIMITER << 3 | 0x02, 0], obu(0), obu(0), obu(1)].concat();
        let payloads = packetize(&frame, 1200);
        assert_eq!(payloads.len(), 2);
        assert_eq!(joined(&payloads), frame);
    }

    #[test]
    fn the_end_of_an_obu_that_has_no_beginning_is_left_out() {
        let payload = vec![0x80, 2, 0xAA, 0xBB, 2, FRAME << 3, 0xCC];
        assert_eq!(joined(&[payload]), unit(&[(FRAME, vec![0xCC])]));
    }

    #[test]
    fn hundreds_of_elements_are_counted() {
        let payload: Vec<u8> = [0].into_iter().chain([1, FRAME << 3].repeat(300)).collect();
        assert_eq!(joined(&[payload]), unit(&vec![(FRAME, vec![]); 300]));
    }

    #[test]
    fn what_is_cut_short_is_refused() {
        for payload in [&[][..], &[0, 5, 0x30], &[0, 0x80], &[0x10, 0x80]] {
            assert_eq!(Joiner::default().append(payload, &mut Vec::new()), None, "{payload:02x?}");
        }
    }

    proptest! {
        #[test]
        fn packets_of_any_temporal_unit_give_it_back(
            obus in proptest::collection::vec(
                (prop_oneof![Just(1u8), Just(3), Just(4), Just(6)], proptest::collection::vec(any::<u8>(), 0..3000)), 1..6),
            largest in 8..1400usize,
        ) {
            let frame = unit(&obus);
            let payloads = packetize(&frame, largest);
            prop_assert!(payloads.iter().all(|payload| payload.len() <= largest));
            prop_assert_eq!(joined(&payloads), frame);
        }

        #[test]
        fn any_bytes_are_taken_or_refused(payload in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = Joiner::default().append(&payload, &mut Vec::new());
            let _ = (begins(&payload), is_keyframe(&payload), size(&payload), packetize(&payload, 10));
        }
    }
}
