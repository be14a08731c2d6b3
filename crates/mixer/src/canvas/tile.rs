//! One region's picture at the size at which it is shown, and which of its blocks changed.

use std::time::{Duration, Instant};

use super::dress::{Dress, Dresser};
use super::kernel::Kernels;
use super::raster::Colour;
use super::scale::{Scaler, fit};
use crate::codec::ActiveMap;
use crate::layout::{Rect, Region, Source};
use crate::picture::{Picture, View};

/// A camera that has sent nothing for so long is shown dimmed: it has frozen, and that should be
/// seen.
pub const DIMMED_AFTER: Duration = Duration::from_secs(2);

/// And after so long its avatar takes its place.
pub const AVATAR_AFTER: Duration = Duration::from_secs(6);

/// A source that sends pictures this far apart has its last one kept at full size, so that it is
/// sharp when its tile grows.
const SPARSE: Duration = Duration::from_millis(100);

const BLOCK: usize = ActiveMap::BLOCK;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Avatar,
    Picture,
    Dimmed,
}

/// Blocks of the canvas that a tile touches.
#[derive(Clone, Debug, Default)]
struct Blocks {
    left: usize,
    top: usize,
    columns: usize,
    cells: Vec<u8>,
    any: bool,
    /// A row of blocks that have all changed: nothing is left to be found in it.
    full: Option<usize>,
}

impl Blocks {
    fn new(rect: &Rect) -> Self {
        let (left, top) = (rect.left / BLOCK, rect.top / BLOCK);
        let (columns, rows) = (rect.right().div_ceil(BLOCK) - left, rect.bottom().div_ceil(BLOCK) - top);
        Self { left, top, columns, cells: vec![0; columns * rows], any: false, full: None }
    }

    /// Replaces a row's samples and notes which blocks that changed. `x` and `y` are the place on
    /// the canvas's plane, whose blocks are `SIZE` samples wide and high.
    fn replace<const SIZE: usize>(&mut self, (x, y): (usize, usize), old: &mut [u8], new: &[u8]) {
        let row = (y / SIZE - self.top) * self.columns;
        if self.full == Some(row) {
            return old.copy_from_slice(new);
        }
        let cells = &mut self.cells[row + x / SIZE - self.left..row + (x + new.len()).div_ceil(SIZE) - self.left];
        let head = (SIZE - x % SIZE).min(new.len());
        let mut from = 0;
        if !cells.contains(&0) {
            // The same for all rows of samples: those of a tile are equally long.
            self.full = Some(row);
        } else {
            for (index, cell) in cells.iter_mut().enumerate() {
                let to = if index == 0 { head } else { (from + SIZE).min(new.len()) };
                if *cell == 0 && differ::<SIZE>(&old[from..to], &new[from..to]) {
                    *cell = 1;
                    self.any = true;
                }
                from = to;
            }
        }
        old.copy_from_slice(new);
    }
}

/// Of a whole block's width this is one comparison of a register.
fn differ<const SIZE: usize>(old: &[u8], new: &[u8]) -> bool {
    match (<&[u8; SIZE]>::try_from(old), <&[u8; SIZE]>::try_from(new)) {
        (Ok(old), Ok(new)) => old != new,
        _ => old != new,
    }
}

pub(super) struct Tile {
    pub(super) region: Region,
    pub(super) dress: Dress,
    cache: Picture,
    /// Where in the tile the picture is; beside it are bars.
    inner: Rect,
    scaler: Option<Scaler>,
    shown: Shown,
    last: Option<Instant>,
    /// The last picture before scaling, for sources that send few or that stand still.
    kept: Picture,
    is_kept: bool,
    blocks: Blocks,
    corner: Corner,
}

impl Tile {
    pub(super) fn new(region: Region, dresser: &mut Dresser) -> Self {
        let mut tile = Self {
            dress: dresser.dress(&region),
            cache: Picture::new(region.rect.width, region.rect.height),
            inner: Rect::default(),
            scaler: None,
            shown: Shown::Avatar,
            last: None,
            kept: Picture::new(1, 1),
            is_kept: false,
            blocks: Blocks::new(&region.rect),
            corner: Corner::new(region.corner),
            region,
        };
        tile.draw_avatar(dresser);
        tile
    }

    /// Takes its new place and look. Gives which parts of the canvas are to be drawn anew.
    pub(super) fn change(&mut self, region: Region, kernels: Kernels, dresser: &mut Dresser) -> Vec<Rect> {
        let old = std::mem::replace(&mut self.region, region);
        let new = &self.region;
        let dress = if (old.rect, &old.name, old.muted, old.speaking, old.corner)
            == (new.rect, &new.name, new.muted, new.speaking, new.corner)
        {
            self.dress.clone()
        } else {
            dresser.dress(new)
        };
        let moved = (old.rect, old.z, old.opacity, old.corner) != (new.rect, new.z, new.opacity, new.corner);
        let mut damage: Vec<_> = dress.difference(&self.dress).into_iter().map(|rect| new.rect.within(rect)).collect();
        if moved {
            damage = vec![old.rect, new.rect];
        }
        self.dress = dress;
        if old.corner != self.region.corner {
            self.corner = Corner::new(self.region.corner);
        }
        let resized = (old.rect.width, old.rect.height) != (self.region.rect.width, self.region.rect.height);
        if old.rect != self.region.rect {
            self.blocks = Blocks::new(&self.region.rect);
        }
        let redrawn = old.fit != self.region.fit || old.live != self.region.live || old.name != self.region.name;
        if resized || redrawn {
            self.redraw(kernels, dresser);
        }
        damage
    }

    /// Draws the tile from what there is, after its size changed.
    fn redraw(&mut self, kernels: Kernels, dresser: &mut Dresser) {
        let Rect { width, height, .. } = self.region.rect;
        if self.shown == Shown::Avatar || !self.region.live {
            self.cache = Picture::new(width, height);
            return self.draw_avatar(dresser);
        }
        if !self.is_kept {
            // The tile itself is the best that there is until the next picture comes.
            crop(&self.cache, self.inner, &mut self.kept);
            self.is_kept = true;
        }
        self.cache = Picture::new(width, height);
        self.scaler = None;
        let kept = std::mem::replace(&mut self.kept, Picture::new(1, 1));
        let dimmed = self.shown == Shown::Dimmed;
        self.put(&kept.view(), kernels, dresser);
        self.kept = kept;
        self.blocks.cells.fill(1);
        self.blocks.any = true;
        if dimmed {
            self.dim();
        }
    }

    /// Shows a new picture.
    pub(super) fn show(&mut self, view: &View<'_>, now: Instant, kernels: Kernels, dresser: &Dresser) {
        let sparse = self.last.is_none_or(|last| now.saturating_duration_since(last) >= SPARSE);
        self.last = Some(now);
        if !self.region.live || (self.shown == Shown::Picture && self.is_kept && same(&self.kept, view)) {
            return;
        }
        let before = std::mem::take(&mut self.blocks.any);
        self.put(view, kernels, dresser);
        // One that stands still is kept, because to compare it costs less than to scale it.
        let still = !self.blocks.any;
        self.blocks.any |= before;
        self.is_kept = sparse || still || matches!(self.region.source, Source::Screen(_));
        if self.is_kept {
            self.kept.copy_from(view);
        }
    }

    fn put(&mut self, view: &View<'_>, kernels: Kernels, dresser: &Dresser) {
        let size = (view.width(), view.height());
        if self.shown == Shown::Avatar || self.scaler.as_ref().is_none_or(|scaler| scaler.from() != size) {
            let tile = Rect::new(0, 0, self.region.rect.width, self.region.rect.height);
            let (window, inner) = fit(self.region.fit, size, tile);
            if inner != tile {
                self.fill(dresser.theme().background);
            }
            self.inner = inner;
            // Rows may be longer from now on.
            self.blocks.full = None;
            self.scaler = Some(Scaler::new(size, window, (inner.width, inner.height)));
        }
        self.shown = Shown::Picture;
        let Some(scaler) = self.scaler.as_mut() else { return };
        let (cache, blocks, inner, rect) = (&mut self.cache, &mut self.blocks, self.inner, self.region.rect);
        scaler.run(kernels, view, |plane, row, samples| {
            let stride = cache.size_of(plane).0;
            let (inner, rect) = if plane == 0 { (inner, rect) } else { (inner.halved(), rect.halved()) };
            let old = &mut cache.plane_mut(plane)[(inner.top + row) * stride + inner.left..][..samples.len()];
            let place = (rect.left + inner.left, rect.top + inner.top + row);
            if plane == 0 {
                blocks.replace::<BLOCK>(place, old, samples);
            } else {
                blocks.replace::<{ BLOCK / 2 }>(place, old, samples);
            }
        });
    }

    /// What time does to a picture that no other follows.
    pub(super) fn age(&mut self, now: Instant, dresser: &mut Dresser) {
        let frozen = self.last.map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        if self.shown == Shown::Avatar || matches!(self.region.source, Source::Screen(_)) {
            return;
        }
        if frozen >= AVATAR_AFTER {
            self.draw_avatar(dresser);
        } else if frozen >= DIMMED_AFTER && self.shown == Shown::Picture {
            self.dim();
        }
    }

    fn dim(&mut self) {
        self.shown = Shown::Dimmed;
        let darker = |luma: u8| 16 + ((u16::from(luma.saturating_sub(16)) * 9) >> 4) as u8;
        self.cache.plane_mut(0).iter_mut().for_each(|luma| *luma = darker(*luma));
        for plane in 1..3 {
            self.cache.plane_mut(plane).iter_mut().for_each(|chroma| *chroma = 64 + *chroma / 2);
        }
        self.blocks.cells.fill(1);
        self.blocks.any = true;
    }

    fn fill(&mut self, colour: Colour) {
        for (plane, value) in colour.yuv().into_iter().enumerate() {
            self.cache.plane_mut(plane).fill(value);
        }
        self.blocks.cells.fill(1);
        self.blocks.any = true;
    }

    fn draw_avatar(&mut self, dresser: &mut Dresser) {
        self.shown = Shown::Avatar;
        self.is_kept = false;
        self.fill(dresser.theme().surface);
        if let Some((sprite, place)) = dresser.avatar(&self.region) {
            let all = Rect::new(0, 0, self.cache.width(), self.cache.height());
            sprite.draw(Kernels::new(), &mut self.cache, place, all, u8::MAX);
        }
    }

    /// Gives away which blocks have changed: marks them, and adds the rectangles to be drawn.
    pub(super) fn collect(&mut self, damage: &mut Vec<Rect>, active: &mut ActiveMap) {
        if !std::mem::take(&mut self.blocks.any) {
            return;
        }
        self.blocks.full = None;
        let mut last: Option<Rect> = None;
        for (row, cells) in self.blocks.cells.chunks_exact_mut(self.blocks.columns).enumerate() {
            let changed = |cell: &u8| *cell != 0;
            let (Some(first), Some(end)) = (cells.iter().position(changed), cells.iter().rposition(changed)) else {
                continue;
            };
            let top = (self.blocks.top + row) * BLOCK;
            for (column, cell) in cells.iter_mut().enumerate().filter(|(_, cell)| **cell != 0) {
                active.mark((self.blocks.left + column) * BLOCK, top, BLOCK, BLOCK);
                *cell = 0;
            }
            let span = Rect::new((self.blocks.left + first) * BLOCK, top, (end - first + 1) * BLOCK, BLOCK);
            match last.as_mut() {
                Some(above) if (above.left, above.width, above.bottom()) == (span.left, span.width, top) => {
                    above.height += BLOCK;
                }
                _ => damage.extend(last.replace(span).and_then(|rect| rect.meet(&self.region.rect))),
            }
        }
        damage.extend(last.and_then(|rect| rect.meet(&self.region.rect)));
    }

    /// Nothing behind it is to be seen in that part of the canvas, but in its corners.
    pub(super) fn covers(&self, part: &Rect) -> bool {
        self.region.opacity == u8::MAX && self.region.rect.holds(part)
    }

    pub(super) fn corners(&self) -> [Rect; 4] {
        let (Rect { left, top, .. }, radius) = (self.region.rect, self.corner.radius);
        let (right, bottom) = (self.region.rect.right() - radius, self.region.rect.bottom() - radius);
        [(left, top), (right, top), (left, bottom), (right, bottom)].map(|(x, y)| Rect::new(x, y, radius, radius))
    }

    /// Draws what lies within `clip`.
    pub(super) fn draw(&self, kernels: Kernels, onto: &mut Picture, clip: &Rect) {
        let Some(seen) = self.region.rect.meet(clip) else { return };
        for plane in 0..3 {
            let (seen, rect) =
                if plane == 0 { (seen, self.region.rect) } else { (seen.halved(), self.region.rect.halved()) };
            let (stride, own) = (onto.size_of(plane).0, self.cache.size_of(plane).0);
            for row in seen.top..seen.bottom() {
                let from = (row - rect.top) * own + seen.left - rect.left;
                let above = &self.cache.plane(plane)[from..][..seen.width];
                let below = &mut onto.plane_mut(plane)[row * stride + seen.left..][..seen.width];
                self.lay(kernels, plane, (row - rect.top, seen.left - rect.left), &rect, below, above);
            }
        }
        for (sprite, (left, top)) in &self.dress.pieces {
            let place = (self.region.rect.left + left, self.region.rect.top + top);
            sprite.draw(kernels, onto, place, seen, self.region.opacity);
        }
    }

    /// One row, or the part of it from column `left` of the tile on.
    fn lay(
        &self,
        kernels: Kernels,
        plane: usize,
        (row, left): (usize, usize),
        rect: &Rect,
        below: &mut [u8],
        above: &[u8],
    ) {
        let opacity = self.region.opacity;
        let rounding = self.corner.row(plane, row, rect.height);
        if opacity == u8::MAX && rounding.is_none() {
            return below.copy_from_slice(above);
        }
        let rounding = rounding.unwrap_or_default();
        if opacity == u8::MAX {
            // Only the ends are mixed.
            let middle = (rounding.len().max(left) - left).min(above.len());
            let end = (rect.width - rounding.len()).max(left) - left;
            let end = end.clamp(middle, above.len());
            below[middle..end].copy_from_slice(&above[middle..end]);
            for (range, first) in [(0..middle, left), (end..above.len(), left + end)] {
                let coverage = |column: usize| {
                    let column = first + column;
                    rounding[column.min(rect.width - 1 - column)]
                };
                let coverages: Vec<_> = (0..range.len()).map(coverage).collect();
                kernels.mix(&mut below[range.clone()], &above[range], &coverages);
            }
            return;
        }
        let coverage = |column: usize| {
            let edge = (left + column).min(rect.width - 1 - left - column);
            let shape = rounding.get(edge).copied().unwrap_or(u8::MAX);
            (u16::from(shape) * u16::from(opacity) / 255) as u8
        };
        let coverages: Vec<_> = (0..above.len()).map(coverage).collect();
        kernels.mix(below, above, &coverages);
    }
}

/// How much of each sample a rounded corner leaves; the upper left one, the others are its mirrors.
struct Corner {
    radius: usize,
    /// Of luma and of chroma.
    masks: [Vec<u8>; 2],
}

impl Corner {
    fn new(radius: usize) -> Self {
        let mask = |side: usize| {
            let sample = |index: usize| {
                let (x, y) = ((index % side) as f32 + 0.5, (index / side) as f32 + 0.5);
                let distance = (side as f32 - x).hypot(side as f32 - y) - side as f32;
                ((0.5 - distance).clamp(0.0, 1.0) * 255.0).round() as u8
            };
            (0..side * side).map(sample).collect()
        };
        Self { radius, masks: [mask(radius), mask(radius / 2)] }
    }

    /// From the edge inwards; None where a row has no rounded ends.
    fn row(&self, plane: usize, row: usize, height: usize) -> Option<&[u8]> {
        let side = if plane == 0 { self.radius } else { self.radius / 2 };
        let row = row.min(height - 1 - row);
        (row < side).then(|| &self.masks[plane.min(1)][row * side..][..side])
    }
}

fn same(picture: &Picture, view: &View<'_>) -> bool {
    let own = picture.view();
    (own.width(), own.height()) == (view.width(), view.height())
        && own
            .planes()
            .iter()
            .zip(view.planes())
            .all(|(own, other)| (0..own.height()).all(|row| own.row(row) == other.row(row)))
}

/// A part of a picture as a picture.
fn crop(from: &Picture, part: Rect, onto: &mut Picture) {
    *onto = Picture::new(part.width, part.height);
    for plane in 0..3 {
        let part = if plane == 0 { part } else { part.halved() };
        let stride = from.size_of(plane).0;
        let rows = onto.plane_mut(plane).chunks_exact_mut(part.width).enumerate();
        rows.for_each(|(row, out)| {
            out.copy_from_slice(&from.plane(plane)[(part.top + row) * stride + part.left..][..part.width]);
        });
    }
}
