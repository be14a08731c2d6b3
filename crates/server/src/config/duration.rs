//! Spans of time as people write them: `500ms`, `5s`, `10m`, `1h`, `1d`.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A span of time, written as a whole number and a unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// A text that is no span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a span of time (a whole number and one of ms, s, m, h, d, such as `30s`)")]
pub struct DurationError;

const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

impl Span {
    /// A span of whole seconds.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// The span in milliseconds, at most `u32::MAX`.
    #[must_use]
    pub fn millis(self) -> u32 {
        u32::try_from(self.0.as_millis()).unwrap_or(u32::MAX)
    }
}

impl FromStr for Span {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or(DurationError)?;
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| DurationError)?;
        let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit.trim()).ok_or(DurationError)?;
        number.checked_mul(*millis).map(|ms| Self(Duration::from_millis(ms))).ok_or(DurationError)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let (unit, size) = UNITS
            .iter()
            .find(|(_, size)| millis != 0 && millis.is_multiple_of(u128::from(*size)))
            .unwrap_or(&("s", 1000));
        write!(f, "{}{unit}", millis / u128::from(*size))
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_prints_as_it_is_read() {
        for text in ["500ms", "5s", "90s", "10m", "1h", "2d", "0s"] {
            assert_eq!(text.parse::<Span>().map(|span| span.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("60s".parse::<Span>().map(|span| span.to_string()).as_deref(), Ok("1m"));
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in ["", "5", "s", "-5s", "5 weeks", "1.5s", "99999999999999999999s", "18446744073709551615d"] {
            assert_eq!(text.parse::<Span>(), Err(DurationError), "{text}");
        }
    }
}
