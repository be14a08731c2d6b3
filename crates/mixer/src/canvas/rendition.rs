//! The canvas at half its size, and at a quarter from that: only what changed is made anew.

use super::Changes;
use super::kernel::Kernels;
use crate::layout::Rect;
use crate::picture::{Picture, View};

/// A picture that follows another at half its width and height. Each sample is the mean of four.
#[derive(Debug)]
pub struct Rendition {
    picture: Picture,
    changes: Changes,
    kernels: Kernels,
}

impl Rendition {
    /// One that follows a picture of that size. Black until it follows the first change.
    #[must_use]
    pub fn new(width: usize, height: usize) -> Self {
        let half = |length: usize| ((length / 2) & !1).max(2);
        let picture = Picture::new(half(width), half(height));
        let changes = Changes::new(picture.width(), picture.height());
        Self { picture, changes, kernels: Kernels::new() }
    }

    /// Takes over what changed in the picture that it follows, which has the size given to
    /// [`Rendition::new`]; gives what that changed here.
    pub fn follow(&mut self, view: &View<'_>, changes: &Changes) -> &Changes {
        self.changes.clear();
        for rect in &changes.rectangles {
            // Chroma has half the samples again, so edges lie on every fourth sample.
            let edge = |length: usize, most: usize| (length.div_ceil(4) * 2).min(most);
            let (left, top) = (rect.left / 4 * 2, rect.top / 4 * 2);
            let (right, bottom) =
                (edge(rect.right(), self.picture.width()), edge(rect.bottom(), self.picture.height()));
            if left < right && top < bottom {
                self.changes.add(Rect::new(left, top, right - left, bottom - top));
            }
        }
        let kernels = self.kernels;
        for rect in &self.changes.rectangles {
            for (plane, source) in view.planes().iter().enumerate() {
                let rect = if plane == 0 { *rect } else { rect.halved() };
                let stride = self.picture.size_of(plane).0;
                for row in rect.top..rect.bottom() {
                    let pair =
                        |row: usize| source.row(row.min(source.height() - 1)).get(2 * rect.left..).unwrap_or(&[]);
                    let out = &mut self.picture.plane_mut(plane)[row * stride + rect.left..][..rect.width];
                    kernels.quarter(out, pair(2 * row), pair(2 * row + 1));
                }
            }
        }
        &self.changes
    }

    /// Follows the whole picture anew, as after a time in which it was not followed.
    pub fn refresh(&mut self, view: &View<'_>) -> &Changes {
        self.follow(view, &Changes::everything(view.width(), view.height()))
    }

    /// What is to be encoded.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        self.picture.view()
    }

    /// What changed last, for a rendition that follows this one.
    #[must_use]
    pub const fn changes(&self) -> &Changes {
        &self.changes
    }
}
