//! The VP8 payload descriptor, RFC 7741 §4.2.

/// What stands in front of each packet's piece of a VP8 frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Descriptor {
    /// Whether the packet begins a partition.
    pub starts_partition: bool,
    /// Which partition the piece belongs to; 0 together with `starts_partition` begins a frame.
    pub partition: u8,
    /// Whether no other frame refers to this one.
    pub is_discardable: bool,
    /// Counts frames; 15 bits here, wherever the sender used 7 it is as sent.
    pub picture_id: Option<u16>,
    /// Counts frames of the lowest temporal layer.
    pub tl0_pic_idx: Option<u8>,
    /// The frame's temporal layer, 0 to 3.
    pub temporal: Option<Temporal>,
}

/// The place of a frame among the temporal layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Temporal {
    /// TID, 0 to 3.
    pub layer: u8,
    /// Y: it depends on the lowest layer alone.
    pub is_sync: bool,
}

impl Temporal {
    /// The highest layer that this crate sends: no frame refers to one of it.
    pub const HIGHEST: u8 = 2;
}

/// The longest that [`Descriptor::write`] writes, in bytes.
pub const LONGEST: usize = 6;

impl Descriptor {
    /// Parses a packet's payload; gives the descriptor and the VP8 bytes behind it. `None` when it is cut short.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<(Self, &[u8])> {
        let mut rest = Reader(payload);
        let first = rest.byte()?;
        let mut descriptor = Self {
            starts_partition: first & 0x10 != 0,
            partition: first & 0x07,
            is_discardable: first & 0x20 != 0,
            ..Self::default()
        };
        if first & 0x80 != 0 {
            let extension = rest.byte()?;
            if extension & 0x80 != 0 {
                descriptor.picture_id = Some(rest.picture_id()?);
            }
            if extension & 0x40 != 0 {
                descriptor.tl0_pic_idx = Some(rest.byte()?);
            }
            if extension & 0x30 != 0 {
                let byte = rest.byte()?;
                let temporal = Temporal { layer: byte >> 6, is_sync: byte & 0x20 != 0 };
                descriptor.temporal = (extension & 0x20 != 0).then_some(temporal);
            }
        }
        Some((descriptor, rest.0))
    }

    /// Whether the packet is the first of a frame.
    #[must_use]
    pub const fn starts_frame(&self) -> bool {
        self.starts_partition && self.partition == 0
    }

    /// Appends the descriptor; a picture id takes two bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        let has = |present: bool, bit: u8| if present { bit } else { 0 };
        let extension = has(self.picture_id.is_some(), 0x80)
            | has(self.tl0_pic_idx.is_some(), 0x40)
            | has(self.temporal.is_some(), 0x20);
        out.push(
            has(extension != 0, 0x80)
                | has(self.is_discardable, 0x20)
                | has(self.starts_partition, 0x10)
                | (self.partition & 0x07),
        );
        if extension == 0 {
            return;
        }
        out.push(extension);
        if let Some(id) = self.picture_id {
            out.extend_from_slice(&(id | 0x8000).to_be_bytes());
        }
        out.extend(self.tl0_pic_idx);
        if let Some(temporal) = self.temporal {
            out.push((temporal.layer & 0x03) << 6 | has(temporal.is_sync, 0x20));
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// 7 bits, or 15 when M is set.
    fn picture_id(&mut self) -> Option<u16> {
        let high = self.byte()?;
        if high & 0x80 == 0 {
            return Some(u16::from(high));
        }
        Some(u16::from(high & 0x7F) << 8 | u16::from(self.byte()?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 7741 §4.6.1: the first partition's first packet of a frame with a 15 bit picture id.
    #[test]
    fn the_fields_stand_where_rfc_7741_draws_them() {
        let payload = [0x90, 0xF0, 0x92, 0x34, 0x07, 0x60, 0xAA];
        let (descriptor, rest) = Descriptor::parse(&payload).expect("whole");
        assert!(descriptor.starts_frame());
        assert_eq!(descriptor.picture_id, Some(0x1234));
        assert_eq!(descriptor.tl0_pic_idx, Some(7));
        assert_eq!(descriptor.temporal, Some(Temporal { layer: 1, is_sync: true }));
        assert_eq!(rest, [0xAA]);
    }

    #[test]
    fn a_short_picture_id_and_a_missing_extension_are_read() {
        assert_eq!(Descriptor::parse(&[0x80, 0x80, 0x11, 9]).expect("whole").0.picture_id, Some(0x11));
        let (plain, rest) = Descriptor::parse(&[0x10, 1, 2]).expect("whole");
        assert_eq!((plain.picture_id, plain.starts_frame(), rest), (None, true, &[1, 2][..]));
    }

    fn descriptors() -> impl Strategy<Value = Descriptor> {
        let temporal = (0..4u8, any::<bool>()).prop_map(|(layer, is_sync)| Temporal { layer, is_sync });
        (
            any::<bool>(),
            0..8u8,
            any::<bool>(),
            proptest::option::of(0..0x8000u16),
            any::<Option<u8>>(),
            proptest::option::of(temporal),
        )
            .prop_map(|(starts_partition, partition, is_discardable, picture_id, tl0_pic_idx, temporal)| {
                Descriptor { starts_partition, partition, is_discardable, picture_id, tl0_pic_idx, temporal }
            })
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_again(descriptor in descriptors(), body in any::<Vec<u8>>()) {
            let mut bytes = Vec::new();
            descriptor.write(&mut bytes);
            prop_assert!(bytes.len() <= LONGEST);
            bytes.extend_from_slice(&body);
            prop_assert_eq!(Descriptor::parse(&bytes), Some((descriptor, &body[..])));
        }

        #[test]
        fn any_bytes_are_parsed_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            let _ = Descriptor::parse(&bytes);
        }
    }
}
