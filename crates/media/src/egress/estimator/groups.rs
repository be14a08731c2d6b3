//! Packets that were sent together, as one.
//!
//! A group waited for as long as that of its packets that waited least. So a frame that queues
//! behind itself on a slow path, a sender that wakes late and a receiver that notes one time for a
//! whole batch look like what they are: nothing. And congestion control, whose work is by packet,
//! has a tenth of them to look at.

use std::collections::VecDeque;

use super::Micros;

/// What is sent within this is one group.
const SPAN: Micros = 20_000;
/// So much of a wait is noise: batches of 10 ms, and a sender late by as much.
const NOISE: Micros = 20_000;
/// No wait is told as longer than this.
const MOST_WAIT: Micros = 2_000_000;
/// Over how long the rate of arrival is measured, and from how many groups at most.
const RATE_WINDOW: Micros = 400_000;
const MOST_GROUPS: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    first_sent: Micros,
    /// When its last packet was sent.
    pub(super) sent: Micros,
    pub(super) waited: Micros,
    pub(super) bytes: u32,
    /// When its last packet came, on the receiver's clock.
    arrival: Micros,
}

impl Group {
    /// As congestion control is to see it.
    pub(super) fn without_noise(self) -> Self {
        Self { waited: self.waited.saturating_sub(NOISE).min(MOST_WAIT), ..self }
    }
}

#[derive(Debug, Default)]
pub(super) struct Groups {
    /// Those of one feedback.
    done: Vec<Group>,
    open: Option<Group>,
    /// The last ones, for the rate.
    last: VecDeque<(Micros, u32)>,
}

impl Groups {
    /// Takes a packet that arrived.
    pub(super) fn add(&mut self, sent: Micros, arrival: Micros, waited: Micros, bytes: u16) {
        match &mut self.open {
            Some(group) if sent.saturating_sub(group.first_sent) < SPAN => {
                group.sent = group.sent.max(sent);
                group.arrival = group.arrival.max(arrival);
                group.waited = group.waited.min(waited);
                group.bytes = group.bytes.saturating_add(u32::from(bytes));
            }
            open => {
                let group = Group { first_sent: sent, sent, waited, bytes: u32::from(bytes), arrival };
                if let Some(done) = open.replace(group) {
                    self.close(done);
                }
            }
        }
    }

    fn close(&mut self, group: Group) {
        self.done.push(group);
        if self.last.back().is_some_and(|(before, _)| *before > group.arrival) {
            // Overtaken by a whole group, or the receiver's clock was set: what was measured is void.
            self.last.clear();
        } else if self.last.len() >= MOST_GROUPS {
            self.last.pop_front();
        }
        self.last.push_back((group.arrival, group.bytes));
    }

    /// All there are, at the end of a feedback.
    pub(super) fn finish(&mut self) -> &[Group] {
        if let Some(group) = self.open.take() {
            self.close(group);
        }
        &self.done
    }

    /// Forgets what [`Self::finish`] returned.
    pub(super) fn clear(&mut self) {
        self.done.clear();
    }

    /// What arrives of late, in bits per second.
    pub(super) fn rate(&self) -> Option<u64> {
        let (newest, _) = *self.last.back()?;
        let (mut oldest, mut bytes, mut first) = (newest, 0, 0);
        for (arrival, more) in self.last.iter().rev().take_while(|(arrival, _)| newest - arrival <= RATE_WINDOW) {
            (oldest, first) = (*arrival, u64::from(*more));
            bytes += first;
        }
        let time = newest - oldest;
        (time >= RATE_WINDOW / 2).then(|| (bytes - first).saturating_mul(8_000_000) / time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_together_is_one_group_that_waited_as_long_as_its_fastest() {
        let mut groups = Groups::default();
        for (sent, waited) in [(0, 5), (1000, 3), (19_999, 9), (20_000, 7)] {
            groups.add(sent, 500 + sent, waited, 1000);
        }
        let found: Vec<_> = groups.finish().iter().map(|group| (group.sent, group.waited, group.bytes)).collect();
        assert_eq!(found, [(19_999, 3, 3000), (20_000, 7, 1000)]);
        groups.clear();
        assert!(groups.finish().is_empty());
    }

    #[test]
    fn the_rate_is_that_of_arrival() {
        let mut groups = Groups::default();
        assert_eq!(groups.rate(), None);
        for number in 0..100u64 {
            groups.add(number * 20_000, 7_000_000 + number * 40_000, 0, 1000);
        }
        assert_eq!(groups.rate(), Some(200_000));
    }
}
