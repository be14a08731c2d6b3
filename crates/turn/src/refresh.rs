//! Refresh: RFC 8656 §8. Begins an allocation's lifetime anew, or ends it.

use std::time::{Duration, Instant};

use madang_wire::stun::{AddressFamily, AttributeStaticType, Lifetime, Message, RequestedAddressFamily, optional};

use crate::{
    allocate::requested_family,
    allocation::{Allocation, AllocationId},
    event::EndReason,
    reply::Reply,
    server::{Refusal, Request, Server},
    timer::Timer,
};

/// RFC 8656 §7.2 and §3.2: what a client gets that asks for nothing, or for less.
pub(crate) const DEFAULT_LIFETIME: u32 = 600;

impl Server {
    pub(crate) fn refresh(&mut self, request: &Request<'_>) -> Result<Reply, Refusal> {
        let message = request.message;
        let family = match message.has_attribute(RequestedAddressFamily::TYPE) {
            true => Some(requested_family(message)?),
            false => None,
        };
        let ends = optional::<Lifetime>(message)?.is_some_and(|asked| asked.seconds() == 0);
        let lifetime = self.lifetime(message)?;
        let id = self.refreshed_allocation(request)?;
        let allocation = self.allocations.get_mut(id).ok_or(Refusal::ALLOCATION_MISMATCH)?;
        // RFC 8656 §8.2: a family that no relayed address has is 443.
        if !allocation.relays().any(|relay| concerns(family, relay.relayed.is_ipv4())) {
            return Err(Refusal::PEER_FAMILY_MISMATCH);
        }
        if ends {
            self.end(request.now, id, family);
            return Ok(request.success().with(&Lifetime::new(0)));
        }
        let until = request.now + Duration::from_secs(lifetime.into());
        let before = next_expiry(allocation);
        if concerns(family, allocation.relay.relayed.is_ipv4()) {
            allocation.relay.expires = until;
        }
        if let Some(second) = allocation.rare.as_mut().and_then(|rare| rare.second.as_mut())
            && concerns(family, second.relayed.is_ipv4())
        {
            second.expires = until;
        }
        let after = next_expiry(allocation);
        self.timers.clear(before, Timer::RelayExpires(id));
        self.timers.set(after, Timer::RelayExpires(id));
        let reply = request.success().with(&Lifetime::new(lifetime));
        Ok(self.with_ticket(reply, id))
    }

    /// A Refresh to zero: ends the whole, or one of two families (RFC 8656 §8.2).
    fn end(&mut self, now: Instant, id: AllocationId, family: Option<AddressFamily>) {
        let both = self.allocations.get(id).is_some_and(|allocation| allocation.second().is_some());
        match family {
            Some(family) if both => self.end_relay(id, family == AddressFamily::IPV4),
            _ => self.close(now, id, EndReason::Released),
        }
    }

    /// Ends one of two relays.
    pub(crate) fn end_relay(&mut self, id: AllocationId, ipv4: bool) {
        let Some(before) = self.allocations.get(id).map(next_expiry) else { return };
        let Some(relay) = self.allocations.remove_relay(id, ipv4) else { return };
        self.close_relay(relay.id);
        self.timers.clear(before, Timer::RelayExpires(id));
        if let Some(allocation) = self.allocations.get(id) {
            self.timers.set(next_expiry(allocation), Timer::RelayExpires(id));
        }
    }

    /// The time of a relay has come.
    pub(crate) fn expire(&mut self, now: Instant, id: AllocationId) {
        let Some(allocation) = self.allocations.get(id) else { return };
        let lives = |expires: Instant| expires > now;
        match (lives(allocation.relay.expires), allocation.second().map(|second| lives(second.expires))) {
            (false, None | Some(false)) => self.close(now, id, EndReason::Expired),
            (false, Some(true)) => self.end_relay(id, allocation.relay.relayed.is_ipv4()),
            (true, Some(false)) => self.end_relay(id, !allocation.relay.relayed.is_ipv4()),
            (true, _) => {}
        }
    }

    /// The lifetime to grant: RFC 8656 §7.2. The default for those who ask for less.
    pub(crate) fn lifetime(&self, message: &Message<'_>) -> Result<u32, Refusal> {
        let asked = optional::<Lifetime>(message)?;
        let longest = self.config.limits.lifetime.max(DEFAULT_LIFETIME);
        Ok(asked.map_or(DEFAULT_LIFETIME, |asked| asked.seconds().clamp(DEFAULT_LIFETIME, longest)))
    }

    /// The allocation of the request's five-tuple, if it is the sender's own: RFC 8656 §5.
    pub(crate) fn owned_allocation(&self, request: &Request<'_>) -> Result<AllocationId, Refusal> {
        let id = request.allocation.ok_or(Refusal::ALLOCATION_MISMATCH)?;
        let allocation = self.allocations.get(id).ok_or(Refusal::ALLOCATION_MISMATCH)?;
        if allocation.owner.username != request.client.identity.username {
            return Err(Refusal::WRONG_CREDENTIALS);
        }
        Ok(id)
    }
}

/// Whether a Refresh for `family`, or for all, is for a relay as well.
fn concerns(family: Option<AddressFamily>, ipv4: bool) -> bool {
    family.is_none_or(|family| (family == AddressFamily::IPV4) == ipv4)
}

/// When an allocation has to be looked at next: it has one timer for its relays together.
pub(crate) fn next_expiry(allocation: &Allocation) -> Instant {
    let second = allocation.second().map(|second| second.expires);
    second.map_or(allocation.relay.expires, |second| second.min(allocation.relay.expires))
}
