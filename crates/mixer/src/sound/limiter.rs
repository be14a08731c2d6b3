//! A limiter that looks ahead: it has turned the sound down before a peak arrives, so that no
//! sample passes the ceiling and none is cut off. Below the ceiling it changes nothing.

/// Samples of each channel of one tick: 20 ms.
pub(super) const FRAME: usize = 960;
/// By how many samples the output is behind the input: 5 ms.
pub(super) const DELAY: usize = BLOCK * AHEAD;

/// The gain has one value per block, and moves in a straight line between them.
const BLOCK: usize = 48;
const AHEAD: usize = 5;
/// −1 dBFS, which leaves an encoder room for its own errors.
pub(super) const CEILING: f32 = 0.891;
/// What is left of a reduction after each block: it is over in about 100 ms.
const RELEASE: f32 = 0.975;

/// Limits one or two channels, both by the same gain.
#[derive(Clone)]
pub(super) struct Limiter {
    /// For each channel what is not out yet, and room for one frame behind it.
    lines: [Vec<f32>; 2],
    /// The gain that each of the blocks not out yet bears.
    bearable: [f32; AHEAD],
    gain: f32,
}

impl Limiter {
    pub(super) fn new() -> Self {
        Self { lines: [vec![0.0; DELAY + FRAME], vec![0.0; DELAY + FRAME]], bearable: [1.0; AHEAD], gain: 1.0 }
    }

    /// Limits a frame of each channel in place. A second channel that is not there is silent.
    pub(super) fn process(&mut self, left: &mut [f32], mut right: Option<&mut [f32]>) {
        self.lines[0][DELAY..].copy_from_slice(left);
        match &right {
            Some(right) => self.lines[1][DELAY..].copy_from_slice(right),
            None => self.lines[1][DELAY..].fill(0.0),
        }
        for block in 0..FRAME / BLOCK {
            let (out, new) = (block * BLOCK, block * BLOCK + DELAY);
            let peak = self.lines.iter().map(|line| peak(&line[new..new + BLOCK])).fold(0.0, f32::max);
            let arriving = if peak > CEILING { CEILING / peak } else { 1.0 };
            let (from, to) = (self.gain, self.next_gain(arriving));
            ramp(&self.lines[0][out..out + BLOCK], &mut left[out..out + BLOCK], from, to);
            if let Some(right) = &mut right {
                ramp(&self.lines[1][out..out + BLOCK], &mut right[out..out + BLOCK], from, to);
            }
            self.gain = to;
        }
        self.lines.iter_mut().for_each(|line| line.copy_within(FRAME.., 0));
    }

    /// The gain at the end of the block that goes out: on the way to each block that is still to
    /// come, and never above what this block and the next bear.
    fn next_gain(&mut self, arriving: f32) -> f32 {
        let mut gain = 1.0 - (1.0 - self.gain) * RELEASE;
        if gain > 0.9999 {
            gain = 1.0;
        }
        gain = gain.min(self.bearable[0]);
        let coming = self.bearable[1..].iter().copied().chain([arriving]);
        for (blocks, bearable) in coming.enumerate().map(|(index, bearable)| (index as f32 + 1.0, bearable)) {
            if bearable < self.gain {
                gain = gain.min(self.gain + (bearable - self.gain) / blocks);
            } else if blocks < 1.5 {
                gain = gain.min(bearable);
            }
        }
        self.bearable.rotate_left(1);
        self.bearable[AHEAD - 1] = arriving;
        gain
    }
}

/// The largest magnitude.
pub(super) fn peak(samples: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    let (chunks, rest) = samples.as_chunks::<8>();
    for chunk in chunks {
        for (lane, sample) in lanes.iter_mut().zip(chunk) {
            let magnitude = sample.abs();
            *lane = if magnitude > *lane { magnitude } else { *lane };
        }
    }
    lanes.iter().chain(rest).fold(0.0, |most, sample| most.max(sample.abs()))
}

fn ramp(from: &[f32], to: &mut [f32], start: f32, end: f32) {
    if start == 1.0 && end == 1.0 {
        to.copy_from_slice(from);
        return;
    }
    let step = (end - start) / BLOCK as f32;
    for (index, (to, from)) in to.iter_mut().zip(from).enumerate() {
        *to = from * (start + step * (index + 1) as f32);
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};

    use super::*;

    fn run(limiter: &mut Limiter, input: &[f32]) -> Vec<f32> {
        let mut out = input.to_vec();
        out.chunks_exact_mut(FRAME).for_each(|frame| limiter.process(frame, None));
        out
    }

    #[test]
    fn below_the_ceiling_only_time_passes() {
        let input: Vec<f32> = (0..FRAME * 4).map(|at| (at as f32 * 0.07).sin() * 0.89).collect();
        let out = run(&mut Limiter::new(), &input);
        assert_eq!(out[DELAY..], input[..input.len() - DELAY]);
        assert_eq!(out[..DELAY], [0.0; DELAY]);
    }

    #[test]
    fn no_sample_passes_the_ceiling_whatever_comes() {
        let mut random = rand::rngs::SmallRng::seed_from_u64(7);
        let mut input = vec![0.0; FRAME * 200];
        for chunk in input.chunks_mut(333) {
            let loud = if random.random_bool(0.3) { random.random_range(1.0..25.0) } else { 0.3 };
            chunk.fill_with(|| random.random_range(-loud..loud));
        }
        let most = peak(&run(&mut Limiter::new(), &input));
        assert!(most <= CEILING * 1.00001, "{most}");
    }

    #[test]
    fn after_a_peak_it_lets_go_within_a_third_of_a_second() {
        let mut input: Vec<f32> = (0..FRAME * 40).map(|at| (at as f32 * 0.05).sin() * 0.5).collect();
        input[FRAME * 2] = 6.0;
        let out = run(&mut Limiter::new(), &input);
        assert!(peak(&out[FRAME * 2 + DELAY + 10..FRAME * 3]) < 0.2, "turned down at the peak");
        let late = FRAME * 20;
        assert_eq!(out[late + DELAY..], input[late..input.len() - DELAY]);
    }

    #[test]
    fn both_channels_are_turned_down_alike() {
        let mut limiter = Limiter::new();
        let mut left = vec![2.0; FRAME];
        let mut right = vec![0.5; FRAME];
        limiter.process(&mut left, Some(&mut right));
        for (left, right) in left.iter().zip(&right) {
            assert!((left * 0.25 - right).abs() < 1e-6, "{left} {right}");
        }
        assert!(left[FRAME - 1] <= CEILING * 1.00001);
    }
}
