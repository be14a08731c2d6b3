//! The pauses between attempts to connect: 0.2 s, 0.4 s, 0.8 s … up to 2 s, each with up to a
//! half of it by chance, so that not all clients of a server come back at once.

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::SmallRng};

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Backoff {
    pause: Duration,
    chance: SmallRng,
}

impl Backoff {
    pub(super) fn new(seed: u64) -> Self {
        Self { pause: FIRST, chance: SmallRng::seed_from_u64(seed) }
    }

    pub(super) fn reset(&mut self) {
        self.pause = FIRST;
    }

    pub(super) fn next(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST);
        pause + pause.mul_f64(self.chance.random_range(0.0..0.5))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_two_seconds_and_a_half_by_chance() {
        let mut backoff = Backoff::new(7);
        for least in [200, 400, 800, 1600, 2000, 2000] {
            let pause = backoff.next();
            let least = Duration::from_millis(least);
            assert!(pause >= least && pause < least + least / 2, "{pause:?} after {least:?}");
        }
        backoff.reset();
        assert!(backoff.next() < LONGEST / 4);
    }
}
