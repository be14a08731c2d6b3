//! What is given up when there is too much to do: first every other picture, then the largest
//! rendition, then new viewers.
//!
//! The measure is how many ticks find the picture's part still at work: then a tick is left out, and
//! viewers see it.

use std::time::{Duration, Instant};

/// What is looked at before anything is given up, and before it is taken back.
const WINDOW: Duration = Duration::from_secs(2);
const CALM: Duration = Duration::from_secs(10);

/// Of the time between two ticks, what the work takes while it goes well; twice that would not fit.
const EASY_PERCENT: u32 = 40;
/// A keyframe now and then, or a wait, takes longer: so many in a hundred.
const FEW_PERCENT: u32 = 5;

/// How much is given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// 30 pictures a second.
    #[default]
    Full,
    /// 15 of them.
    HalfRate,
    /// And no largest rendition.
    Smaller,
    /// And no new viewers.
    Closed,
}

impl Level {
    /// Between two pictures.
    pub(super) fn interval(self) -> Duration {
        Duration::from_nanos(1_000_000_000 / u64::from(self.rate()))
    }

    /// Pictures per second.
    pub(super) fn rate(self) -> u32 {
        if self == Self::Full { 30 } else { 15 }
    }

    /// Why, for people.
    pub(super) fn reason(self) -> Option<&'static str> {
        match self {
            Self::Full => None,
            Self::HalfRate => Some("The server is busy: 15 pictures a second."),
            Self::Smaller | Self::Closed => Some("The server is busy: 15 pictures a second, and smaller ones."),
        }
    }

    /// The share of late ticks that is too much, in percent. Each step costs more than the one
    /// before, and to turn people away most of all.
    fn too_late(self) -> u32 {
        match self {
            Self::Full => 15,
            Self::HalfRate => 25,
            Self::Smaller | Self::Closed => 50,
        }
    }

    fn worse(self) -> Self {
        match self {
            Self::Full => Self::HalfRate,
            Self::HalfRate => Self::Smaller,
            Self::Smaller | Self::Closed => Self::Closed,
        }
    }

    fn better(self) -> Self {
        match self {
            Self::Closed => Self::Smaller,
            Self::Smaller => Self::HalfRate,
            Self::HalfRate | Self::Full => Self::Full,
        }
    }
}

/// Follows how one room's mixer keeps up.
#[derive(Debug)]
pub(super) struct Load {
    level: Level,
    since: Instant,
    ticks: u32,
    late: u32,
    /// Parts that were away for longer than is easy.
    slow: u32,
}

impl Load {
    pub(super) fn new(now: Instant) -> Self {
        Self { level: Level::Full, since: now, ticks: 0, late: 0, slow: 0 }
    }

    pub(super) fn level(&self) -> Level {
        self.level
    }

    /// A tick was due; `late` when its part was still away.
    pub(super) fn tick(&mut self, late: bool) {
        self.ticks += 1;
        self.late += u32::from(late);
    }

    /// A picture's part came back after this long.
    pub(super) fn took(&mut self, time: Duration) {
        // At the better level there may be half the time for each.
        let is_slow = time * 100 >= self.level.better().interval() * EASY_PERCENT;
        self.slow += u32::from(is_slow);
    }

    /// Says whether the level is another now.
    pub(super) fn update(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.since);
        if passed < WINDOW {
            return false;
        }
        let is_bad = self.late * 100 > self.ticks * self.level.too_late();
        let is_easy = (self.late + self.slow) * 100 <= self.ticks * FEW_PERCENT;
        let before = self.level;
        if is_bad {
            self.level = self.level.worse();
        } else if !is_easy {
            // What is hard now begins the calm anew.
        } else if passed < CALM && self.level != Level::Full {
            return false;
        } else {
            self.level = self.level.better();
        }
        (self.since, self.ticks, self.late, self.slow) = (now, 0, 0, 0);
        self.level != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Lets so many seconds pass with every `nth` tick late and parts away for `took`.
    fn run(load: &mut Load, now: &mut Instant, seconds: u32, nth: Option<u32>, took: Duration) -> Vec<Level> {
        let mut levels = vec![load.level()];
        for _ in 0..seconds {
            for tick in 0..load.level().rate() {
                load.tick(nth.is_some_and(|nth| tick % nth == 0));
                load.took(took);
            }
            *now += SECOND;
            if load.update(*now) {
                levels.push(load.level());
            }
        }
        levels
    }

    #[test]
    fn too_much_to_do_is_answered_step_by_step_and_taken_back_slowly() {
        let mut now = Instant::now();
        let mut load = Load::new(now);
        let ms = Duration::from_millis;
        assert_eq!(run(&mut load, &mut now, 10, None, ms(20)), [Level::Full]);
        use Level::{Closed, Full, HalfRate, Smaller};
        assert_eq!(run(&mut load, &mut now, 8, Some(3), ms(40)), [Full, HalfRate, Smaller]);
        assert_eq!(run(&mut load, &mut now, 4, Some(1), ms(40)), [Smaller, Closed]);
        assert_eq!(run(&mut load, &mut now, 30, None, ms(60)), [Closed], "hard enough as it is");
        let back = run(&mut load, &mut now, 45, None, ms(10));
        assert_eq!(back, [Closed, Smaller, HalfRate, Full]);
    }

    #[test]
    fn what_nobody_watches_is_easy() {
        let mut now = Instant::now();
        let mut load = Load::new(now);
        run(&mut load, &mut now, 8, Some(2), Duration::from_millis(90));
        assert_eq!(load.level(), Level::Closed);
        for _ in 0..40 {
            now += SECOND;
            load.update(now);
        }
        assert_eq!(load.level(), Level::Full);
    }

    #[test]
    fn a_single_late_tick_changes_nothing() {
        let mut now = Instant::now();
        let mut load = Load::new(now);
        assert_eq!(run(&mut load, &mut now, 20, Some(30), Duration::from_millis(30)), [Level::Full]);
    }
}
