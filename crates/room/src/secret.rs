//! A resume secret: compared in constant time, never shown in logs.

use std::fmt;

use subtle::ConstantTimeEq;

#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn matches(&self, given: &str) -> bool {
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }

    /// For the one message that tells the client.
    pub(crate) fn reveal(&self) -> String {
        self.0.clone()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_text_matches() {
        let secret = Secret::new("abcdef".to_owned());
        assert!(secret.matches("abcdef"));
        for wrong in ["", "abcde", "abcdeg", "abcdefg", "ABCDEF"] {
            assert!(!secret.matches(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_secret_is_not_shown_by_debug() {
        assert!(!format!("{:?}", Secret::new("abcdef".to_owned())).contains("abc"));
    }
}
