//! Which link wants to be woken when, in slots of a millisecond.
//!
//! A link's time-out moves with nearly every packet, mostly to later. So an entry stays where it
//! is until its slot comes up; the link is asked then whether it meant this moment. Setting a
//! time-out costs a comparison, and an entry only where the link wants to be woken earlier.

use std::time::{Duration, Instant};

/// A power of two: the wheel turns once in about four seconds. What is due later goes around.
const SLOTS: usize = 4096;

/// Slots of a millisecond. See the module.
#[derive(Debug)]
pub(super) struct TimerWheel {
    start: Instant,
    slots: Vec<Vec<u32>>,
    /// A bit for each slot that holds anything.
    filled: [u64; SLOTS / 64],
    /// The next slot to be looked at, counted from `start` without wrapping.
    hand: u64,
}

impl TimerWheel {
    pub(super) fn new(start: Instant) -> Self {
        Self { start, slots: vec![Vec::new(); SLOTS], filled: [0; SLOTS / 64], hand: 0 }
    }

    fn tick_of(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.start);
        // Rounded up, for waking a moment too early would mean waking twice.
        u64::try_from(since.as_micros().div_ceil(1000)).unwrap_or(u64::MAX / 2)
    }

    /// Wakes `key` at `at`, or up to a turn of the wheel earlier. Returns when.
    pub(super) fn set(&mut self, at: Instant, key: u32) -> Instant {
        let tick = self.tick_of(at).clamp(self.hand, self.hand + SLOTS as u64 - 1);
        let slot = (tick % SLOTS as u64) as usize;
        self.slots[slot].push(key);
        self.filled[slot / 64] |= 1 << (slot % 64);
        self.start + Duration::from_millis(tick)
    }

    /// When anything is due; `None` while the wheel is empty.
    pub(super) fn next(&self) -> Option<Instant> {
        let first = (self.hand % SLOTS as u64) as usize;
        // From the hand's word to its end, then word by word around to its beginning.
        for step in 0..=SLOTS / 64 {
            let word = (first / 64 + step) % (SLOTS / 64);
            let mask = match step {
                0 => u64::MAX << (first % 64),
                step if step == SLOTS / 64 => !(u64::MAX << (first % 64)),
                _ => u64::MAX,
            };
            let bits = self.filled[word] & mask;
            if bits != 0 {
                let slot = word * 64 + bits.trailing_zeros() as usize;
                let ahead = (slot + SLOTS - first) % SLOTS;
                return Some(self.start + Duration::from_millis(self.hand + ahead as u64));
            }
        }
        None
    }

    /// Moves those that are due by `now` to `due`.
    pub(super) fn expire(&mut self, now: Instant, due: &mut Vec<u32>) {
        let end = u64::try_from(now.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX / 2) + 1;
        // After a long sleep once around is all there is.
        let steps = end.saturating_sub(self.hand).min(SLOTS as u64);
        for tick in self.hand..self.hand + steps {
            let slot = (tick % SLOTS as u64) as usize;
            if self.filled[slot / 64] & (1 << (slot % 64)) != 0 {
                self.filled[slot / 64] &= !(1 << (slot % 64));
                due.append(&mut self.slots[slot]);
            }
        }
        self.hand = self.hand.max(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn due(wheel: &mut TimerWheel, now: Instant) -> Vec<u32> {
        let mut due = Vec::new();
        wheel.expire(now, &mut due);
        due
    }

    #[test]
    fn what_is_set_comes_up_when_it_is_due_and_not_before() {
        let start = Instant::now();
        let mut wheel = TimerWheel::new(start);
        assert_eq!(wheel.next(), None);
        wheel.set(start + ms(5), 1);
        wheel.set(start + ms(70), 2);
        assert_eq!(wheel.next(), Some(start + ms(5)));
        assert!(due(&mut wheel, start + ms(4)).is_empty());
        assert_eq!(due(&mut wheel, start + ms(5)), [1]);
        assert_eq!(wheel.next(), Some(start + ms(70)));
        assert_eq!(due(&mut wheel, start + ms(500)), [2]);
        assert_eq!(wheel.next(), None);
    }

    #[test]
    fn part_of_a_millisecond_is_rounded_up() {
        let start = Instant::now();
        let mut wheel = TimerWheel::new(start);
        assert_eq!(wheel.set(start + Duration::from_micros(1200), 1), start + ms(2));
        assert!(due(&mut wheel, start + Duration::from_micros(1900)).is_empty());
        assert_eq!(due(&mut wheel, start + ms(2)), [1]);
    }

    #[test]
    fn a_time_out_beyond_a_turn_comes_up_early_and_one_in_the_past_at_once() {
        let start = Instant::now();
        let mut wheel = TimerWheel::new(start);
        due(&mut wheel, start + ms(10_000));
        let woken = wheel.set(start + ms(60_000), 1);
        assert!(woken < start + ms(15_000) && woken > start + ms(10_000));
        wheel.set(start, 2);
        assert_eq!(due(&mut wheel, start + ms(10_001)), [2]);
        assert_eq!(due(&mut wheel, woken), [1]);
    }

    #[test]
    fn every_slot_of_a_turn_is_found_from_every_position_of_the_hand() {
        let start = Instant::now();
        for hand in [0, 1, 63, 64, 4095, 5000] {
            for ahead in [1, 2, 62, 63, 64, 65, 2000, 4095] {
                let mut wheel = TimerWheel::new(start);
                due(&mut wheel, start + ms(hand));
                let at = start + ms(hand + ahead);
                wheel.set(at, 9);
                assert_eq!(wheel.next(), Some(at), "hand {hand}, ahead {ahead}");
                assert_eq!(due(&mut wheel, at), [9]);
            }
        }
    }
}
