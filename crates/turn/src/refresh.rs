//! Refresh: RFC 8656 §8. Begins an allocation's lifetime anew, or ends it.

use std::time::Duration;

use madang_wire::stun::{AttributeStaticType, Lifetime, RequestedAddressFamily, family, optional};

use crate::{
    allocate::{lifetime, requested_family},
    allocation::AllocationId,
    reply::Reply,
    server::{Refusal, Request, Server},
    timer::Timer,
};

impl Server {
    pub(crate) fn refresh(&mut self, request: &Request<'_>) -> Result<Reply, Refusal> {
        let id = self.owned_allocation(request)?;
        let allocation = self.allocations.get_mut(id).ok_or(Refusal::ALLOCATION_MISMATCH)?;
        let message = request.message;
        // RFC 8656 §8.2: a family that is not the relayed address's is 443.
        if message.has_attribute(RequestedAddressFamily::TYPE)
            && requested_family(message)? != family(allocation.relayed.ip())
        {
            return Err(Refusal::PEER_FAMILY_MISMATCH);
        }
        if optional::<Lifetime>(message)?.is_some_and(|asked| asked.seconds() == 0) {
            self.close(id);
            return Ok(request.success().with(&Lifetime::new(0)));
        }
        let lifetime = lifetime(message)?;
        self.timers.clear(allocation.expires, Timer::AllocationExpires(id));
        allocation.expires = request.now + Duration::from_secs(lifetime.into());
        self.timers.set(allocation.expires, Timer::AllocationExpires(id));
        Ok(request.success().with(&Lifetime::new(lifetime)))
    }

    /// The allocation of the request's five-tuple, if it is the sender's own: RFC 8656 §5.
    pub(crate) fn owned_allocation(&self, request: &Request<'_>) -> Result<AllocationId, Refusal> {
        let id = request.allocation.ok_or(Refusal::ALLOCATION_MISMATCH)?;
        let allocation = self.allocations.get(id).ok_or(Refusal::ALLOCATION_MISMATCH)?;
        if allocation.owner.user.username != request.client.user.username {
            return Err(Refusal::WRONG_CREDENTIALS);
        }
        Ok(id)
    }
}
