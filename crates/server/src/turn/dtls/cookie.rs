//! Cookies: a client that brings one back has received what was sent to its address.
//!
//! Nothing is kept until then. dimpl's own cookie comes from a secret that each of its sessions
//! makes for itself, so that it needs a session for each address that somebody claims to have;
//! here the cookie comes first and the session after it. dimpl asks its HMAC provider which cookie
//! is right, which is the way in for a cookie that has been checked already: see [`vouched`].

use std::{
    cell::Cell,
    net::SocketAddr,
    time::{Duration, Instant},
};

use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac};
use dimpl::{
    CryptoError,
    crypto::{CryptoProvider, HashAlgorithm, HmacProvider, aws_lc_rs::default_provider},
};

use super::hello::{COOKIE, ClientHello};

/// A cookie is good for this long, and until as much more has passed.
const FRESH: Duration = Duration::from_secs(30);

/// Bakes and checks cookies.
#[derive(Debug)]
pub(super) struct Cookies {
    key: hmac::Key,
    start: Instant,
}

impl Cookies {
    pub(super) fn new(secret: &[u8; 32], start: Instant) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret), start }
    }

    /// The cookie for a client, good for now and a while.
    pub(super) fn bake(&self, now: Instant, client: SocketAddr, hello: &ClientHello<'_>) -> [u8; COOKIE] {
        self.cookie(self.period(now), client, hello)
    }

    /// Whether the client has brought a cookie of ours.
    pub(super) fn prove(&self, now: Instant, client: SocketAddr, hello: &ClientHello<'_>) -> bool {
        let period = self.period(now);
        let is_from = |period| verify_slices_are_equal(&self.cookie(period, client, hello), hello.cookie()).is_ok();
        hello.cookie().len() == COOKIE && (is_from(period) || period.checked_sub(1).is_some_and(is_from))
    }

    fn period(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.start).as_secs() / FRESH.as_secs()
    }

    /// RFC 6347 §4.2.1: HMAC(secret, client address, client parameters).
    fn cookie(&self, period: u64, client: SocketAddr, hello: &ClientHello<'_>) -> [u8; COOKIE] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&period.to_be_bytes());
        match client.ip() {
            std::net::IpAddr::V4(ip) => context.update(&ip.octets()),
            std::net::IpAddr::V6(ip) => context.update(&ip.octets()),
        }
        context.update(&client.port().to_be_bytes());
        context.update(hello.parameters());
        let mut cookie = [0; COOKIE];
        cookie.copy_from_slice(context.sign().as_ref());
        cookie
    }
}

thread_local! {
    static VOUCHED: Cell<Option<[u8; COOKIE]>> = const { Cell::new(None) };
}

/// Calls dimpl in a way that it takes this cookie for its own. The cookie has been checked.
pub(super) fn vouched<R>(cookie: &[u8], call: impl FnOnce() -> R) -> R {
    /// Takes the word back, however the call ends.
    struct Word;
    impl Drop for Word {
        fn drop(&mut self) {
            VOUCHED.set(None);
        }
    }
    VOUCHED.set(cookie.try_into().ok());
    let _word = Word;
    call()
}

/// dimpl's cryptography over aws-lc, with our say about cookies.
pub(super) fn provider() -> CryptoProvider {
    CryptoProvider { hmac_provider: &Hmac, ..default_provider() }
}

#[derive(Debug)]
struct Hmac;

impl HmacProvider for Hmac {
    /// dimpl calls this for cookies alone: what else it derives comes through [`Self::hmac`].
    fn hmac_sha256(&self, key: &[u8], data: &[u8]) -> Result<[u8; 32], CryptoError> {
        match VOUCHED.get() {
            Some(cookie) => Ok(cookie),
            None => default_provider().hmac_provider.hmac_sha256(key, data),
        }
    }

    fn hmac(&self, hash: HashAlgorithm, key: &[u8], data: &[u8], out: &mut [u8]) -> Result<usize, CryptoError> {
        default_provider().hmac_provider.hmac(hash, key, data, out)
    }
}
