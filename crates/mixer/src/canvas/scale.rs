//! Pictures become larger or smaller.

use super::axis::{Axis, BLOCK, Block, TAPS};
use super::kernel::{Kernels, ONE, SLACK};
use crate::layout::{Fit, Rect, centred};
use crate::picture::{Plane, View};

/// Of a picture's size, how much more than needed may be cut off when that spares scaling.
const SPARE: f64 = 1.05;

/// A picture whose shape is so near to its tile's is stretched to it rather than cut: nobody sees
/// that, and of tiles whose sides are whole samples most are a little off.
const NEARLY: f64 = 1.01;

/// From here on a picture is halved before it goes through the filter.
const HALVE: f64 = 1.9;

/// A part of a picture, in fractions of samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Which part of a picture is shown, and where in the tile.
pub(super) fn fit(fit: Fit, (width, height): (usize, usize), tile: Rect) -> (Window, Rect) {
    let (wide, high) = (width as f64, height as f64);
    match fit {
        Fit::Contain => (Window { left: 0.0, top: 0.0, width: wide, height: high }, centred(tile, wide / high)),
        Fit::Cover => {
            let (across, down) = (wide / tile.width as f64, high / tile.height as f64);
            let ratio = across.min(down);
            let whole = 2_f64.powf(ratio.max(1.0).log2().floor());
            let snaps = ratio >= whole && ratio < whole * SPARE;
            if !snaps && across.max(down) < ratio * NEARLY {
                return (Window { left: 0.0, top: 0.0, width: wide, height: high }, tile);
            }
            let ratio = if snaps { whole } else { ratio };
            let (width, height) = (tile.width as f64 * ratio, tile.height as f64 * ratio);
            // Chroma begins at a sample as well.
            let begin = |over: f64| if snaps { (over / 4.0 / whole).floor() * 2.0 * whole } else { over / 2.0 };
            (Window { left: begin(wide - width), top: begin(high - height), width, height }, tile)
        }
    }
}

/// Scales a plane of one size to another.
#[derive(Clone, Debug)]
struct PlaneScaler {
    /// The part of the plane that is looked at.
    part: Rect,
    /// Whether width and height are halved, one time after the other.
    halvings: Vec<(bool, bool)>,
    halves: [Vec<u8>; 2],
    columns: Axis,
    rows: Axis,
    blocks: Vec<Block>,
    /// The columns of the input that `blocks` look at.
    reach: (usize, usize),
    column: Vec<u8>,
    out: Vec<u8>,
}

impl PlaneScaler {
    fn new(from: (usize, usize), window: Window, to: (usize, usize)) -> Self {
        // Some samples around the window have a say as well.
        let edges = |begin: f64, length: f64, all: usize| {
            let last = ((begin + length).ceil() as usize + 8).min(all);
            let first = (begin.floor().max(0.0) as usize).saturating_sub(8).min(last - 1);
            // An even distance, so that halving finds the pairs that the window begins with.
            (first & !1, last - (first & !1))
        };
        let snapped = |begin: f64| begin.floor() as usize;
        let ratio = (window.width / to.0 as f64, window.height / to.1 as f64);
        let exact = ratio.0 == ratio.1 && ratio.0 > HALVE && ratio.0.log2().fract() == 0.0;
        let ((left, width), (top, height)) = if exact {
            ((snapped(window.left), to.0 * ratio.0 as usize), (snapped(window.top), to.1 * ratio.1 as usize))
        } else {
            (edges(window.left, window.width, from.0), edges(window.top, window.height, from.1))
        };
        let part = Rect::new(left, top, width.min(from.0 - left), height.min(from.1 - top));
        let mut window = Window { left: window.left - left as f64, top: window.top - top as f64, ..window };
        let (mut width, mut height) = (part.width, part.height);
        let mut halvings = Vec::new();
        loop {
            let across = window.width / to.0 as f64 >= HALVE && width > 1;
            let down = window.height / to.1 as f64 >= HALVE && height > 1;
            if !across && !down {
                break;
            }
            if across {
                (width, window.left, window.width) = (width / 2, window.left / 2.0, window.width / 2.0);
            }
            if down {
                (height, window.top, window.height) = (height / 2, window.top / 2.0, window.height / 2.0);
            }
            halvings.push((across, down));
        }
        let columns = Axis::new(to.0, window.left, window.width, width);
        let rows = Axis::new(to.1, window.top, window.height, height);
        let (first, last) = columns.reach();
        let blocks = if columns.copy_from.is_some() { Vec::new() } else { Block::all(&columns, first) };
        Self {
            part,
            halvings,
            halves: [Vec::new(), Vec::new()],
            reach: (first, last.min(width)),
            column: vec![0; (last - first).max(to.0) + SLACK],
            out: vec![0; to.0.next_multiple_of(BLOCK)],
            columns,
            rows,
            blocks,
        }
    }

    /// Gives one row of the result after the other.
    fn run(&mut self, kernels: Kernels, plane: &Plane<'_>, mut row_done: impl FnMut(usize, &[u8])) {
        let rows = |row: usize| {
            let from = plane.row(self.part.top + row);
            &from[self.part.left..self.part.left + self.part.width]
        };
        let (mut width, mut height) = (self.part.width, self.part.height);
        let [front, back] = &mut self.halves;
        for (index, step) in self.halvings.iter().enumerate() {
            std::mem::swap(front, back);
            let done = if index == 0 {
                halve(kernels, rows, (width, height), *step, front)
            } else {
                let stride = width;
                halve(kernels, |row| &back[row * stride..][..stride], (width, height), *step, front)
            };
            (width, height) = done;
        }
        let source = |row: usize| {
            let row = row.min(height - 1);
            if self.halvings.is_empty() { rows(row) } else { &front[row * width..][..width] }
        };
        let outputs = self.columns.taps.len();
        let (first, last) = self.columns.copy_from.map_or(self.reach, |from| (from, from + outputs));
        for (index, (start, weights)) in self.rows.taps.iter().enumerate() {
            let straight = self.rows.copy_from.map(|from| &source(from + index)[first..last]);
            if let (Some(row), Some(_)) = (straight, self.columns.copy_from) {
                row_done(index, row);
                continue;
            }
            let (column, beyond) = self.column.split_at_mut(last - first);
            match straight {
                Some(row) => column.copy_from_slice(row),
                None => {
                    let taps = std::array::from_fn(|tap| &source(start + tap)[first..last]);
                    kernels.down(column, taps, *weights);
                }
            }
            // A row of fewer samples than there are taps goes on like its last one.
            beyond[..TAPS].fill(column[column.len() - 1]);
            if self.columns.copy_from.is_some() {
                row_done(index, column);
            } else {
                kernels.across(&mut self.out, &self.column, &self.blocks);
                row_done(index, &self.out[..outputs]);
            }
        }
    }
}

/// Halves width, height or both.
fn halve<'a>(
    kernels: Kernels,
    rows: impl Fn(usize) -> &'a [u8],
    (width, height): (usize, usize),
    (across, down): (bool, bool),
    out: &mut Vec<u8>,
) -> (usize, usize) {
    let (to_width, to_height) = (if across { width / 2 } else { width }, if down { height / 2 } else { height });
    out.resize(to_width * to_height, 0);
    for (index, out) in out.chunks_exact_mut(to_width).enumerate() {
        let (upper, lower) = if down { (rows(2 * index), rows(2 * index + 1)) } else { (rows(index), rows(index)) };
        if across {
            kernels.quarter(out, upper, lower);
        } else {
            let half = (ONE / 2) as i8;
            kernels.down(out, [upper, lower, upper, lower, upper, lower], [half, half, 0, 0, 0, 0]);
        }
    }
    (to_width, to_height)
}

/// Scales pictures of one size, or a part of them, to another size.
#[derive(Clone, Debug)]
pub(super) struct Scaler {
    /// The size of the pictures that go in.
    from: (usize, usize),
    planes: [PlaneScaler; 3],
}

impl Scaler {
    /// `to` is even, and the window lies within the picture.
    pub(super) fn new(from: (usize, usize), window: Window, to: (usize, usize)) -> Self {
        let luma = PlaneScaler::new(from, window, to);
        let half = |length: usize| length.div_ceil(2);
        let window = Window {
            left: window.left / 2.0,
            top: window.top / 2.0,
            width: window.width / 2.0,
            height: window.height / 2.0,
        };
        let chroma = PlaneScaler::new((half(from.0), half(from.1)), window, (half(to.0), half(to.1)));
        Self { from, planes: [luma, chroma.clone(), chroma] }
    }

    pub(super) const fn from(&self) -> (usize, usize) {
        self.from
    }

    /// Gives the result by plane and row. The picture is of the size that the scaler was made for.
    pub(super) fn run(&mut self, kernels: Kernels, view: &View<'_>, mut row_done: impl FnMut(usize, usize, &[u8])) {
        for (index, (scaler, plane)) in self.planes.iter_mut().zip(view.planes()).enumerate() {
            scaler.run(kernels, plane, |row, samples| row_done(index, row, samples));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{SeedableRng as _, rngs::SmallRng};

    use super::super::axis::weights;
    use super::*;
    use crate::picture::Picture;

    fn noise(width: usize, height: usize, seed: u64) -> Picture {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut picture = Picture::new(width, height);
        (0..3).for_each(|plane| random.fill_bytes(picture.plane_mut(plane)));
        picture
    }

    /// Something like a photograph: waves of many lengths.
    fn waves(width: usize, height: usize) -> Picture {
        let mut picture = Picture::new(width, height);
        for plane in 0..3 {
            let (columns, _) = picture.size_of(plane);
            for (at, sample) in picture.plane_mut(plane).iter_mut().enumerate() {
                let (x, y) = ((at % columns) as f64, (at / columns) as f64);
                let value =
                    (x / 9.0 + y / 31.0).sin() * 50.0 + (x / 4.1 - y / 5.3).cos() * 30.0 + (y / 2.7).sin() * 20.0;
                *sample = (128.0 + value) as u8;
            }
        }
        picture
    }

    fn scaled(kernels: Kernels, picture: &Picture, window: Window, to: (usize, usize)) -> Picture {
        let mut out = Picture::new(to.0, to.1);
        let mut scaler = Scaler::new((picture.width(), picture.height()), window, to);
        scaler.run(kernels, &picture.view(), |plane, row, samples| {
            let width = out.size_of(plane).0;
            out.plane_mut(plane)[row * width..][..width].copy_from_slice(samples);
        });
        out
    }

    fn whole(picture: &Picture) -> Window {
        Window { left: 0.0, top: 0.0, width: picture.width() as f64, height: picture.height() as f64 }
    }

    fn psnr(one: &[u8], other: &[f64]) -> f64 {
        let squares: f64 = one.iter().zip(other).map(|(a, b)| (f64::from(*a) - b).powi(2)).sum();
        10.0 * (255.0 * 255.0 / (squares / one.len() as f64).max(1e-9)).log10()
    }

    /// The same filter in double precision, without halving first, sample by sample.
    fn reference(plane: &Plane<'_>, to: (usize, usize)) -> Vec<f64> {
        let ratio = (plane.width() as f64 / to.0 as f64, plane.height() as f64 / to.1 as f64);
        let axis = |output: usize, ratio: f64, inputs| weights((output as f64 + 0.5) * ratio - 0.5, ratio, inputs);
        let sample = |index: usize| {
            let (x, across) = axis(index % to.0, ratio.0, plane.width());
            let (y, down) = axis(index / to.0, ratio.1, plane.height());
            let row = |row: usize| {
                let samples = plane.row((y + row).min(plane.height() - 1))[x..].iter().zip(across);
                samples.map(|(sample, weight)| f64::from(*sample) * weight).sum::<f64>()
            };
            (0..TAPS).map(|tap| row(tap) * down[tap]).sum::<f64>().clamp(0.0, 255.0)
        };
        (0..to.0 * to.1).map(sample).collect()
    }

    /// The mean of what each output covers: what an ideal sensor of that resolution sees.
    fn area(plane: &Plane<'_>, to: (usize, usize)) -> Vec<f64> {
        let ratio = (plane.width() as f64 / to.0 as f64, plane.height() as f64 / to.1 as f64);
        let share =
            |from: f64, to: f64, sample: usize| (to.min(sample as f64 + 1.0) - from.max(sample as f64)).max(0.0);
        let value = |index: usize| {
            let (x, y) = ((index % to.0) as f64 * ratio.0, (index / to.0) as f64 * ratio.1);
            let mut sum = 0.0;
            for row in y as usize..((y + ratio.1).ceil() as usize).min(plane.height()) {
                for column in x as usize..((x + ratio.0).ceil() as usize).min(plane.width()) {
                    let area = share(x, x + ratio.0, column) * share(y, y + ratio.1, row);
                    sum += area * f64::from(plane.row(row)[column]);
                }
            }
            sum / ratio.0 / ratio.1
        };
        (0..to.0 * to.1).map(value).collect()
    }

    #[test]
    fn scaling_is_near_the_same_filter_in_double_precision() {
        let picture = waves(320, 180);
        for to in [(212, 118), (320, 118), (208, 180), (426, 240), (640, 360), (300, 170), (318, 178)] {
            let result = scaled(Kernels::new(), &picture, whole(&picture), to);
            let expected = reference(&picture.view().planes()[0], to);
            let found = psnr(result.plane(0), &expected);
            assert!(found > 46.0, "{to:?}: {found:.1} dB");
        }
    }

    #[test]
    fn what_is_made_much_smaller_is_near_the_mean_of_what_it_covers() {
        let picture = waves(640, 360);
        for (to, least) in
            [((320, 180), 50.0), ((160, 90), 45.0), ((250, 140), 32.0), ((214, 120), 32.0), ((100, 56), 32.0)]
        {
            let result = scaled(Kernels::new(), &picture, whole(&picture), to);
            let found = psnr(result.plane(0), &area(&picture.view().planes()[0], to));
            assert!(found > least, "{to:?}: {found:.1} dB");
        }
    }

    #[test]
    fn fine_stripes_become_grey_and_not_coarse_stripes() {
        let mut picture = Picture::new(640, 360);
        picture
            .plane_mut(0)
            .iter_mut()
            .enumerate()
            .for_each(|(at, sample)| *sample = if at % 2 == 0 { 16 } else { 235 });
        for to in [(426, 240), (416, 234), (320, 180), (246, 134), (212, 120)] {
            let result = scaled(Kernels::new(), &picture, whole(&picture), to);
            let middle = &result.plane(0)[to.0 * to.1 / 2..][4..to.0 - 4];
            let (least, most) =
                (middle.iter().min().copied().unwrap_or(0), middle.iter().max().copied().unwrap_or(255));
            assert!(most - least < 90, "{to:?}: {least} to {most}");
        }
    }

    #[test]
    fn an_even_colour_stays_exactly_that() {
        let mut picture = Picture::new(97, 61);
        picture.plane_mut(0).fill(201);
        for to in [(2, 2), (40, 30), (96, 60), (200, 122), (640, 360)] {
            let result = scaled(Kernels::new(), &picture, whole(&picture), to);
            assert!(result.plane(0).iter().all(|sample| *sample == 201), "{to:?}");
        }
    }

    #[test]
    fn a_cover_that_is_nearly_the_size_is_cut_instead_of_scaled() {
        let picture = noise(640, 360, 1);
        let (window, inner) = fit(Fit::Cover, (640, 360), Rect::new(0, 0, 628, 348));
        assert_eq!(
            (window, inner),
            (Window { left: 6.0, top: 6.0, width: 628.0, height: 348.0 }, Rect::new(0, 0, 628, 348))
        );
        let result = scaled(Kernels::new(), &picture, window, (628, 348));
        assert_eq!(result.plane(0)[..628], picture.view().planes()[0].row(6)[6..634]);
        assert_eq!(result.plane(2)[..314], picture.view().planes()[2].row(3)[3..317]);
    }

    #[test]
    fn half_the_size_is_exactly_the_mean_of_four() {
        let picture = noise(1280, 720, 2);
        let (window, _) = fit(Fit::Cover, (1280, 720), Rect::new(0, 0, 628, 348));
        let result = scaled(Kernels::new(), &picture, window, (628, 348));
        let row = |row: usize| &picture.view().planes()[0].row(row)[window.left as usize..];
        let (upper, lower) = (row(window.top as usize), row(window.top as usize + 1));
        let mean = |x: usize| {
            let four = [upper[2 * x], upper[2 * x + 1], lower[2 * x], lower[2 * x + 1]];
            ((four.map(u32::from).iter().sum::<u32>() + 2) / 4) as u8
        };
        assert_eq!(result.plane(0)[..628], (0..628).map(mean).collect::<Vec<_>>()[..]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

        #[test]
        fn both_implementations_give_the_same_whatever_the_sizes(
            from in (1..300_usize, 1..200_usize),
            tile in (1..160_usize, 1..100_usize),
            cover in any::<bool>(),
            seed in any::<u64>(),
        ) {
            let picture = noise(from.0, from.1, seed);
            let how = if cover { Fit::Cover } else { Fit::Contain };
            let (window, inner) = fit(how, from, Rect::new(0, 0, tile.0 * 2, tile.1 * 2));
            let to = (inner.width, inner.height);
            prop_assert_eq!(
                scaled(Kernels::new(), &picture, window, to),
                scaled(Kernels::plain(), &picture, window, to)
            );
        }
    }
}
