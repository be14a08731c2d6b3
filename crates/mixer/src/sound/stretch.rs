//! Sound that waits to be mixed, and its time scale: takes out or puts in one period where the
//! sound repeats itself, so that the buffer shrinks or grows and nobody hears it (WSOLA, with one
//! overlap per step, as NetEq of libwebrtc has it).

/// Periods sought: 2.5 ms to 15 ms, which is pitch from 400 Hz down to 66 Hz.
const SHORTEST: usize = 120;
pub(super) const LONGEST: usize = 720;
/// Likeness is measured over 10 ms.
const WINDOW: usize = 480;
/// The first search is at 6 kHz, the second at full rate around what the first has found.
const COARSE: usize = 8;
/// Mean square below which any splice will do: −55 dBFS.
const QUIET: f32 = 3.2e-6;
/// Samples before the start are moved out of the way when there are so many.
const COMPACT: usize = 16_384;

/// A queue of samples with what was played just before.
#[derive(Debug)]
pub(super) struct Queue {
    channels: usize,
    samples: Vec<f32>,
    start: usize,
    coarse: Vec<f32>,
}

impl Queue {
    /// Of one channel or two, which alternate.
    pub(super) fn new(channels: usize) -> Self {
        let mut queue = Self { channels, samples: Vec::new(), start: 0, coarse: Vec::new() };
        queue.clear();
        queue
    }

    /// Empty, and silence before.
    pub(super) fn clear(&mut self) {
        self.start = LONGEST * self.channels;
        self.samples.clear();
        self.samples.resize(self.start, 0.0);
    }

    /// Samples of each channel that wait.
    pub(super) fn len(&self) -> usize {
        (self.samples.len() - self.start) / self.channels
    }

    pub(super) fn push(&mut self, samples: &[f32]) {
        self.samples.extend_from_slice(samples);
    }

    pub(super) fn push_silence(&mut self, samples: usize) {
        self.samples.resize(self.samples.len() + samples * self.channels, 0.0);
    }

    /// Moves as many as fit out of the queue; what is left of `out` becomes silence.
    pub(super) fn pop(&mut self, out: &mut [f32]) {
        let count = out.len().min(self.samples.len() - self.start);
        out[..count].copy_from_slice(&self.samples[self.start..self.start + count]);
        out[count..].fill(0.0);
        self.start += count;
        if self.start > COMPACT {
            let from = self.start - LONGEST * self.channels;
            self.samples.copy_within(from.., 0);
            self.samples.truncate(self.samples.len() - from);
            self.start -= from;
        }
    }

    /// Leaves out the first samples: they count as played.
    pub(super) fn skip(&mut self, samples: usize) {
        self.start = (self.start + samples * self.channels).min(self.samples.len());
    }

    /// Takes out one period, if the sound is like itself by `likeness` (−1 to 1) that much later,
    /// and leaves at least `keep` samples. Says how many samples were taken.
    pub(super) fn shorten(&mut self, keep: usize, likeness: f32) -> usize {
        let longest = LONGEST.min(self.len().saturating_sub(keep.max(WINDOW)));
        let longest = longest.min(self.len() / 2);
        let Some(period) = self.period(0, longest, likeness) else { return 0 };
        let (at, length) = (self.start, period * self.channels);
        fade(&mut self.samples, at, at + length, at + length, length, self.channels);
        // What was played moves up to what plays now.
        let history = LONGEST * self.channels;
        self.samples.copy_within(at - history..at, at - history + length);
        self.start += length;
        period
    }

    /// Plays the last period once more, if what comes is like it by `likeness`. Says how many
    /// samples were put in.
    pub(super) fn lengthen(&mut self, likeness: f32) -> usize {
        if self.len() < LONGEST {
            return 0;
        }
        let Some(period) = self.period(LONGEST, LONGEST, likeness) else { return 0 };
        let (at, length) = (self.start, period * self.channels);
        let before = self.samples.len();
        self.samples.resize(before + length, 0.0);
        self.samples.copy_within(at..before, at + length);
        // From what comes now into what was, which what comes now follows.
        for index in 0..length {
            let weight = (index / self.channels) as f32 / period as f32;
            let (coming, past) = (self.samples[at + length + index], self.samples[at + index - length]);
            self.samples[at + index] = coming + (past - coming) * weight;
        }
        period
    }

    /// The period by which what comes is most like what is that much later, or, with `back` samples
    /// of the past taken in, what was that much before.
    fn period(&mut self, back: usize, longest: usize, likeness: f32) -> Option<usize> {
        if longest < SHORTEST + COARSE {
            return None;
        }
        let mono =
            |at: usize| -> f32 { self.samples[at..at + self.channels].iter().sum::<f32>() / self.channels as f32 };
        let origin = self.start - back * self.channels;
        let length = (back.max(longest) + WINDOW).min((self.samples.len() - origin) / self.channels);
        self.coarse.clear();
        self.coarse.extend((0..length / COARSE).map(|index| {
            let from = origin + index * COARSE * self.channels;
            (0..COARSE).map(|offset| mono(from + offset * self.channels)).sum::<f32>() / COARSE as f32
        }));
        let window = WINDOW / COARSE;
        let fixed = back / COARSE;
        let moving = |period: usize| if back > 0 { fixed - period } else { period };
        let alike = |period: usize| {
            let other = self.coarse.get(moving(period)..moving(period) + window)?;
            Some(similarity(self.coarse[fixed..fixed + window].iter().copied().zip(other.iter().copied())))
        };
        let best = (SHORTEST / COARSE..=longest / COARSE)
            .filter_map(|period| Some((period, alike(period)?)))
            .max_by(|one, other| one.1.1.total_cmp(&other.1.1))?;
        let (coarse, (power, _)) = best;
        if power < QUIET {
            return Some(coarse * COARSE);
        }
        let nearest = (coarse * COARSE).saturating_sub(COARSE).max(SHORTEST)..=(coarse * COARSE + COARSE).min(longest);
        let exact = |period: usize| {
            let here = self.start;
            let there = if back > 0 { here - period * self.channels } else { here + period * self.channels };
            similarity((0..WINDOW).map(|at| (mono(here + at * self.channels), mono(there + at * self.channels)))).1
        };
        let (period, found) =
            nearest.map(|period| (period, exact(period))).max_by(|one, other| one.1.total_cmp(&other.1))?;
        (found >= likeness).then_some(period)
    }
}

/// Mean square of the louder of the two, and their normalised correlation, −1 to 1.
fn similarity(pairs: impl Iterator<Item = (f32, f32)>) -> (f32, f32) {
    let (mut count, mut one, mut other, mut both) = (0.0_f32, 0.0_f32, 0.0_f32, 0.0_f32);
    for (a, b) in pairs {
        count += 1.0;
        one += a * a;
        other += b * b;
        both += a * b;
    }
    let power = one.max(other) / count.max(1.0);
    (power, both / (one * other).sqrt().max(1e-12))
}

/// Goes over from what is at `from` to what is at `to` within `length`, written at `into`, which
/// may be `to`.
fn fade(samples: &mut [f32], from: usize, to: usize, into: usize, length: usize, channels: usize) {
    for index in 0..length {
        let weight = (index / channels) as f32 / (length / channels) as f32;
        let (old, new) = (samples[from + index], samples[to + index]);
        samples[into + index] = old + (new - old) * weight;
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};

    use super::*;

    fn voice(at: usize) -> f32 {
        let phase = at as f32 / 48_000.0 * 130.0 * std::f32::consts::TAU;
        0.3 * phase.sin() + 0.15 * (2.0 * phase).sin() + 0.1 * (5.0 * phase).sin()
    }

    fn queue(channels: usize, samples: std::ops::Range<usize>) -> Queue {
        let mut queue = Queue::new(channels);
        for at in samples {
            (0..channels).for_each(|channel| queue.push(&[voice(at) * (1.0 - channel as f32 * 0.5)]));
        }
        let mut played = vec![0.0; 960 * channels];
        queue.pop(&mut played);
        queue
    }

    fn drain(queue: &mut Queue) -> Vec<f32> {
        let mut out = vec![0.0; queue.len() * queue.channels];
        queue.pop(&mut out);
        out
    }

    fn steepest(samples: &[f32], channels: usize) -> f32 {
        (channels..samples.len()).map(|at| (samples[at] - samples[at - channels]).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn a_voice_is_shortened_by_periods_and_stays_smooth() {
        for channels in [1, 2] {
            let mut queue = queue(channels, 0..960 * 4);
            let last = queue.samples[queue.start - channels];
            let before = queue.len();
            let taken = queue.shorten(960, 0.9);
            assert!((119..=721).contains(&taken), "{taken}");
            let off = (taken as f32 / (48_000.0 / 130.0)).fract();
            assert!(off.min(1.0 - off) < 0.02, "{taken} is a multiple of the period");
            assert_eq!(queue.len(), before - taken);
            let out = drain(&mut queue);
            assert!((out[0] - last).abs() < 0.02 && steepest(&out, channels) < 0.02);
        }
    }

    #[test]
    fn a_voice_is_lengthened_by_periods_and_stays_smooth() {
        for channels in [1, 2] {
            let mut queue = queue(channels, 0..960 * 2);
            let last = queue.samples[queue.start - channels];
            let added = queue.lengthen(0.9);
            assert!((119..=721).contains(&added), "{added}");
            assert_eq!(queue.len(), 960 + added);
            let out = drain(&mut queue);
            assert!((out[0] - last).abs() < 0.02 && steepest(&out, channels) < 0.02);
            let expected: Vec<f32> = (960..1920).map(voice).collect();
            let original: Vec<f32> = out[added * channels..].iter().step_by(channels).copied().collect();
            assert_eq!(original, expected, "all of it is still to come");
        }
    }

    #[test]
    fn noise_is_not_like_itself_and_is_left_alone_until_it_is_urgent() {
        let mut random = rand::rngs::SmallRng::seed_from_u64(3);
        let mut queue = Queue::new(1);
        (0..960 * 4).for_each(|_| queue.push(&[random.random_range(-0.5..0.5)]));
        queue.pop(&mut [0.0; 960]);
        assert_eq!((queue.shorten(960, 0.9), queue.lengthen(0.9)), (0, 0));
        assert!(queue.shorten(960, -1.0) >= SHORTEST && queue.lengthen(-1.0) >= SHORTEST);
    }

    #[test]
    fn silence_is_shortened_and_lengthened_at_will() {
        let mut queue = Queue::new(1);
        queue.push_silence(2400);
        let taken = queue.shorten(960, 0.9);
        assert!(taken >= SHORTEST && queue.lengthen(0.9) >= SHORTEST, "{taken}");
    }

    #[test]
    fn what_has_to_be_kept_is_kept() {
        for length in 0..2000 {
            let mut queue = Queue::new(1);
            queue.push_silence(length);
            queue.shorten(960, -1.0);
            assert!(queue.len() >= length.min(960), "{length}");
            queue.lengthen(-1.0);
        }
    }

    #[test]
    fn a_long_time_of_playing_takes_no_more_memory() {
        let mut queue = Queue::new(2);
        let mut out = [0.0; 1920];
        for _ in 0..1000 {
            queue.push(&[0.1; 1920]);
            queue.pop(&mut out);
        }
        assert!(queue.samples.len() < COMPACT + 4 * 1920);
    }
}
