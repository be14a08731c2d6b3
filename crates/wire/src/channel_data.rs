//! ChannelData: RFC 8656 §12.4. Two bytes of channel number, two of length, then the data.

/// A channel number: `0x4000` to `0x7FFF`.
///
/// RFC 8656 §12 has narrowed what RFC 5766 §11 allowed to `0x4000..=0x4FFF`, but clients of the
/// older one (coturn's among them) take numbers from all of it, and nothing else on a TURN
/// connection begins with these bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelNumber(u16);

impl ChannelNumber {
    /// The lowest channel number.
    pub const MIN: Self = Self(0x4000);
    /// The highest channel number.
    pub const MAX: Self = Self(0x7FFF);

    /// The number, if it is in range.
    #[must_use]
    pub const fn new(number: u16) -> Option<Self> {
        if number >= Self::MIN.0 && number <= Self::MAX.0 { Some(Self(number)) } else { None }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The place of this channel counted from [`ChannelNumber::MIN`].
    #[must_use]
    #[inline]
    pub const fn index(self) -> usize {
        (self.0 - Self::MIN.0) as usize
    }
}

/// Bytes that are no ChannelData message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidChannel {
    /// The channel number is outside `0x4000..=0x7FFF`; RFC 8656 §12.6 says to drop it.
    #[error("the channel number is out of range")]
    Number,
    /// The length field says more than there is.
    #[error("the message is shorter than it says")]
    Truncated,
}

/// A ChannelData message that borrows its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelData<'a> {
    /// On which channel.
    pub channel: ChannelNumber,
    /// The application's data, without padding.
    pub data: &'a [u8],
}

impl<'a> ChannelData<'a> {
    /// The bytes of the header.
    pub const HEADER: usize = 4;

    /// Reads one message; bytes after it are padding and are left out (RFC 8656 §12.5).
    ///
    /// # Errors
    /// When the channel number is out of range or the data is cut short.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, InvalidChannel> {
        let [n0, n1, l0, l1, rest @ ..] = bytes else { return Err(InvalidChannel::Truncated) };
        let channel = ChannelNumber::new(u16::from_be_bytes([*n0, *n1])).ok_or(InvalidChannel::Number)?;
        let length = usize::from(u16::from_be_bytes([*l0, *l1]));
        let data = rest.get(..length).ok_or(InvalidChannel::Truncated)?;
        Ok(Self { channel, data })
    }

    /// The header in front of `length` bytes of data, or `None` when that is more than fits.
    #[must_use]
    #[inline]
    pub fn header(channel: ChannelNumber, length: usize) -> Option<[u8; 4]> {
        let [l0, l1] = u16::try_from(length).ok()?.to_be_bytes();
        let [n0, n1] = channel.get().to_be_bytes();
        Some([n0, n1, l0, l1])
    }

    /// The zero bytes that follow `length` bytes of data on a stream (RFC 8656 §12.5).
    #[must_use]
    pub const fn padding(length: usize) -> usize {
        length.wrapping_neg() & 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_back_as_written() {
        let channel = ChannelNumber::new(0x4001).expect("in range");
        let mut bytes = ChannelData::header(channel, 5).expect("short").to_vec();
        bytes.extend_from_slice(b"hello\0\0\0");
        assert_eq!(ChannelData::parse(&bytes), Ok(ChannelData { channel, data: b"hello" }));
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for number in [0x0000, 0x3FFF, 0x8000, 0xFFFF] {
            assert_eq!(ChannelNumber::new(number), None, "{number:#x}");
        }
        assert_eq!(ChannelData::parse(&[0x80, 0, 0, 0]), Err(InvalidChannel::Number));
    }

    #[test]
    fn a_length_beyond_the_bytes_is_refused() {
        assert_eq!(ChannelData::parse(&[0x40, 0, 0, 2, 9]), Err(InvalidChannel::Truncated));
        assert_eq!(ChannelData::parse(&[0x40, 0, 0]), Err(InvalidChannel::Truncated));
    }

    #[test]
    fn padding_fills_up_to_four() {
        assert_eq!([0, 1, 2, 3, 4, 5].map(ChannelData::padding), [0, 3, 2, 1, 0, 3]);
    }
}
