//! What goes over the data channels of a link to the server.
//!
//! A client writes `n`, then for each of `n` recipients a length and a participant's id, then
//! the message; `n` = 0 means everyone. The server delivers a length, the sender's id, and the
//! message. All lengths are one byte.

use std::time::{Duration, Instant};

use smallvec::SmallVec;

/// The longest message with its addresses, in bytes.
pub(super) const MESSAGE_BYTES: usize = 64 * 1024;

/// A message as a client wrote it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Addressed<'a> {
    /// Empty means everyone.
    pub(super) to: SmallVec<[&'a str; 8]>,
    pub(super) message: &'a [u8],
}

/// `None` for what is no message.
pub(super) fn read(bytes: &[u8]) -> Option<Addressed<'_>> {
    let (&recipients, mut rest) = bytes.split_first()?;
    let mut to = SmallVec::new();
    for _ in 0..recipients {
        let (&length, after) = rest.split_first()?;
        let (id, after) = after.split_at_checked(usize::from(length))?;
        to.push(std::str::from_utf8(id).ok()?);
        rest = after;
    }
    (bytes.len() <= MESSAGE_BYTES).then_some(Addressed { to, message: rest })
}

/// The message as it is delivered.
pub(super) fn write(from: &str, message: &[u8], into: &mut Vec<u8>) {
    into.clear();
    let length = u8::try_from(from.len()).unwrap_or(u8::MAX);
    into.push(length);
    into.extend_from_slice(&from.as_bytes()[..usize::from(length)]);
    into.extend_from_slice(message);
}

/// What one participant may send: a bucket that fills at a steady rate.
#[derive(Debug)]
pub(super) struct Budget {
    bytes: f64,
    at: Instant,
}

impl Budget {
    /// Bytes a second, and at once.
    const RATE: f64 = 512.0 * 1024.0;
    const BURST: f64 = 2.0 * 1024.0 * 1024.0;
    /// What every message costs beside its bytes, so that small ones are bounded too: about
    /// 2 000 a second.
    const MESSAGE: f64 = 256.0;

    pub(super) fn new(now: Instant) -> Self {
        Self { bytes: Self::BURST, at: now }
    }

    /// Whether a message that goes to `copies` others may pass.
    pub(super) fn take(&mut self, now: Instant, bytes: usize) -> bool {
        let passed: Duration = now.saturating_duration_since(self.at);
        self.at = now;
        self.bytes = (self.bytes + passed.as_secs_f64() * Self::RATE).min(Self::BURST);
        #[expect(clippy::cast_precision_loss, reason = "messages are small")]
        let cost = bytes as f64 + Self::MESSAGE;
        if cost > self.bytes {
            return false;
        }
        self.bytes -= cost;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_to_everyone_or_to_some_is_read() {
        assert_eq!(read(&[0, 9, 8]), Some(Addressed { to: SmallVec::new(), message: &[9, 8] }));
        let two = [2, 2, b'p', b'a', 3, b'p', b'_', b'b', 7];
        assert_eq!(read(&two), Some(Addressed { to: ["pa", "p_b"].into_iter().collect(), message: &[7] }));
    }

    #[test]
    fn what_is_cut_short_or_no_text_or_too_long_is_refused() {
        for bytes in [&[][..], &[1], &[1, 5, b'p'], &[2, 1, b'p'], &[1, 1, 0xff]] {
            assert_eq!(read(bytes), None, "{bytes:?}");
        }
        assert!(read(&vec![0; MESSAGE_BYTES]).is_some());
        assert_eq!(read(&vec![0; MESSAGE_BYTES + 1]), None);
    }

    #[test]
    fn the_sender_is_named_in_front() {
        let mut bytes = Vec::new();
        write("p_1", &[5, 6], &mut bytes);
        assert_eq!(bytes, [3, b'p', b'_', b'1', 5, 6]);
    }

    #[test]
    fn a_flood_is_held_to_its_rate() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        let mut passed = 0;
        for step in 0..10_000_u32 {
            if budget.take(start + Duration::from_millis(1) * step, 16 * 1024) {
                passed += 16 * 1024;
            }
        }
        let most = 2.0 * 1024.0 * 1024.0 + 10.0 * 512.0 * 1024.0;
        assert!(f64::from(passed) <= most && f64::from(passed) > 0.9 * most, "{passed}");
    }
}
