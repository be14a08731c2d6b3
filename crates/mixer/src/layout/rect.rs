//! Rectangles of the canvas, in samples of luma.

/// A part of the canvas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rect {
    /// From the left edge.
    pub left: usize,
    /// From the upper edge.
    pub top: usize,
    /// Samples in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Rect {
    /// One of that place and size.
    #[must_use]
    pub const fn new(left: usize, top: usize, width: usize, height: usize) -> Self {
        Self { left, top, width, height }
    }

    /// The first column to the right of it.
    #[must_use]
    pub const fn right(&self) -> usize {
        self.left + self.width
    }

    /// The first row below it.
    #[must_use]
    pub const fn bottom(&self) -> usize {
        self.top + self.height
    }

    /// It has no sample.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.width == 0 || self.height == 0
    }

    /// What both have; None when that is nothing.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Option<Self> {
        let (left, top) = (self.left.max(other.left), self.top.max(other.top));
        let (right, bottom) = (self.right().min(other.right()), self.bottom().min(other.bottom()));
        (left < right && top < bottom).then(|| Self::new(left, top, right - left, bottom - top))
    }

    /// All of the other lies within it.
    #[must_use]
    pub const fn holds(&self, other: &Self) -> bool {
        self.left <= other.left
            && self.top <= other.top
            && self.right() >= other.right()
            && self.bottom() >= other.bottom()
    }

    /// Another, whose place is given from the upper left corner of this one, on the canvas.
    #[must_use]
    pub const fn within(&self, inner: Self) -> Self {
        Self::new(self.left + inner.left, self.top + inner.top, inner.width, inner.height)
    }

    /// The same on a plane of chroma, whose width and height are half. All four numbers are even.
    #[must_use]
    pub const fn halved(&self) -> Self {
        Self::new(self.left / 2, self.top / 2, self.width / 2, self.height / 2)
    }
}

/// The largest rectangle of that aspect (width by height) in the middle of a box, with even edges.
pub(crate) fn centred(within: Rect, aspect: f64) -> Rect {
    let (width, height) = (within.width as f64, within.height as f64);
    let (width, height) = (width.min(height * aspect), height.min(width / aspect));
    // Within one sample of the box is the box: a bar of one sample looks like a mistake.
    let even = |length: f64, most: usize| {
        if length + 1.0 >= most as f64 { most & !1 } else { (length as usize & !1).max(2) }
    };
    let (width, height) = (even(width, within.width), even(height, within.height));
    let middle = |from: usize, room: usize, length: usize| (from + room.saturating_sub(length) / 2) & !1;
    Rect::new(middle(within.left, within.width, width), middle(within.top, within.height, height), width, height)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_that_only_touch_have_nothing_in_common() {
        let one = Rect::new(0, 0, 10, 10);
        assert_eq!(one.meet(&Rect::new(10, 0, 4, 4)), None);
        assert_eq!(one.meet(&Rect::new(8, 6, 10, 10)), Some(Rect::new(8, 6, 2, 4)));
        assert!(one.holds(&Rect::new(8, 6, 2, 4)) && !one.holds(&Rect::new(8, 6, 3, 4)));
    }

    #[test]
    fn a_picture_stands_in_the_middle_of_its_box() {
        assert_eq!(centred(Rect::new(0, 0, 1280, 720), 16.0 / 9.0), Rect::new(0, 0, 1280, 720));
        assert_eq!(centred(Rect::new(0, 0, 1280, 720), 4.0 / 3.0), Rect::new(160, 0, 960, 720));
        assert_eq!(centred(Rect::new(10, 10, 320, 320), 16.0 / 9.0), Rect::new(10, 80, 320, 180));
    }
}
