//! What can be wrong with a configuration. The process ends before it opens anything.

use std::path::PathBuf;

/// A configuration that cannot be used; the message says what to change.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{origin} is not TOML: {message}")]
    Syntax {
        /// Which file or variable.
        origin: String,
        /// Where and why.
        message: String,
    },
    /// There is no such key.
    #[error("unknown key `{key}` = {value} in {origin}; allowed there: {allowed}")]
    UnknownKey {
        /// The key in full.
        key: String,
        /// Its value, hidden where it could be a secret.
        value: String,
        /// Which file or variable.
        origin: String,
        /// The keys that exist beside it.
        allowed: String,
    },
    /// The value does not fit its key.
    #[error("`{key}` = {value} in {origin}: {message}; allowed: {allowed}")]
    BadValue {
        /// The key in full.
        key: String,
        /// Its value, hidden where it is a secret.
        value: String,
        /// Which file or variable.
        origin: String,
        /// What is wrong.
        message: String,
        /// What is allowed.
        allowed: String,
    },
    /// Each value is fine, together they are not.
    #[error("{0}")]
    Conflict(String),
}
