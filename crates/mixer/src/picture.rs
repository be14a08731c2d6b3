//! Pictures in I420: a plane of luma and two of chroma at half the width and height, eight bits a
//! sample, BT.601 in limited range (luma 16 to 235, chroma around 128), as WebRTC has them.

/// One plane of somebody's picture. Rows are `stride` bytes apart.
#[derive(Clone, Copy, Debug)]
pub struct Plane<'a> {
    data: &'a [u8],
    stride: usize,
    width: usize,
    height: usize,
}

impl<'a> Plane<'a> {
    /// None when `data` is too short for the rows, or a row is longer than the stride.
    #[must_use]
    pub fn new(data: &'a [u8], stride: usize, width: usize, height: usize) -> Option<Self> {
        let last = height.checked_sub(1)?.checked_mul(stride)?.checked_add(width)?;
        (width > 0 && width <= stride && last <= data.len()).then_some(Self { data, stride, width, height })
    }

    /// Samples in a row.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    #[must_use]
    pub const fn height(&self) -> usize {
        self.height
    }

    /// Bytes from one row to the next.
    #[must_use]
    pub const fn stride(&self) -> usize {
        self.stride
    }

    /// All bytes, from the first sample of the first row on.
    #[must_use]
    pub const fn data(&self) -> &'a [u8] {
        self.data
    }

    /// The samples of a row; empty below the last.
    #[must_use]
    pub fn row(&self, row: usize) -> &'a [u8] {
        let from = row * self.stride;
        if row < self.height { &self.data[from..from + self.width] } else { &[] }
    }
}

/// A picture that somebody else holds, such as a decoder: luma, then the two of chroma.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    planes: [Plane<'a>; 3],
}

impl<'a> View<'a> {
    /// None when the sizes of the planes don't fit each other. Chroma of an odd size is rounded up.
    #[must_use]
    pub fn new(planes: [Plane<'a>; 3]) -> Option<Self> {
        let [luma, chroma @ ..] = &planes;
        let half = (luma.width.div_ceil(2), luma.height.div_ceil(2));
        chroma.iter().all(|plane| (plane.width, plane.height) == half).then_some(Self { planes })
    }

    /// In samples of luma.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.planes[0].width
    }

    /// In samples of luma.
    #[must_use]
    pub const fn height(&self) -> usize {
        self.planes[0].height
    }

    /// Luma, and the two of chroma (blue, red).
    #[must_use]
    pub const fn planes(&self) -> &[Plane<'a>; 3] {
        &self.planes
    }
}

/// A picture of our own. Rows are as long as the picture is wide, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    planes: [Vec<u8>; 3],
}

impl Picture {
    /// All black. Sizes of 0 become 1.
    #[must_use]
    pub fn new(width: usize, height: usize) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        let chroma = width.div_ceil(2) * height.div_ceil(2);
        Self { width, height, planes: [vec![16; width * height], vec![128; chroma], vec![128; chroma]] }
    }

    /// In samples of luma.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// In samples of luma.
    #[must_use]
    pub const fn height(&self) -> usize {
        self.height
    }

    /// Width and height of a plane: 0 is luma, 1 and 2 are chroma.
    #[must_use]
    pub const fn size_of(&self, plane: usize) -> (usize, usize) {
        if plane == 0 { (self.width, self.height) } else { (self.width.div_ceil(2), self.height.div_ceil(2)) }
    }

    /// The samples of a plane, row after row.
    #[must_use]
    pub fn plane(&self, plane: usize) -> &[u8] {
        &self.planes[plane]
    }

    /// The same, to be drawn on.
    pub fn plane_mut(&mut self, plane: usize) -> &mut [u8] {
        &mut self.planes[plane]
    }

    /// Becomes a copy of another, of whatever size.
    pub fn copy_from(&mut self, view: &View<'_>) {
        (self.width, self.height) = (view.width(), view.height());
        for (own, plane) in self.planes.iter_mut().zip(view.planes()) {
            own.clear();
            (0..plane.height()).for_each(|row| own.extend_from_slice(plane.row(row)));
        }
    }

    /// All of it.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        let plane = |index: usize| {
            let (width, height) = self.size_of(index);
            Plane { data: &self.planes[index], stride: width, width, height }
        };
        View { planes: [plane(0), plane(1), plane(2)] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plane_has_all_the_bytes_that_its_rows_need() {
        let bytes = [0; 20];
        assert!(Plane::new(&bytes, 8, 4, 3).is_some(), "the last row needs no padding");
        assert!(Plane::new(&bytes, 8, 5, 3).is_none());
        assert!(Plane::new(&bytes, 3, 4, 1).is_none(), "rows that overlap");
        assert!(Plane::new(&bytes, 8, 4, 0).is_none());
        assert!(Plane::new(&bytes, usize::MAX, 4, 3).is_none());
    }

    #[test]
    fn a_view_has_planes_that_fit_each_other() {
        let bytes = [0; 64];
        let plane = |width, height| Plane::new(&bytes, width, width, height).expect("enough bytes");
        assert!(View::new([plane(5, 3), plane(3, 2), plane(3, 2)]).is_some(), "odd sizes round up");
        assert!(View::new([plane(5, 3), plane(2, 2), plane(3, 2)]).is_none());
    }

    #[test]
    fn a_copy_is_equal_and_has_no_padding() {
        let bytes: Vec<u8> = (0..64).collect();
        let plane = |width, height| Plane::new(&bytes, 8, width, height).expect("enough bytes");
        let view = View::new([plane(4, 2), plane(2, 1), plane(2, 1)]).expect("sizes that fit");
        let mut picture = Picture::new(1, 1);
        picture.copy_from(&view);
        assert_eq!(picture.plane(0), [0, 1, 2, 3, 8, 9, 10, 11]);
        assert_eq!(picture.plane(2), [0, 1]);
        assert_eq!(picture.view().planes()[0].row(1), [8, 9, 10, 11]);
    }
}
