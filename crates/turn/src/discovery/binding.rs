//! One Binding transaction: RFC 8489 §3 and §6.2, and what RFC 5780 §7 adds to it.

use std::{net::SocketAddr, time::Instant};

use madang_wire::stun::{
    AttributeType, BINDING, CHANGE_REQUEST, ErrorCode, Message, MessageClass, MessageType, MessageWrite,
    MessageWriteExt, MessageWriteVec, OTHER_ADDRESS, RESPONSE_ORIGIN, RawAttribute, TransactionId, XorMappedAddress,
    optional, read_plain_address,
};

use crate::retransmission::{Due, Ids, Retransmission};

/// MAPPED-ADDRESS, which servers before RFC 5389 sent alone.
const MAPPED_ADDRESS: AttributeType = AttributeType::new(0x0001);

/// From where the answer is to come: RFC 5780 §7.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) address: bool,
    pub(super) port: bool,
}

/// A Binding request and its answer, for those who want no more than to know whether a server is
/// there and what it sees. Over datagrams it is sent again as RFC 8489 §6.2.1 says.
#[derive(Debug)]
pub struct Binding {
    id: TransactionId,
    bytes: Vec<u8>,
    again: Retransmission,
    sent: Instant,
}

/// What a server says of the one who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was understood.
    Success {
        /// From where the request came.
        mapped: SocketAddr,
        /// The server's other address and port (RFC 5780 §7.4).
        other: Option<SocketAddr>,
        /// From where the answer was sent (RFC 5780 §7.3).
        origin: Option<SocketAddr>,
    },
    /// It was refused, with this code (RFC 8489 §14.8).
    Error(u16),
    /// It is an answer, but not one that can be used.
    Malformed,
}

impl Binding {
    /// A request over datagrams. `seed` is secret, random, and used once.
    #[must_use]
    pub fn over_datagrams(seed: &[u8; 32], now: Instant) -> Self {
        Self::new(Ids::new(seed).next(), Change::default(), Retransmission::datagram(now), now)
    }

    /// A request over a stream, which is sent once.
    #[must_use]
    pub fn over_stream(seed: &[u8; 32], now: Instant) -> Self {
        Self::new(Ids::new(seed).next(), Change::default(), Retransmission::stream(now), now)
    }

    pub(super) fn new(id: TransactionId, change: Change, again: Retransmission, now: Instant) -> Self {
        let kind = MessageType::from_class_method(MessageClass::Request, BINDING);
        let mut message = Message::builder(kind, id, MessageWriteVec::new());
        if change != Change::default() {
            let flags = [0, 0, 0, u8::from(change.address) << 2 | u8::from(change.port) << 1];
            // Four bytes always fit.
            let _ = message.add_attribute(&RawAttribute::new(CHANGE_REQUEST, &flags));
        }
        Self { id, bytes: message.finish(), again, sent: now }
    }

    /// The request.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// When to look at [`Binding::is_due`].
    #[must_use]
    pub fn timeout(&self) -> Instant {
        self.again.timeout()
    }

    /// Whether the request is to be sent again now; `None` when no answer will come any more.
    pub fn is_due(&mut self, now: Instant) -> Option<bool> {
        match self.again.poll(now) {
            Due::Nothing => Some(false),
            Due::Send => Some(true),
            Due::GiveUp => None,
        }
    }

    /// When it was sent first.
    pub(super) fn sent(&self) -> Instant {
        self.sent
    }

    /// Whether these bytes are the request itself, come back by a NAT that sends inside what is
    /// meant for its outside.
    pub(super) fn is(&self, packet: &[u8]) -> bool {
        packet == self.bytes
    }

    /// The answer, if these bytes are one to this request.
    #[must_use]
    pub fn answer(&self, packet: &[u8]) -> Option<Answer> {
        let message = Message::from_bytes(packet).ok()?;
        if message.transaction_id() != self.id || message.method() != BINDING {
            return None;
        }
        match message.class() {
            MessageClass::Success => Some(success(&message)),
            MessageClass::Error => {
                let code = optional::<ErrorCode>(&message).ok().flatten();
                Some(code.map_or(Answer::Malformed, |code| Answer::Error(code.code())))
            }
            MessageClass::Request | MessageClass::Indication => None,
        }
    }
}

fn success(message: &Message<'_>) -> Answer {
    let plain = |kind| message.raw_attribute(kind).and_then(|raw| read_plain_address(&raw).ok());
    let xor = optional::<XorMappedAddress>(message).ok().flatten();
    let mapped = xor.map(|xor| xor.addr(message.transaction_id())).or_else(|| plain(MAPPED_ADDRESS));
    match mapped {
        Some(mapped) => Answer::Success { mapped, other: plain(OTHER_ADDRESS), origin: plain(RESPONSE_ORIGIN) },
        None => Answer::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn answer(request: &Binding, mapped: SocketAddr) -> Vec<u8> {
        let request = Message::from_bytes(request.bytes()).expect("a request");
        let mut message = Message::builder_success(&request, MessageWriteVec::new());
        message.add_attribute(&XorMappedAddress::new(mapped, request.transaction_id())).expect("room");
        message.finish()
    }

    #[test]
    fn an_answer_belongs_to_its_request_alone() {
        let now = Instant::now();
        let (one, other) = (Binding::over_datagrams(&[1; 32], now), Binding::over_datagrams(&[2; 32], now));
        let mapped = SocketAddr::from(([192, 0, 2, 7], 4000));
        let wanted = Answer::Success { mapped, other: None, origin: None };
        assert_eq!(one.answer(&answer(&one, mapped)), Some(wanted));
        assert_eq!(other.answer(&answer(&one, mapped)), None);
        assert_eq!(one.answer(one.bytes()), None, "the request itself is no answer");
    }

    #[test]
    fn a_request_is_sent_seven_times_over_datagrams_and_once_over_a_stream() {
        let begin = Instant::now();
        let sends = |mut request: Binding| {
            let mut sends = 1;
            while request.is_due(request.timeout()).is_some() {
                sends += 1;
            }
            (sends, request.timeout().duration_since(begin))
        };
        let limit = Duration::from_millis(39_500);
        assert_eq!(sends(Binding::over_datagrams(&[1; 32], begin)), (7, limit));
        assert_eq!(sends(Binding::over_stream(&[1; 32], begin)), (1, limit));
    }
}
