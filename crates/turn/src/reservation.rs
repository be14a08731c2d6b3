//! Ports held for a second allocation: EVEN-PORT and RESERVATION-TOKEN, RFC 8656 §7.2.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use aws_lc_rs::hmac;

use crate::{
    io::{RelayId, Shard},
    quota::Lease,
};

/// RFC 8656 §7.2: "at least 30 seconds".
const LIFETIME: Duration = Duration::from_secs(30);

/// The value of RESERVATION-TOKEN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Token(pub(crate) u64);

impl Token {
    /// Where the relay waits: the first two bytes.
    pub(crate) fn shard(self) -> Shard {
        (self.0 >> 48) as Shard
    }
}

/// A relay that waits for its allocation.
#[derive(Debug)]
pub(crate) struct Reservation {
    pub(crate) relay: RelayId,
    pub(crate) relayed: SocketAddr,
    pub(crate) account: Arc<str>,
    pub(crate) expires: Instant,
    /// Its place in the quota, which goes to the allocation that takes it.
    pub(crate) lease: Lease,
}

/// Reserved relays by token.
pub(crate) struct Reservations {
    key: hmac::Key,
    shard: Shard,
    made: u64,
    held: HashMap<Token, Reservation>,
}

impl Reservations {
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    pub(crate) fn new(seed: &[u8; 32], shard: Shard) -> Self {
        let key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, seed), b"reservation token");
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()), shard, made: 0, held: HashMap::new() }
    }

    /// Holds a relay, and says by which token and until when.
    pub(crate) fn hold(
        &mut self,
        now: Instant,
        relay: RelayId,
        relayed: SocketAddr,
        account: Arc<str>,
        lease: Lease,
    ) -> (Token, Instant) {
        self.made += 1;
        let shard = u64::from(self.shard) << 48;
        let tag = hmac::sign(&self.key, &(shard | self.made).to_be_bytes());
        let random = tag.as_ref().first_chunk().map_or(self.made, |bytes| u64::from_be_bytes(*bytes));
        let (token, expires) = (Token(shard | random >> 16), now + LIFETIME);
        self.held.insert(token, Reservation { relay, relayed, account, expires, lease });
        (token, expires)
    }

    /// Gives the relay to the account that reserved it.
    pub(crate) fn take(&mut self, token: Token, account: &str) -> Option<Reservation> {
        if &*self.held.get(&token)?.account != account {
            return None;
        }
        self.held.remove(&token)
    }

    /// Nobody came.
    pub(crate) fn expire(&mut self, token: Token) -> Option<Reservation> {
        self.held.remove(&token)
    }
}
