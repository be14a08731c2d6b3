//! How many allocations a user, an address and all together may hold, on all shards of a server.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use crate::{Limits, bucket::Bucket};

/// The places that allocations take, and what they relay where that is limited. The shards of one
/// server share one.
///
/// Its lock is taken when an allocation begins and when it ends, never for a packet: bandwidth is
/// counted by atomics that a [`Lease`] leads to.
#[derive(Debug)]
pub struct Quota {
    epoch: Instant,
    total: Bucket,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    by_account: HashMap<Arc<str>, Places>,
    by_address: HashMap<IpAddr, usize>,
    total: usize,
}

#[derive(Debug)]
struct Places {
    taken: usize,
    account: Arc<Account>,
}

/// Whoever allocations are counted for.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) name: Arc<str>,
    bucket: Bucket,
}

impl Account {
    pub(crate) fn new(name: Arc<str>) -> Self {
        Self { name, bucket: Bucket::default() }
    }

    /// What its allocations together relay.
    pub(crate) fn bucket(&self) -> &Bucket {
        &self.bucket
    }
}

/// A place in the quota. It goes back with [`Quota::release`].
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) account: Arc<Account>,
    address: IpAddr,
}

/// Which limit was hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exceeded {
    /// The user's or the address's own: 486.
    Own,
    /// The server's: 508.
    Total,
}

impl Quota {
    /// Nothing taken. `now` is when time begins for it.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { epoch: now, total: Bucket::default(), held: Mutex::default() }
    }

    /// Allocations that live, and ports that are reserved, on all shards.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.held().total
    }

    pub(crate) fn acquire(&self, limits: &Limits, account: &Arc<str>, client: IpAddr) -> Result<Lease, Exceeded> {
        let address = site(client);
        let mut held = self.held();
        if held.by_account.get(account).map_or(0, |places| places.taken) >= limits.allocations_per_user
            || held.by_address.get(&address).copied().unwrap_or(0) >= limits.allocations_per_address
        {
            return Err(Exceeded::Own);
        }
        if held.total >= limits.allocations {
            return Err(Exceeded::Total);
        }
        held.total += 1;
        *held.by_address.entry(address).or_default() += 1;
        let places = held
            .by_account
            .entry(account.clone())
            .or_insert_with(|| Places { taken: 0, account: Arc::new(Account::new(account.clone())) });
        places.taken += 1;
        Ok(Lease { account: places.account.clone(), address })
    }

    pub(crate) fn release(&self, lease: &Lease) {
        let mut held = self.held();
        held.total = held.total.saturating_sub(1);
        if let Some(places) = held.by_account.get_mut(&lease.account.name) {
            places.taken = places.taken.saturating_sub(1);
            if places.taken == 0 {
                held.by_account.remove(&lease.account.name);
            }
        }
        decrement(&mut held.by_address, &lease.address);
    }

    /// A client has moved: its allocation counts for its new address, however many that has.
    pub(crate) fn moved(&self, lease: &mut Lease, client: IpAddr) {
        let address = site(client);
        let mut held = self.held();
        decrement(&mut held.by_address, &lease.address);
        *held.by_address.entry(address).or_default() += 1;
        lease.address = address;
    }

    /// Whether `bytes` more may be relayed for an account, where that is limited.
    pub(crate) fn relay(&self, now: Instant, limits: &Limits, account: &Account, bytes: usize) -> bool {
        let bandwidth = limits.bandwidth;
        (bandwidth.per_user == 0 || account.bucket.take(self.epoch, now, bandwidth.per_user, bytes))
            && (bandwidth.total == 0 || self.total.take(self.epoch, now, bandwidth.total, bytes))
    }

    pub(crate) fn epoch(&self) -> Instant {
        self.epoch
    }

    /// What all together relay.
    pub(crate) fn total(&self) -> &Bucket {
        &self.total
    }

    /// Counts are right whatever a thread was doing when it panicked.
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn decrement<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// An IPv6 host has a whole /64 to choose addresses from.
fn site(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from(u128::from(ip) & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Bandwidth;

    fn limits() -> Limits {
        Limits { allocations_per_user: 2, allocations_per_address: 3, allocations: 4, ..Limits::default() }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn each_limit_holds_and_released_places_come_back() {
        let (quota, limits) = (Quota::new(Instant::now()), limits());
        let take = |user: &str, client: &str| quota.acquire(&limits, &user.into(), ip(client));
        let first = take("a", "198.51.100.1").expect("room");
        take("a", "198.51.100.2").expect("room");
        assert_eq!(take("a", "198.51.100.3").err(), Some(Exceeded::Own), "per user");
        quota.release(&first);
        for user in ["b", "c", "d"] {
            take(user, "2001:db8::1").expect("room");
        }
        assert_eq!(take("e", "2001:db8::2").err(), Some(Exceeded::Own), "per /64");
        assert_eq!(take("e", "2001:db8:1::2").err(), Some(Exceeded::Total));
        assert_eq!(quota.taken(), 4);
    }

    #[test]
    fn a_client_that_has_moved_counts_at_its_new_address() {
        let (quota, limits) = (Quota::new(Instant::now()), limits());
        let mut lease = quota.acquire(&limits, &"a".into(), ip("198.51.100.1")).expect("room");
        quota.moved(&mut lease, ip("198.51.100.2"));
        assert_eq!(quota.held().by_address, HashMap::from([(ip("198.51.100.2"), 1)]));
        quota.release(&lease);
        assert!(quota.held().by_address.is_empty() && quota.held().by_account.is_empty());
    }

    #[test]
    fn a_user_s_allocations_share_one_bandwidth_and_all_users_another() {
        let begin = Instant::now();
        let quota = Quota::new(begin);
        let bandwidth = Bandwidth { per_user: 1000, total: 1500, ..Bandwidth::default() };
        let limits = Limits { bandwidth, ..Limits::default() };
        let lease = |user: &str| quota.acquire(&limits, &user.into(), ip("198.51.100.1")).expect("room");
        let (first, second, other) = (lease("a"), lease("a"), lease("b"));
        assert!(quota.relay(begin, &limits, &first.account, 1000));
        assert!(!quota.relay(begin, &limits, &second.account, 1), "per user");
        assert!(quota.relay(begin, &limits, &other.account, 500));
        assert!(!quota.relay(begin, &limits, &other.account, 1), "in total");
    }
}
