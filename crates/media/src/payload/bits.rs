//! Bits of H.264's and AV1's headers, most significant first.

/// Reads bits. In a NAL unit's bytes it leaves out those that prevent start codes.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// In bits.
    at: usize,
    /// Whether the third byte of 00 00 03 is to be left out (H.264 §7.4.1.1).
    escaped: bool,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, escaped: false }
    }

    pub(super) fn of_nal(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, escaped: true }
    }

    pub(super) fn bit(&mut self) -> Option<bool> {
        if self.escaped && self.at.is_multiple_of(8) && self.is_escape(self.at / 8) {
            self.at += 8;
        }
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    fn is_escape(&self, at: usize) -> bool {
        at >= 2 && self.bytes.get(at - 2..=at) == Some(&[0, 0, 3])
    }

    /// Up to 32 bits.
    pub(super) fn take(&mut self, count: u32) -> Option<u32> {
        debug_assert!(count <= 32);
        let mut value = 0;
        for _ in 0..count {
            value = value << 1 | u32::from(self.bit()?);
        }
        Some(value)
    }

    /// Exp-Golomb, unsigned: H.264 §9.1. AV1's `uvlc()` is the same.
    pub(super) fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let rest = self.take(zeros)?;
        Some(((1u64 << zeros) - 1 + u64::from(rest)).try_into().unwrap_or(u32::MAX))
    }

    /// Exp-Golomb, signed: H.264 §9.1.1.
    pub(super) fn se(&mut self) -> Option<i64> {
        let coded = i64::from(self.ue()?);
        Some(if coded % 2 == 1 { (coded + 1) / 2 } else { -(coded / 2) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_golomb_codes_are_those_of_table_9_2_of_h264() {
        // 1 | 010 | 011 | 00100 | 00101 and a rest.
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0010, 0b1000_0000]);
        let codes: Vec<u32> = (0..5).map_while(|_| bits.ue()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4]);
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0010, 0b1000_0000]);
        let codes: Vec<i64> = (0..5).map_while(|_| bits.se()).collect();
        assert_eq!(codes, [0, 1, -1, 2, -2]);
    }

    #[test]
    fn bytes_that_prevent_start_codes_are_left_out_of_a_nal_unit_only() {
        let bytes = [0, 0, 3, 1];
        assert_eq!(Bits::of_nal(&bytes).take(24), Some(1));
        assert_eq!(Bits::new(&bytes).take(24), Some(3));
    }

    #[test]
    fn a_code_of_more_than_32_bits_or_beyond_the_end_is_refused() {
        assert_eq!(Bits::new(&[0; 8]).ue(), None);
        assert_eq!(Bits::new(&[0]).ue(), None);
        assert_eq!(Bits::new(&[0xFF]).take(9), None);
    }
}
