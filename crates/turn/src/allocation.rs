//! Allocations: RFC 8656 §5, and the table that finds them.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use madang_wire::{FiveTuple, stun::TransactionId};

use crate::{authentication::Authenticated, channel::Channels, io::RelayId, permission::Permissions, quota::Lease};

/// A place in the table of allocations, reused after its allocation has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct AllocationId(u32);

/// A relayed transport address that a client holds.
#[derive(Debug)]
pub(crate) struct Allocation {
    pub(crate) five_tuple: FiveTuple,
    pub(crate) owner: Authenticated,
    pub(crate) lease: Lease,
    pub(crate) relay: RelayId,
    pub(crate) relayed: SocketAddr,
    pub(crate) expires: Instant,
    pub(crate) permissions: Permissions,
    pub(crate) channels: Channels,
}

/// An Allocate request that waits for its relay to open.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) five_tuple: FiveTuple,
    pub(crate) owner: Authenticated,
    pub(crate) lease: Lease,
    pub(crate) relay: RelayId,
    pub(crate) transaction: TransactionId,
    pub(crate) lifetime: u32,
    /// The second relay of EVEN-PORT, and its own place in the quota: it is held without an
    /// allocation, so it would count nowhere else.
    pub(crate) next: Option<(RelayId, Lease)>,
    /// The client has gone meanwhile.
    pub(crate) abandoned: bool,
}

/// Live allocations by all that leads to them.
#[derive(Debug, Default)]
pub(crate) struct Allocations {
    slots: Vec<Option<Allocation>>,
    free: Vec<u32>,
    by_tuple: HashMap<FiveTuple, AllocationId>,
    by_relayed: HashMap<SocketAddr, AllocationId>,
    by_relay: Vec<Option<AllocationId>>,
    relayed_ips: HashMap<IpAddr, usize>,
}

impl Allocations {
    pub(crate) fn insert(&mut self, allocation: Allocation) -> AllocationId {
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let id = AllocationId(id);
        self.by_tuple.insert(allocation.five_tuple, id);
        self.by_relayed.insert(allocation.relayed, id);
        *self.relayed_ips.entry(allocation.relayed.ip()).or_default() += 1;
        let relay = allocation.relay.0 as usize;
        if self.by_relay.len() <= relay {
            self.by_relay.resize(relay + 1, None);
        }
        self.by_relay[relay] = Some(id);
        self.slots[id.0 as usize] = Some(allocation);
        id
    }

    pub(crate) fn remove(&mut self, id: AllocationId) -> Option<Allocation> {
        let allocation = self.slots.get_mut(id.0 as usize)?.take()?;
        self.free.push(id.0);
        self.by_tuple.remove(&allocation.five_tuple);
        self.by_relayed.remove(&allocation.relayed);
        self.by_relay[allocation.relay.0 as usize] = None;
        if let Some(count) = self.relayed_ips.get_mut(&allocation.relayed.ip()) {
            *count -= 1;
            if *count == 0 {
                self.relayed_ips.remove(&allocation.relayed.ip());
            }
        }
        Some(allocation)
    }

    #[inline]
    pub(crate) fn id_of(&self, five_tuple: &FiveTuple) -> Option<AllocationId> {
        self.by_tuple.get(five_tuple).copied()
    }

    /// The live allocation whose relayed address is exactly `address`.
    #[inline]
    pub(crate) fn at_relayed(&self, address: &SocketAddr) -> Option<&Allocation> {
        self.get(*self.by_relayed.get(address)?)
    }

    #[inline]
    pub(crate) fn at_relay(&self, relay: RelayId) -> Option<&Allocation> {
        self.get((*self.by_relay.get(relay.0 as usize)?)?)
    }

    /// Whether some live allocation has a relayed address on `ip`.
    #[inline]
    pub(crate) fn relays_on(&self, ip: IpAddr) -> bool {
        self.relayed_ips.contains_key(&ip)
    }

    #[inline]
    pub(crate) fn get(&self, id: AllocationId) -> Option<&Allocation> {
        self.slots.get(id.0 as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, id: AllocationId) -> Option<&mut Allocation> {
        self.slots.get_mut(id.0 as usize)?.as_mut()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_tuple.len()
    }
}

/// The account that quotas count, and the name that requests must repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) username: Arc<str>,
    pub(crate) account: Arc<str>,
}
