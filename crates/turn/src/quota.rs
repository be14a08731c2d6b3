//! How many allocations a user, an address and all together may hold.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use crate::Limits;

/// A place in the quota. It goes back with [`Quota::release`].
#[derive(Debug)]
pub(crate) struct Lease {
    account: Arc<str>,
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

/// Counts of live allocations.
#[derive(Debug, Default)]
pub(crate) struct Quota {
    by_account: HashMap<Arc<str>, usize>,
    by_address: HashMap<IpAddr, usize>,
    total: usize,
}

impl Quota {
    pub(crate) fn acquire(&mut self, limits: &Limits, account: Arc<str>, client: IpAddr) -> Result<Lease, Exceeded> {
        let address = site(client);
        let held = |count: Option<&usize>| count.copied().unwrap_or(0);
        if held(self.by_account.get(&account)) >= limits.allocations_per_user
            || held(self.by_address.get(&address)) >= limits.allocations_per_address
        {
            return Err(Exceeded::Own);
        }
        if self.total >= limits.allocations {
            return Err(Exceeded::Total);
        }
        *self.by_account.entry(account.clone()).or_default() += 1;
        *self.by_address.entry(address).or_default() += 1;
        self.total += 1;
        Ok(Lease { account, address })
    }

    pub(crate) fn release(&mut self, lease: Lease) {
        decrement(&mut self.by_account, &lease.account);
        decrement(&mut self.by_address, &lease.address);
        self.total -= 1;
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

    fn limits() -> Limits {
        Limits { allocations_per_user: 2, allocations_per_address: 3, allocations: 4, ..Limits::default() }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn each_limit_holds_and_released_places_come_back() {
        let (mut quota, limits) = (Quota::default(), limits());
        let take = |quota: &mut Quota, user: &str, client: &str| quota.acquire(&limits, user.into(), ip(client));
        let first = take(&mut quota, "a", "198.51.100.1").expect("room");
        take(&mut quota, "a", "198.51.100.2").expect("room");
        assert_eq!(take(&mut quota, "a", "198.51.100.3").err(), Some(Exceeded::Own), "per user");
        quota.release(first);
        for user in ["b", "c", "d"] {
            take(&mut quota, user, "2001:db8::1").expect("room");
        }
        assert_eq!(take(&mut quota, "e", "2001:db8::2").err(), Some(Exceeded::Own), "per /64");
        assert_eq!(take(&mut quota, "e", "2001:db8:1::2").err(), Some(Exceeded::Total));
    }
}
