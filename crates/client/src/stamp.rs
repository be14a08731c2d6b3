//! Marks in the pictures that this crate sends: when each was sent, and which it was. Decoders
//! leave bytes behind the last partition of a VP8 frame alone, so any receiver plays them, and
//! ours knows how long a picture took and which ones never came.

use std::time::{Duration, Instant};

/// What stands behind a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// When it was sent, by the sender's [`Clock`].
    pub sent: Duration,
    /// Which frame of its layer it is, from 0.
    pub number: u32,
}

const MAGIC: [u8; 8] = *b"madangTS";

/// Bytes that a stamp takes.
pub const LENGTH: usize = 8 + 4 + MAGIC.len();

impl Stamp {
    /// Appends it to a frame.
    pub fn write(&self, frame: &mut Vec<u8>) {
        let micros = u64::try_from(self.sent.as_micros()).unwrap_or(u64::MAX);
        frame.extend_from_slice(&micros.to_be_bytes());
        frame.extend_from_slice(&self.number.to_be_bytes());
        frame.extend_from_slice(&MAGIC);
    }

    /// The frame without its stamp, if it has one.
    #[must_use]
    pub fn strip(frame: &[u8]) -> &[u8] {
        if Self::read(frame).is_some() { &frame[..frame.len() - LENGTH] } else { frame }
    }

    /// The stamp at the end of a frame, if it has one.
    #[must_use]
    pub fn read(frame: &[u8]) -> Option<Self> {
        let (rest, magic) = frame.split_last_chunk()?;
        if *magic != MAGIC {
            return None;
        }
        let (rest, number) = rest.split_last_chunk()?;
        let (_, micros) = rest.split_last_chunk()?;
        Some(Self { sent: Duration::from_micros(u64::from_be_bytes(*micros)), number: u32::from_be_bytes(*number) })
    }
}

/// The clock that stamps are read by: [`Instant`]s told as time since 1970, so that participants
/// in several processes of one machine (or of several with like clocks) have one.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
    since_1970: Duration,
}

impl Clock {
    /// A clock that showed `since_1970` at `origin`.
    #[must_use]
    pub const fn new(origin: Instant, since_1970: Duration) -> Self {
        Self { origin, since_1970 }
    }

    /// What it shows at `now`.
    #[must_use]
    pub fn read(&self, now: Instant) -> Duration {
        self.since_1970 + now.saturating_duration_since(self.origin)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_stamp_is_read_and_taken_from_behind_any_frame(mut frame: Vec<u8>, micros: u64, number: u32) {
            let stamp = Stamp { sent: Duration::from_micros(micros), number };
            let before = frame.clone();
            stamp.write(&mut frame);
            prop_assert_eq!(frame.len(), before.len() + LENGTH);
            prop_assert_eq!(Stamp::read(&frame), Some(stamp));
            prop_assert_eq!(Stamp::strip(&frame), before);
        }

        #[test]
        fn a_frame_without_one_has_none(frame in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assume!(!frame.ends_with(&MAGIC));
            prop_assert_eq!(Stamp::read(&frame), None);
            prop_assert_eq!(Stamp::strip(&frame), &frame);
        }
    }

    #[test]
    fn the_clock_runs_as_its_instants_do() {
        let origin = Instant::now();
        let clock = Clock::new(origin, Duration::from_secs(100));
        assert_eq!(clock.read(origin + Duration::from_millis(5)), Duration::from_millis(100_005));
    }
}
