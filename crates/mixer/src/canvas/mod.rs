//! Drawing what a layout arranges, and touching only what changed.
//!
//! Each source's picture is scaled once, when it comes, into a tile of the size at which it is
//! shown; the tile remembers which blocks differ from the picture before. [`Canvas::compose`]
//! copies those and lays labels and frames over them.
//!
//! | module | what it does |
//! | --- | --- |
//! | `axis`, `scale` | pictures become larger or smaller |
//! | `kernel` | the inner loops, plainly and for AVX2 |
//! | `tile` | one region's picture, its age, its changes |
//! | `dress` | labels, the speaker's frame, avatars |
//! | `raster` | small drawings with soft edges |
//! | `text` | fonts, names and initials |
//! | `rendition` | the canvas at half its size |

mod axis;
mod dress;
mod kernel;
mod raster;
mod rendition;
mod scale;
mod text;
mod tile;

use std::time::Instant;

pub use dress::Theme;
pub use raster::Colour;
pub use rendition::Rendition;
pub use text::{FAMILIES, FontSources, FontWarning, Fonts, SharedFonts};
pub use tile::{AVATAR_AFTER, DIMMED_AFTER};

use dress::Dresser;
use kernel::Kernels;
use tile::Tile;

use crate::codec::ActiveMap;
use crate::layout::{Rect, Region, Source};
use crate::picture::{Picture, View};

/// What differs from the picture before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// Outside of these nothing has changed. They may overlap.
    pub rectangles: Vec<Rect>,
    /// The same in macroblocks, and finer: within the rectangles there may be blocks that are as
    /// they were.
    pub active: ActiveMap,
}

impl Changes {
    /// No changes in a picture of that size.
    #[must_use]
    pub fn new(width: usize, height: usize) -> Self {
        Self { rectangles: Vec::new(), active: ActiveMap::new(width, height) }
    }

    /// As if all of a picture of that size had changed: for who has not followed it.
    #[must_use]
    pub fn everything(width: usize, height: usize) -> Self {
        let mut changes = Self::new(width, height);
        changes.add(Rect::new(0, 0, width, height));
        changes
    }

    /// Nothing has changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rectangles.is_empty()
    }

    fn clear(&mut self) {
        if !self.rectangles.is_empty() {
            self.rectangles.clear();
            self.active.clear();
        }
    }

    fn add(&mut self, rect: Rect) {
        self.active.mark(rect.left, rect.top, rect.width, rect.height);
        self.rectangles.push(rect);
    }
}

/// The picture that everyone is drawn on.
pub struct Canvas {
    picture: Picture,
    tiles: Vec<Tile>,
    /// What is to be drawn anew for reasons other than pictures.
    damage: Vec<Rect>,
    changes: Changes,
    dresser: Dresser,
    kernels: Kernels,
}

impl std::fmt::Debug for Canvas {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let size = (self.picture.width(), self.picture.height());
        formatter.debug_struct("Canvas").field("size", &size).field("tiles", &self.tiles.len()).finish_non_exhaustive()
    }
}

impl Canvas {
    /// An empty one. Odd sizes are rounded up.
    #[must_use]
    pub fn new(width: usize, height: usize, theme: Theme, fonts: Fonts) -> Self {
        let even = |length: usize| length.max(2).next_multiple_of(2);
        let picture = Picture::new(even(width), even(height));
        let all = Rect::new(0, 0, picture.width(), picture.height());
        Self {
            changes: Changes::new(all.width, all.height),
            picture,
            tiles: Vec::new(),
            damage: vec![all],
            dresser: Dresser::new(theme, fonts),
            kernels: Kernels::new(),
        }
    }

    /// The fonts, for their warnings.
    #[must_use]
    pub const fn fonts(&self) -> &Fonts {
        self.dresser.fonts()
    }

    /// Takes where everything is from now on. Tiles of sources that stay keep their picture. Cheap
    /// when nothing differs, so it may be called for every picture, as during an animation.
    pub fn arrange(&mut self, regions: &[Region]) {
        let canvas = Rect::new(0, 0, self.picture.width(), self.picture.height());
        let mut old = std::mem::take(&mut self.tiles);
        for region in regions.iter().filter(|region| is_drawable(&canvas, region)) {
            match old.iter().position(|tile| tile.region.source == region.source) {
                Some(index) if old[index].region == *region => self.tiles.push(old.swap_remove(index)),
                Some(index) => {
                    let mut tile = old.swap_remove(index);
                    self.damage.extend(tile.change(region.clone(), self.kernels, &mut self.dresser));
                    self.tiles.push(tile);
                }
                None => {
                    self.damage.push(region.rect);
                    self.tiles.push(Tile::new(region.clone(), &mut self.dresser));
                }
            }
        }
        self.damage.extend(old.iter().map(|tile| tile.region.rect));
        self.tiles.sort_by_key(|tile| tile.region.z);
    }

    /// Shows a source's new picture, of whatever size. False when it has no region.
    pub fn show(&mut self, source: Source, view: &View<'_>, now: Instant) -> bool {
        let tile = self.tiles.iter_mut().find(|tile| tile.region.source == source);
        tile.map(|tile| tile.show(view, now, self.kernels, &self.dresser)).is_some()
    }

    /// Draws what has changed since the last time, also by the passing of time.
    pub fn compose(&mut self, now: Instant) -> &Changes {
        self.changes.clear();
        for tile in &mut self.tiles {
            tile.age(now, &mut self.dresser);
        }
        for rect in std::mem::take(&mut self.damage) {
            if !self.changes.rectangles.contains(&rect) {
                self.changes.add(rect);
            }
        }
        for tile in &mut self.tiles {
            tile.collect(&mut self.changes.rectangles, &mut self.changes.active);
        }
        for rect in &self.changes.rectangles {
            paint(&self.tiles, self.kernels, self.dresser.theme().background, &mut self.picture, rect);
        }
        &self.changes
    }

    /// What was composed last.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        self.picture.view()
    }

    /// What changed then.
    #[must_use]
    pub const fn changes(&self) -> &Changes {
        &self.changes
    }
}

fn is_drawable(canvas: &Rect, region: &Region) -> bool {
    let Rect { left, top, width, height } = region.rect;
    let even = [left, top, width, height, region.corner].iter().all(|number| number % 2 == 0);
    let corner = region.corner * 2 <= width.min(height);
    even && corner && !region.rect.is_empty() && canvas.holds(&region.rect) && region.opacity > 0
}

/// Draws a part of the canvas, from the lowest tile that can be seen in it upwards.
fn paint(tiles: &[Tile], kernels: Kernels, background: Colour, onto: &mut Picture, part: &Rect) {
    let cover = tiles.iter().rposition(|tile| tile.covers(part));
    match cover {
        Some(index) => {
            for corner in tiles[index].corners() {
                if let Some(corner) = corner.meet(part) {
                    paint(&tiles[..index], kernels, background, onto, &corner);
                }
            }
        }
        None => fill(onto, background, part),
    }
    for tile in &tiles[cover.unwrap_or(0)..] {
        tile.draw(kernels, onto, part);
    }
}

fn fill(onto: &mut Picture, colour: Colour, part: &Rect) {
    for (plane, value) in colour.yuv().into_iter().enumerate() {
        let part = if plane == 0 { *part } else { part.halved() };
        let stride = onto.size_of(plane).0;
        for row in part.top..part.bottom() {
            onto.plane_mut(plane)[row * stride + part.left..][..part.width].fill(value);
        }
    }
}

#[cfg(test)]
mod tests;
