//! Cutting a TCP or TLS byte stream into STUN and ChannelData messages.
//!
//! RFC 8489 §6.2.2 and RFC 8656 §12.5: STUN messages follow each other without a frame of their
//! own, ChannelData is padded to a multiple of four bytes.

use crate::{ChannelData, ChannelNumber, stun};

/// The stream can't be followed any further: close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// What comes next is neither a STUN message nor ChannelData.
    #[error("the stream is not STUN")]
    NotStun,
    /// The next message is longer than the limit.
    #[error("a message of {length} bytes is over the limit of {limit}")]
    TooLong {
        /// How long it says it is.
        length: usize,
        /// The most that is taken.
        limit: usize,
    },
}

/// Collects bytes of one stream and gives back whole messages.
///
/// It never holds more than one incomplete message and what one [`StreamFramer::push`] added:
/// drain it with [`StreamFramer::next_frame`] after each push.
#[derive(Debug)]
pub struct StreamFramer {
    buffer: Vec<u8>,
    start: usize,
    limit: usize,
}

impl StreamFramer {
    /// A framer that refuses messages longer than `limit` bytes, header included.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, limit }
    }

    /// Refuses messages longer than this from the next one on.
    pub const fn limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Adds what was read from the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The bytes that wait for the rest of their message.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Takes out what no message was made of, for a stream that carries something else from here.
    #[must_use]
    pub fn take_rest(&mut self) -> Vec<u8> {
        let rest = self.buffer.split_off(self.start);
        self.buffer.clear();
        self.start = 0;
        rest
    }

    /// The next whole message, without padding, or `None` until more bytes come.
    ///
    /// # Errors
    /// When the stream is not STUN or a message is too long. The connection is of no more use.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, FramingError> {
        let rest = &self.buffer[self.start..];
        let Some((length, padded)) = frame_length(rest)? else { return Ok(None) };
        if padded > self.limit {
            return Err(FramingError::TooLong { length: padded, limit: self.limit });
        }
        if rest.len() < padded {
            return Ok(None);
        }
        let from = self.start;
        self.start += padded;
        Ok(Some(&self.buffer[from..from + length]))
    }
}

/// The length of the message that `bytes` begins with, without and with its padding.
fn frame_length(bytes: &[u8]) -> Result<Option<(usize, usize)>, FramingError> {
    let Some(&[b0, b1, b2, b3]) = bytes.first_chunk() else {
        let plausible = bytes.first().is_none_or(|first| matches!(first, 0x00..=0x7F));
        return if plausible { Ok(None) } else { Err(FramingError::NotStun) };
    };
    if ChannelNumber::new(u16::from_be_bytes([b0, b1])).is_some() {
        let data = usize::from(u16::from_be_bytes([b2, b3]));
        let length = ChannelData::HEADER + data;
        return Ok(Some((length, length + ChannelData::padding(data))));
    }
    if b0 & 0xC0 != 0 || b3 & 3 != 0 {
        return Err(FramingError::NotStun);
    }
    if bytes.len() < stun::HEADER {
        return Ok(None);
    }
    let length = stun::message_length(bytes).ok_or(FramingError::NotStun)?;
    Ok(Some((length, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding() -> Vec<u8> {
        let mut bytes = vec![0u8; 20];
        bytes[1] = 1;
        bytes[4..8].copy_from_slice(&stun::MAGIC_COOKIE.to_be_bytes());
        bytes
    }

    fn channel(data: &[u8]) -> Vec<u8> {
        let mut bytes = ChannelData::header(ChannelNumber::MIN, data.len()).expect("short").to_vec();
        bytes.extend_from_slice(data);
        bytes.resize(bytes.len() + ChannelData::padding(data.len()), 0);
        bytes
    }

    #[test]
    fn messages_come_out_whole_however_the_stream_is_cut() {
        let mut stream = binding();
        stream.extend(channel(b"seven b"));
        stream.extend(binding());
        stream.extend(channel(b""));
        for step in 1..=stream.len() {
            let mut framer = StreamFramer::new(1000);
            let mut frames = Vec::new();
            for part in stream.chunks(step) {
                framer.push(part);
                while let Some(frame) = framer.next_frame().expect("a STUN stream") {
                    frames.push(frame.to_vec());
                }
            }
            assert_eq!(frames, [binding(), channel(b"seven b")[..11].to_vec(), binding(), channel(b"")]);
            assert_eq!(framer.pending(), 0);
        }
    }

    #[test]
    fn a_message_over_the_limit_ends_the_stream_before_it_is_buffered() {
        let mut framer = StreamFramer::new(100);
        framer.push(&[0x40, 0, 0xFF, 0xFF]);
        assert_eq!(framer.next_frame(), Err(FramingError::TooLong { length: 65540, limit: 100 }));
    }

    #[test]
    fn what_follows_the_last_message_can_be_taken_out() {
        let mut framer = StreamFramer::new(1000);
        framer.push(&[&binding()[..], b"\xFFnot STUN"].concat());
        assert_eq!(framer.next_frame().expect("a message"), Some(&binding()[..]));
        assert_eq!(framer.take_rest(), b"\xFFnot STUN");
        assert_eq!((framer.pending(), framer.take_rest()), (0, Vec::new()));
    }

    #[test]
    fn what_is_not_stun_ends_the_stream() {
        for bytes in [&[0xFF, 0, 0, 0][..], &[0x16, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[0x80]]
        {
            let mut framer = StreamFramer::new(1000);
            framer.push(bytes);
            assert_eq!(framer.next_frame(), Err(FramingError::NotStun), "{bytes:?}");
        }
    }
}
