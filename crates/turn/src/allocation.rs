//! Allocations: RFC 8656 §5, and the table that finds them.

use std::{
    cell::Cell,
    collections::HashMap,
    hash::BuildHasher,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use foldhash::fast::RandomState;
use hashbrown::{HashTable, hash_table::Entry};
use madang_wire::FiveTuple;

use crate::{
    Traffic,
    authentication::Identity,
    bucket::Bucket,
    channel::Channels,
    io::{ConnectionId, RelayId},
    mobility::Tickets,
    permission::Permissions,
    quota::Lease,
};

/// A place in the table of allocations, reused after its allocation has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct AllocationId(pub(crate) u32);

/// One address that peers see.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Relay {
    pub(crate) id: RelayId,
    pub(crate) relayed: SocketAddr,
    pub(crate) expires: Instant,
}

/// What a client holds: a relayed transport address, or one of each family.
///
/// There may be very many that do nothing, so what few of them have is boxed.
#[derive(Debug)]
pub(crate) struct Allocation {
    pub(crate) five_tuple: FiveTuple,
    pub(crate) owner: Arc<Identity>,
    pub(crate) lease: Lease,
    pub(crate) relay: Relay,
    pub(crate) permissions: Permissions,
    pub(crate) channels: Channels,
    pub(crate) books: Books,
    pub(crate) bandwidth: Bucket,
    pub(crate) rare: Option<Box<Rare>>,
}

/// What the accounting tells at the end.
#[derive(Debug)]
pub(crate) struct Books {
    /// A number that no other allocation of this shard has.
    pub(crate) serial: u64,
    pub(crate) began: Instant,
    pub(crate) to_peers: Cell<Traffic>,
    pub(crate) to_client: Cell<Traffic>,
}

/// What few allocations have.
#[derive(Debug, Default)]
pub(crate) struct Rare {
    /// ADDITIONAL-ADDRESS-FAMILY: the other relay.
    pub(crate) second: Option<Relay>,
    /// MOBILITY-TICKET: it may move.
    pub(crate) tickets: Option<Tickets>,
    /// Its client's connection has ended, and it waits for him to come back by another.
    pub(crate) detached: bool,
    /// It is a TCP allocation (RFC 6062), with these connections.
    pub(crate) connections: Option<Vec<ConnectionId>>,
}

impl Allocation {
    /// The relay from which a peer of this family is reached.
    #[inline]
    pub(crate) fn relay_for(&self, peer: IpAddr) -> Option<&Relay> {
        if self.relay.relayed.is_ipv4() == peer.is_ipv4() { Some(&self.relay) } else { self.second_for(peer) }
    }

    #[cold]
    fn second_for(&self, peer: IpAddr) -> Option<&Relay> {
        self.second().filter(|second| second.relayed.is_ipv4() == peer.is_ipv4())
    }

    pub(crate) fn second(&self) -> Option<&Relay> {
        self.rare.as_ref()?.second.as_ref()
    }

    pub(crate) fn relays(&self) -> impl Iterator<Item = &Relay> {
        [Some(&self.relay), self.second()].into_iter().flatten()
    }

    pub(crate) fn is_tcp(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.connections.is_some())
    }

    pub(crate) fn is_detached(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.detached)
    }

    pub(crate) fn connections(&mut self) -> Option<&mut Vec<ConnectionId>> {
        self.rare.as_mut()?.connections.as_mut()
    }

    pub(crate) fn tickets(&mut self) -> Option<&mut Tickets> {
        self.rare.as_mut()?.tickets.as_mut()
    }
}

impl Books {
    #[inline]
    pub(crate) fn count_to_peers(&self, bytes: usize) {
        self.to_peers.set(self.to_peers.get().and(bytes));
    }

    #[inline]
    pub(crate) fn count_to_client(&self, bytes: usize) {
        self.to_client.set(self.to_client.get().and(bytes));
    }
}

impl Books {
    /// What a TCP allocation has relayed.
    pub(crate) fn add_bytes(&self, to_peers: u64, to_client: u64) {
        let with = |traffic: Traffic, bytes| Traffic { bytes: traffic.bytes + bytes, ..traffic };
        self.to_peers.set(with(self.to_peers.get(), to_peers));
        self.to_client.set(with(self.to_client.get(), to_client));
    }
}

/// Live allocations by all that leads to them.
#[derive(Debug, Default)]
pub(crate) struct Allocations {
    slots: Vec<Option<Allocation>>,
    free: Vec<u32>,
    // The five-tuple itself is in the slot only, which is looked at in any case.
    by_tuple: HashTable<AllocationId>,
    hasher: RandomState,
    by_relayed: HashMap<SocketAddr, AllocationId, RandomState>,
    by_relay: Vec<Option<AllocationId>>,
    relayed_ips: Vec<(IpAddr, usize)>,
}

/// A keyed hash that is as fast as the table it is for. Nobody but clients who have authenticated
/// gets anything into that.
#[inline]
fn hash(hasher: &RandomState, tuple: &FiveTuple) -> u64 {
    match (tuple.client, tuple.server) {
        (SocketAddr::V4(client), SocketAddr::V4(server)) => {
            let pack =
                |address: std::net::SocketAddrV4| u64::from(address.ip().to_bits()) << 16 | u64::from(address.port());
            hasher.hash_one((pack(client), pack(server) | (tuple.transport.index() as u64) << 48))
        }
        _ => hasher.hash_one(tuple),
    }
}

impl Allocations {
    pub(crate) fn insert(&mut self, allocation: Allocation) -> AllocationId {
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let id = AllocationId(id);
        let udp = !allocation.is_tcp();
        for relay in allocation.relays() {
            point(&mut self.by_relay, relay.id, Some(id));
            // A TCP relay may have the port of a UDP one, and nothing is handed over to it.
            if udp {
                self.by_relayed.insert(relay.relayed, id);
                count(&mut self.relayed_ips, relay.relayed.ip());
            }
        }
        let five_tuple = allocation.five_tuple;
        self.slots[id.0 as usize] = Some(allocation);
        self.lead(five_tuple, id);
        id
    }

    pub(crate) fn remove(&mut self, id: AllocationId) -> Option<Allocation> {
        let five_tuple = self.get(id)?.five_tuple;
        self.forget(&five_tuple, id);
        let allocation = self.slots.get_mut(id.0 as usize)?.take()?;
        self.free.push(id.0);
        let udp = !allocation.is_tcp();
        for relay in allocation.relays() {
            self.unpoint(relay, udp);
        }
        Some(allocation)
    }

    /// Takes one of two relays away; `None` when it is not there or the only one.
    pub(crate) fn remove_relay(&mut self, id: AllocationId, ipv4: bool) -> Option<Relay> {
        let allocation = self.slots.get_mut(id.0 as usize)?.as_mut()?;
        let second = allocation.rare.as_mut()?.second.take()?;
        let gone =
            if second.relayed.is_ipv4() == ipv4 { second } else { std::mem::replace(&mut allocation.relay, second) };
        allocation.permissions.remove_family(ipv4);
        allocation.channels.remove_family(ipv4);
        let udp = !allocation.is_tcp();
        self.unpoint(&gone, udp);
        Some(gone)
    }

    /// The client has another five-tuple from now on.
    pub(crate) fn move_to(&mut self, id: AllocationId, five_tuple: FiveTuple) {
        let Some(before) = self.get(id).map(|allocation| allocation.five_tuple) else { return };
        self.forget(&before, id);
        if let Some(allocation) = self.get_mut(id) {
            allocation.five_tuple = five_tuple;
            if let Some(rare) = &mut allocation.rare {
                rare.detached = false;
            }
        }
        self.lead(five_tuple, id);
    }

    /// The client's five-tuple leads nowhere now, and may become another's.
    pub(crate) fn detach(&mut self, id: AllocationId) {
        let Some(allocation) = self.get_mut(id) else { return };
        let five_tuple = allocation.five_tuple;
        allocation.rare.get_or_insert_default().detached = true;
        self.forget(&five_tuple, id);
    }

    #[inline]
    pub(crate) fn id_of(&self, five_tuple: &FiveTuple) -> Option<AllocationId> {
        let leads = |id: &AllocationId| self.get(*id).is_some_and(|allocation| allocation.five_tuple == *five_tuple);
        self.by_tuple.find(hash(&self.hasher, five_tuple), leads).copied()
    }

    /// The allocation of a client.
    #[inline]
    pub(crate) fn of(&self, five_tuple: &FiveTuple) -> Option<&Allocation> {
        self.get(self.id_of(five_tuple)?)
    }

    /// The live allocation whose relayed address is exactly `address`, over UDP.
    #[inline]
    pub(crate) fn at_relayed(&self, address: &SocketAddr) -> Option<&Allocation> {
        self.get(*self.by_relayed.get(address)?)
    }

    #[inline]
    pub(crate) fn at_relay(&self, relay: RelayId) -> Option<&Allocation> {
        self.get(self.id_at_relay(relay)?)
    }

    #[inline]
    pub(crate) fn id_at_relay(&self, relay: RelayId) -> Option<AllocationId> {
        *self.by_relay.get(relay.0 as usize)?
    }

    /// Whether some live allocation has a relayed address on `ip`, over UDP.
    pub(crate) fn relays_on(&self, ip: IpAddr) -> bool {
        self.relayed_ips.iter().any(|(relayed, _)| *relayed == ip)
    }

    #[inline]
    pub(crate) fn get(&self, id: AllocationId) -> Option<&Allocation> {
        self.slots.get(id.0 as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, id: AllocationId) -> Option<&mut Allocation> {
        self.slots.get_mut(id.0 as usize)?.as_mut()
    }

    pub(crate) fn ids(&self) -> Vec<AllocationId> {
        let numbered = (0u32..).zip(&self.slots);
        numbered.filter(|(_, slot)| slot.is_some()).map(|(id, _)| AllocationId(id)).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    fn lead(&mut self, five_tuple: FiveTuple, id: AllocationId) {
        let Self { by_tuple, slots, hasher, .. } = self;
        let tuple = |id: &AllocationId| slots.get(id.0 as usize)?.as_ref().map(|allocation| allocation.five_tuple);
        let at = by_tuple.entry(
            hash(hasher, &five_tuple),
            |other| tuple(other) == Some(five_tuple),
            |other| tuple(other).map_or(0, |tuple| hash(hasher, &tuple)),
        );
        match at {
            Entry::Occupied(mut at) => *at.get_mut() = id,
            Entry::Vacant(at) => drop(at.insert(id)),
        }
    }

    fn forget(&mut self, five_tuple: &FiveTuple, id: AllocationId) {
        if let Ok(at) = self.by_tuple.find_entry(hash(&self.hasher, five_tuple), |other| *other == id) {
            at.remove();
        }
    }

    fn unpoint(&mut self, relay: &Relay, udp: bool) {
        point(&mut self.by_relay, relay.id, None);
        if udp {
            self.by_relayed.remove(&relay.relayed);
            uncount(&mut self.relayed_ips, relay.relayed.ip());
        }
    }
}

fn point(by_relay: &mut Vec<Option<AllocationId>>, relay: RelayId, to: Option<AllocationId>) {
    let place = relay.0 as usize;
    if by_relay.len() <= place {
        by_relay.resize(place + 1, None);
    }
    by_relay[place] = to;
}

fn count(ips: &mut Vec<(IpAddr, usize)>, ip: IpAddr) {
    match ips.iter_mut().find(|(known, _)| *known == ip) {
        Some((_, count)) => *count += 1,
        None => ips.push((ip, 1)),
    }
}

fn uncount(ips: &mut Vec<(IpAddr, usize)>, ip: IpAddr) {
    if let Some((_, count)) = ips.iter_mut().find(|(known, _)| *known == ip) {
        *count -= 1;
    }
    ips.retain(|(_, count)| *count > 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_allocation_is_small() {
        // A hundred thousand of them are to be no burden.
        assert!(size_of::<Option<Allocation>>() <= 320, "{} bytes", size_of::<Option<Allocation>>());
        assert!(size_of::<Identity>() <= 56, "{} bytes", size_of::<Identity>());
    }
}
