//! What was sent and is not yet forgotten.

use std::collections::VecDeque;

use super::Micros;

/// Feedback about anything older says nothing about the path as it is.
const AGE: Micros = 2_000_000;
/// Two seconds of 9 Mbit/s.
pub(super) const PACKETS: usize = 2000;

/// What is known of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Its number was never used.
    Unsent,
    /// No feedback has named it.
    Open,
    Missing,
    Arrived,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) at: Micros,
    pub(super) bytes: u16,
    pub(super) fate: Fate,
    pub(super) probe: bool,
}

/// The last packets, by number. 16 bytes each.
#[derive(Debug, Default)]
pub(super) struct History {
    first: u64,
    packets: VecDeque<Sent>,
}

impl History {
    /// Takes a packet. A number that goes back is left out, for it would stand for two packets.
    pub(super) fn push(&mut self, seq: u64, packet: Sent) {
        let Some(next) = self.first.checked_add(self.packets.len() as u64) else { return };
        if self.packets.is_empty() {
            self.first = seq;
        } else {
            let Some(skipped) = seq.checked_sub(next) else { return };
            if skipped > 0 && skipped >= (PACKETS - self.packets.len()) as u64 {
                self.packets.clear();
                self.first = seq;
            } else if skipped > 0 {
                let unsent = Sent { fate: Fate::Unsent, ..packet };
                self.packets.extend((0..skipped).map(|_| unsent));
            }
        }
        self.packets.push_back(packet);
        while self.packets.len() > PACKETS || self.packets.front().is_some_and(|old| old.at + AGE < packet.at) {
            self.packets.pop_front();
            self.first += 1;
        }
    }

    pub(super) fn get_mut(&mut self, seq: u64) -> Option<&mut Sent> {
        let place = seq.checked_sub(self.first)?;
        self.packets.get_mut(usize::try_from(place).ok()?).filter(|packet| packet.fate != Fate::Unsent)
    }

    pub(super) fn clear(&mut self) {
        self.packets.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(at: Micros) -> Sent {
        Sent { at, bytes: 100, fate: Fate::Open, probe: false }
    }

    fn known(history: &mut History, numbers: impl Iterator<Item = u64>) -> Vec<u64> {
        numbers.filter(|seq| history.get_mut(*seq).is_some()).collect()
    }

    #[test]
    fn numbers_left_out_are_not_known_and_those_that_go_back_are_not_taken() {
        let mut history = History::default();
        for seq in [10, 11, 14, 12, 15] {
            history.push(seq, sent(seq));
        }
        assert_eq!(known(&mut history, 0..20), [10, 11, 14, 15]);
        assert_eq!(history.get_mut(14).map(|sent| sent.at), Some(14));
    }

    #[test]
    fn a_leap_forgets_all_before_it_and_the_last_number_there_is_does_no_harm() {
        let mut history = History::default();
        for seq in [10, 11, u64::MAX - 1, u64::MAX, u64::MAX, 0] {
            history.push(seq, sent(1));
        }
        assert_eq!(known(&mut history, [10, 11, 0, u64::MAX - 1, u64::MAX].into_iter()), [u64::MAX - 1, u64::MAX]);
    }

    #[test]
    fn what_is_old_or_too_much_is_forgotten() {
        let mut history = History::default();
        for seq in 0..5000 {
            history.push(seq, sent(0));
        }
        assert_eq!(known(&mut history, 0..5000).first(), Some(&3000));
        history.push(5000, sent(AGE + 1));
        assert_eq!(known(&mut history, 0..6000), [5000]);
    }
}
