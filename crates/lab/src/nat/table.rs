//! The mappings of a NAT, and whom each inner endpoint may hear.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use super::behaviour::Part;

/// An inner endpoint, and that part of the remote endpoint which counts.
type Key = (SocketAddr, Part);

#[derive(Debug)]
struct Mapping {
    mapped_for: Key,
    used: Instant,
}

#[derive(Debug, Default)]
pub(super) struct Table {
    by_outer: BTreeMap<SocketAddr, Mapping>,
    by_inner: BTreeMap<Key, SocketAddr>,
    /// When a packet last opened this.
    open: BTreeMap<Key, Instant>,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.by_outer.len()
    }

    pub(super) fn outer(&self, mapped_for: &Key) -> Option<SocketAddr> {
        self.by_inner.get(mapped_for).copied()
    }

    pub(super) fn inner(&self, outer: SocketAddr) -> Option<SocketAddr> {
        self.by_outer.get(&outer).map(|mapping| mapping.mapped_for.0)
    }

    /// The outer address that an inner one has.
    pub(super) fn address_of(&self, inner: IpAddr) -> Option<IpAddr> {
        let from = (SocketAddr::new(inner, 0), (None, None));
        let (found, outer) = self.by_inner.range(from..).next()?;
        (found.0.ip() == inner).then(|| outer.ip())
    }

    pub(super) fn map(&mut self, now: Instant, mapped_for: Key, outer: SocketAddr) {
        self.by_inner.insert(mapped_for, outer);
        self.by_outer.insert(outer, Mapping { mapped_for, used: now });
    }

    pub(super) fn use_mapping(&mut self, now: Instant, outer: SocketAddr) {
        if let Some(mapping) = self.by_outer.get_mut(&outer) {
            mapping.used = now;
        }
    }

    pub(super) fn let_in(&mut self, now: Instant, filter: Key) {
        self.open.insert(filter, now);
    }

    pub(super) fn lets_in(&self, filter: &Key) -> bool {
        self.open.contains_key(filter)
    }

    /// Forgets what has not been used for that long.
    pub(super) fn expire(&mut self, now: Instant, lifetime: Duration) {
        let lives = |used: Instant| now.saturating_duration_since(used) < lifetime;
        self.open.retain(|_, used| lives(*used));
        let by_inner = &mut self.by_inner;
        self.by_outer.retain(|_, mapping| {
            let keep = lives(mapping.used);
            if !keep {
                by_inner.remove(&mapping.mapped_for);
            }
            keep
        });
    }
}
