//! The packets of one source that wait to be played, in the order of their timestamps.

use std::collections::VecDeque;

use super::delay::DelayEstimate;
use super::packet::{PayloadInfo, SoundPacket};

/// As many packets wait at most: 1.2 s of 10 ms, and more of longer ones.
pub(super) const CAPACITY: usize = 120;
/// When the transit is off by more than this (3 s), the sender counts from another base.
const ANOTHER_BASE: i64 = 144_000;
/// When this many packets in a row came late, the sender counts from another base or the path has
/// become longer.
const ALL_LATE: u32 = 5;
/// Packets just played are kept, to bring a decoder that comes to this source into its state. With
/// libopus what is heard in the first 40 ms then differs by −25 dB in the median from what a decoder
/// that missed nothing gives; with two packets by −10 dB, with none all of it.
pub(super) const PLAYED: usize = 4;

/// A packet that waits.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) sequence: u16,
    /// Unwrapped RTP timestamp of the first sample.
    pub(super) start: i64,
    pub(super) duration: i64,
    pub(super) fec: i64,
    pub(super) payload: Vec<u8>,
}

impl Waiting {
    pub(super) fn end(&self) -> i64 {
        self.start + self.duration
    }
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// It waits.
    InTime,
    /// What it has was due before.
    Late,
    /// It is there already.
    Duplicate,
    /// It waits, and all that was before is void: the sender counts from another base.
    Restarted,
}

/// See above.
#[derive(Debug)]
pub(super) struct JitterBuffer {
    bounds: (i64, i64),
    packets: VecDeque<Waiting>,
    played: VecDeque<Waiting>,
    spare: Vec<Vec<u8>>,
    /// What has been played, or left out, ends here.
    position: i64,
    newest: Option<i64>,
    late_in_a_row: u32,
    estimate: Option<DelayEstimate>,
    /// Packets that had no room.
    pub(super) overflowed: u64,
}

impl JitterBuffer {
    /// With the least and the greatest delay, in samples.
    pub(super) fn new(least: i64, most: i64) -> Self {
        let room = CAPACITY + 1;
        Self {
            bounds: (least, most),
            packets: VecDeque::with_capacity(room),
            played: VecDeque::with_capacity(PLAYED + 1),
            spare: Vec::new(),
            position: i64::MIN,
            newest: None,
            late_in_a_row: 0,
            estimate: None,
            overflowed: 0,
        }
    }

    /// The least delay from now on, in samples.
    pub(super) fn set_least(&mut self, least: i64) {
        self.bounds.0 = least.min(self.bounds.1);
        if let Some(estimate) = &mut self.estimate {
            estimate.set_least(self.bounds.0);
        }
    }

    /// A packet has arrived.
    pub(super) fn receive(&mut self, arrival: i64, packet: &SoundPacket<'_>, info: &PayloadInfo) -> Received {
        let mut start = self.unwrap(packet.timestamp);
        let mut restarted = false;
        if let Some(estimate) = &self.estimate {
            let another_base = (arrival - start - estimate.shortest()).abs() > ANOTHER_BASE;
            if another_base || (self.late_in_a_row >= ALL_LATE && self.packets.is_empty()) {
                start = i64::from(packet.timestamp);
                self.restart(arrival - start);
                restarted = true;
            }
        }
        self.newest = Some(self.newest.map_or(start, |newest| newest.max(start)));
        let transit = arrival - start;
        let (least, most) = self.bounds;
        self.estimate
            .get_or_insert_with(|| DelayEstimate::new(least, most, arrival, transit))
            .arrived(arrival, transit, info);
        if start + i64::from(info.duration) <= self.position {
            self.late_in_a_row += 1;
            return Received::Late;
        }
        self.late_in_a_row = 0;
        let at = self.packets.partition_point(|waiting| waiting.start < start);
        if self.packets.get(at).is_some_and(|waiting| waiting.start == start) {
            return Received::Duplicate;
        }
        let mut payload = self.spare.pop().unwrap_or_default();
        payload.extend_from_slice(packet.payload);
        let (duration, fec) = (i64::from(info.duration), i64::from(info.fec));
        self.packets.insert(at, Waiting { sequence: packet.sequence, start, duration, fec, payload });
        if self.packets.len() > CAPACITY {
            self.overflowed += 1;
            self.pop();
        }
        if restarted { Received::Restarted } else { Received::InTime }
    }

    /// The first that waits.
    pub(super) fn front(&self) -> Option<&Waiting> {
        self.packets.front()
    }

    /// The first is done with.
    pub(super) fn pop(&mut self) {
        let Some(packet) = self.packets.pop_front() else { return };
        self.position = self.position.max(packet.end());
        self.played.push_back(packet);
        if self.played.len() > PLAYED {
            self.recycle_oldest_played();
        }
    }

    /// What ends before `position` is done with.
    pub(super) fn skip_to(&mut self, position: i64) {
        while self.packets.front().is_some_and(|packet| packet.end() <= position) {
            self.pop();
        }
        self.position = self.position.max(position);
    }

    /// What came before the first that waits, without a gap. Empty when there is a gap.
    pub(super) fn played(&self) -> impl Iterator<Item = &Waiting> {
        let next = self.front().map(|front| front.sequence);
        let contiguous = self.played.back().map(|last| last.sequence.wrapping_add(1)) == next;
        self.played.iter().filter(move |_| contiguous)
    }

    /// What of the source should play at `due`, by the estimate. None before the first packet.
    pub(super) fn position_at(&self, due: i64) -> Option<i64> {
        self.estimate.as_ref().map(|estimate| due - estimate.shortest() - estimate.target(due))
    }

    /// How long what plays at `due` has waited, against the fastest packet; and how long it should.
    pub(super) fn delay(&self, due: i64, playing: i64) -> Option<(i64, i64)> {
        self.estimate.as_ref().map(|estimate| (due - playing - estimate.shortest(), estimate.target(due)))
    }

    /// A packet was missing when it was due.
    pub(super) fn missed(&mut self, due: i64) {
        if let Some(estimate) = &mut self.estimate {
            estimate.missed(due);
        }
    }

    /// How many packets wait.
    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }

    /// The timestamp nearest to the newest one that has these low 32 bits.
    fn unwrap(&self, timestamp: u32) -> i64 {
        let Some(newest) = self.newest else { return i64::from(timestamp) };
        newest + i64::from(timestamp.wrapping_sub(newest as u32) as i32)
    }

    fn restart(&mut self, transit: i64) {
        if let Some(estimate) = &mut self.estimate {
            estimate.rebase(transit);
        }
        while let Some(packet) = self.packets.pop_front() {
            self.recycle(packet);
        }
        while !self.played.is_empty() {
            self.recycle_oldest_played();
        }
        (self.position, self.newest, self.late_in_a_row) = (i64::MIN, None, 0);
    }

    fn recycle_oldest_played(&mut self) {
        if let Some(packet) = self.played.pop_front() {
            self.recycle(packet);
        }
    }

    fn recycle(&mut self, mut packet: Waiting) {
        packet.payload.clear();
        if self.spare.len() < 8 {
            self.spare.push(packet.payload);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer() -> JitterBuffer {
        JitterBuffer::new(1920, 19_200)
    }

    fn receive(buffer: &mut JitterBuffer, arrival: i64, sequence: u16, timestamp: u32) -> Received {
        let packet = SoundPacket { sequence, timestamp, payload: &[0; 3], level: None, voice: true };
        buffer.receive(arrival, &packet, &PayloadInfo { duration: 960, fec: 0, dtx: false })
    }

    #[test]
    fn packets_leave_in_order_once_across_the_wrap_of_both_numbers() {
        let mut buffer = buffer();
        let base = 0_u32.wrapping_sub(1920);
        for order in [1_u16, 0, 3, 2, 2, 4] {
            let timestamp = base.wrapping_add(u32::from(order) * 960);
            let expected = if buffer.packets.len() == 4 && order == 2 { Received::Duplicate } else { Received::InTime };
            assert_eq!(receive(&mut buffer, 0, 65_533_u16.wrapping_add(order), timestamp), expected);
        }
        let first = i64::from(base);
        for index in 0..5 {
            assert_eq!(buffer.front().map(|packet| packet.start), Some(first + index * 960));
            buffer.pop();
        }
        assert_eq!(buffer.len(), 0);
    }

    #[test]
    fn what_was_due_before_is_late() {
        let mut buffer = buffer();
        receive(&mut buffer, 0, 1, 960);
        buffer.skip_to(1920);
        assert_eq!(receive(&mut buffer, 900, 0, 0), Received::Late);
        assert_eq!(receive(&mut buffer, 900, 2, 1920), Received::InTime);
    }

    #[test]
    fn another_base_begins_anew() {
        let mut buffer = buffer();
        receive(&mut buffer, 0, 1, 960);
        buffer.skip_to(1920);
        assert_eq!(receive(&mut buffer, 960, 9, 3_000_000_000), Received::Restarted);
        assert_eq!((buffer.len(), buffer.front().map(|packet| packet.start)), (1, Some(3_000_000_000)));
        assert_eq!(receive(&mut buffer, 1920, 10, 3_000_000_960), Received::InTime);
    }

    #[test]
    fn a_base_that_went_back_a_little_is_taken_after_a_few_late_packets() {
        let mut buffer = buffer();
        receive(&mut buffer, 0, 0, 96_000);
        buffer.skip_to(96_960);
        let results: Vec<_> =
            (1..8).map(|index| receive(&mut buffer, index * 960, index as u16, 960 * index as u32)).collect();
        assert_eq!(results[..5], [Received::Late; 5]);
        assert_eq!(results[5..], [Received::Restarted, Received::InTime]);
    }

    #[test]
    fn it_holds_so_many_and_no_more() {
        let mut buffer = buffer();
        (0..300).for_each(|index| {
            let _ = receive(&mut buffer, 0, index as u16, index * 480);
        });
        assert_eq!(buffer.len(), CAPACITY);
        assert_eq!(buffer.overflowed, 300 - CAPACITY as u64);
    }
}
