//! What arrived: a STUN message or ChannelData (RFC 8656 §12, RFC 7983 §7).

use crate::{ChannelData, stun};

/// One packet of a TURN client, not yet parsed further than needed to tell what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// A whole STUN message, trailing bytes cut off. Its attributes are not checked yet.
    Stun(&'a [u8]),
    /// Data on a channel.
    Channel(ChannelData<'a>),
}

impl<'a> Packet<'a> {
    /// Tells the kinds apart by the first byte: 0 to 3 begin STUN, 64 to 127 a channel.
    /// Anything else, and whatever is cut short, is `None` and to be dropped.
    #[must_use]
    #[inline]
    pub fn classify(bytes: &'a [u8]) -> Option<Self> {
        match bytes.first()? {
            0x00..=0x03 => {
                let length = stun::message_length(bytes)?;
                bytes.get(..length).map(Self::Stun)
            }
            0x40..=0x7F => ChannelData::parse(bytes).ok().map(Self::Channel),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_neither_is_dropped() {
        for bytes in [&[][..], &[0x04; 30], &[0x16, 3, 1, 0, 0], &[0x80, 0, 0, 0], b"GET / HTTP/1.1\r\n\r\n  "] {
            assert_eq!(Packet::classify(bytes), None);
        }
    }

    #[test]
    fn a_stun_header_without_the_cookie_is_dropped() {
        assert_eq!(Packet::classify(&[0; 20]), None);
    }

    #[test]
    fn bytes_after_a_stun_message_are_cut_off() {
        let mut bytes = [0u8; 23];
        bytes[1] = 1;
        bytes[4..8].copy_from_slice(&stun::MAGIC_COOKIE.to_be_bytes());
        assert_eq!(Packet::classify(&bytes), Some(Packet::Stun(&bytes[..20])));
    }
}
