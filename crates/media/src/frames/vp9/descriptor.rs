//! The VP9 payload descriptor, RFC 9628 §4.2.

/// What stands in front of each packet's piece of a VP9 frame; only what a receiver of one
/// spatial layer needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Descriptor {
    /// I: counts frames.
    pub picture_id: Option<u16>,
    /// P: the frame refers to another one.
    pub is_predicted: bool,
    /// B: the packet begins a frame of a layer.
    pub starts_frame: bool,
    /// E: it ends it.
    pub ends_frame: bool,
    /// The frame's temporal layer, where layers are told.
    pub temporal: Option<u8>,
    /// The frame's spatial layer, where layers are told.
    pub spatial: Option<u8>,
}

/// More reference indices than this are malformed: RFC 9628 §4.2, "up to 3 times".
const REFERENCES: usize = 3;

impl Descriptor {
    /// Parses a packet's payload; gives the descriptor and the VP9 bytes behind it. `None` when
    /// it is cut short or malformed.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<(Self, &[u8])> {
        let mut rest = Reader(payload);
        let first = rest.byte()?;
        let is = |bit: u8| first & bit != 0;
        let is_flexible = is(0x10);
        let mut descriptor =
            Self { is_predicted: is(0x40), starts_frame: is(0x08), ends_frame: is(0x04), ..Self::default() };
        if is(0x80) {
            descriptor.picture_id = Some(rest.picture_id()?);
        }
        if is(0x20) {
            let layers = rest.byte()?;
            descriptor.temporal = Some(layers >> 5);
            descriptor.spatial = Some((layers >> 1) & 0x07);
            if !is_flexible {
                rest.byte()?; // TL0PICIDX
            }
        }
        if is_flexible && descriptor.is_predicted {
            rest.references()?;
        }
        if is(0x02) {
            rest.scalability_structure()?;
        }
        Some((descriptor, rest.0))
    }

    /// Appends the descriptor of a stream without layers, with a picture id of 15 bits.
    pub fn write(&self, out: &mut Vec<u8>) {
        let has = |present: bool, bit: u8| if present { bit } else { 0 };
        out.push(
            has(self.picture_id.is_some(), 0x80)
                | has(self.is_predicted, 0x40)
                | has(self.starts_frame, 0x08)
                | has(self.ends_frame, 0x04),
        );
        if let Some(id) = self.picture_id {
            out.extend_from_slice(&(id | 0x8000).to_be_bytes());
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

    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.0 = self.0.get(bytes..)?;
        Some(())
    }

    fn picture_id(&mut self) -> Option<u16> {
        let high = self.byte()?;
        if high & 0x80 == 0 {
            return Some(u16::from(high));
        }
        Some(u16::from(high & 0x7F) << 8 | u16::from(self.byte()?))
    }

    fn references(&mut self) -> Option<()> {
        for _ in 0..REFERENCES {
            if self.byte()? & 0x01 == 0 {
                return Some(());
            }
        }
        None
    }

    /// RFC 9628 §4.2.1: sizes of spatial layers, then the groups of frames.
    fn scalability_structure(&mut self) -> Option<()> {
        let first = self.byte()?;
        if first & 0x10 != 0 {
            self.skip((usize::from(first >> 5) + 1) * 4)?;
        }
        if first & 0x08 != 0 {
            for _ in 0..self.byte()? {
                let picture = self.byte()?;
                self.skip(usize::from((picture >> 2) & 0x03))?;
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn layers_references_and_the_structure_are_passed_over() {
        // I P L F B, V; picture id 0x1234; layers T1 S0; one reference; a structure with one size
        // and a group of two pictures, the second with one reference.
        let payload = [0xFA, 0x92, 0x34, 0x20, 0x02, 0x18, 2, 128, 1, 104, 2, 0x00, 0x04, 9, 0xAA];
        let (descriptor, rest) = Descriptor::parse(&payload).expect("whole");
        assert_eq!(descriptor.picture_id, Some(0x1234));
        assert_eq!((descriptor.temporal, descriptor.spatial), (Some(1), Some(0)));
        assert!(descriptor.is_predicted && descriptor.starts_frame && !descriptor.ends_frame);
        assert_eq!(rest, [0xAA]);
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_again(
            id in proptest::option::of(0..0x8000u16), flags in any::<[bool; 3]>(), body in any::<Vec<u8>>(),
        ) {
            let [is_predicted, starts_frame, ends_frame] = flags;
            let descriptor =
                Descriptor { picture_id: id, is_predicted, starts_frame, ends_frame, temporal: None, spatial: None };
            let mut bytes = Vec::new();
            descriptor.write(&mut bytes);
            bytes.extend_from_slice(&body);
            prop_assert_eq!(Descriptor::parse(&bytes), Some((descriptor, &body[..])));
        }

        #[test]
        fn any_bytes_are_parsed_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = Descriptor::parse(&bytes);
        }
    }
}
