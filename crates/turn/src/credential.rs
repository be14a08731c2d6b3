//! Who may use the relay: static users, and time-limited credentials made from a shared secret.
//!
//! The second kind (`draft-uberti-behave-turn-rest`, which coturn and browsers' apps use) needs no
//! account: the user name is `<unix seconds of expiry>:<user>`, the password
//! base64(HMAC-SHA1(secret, user name)). Several secrets can be valid, so that they can be rotated.

use std::{collections::HashMap, fmt, sync::Arc};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use madang_wire::stun::{PasswordAlgorithmValue, Userhash};

use crate::integrity::Key;

/// The user names and secrets that are accepted.
#[derive(Clone, Default)]
pub struct Credentials {
    /// Passwords by user name.
    pub users: HashMap<String, String>,
    /// Shared secrets of time-limited credentials.
    pub secrets: Vec<String>,
    /// Whether clients are told that they may send the hash of their name instead of it (RFC 8489
    /// §9.2, "Username anonymity"). Hashes of `users` are understood in any case; but a hash of a
    /// time-limited name leads to nobody, because the name would have to be guessed. So say so
    /// only where every client that goes by RFC 8489 is one of `users`.
    pub userhash: bool,
}

/// Secrets stay out of logs.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("users", &self.users.len())
            .field("secrets", &self.secrets.len())
            .finish_non_exhaustive()
    }
}

/// A user name and password for `user` that are good until `expires` (unix seconds).
#[must_use]
pub fn mint(secret: &str, user: &str, expires: u64) -> (String, String) {
    let username = format!("{expires}:{user}");
    let password = password(secret, &username);
    (username, password)
}

fn password(secret: &str, username: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    STANDARD.encode(hmac::sign(&key, username.as_bytes()))
}

impl Credentials {
    /// The keys that would prove to be `username`: none for strangers and for expired credentials.
    pub(crate) fn keys(
        &self,
        realm: &str,
        username: &str,
        unix_now: u64,
        algorithm: PasswordAlgorithmValue,
    ) -> Vec<Key> {
        let key = |password: &str| Key::new(username, realm, password, algorithm);
        if let Some(password) = self.users.get(username) {
            return vec![key(password)];
        }
        match expiry(username) {
            Some(expires) if expires > unix_now => {
                self.secrets.iter().map(|secret| key(&password(secret, username))).collect()
            }
            _ => Vec::new(),
        }
    }

    /// By whom quotas count `username`: time-limited ones by the part after the time, so that a
    /// fresh credential brings no fresh quota. Those without a user are all of one account.
    pub(crate) fn account(&self, username: &str) -> Arc<str> {
        if self.users.contains_key(username) || expiry(username).is_none() {
            return username.into();
        }
        username.split_once(':').map_or("", |(_, user)| user).into()
    }
}

/// The names of static users by their hashes: RFC 8489 §14.4.
#[derive(Default)]
pub(crate) struct Userhashes {
    names: HashMap<[u8; 32], Arc<str>>,
}

impl Userhashes {
    pub(crate) fn new(credentials: &Credentials, realm: &str) -> Self {
        let names = credentials.users.keys();
        Self { names: names.map(|name| (Userhash::compute(name, realm), name.as_str().into())).collect() }
    }

    pub(crate) fn name(&self, hash: &[u8; 32]) -> Option<&str> {
        self.names.get(hash).map(|name| &**name)
    }
}

/// When a time-limited user name ends, in unix seconds.
fn expiry(username: &str) -> Option<u64> {
    let time = username.split_once(':').map_or(username, |(time, _)| time);
    let digits = !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| time.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> Credentials {
        Credentials {
            users: HashMap::from([("alice".to_owned(), "wonder".to_owned())]),
            secrets: vec!["old".into(), "new".into()],
            ..Credentials::default()
        }
    }

    fn keys(username: &str, now: u64) -> usize {
        credentials().keys("madang", username, now, PasswordAlgorithmValue::MD5).len()
    }

    #[test]
    fn the_password_is_the_one_other_servers_compute() {
        // printf %s 1700000000:alice | openssl dgst -sha1 -hmac secret -binary | base64
        assert_eq!(
            mint("secret", "alice", 1_700_000_000),
            ("1700000000:alice".into(), "d8soP47RbdIKLDUOpnJPVQyq5Ts=".into())
        );
    }

    #[test]
    fn time_limited_credentials_end() {
        assert_eq!(keys("1000:bob", 999), 2, "one key for each secret");
        assert_eq!(keys("1000:bob", 1000), 0);
        assert_eq!(keys("1000", 999), 2, "a user name may be the time alone");
        for strange in ["", ":", ":bob", "bob", "bob:1000", "-5:bob", "+1000:bob", "99999999999999999999:bob"] {
            assert_eq!(keys(strange, 1), 0, "{strange}");
        }
    }

    #[test]
    fn a_static_user_is_found_by_the_hash_of_the_name() {
        let hashes = Userhashes::new(&credentials(), "madang");
        assert_eq!(hashes.name(&Userhash::compute("alice", "madang")), Some("alice"));
        assert_eq!(hashes.name(&Userhash::compute("alice", "elsewhere")), None);
    }

    #[test]
    fn static_users_do_not_end() {
        assert_eq!(keys("alice", u64::MAX), 1);
    }

    #[test]
    fn a_fresh_credential_counts_for_the_same_account() {
        let credentials = credentials();
        assert_eq!(credentials.account("1000:bob"), credentials.account("2000:bob"));
        assert_ne!(credentials.account("1000:bob"), credentials.account("1000:eve"));
        assert_eq!(credentials.account("1000"), credentials.account("2000:"), "they name nobody");
        assert_ne!(credentials.account("1000"), credentials.account("1000:bob"));
        assert_eq!(&*credentials.account("alice"), "alice");
    }
}
