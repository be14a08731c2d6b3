//! How the samples of one axis come from those of another: six taps each.
//!
//! The filter is a sinc whose cut-off is that of the coarser side, windowed to six samples: Lanczos
//! of order three where nothing is made smaller, and within 1 dB of it, though it has ten taps then,
//! at two thirds. What is made smaller than by half is halved first.

use std::f64::consts::PI;

use super::kernel::ONE;

/// Outputs of a [`Block`].
pub(super) const BLOCK: usize = 32;

/// Inputs that have a say in an output.
pub(super) const TAPS: usize = 6;

/// For each output: the first of its taps, and their weights in 64ths: so no sum of products is
/// beyond 16 bits, and the result is as near to that of exact weights as with 128ths.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) taps: Vec<(usize, [i8; TAPS])>,
    /// Every output is an input: from this one on.
    pub(super) copy_from: Option<usize>,
}

impl Axis {
    /// `outputs` samples from `span` of the `inputs` samples, from `from` on; both in samples.
    pub(super) fn new(outputs: usize, from: f64, span: f64, inputs: usize) -> Self {
        let ratio = span / outputs as f64;
        let taps = (0..outputs).map(|output| {
            let centre = from + (output as f64 + 0.5) * ratio - 0.5;
            quantise(&weights(centre, ratio, inputs))
        });
        let exact = (ratio - 1.0).abs() < 1e-9 && (from - from.round()).abs() < 1e-9;
        let copy_from =
            (exact && from >= 0.0 && from.round() as usize + outputs <= inputs).then_some(from.round() as usize);
        Self { taps: taps.collect(), copy_from }
    }

    /// The samples that are needed: from the first, up to and without the last.
    pub(super) fn reach(&self) -> (usize, usize) {
        let starts = self.taps.iter().map(|(start, _)| *start);
        (starts.clone().min().unwrap_or(0), starts.max().unwrap_or(0) + TAPS)
    }
}

/// What each sample counts for an output at `centre`; the first of the taps, and weights that make
/// one. Samples beyond the edges are those at the edges.
pub(super) fn weights(centre: f64, ratio: f64, inputs: usize) -> (usize, [f64; TAPS]) {
    let first = centre.floor() as isize - (TAPS / 2 - 1) as isize;
    let last = inputs as isize - 1;
    let start = first.clamp(0, (last + 1 - TAPS as isize).max(0));
    let mut weights = [0.0; TAPS];
    for tap in first..first + TAPS as isize {
        weights[(tap.clamp(0, last) - start) as usize] += filter(centre - tap as f64, ratio.max(1.0));
    }
    let sum: f64 = weights.iter().sum();
    (start as usize, weights.map(|weight| weight / sum))
}

/// Where it is cut off before its window ends, the window is a little wider: that comes nearer to
/// what more taps would make.
fn filter(distance: f64, ratio: f64) -> f64 {
    let sinc = |x: f64| if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) };
    let window = 3.0 + 1.2 * (ratio - 1.0).min(0.5);
    sinc(distance / ratio) * sinc(distance / window)
}

/// Weights in 64ths that make 64.
fn quantise(&(start, weights): &(usize, [f64; TAPS])) -> (usize, [i8; TAPS]) {
    let mut whole = weights.map(|weight| (weight * f64::from(ONE)).round() as i32);
    let main = (0..TAPS).max_by_key(|index| whole[*index]).unwrap_or(0);
    whole[main] += ONE - whole.iter().sum::<i32>();
    (start, whole.map(|weight| weight as i8))
}

/// Sixteen outputs: eight of the block's first half, and eight of its second.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// Where the samples begin, for each half: 16 of them for the first two taps of all eight, 16 for
    /// the next two from two samples further on, and so on.
    pub(super) from: [u32; 2],
    /// Which of the 16 are the two taps, for each output.
    pub(super) picks: [u8; 32],
    /// The weights of the first two taps, of the next two, and of the last.
    pub(super) weights: [[i8; 32]; TAPS / 2],
}

/// [`BLOCK`] outputs, in the order in which registers are packed.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) groups: [Group; 2],
}

impl Block {
    /// All blocks of an axis whose input begins at `origin`. Outputs beyond the last are copies of
    /// it.
    pub(super) fn all(axis: &Axis, origin: usize) -> Vec<Self> {
        let taps = |output: usize| {
            let (start, weights) = axis.taps[output.min(axis.taps.len() - 1)];
            (start - origin, weights)
        };
        let group = |block: usize, index: usize| {
            let mut group = Group { from: [0; 2], picks: [0; 32], weights: [[0; 32]; TAPS / 2] };
            for half in 0..2 {
                let output = block * BLOCK + half * BLOCK / 2 + index * 8;
                let from = taps(output).0;
                group.from[half] = from as u32;
                for lane in 0..8 {
                    let (start, weights) = taps(output + lane);
                    let at = half * 16 + lane * 2;
                    group.picks[at] = (start - from) as u8;
                    group.picks[at + 1] = group.picks[at] + 1;
                    for (pair, two) in weights.chunks_exact(2).enumerate() {
                        group.weights[pair][at..at + 2].copy_from_slice(two);
                    }
                }
            }
            group
        };
        let blocks = 0..axis.taps.len().div_ceil(BLOCK);
        blocks.map(|block| Self { groups: std::array::from_fn(|index| group(block, index)) }).collect()
    }

    /// The first sample and the weights of one output.
    pub(super) fn taps(&self, output: usize) -> (usize, [i8; TAPS]) {
        let (half, index, lane) = (output / 16, output % 16 / 8, output % 8);
        let (group, at) = (&self.groups[index], half * 16 + lane * 2);
        let from = group.from[half] as usize + usize::from(group.picks[at]);
        (from, std::array::from_fn(|tap| group.weights[tap / 2][at + tap % 2]))
    }
}
