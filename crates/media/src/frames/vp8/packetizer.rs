//! Cuts VP8 frames into RTP payloads.

use super::{Descriptor, LONGEST, Temporal};

/// The frame counters of one stream, and the packets' size.
#[derive(Debug)]
pub struct Packetizer {
    picture_id: u16,
    tl0_pic_idx: u8,
    largest: usize,
}

impl Packetizer {
    /// A packetiser whose payloads, descriptor included, have at most `largest` bytes. The
    /// counters begin where `seed` says: RFC 7741 §4.2 wants random ones.
    #[must_use]
    pub fn new(largest: usize, seed: u32) -> Self {
        let [high, low, tl0, _] = seed.to_be_bytes();
        let picture_id = u16::from_be_bytes([high, low]) & 0x7FFF;
        Self { picture_id, tl0_pic_idx: tl0, largest: largest.max(LONGEST + 1) }
    }

    /// The payloads of a frame, in order; the last one's RTP packet has the marker bit.
    pub fn packetize<'f>(
        &mut self,
        frame: &'f [u8],
        temporal: Temporal,
    ) -> impl ExactSizeIterator<Item = Vec<u8>> + use<'f> {
        self.picture_id = (self.picture_id + 1) & 0x7FFF;
        if temporal.layer == 0 {
            self.tl0_pic_idx = self.tl0_pic_idx.wrapping_add(1);
        }
        let first = Descriptor {
            starts_partition: true,
            partition: 0,
            is_discardable: temporal.layer == Temporal::HIGHEST,
            picture_id: Some(self.picture_id),
            tl0_pic_idx: Some(self.tl0_pic_idx),
            temporal: Some(temporal),
        };
        // Pieces of like size: no packet is more likely to be lost than another.
        let pieces = frame.len().div_ceil(self.largest - LONGEST).max(1);
        let size = frame.len().div_ceil(pieces).max(1);
        frame.chunks(size).enumerate().map(move |(index, piece)| {
            let mut payload = Vec::with_capacity(LONGEST + piece.len());
            Descriptor { starts_partition: index == 0, ..first }.write(&mut payload);
            payload.extend_from_slice(piece);
            payload
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BASE: Temporal = Temporal { layer: 0, is_sync: false };

    #[test]
    fn counters_go_on_over_frames_and_wrap() {
        let mut packetizer = Packetizer::new(1200, 0x7FFE_FF00);
        let mut next = |temporal| {
            let payload = packetizer.packetize(&[1], temporal).next().expect("a packet");
            let descriptor = Descriptor::parse(&payload).expect("whole").0;
            (descriptor.picture_id.expect("sent"), descriptor.tl0_pic_idx.expect("sent"))
        };
        assert_eq!(next(BASE), (0x7FFF, 0));
        assert_eq!(next(Temporal { layer: 1, is_sync: true }), (0, 0));
        assert_eq!(next(BASE), (1, 1));
    }

    proptest! {
        #[test]
        fn pieces_are_the_frame_and_none_is_too_large(
            frame in proptest::collection::vec(any::<u8>(), 1..5000),
            largest in 7..1400usize,
        ) {
            let mut joined = Vec::new();
            for (index, payload) in Packetizer::new(largest, 1).packetize(&frame, BASE).enumerate() {
                prop_assert!(payload.len() <= largest);
                let (descriptor, piece) = Descriptor::parse(&payload).expect("whole");
                prop_assert_eq!(descriptor.starts_frame(), index == 0);
                joined.extend_from_slice(piece);
            }
            prop_assert_eq!(joined, frame);
        }
    }
}
