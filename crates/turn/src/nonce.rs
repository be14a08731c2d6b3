//! Stateless nonces: the time they were made and an HMAC over it and the client's IP address. Not
//! its port: one client may have many, a connection for each peer among them (RFC 6062 §4.3).
//!
//! RFC 8489 §9.2 asks that a nonce be hard to guess and be bound to the client; nothing has to be
//! stored for that, so answering strangers costs no memory.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use aws_lc_rs::{constant_time, hmac};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// RFC 8489 §9.2: "obMatJos2" and 24 bits of security features, of which bit 0 (the topmost) says
/// that PASSWORD-ALGORITHMS is understood. `gAAA` is 0x800000 in base64.
const COOKIE: &str = "obMatJos2gAAA";

/// The same with bit 1: USERHASH is understood. `wAAA` is 0xC00000.
const COOKIE_WITH_USERHASH: &str = "obMatJos2wAAA";

const MAC_BYTES: usize = 12;

/// Makes and checks nonces.
pub(crate) struct Nonces {
    key: hmac::Key,
    epoch: Instant,
    pub(crate) lifetime: Duration,
    pub(crate) userhash: bool,
}

/// A nonce that is ours, and not too old. Only [`Nonces::check`] makes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FreshNonce(());

impl Nonces {
    pub(crate) fn new(seed: &[u8; 32], epoch: Instant, lifetime: Duration, userhash: bool) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, seed), epoch, lifetime, userhash }
    }

    /// A new nonce for a client.
    pub(crate) fn mint(&self, now: Instant, client: IpAddr) -> String {
        let time = self.seconds(now).to_be_bytes();
        let cookie = if self.userhash { COOKIE_WITH_USERHASH } else { COOKIE };
        let tag = self.tag(cookie, time, client);
        let mut bytes = [0; 4 + MAC_BYTES];
        bytes[..4].copy_from_slice(&time);
        bytes[4..].copy_from_slice(&tag.as_ref()[..MAC_BYTES]);
        format!("{cookie}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Whether the nonce is one of ours for this client and still fresh; `None` means 438.
    pub(crate) fn check(&self, now: Instant, client: IpAddr, nonce: &str) -> Option<FreshNonce> {
        let mut bytes = [0; 4 + MAC_BYTES + 3];
        let (cookie, rest) = nonce.split_at_checked(COOKIE.len())?;
        // That the features are the ones we have told is in the tag (RFC 8489 §9.2.4).
        if cookie != COOKIE && cookie != COOKIE_WITH_USERHASH {
            return None;
        }
        let length = URL_SAFE_NO_PAD.decode_slice(rest, &mut bytes).ok()?;
        let (time, mac) = bytes.get(..length)?.split_first_chunk::<4>()?;
        let tag = self.tag(cookie, *time, client);
        constant_time::verify_slices_are_equal(mac, &tag.as_ref()[..MAC_BYTES]).ok()?;
        let age = self.seconds(now).checked_sub(u32::from_be_bytes(*time))?;
        (u64::from(age) <= self.lifetime.as_secs()).then_some(FreshNonce(()))
    }

    fn seconds(&self, now: Instant) -> u32 {
        u32::try_from(now.saturating_duration_since(self.epoch).as_secs()).unwrap_or(u32::MAX)
    }

    fn tag(&self, cookie: &str, time: [u8; 4], client: IpAddr) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(cookie.as_bytes());
        context.update(&time);
        match client {
            IpAddr::V4(ip) => context.update(&ip.octets()),
            IpAddr::V6(ip) => context.update(&ip.octets()),
        }
        context.sign()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(host: u8) -> IpAddr {
        IpAddr::from([198, 51, 100, host])
    }

    #[test]
    fn a_nonce_holds_for_its_client_and_its_lifetime_only() {
        let now = Instant::now();
        let nonces = Nonces::new(&[7; 32], now, Duration::from_secs(600), false);
        let later = now + Duration::from_secs(100);
        let nonce = nonces.mint(later, client(1));
        assert!(nonces.check(later, client(1), &nonce).is_some());
        assert!(nonces.check(later + Duration::from_secs(600), client(1), &nonce).is_some());
        assert!(nonces.check(later + Duration::from_secs(602), client(1), &nonce).is_none(), "too old");
        assert!(nonces.check(later, client(2), &nonce).is_none(), "another client's");
        assert!(nonces.check(now, client(1), &nonce).is_none(), "from the future");
    }

    #[test]
    fn a_forged_nonce_is_stale() {
        let now = Instant::now();
        let nonces = Nonces::new(&[7; 32], now, Duration::from_secs(600), false);
        let other = Nonces::new(&[8; 32], now, Duration::from_secs(600), false);
        let good = nonces.mint(now, client(1));
        for nonce in [
            "",
            "obMatJos2gAAA",
            "nonsense",
            &other.mint(now, client(1)),
            &good[..good.len() - 1],
            &format!("{good}AAAA"),
            &good.replace(COOKIE, COOKIE_WITH_USERHASH),
        ] {
            assert!(nonces.check(now, client(1), nonce).is_none(), "{nonce}");
        }
    }
}
