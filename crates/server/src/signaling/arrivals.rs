//! How often one address may say `hello`: a session outlives its connection by the resume grace,
//! so who connects and vanishes again and again would fill the memory with sessions.
//!
//! The buckets are a fixed array reached by a keyed hash: memory is constant, and nobody who
//! does not know the key can aim at somebody else's bucket.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::listen::prefix;

const BUCKETS: usize = 1 << 12;

/// Sessions that one address may leave behind for each connection that it may have.
const PER_CONNECTION: u32 = 4;

/// Counts arrivals by address.
pub(crate) struct Arrivals {
    per_second: f64,
    burst: f64,
    hasher: RandomState,
    buckets: Mutex<Vec<Option<Bucket>>>,
}

#[derive(Clone, Copy)]
struct Bucket {
    spent: f64,
    at: Instant,
}

impl Arrivals {
    /// For servers where one address may hold `connections`, and a lost session lasts for `grace`.
    pub(crate) fn new(connections: u32, grace: Duration) -> Self {
        let burst = f64::from(connections) * f64::from(PER_CONNECTION);
        let per_second = burst / grace.as_secs_f64().max(1.0);
        Self { per_second, burst, hasher: RandomState::new(), buckets: Mutex::new(vec![None; BUCKETS]) }
    }

    /// Whether somebody from `address` may come in now.
    pub(crate) fn admit(&self, now: Instant, address: IpAddr) -> bool {
        let place = self.hasher.hash_one(prefix(address)) as usize % BUCKETS;
        let mut buckets = self.buckets.lock();
        let bucket = buckets[place].get_or_insert(Bucket { spent: 0.0, at: now });
        let gained = now.saturating_duration_since(bucket.at).as_secs_f64() * self.per_second;
        bucket.spent = (bucket.spent - gained).max(0.0);
        bucket.at = now;
        let fits = bucket.spent + 1.0 <= self.burst;
        bucket.spent += f64::from(u8::from(fits));
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_come_four_times_for_each_connection_within_the_grace() {
        let (arrivals, now) = (Arrivals::new(2, Duration::from_secs(8)), Instant::now());
        let [a, b]: [IpAddr; 2] = [[192, 0, 2, 1].into(), [192, 0, 2, 2].into()];
        let count = |at, address, tries| (0..tries).filter(|_| arrivals.admit(at, address)).count();
        assert_eq!(count(now, a, 20), 8);
        assert_eq!(count(now, b, 1), 1, "somebody else is not kept out");
        assert_eq!(count(now + Duration::from_secs(3), a, 20), 3);
    }
}
