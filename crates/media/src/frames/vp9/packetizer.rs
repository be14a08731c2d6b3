//! Cuts VP9 frames of a stream without layers into RTP payloads.

use super::Descriptor;

/// The longest descriptor that is written, in bytes.
const HEADER: usize = 3;

/// The frame counter of one stream, and the packets' size.
#[derive(Debug)]
pub struct Packetizer {
    picture_id: u16,
    largest: usize,
}

impl Packetizer {
    /// A packetiser whose payloads, descriptor included, have at most `largest` bytes. The
    /// counter begins where `seed` says: RFC 9628 §4.2 wants a random one.
    #[must_use]
    pub fn new(largest: usize, seed: u32) -> Self {
        Self { picture_id: (seed >> 16) as u16 & 0x7FFF, largest: largest.max(HEADER + 1) }
    }

    /// The payloads of a frame, in order; the last one's RTP packet has the marker bit.
    pub fn packetize<'f>(
        &mut self,
        frame: &'f [u8],
        is_keyframe: bool,
    ) -> impl ExactSizeIterator<Item = Vec<u8>> + use<'f> {
        self.picture_id = (self.picture_id + 1) & 0x7FFF;
        let picture_id = Some(self.picture_id);
        let pieces = frame.len().div_ceil(self.largest - HEADER).max(1);
        let size = frame.len().div_ceil(pieces).max(1);
        let last = frame.len().div_ceil(size).saturating_sub(1);
        frame.chunks(size).enumerate().map(move |(index, piece)| {
            let mut payload = Vec::with_capacity(HEADER + piece.len());
            let (starts_frame, ends_frame) = (index == 0, index == last);
            let descriptor = Descriptor {
                picture_id,
                is_predicted: !is_keyframe,
                starts_frame,
                ends_frame,
                ..Descriptor::default()
            };
            descriptor.write(&mut payload);
            payload.extend_from_slice(piece);
            payload
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_are_the_frame_begin_once_and_end_once(
            frame in proptest::collection::vec(any::<u8>(), 1..5000),
            largest in 4..1400usize,
        ) {
            let mut joined = Vec::new();
            let payloads: Vec<_> = Packetizer::new(largest, 1).packetize(&frame, false).collect();
            for (index, payload) in payloads.iter().enumerate() {
                prop_assert!(payload.len() <= largest);
                let (descriptor, piece) = Descriptor::parse(payload).expect("whole");
                prop_assert_eq!(descriptor.starts_frame, index == 0);
                prop_assert_eq!(descriptor.ends_frame, index + 1 == payloads.len());
                joined.extend_from_slice(piece);
            }
            prop_assert_eq!(joined, frame);
        }
    }
}
