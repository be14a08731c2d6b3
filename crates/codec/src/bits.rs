//! Reading the headers of frames, bit by bit.

/// Reads from the highest bit of each byte on. Past the end there is nothing.
#[derive(Clone, Debug)]
pub(crate) struct Bits<'a> {
    bytes: &'a [u8],
    next: usize,
}

impl<'a> Bits<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, next: 0 }
    }

    pub(crate) fn bit(&mut self) -> Option<bool> {
        let byte = *self.bytes.get(self.next / 8)?;
        let bit = byte >> (7 - self.next % 8) & 1;
        self.next += 1;
        Some(bit == 1)
    }

    /// Up to 32 of them.
    pub(crate) fn take(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0_u32, |value, _| Some(value << 1 | u32::from(self.bit()?)))
    }

    /// ue(v) of H.264 §9.1: as many zeros as bits follow the one.
    pub(crate) fn golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
        }
        let rest = if zeros < 32 { self.take(zeros)? } else { return None };
        Some(((1_u64 << zeros) - 1 + u64::from(rest)) as u32)
    }

    /// se(v) of H.264 §9.1.1: 1, −1, 2, −2 and so on.
    pub(crate) fn signed_golomb(&mut self) -> Option<i64> {
        let code = i64::from(self.golomb()?);
        Some(if code % 2 == 1 { (code + 1) / 2 } else { -(code / 2) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_from_the_highest_on_and_end() {
        let mut bits = Bits::new(&[0b1010_0000, 0xFF]);
        assert_eq!((bits.take(3), bits.take(5), bits.take(8)), (Some(0b101), Some(0), Some(0xFF)));
        assert_eq!((bits.bit(), bits.take(1)), (None, None));
    }

    #[test]
    fn exponential_golomb_codes_are_those_of_the_table() {
        // 1, 010, 011, 00100, then 1 (0), 010 (1), 011 (−1), 00100 (2).
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_1010, 0b0110_0100]);
        assert_eq!([(); 4].map(|()| bits.golomb()), [Some(0), Some(1), Some(2), Some(3)]);
        assert_eq!([(); 4].map(|()| bits.signed_golomb()), [Some(0), Some(1), Some(-1), Some(2)]);
        assert_eq!(Bits::new(&[0; 9]).golomb(), None);
        assert_eq!(Bits::new(&[0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFE]).golomb(), Some(u32::MAX - 1));
    }
}
