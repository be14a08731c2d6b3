//! Answers already given, so that a retransmitted request gets the same one.
//!
//! RFC 8489 §6.3.1.1 and RFC 8656 §7.2: over UDP a client repeats a request until it hears the
//! answer; doing it twice would allocate twice, or find the allocation gone that it has just ended.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use madang_wire::{FiveTuple, stun::TransactionId};

/// RFC 8489 §6.3.1.1: a server remembers a transaction for 40 seconds.
const LIFETIME: Duration = Duration::from_secs(40);

/// The most that are remembered; the oldest go first.
const CAPACITY: usize = 8192;

type Key = (FiveTuple, TransactionId);

/// Recent answers by five-tuple and transaction.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    bytes: HashMap<Key, Vec<u8>>,
    order: VecDeque<(Instant, Key)>,
}

impl Replies {
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() + self.order.len()
    }

    pub(crate) fn recall(&mut self, now: Instant, client: FiveTuple, transaction: TransactionId) -> Option<Vec<u8>> {
        self.forget(now);
        self.bytes.get(&(client, transaction)).cloned()
    }

    pub(crate) fn remember(&mut self, now: Instant, client: FiveTuple, transaction: TransactionId, bytes: Vec<u8>) {
        let key = (client, transaction);
        if self.bytes.insert(key, bytes).is_none() {
            self.order.push_back((now + LIFETIME, key));
        }
        self.forget(now);
    }

    fn forget(&mut self, now: Instant) {
        while let Some((expires, key)) = self.order.front() {
            if *expires > now && self.order.len() <= CAPACITY {
                return;
            }
            self.bytes.remove(key);
            self.order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use madang_wire::Transport;

    fn client() -> FiveTuple {
        let address = |port| std::net::SocketAddr::from(([198, 51, 100, 1], port));
        FiveTuple { client: address(1), server: address(3478), transport: Transport::Udp }
    }

    #[test]
    fn an_answer_is_remembered_for_forty_seconds() {
        let (mut replies, now) = (Replies::default(), Instant::now());
        replies.remember(now, client(), 1.into(), vec![1]);
        assert_eq!(replies.recall(now + Duration::from_secs(39), client(), 1.into()), Some(vec![1]));
        assert_eq!(replies.recall(now, client(), 2.into()), None);
        assert_eq!(replies.recall(now + LIFETIME, client(), 1.into()), None);
    }

    #[test]
    fn memory_is_bounded() {
        let (mut replies, now) = (Replies::default(), Instant::now());
        for transaction in 0..2 * CAPACITY as u128 {
            replies.remember(now, client(), transaction.into(), vec![1]);
        }
        assert_eq!(replies.bytes.len(), CAPACITY);
        assert_eq!(replies.order.len(), CAPACITY);
    }
}
