//! How often the server answers those who have not authenticated.
//!
//! Such answers go to addresses that can be forged, so each network gets a bucket of tokens. The
//! buckets are a fixed array reached by a keyed hash: memory is constant, nothing is evicted, and
//! an attacker who doesn't know the key can't aim at somebody's bucket.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    time::{Duration, Instant},
};

const BUCKETS: usize = 1 << 14;

/// Loopback can't be forged from outside: it gets this many times more.
const LOOPBACK_FACTOR: f32 = 100.0;

/// Answers before authentication, per network (/24 for IPv4, /56 for IPv6).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Answers per second that are sustained.
    pub per_second: f32,
    /// Answers at once.
    pub burst: f32,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    spent: f32,
    at: Instant,
}

/// Token buckets by network.
#[derive(Debug)]
pub(crate) struct RateLimit {
    rate: Rate,
    hasher: RandomState,
    buckets: Vec<Option<Bucket>>,
}

impl RateLimit {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, hasher: RandomState::new(), buckets: vec![None; BUCKETS] }
    }

    /// Another rate from now on.
    pub(crate) fn set_rate(&mut self, rate: Rate) {
        self.rate = rate;
    }

    /// Takes a token for an answer to `client`; `false` says not to answer.
    pub(crate) fn admit(&mut self, now: Instant, client: IpAddr) -> bool {
        let factor = if client.is_loopback() { LOOPBACK_FACTOR } else { 1.0 };
        let (per_second, burst) = (self.rate.per_second * factor, self.rate.burst * factor);
        let place = self.hasher.hash_one(network(client)) as usize % BUCKETS;
        let bucket = self.buckets[place].get_or_insert(Bucket { spent: 0.0, at: now });
        let elapsed = now.saturating_duration_since(bucket.at).min(Duration::from_secs(3600));
        bucket.spent = (bucket.spent - elapsed.as_secs_f32() * per_second).max(0.0);
        bucket.at = now;
        if bucket.spent + 1.0 > burst {
            return false;
        }
        bucket.spent += 1.0;
        true
    }
}

/// The part of an address that one customer of a network usually holds.
fn network(ip: IpAddr) -> [u8; 8] {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            [4, a, b, c, 0, 0, 0, 0]
        }
        IpAddr::V6(ip) => {
            let [a, b, c, d, e, f, g, ..] = ip.octets();
            [6, a, b, c, d, e, f, g]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 10.0, burst: 5.0 };

    fn admitted(limit: &mut RateLimit, now: Instant, client: &str, tries: usize) -> usize {
        let client = client.parse().expect("an address");
        (0..tries).filter(|_| limit.admit(now, client)).count()
    }

    #[test]
    fn a_network_is_answered_up_to_its_burst_and_then_at_its_rate() {
        let (mut limit, now) = (RateLimit::new(RATE), Instant::now());
        assert_eq!(admitted(&mut limit, now, "198.51.100.1", 20), 5);
        assert_eq!(admitted(&mut limit, now, "198.51.100.200", 20), 0);
        assert_eq!(admitted(&mut limit, now + Duration::from_millis(350), "198.51.100.1", 20), 3);
    }

    #[test]
    fn networks_do_not_share_a_bucket() {
        let (mut limit, now) = (RateLimit::new(RATE), Instant::now());
        admitted(&mut limit, now, "2001:db8:0:1::1", 20);
        assert_eq!(admitted(&mut limit, now, "2001:db8:0:2::1", 20), 0, "the same /56");
        assert_eq!(admitted(&mut limit, now, "2001:db8:1:1::1", 20), 5);
    }

    #[test]
    fn loopback_gets_more() {
        let (mut limit, now) = (RateLimit::new(RATE), Instant::now());
        assert_eq!(admitted(&mut limit, now, "127.0.0.1", 1000), 500);
    }
}
