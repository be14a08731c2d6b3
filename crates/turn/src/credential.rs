//! Who may use the relay: static users, and time-limited credentials made from a shared secret.
//!
//! The second kind (`draft-uberti-behave-turn-rest`, which coturn and browsers' apps use) needs no
//! account: the user name is `<unix seconds of expiry>:<user>`, the password
//! base64(HMAC-SHA1(secret, user name)). Several secrets can be valid, so that they can be rotated.

use std::{collections::HashMap, fmt, sync::Arc};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use madang_wire::stun::{IntegrityAlgorithm, IntegrityKey, LongTermKeyCredentials};

/// The user names and secrets that are accepted.
#[derive(Clone, Default)]
pub struct Credentials {
    /// Passwords by user name.
    pub users: HashMap<String, String>,
    /// Shared secrets of time-limited credentials.
    pub secrets: Vec<String>,
}

/// Secrets stay out of logs.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("users", &self.users.len()).field("secrets", &self.secrets.len()).finish()
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
        algorithm: IntegrityAlgorithm,
    ) -> Vec<IntegrityKey> {
        let key = |password| LongTermKeyCredentials::new(username.into(), password, realm.into()).make_key(algorithm);
        if let Some(password) = self.users.get(username) {
            return vec![key(password.clone())];
        }
        match expiry(username) {
            Some(expires) if expires > unix_now => {
                self.secrets.iter().map(|secret| key(password(secret, username))).collect()
            }
            _ => Vec::new(),
        }
    }

    /// By whom quotas count `username`: time-limited ones by the part after the time, so that a
    /// fresh credential brings no fresh quota.
    pub(crate) fn account(&self, username: &str) -> Arc<str> {
        match username.split_once(':') {
            Some((_, user)) if !self.users.contains_key(username) && !user.is_empty() => user.into(),
            _ => username.into(),
        }
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
        }
    }

    fn keys(username: &str, now: u64) -> usize {
        credentials().keys("madang", username, now, IntegrityAlgorithm::Sha1).len()
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
    fn static_users_do_not_end() {
        assert_eq!(keys("alice", u64::MAX), 1);
    }

    #[test]
    fn a_fresh_credential_counts_for_the_same_account() {
        let credentials = credentials();
        assert_eq!(credentials.account("1000:bob"), credentials.account("2000:bob"));
        assert_ne!(credentials.account("1000:bob"), credentials.account("1000:eve"));
    }
}
