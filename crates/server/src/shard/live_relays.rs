//! The relayed addresses of live allocations, which every shard asks about and one shard changes.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::RwLock;

/// Clones share one set. While nobody relays, asking costs one load.
#[derive(Clone, Debug, Default)]
pub(crate) struct LiveRelays(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    count: AtomicUsize,
    relayed: RwLock<HashSet<SocketAddr>>,
}

impl LiveRelays {
    pub(super) fn insert(&self, relayed: SocketAddr) {
        let mut set = self.0.relayed.write();
        set.insert(relayed);
        self.0.count.store(set.len(), Ordering::Relaxed);
    }

    pub(super) fn remove(&self, relayed: &SocketAddr) {
        let mut set = self.0.relayed.write();
        set.remove(relayed);
        self.0.count.store(set.len(), Ordering::Relaxed);
    }

    pub(super) fn contains(&self, address: &SocketAddr) -> bool {
        self.0.count.load(Ordering::Relaxed) > 0 && self.0.relayed.read().contains(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_is_known_from_its_opening_to_its_end() {
        let (relays, one) = (LiveRelays::default(), SocketAddr::from(([203, 0, 113, 1], 50_000)));
        assert!(!relays.contains(&one));
        relays.clone().insert(one);
        assert!(relays.contains(&one));
        relays.remove(&one);
        assert!(!relays.contains(&one));
    }
}
