//! What a stream has sent, to be sent again when the other end asks (RFC 4585 §6.2.1).

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::session::OutgoingPacket;

/// Packets kept of each stream: two seconds of a 2.5 Mbit/s picture.
const PACKETS: usize = 512;
const AGE: Duration = Duration::from_secs(3);
/// Among so many of the last a large one is looked for.
const LAST: usize = 16;

/// A packet that was sent.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) packet: OutgoingPacket,
    at: Instant,
    /// When it was last sent again.
    again_at: Option<Instant>,
}

/// Packets of one stream, in the order of their numbers; what was not kept is a hole.
#[derive(Debug, Default)]
pub(super) struct History {
    places: VecDeque<Option<Sent>>,
    /// The number of place 0.
    first: u64,
}

impl History {
    pub(super) fn keep(&mut self, now: Instant, packet: OutgoingPacket) {
        let seq = packet.seq;
        let end = self.first + self.places.len() as u64;
        if self.places.is_empty() || seq >= end + PACKETS as u64 {
            self.places.clear();
            self.first = seq;
        } else if seq < self.first {
            return;
        }
        while self.first + (self.places.len() as u64) <= seq {
            self.places.push_back(None);
        }
        let is_old =
            |sent: &Option<Sent>| sent.as_ref().is_none_or(|sent| now.saturating_duration_since(sent.at) >= AGE);
        while self.places.len() > PACKETS || (self.places.len() > 1 && self.places.front().is_some_and(is_old)) {
            self.places.pop_front();
            self.first += 1;
        }
        let place = self.place(seq);
        if let Some(place) = place.and_then(|place| self.places.get_mut(place)) {
            *place = Some(Sent { packet, at: now, again_at: None });
        }
    }

    fn place(&self, seq: u64) -> Option<usize> {
        usize::try_from(seq.checked_sub(self.first)?).ok()
    }

    /// The place of a packet by its number of 16 bits.
    fn place_of(&self, number: u16) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "numbers are compared modulo 2^16")]
        usize::from(number.wrapping_sub(self.first as u16))
    }

    /// A packet that is to be sent again: not twice within `pause`.
    pub(super) fn missing(&self, now: Instant, number: u16, pause: Duration) -> Option<&OutgoingPacket> {
        let sent = self.places.get(self.place_of(number))?.as_ref()?;
        let is_recent = sent.again_at.is_some_and(|at| now.saturating_duration_since(at) < pause);
        let is_old = now.saturating_duration_since(sent.at) >= AGE;
        (!is_recent && !is_old).then_some(&sent.packet)
    }

    /// It was sent again.
    pub(super) fn sent_again(&mut self, now: Instant, number: u16) {
        let place = self.place_of(number);
        if let Some(sent) = self.places.get_mut(place).and_then(Option::as_mut) {
            sent.again_at = Some(now);
        }
    }

    /// The largest of the last packets, if it has at least so many bytes.
    pub(super) fn large(&self, least: usize) -> Option<&OutgoingPacket> {
        let packets = self.places.iter().rev().flatten().take(LAST).map(|sent| &sent.packet);
        packets.max_by_key(|packet| packet.payload.len()).filter(|packet| packet.payload.len() >= least)
    }

    pub(super) fn clear(&mut self) {
        self.places.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::payload::Patch;

    fn packet(seq: u64, at: Instant) -> OutgoingPacket {
        OutgoingPacket {
            payload_type: 96,
            seq,
            timestamp: 0,
            at,
            marker: false,
            payload: Arc::from([1]),
            patch: Patch::default(),
            audio_level: None,
            orientation: None,
            repeatable: true,
        }
    }

    const PAUSE: Duration = Duration::from_millis(50);

    #[test]
    fn a_packet_is_found_by_its_number_across_a_wrap_and_not_twice_within_the_pause() {
        let (mut history, now) = (History::default(), Instant::now());
        for seq in 65_500..65_600 {
            history.keep(now, packet(seq, now));
        }
        let mut again = |at, number| {
            let seq = history.missing(at, number, PAUSE).map(|packet| packet.seq);
            if seq.is_some() {
                history.sent_again(at, number);
            }
            seq
        };
        assert_eq!(again(now, 65_500), Some(65_500));
        assert_eq!(again(now, 63), Some(65_599));
        assert_eq!(again(now, 64), None);
        assert_eq!(again(now, 65_499), None);
        assert_eq!(again(now + PAUSE / 2, 63), None, "it may be on its way");
        assert_eq!(again(now + PAUSE, 63), Some(65_599));
        assert!(history.large(1).is_some() && history.large(2).is_none());
    }

    #[test]
    fn what_is_too_much_or_too_old_is_forgotten_and_holes_do_no_harm() {
        let (mut history, start) = (History::default(), Instant::now());
        for seq in (0..2000).step_by(2) {
            history.keep(start, packet(seq, start));
        }
        assert!(history.places.len() <= PACKETS);
        assert!(history.missing(start, 1997, PAUSE).is_none());
        assert!(history.missing(start, 1998, PAUSE).is_some());
        assert!(history.missing(start + AGE, 1996, PAUSE).is_none());
        history.keep(start + AGE, packet(2000, start + AGE));
        assert_eq!(history.places.len(), 1);
        history.keep(start, packet(100_000, start));
        assert_eq!(history.places.len(), 1);
        history.keep(start, packet(5, start));
        assert_eq!(history.places.len(), 1, "from before the first");
    }
}
