//! The division itself, without memory.
//!
//! A class is served in rounds; in each, everyone takes one step, in order. A round begins only
//! when in the one before everyone took theirs (or had none left), so the first in order never
//! has less when there is more to divide. Whoever does not get its lowest step is out, and holds
//! nobody up.

use std::cmp::Reverse;

use super::{Rank, ladder::Ladder};

/// A step up needs this much of what it takes in addition, in percent.
const HEADROOM_PERCENT: u64 = 115;

/// Who is served first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Order {
    pub(super) rank: Rank,
    pub(super) priority: Reverse<u8>,
    pub(super) height: Reverse<u32>,
    pub(super) place: usize,
}

/// A track's part in the division.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share<'a> {
    pub(super) order: Order,
    pub(super) ladder: &'a Ladder,
    /// The level that it has.
    pub(super) current: usize,
    /// It could not be forwarded before: its lowest step is no rise.
    pub(super) is_new: bool,
}

impl Share<'_> {
    fn class(&self) -> bool {
        self.order.rank == Rank::Other
    }

    /// What must be free for the step to a level; `None` if it may not be taken now.
    fn needs(&self, level: usize, may_rise: bool) -> Option<u64> {
        let takes = self.takes(level);
        let rises = level > self.current && !(level == 1 && self.is_new);
        match (rises, may_rise) {
            (false, _) => Some(takes),
            (true, true) => Some(with_headroom(takes)),
            (true, false) => None,
        }
    }

    fn takes(&self, level: usize) -> u64 {
        self.ladder.rate(level).saturating_sub(self.ladder.rate(level - 1))
    }
}

/// Divides `budget` bits per second over shares that are in order. Returns the level of each.
pub(super) fn divide(budget: u64, shares: &[Share<'_>], may_rise: bool) -> Vec<usize> {
    let mut levels = vec![0; shares.len()];
    let mut left = budget;
    let rest = shares.partition_point(|share| !share.class());
    for class in [0..rest, rest..shares.len()] {
        let mut level = 1;
        loop {
            let (mut all, mut any) = (true, false);
            for place in class.clone() {
                let share = &shares[place];
                if levels[place] + 1 != level || level > share.ladder.top() {
                    continue;
                }
                if share.needs(level, may_rise).is_some_and(|needs| needs <= left) {
                    left -= share.takes(level);
                    levels[place] = level;
                    any = true;
                } else {
                    // Who is out from the begin does not count.
                    all &= level == 1;
                }
            }
            if !all || !any {
                break;
            }
            level += 1;
        }
    }
    levels
}

fn with_headroom(takes: u64) -> u64 {
    takes.saturating_mul(HEADROOM_PERCENT) / 100
}
