//! When bandwidth estimation is to begin anew.
//!
//! The estimator learns from what is sent, and sends nothing of its own while it takes the path
//! for congested. So when every picture is paused and nobody speaks, no report comes that could
//! change its mind; and for seconds after a loss it holds what it still remembers against a path
//! that is free again. Whoever gets less than wanted over a path that loses nothing is therefore
//! measured anew: a few packets of padding find out whether there is more, before any picture is
//! risked. Each time in vain doubles the wait.

use std::time::{Duration, Instant};

use super::allocator::Shortage;

/// How long somebody has to be short before the first attempt, on a path that loses nothing and
/// on one that loses something.
const CLEAN: Duration = Duration::from_secs(1);
const LOSSY: Duration = Duration::from_secs(5);
/// The same on a path that carries nothing: there is nothing to be disturbed, and nothing else
/// to learn from.
const SILENT: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);
/// After so long with all that was wanted, the waits are short again.
const CALM: Duration = Duration::from_secs(10);
/// An estimate that grows by this much, in percent, gets there without help.
const GROWTH_PERCENT: u64 = 120;

/// A path that loses more than this share has something wrong.
const MOST_LOSS: f32 = 0.02;

/// What becomes of what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    /// Nothing is sent, or nobody tells.
    Silent,
    /// All of it arrives.
    Clean,
    /// A part is lost.
    Lossy,
}

impl Path {
    /// By the share of the last second that was lost.
    pub(super) fn of(loss: Option<f32>) -> Self {
        match loss {
            None => Self::Silent,
            Some(loss) if loss > MOST_LOSS => Self::Lossy,
            Some(_) => Self::Clean,
        }
    }
}

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
    pub(super) fn update(&mut self, now: Instant, shortage: Shortage, path: Path, estimate: u64) -> bool {
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
        let doubled = 2u32.saturating_pow(self.in_vain);
        let wait = match path {
            Path::Silent => SILENT,
            Path::Clean => (CLEAN * doubled).min(LONGEST),
            Path::Lossy => (LOSSY * doubled).min(LONGEST),
        };
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
        from: Instant,
        seconds: u64,
        (shortage, path): (Shortage, Path),
        rate: fn(u64) -> u64,
    ) -> Vec<u64> {
        let moments = (0..seconds * 2).map(|step| step * 500);
        moments.filter(|at| restarts.update(from + ms(*at), shortage, path, rate(*at))).collect()
    }

    const SHORT: (Shortage, Path) = (Shortage::Part, Path::Clean);
    const CONTENT: (Shortage, Path) = (Shortage::None, Path::Clean);

    #[test]
    fn who_is_short_on_a_clean_path_is_measured_anew_after_a_second_and_ever_more_rarely() {
        let all = restarts(&mut Restarts::default(), Instant::now(), 130, SHORT, |_| 100_000);
        assert_eq!(all, [1000, 3000, 7000, 15_000, 31_000, 61_000, 91_000, 121_000]);
    }

    #[test]
    fn loss_makes_for_a_longer_wait_and_whoever_lacks_nothing_is_left_alone() {
        let lossy = restarts(&mut Restarts::default(), Instant::now(), 20, (Shortage::All, Path::Lossy), |_| 100_000);
        assert_eq!(lossy, [5000, 15_000]);
        assert!(restarts(&mut Restarts::default(), Instant::now(), 90, CONTENT, |_| 100_000).is_empty());
    }

    #[test]
    fn a_path_that_carries_nothing_is_tried_every_second() {
        let silent = restarts(&mut Restarts::default(), Instant::now(), 6, (Shortage::All, Path::Silent), |_| 100_000);
        assert_eq!(silent, [1000, 2000, 3000, 4000, 5000]);
    }

    #[test]
    fn an_estimate_that_grows_is_not_disturbed() {
        let grows = |at| 100_000 + at * 60;
        assert!(restarts(&mut Restarts::default(), Instant::now(), 5, SHORT, grows).is_empty());
    }

    #[test]
    fn a_short_relief_does_not_shorten_the_wait_and_a_long_one_does() {
        let (mut one, start) = (Restarts::default(), Instant::now());
        assert_eq!(restarts(&mut one, start, 5, SHORT, |_| 100_000), [1000, 3000]);
        restarts(&mut one, start + ms(5000), 5, CONTENT, |_| 100_000);
        assert_eq!(restarts(&mut one, start + ms(10_000), 6, SHORT, |_| 100_000), [4000]);
        restarts(&mut one, start + ms(16_000), 12, CONTENT, |_| 100_000);
        assert_eq!(restarts(&mut one, start + ms(28_000), 2, SHORT, |_| 100_000), [1000]);
    }
}
