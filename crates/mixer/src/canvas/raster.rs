//! Small drawings in colour, with soft edges: what labels, frames and avatars are made of. Slow
//! and exact; its results are kept.

use super::kernel::Kernels;
use crate::layout::Rect;
use crate::picture::Picture;

/// A colour: red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Colour(pub u8, pub u8, pub u8);

impl Colour {
    /// In BT.601, limited range, as [`Picture`] has it.
    #[must_use]
    pub fn yuv(self) -> [u8; 3] {
        yuv([self.0, self.1, self.2].map(|value| f32::from(value) / 255.0), 1.0).map(|value| value.round() as u8)
    }
}

/// Of colours from 0 to 1 that have been multiplied with their coverage.
fn yuv([red, green, blue]: [f32; 3], coverage: f32) -> [f32; 3] {
    [
        16.0 * coverage + 65.481 * red + 128.553 * green + 24.966 * blue,
        128.0 * coverage - 37.797 * red - 74.203 * green + 112.0 * blue,
        128.0 * coverage + 112.0 * red - 93.786 * green - 18.214 * blue,
    ]
}

/// A drawing in progress, transparent at first. Coordinates are in samples; the middle of the first
/// one is at 0.5.
#[derive(Clone, Debug)]
pub(super) struct Raster {
    width: usize,
    height: usize,
    /// Red, green and blue multiplied with coverage, and coverage; from 0 to 1.
    pixels: Vec<[f32; 4]>,
}

impl Raster {
    /// Sizes become even.
    pub(super) fn new(width: usize, height: usize) -> Self {
        let (width, height) = (width.max(2).next_multiple_of(2), height.max(2).next_multiple_of(2));
        Self { width, height, pixels: vec![[0.0; 4]; width * height] }
    }

    pub(super) const fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// Lays a colour over one sample. Outside nothing happens.
    pub(super) fn dot(&mut self, x: i32, y: i32, colour: Colour, coverage: f32) {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return };
        if x >= self.width || y >= self.height {
            return;
        }
        let pixel = &mut self.pixels[y * self.width + x];
        let above = [colour.0, colour.1, colour.2].map(|value| f32::from(value) / 255.0 * coverage);
        for (below, above) in pixel.iter_mut().zip(above.into_iter().chain([coverage])) {
            *below = above + *below * (1.0 - coverage);
        }
    }

    /// Fills a shape that is given by how far a point lies outside of it (inside: negative).
    pub(super) fn fill(&mut self, colour: Colour, coverage: f32, distance: impl Fn(f32, f32) -> f32) {
        for y in 0..self.height {
            for x in 0..self.width {
                let inside = (0.5 - distance(x as f32 + 0.5, y as f32 + 0.5)).clamp(0.0, 1.0);
                if inside > 0.0 {
                    self.dot(x as i32, y as i32, colour, coverage * inside);
                }
            }
        }
    }

    /// Takes a shape out of what has been drawn.
    pub(super) fn erase(&mut self, distance: impl Fn(f32, f32) -> f32) {
        for (index, pixel) in self.pixels.iter_mut().enumerate() {
            let (x, y) = (index % self.width, index / self.width);
            let inside = (0.5 - distance(x as f32 + 0.5, y as f32 + 0.5)).clamp(0.0, 1.0);
            pixel.iter_mut().for_each(|value| *value *= 1.0 - inside);
        }
    }

    /// Lays another drawing over this one.
    pub(super) fn draw(&mut self, other: &Self, left: usize, top: usize) {
        for (index, above) in other.pixels.iter().enumerate() {
            let (x, y) = (left + index % other.width, top + index / other.width);
            if x < self.width && y < self.height {
                let below = &mut self.pixels[y * self.width + x];
                let rest = 1.0 - above[3];
                below.iter_mut().zip(above).for_each(|(below, above)| *below = above + *below * rest);
            }
        }
    }

    /// Ready to be laid over pictures.
    pub(super) fn finish(&self) -> Sprite {
        let mean = |x: usize, y: usize| {
            let four = [(0, 0), (1, 0), (0, 1), (1, 1)];
            let pixels = four.map(|(right, down)| self.pixels[(2 * y + down) * self.width + 2 * x + right]);
            std::array::from_fn(|channel| pixels.iter().map(|pixel| pixel[channel]).sum::<f32>() / 4.0)
        };
        let whole = |value: f32| value.round().clamp(0.0, 255.0) as u8;
        let convert = |[red, green, blue, coverage]: [f32; 4]| {
            let [luma, u, v] = yuv([red, green, blue], coverage);
            [whole(luma), whole(u), whole(v), whole(coverage * 255.0)]
        };
        let half = |index: usize| mean(index % (self.width / 2), index / (self.width / 2));
        let fine: Vec<_> = self.pixels.iter().map(|pixel| convert(*pixel)).collect();
        let coarse: Vec<_> = (0..self.width * self.height / 4).map(|index| convert(half(index))).collect();
        let channel = |from: &[[u8; 4]], channel: usize| from.iter().map(|value| value[channel]).collect();
        Sprite {
            width: self.width,
            height: self.height,
            colours: [channel(&fine, 0), channel(&coarse, 1), channel(&coarse, 2)],
            coverages: [channel(&fine, 3), channel(&coarse, 3)],
        }
    }
}

/// A drawing as pictures are: colours multiplied with coverage, and coverage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sprite {
    width: usize,
    height: usize,
    colours: [Vec<u8>; 3],
    /// Of luma and of chroma.
    coverages: [Vec<u8>; 2],
}

impl Sprite {
    pub(super) const fn width(&self) -> usize {
        self.width
    }

    pub(super) const fn height(&self) -> usize {
        self.height
    }

    /// Lays it over a picture, within `clip`. All places are even.
    pub(super) fn draw(
        &self,
        kernels: Kernels,
        onto: &mut Picture,
        (left, top): (usize, usize),
        clip: Rect,
        opacity: u8,
    ) {
        let canvas = Rect::new(0, 0, onto.width() & !1, onto.height() & !1);
        let own = Rect::new(left, top, self.width, self.height);
        let Some(seen) = own.meet(&clip).and_then(|seen| seen.meet(&canvas)) else { return };
        for plane in 0..3 {
            let (seen, own) = if plane == 0 { (seen, own) } else { (seen.halved(), own.halved()) };
            let stride = onto.size_of(plane).0;
            let (colours, coverages) = (&self.colours[plane], &self.coverages[plane.min(1)]);
            for row in seen.top..seen.bottom() {
                let from = (row - own.top) * own.width + seen.left - own.left;
                let below = &mut onto.plane_mut(plane)[row * stride + seen.left..][..seen.width];
                let (colour, coverage) = (&colours[from..][..seen.width], &coverages[from..][..seen.width]);
                if opacity == u8::MAX {
                    kernels.over(below, colour, coverage);
                } else {
                    let fade = |values: &[u8]| -> Vec<u8> {
                        values.iter().map(|value| (u16::from(*value) * u16::from(opacity) / 255) as u8).collect()
                    };
                    kernels.over(below, &fade(colour), &fade(coverage));
                }
            }
        }
    }
}

/// How far outside of a rectangle with rounded corners.
pub(super) fn rounded(left: f32, top: f32, right: f32, bottom: f32, radius: f32) -> impl Fn(f32, f32) -> f32 {
    move |x, y| {
        let across = (x - (left + right) / 2.0).abs() - (right - left) / 2.0 + radius;
        let down = (y - (top + bottom) / 2.0).abs() - (bottom - top) / 2.0 + radius;
        across.max(0.0).hypot(down.max(0.0)) + across.max(down).min(0.0) - radius
    }
}

/// How far outside of a line of that thickness with round ends.
pub(super) fn line(from: (f32, f32), to: (f32, f32), thickness: f32) -> impl Fn(f32, f32) -> f32 {
    move |x, y| {
        let (across, down) = (to.0 - from.0, to.1 - from.1);
        let length = (across * across + down * down).max(f32::MIN_POSITIVE);
        let along = (((x - from.0) * across + (y - from.1) * down) / length).clamp(0.0, 1.0);
        (x - from.0 - along * across).hypot(y - from.1 - along * down) - thickness / 2.0
    }
}

/// How far outside of a disc.
pub(super) fn disc(x: f32, y: f32, radius: f32) -> impl Fn(f32, f32) -> f32 {
    move |px, py| (px - x).hypot(py - y) - radius
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_covers_all_hides_all_and_what_covers_nothing_changes_nothing() {
        let mut raster = Raster::new(8, 4);
        raster.fill(Colour(255, 0, 0), 1.0, |x, _| x - 4.0);
        let sprite = raster.finish();
        let mut picture = Picture::new(16, 8);
        picture.plane_mut(0).fill(77);
        let before = picture.clone();
        sprite.draw(Kernels::new(), &mut picture, (4, 2), Rect::new(0, 0, 16, 8), 255);
        let [luma, blue, red] = Colour(255, 0, 0).yuv();
        assert_eq!(picture.plane(0)[2 * 16 + 4..][..8], [luma, luma, luma, luma, 77, 77, 77, 77]);
        assert_eq!((picture.plane(1)[8 + 2], picture.plane(2)[8 + 2]), (blue, red));
        sprite.draw(Kernels::new(), &mut picture, (4, 2), Rect::new(12, 0, 4, 8), 255);
        picture = before.clone();
        sprite.draw(Kernels::new(), &mut picture, (4, 2), Rect::new(0, 0, 16, 8), 0);
        assert_eq!(picture, before);
    }

    #[test]
    fn a_sprite_stays_within_its_clip_and_the_picture() {
        let mut raster = Raster::new(8, 8);
        raster.fill(Colour(255, 255, 255), 1.0, |_, _| -1.0);
        let sprite = raster.finish();
        let mut picture = Picture::new(16, 16);
        sprite.draw(Kernels::new(), &mut picture, (12, 12), Rect::new(0, 0, 100, 100), 255);
        sprite.draw(Kernels::new(), &mut picture, (0, 0), Rect::new(2, 4, 2, 2), 255);
        let white = picture.plane(0).iter().filter(|sample| **sample == 235).count();
        assert_eq!(white, 16 + 4);
    }
}
