//! Allocations that move with their clients: RFC 8016.
//!
//! A ticket says which allocation of which shard it is for, and is signed; all that an allocation
//! remembers is which of its tickets are good. Since the shard is readable, a client that lands
//! elsewhere is passed on.
//!
//! An allocation moves with the Refresh that brings a good ticket: from then on data goes to the
//! new five-tuple, and whatever comes from the old one finds nothing.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use madang_wire::stun::{MOBILITY_TICKET, Message, RawAttribute};

use crate::{
    allocation::{AllocationId, Rare},
    io::Shard,
    reply::Reply,
    server::{Refusal, Request, Server},
};

/// A guess costs a request that is signed with the account's password, and can only hit an
/// allocation of that same account.
const TAG: usize = 8;
const BODY: usize = 2 + 6 + 4 + 4;

/// Of a ticket. RFC 8016 lets it be any bytes of any length; coturn's client keeps 32, up to the
/// first that is zero, so it is text of that length.
const LENGTH: usize = (BODY + TAG) / 3 * 4;

/// What a ticket says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) shard: Shard,
    pub(crate) allocation: AllocationId,
    /// Places are used again, serial numbers are not.
    pub(crate) serial: u64,
    generation: u32,
}

/// Which tickets of an allocation are good: those from the last one that was used to the newest.
/// RFC 8016 §3.2: the old one holds until the new one is used, for the answer that brings the new
/// one may be lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tickets {
    oldest: u32,
    newest: u32,
}

impl Tickets {
    fn accept(&mut self, generation: u32) -> bool {
        let good = (self.oldest..=self.newest).contains(&generation);
        if good {
            self.oldest = generation;
        }
        good
    }

    fn next(&mut self) -> u32 {
        self.newest = self.newest.saturating_add(1);
        self.newest
    }
}

/// Signs and reads tickets.
pub(crate) struct TicketKey(hmac::Key);

impl TicketKey {
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        let key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, seed), b"mobility ticket");
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()))
    }

    fn write(&self, ticket: Ticket) -> String {
        let mut bytes = [0; BODY + TAG];
        // Six bytes are enough for a million allocations a second, over years.
        bytes[..8].copy_from_slice(&ticket.serial.to_be_bytes());
        bytes[..2].copy_from_slice(&ticket.shard.to_be_bytes());
        bytes[8..12].copy_from_slice(&ticket.allocation.0.to_be_bytes());
        bytes[12..BODY].copy_from_slice(&ticket.generation.to_be_bytes());
        let tag = hmac::sign(&self.0, &bytes[..BODY]);
        bytes[BODY..].copy_from_slice(&tag.as_ref()[..TAG]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What a ticket says, if it is one of ours.
    pub(crate) fn read(&self, text: &[u8]) -> Option<Ticket> {
        let text: &[u8; LENGTH] = text.try_into().ok()?;
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (body, tag) = bytes.split_at_checked(BODY)?;
        let good = hmac::sign(&self.0, body);
        aws_lc_rs::constant_time::verify_slices_are_equal(tag, &good.as_ref()[..TAG]).ok()?;
        let (serial, rest) = body.split_first_chunk()?;
        let (allocation, generation) = rest.split_first_chunk()?;
        let serial = u64::from_be_bytes(*serial);
        Some(Ticket {
            shard: (serial >> 48) as Shard,
            allocation: AllocationId(u32::from_be_bytes(*allocation)),
            serial: serial & (u64::MAX >> 16),
            generation: u32::from_be_bytes(*generation.first_chunk()?),
        })
    }
}

/// The value of MOBILITY-TICKET, if there is one.
pub(crate) fn ticket_bytes(message: &Message<'_>) -> Option<Vec<u8>> {
    message.raw_attribute(MOBILITY_TICKET).map(|raw| raw.value.to_vec())
}

impl Server {
    /// Whether an Allocate asks for mobility: RFC 8016 §3.1.
    pub(crate) fn wants_mobility(&self, message: &Message<'_>) -> Result<bool, Refusal> {
        match ticket_bytes(message) {
            None => Ok(false),
            Some(_) if !self.config.mobility => Err(Refusal::MOBILITY_FORBIDDEN),
            Some(ticket) if ticket.is_empty() => Ok(true),
            Some(_) => Err(Refusal::BAD_REQUEST),
        }
    }

    /// The live allocation that a ticket is for.
    pub(crate) fn allocation_of(&self, ticket: &Ticket) -> Option<AllocationId> {
        let allocation = self.allocations.get(ticket.allocation)?;
        (ticket.shard == self.config.shard && allocation.books.serial == ticket.serial).then_some(ticket.allocation)
    }

    /// The allocation that a Refresh is about: RFC 8016 §3.2. It is moved to the request's
    /// five-tuple when a ticket says that it may be.
    pub(crate) fn refreshed_allocation(&mut self, request: &Request<'_>) -> Result<AllocationId, Refusal> {
        let bytes = ticket_bytes(request.message).filter(|bytes| !bytes.is_empty());
        let Some(bytes) = bytes else { return self.owned_allocation(request) };
        if !self.config.mobility {
            return Err(Refusal::MOBILITY_FORBIDDEN);
        }
        let ticket = self.tickets.read(&bytes).ok_or(Refusal::BAD_REQUEST)?;
        let id = self.allocation_of(&ticket).ok_or(Refusal::ALLOCATION_MISMATCH)?;
        if request.allocation.is_some_and(|own| own != id) {
            return Err(Refusal::ALLOCATION_MISMATCH);
        }
        let allocation = self.allocations.get_mut(id).ok_or(Refusal::ALLOCATION_MISMATCH)?;
        if allocation.owner.username != request.client.identity.username {
            return Err(Refusal::WRONG_CREDENTIALS);
        }
        let accepted = allocation.tickets().is_some_and(|tickets| tickets.accept(ticket.generation));
        if !accepted {
            return Err(Refusal::BAD_REQUEST);
        }
        if request.allocation.is_none() {
            self.move_allocation(request, id);
        }
        Ok(id)
    }

    fn move_allocation(&mut self, request: &Request<'_>, id: AllocationId) {
        let Some(allocation) = self.allocations.get_mut(id) else { return };
        let before = allocation.five_tuple;
        self.config.quota.moved(&mut allocation.lease, request.from.client.ip());
        self.allocations.move_to(id, request.from);
        self.elsewhere.remove(&request.from);
        let counters = &mut self.outbox.counters;
        counters.allocations[before.transport.index()] -= 1;
        counters.allocations[request.from.transport.index()] += 1;
        counters.moves += 1;
    }

    /// Adds a fresh ticket to an answer, if the allocation has tickets.
    pub(crate) fn with_ticket(&mut self, reply: Reply, id: AllocationId) -> Reply {
        let Some(allocation) = self.allocations.get_mut(id) else { return reply };
        let serial = allocation.books.serial;
        let Some(generation) = allocation.tickets().map(Tickets::next) else { return reply };
        let ticket = Ticket { shard: self.config.shard, allocation: id, serial, generation };
        reply.with(&RawAttribute::new(MOBILITY_TICKET, self.tickets.write(ticket).as_bytes()))
    }
}

impl Rare {
    /// Of an allocation that may move.
    pub(crate) fn set_mobile(&mut self) {
        self.tickets = Some(Tickets::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_read_back_as_written_and_no_other_is() {
        let key = TicketKey::new(&[7; 32]);
        let ticket = Ticket { shard: 3, allocation: AllocationId(5), serial: 1 << 40, generation: 9 };
        let bytes = key.write(ticket).into_bytes();
        assert_eq!(bytes.len(), LENGTH);
        assert_eq!(key.read(&bytes), Some(ticket));
        assert_eq!(TicketKey::new(&[8; 32]).read(&bytes), None);
        for length in 0..bytes.len() {
            assert_eq!(key.read(&bytes[..length]), None);
        }
        for place in 0..bytes.len() {
            let mut forged = bytes.clone();
            forged[place] ^= 1;
            assert_eq!(key.read(&forged), None);
        }
    }

    #[test]
    fn an_old_ticket_holds_until_a_newer_one_is_used() {
        let mut tickets = Tickets::default();
        let (first, second) = (tickets.next(), tickets.next());
        assert!(tickets.accept(first), "the answer with the second may have been lost");
        assert!(tickets.accept(second));
        assert!(!tickets.accept(first), "it was");
        assert!(!tickets.accept(second + 1), "not given out yet");
    }
}
