//! What a STUN server sees: Binding requests from one socket (RFC 8489 §2), first to learn a
//! server-reflexive address, then to keep the NAT's mapping (RFC 8445 §11).

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use madang_wire::stun::{
    BINDING, Message, MessageClass, MessageType, MessageWrite, MessageWriteVec, TransactionId, XorMappedAddress,
    optional,
};

/// RTO and Rc, RFC 8489 §6.2.1.
const FIRST: Duration = Duration::from_millis(500);
const SENDS: u32 = 7;
/// Tr, RFC 8445 §11; also the pause after a server that did not answer.
const PAUSE: Duration = Duration::from_secs(15);

/// One socket and one server.
#[derive(Debug)]
pub(super) struct Binding {
    pub(super) host: SocketAddr,
    pub(super) server: SocketAddr,
    /// What the server saw last.
    pub(super) mapped: Option<SocketAddr>,
    state: State,
    /// Whether a round of requests has ended, with an answer or without.
    is_settled: bool,
}

#[derive(Debug)]
enum State {
    Asking { id: TransactionId, sent: u32, next: Instant, wait: Duration },
    Resting(Instant),
}

impl Binding {
    pub(super) fn new(host: SocketAddr, server: SocketAddr, now: Instant) -> Self {
        Self { host, server, mapped: None, state: State::Resting(now), is_settled: false }
    }

    pub(super) fn is_settled(&self) -> bool {
        self.is_settled
    }

    pub(super) fn timeout(&self) -> Instant {
        match self.state {
            State::Asking { next, .. } => next,
            State::Resting(until) => until,
        }
    }

    /// The request to send now, if one is due. `id` makes the ids of new ones.
    pub(super) fn poll(&mut self, now: Instant, id: impl FnOnce() -> TransactionId) -> Option<Vec<u8>> {
        if now < self.timeout() {
            return None;
        }
        match &mut self.state {
            State::Resting(_) => {
                let id = id();
                self.state = State::Asking { id, sent: 1, next: now + FIRST, wait: FIRST };
                Some(request(id))
            }
            State::Asking { sent: SENDS, .. } => {
                self.is_settled = true;
                self.state = State::Resting(now + PAUSE);
                None
            }
            State::Asking { id, sent, next, wait } => {
                *sent += 1;
                *wait *= 2;
                *next = now + *wait;
                Some(request(*id))
            }
        }
    }

    /// Takes a packet from the server. `None` when it is not the answer; otherwise the address
    /// seen, where it is another than before.
    pub(super) fn receive(&mut self, now: Instant, message: &Message<'_>) -> Option<Option<SocketAddr>> {
        let State::Asking { id, .. } = self.state else { return None };
        if message.transaction_id() != id || message.class() == MessageClass::Request {
            return None;
        }
        self.state = State::Resting(now + PAUSE);
        self.is_settled = true;
        if message.class() != MessageClass::Success {
            return Some(None);
        }
        let seen = optional::<XorMappedAddress>(message).ok().flatten().map(|mapped| mapped.addr(id));
        let fresh = seen.filter(|seen| self.mapped != Some(*seen));
        self.mapped = seen.or(self.mapped);
        Some(fresh)
    }
}

fn request(id: TransactionId) -> Vec<u8> {
    let kind = MessageType::from_class_method(MessageClass::Request, BINDING);
    Message::builder(kind, id, MessageWriteVec::new()).finish()
}

#[cfg(test)]
mod tests {
    use madang_wire::stun::MessageWriteExt;

    use super::*;

    const SEEN: &str = "198.51.100.1:6000";

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn binding(now: Instant) -> Binding {
        Binding::new(address("192.0.2.1:5000"), address("203.0.113.1:3478"), now)
    }

    fn answer(id: u128) -> Vec<u8> {
        let id: TransactionId = id.into();
        let kind = MessageType::from_class_method(MessageClass::Success, BINDING);
        let mut message = Message::builder(kind, id, MessageWriteVec::new());
        message.add_attribute(&XorMappedAddress::new(address(SEEN), id)).expect("room");
        message.finish()
    }

    #[test]
    fn a_request_is_sent_seven_times_and_again_after_a_pause() {
        let start = Instant::now();
        let mut binding = binding(start);
        let mut sent = Vec::new();
        let mut now = start;
        while now < start + Duration::from_secs(60) {
            if binding.poll(now, || 7u128.into()).is_some() {
                sent.push((now - start).as_millis());
            }
            now = binding.timeout();
        }
        assert_eq!(sent, [0, 500, 1500, 3500, 7500, 15_500, 31_500]);
        assert!(binding.poll(now, || 8u128.into()).is_none() && binding.is_settled());
        assert!(binding.poll(now + PAUSE, || 8u128.into()).is_some());
    }

    #[test]
    fn an_answer_tells_the_address_once_and_the_mapping_is_kept_alive() {
        let now = Instant::now();
        let mut binding = binding(now);
        let hear = |binding: &mut Binding, id| {
            let bytes = answer(id);
            binding.receive(now, &Message::from_bytes(&bytes).expect("STUN"))
        };
        assert!(binding.poll(now, || 7u128.into()).is_some());
        assert_eq!(hear(&mut binding, 8), None, "nobody asked for this");
        assert_eq!(hear(&mut binding, 7), Some(Some(address(SEEN))));
        assert!(binding.is_settled());
        assert!(binding.poll(now + PAUSE, || 9u128.into()).is_some());
        assert_eq!(hear(&mut binding, 9), Some(None), "it is the same");
    }
}
