//! What every client of STUN does with its requests: ids that nobody can guess, and sending again
//! what was not answered (RFC 8489 §6.2.1 and §6.2.2).

use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use madang_wire::stun::TransactionId;

/// RTO, RFC 8489 §6.2.1.
const FIRST: Duration = Duration::from_millis(500);
/// Rc, RFC 8489 §6.2.1.
const SENDS: u32 = 7;
/// Rm times RTO: how long after the last one an answer is waited for.
const LAST: Duration = Duration::from_secs(8);
/// Ti, RFC 8489 §6.2.2.
const STREAM: Duration = Duration::from_millis(39_500);

/// When a request is sent again, and when it is given up.
#[derive(Debug)]
pub(crate) struct Retransmission {
    sent: u32,
    sends: u32,
    next: Instant,
    wait: Duration,
    last: Duration,
}

/// What is due of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing yet.
    Nothing,
    /// To be sent again.
    Send,
    /// No answer will come.
    GiveUp,
}

impl Retransmission {
    /// Of a request that goes out now in a datagram.
    pub(crate) fn datagram(now: Instant) -> Self {
        Self { sent: 1, sends: SENDS, next: now + FIRST, wait: FIRST, last: LAST }
    }

    /// Of a request that goes out now on a stream, which sends again by itself.
    pub(crate) fn stream(now: Instant) -> Self {
        Self { sent: 1, sends: 1, next: now + STREAM, wait: STREAM, last: STREAM }
    }

    /// Of a request that most likely nobody answers: RFC 5780 §4.4 learns from silence, and the
    /// whole time of RFC 8489 would be waited for to learn that a NAT is an ordinary one.
    pub(crate) fn short(now: Instant, sends: u32) -> Self {
        Self { sent: 1, sends, next: now + FIRST, wait: FIRST, last: 2 * FIRST }
    }

    pub(crate) fn timeout(&self) -> Instant {
        self.next
    }

    pub(crate) fn poll(&mut self, now: Instant) -> Due {
        if now < self.next {
            return Due::Nothing;
        }
        if self.sent >= self.sends {
            return Due::GiveUp;
        }
        self.sent += 1;
        self.wait = if self.sent == self.sends { self.last } else { self.wait * 2 };
        self.next = now + self.wait;
        Due::Send
    }
}

/// Transaction ids that nobody can guess.
#[derive(Debug)]
pub(crate) struct Ids {
    key: hmac::Key,
    count: u64,
}

impl Ids {
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, seed), count: 0 }
    }

    pub(crate) fn next(&mut self) -> TransactionId {
        self.count += 1;
        let tag = hmac::sign(&self.key, &self.count.to_be_bytes());
        let mut bytes = [0; 16];
        // 96 bits, RFC 8489 §5.
        bytes[4..].copy_from_slice(&tag.as_ref()[..12]);
        u128::from_be_bytes(bytes).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_is_sent_at_the_times_that_rfc_8489_names() {
        let begin = Instant::now();
        let mut request = Retransmission::datagram(begin);
        let mut times = Vec::new();
        loop {
            let at = request.timeout();
            times.push(at.duration_since(begin).as_millis());
            if request.poll(at) == Due::GiveUp {
                break;
            }
        }
        assert_eq!(times, [500, 1500, 3500, 7500, 15_500, 31_500, 39_500]);
    }

    #[test]
    fn no_two_ids_are_the_same() {
        let mut ids = Ids::new(&[1; 32]);
        assert_ne!(ids.next(), ids.next());
        assert_ne!(Ids::new(&[1; 32]).next(), Ids::new(&[2; 32]).next());
    }
}
