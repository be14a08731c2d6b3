//! The newest packets of a published layer, shared by everyone who gets it.
//!
//! With it a subscription that begins at a keyframe can be given what came of that keyframe
//! already, in order, though the packets overtook each other on their way here.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::payload::PayloadInfo;

/// The most packets kept: two seconds of a picture of 2.5 Mbit/s.
const PACKETS: usize = 512;
/// Older ones are of no use to anybody.
const AGE: Duration = Duration::from_secs(2);

/// A packet as it came.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its sequence number, extended over wraps.
    pub seq: u64,
    /// When it came.
    pub at: Instant,
    /// Its RTP timestamp.
    pub timestamp: u32,
    /// Its marker bit.
    pub marker: bool,
    /// Its payload.
    pub payload: Arc<[u8]>,
    /// What the payload says.
    pub info: PayloadInfo,
}

/// The packets of one layer, in the order of their sequence numbers.
#[derive(Debug, Default)]
pub struct History {
    /// Place 0 is `first`; what has not come is `None`.
    places: VecDeque<Option<Kept>>,
    first: u64,
}

impl History {
    /// Keeps a packet; `false` for one that is kept already, or too old.
    pub fn insert(&mut self, packet: Kept) -> bool {
        let end = self.first + self.places.len() as u64;
        if self.places.is_empty() || packet.seq >= end + PACKETS as u64 {
            self.places.clear();
            self.first = packet.seq;
        } else if packet.seq < self.first {
            return false;
        }
        let (now, seq) = (packet.at, packet.seq);
        while self.first + (self.places.len() as u64) <= seq {
            self.places.push_back(None);
        }
        let is_old =
            |kept: &Option<Kept>| kept.as_ref().is_some_and(|kept| now.saturating_duration_since(kept.at) >= AGE);
        while self.places.len() > PACKETS || self.places.front().is_some_and(is_old) {
            self.places.pop_front();
            self.first += 1;
        }
        let Some(place) = self.place(seq).and_then(|place| self.places.get_mut(place)) else { return false };
        if place.is_some() {
            return false;
        }
        *place = Some(packet);
        true
    }

    fn place(&self, seq: u64) -> Option<usize> {
        usize::try_from(seq.checked_sub(self.first)?).ok()
    }

    /// A packet, if it came and is still kept.
    #[must_use]
    pub fn packet(&self, seq: u64) -> Option<&Kept> {
        self.places.get(self.place(seq)?)?.as_ref()
    }

    /// What is kept from a packet on, in order.
    pub fn since(&self, seq: u64) -> impl Iterator<Item = &Kept> {
        let from = self.place(seq).unwrap_or(0).min(self.places.len());
        self.places.range(from..).flatten()
    }

    /// The sequence number with which the newest keyframe begins.
    #[must_use]
    pub fn keyframe(&self) -> Option<u64> {
        self.places.iter().rev().flatten().find(|kept| kept.info.keyframe).map(|kept| kept.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(seq: u64, at: Instant) -> Kept {
        let info = PayloadInfo { keyframe: seq.is_multiple_of(100), ..PayloadInfo::default() };
        Kept { seq, at, timestamp: 0, marker: false, payload: Arc::from([1, 2]), info }
    }

    #[test]
    fn packets_are_kept_in_order_however_they_come_and_once() {
        let (mut history, now) = (History::default(), Instant::now());
        for seq in [100, 103, 101] {
            assert!(history.insert(kept(seq, now)));
        }
        assert!(!history.insert(kept(103, now)));
        assert!(!history.insert(kept(99, now)), "from before the first");
        assert_eq!(history.since(101).map(|kept| kept.seq).collect::<Vec<_>>(), [101, 103]);
        assert_eq!(history.since(0).count(), 3);
        assert_eq!(history.since(500).count(), 0);
        assert!(history.packet(102).is_none() && history.packet(103).is_some());
        assert_eq!(history.keyframe(), Some(100));
    }

    #[test]
    fn what_is_too_much_or_too_old_goes() {
        let (mut history, start) = (History::default(), Instant::now());
        for seq in 0..1000 {
            assert!(history.insert(kept(seq, start)));
        }
        assert_eq!(history.since(0).count(), PACKETS);
        assert_eq!(history.keyframe(), Some(900));
        assert!(history.insert(kept(1000, start + AGE)));
        assert_eq!(history.since(0).map(|kept| kept.seq).collect::<Vec<_>>(), [1000]);
    }

    #[test]
    fn a_jump_begins_anew_and_holes_take_no_more_room_than_packets() {
        let (mut history, now) = (History::default(), Instant::now());
        history.insert(kept(1, now));
        assert!(history.insert(kept(500, now)));
        assert!(history.insert(kept(1_000, now)));
        assert!(history.places.len() <= PACKETS);
        assert!(history.insert(kept(1 << 40, now)));
        assert_eq!(history.since(0).count(), 1);
    }
}
