//! The relayed addresses of live allocations: every shard asks about them, each changes its own.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use madang_turn::{Directory, Shard};
use parking_lot::RwLock;

/// Clones share one table. While nobody relays, asking costs one load.
#[derive(Clone, Debug, Default)]
pub(crate) struct LiveRelays(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    count: AtomicUsize,
    relays: RwLock<Relays>,
}

#[derive(Debug, Default)]
struct Relays {
    shards: HashMap<SocketAddr, Shard>,
    /// How many there are on each address.
    by_ip: HashMap<IpAddr, usize>,
}

impl LiveRelays {
    pub(super) fn insert(&self, relayed: SocketAddr, shard: Shard) {
        let mut relays = self.0.relays.write();
        if relays.shards.insert(relayed, shard).is_none() {
            *relays.by_ip.entry(relayed.ip()).or_default() += 1;
        }
        self.0.count.store(relays.shards.len(), Ordering::Relaxed);
    }

    pub(super) fn remove(&self, relayed: &SocketAddr) {
        let mut relays = self.0.relays.write();
        if relays.shards.remove(relayed).is_some()
            && let Some(count) = relays.by_ip.get_mut(&relayed.ip())
        {
            *count -= 1;
            if *count == 0 {
                relays.by_ip.remove(&relayed.ip());
            }
        }
        self.0.count.store(relays.shards.len(), Ordering::Relaxed);
    }

    fn is_empty(&self) -> bool {
        self.0.count.load(Ordering::Relaxed) == 0
    }
}

impl Directory for LiveRelays {
    fn shard_of(&self, relayed: &SocketAddr) -> Option<Shard> {
        if self.is_empty() { None } else { self.0.relays.read().shards.get(relayed).copied() }
    }

    fn relays_on(&self, ip: IpAddr) -> bool {
        !self.is_empty() && self.0.relays.read().by_ip.contains_key(&ip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_is_known_from_its_opening_to_its_end() {
        let (relays, one) = (LiveRelays::default(), SocketAddr::from(([203, 0, 113, 1], 50_000)));
        assert_eq!(relays.shard_of(&one), None);
        relays.clone().insert(one, 3);
        assert_eq!(relays.shard_of(&one), Some(3));
        assert!(relays.relays_on(one.ip()));
        relays.remove(&one);
        assert_eq!(relays.shard_of(&one), None);
        assert!(!relays.relays_on(one.ip()));
    }
}
