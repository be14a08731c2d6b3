//! What clients may take before they are told apart from an attack.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::{Duration, Instant},
};

/// Bounds on what clients can take of one listener.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DtlsLimits {
    /// Sessions in all.
    pub sessions: usize,
    /// Sessions of one network (/24 for IPv4, /56 for IPv6).
    pub sessions_per_network: usize,
    /// Sessions in all whose handshake isn't done. One more ends the oldest of them.
    pub half_open: usize,
    /// The same of one network. One more is refused.
    pub half_open_per_network: usize,
    /// Handshakes per second of one network, four times as many at once: each costs a signature.
    pub handshakes_per_second: f32,
    /// How long a handshake may take.
    pub handshake: Duration,
    /// How long a client without an allocation may be silent.
    pub idle: Duration,
    /// How long a client with an allocation may be silent.
    pub idle_allocated: Duration,
}

impl Default for DtlsLimits {
    fn default() -> Self {
        Self {
            sessions: 10_000,
            sessions_per_network: 1000,
            half_open: 1024,
            half_open_per_network: 64,
            handshakes_per_second: 20.0,
            handshake: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            idle_allocated: Duration::from_secs(3600 + 60),
        }
    }
}

/// The network that is held responsible for an address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & 0xFFFF_FF00)),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 72 << 72)),
    }
}

/// What one network has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) sessions: usize,
    pub(super) half_open: usize,
}

/// What each network has. It knows only networks that have something.
#[derive(Debug, Default)]
pub(super) struct Networks(HashMap<IpAddr, Held>);

impl Networks {
    pub(super) fn held(&self, client: IpAddr) -> Held {
        self.0.get(&network(client)).copied().unwrap_or_default()
    }

    /// A half-open session begins.
    pub(super) fn begin(&mut self, client: IpAddr) {
        let held = self.0.entry(network(client)).or_default();
        held.sessions += 1;
        held.half_open += 1;
    }

    /// Its handshake is done.
    pub(super) fn open(&mut self, client: IpAddr) {
        if let Some(held) = self.0.get_mut(&network(client)) {
            held.half_open = held.half_open.saturating_sub(1);
        }
    }

    /// A session has ended.
    pub(super) fn end(&mut self, client: IpAddr, half_open: bool) {
        let network = network(client);
        let Some(held) = self.0.get_mut(&network) else { return };
        held.sessions = held.sessions.saturating_sub(1);
        held.half_open = held.half_open.saturating_sub(usize::from(half_open));
        if held.sessions == 0 {
            self.0.remove(&network);
        }
    }
}

const BUCKETS: usize = 1 << 12;

/// Loopback is this machine: it gets this many times more.
const LOOPBACK_FACTOR: f32 = 100.0;

/// How often handshakes begin. Networks share a fixed number of buckets by a keyed hash, so memory
/// is constant and nobody can aim at another's bucket.
#[derive(Debug)]
pub(super) struct Pace {
    hasher: RandomState,
    buckets: Box<[Option<(f32, Instant)>]>,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { hasher: RandomState::new(), buckets: vec![None; BUCKETS].into_boxed_slice() }
    }

    /// Whether one more may begin.
    pub(super) fn admit(&mut self, now: Instant, client: IpAddr, per_second: f32) -> bool {
        let per_second = if client.is_loopback() { per_second * LOOPBACK_FACTOR } else { per_second };
        let place = self.hasher.hash_one(network(client)) as usize % BUCKETS;
        let (spent, at) = self.buckets[place].get_or_insert((0.0, now));
        *spent = (*spent - now.saturating_duration_since(*at).as_secs_f32() * per_second).max(0.0);
        *at = now;
        let admitted = *spent + 1.0 <= per_second * 4.0;
        *spent += f32::from(u8::from(admitted));
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_share_a_network_and_others_do_not() {
        let same = |a: &str, b: &str| {
            let [a, b]: [IpAddr; 2] = [a, b].map(|text| text.parse().expect("an address"));
            network(a) == network(b)
        };
        assert!(same("192.0.2.1", "192.0.2.254") && same("192.0.2.1", "::ffff:192.0.2.9"));
        assert!(!same("192.0.2.1", "192.0.3.1"));
        assert!(same("2001:db8:0:a0::1", "2001:db8:0:aF::2") && !same("2001:db8:0:100::1", "2001:db8:0:200::1"));
    }

    #[test]
    fn a_network_that_has_nothing_any_more_is_forgotten() {
        let (mut networks, client) = (Networks::default(), IpAddr::from([192, 0, 2, 1]));
        networks.begin(client);
        networks.begin([192, 0, 2, 2].into());
        networks.open(client);
        assert_eq!(networks.held([192, 0, 2, 3].into()), Held { sessions: 2, half_open: 1 });
        networks.end(client, false);
        networks.end(client, true);
        assert!(networks.0.is_empty());
    }

    #[test]
    fn a_network_has_its_pace_and_gets_it_back_with_time() {
        let (mut pace, now, client) = (Pace::new(), Instant::now(), IpAddr::from([192, 0, 2, 1]));
        assert_eq!((0..100).filter(|_| pace.admit(now, client, 5.0)).count(), 20);
        let later = now + Duration::from_secs(1);
        assert_eq!((0..100).filter(|_| pace.admit(later, client, 5.0)).count(), 5);
    }
}
