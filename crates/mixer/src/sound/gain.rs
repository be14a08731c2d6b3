//! The balance between talkers: a slow gain brings each one's speech to a common loudness. Only
//! speech moves it, and it does not lift a source's noise above what is hardly heard.

/// A frame is speech when it is this much (dB) above the source's noise.
const ABOVE_NOISE: f32 = 9.0;
/// A frame below this, in dBFS, is no speech.
const LEAST_SPEECH: f32 = -60.0;
/// Noise is not lifted above this, in dBFS.
const MOST_NOISE: f32 = -54.0;
/// How much the estimate of noise rises per frame of 20 ms while louder sound goes on: 1 dB/s.
const NOISE_RISE: f32 = 0.02;
/// How fast the gain moves per frame, up and down: 5 dB/s and 15 dB/s.
const RISE: f32 = 0.1;
const FALL: f32 = 0.3;
/// The memory of loudness grows with the speech that was heard, up to 4 s.
const MEMORY: f32 = 200.0;

/// Levels one source. All levels are root mean squares in dBFS (a full-scale square wave is 0).
#[derive(Debug)]
pub(super) struct Leveller {
    aim: f32,
    most: f32,
    /// Mean power of the speech heard so far, and how many frames it was.
    speech: f32,
    heard: f32,
    /// Until there was a pause, all may be noise.
    noise: f32,
    gain: f32,
}

impl Leveller {
    /// Brings speech to `aim` dBFS with a gain between −`most` and `most` dB.
    pub(super) fn new(aim: f32, most: f32) -> Self {
        Self { aim, most, speech: 0.0, heard: 0.0, noise: f32::INFINITY, gain: 0.0 }
    }

    /// Takes a frame in, and gives the gain (a factor) at its beginning and at its end.
    pub(super) fn next(&mut self, frame: &[f32], voice: bool) -> (f32, f32) {
        let power = power(frame);
        let level = decibels(power);
        let before = self.gain;
        if level > -100.0 {
            // A pause in which nothing at all was sent says nothing of the noise.
            self.noise = level.min(self.noise + NOISE_RISE);
        }
        if voice && level > LEAST_SPEECH.max(self.noise + ABOVE_NOISE) {
            self.heard = (self.heard + 1.0).min(MEMORY);
            self.speech += (power - self.speech) / self.heard;
            // Less than a fifth of a second may be a cough.
            let wanted = if self.heard < 10.0 { 0.0 } else { self.aim - decibels(self.speech) };
            self.gain += (wanted.clamp(-self.most, self.most) - self.gain).clamp(-FALL, RISE);
        }
        let bearable = (MOST_NOISE - self.noise).clamp(0.0, self.most);
        if self.gain > bearable {
            self.gain = bearable.max(before - FALL);
        }
        (factor(before), factor(self.gain))
    }

    /// In decibels.
    pub(super) fn gain(&self) -> f32 {
        self.gain
    }
}

/// Mean square.
pub(super) fn power(samples: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    let (chunks, rest) = samples.as_chunks::<8>();
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, sample)| *lane += sample * sample);
    }
    let sum = lanes.iter().sum::<f32>() + rest.iter().map(|sample| sample * sample).sum::<f32>();
    sum / samples.len().max(1) as f32
}

/// Of a mean square; −127 at least.
pub(super) fn decibels(power: f32) -> f32 {
    (10.0 * power.max(2e-13).log10()).max(-127.0)
}

/// The factor of amplitude.
pub(super) fn factor(decibels: f32) -> f32 {
    10.0_f32.powf(decibels / 20.0)
}

/// Multiplies by a factor that goes from one value to the other.
pub(super) fn apply(samples: &mut [f32], (from, to): (f32, f32)) {
    if from == 1.0 && to == 1.0 {
        return;
    }
    let step = (to - from) / samples.len().max(1) as f32;
    samples.iter_mut().enumerate().for_each(|(index, sample)| *sample *= from + step * index as f32);
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// Speech of a sort: syllables of noise, four a second, over steady noise.
    fn run(leveller: &mut Leveller, seconds: f32, speech: f32, noise: f32) {
        let mut random = rand::rngs::SmallRng::seed_from_u64(11);
        let mut frame = [0.0; 960];
        for index in 0..(seconds * 50.0) as usize {
            let level = if index % 12 < 8 { speech } else { noise };
            // Uniform noise from −a to a has a root mean square of a/√3.
            let most = factor(level) * 3.0_f32.sqrt();
            frame.fill_with(|| random.random_range(-most..most));
            leveller.next(&frame, true);
        }
    }

    #[test]
    fn a_whisperer_is_raised_and_a_shouter_lowered_to_one_loudness() {
        let mut whisperer = Leveller::new(-24.0, 15.0);
        let mut shouter = Leveller::new(-24.0, 15.0);
        run(&mut whisperer, 15.0, -38.0, -80.0);
        run(&mut shouter, 15.0, -12.0, -80.0);
        assert!((whisperer.gain() - 14.0).abs() < 1.0, "{}", whisperer.gain());
        assert!((shouter.gain() + 12.0).abs() < 1.0, "{}", shouter.gain());
    }

    #[test]
    fn the_gain_is_bounded() {
        let mut leveller = Leveller::new(-24.0, 15.0);
        run(&mut leveller, 20.0, -55.0, -90.0);
        assert!((leveller.gain() - 15.0).abs() < 0.1);
        let mut leveller = Leveller::new(-24.0, 6.0);
        run(&mut leveller, 20.0, -3.0, -90.0);
        assert!((leveller.gain() + 6.0).abs() < 0.1);
    }

    #[test]
    fn noise_alone_is_not_raised() {
        let mut leveller = Leveller::new(-24.0, 15.0);
        run(&mut leveller, 30.0, -50.0, -50.0);
        assert!(leveller.gain() < 0.5, "steady noise: {}", leveller.gain());
        let mut leveller = Leveller::new(-24.0, 15.0);
        run(&mut leveller, 30.0, -38.0, -60.0);
        assert!(leveller.gain() < 6.5, "noise stays below: {}", leveller.gain());
    }

    #[test]
    fn a_pause_changes_nothing() {
        let mut leveller = Leveller::new(-24.0, 15.0);
        run(&mut leveller, 10.0, -34.0, -80.0);
        let before = leveller.gain();
        (0..500).for_each(|_| {
            let _ = leveller.next(&[0.0; 960], true);
        });
        run(&mut leveller, 10.0, -90.0, -90.0);
        assert_eq!(leveller.gain(), before);
    }
}
