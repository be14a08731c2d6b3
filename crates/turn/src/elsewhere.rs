//! Clients whose allocations live on other shards, though the kernel gives their packets to this
//! one: they have moved (RFC 8016), or taken a port that was reserved there.

use std::{
    collections::HashMap,
    mem,
    time::{Duration, Instant},
};

use foldhash::fast::RandomState;
use madang_wire::FiveTuple;

use crate::io::Shard;

type Clients = HashMap<FiveTuple, Shard, RandomState>;

/// A bounded memory of two generations: what is used moves to the young one; when that is full, or
/// as old as an allocation may get without a sign of life, it becomes the old one, which is
/// forgotten.
#[derive(Debug)]
pub(crate) struct Elsewhere {
    young: Clients,
    old: Clients,
    since: Instant,
}

impl Elsewhere {
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    pub(crate) fn new(now: Instant) -> Self {
        Self { young: Clients::default(), old: Clients::default(), since: now }
    }

    /// Remembers a client. Only those who have proved something get here.
    pub(crate) fn insert(&mut self, now: Instant, client: FiveTuple, shard: Shard, limit: usize, idle: Duration) {
        if self.young.len() >= (limit / 2).max(1) || now.saturating_duration_since(self.since) >= idle {
            self.old = mem::take(&mut self.young);
            self.since = now;
        }
        self.old.remove(&client);
        self.young.insert(client, shard);
    }

    /// Where a client's allocation lives.
    pub(crate) fn shard_of(&self, client: &FiveTuple) -> Option<Shard> {
        if self.is_empty() {
            return None;
        }
        self.young.get(client).or_else(|| self.old.get(client)).copied()
    }

    /// Whether a client has been silent for long enough to be inserted again when it speaks.
    pub(crate) fn is_old(&self, client: &FiveTuple) -> bool {
        self.old.contains_key(client)
    }

    /// Its allocation lives here now.
    pub(crate) fn remove(&mut self, client: &FiveTuple) {
        self.young.remove(client);
        self.old.remove(client);
    }

    fn is_empty(&self) -> bool {
        self.young.is_empty() && self.old.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use madang_wire::Transport;

    use super::*;

    const IDLE: Duration = Duration::from_secs(3600);

    fn client(port: u16) -> FiveTuple {
        let address = |port| std::net::SocketAddr::from(([198, 51, 100, 1], port));
        FiveTuple { client: address(port), server: address(3478), transport: Transport::Udp }
    }

    #[test]
    fn clients_are_remembered_within_bounds_and_the_silent_ones_go_first() {
        let now = Instant::now();
        let mut elsewhere = Elsewhere::new(now);
        for port in 0..100 {
            elsewhere.insert(now, client(port), 3, 10, IDLE);
            if elsewhere.is_old(&client(0)) {
                elsewhere.insert(now, client(0), 3, 10, IDLE);
            }
            assert!(elsewhere.young.len() + elsewhere.old.len() <= 10);
        }
        assert_eq!(elsewhere.shard_of(&client(0)), Some(3), "it was used all the time");
        assert_eq!(elsewhere.shard_of(&client(50)), None);
        elsewhere.remove(&client(0));
        assert_eq!(elsewhere.shard_of(&client(0)), None);
    }

    #[test]
    fn a_client_that_is_silent_for_two_lifetimes_is_forgotten() {
        let now = Instant::now();
        let mut elsewhere = Elsewhere::new(now);
        elsewhere.insert(now, client(1), 1, 10, IDLE);
        elsewhere.insert(now + IDLE, client(2), 1, 10, IDLE);
        assert_eq!(elsewhere.shard_of(&client(1)), Some(1));
        elsewhere.insert(now + 2 * IDLE, client(3), 1, 10, IDLE);
        assert_eq!(elsewhere.shard_of(&client(1)), None);
    }
}
