//! Binding: RFC 8489 §2. Tells a client the address that its packets come from; and, with
//! alternates, lets it find out how its NAT behaves (RFC 5780).

use std::time::Instant;

use madang_wire::{
    FiveTuple, Transport,
    stun::{
        AttributeStaticType, AttributeType, BINDING, CHANGE_REQUEST, Fingerprint, Message, OTHER_ADDRESS, PADDING,
        RESPONSE_ORIGIN, RESPONSE_PORT, RawAttribute, XorMappedAddress, plain_address,
    },
};

use crate::{
    Alternates,
    alternates::Place,
    reply::Reply,
    request::unknown_attributes,
    server::{Refusal, Server},
};

/// No answer is padded to more than this: RFC 5780 §7.6 has 1500 for an example.
const MAX_PADDING: usize = 1500;

/// Which way an answer goes, and with how much padding.
struct Answer {
    to: FiveTuple,
    place: Option<(Alternates, Place)>,
    padding: usize,
}

impl Server {
    /// Answers anybody, so the answer is at most 100 bytes and limited per network.
    pub(crate) fn binding(&mut self, now: Instant, from: FiveTuple, message: &Message<'_>) {
        // Nobody forges the address of a connection.
        if from.transport == Transport::Udp && !self.rate_limit.admit(now, from.client.ip()) {
            self.outbox.counters.rate_limited += 1;
            return;
        }
        let transaction = message.transaction_id();
        let fingerprint = message.has_attribute(Fingerprint::TYPE);
        let place = self.place(&from);
        let mut unknown = unknown_attributes(&self.config, message);
        unknown.retain(|kind| !self.understood_in_binding(place.is_some(), *kind));
        let answer = if unknown.is_empty() { self.binding_answer(from, place, message) } else { Ok(None) };
        let (to, reply) = match answer {
            Ok(None) => (from, Reply::error(BINDING, transaction, 420).with_unknown(&unknown)),
            Ok(Some(answer)) => (answer.to, success(&answer, &from, message)),
            Err(Refusal(code)) => (from, Reply::error(BINDING, transaction, code)),
        };
        self.outbox.counters.bindings += 1;
        self.outbox.answer(to, reply.finish(fingerprint));
    }

    /// The place among the four listeners of RFC 5780 that a request has come to.
    fn place(&self, from: &FiveTuple) -> Option<(Alternates, Place)> {
        if from.transport != Transport::Udp {
            return None;
        }
        self.config.alternates.iter().find_map(|alternates| Some((*alternates, alternates.place(from.server)?)))
    }

    /// RFC 5780 §6.1: what can't be done is an unknown attribute.
    fn understood_in_binding(&self, alternates: bool, kind: AttributeType) -> bool {
        match kind {
            CHANGE_REQUEST => alternates,
            RESPONSE_PORT | PADDING => self.config.response_port_and_padding && alternates,
            _ => false,
        }
    }

    fn binding_answer(
        &self,
        from: FiveTuple,
        place: Option<(Alternates, Place)>,
        message: &Message<'_>,
    ) -> Result<Option<Answer>, Refusal> {
        let mut answer = Answer { to: from, place, padding: 0 };
        let change = message.raw_attribute(CHANGE_REQUEST);
        if let (Some(change), Some((alternates, place))) = (change, &mut answer.place) {
            let flags: [u8; 4] = change.value[..].try_into().map_err(|_| Refusal::BAD_REQUEST)?;
            // RFC 5780 §7.2: A, change the address; B, change the port.
            *place = place.change(flags[3] & 4 != 0, flags[3] & 2 != 0);
            answer.to.server = alternates.local(*place);
        }
        let padding = message.raw_attribute(PADDING);
        if let Some(port) = message.raw_attribute(RESPONSE_PORT) {
            let port = match &port.value[..] {
                [high, low] | [high, low, _, _] => u16::from_be_bytes([*high, *low]),
                _ => return Err(Refusal::BAD_REQUEST),
            };
            // RFC 5780 §6.1: both together are 400.
            if padding.is_some() || port == 0 {
                return Err(Refusal::BAD_REQUEST);
            }
            answer.to.client.set_port(port);
        }
        // No more than was sent, so that nobody can make us send more than he does.
        answer.padding = padding.map_or(0, |padding| padding.value.len().min(MAX_PADDING));
        Ok(Some(answer))
    }
}

fn success(answer: &Answer, from: &FiveTuple, message: &Message<'_>) -> Reply {
    let transaction = message.transaction_id();
    let mut reply = Reply::success(BINDING, transaction).with(&XorMappedAddress::new(from.client, transaction));
    if let Some((alternates, place)) = &answer.place {
        // RFC 5780 §7.4 would name the first address to those who have come to the second one. But
        // clients in use read OTHER-ADDRESS again from each answer and take it for the second
        // address of the server, as which coturn always names it.
        let came_to = alternates.place(from.server).unwrap_or(*place);
        reply = reply
            .with(&plain_address(RESPONSE_ORIGIN, alternates.public(*place)))
            .with(&plain_address(OTHER_ADDRESS, alternates.public(came_to.second())));
    }
    if answer.padding > 0 {
        reply = reply.with(&RawAttribute::new(PADDING, &vec![0; answer.padding]));
    }
    reply
}
