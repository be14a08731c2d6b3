//! Which outgoing sequence number a packet has: a bounded list of runs that were shifted alike.

use std::collections::VecDeque;

use super::Shift;
use crate::session::LayerId;

/// A range begins with each frame that follows one left out: for a stream of 30 frames per second
/// of which every other is left out, this is four seconds.
const RANGES: usize = 64;
/// Numbers so far below the newest are too old.
const WINDOW: u64 = 1024;

/// Packets of a layer that got consecutive numbers, whether they came or not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    layer: LayerId,
    /// The first packet's sequence number.
    first: u64,
    /// One more than the last one's.
    end: u64,
    /// The number that the first one got.
    seq: u64,
    pub(super) shift: Shift,
}

impl Range {
    /// The number of a packet within this range.
    pub(super) fn map(&self, source: u64) -> u64 {
        self.seq + (source - self.first)
    }
}

/// All runs that late packets may belong to, and the numbers that are used up.
#[derive(Debug)]
pub(super) struct Ranges {
    list: VecDeque<Range>,
    next: u64,
    /// A bit for each of the last numbers.
    sent: [u64; (WINDOW / 64) as usize],
    /// One more than the newest number sent.
    sent_end: u64,
}

impl Ranges {
    pub(super) fn new(first: u64) -> Self {
        Self { list: VecDeque::with_capacity(RANGES), next: first, sent: [0; _], sent_end: first }
    }

    /// The packet begins a range and gets the next number.
    pub(super) fn begin(&mut self, layer: LayerId, source: u64, shift: Shift) -> u64 {
        self.begin_after_gap(layer, source, source, shift)
    }

    /// A range that begins with packets that are missing, and ends for now with `source`.
    pub(super) fn begin_after_gap(&mut self, layer: LayerId, first: u64, source: u64, shift: Shift) -> u64 {
        if self.list.len() == RANGES {
            self.list.pop_front();
        }
        let range = Range { layer, first, end: source + 1, seq: self.next, shift };
        self.list.push_back(range);
        self.next = range.map(range.end);
        range.map(source)
    }

    /// The newest range goes on to `source`.
    pub(super) fn extend(&mut self, source: u64) -> u64 {
        // There is one: a run begins with it.
        if let Some(range) = self.list.back_mut() {
            range.end = source + 1;
            self.next = range.map(range.end);
        }
        self.next - 1
    }

    /// The range that a packet belongs to. None where it was left out, or is too old.
    pub(super) fn find(&self, layer: LayerId, source: u64) -> Option<&Range> {
        self.list.iter().rev().find(|range| range.layer == layer && (range.first..range.end).contains(&source))
    }

    pub(super) fn source(&self, seq: u64) -> Option<(LayerId, u64)> {
        let range = self.list.iter().rev().find(|range| range.seq <= seq)?;
        let source = range.first + (seq - range.seq);
        (source < range.end).then_some((range.layer, source))
    }

    /// Uses a number up; `false` if it is already, or is too old.
    pub(super) fn mark(&mut self, seq: u64) -> bool {
        if seq + WINDOW < self.sent_end {
            return false;
        }
        let from = self.sent_end.max(seq.saturating_sub(WINDOW));
        for number in from..=seq {
            let (word, bit) = Self::place(number);
            self.sent[word] &= !bit;
        }
        self.sent_end = self.sent_end.max(seq + 1);
        let (word, bit) = Self::place(seq);
        let fresh = self.sent[word] & bit == 0;
        self.sent[word] |= bit;
        fresh
    }

    fn place(seq: u64) -> (usize, u64) {
        ((seq % WINDOW / 64) as usize, 1 << (seq % 64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_used_up_once_and_never_when_it_is_too_old() {
        let mut ranges = Ranges::new(65_000);
        assert!(ranges.mark(65_000));
        assert!(!ranges.mark(65_000));
        assert!(ranges.mark(65_003));
        assert!(ranges.mark(65_001));
        assert!(!ranges.mark(65_003));
        assert!(ranges.mark(65_003 + WINDOW));
        assert!(!ranges.mark(65_002), "older than the window");
        assert!(ranges.mark(65_004), "the oldest of the window, whose place was another number's");
        assert!(!ranges.mark(65_004));
    }

    #[test]
    fn a_jump_of_more_than_the_window_forgets_all_before() {
        let mut ranges = Ranges::new(0);
        for seq in 0..100 {
            assert!(ranges.mark(seq));
        }
        assert!(ranges.mark(10 * WINDOW));
        for seq in 0..100 {
            assert!(!ranges.mark(seq));
            assert!(ranges.mark(9 * WINDOW + 1 + seq), "free, though its place was used");
        }
    }
}
