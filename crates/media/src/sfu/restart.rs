//! When bandwidth estimation is to begin anew.
//!
//! The estimator learns from what is sent, and sends nothing of its own while it takes the path
//! for congested. So when every picture is paused and nobody speaks, no report comes that could
//! change its mind; and after a loss it may hold a low estimate for a minute. Whoever gets less
//! than wanted for a while is therefore measured anew: a few packets of padding find out whether
//! there is more, before any picture is risked. Each time in vain doubles the wait.

use std::time::{Duration, Instant};

use super::allocator::Shortage;

/// How long pictures have to be paused, all of them or in part, before the first attempt.
const DARK: Duration = Duration::from_secs(2);
const SHORT: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(30);
/// After so long with all that was wanted, the waits are short again.
const CALM: Duration = Duration::from_secs(10);
/// An estimate that grows by this much, in percent, gets there without help.
const GROWTH_PERCENT: u64 = 120;

/// Follows one receiver.
#[derive(Debug)]
pub(super) struct Restarts {
    state: State,
    /// Doublings of the wait.
    in_vain: u32,
}

#[derive(Debug)]
enum State {
    /// It has had what it wanted since then; `None` is for ever.
    Content(Option<Instant>),
    /// It has been short since then, with an estimate of so much.
    Waiting(Instant, u64),
}

impl Default for Restarts {
    fn default() -> Self {
        Self { state: State::Content(None), in_vain: 0 }
    }
}

impl Restarts {
    /// Takes what is decided. Returns whether the estimation is to begin anew.
    pub(super) fn update(&mut self, now: Instant, shortage: Shortage, estimate: u64) -> bool {
        let (since, before) = match (&self.state, shortage) {
            (State::Content(since), Shortage::None) => {
                if since.is_none_or(|since| now.saturating_duration_since(since) >= CALM) {
                    self.in_vain = 0;
                }
                return false;
            }
            (State::Waiting(..), Shortage::None) => {
                self.state = State::Content(Some(now));
                return false;
            }
            (State::Content(_), _) => (now, estimate),
            (State::Waiting(_, before), _) if estimate >= before.saturating_mul(GROWTH_PERCENT) / 100 => {
                (now, estimate)
            }
            (State::Waiting(since, before), _) => (*since, *before),
        };
        let first = if shortage == Shortage::All { DARK } else { SHORT };
        let wait = (first * 2u32.saturating_pow(self.in_vain)).min(LONGEST);
        let restart = now.saturating_duration_since(since) >= wait;
        if restart {
            self.in_vain = (self.in_vain + 1).min(8);
        }
        self.state = if restart { State::Waiting(now, estimate) } else { State::Waiting(since, before) };
        restart
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// The moments of restarts, in milliseconds, where every half second brings a decision.
    fn restarts(
        restarts: &mut Restarts,
        start: Instant,
        seconds: u64,
        shortage: Shortage,
        rate: fn(u64) -> u64,
    ) -> Vec<u64> {
        let moments = (0..seconds * 2).map(|step| step * 500);
        moments.filter(|at| restarts.update(start + ms(*at), shortage, rate(*at))).collect()
    }

    #[test]
    fn who_sees_nothing_is_measured_anew_after_two_seconds_and_ever_more_rarely() {
        let all = restarts(&mut Restarts::default(), Instant::now(), 130, Shortage::All, |_| 100_000);
        assert_eq!(all, [2000, 6000, 14_000, 30_000, 60_000, 90_000, 120_000]);
    }

    #[test]
    fn who_sees_something_waits_longer_and_whoever_lacks_nothing_is_left_alone() {
        assert_eq!(restarts(&mut Restarts::default(), Instant::now(), 20, Shortage::Part, |_| 100_000), [5000, 15_000]);
        assert!(restarts(&mut Restarts::default(), Instant::now(), 90, Shortage::None, |_| 100_000).is_empty());
    }

    #[test]
    fn an_estimate_that_grows_is_not_disturbed() {
        let grows = |at| 100_000 + at * 20;
        assert!(restarts(&mut Restarts::default(), Instant::now(), 8, Shortage::Part, grows).is_empty());
    }

    #[test]
    fn a_short_relief_does_not_shorten_the_wait_and_a_long_one_does() {
        let (mut one, start) = (Restarts::default(), Instant::now());
        assert_eq!(restarts(&mut one, start, 8, Shortage::All, |_| 100_000), [2000, 6000]);
        restarts(&mut one, start + ms(8000), 5, Shortage::None, |_| 100_000);
        assert_eq!(restarts(&mut one, start + ms(13_000), 10, Shortage::All, |_| 100_000), [8000]);
        restarts(&mut one, start + ms(23_000), 12, Shortage::None, |_| 100_000);
        assert_eq!(restarts(&mut one, start + ms(35_000), 4, Shortage::All, |_| 100_000), [2000]);
    }
}
