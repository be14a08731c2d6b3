//! The events of one session that its client may still have to hear: numbered from 1 without
//! gaps, kept until acknowledged, bounded in number and bytes.

use std::{collections::VecDeque, sync::Arc};

use madang_protocol::{Mix, MixLayout, Seq, ServerMessage};

#[derive(Debug)]
pub(crate) struct Ring {
    events: VecDeque<(Arc<ServerMessage>, usize)>,
    /// The number of the newest event ever pushed.
    last: u64,
    bytes: usize,
    most_events: usize,
    most_bytes: usize,
}

impl Ring {
    pub(crate) fn new(most_events: usize, most_bytes: usize) -> Self {
        Self { events: VecDeque::new(), last: 0, bytes: 0, most_events, most_bytes }
    }

    pub(crate) fn last(&self) -> Seq {
        Seq(self.last)
    }

    pub(crate) fn push(&mut self, message: Arc<ServerMessage>) -> Seq {
        let weight = weight(&message);
        self.last += 1;
        self.bytes += weight;
        self.events.push_back((message, weight));
        while self.events.len() > self.most_events || self.bytes > self.most_bytes {
            self.drop_oldest();
        }
        Seq(self.last)
    }

    /// Forgets events up to and including `s`.
    pub(crate) fn acknowledge(&mut self, s: Seq) {
        while self.first() <= s.0.min(self.last) && !self.events.is_empty() {
            self.drop_oldest();
        }
    }

    /// The events after `s`, or `None` where some of them are gone or `s` never was.
    pub(crate) fn after(&self, s: Seq) -> Option<Vec<(Seq, Arc<ServerMessage>)>> {
        if s.0 > self.last || s.0 + 1 < self.first() {
            return None;
        }
        let skip = usize::try_from(s.0 + 1 - self.first()).ok()?;
        let numbered = (s.0 + 1..).map(Seq).zip(self.events.iter().skip(skip).map(|(event, _)| Arc::clone(event)));
        Some(numbered.collect())
    }

    /// Begins anew because the client gets the whole room instead. A number is skipped: what
    /// changed meanwhile has none, so nothing can be replayed from before.
    pub(crate) fn begin_anew(&mut self) {
        self.last += 1;
        self.events.clear();
        self.bytes = 0;
    }

    fn first(&self) -> u64 {
        self.last + 1 - self.events.len() as u64
    }

    fn drop_oldest(&mut self) {
        if let Some((_, weight)) = self.events.pop_front() {
            self.bytes -= weight;
        }
    }
}

/// About how much memory an event holds. Only texts that a client chooses the size of count.
fn weight(message: &ServerMessage) -> usize {
    const FIXED: usize = 256;
    FIXED
        + match message {
            ServerMessage::Desc(desc) => desc.sdp.len() + desc.tracks.len() * 64,
            ServerMessage::Ice(ice) => ice.candidate.as_ref().map_or(0, |candidate| candidate.candidate.len()),
            ServerMessage::Chat(chat) => chat.text.len(),
            ServerMessage::Data(data) => data.payload.len(),
            ServerMessage::Participant(event) => event.participant.tracks.len() * 256,
            ServerMessage::Mix(event) => event.mix.as_ref().map_or(0, regions) * 128,
            _ => 0,
        }
}

fn regions(mix: &Mix) -> usize {
    match &mix.layout {
        MixLayout::Custom { regions } => regions.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use madang_protocol::{ChatEvent, ParticipantId};

    use super::*;

    fn chat(text: &str) -> Arc<ServerMessage> {
        let from = ParticipantId::from("p_0123456789");
        Arc::new(ServerMessage::Chat(ChatEvent { from, text: text.to_owned(), at_ms: 0, private: false }))
    }

    fn numbers(ring: &Ring, s: u64) -> Option<Vec<u64>> {
        ring.after(Seq(s)).map(|events| events.iter().map(|(s, _)| s.0).collect())
    }

    #[test]
    fn events_after_a_number_come_back_in_order() {
        let mut ring = Ring::new(10, 100_000);
        for text in ["a", "b", "c"] {
            ring.push(chat(text));
        }
        assert_eq!(numbers(&ring, 0), Some(vec![1, 2, 3]));
        assert_eq!(numbers(&ring, 2), Some(vec![3]));
        assert_eq!(numbers(&ring, 3), Some(vec![]));
        assert_eq!(ring.after(Seq(1)).expect("kept")[0].1, chat("b"));
    }

    #[test]
    fn a_number_that_never_was_has_no_events_after_it() {
        let mut ring = Ring::new(10, 100_000);
        ring.push(chat("a"));
        assert_eq!(numbers(&ring, 2), None);
        assert_eq!(numbers(&ring, u64::MAX), None);
    }

    #[test]
    fn acknowledged_events_are_forgotten() {
        let mut ring = Ring::new(10, 100_000);
        for text in ["a", "b", "c"] {
            ring.push(chat(text));
        }
        ring.acknowledge(Seq(2));
        assert_eq!(numbers(&ring, 1), None);
        assert_eq!(numbers(&ring, 2), Some(vec![3]));
        ring.acknowledge(Seq(u64::MAX));
        assert_eq!(numbers(&ring, 3), Some(vec![]));
        assert_eq!(ring.bytes, 0);
    }

    #[test]
    fn the_oldest_events_give_way_to_a_limit_in_number() {
        let mut ring = Ring::new(2, 100_000);
        for text in ["a", "b", "c"] {
            ring.push(chat(text));
        }
        assert_eq!(numbers(&ring, 0), None);
        assert_eq!(numbers(&ring, 1), Some(vec![2, 3]));
    }

    #[test]
    fn the_oldest_events_give_way_to_a_limit_in_bytes() {
        let mut ring = Ring::new(1000, 10_000);
        for _ in 0..100 {
            ring.push(chat(&"x".repeat(4000)));
        }
        assert_eq!(numbers(&ring, 98), Some(vec![99, 100]));
        assert!(ring.bytes <= 10_000);
    }

    #[test]
    fn nothing_is_replayed_from_before_a_new_beginning() {
        let mut ring = Ring::new(10, 100_000);
        ring.push(chat("a"));
        ring.begin_anew();
        assert_eq!(ring.last(), Seq(2));
        assert_eq!(numbers(&ring, 1), None);
        assert_eq!(ring.push(chat("b")), Seq(3));
        assert_eq!(numbers(&ring, 1), None);
        assert_eq!(numbers(&ring, 2), Some(vec![3]));
    }
}
