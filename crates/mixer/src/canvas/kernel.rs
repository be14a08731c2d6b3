//! The loops in which composing spends its time. Each is here twice: plainly, sample by sample, and
//! for AVX2, chosen at run time; both give the same bytes. Compilers for other machines vectorise
//! the plain ones as far as they can (all but [`Kernels::across`]).

use fearless_simd::Level;

#[cfg(target_arch = "x86_64")]
use super::axis::Group;
use super::axis::{BLOCK, Block, TAPS};

/// Weights add up to this many 64ths.
pub(super) const ONE: i32 = 1 << SHIFT;

const SHIFT: i32 = 6;

/// Samples that a row must have beyond its last, for wide loads.
pub(super) const SLACK: usize = 32;

/// Which implementation runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kernels {
    level: Option<Level>,
}

macro_rules! dispatch {
    ($self:ident, $name:ident($($argument:expr),*)) => {{
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = $self.level.and_then(Level::as_avx2) {
            return x86::$name(avx2, $($argument),*);
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = $self.level;
        plain::$name($($argument),*)
    }};
}

impl Kernels {
    /// The best of this machine.
    pub(crate) fn new() -> Self {
        Self { level: Some(Level::new()) }
    }

    /// The plain twins.
    #[cfg(test)]
    pub(crate) const fn plain() -> Self {
        Self { level: None }
    }

    /// Rows become one: each sample is the weighted sum of theirs. They are at least as long as `out`.
    pub(super) fn down(self, out: &mut [u8], rows: [&[u8]; TAPS], weights: [i8; TAPS]) {
        dispatch!(self, down(out, rows, weights));
    }

    /// A row becomes another of other length. `out` has room for all outputs of the blocks, `row`
    /// has [`SLACK`] bytes more than the blocks name.
    pub(super) fn across(self, out: &mut [u8], row: &[u8], blocks: &[Block]) {
        dispatch!(self, across(out, row, blocks));
    }

    /// Two rows become one of half the length: each sample is the mean of four.
    pub(super) fn quarter(self, out: &mut [u8], upper: &[u8], lower: &[u8]) {
        dispatch!(self, quarter(out, upper, lower));
    }

    /// Lays over `below` what has been multiplied with its coverage already.
    pub(super) fn over(self, below: &mut [u8], colour: &[u8], coverage: &[u8]) {
        dispatch!(self, over(below, colour, coverage));
    }

    /// Mixes `above` into `below`: 255 is all of `above`, 0 nothing.
    pub(super) fn mix(self, below: &mut [u8], above: &[u8], coverage: &[u8]) {
        dispatch!(self, mix(below, above, coverage));
    }
}

mod plain {
    use super::{BLOCK, Block, ONE, SHIFT, TAPS};

    #[inline(always)]
    fn settle(sum: i32) -> u8 {
        ((sum + ONE / 2) >> SHIFT).clamp(0, 255) as u8
    }

    #[inline(always)]
    pub(super) fn down(out: &mut [u8], rows: [&[u8]; TAPS], weights: [i8; TAPS]) {
        let rows = rows.map(|row| &row[..out.len()]);
        for (column, out) in out.iter_mut().enumerate() {
            let samples = rows.iter().zip(weights);
            *out = settle(samples.map(|(row, weight)| i32::from(row[column]) * i32::from(weight)).sum());
        }
    }

    pub(super) fn across(out: &mut [u8], row: &[u8], blocks: &[Block]) {
        for (out, block) in out.chunks_exact_mut(BLOCK).zip(blocks) {
            for (index, out) in out.iter_mut().enumerate() {
                let (from, weights) = block.taps(index);
                let samples = row[from..from + TAPS].iter().zip(weights);
                *out = settle(samples.map(|(sample, weight)| i32::from(*sample) * i32::from(weight)).sum());
            }
        }
    }

    #[inline(always)]
    pub(super) fn quarter(out: &mut [u8], upper: &[u8], lower: &[u8]) {
        let pairs = upper.chunks_exact(2).zip(lower.chunks_exact(2));
        for (out, (upper, lower)) in out.iter_mut().zip(pairs) {
            let sum = u16::from(upper[0]) + u16::from(upper[1]) + u16::from(lower[0]) + u16::from(lower[1]);
            *out = ((sum + 2) >> 2) as u8;
        }
    }

    /// Exactly `product / 255`, rounded to the nearest, for products of two bytes and sums of two
    /// of these whose factors make 255.
    #[inline(always)]
    fn by_255(product: u16) -> u16 {
        let product = product + 128;
        (product + (product >> 8)) >> 8
    }

    #[inline(always)]
    pub(super) fn over(below: &mut [u8], colour: &[u8], coverage: &[u8]) {
        for (below, (colour, coverage)) in below.iter_mut().zip(colour.iter().zip(coverage)) {
            let rest = by_255(u16::from(*below) * u16::from(255 - coverage));
            *below = (rest as u8).saturating_add(*colour);
        }
    }

    #[inline(always)]
    pub(super) fn mix(below: &mut [u8], above: &[u8], coverage: &[u8]) {
        for (below, (above, coverage)) in below.iter_mut().zip(above.iter().zip(coverage)) {
            let coverage = u16::from(*coverage);
            *below = by_255(u16::from(*below) * (255 - coverage) + u16::from(*above) * coverage) as u8;
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m128i, __m256i, _mm256_add_epi16, _mm256_maddubs_epi16, _mm256_packus_epi16, _mm256_permute4x64_epi64,
        _mm256_set_m128i, _mm256_set1_epi8, _mm256_set1_epi16, _mm256_shuffle_epi8, _mm256_srai_epi16,
        _mm256_srli_epi16, _mm256_unpackhi_epi8, _mm256_unpacklo_epi8,
    };

    use fearless_simd::prelude::*;
    use fearless_simd::{i8x32, u8x16, u8x32};

    use super::{BLOCK, Block, Group, ONE, SHIFT, TAPS, plain};

    /// Samples in a register.
    const WIDE: usize = 32;

    /// Samples that half a group looks at: 16 for each pair of taps.
    const READ: usize = TAPS - 2 + 16;

    fearless_simd::kernel!(
        pub(super) fn down(avx2: Avx2, out: &mut [u8], rows: [&[u8]; TAPS], weights: [i8; TAPS]) {
            if out.len() < WIDE {
                return plain::down(out, rows, weights);
            }
            let pair = |low: i8, high: i8| _mm256_set1_epi16(i16::from_le_bytes([low as u8, high as u8]));
            let [u, v, w, x, y, z] = weights;
            let (first, second, third) = (pair(u, v), pair(w, x), pair(y, z));
            let half = _mm256_set1_epi16((ONE / 2) as i16);
            let length = out.len();
            // Not by `map`: it is not inlined into a function for AVX2.
            let [a, b, c, d, e, f] = rows;
            let (a, b, c) = (&a[..length], &b[..length], &c[..length]);
            let (d, e, f) = (&d[..length], &e[..length], &f[..length]);
            let mut from = 0;
            loop {
                let load = |row: &[u8]| -> __m256i { u8x32::from_slice(avx2, &row[from..from + WIDE]).into() };
                let (a, b, c, d, e, f) = (load(a), load(b), load(c), load(d), load(e), load(f));
                let sum = |ab: __m256i, cd: __m256i, ef: __m256i| {
                    let (ab, cd) = (_mm256_maddubs_epi16(ab, first), _mm256_maddubs_epi16(cd, second));
                    let ef = _mm256_add_epi16(_mm256_maddubs_epi16(ef, third), half);
                    _mm256_srai_epi16::<SHIFT>(_mm256_add_epi16(_mm256_add_epi16(ab, cd), ef))
                };
                let low = sum(_mm256_unpacklo_epi8(a, b), _mm256_unpacklo_epi8(c, d), _mm256_unpacklo_epi8(e, f));
                let high = sum(_mm256_unpackhi_epi8(a, b), _mm256_unpackhi_epi8(c, d), _mm256_unpackhi_epi8(e, f));
                let packed: u8x32<_> = _mm256_packus_epi16(low, high).simd_into(avx2);
                packed.store_slice(&mut out[from..from + WIDE]);
                if from + WIDE == length {
                    return;
                }
                // The last step goes over some samples a second time.
                from = (from + WIDE).min(length - WIDE);
            }
        }
    );

    fearless_simd::kernel!(
        pub(super) fn across(avx2: Avx2, out: &mut [u8], row: &[u8], blocks: &[Block]) {
            let half = _mm256_set1_epi16((ONE / 2) as i16);
            for (out, block) in out.chunks_exact_mut(BLOCK).zip(blocks) {
                let group = |index: usize| {
                    let Group { from: [low, high], picks, weights } = &block.groups[index];
                    let picks: __m256i = u8x32::from_slice(avx2, picks).into();
                    let (low, high) = (&row[*low as usize..][..READ], &row[*high as usize..][..READ]);
                    let mut sum = half;
                    for (pair, weights) in weights.iter().enumerate() {
                        let load =
                            |row: &[u8]| -> __m128i { u8x16::from_slice(avx2, &row[2 * pair..2 * pair + 16]).into() };
                        let samples = _mm256_shuffle_epi8(_mm256_set_m128i(load(high), load(low)), picks);
                        let weights: __m256i = i8x32::from_slice(avx2, weights).into();
                        sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(samples, weights));
                    }
                    _mm256_srai_epi16::<SHIFT>(sum)
                };
                let packed: u8x32<_> = _mm256_packus_epi16(group(0), group(1)).simd_into(avx2);
                packed.store_slice(out);
            }
        }
    );

    fearless_simd::kernel!(
        pub(super) fn quarter(avx2: Avx2, out: &mut [u8], upper: &[u8], lower: &[u8]) {
            let length = out.len().min(upper.len() / 2).min(lower.len() / 2);
            if length < WIDE {
                return plain::quarter(out, upper, lower);
            }
            let (ones, two) = (_mm256_set1_epi8(1), _mm256_set1_epi16(2));
            let mut from = 0;
            loop {
                let sums = |at: usize| {
                    let load = |row: &[u8]| -> __m256i { u8x32::from_slice(avx2, &row[at..at + WIDE]).into() };
                    let pairs = |row: &[u8]| _mm256_maddubs_epi16(load(row), ones);
                    let sum = _mm256_add_epi16(_mm256_add_epi16(pairs(upper), pairs(lower)), two);
                    _mm256_srli_epi16::<2>(sum)
                };
                let packed = _mm256_packus_epi16(sums(2 * from), sums(2 * from + WIDE));
                // Packing goes by halves of the register.
                let packed: u8x32<_> = _mm256_permute4x64_epi64::<0b11_01_10_00>(packed).simd_into(avx2);
                packed.store_slice(&mut out[from..from + WIDE]);
                if from + WIDE == length {
                    return;
                }
                from = (from + WIDE).min(length - WIDE);
            }
        }
    );

    fearless_simd::kernel!(
        pub(super) fn over(avx2: Avx2, below: &mut [u8], colour: &[u8], coverage: &[u8]) {
            let _ = avx2;
            plain::over(below, colour, coverage);
        }
    );

    fearless_simd::kernel!(
        pub(super) fn mix(avx2: Avx2, below: &mut [u8], above: &[u8], coverage: &[u8]) {
            let _ = avx2;
            plain::mix(below, above, coverage);
        }
    );
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

        #[test]
        fn both_blends_give_the_same_as_exact_division(
            samples in proptest::collection::vec((any::<u8>(), any::<u8>(), any::<u8>()), 1..200),
        ) {
            let below: Vec<_> = samples.iter().map(|sample| sample.0).collect();
            let coverage: Vec<_> = samples.iter().map(|sample| sample.1).collect();
            let above: Vec<_> = samples.iter().map(|sample| sample.2).collect();
            for kernels in [Kernels::new(), Kernels::plain()] {
                let (mut mixed, mut over) = (below.clone(), below.clone());
                kernels.mix(&mut mixed, &above, &coverage);
                kernels.over(&mut over, &above, &coverage);
                for (index, (below, coverage, above)) in samples.iter().enumerate() {
                    let (below, coverage, above) = (u32::from(*below), u32::from(*coverage), u32::from(*above));
                    let exact = |product: u32| (2 * product + 255) / 510;
                    prop_assert_eq!(u32::from(mixed[index]), exact(below * (255 - coverage) + above * coverage));
                    prop_assert_eq!(u32::from(over[index]), (exact(below * (255 - coverage)) + above).min(255));
                }
            }
        }

        #[test]
        fn both_downward_sums_are_the_same_whatever_the_samples(
            samples in proptest::collection::vec(any::<[u8; TAPS]>(), 1..150),
            centre in 0.0..9.0_f64,
            ratio in 0.3..2.0_f64,
        ) {
            let rows: [Vec<u8>; TAPS] = std::array::from_fn(|row| samples.iter().map(|all| all[row]).collect());
            let rows = rows.each_ref().map(Vec::as_slice);
            for (_, weights) in super::super::axis::Axis::new(3, centre, ratio * 3.0, 12).taps {
                let (mut wide, mut plain) = (vec![0; samples.len()], vec![0; samples.len()]);
                Kernels::new().down(&mut wide, rows, weights);
                Kernels::plain().down(&mut plain, rows, weights);
                prop_assert_eq!(wide, plain);
            }
        }
    }
}
