//! Who speaks, from the audio levels in packets' headers (RFC 6464), and whose picture is shown
//! in a big room.

use std::time::{Duration, Instant};

use crate::session::AudioLevel;

/// Levels are smoothed over this time: a syllable and its pauses.
const SMOOTHING: f32 = 0.3;
/// A microphone's noise is followed down as fast as a pause between words, and up so slowly that
/// a long sentence does not count as noise. In seconds, and decibels per second.
const FLOOR_DOWN: f32 = 0.2;
const FLOOR_UP: f32 = 1.0;
/// Decibels above the noise to begin and to go on, and the quietest sound (in decibels above
/// silence, 127 being full scale) that counts at all: -65 dBov.
const ENTER_ABOVE_NOISE: f32 = 12.0;
const LEAVE_ABOVE_NOISE: f32 = 6.0;
const QUIETEST: f32 = 62.0;
/// Sound this loud, -35 dBov, is never noise.
const NEVER_NOISE: f32 = 92.0;
/// How long somebody must be heard to begin, and be silent to end.
const ENTER_AFTER: Duration = Duration::from_millis(500);
const LEAVE_AFTER: Duration = Duration::from_millis(1500);
/// A microphone that sends nothing for this long (DTX, mute) is silent.
const SILENT_AFTER: Duration = Duration::from_millis(400);
/// How many are listed at once, unless asked otherwise.
const MOST: usize = 5;
/// Who is this much louder, in decibels, is listed before.
const OVERTAKE: f32 = 6.0;

/// One microphone's sound.
#[derive(Clone, Debug)]
pub struct Voice {
    at: Instant,
    /// Decibels above silence, smoothed.
    loudness: f32,
    noise: f32,
    /// Whether this sender says which packets are speech.
    marks_speech: bool,
    /// Heard before it counts as speaking, or silent before it counts as ended: since then.
    change_since: Option<Instant>,
    speaking: bool,
}

impl Voice {
    /// A microphone that has not been heard.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            at: now,
            loudness: 0.0,
            noise: QUIETEST - ENTER_ABOVE_NOISE,
            marks_speech: false,
            change_since: None,
            speaking: false,
        }
    }

    /// A packet with its level came.
    pub fn packet(&mut self, now: Instant, level: AudioLevel) {
        self.marks_speech |= level.voice;
        let mut loudness = f32::from(127 - level.below_full.min(127));
        if self.marks_speech && !level.voice {
            loudness = loudness.min(self.noise);
        }
        self.pass(now, loudness);
    }

    /// Whether it counts as speaking, after time has passed.
    pub fn is_speaking(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.at) >= SILENT_AFTER {
            // Nothing sent is no measure of the room's noise.
            let noise = self.noise;
            self.pass(now, 0.0);
            self.noise = noise;
        }
        self.speaking
    }

    /// How loud it is: decibels above silence, 127 at most, smoothed.
    #[must_use]
    pub fn loudness(&self) -> f32 {
        self.loudness
    }

    fn pass(&mut self, now: Instant, loudness: f32) {
        let passed = now.saturating_duration_since(self.at).as_secs_f32().min(1.0);
        self.at = now;
        self.loudness += (loudness - self.loudness) * (1.0 - (-passed / SMOOTHING).exp());
        if loudness < self.noise {
            self.noise += (loudness - self.noise) * (1.0 - (-passed / FLOOR_DOWN).exp());
        } else {
            self.noise = (self.noise + FLOOR_UP * passed).min(loudness).min(NEVER_NOISE - ENTER_ABOVE_NOISE);
        }
        let above = if self.speaking { LEAVE_ABOVE_NOISE } else { ENTER_ABOVE_NOISE };
        let heard = self.loudness >= (self.noise + above).max(QUIETEST);
        if heard == self.speaking {
            self.change_since = None;
            return;
        }
        let since = *self.change_since.get_or_insert(now);
        let hold = if self.speaking { LEAVE_AFTER } else { ENTER_AFTER };
        if now.saturating_duration_since(since) >= hold {
            self.speaking = heard;
            self.change_since = None;
        }
    }
}

/// Who speaks, loudest first.
#[derive(Clone, Debug)]
pub struct Speakers<K> {
    most: usize,
    list: Vec<K>,
}

impl<K> Default for Speakers<K> {
    fn default() -> Self {
        Self { most: MOST, list: Vec::new() }
    }
}

impl<K: Copy + Eq> Speakers<K> {
    /// Nobody yet, and `most` at once.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, list: Vec::new() }
    }

    /// Loudest first.
    #[must_use]
    pub fn list(&self) -> &[K] {
        &self.list
    }

    /// Takes those whose microphones count as speaking, and how loud each is; `true` when the list
    /// has changed. A few times a second will do.
    pub fn update(&mut self, speaking: impl Iterator<Item = (K, f32)>) -> bool {
        let mut speaking: Vec<(K, f32)> = speaking.collect();
        let place = |who: K| self.list.iter().position(|known| *known == who).unwrap_or(usize::MAX);
        // Those known keep their order, new ones follow by loudness.
        speaking.sort_by(|(a, a_loud), (b, b_loud)| place(*a).cmp(&place(*b)).then(b_loud.total_cmp(a_loud)));
        for end in 1..speaking.len() {
            let mut at = end;
            while at > 0 && speaking[at].1 > speaking[at - 1].1 + OVERTAKE {
                speaking.swap(at, at - 1);
                at -= 1;
            }
        }
        speaking.truncate(self.most);
        let changed = !speaking.iter().map(|(who, _)| who).eq(&self.list);
        if changed {
            self.list = speaking.into_iter().map(|(who, _)| who).collect();
        }
        changed
    }
}

/// Whose picture is shown when only `count` are: those who spoke last, then who was there first.
///
/// `before` is the last result: who spoke last is first in it, so the result stays the same until
/// somebody else speaks, and then the one who has been silent longest makes room.
#[must_use]
pub fn last_speakers<K: Copy + Eq>(count: usize, before: &[K], speakers: &[K], present: &[K]) -> Vec<K> {
    let mut shown: Vec<K> = Vec::with_capacity(count);
    let newcomers = speakers.iter().filter(|who| !before.contains(who));
    let known_speaking = before.iter().filter(|who| speakers.contains(who));
    let known_silent = before.iter().filter(|who| !speakers.contains(who));
    for who in newcomers.chain(known_speaking).chain(known_silent).chain(present) {
        if shown.len() == count {
            break;
        }
        if present.contains(who) && !shown.contains(who) {
            shown.push(*who);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Plays a packet each 20 ms; returns after how many milliseconds it began and ended to
    /// count as speaking.
    fn play(voice: &mut Voice, start: Instant, levels: impl Iterator<Item = (u8, bool)>) -> Vec<(u64, bool)> {
        let mut changes = Vec::new();
        let mut before = voice.speaking;
        for (at, (below_full, speech)) in (0..).step_by(20).zip(levels) {
            voice.packet(start + ms(at), AudioLevel { below_full, voice: speech });
            let speaking = voice.is_speaking(start + ms(at));
            if speaking != before {
                changes.push((at, speaking));
            }
            before = speaking;
        }
        changes
    }

    fn seconds(seconds: f32, below_full: u8) -> impl Iterator<Item = (u8, bool)> {
        std::iter::repeat_n((below_full, false), (seconds * 50.0) as usize)
    }

    /// Those of the voices that count as speaking.
    fn loud(voices: &mut [Voice], now: Instant) -> impl Iterator<Item = (usize, f32)> {
        let loud = move |(who, voice): (usize, &mut Voice)| voice.is_speaking(now).then(|| (who, voice.loudness()));
        voices.iter_mut().enumerate().filter_map(loud)
    }

    /// Words of 400 ms with 150 ms between.
    fn speech(length: f32) -> impl Iterator<Item = (u8, bool)> {
        let word = seconds(0.4, 30).chain(seconds(0.15, 70));
        let words: Vec<_> = word.collect();
        words.into_iter().cycle().take((length * 50.0) as usize)
    }

    #[test]
    fn speech_counts_after_half_a_second_and_ends_after_one_and_a_half() {
        let start = Instant::now();
        let mut voice = Voice::new(start);
        let changes = play(&mut voice, start, seconds(1.0, 75).chain(speech(5.0)).chain(seconds(5.0, 75)));
        let [(began, true), (ended, false)] = changes[..] else { unreachable!("{changes:?}") };
        assert!((1500..1900).contains(&began), "{began}");
        assert!((7500..8500).contains(&ended), "{ended}");
    }

    #[test]
    fn a_door_or_a_cough_does_not_count() {
        let start = Instant::now();
        let mut voice = Voice::new(start);
        let changes = play(&mut voice, start, seconds(2.0, 75).chain(seconds(0.25, 15)).chain(seconds(3.0, 75)));
        assert_eq!(changes, []);
    }

    #[test]
    fn a_fan_is_noise_and_somebody_beside_it_is_heard() {
        let start = Instant::now();
        let mut voice = Voice::new(start);
        // A fan at -50 dBov may count at first, until its level is known.
        play(&mut voice, start, seconds(40.0, 50));
        assert!(!voice.is_speaking(start + ms(40_000)));
        let changes = play(&mut voice, start + ms(40_000), seconds(0.9, 25));
        assert!(matches!(changes[..], [(_, true)]), "{changes:?}");
    }

    #[test]
    fn a_long_speech_stays_speech() {
        let start = Instant::now();
        let mut voice = Voice::new(start);
        let changes = play(&mut voice, start, speech(300.0));
        assert!(matches!(changes[..], [(_, true)]), "{changes:?}");
    }

    #[test]
    fn loud_music_without_pauses_never_becomes_noise() {
        let start = Instant::now();
        let mut voice = Voice::new(start);
        let changes = play(&mut voice, start, seconds(300.0, 20));
        assert!(matches!(changes[..], [(_, true)]), "{changes:?}");
    }

    #[test]
    fn a_sender_that_marks_speech_is_believed_when_it_marks_none() {
        let start = Instant::now();
        let mut voice = Voice::new(start);
        play(&mut voice, start, std::iter::once((60, true)));
        let changes = play(&mut voice, start + ms(20), seconds(10.0, 30));
        assert_eq!(changes, []);
        let changes = play(&mut voice, start + ms(10_020), std::iter::repeat_n((30, true), 100));
        assert!(matches!(changes[..], [(_, true)]), "{changes:?}");
    }

    #[test]
    fn a_microphone_that_sends_nothing_ends_by_time_alone() {
        let start = Instant::now();
        let mut voice = Voice::new(start);
        play(&mut voice, start, speech(3.0));
        assert!(voice.is_speaking(start + ms(3_300)));
        let ended = (0u64..).map(|step| 3_000 + step * 100).find(|at| !voice.is_speaking(start + ms(*at)));
        assert!((4_500..6_000).contains(&ended.expect("it ends")), "{ended:?}");
    }

    fn speaking(now: Instant, loudness: f32) -> Voice {
        Voice { loudness, speaking: true, ..Voice::new(now) }
    }

    #[test]
    fn the_loudest_is_first_and_a_little_louder_changes_nothing() {
        let now = Instant::now();
        let mut speakers = Speakers::new(2);
        let mut voices = [speaking(now, 80.0), speaking(now, 90.0), speaking(now, 70.0), Voice::new(now)];
        assert!(speakers.update(loud(&mut voices, now)));
        assert_eq!(speakers.list(), [1, 0]);
        voices[0].loudness = 95.0;
        assert!(!speakers.update(loud(&mut voices, now)));
        voices[0].loudness = 97.0;
        assert!(speakers.update(loud(&mut voices, now)));
        assert_eq!(speakers.list(), [0, 1]);
        voices[0].speaking = false;
        assert!(speakers.update(loud(&mut voices, now)));
        assert_eq!(speakers.list(), [1, 2]);
    }

    #[test]
    fn who_has_been_silent_longest_makes_room_for_a_new_speaker() {
        let present = [1, 2, 3, 4, 5];
        let first = last_speakers(3, &[], &[], &present);
        assert_eq!(first, [1, 2, 3]);
        let second = last_speakers(3, &first, &[5], &present);
        assert_eq!(second, [5, 1, 2]);
        assert_eq!(last_speakers(3, &second, &[], &present), second, "silence changes nothing");
        let third = last_speakers(3, &second, &[2], &present);
        assert_eq!(last_speakers(3, &third, &[4], &present), [4, 2, 5]);
        assert_eq!(last_speakers(3, &third, &[], &[1, 3, 5]), [5, 1, 3], "who has left is replaced");
    }

    proptest! {
        #[test]
        fn as_many_are_shown_as_there_is_room_for_and_nobody_without_need_goes(
            count in 0usize..6, before in prop::collection::vec(0u8..9, 0..6),
            speakers in prop::collection::vec(0u8..9, 0..4), present in prop::collection::hash_set(0u8..9, 0..9)
        ) {
            let present: Vec<u8> = present.into_iter().collect();
            let before = last_speakers(count, &before, &[], &present);
            let after = last_speakers(count, &before, &speakers, &present);
            prop_assert_eq!(after.len(), count.min(present.len()));
            let gone = before.iter().filter(|who| !after.contains(who)).count();
            let new = after.iter().filter(|who| !before.contains(who)).all(|who| speakers.contains(who));
            prop_assert!(new && gone <= speakers.len());
        }
    }
}
