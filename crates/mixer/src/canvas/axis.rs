//! How the samples of one axis come from those of another: four taps each.
//!
//! The filter is a sinc whose cut-off is that of the coarser side, windowed to four samples: Lanczos
//! of order two where nothing is made smaller, and close to an area filter, but without its holes,
//! where it is nearly halved. What is made smaller than by half is halved first.

use std::f64::consts::PI;

use super::kernel::ONE;

/// Outputs of a [`Block`].
pub(super) const BLOCK: usize = 32;

/// For each output: the first of its four taps, and their weights in 128ths.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) taps: Vec<(usize, [i8; 4])>,
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
        (starts.clone().min().unwrap_or(0), starts.max().unwrap_or(0) + 4)
    }
}

/// What each sample counts for an output at `centre`; the first of the four, and four weights that
/// make one. Samples beyond the edges are those at the edges.
pub(super) fn weights(centre: f64, ratio: f64, inputs: usize) -> (usize, [f64; 4]) {
    let first = centre.floor() as isize - 1;
    let last = inputs as isize - 1;
    let start = first.clamp(0, (last - 3).max(0));
    let mut weights = [0.0; 4];
    for tap in first..first + 4 {
        weights[(tap.clamp(0, last) - start) as usize] += filter(centre - tap as f64, ratio.max(1.0));
    }
    let sum: f64 = weights.iter().sum();
    (start as usize, weights.map(|weight| weight / sum))
}

fn filter(distance: f64, ratio: f64) -> f64 {
    let sinc = |x: f64| if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) };
    if distance.abs() < 2.0 { sinc(distance / ratio) * sinc(distance / 2.0) } else { 0.0 }
}

/// Weights in 128ths that make 128. The first and the second two make 128 at most each, so that
/// two products fit 16 bits.
fn quantise(&(start, weights): &(usize, [f64; 4])) -> (usize, [i8; 4]) {
    let mut whole = weights.map(|weight| (weight * f64::from(ONE)).round() as i32);
    let largest = |from: &[i32]| (0..from.len()).max_by_key(|index| from[*index]).unwrap_or(0);
    let main = largest(&whole);
    whole[main] += ONE - whole.iter().sum::<i32>();
    for (pair, other) in [(0, 2), (2, 0)] {
        let excess = (whole[pair] + whole[pair + 1] - ONE).max(0);
        whole[pair + largest(&whole[pair..pair + 2])] -= excess;
        whole[other + largest(&whole[other..other + 2])] += excess;
    }
    let main = largest(&whole);
    let excess = (whole[main] - i32::from(i8::MAX)).max(0);
    whole[main] -= excess;
    whole[main ^ 1] += excess;
    (start, whole.map(|weight| weight as i8))
}

/// Eight outputs: four of the block's first half, and four of its second.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// Where the 16 samples begin, for each half.
    pub(super) from: [u32; 2],
    /// Which of them are the taps, four for each output.
    pub(super) picks: [u8; 32],
    pub(super) weights: [i8; 32],
}

/// [`BLOCK`] outputs, in the order in which registers are packed.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) groups: [Group; 4],
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
            let mut group = Group { from: [0; 2], picks: [0; 32], weights: [0; 32] };
            for half in 0..2 {
                let output = block * BLOCK + half * BLOCK / 2 + index * 4;
                let from = taps(output).0;
                group.from[half] = from as u32;
                for lane in 0..4 {
                    let (start, weights) = taps(output + lane);
                    for (tap, weight) in weights.into_iter().enumerate() {
                        let at = half * 16 + lane * 4 + tap;
                        group.picks[at] = (start - from + tap) as u8;
                        group.weights[at] = weight;
                    }
                }
            }
            group
        };
        let blocks = 0..axis.taps.len().div_ceil(BLOCK);
        blocks.map(|block| Self { groups: std::array::from_fn(|index| group(block, index)) }).collect()
    }

    /// The first sample and the weights of one output.
    pub(super) fn taps(&self, output: usize) -> (usize, [i8; 4]) {
        let (half, index, lane) = (output / 16, output % 16 / 4, output % 4);
        let (group, at) = (&self.groups[index], half * 16 + lane * 4);
        let from = group.from[half] as usize + usize::from(group.picks[at]);
        (from, std::array::from_fn(|tap| group.weights[at + tap]))
    }
}
