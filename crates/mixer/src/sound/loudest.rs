//! Who is heard: the loudest few, chosen by the level in the packets' headers, before anything is
//! decoded.

/// Frames of 20 ms.
pub(super) type Frame = u64;

/// A packet as loud as this, in dBov, is worth mixing.
const AUDIBLE: f32 = -70.0;
/// A packet as loud as this is taken for speech whatever bit V says; one with bit V set may be 15 dB
/// softer.
const SPEECH: f32 = -45.0;
/// Speech counts this much, in dB, above what is none, so that no fan keeps a talker out.
const SPEECH_BONUS: f32 = 40.0;
/// Who is in stays in against one who is louder by less than this, in dB.
const STICKY: f32 = 3.0;
/// When nothing arrives for so long (200 ms) the level is that of silence.
const UNHEARD: Frame = 10;
/// As long as the longest ordinary packet (60 ms).
const LONGEST_PACKET: Frame = 3;
/// Speech lasts over pauses this long (300 ms).
const PAUSE: Frame = 15;

/// How loud a source is, smoothed: up at once or nearly, down by half in 100 ms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Activity {
    level: f32,
    heard: Frame,
    audible: Frame,
    spoke: Frame,
    /// Among the loudest, and audible, for the last time.
    among: Frame,
    /// The newest packet was too soft to be heard.
    silent: bool,
    pub(super) chosen: bool,
}

impl Activity {
    pub(super) const fn new() -> Self {
        Self { level: -127.0, heard: 0, audible: 0, spoke: 0, among: 0, silent: true, chosen: false }
    }

    /// A packet of this level, in dBov, has arrived. Frames count from 1.
    pub(super) fn heard(&mut self, now: Frame, level: f32, voice: bool, duration: u32) {
        let level = level.clamp(-127.0, 0.0);
        let frames = duration as f32 / 960.0;
        let kept = if level > self.level { 0.3_f32 } else { 0.87 }.powf(frames);
        // From silence it does not have to climb all the way.
        let from = self.level.max(level - 20.0);
        self.level = level + (from - level) * kept;
        self.heard = now;
        self.silent = level < AUDIBLE;
        if !self.silent {
            self.audible = now;
        }
        if level >= SPEECH || (voice && level >= SPEECH - 15.0) {
            self.spoke = now;
        }
    }

    /// In dBov.
    pub(super) fn level(&self, now: Frame) -> f32 {
        if self.since(self.heard, now) < UNHEARD { self.level } else { -127.0 }
    }

    /// Speaks now, or paused just now.
    pub(super) fn speaks(&self, now: Frame) -> bool {
        self.since(self.spoke, now) < PAUSE
    }

    /// The sender has said, with its newest packet, that there is nothing to hear.
    pub(super) const fn silent(&self) -> bool {
        self.silent
    }

    /// Was audible within so many frames.
    pub(super) fn was_audible(&self, now: Frame, within: Frame) -> bool {
        self.since(self.audible, now) <= within
    }

    fn is_audible(&self, now: Frame) -> bool {
        self.since(self.audible, now) < LONGEST_PACKET
    }

    fn since(&self, frame: Frame, now: Frame) -> Frame {
        if frame == 0 { Frame::MAX } else { now.saturating_sub(frame) }
    }

    fn rank(&self, now: Frame) -> f32 {
        let speech = if self.speaks(now) { SPEECH_BONUS } else { 0.0 };
        self.level(now) + speech + if self.chosen { STICKY } else { 0.0 }
    }
}

/// Chooses `most` of the candidates at most. Whoever was among them stays for `hangover` frames
/// after, so that others wait for the place that long. `order` is room to work in.
pub(super) fn choose(
    candidates: &mut [Activity],
    order: &mut Vec<(f32, usize)>,
    now: Frame,
    most: usize,
    hangover: Frame,
) {
    order.clear();
    order.extend(
        candidates.iter().enumerate().filter(|(_, one)| one.is_audible(now)).map(|(at, one)| (one.rank(now), at)),
    );
    order.sort_unstable_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
    for (place, &(_, at)) in order.iter().enumerate() {
        if place < most {
            candidates[at].among = now;
        }
    }
    let mut places = most;
    for one in candidates.iter_mut() {
        one.chosen = one.chosen && places > 0 && one.since(one.among, now) <= hangover;
        places -= usize::from(one.chosen);
    }
    for &(_, at) in order.iter() {
        if places > 0 && !candidates[at].chosen {
            candidates[at].chosen = true;
            places -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs frames in which each source has a level, and says who is chosen after the last.
    fn run(all: &mut [Activity], frames: std::ops::Range<Frame>, levels: &[f32]) -> Vec<usize> {
        let mut order = Vec::new();
        for now in frames {
            for (one, &level) in all.iter_mut().zip(levels) {
                one.heard(now, level, true, 960);
            }
            choose(all, &mut order, now, 5, 15);
            assert!(all.iter().filter(|one| one.chosen).count() <= 5);
        }
        all.iter().enumerate().filter(|(_, one)| one.chosen).map(|(at, _)| at).collect()
    }

    #[test]
    fn the_five_loudest_are_chosen() {
        let mut all = [Activity::new(); 8];
        let levels = [-40.0, -20.0, -35.0, -21.0, -50.0, -22.0, -23.0, -24.0];
        assert_eq!(run(&mut all, 1..40, &levels), [1, 3, 5, 6, 7]);
    }

    #[test]
    fn a_louder_one_waits_for_the_place_as_long_as_the_hangover() {
        let mut all = [Activity::new(); 6];
        let mut levels = [-20.0, -21.0, -22.0, -23.0, -24.0, -127.0];
        run(&mut all, 1..50, &levels);
        levels[5] = -10.0;
        assert_eq!(run(&mut all, 50..64, &levels), [0, 1, 2, 3, 4]);
        assert_eq!(run(&mut all, 64..68, &levels), [0, 1, 2, 3, 5]);
    }

    #[test]
    fn a_pause_between_words_does_not_lose_the_place() {
        let mut all = [Activity::new(); 2];
        assert_eq!(run(&mut all, 1..50, &[-20.0, -127.0]), [0]);
        assert_eq!(run(&mut all, 50..65, &[-127.0, -127.0]), [0]);
        assert!(run(&mut all, 65..69, &[-127.0, -127.0]).is_empty());
    }

    #[test]
    fn levels_that_are_nearly_alike_do_not_make_places_change() {
        let mut all = [Activity::new(); 6];
        let first = run(&mut all, 1..10, &[-20.0; 6]);
        for round in 1..40 {
            let mut levels = [-20.0; 6];
            levels[round as usize % 6] = -18.5;
            assert_eq!(run(&mut all, round * 10..round * 10 + 10, &levels), first);
        }
    }

    #[test]
    fn a_talker_gets_in_past_noise_that_is_louder() {
        let mut all = [Activity::new(); 6];
        let mut order = Vec::new();
        for now in 1..200 {
            for (at, one) in all.iter_mut().enumerate() {
                let (level, voice) = if at == 5 && now > 100 { (-52.0, true) } else { (-48.0, false) };
                one.heard(now, if at == 5 && now <= 100 { -127.0 } else { level }, voice, 960);
            }
            choose(&mut all, &mut order, now, 5, 15);
        }
        assert!(all[5].chosen);
    }

    #[test]
    fn who_sends_nothing_is_silent() {
        let mut one = Activity::new();
        one.heard(5, -20.0, true, 960);
        assert!(one.speaks(6) && one.level(6) > -30.0);
        assert!(!one.speaks(30));
        assert_eq!(one.level(30), -127.0);
    }
}
