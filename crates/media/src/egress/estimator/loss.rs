//! What share of the packets was lost.

use super::Micros;

const SLICE: Micros = 100_000;
const SLICES: usize = 10;

/// Counts over the last second, in slices.
#[derive(Debug, Default)]
pub(super) struct Loss {
    slices: [Slice; SLICES],
}

#[derive(Clone, Copy, Debug, Default)]
struct Slice {
    /// Which slice of all time this is.
    number: Micros,
    reported: u32,
    lost: u32,
}

/// How many packets feedback named, and how many of them had not come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) reported: u32,
    pub(super) lost: u32,
}

impl Counts {
    pub(super) fn share(self) -> Option<f32> {
        (self.reported > 0).then(|| self.lost as f32 / self.reported as f32)
    }
}

impl Loss {
    fn slice(&mut self, now: Micros) -> &mut Slice {
        let number = now / SLICE;
        let slice = &mut self.slices[(number % SLICES as Micros) as usize];
        if slice.number != number {
            *slice = Slice { number, ..Slice::default() };
        }
        slice
    }

    pub(super) fn missing(&mut self, now: Micros) {
        let slice = self.slice(now);
        slice.reported = slice.reported.saturating_add(1);
        slice.lost = slice.lost.saturating_add(1);
    }

    /// A packet has come; `after_all` when it had been missing before.
    pub(super) fn arrived(&mut self, now: Micros, after_all: bool) {
        if after_all {
            if let Some(slice) = self.slices.iter_mut().find(|slice| slice.lost > 0) {
                slice.lost -= 1;
            }
            return;
        }
        let slice = self.slice(now);
        slice.reported = slice.reported.saturating_add(1);
    }

    /// What feedback said over so much of the last second.
    pub(super) fn counts(&self, now: Micros, over: Micros) -> Counts {
        let first = now.saturating_sub(over) / SLICE;
        let slices = self.slices.iter().filter(|slice| slice.number >= first && slice.number <= now / SLICE);
        slices.fold(Counts::default(), |sum, slice| Counts {
            reported: sum.reported.saturating_add(slice.reported),
            lost: sum.lost.saturating_add(slice.lost),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Micros = 1_000_000;

    #[test]
    fn the_share_is_that_of_the_last_second() {
        let mut loss = Loss::default();
        assert_eq!(loss.counts(0, SECOND).share(), None);
        for at in (0..2 * SECOND).step_by(10_000) {
            if at < SECOND { loss.missing(at) } else { loss.arrived(at, false) }
        }
        assert_eq!(loss.counts(3 * SECOND / 2, SECOND / 2).share(), Some(0.0));
        assert_eq!(loss.counts(2 * SECOND, SECOND).share(), Some(0.0));
        assert_eq!(loss.counts(3 * SECOND, SECOND / 2).share(), None);
    }

    #[test]
    fn what_comes_after_all_was_not_lost() {
        let mut loss = Loss::default();
        loss.missing(0);
        loss.arrived(1, true);
        assert_eq!(loss.counts(1, SECOND), Counts { reported: 1, lost: 0 });
    }
}
