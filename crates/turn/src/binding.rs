//! Binding: RFC 8489 §2. Tells a client the address that its packets come from.

use std::time::Instant;

use madang_wire::{
    FiveTuple,
    stun::{Attribute, BINDING, Message, XorMappedAddress},
};

use crate::{
    reply::Reply,
    server::{Server, unknown_attributes},
};

impl Server {
    /// Answers anybody, so the answer is at most 100 bytes and limited per network.
    pub(crate) fn binding(&mut self, now: Instant, from: FiveTuple, message: &Message<'_>) {
        if !self.rate_limit.admit(now, from.client.ip()) {
            self.outbox.counters.rate_limited += 1;
            return;
        }
        let transaction = message.transaction_id();
        let unknown = unknown_attributes(message);
        let reply = if unknown.is_empty() {
            let mapped = XorMappedAddress::new(from.client, transaction);
            debug_assert!(mapped.length() <= 20);
            Reply::success(BINDING, transaction).with(&mapped)
        } else {
            Reply::error(BINDING, transaction, 420).with_unknown(&unknown)
        };
        self.outbox.counters.bindings += 1;
        self.outbox.answer(from, reply.finish_with_fingerprint());
    }
}
