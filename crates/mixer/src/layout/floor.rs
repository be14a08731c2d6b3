//! Who counts as the speaker. Whoever has the floor keeps it through pauses and interjections.

use std::time::{Duration, Instant};

use super::{Participant, ParticipantId};

/// How long someone must speak, while the one who has the floor is silent, to get it.
pub const HANDOVER: Duration = Duration::from_millis(1500);

/// While both go on speaking, the new one has to hold out for longer.
const OVER_SPEECH: Duration = Duration::from_secs(5);

/// A silence shorter than this is a breath within one speech.
const BREATH: Duration = Duration::from_millis(400);

/// Keeps who has the floor.
#[derive(Clone, Debug, Default)]
pub struct Floor {
    holder: Option<ParticipantId>,
    /// Who speaks or has just spoken: since when, and when last heard.
    speeches: Vec<(ParticipantId, Instant, Instant)>,
}

impl Floor {
    /// Who has it now.
    #[must_use]
    pub const fn holder(&self) -> Option<ParticipantId> {
        self.holder
    }

    /// Takes who is there and who of them speaks; call it on every change and at least a few times
    /// a second. Gives who has the floor: None until someone has spoken.
    pub fn update(&mut self, now: Instant, participants: &[Participant]) -> Option<ParticipantId> {
        let there = |id: ParticipantId| participants.iter().any(|someone| someone.id == id);
        self.speeches.retain(|(id, _, heard)| there(*id) && now.saturating_duration_since(*heard) < BREATH);
        for someone in participants.iter().filter(|someone| someone.speaking) {
            match self.speeches.iter_mut().find(|(id, ..)| *id == someone.id) {
                Some((_, _, heard)) => *heard = now,
                None => self.speeches.push((someone.id, now, now)),
            }
        }
        let holder = self.holder.filter(|id| there(*id));
        let speaks = |id: ParticipantId| self.speeches.iter().any(|(speaker, ..)| *speaker == id);
        let patience = match holder {
            None => Duration::ZERO,
            Some(holder) if speaks(holder) => OVER_SPEECH,
            Some(_) => HANDOVER,
        };
        let holders_start = self.speeches.iter().find(|(id, ..)| Some(*id) == holder).map(|(_, since, _)| *since);
        let next = self
            .speeches
            .iter()
            .filter(|(id, since, heard)| {
                Some(*id) != holder
                    && *heard == now
                    && now.saturating_duration_since(*since) >= patience
                    // Two who talk at once do not take turns every few seconds.
                    && holders_start.is_none_or(|start| start < *since)
            })
            .min_by_key(|(_, since, _)| *since)
            .map(|(id, ..)| *id);
        if next.is_some() {
            // Both begin again: who lost it while speaking is not ahead of who won it.
            let both = |id: ParticipantId| Some(id) == next || Some(id) == holder;
            self.speeches.iter_mut().filter(|(id, ..)| both(*id)).for_each(|(_, since, _)| *since = now);
        }
        self.holder = next.or(holder);
        self.holder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays who speaks in each tenth of a second ('a', 'b', 'A' for both, '.' for nobody) and
    /// writes down who has the floor.
    fn play(script: &str) -> String {
        let start = Instant::now();
        let mut floor = Floor::default();
        let mut people = [Participant::new(ParticipantId(0), "a"), Participant::new(ParticipantId(1), "b")];
        let tenth = |(index, letter): (usize, char)| {
            people[0].speaking = matches!(letter, 'a' | 'A');
            people[1].speaking = matches!(letter, 'b' | 'A');
            let now = start + Duration::from_millis(100) * index as u32;
            match floor.update(now, &people) {
                None => '-',
                Some(ParticipantId(0)) => 'a',
                Some(_) => 'b',
            }
        };
        script.chars().enumerate().map(tenth).collect()
    }

    #[test]
    fn the_first_who_speaks_has_the_floor_at_once_and_keeps_it_in_silence() {
        assert_eq!(play("..a......"), "--aaaaaaa");
    }

    #[test]
    fn another_has_to_speak_for_a_second_and_a_half() {
        let floor = play("a....bbbbbbbbbbbbbbbbbb");
        assert_eq!(floor.find('b'), Some(20), "{floor}");
    }

    #[test]
    fn interjections_change_nothing() {
        let floor = play("aaaaabbbbb.....aaaabbbbbbbb.......aaaa.bbbb.....");
        assert!(!floor.contains('b'), "{floor}");
    }

    #[test]
    fn a_breath_does_not_begin_a_speech_anew() {
        let floor = play("a....bbbbbbb..bbbbbbbbbbb");
        assert_eq!(floor.find('b'), Some(20), "{floor}");
    }

    #[test]
    fn two_who_talk_at_once_do_not_take_turns() {
        let floor = play(&("a".repeat(10) + &"A".repeat(600)));
        let changes = floor.as_bytes().windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(changes <= 1, "{floor}");
    }

    #[test]
    fn who_leaves_loses_the_floor() {
        let now = Instant::now();
        let mut floor = Floor::default();
        let mut people = vec![Participant::new(ParticipantId(0), "a"), Participant::new(ParticipantId(1), "b")];
        people[0].speaking = true;
        assert_eq!(floor.update(now, &people), Some(ParticipantId(0)));
        people.remove(0);
        assert_eq!(floor.update(now, &people), None);
        people[0].speaking = true;
        assert_eq!(floor.update(now, &people), Some(ParticipantId(1)), "nobody to wait for");
    }
}
