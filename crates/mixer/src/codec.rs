//! What a decoder and an encoder are to the mixer. The crate `codec` has them.

use crate::picture::View;

/// Why a codec could not do what it was asked. It goes on with the next frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// What came is no frame of this codec, or depends on one that is missing: ask its sender for a
    /// keyframe.
    #[error("a frame that cannot be decoded: {0}")]
    Frame(String),
    /// What was asked is beyond the codec, such as a size.
    #[error("beyond the codec: {0}")]
    Unfit(String),
    /// The codec itself is at fault. It has to be made anew.
    #[error("the codec failed: {0}")]
    Failed(String),
}

/// Decodes the pictures of one source.
pub trait VideoDecoder: Send {
    /// Takes one encoded frame, and gives the picture if there is one to show. Never panics,
    /// whatever the bytes.
    ///
    /// # Errors
    /// When there is none because the frame, or one that it depends on, is damaged or missing.
    fn decode(&mut self, frame: &[u8]) -> Result<Option<View<'_>>, CodecError>;
}

/// Which macroblocks (16 × 16 samples of luma) differ from the picture before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveMap {
    columns: usize,
    rows: usize,
    cells: Vec<u8>,
}

impl ActiveMap {
    /// The side of a macroblock, in samples of luma.
    pub const BLOCK: usize = 16;

    /// A map for a picture of that size, with nothing active.
    #[must_use]
    pub fn new(width: usize, height: usize) -> Self {
        let (columns, rows) = (width.div_ceil(Self::BLOCK), height.div_ceil(Self::BLOCK));
        Self { columns, rows, cells: vec![0; columns * rows] }
    }

    /// Macroblocks in a row.
    #[must_use]
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// Rows of macroblocks.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// A byte for each macroblock, row after row: 1 where it is active.
    #[must_use]
    pub fn cells(&self) -> &[u8] {
        &self.cells
    }

    /// Nothing is active any more.
    pub fn clear(&mut self) {
        self.cells.fill(0);
    }

    /// Everything is active.
    pub fn fill(&mut self) {
        self.cells.fill(1);
    }

    /// What is active in another map of the same size is so here too.
    pub fn merge(&mut self, other: &Self) {
        for (own, other) in self.cells.iter_mut().zip(&other.cells) {
            *own |= other;
        }
    }

    /// Whatever this part of the picture touches is active. What lies outside is left out.
    pub fn mark(&mut self, left: usize, top: usize, width: usize, height: usize) {
        if width == 0 || height == 0 {
            return;
        }
        let last = |from: usize, length: usize| from.saturating_add(length - 1) / Self::BLOCK;
        let columns = left / Self::BLOCK..=last(left, width).min(self.columns.saturating_sub(1));
        for row in top / Self::BLOCK..=last(top, height).min(self.rows.saturating_sub(1)) {
            for column in columns.clone() {
                self.cells[row * self.columns + column] = 1;
            }
        }
    }

    /// How many macroblocks are active.
    #[must_use]
    pub fn count(&self) -> usize {
        self.cells.iter().map(|cell| usize::from(*cell)).sum()
    }
}

/// What one picture's encoding is to be like.
#[derive(Clone, Copy, Debug, Default)]
pub struct EncodeWish<'a> {
    /// It has to be a keyframe.
    pub keyframe: bool,
    /// When it is shown, in units of 1/90 000 s, growing.
    pub timestamp: u64,
    /// How long, in the same units.
    pub duration: u64,
    /// All else is as it was in the picture before. Not every codec makes use of it.
    pub active: Option<&'a ActiveMap>,
}

/// What came of one picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodedVideo {
    /// It depends on no other.
    pub keyframe: bool,
    /// 0 is the base; a frame depends on frames of its own layer and of those below.
    pub temporal_layer: u8,
    /// It depends on frames of lower layers alone, or on none; so a receiver that has left out
    /// frames of this layer may take them up from here on (RFC 7741 §4.2, Y).
    pub layer_sync: bool,
}

/// Encodes one rendition.
pub trait VideoEncoder: Send {
    /// Encodes a picture of the size that the encoder was made for, onto the end of `out`. None
    /// when the encoder has left the picture out to keep its bit rate.
    ///
    /// # Errors
    /// When the size is another, or the codec fails.
    fn encode(
        &mut self,
        picture: &View<'_>,
        wish: &EncodeWish<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Option<EncodedVideo>, CodecError>;

    /// Whether the last picture, encoded once more, would come out no better.
    fn has_settled(&self) -> bool {
        true
    }

    /// From the next picture on, in bits per second.
    ///
    /// # Errors
    /// When the codec does not take that.
    fn set_bitrate(&mut self, bits_per_second: u32) -> Result<(), CodecError>;
}

/// Samples per second of all sound in the mixer.
pub const SAMPLE_RATE: u32 = 48_000;

/// Decodes the sound of one source, at [`SAMPLE_RATE`]. Samples are from −1 to 1; those of several
/// channels alternate.
pub trait SoundDecoder: Send {
    /// How many channels come out.
    fn channels(&self) -> usize;

    /// Takes a packet; says how many samples per channel came out at the beginning of `out`.
    ///
    /// # Errors
    /// When the packet is damaged, or `out` too short.
    fn decode(&mut self, packet: &[u8], out: &mut [f32]) -> Result<usize, CodecError>;

    /// Makes up for a lost packet with what the next one has of it (in-band FEC): fills `out`.
    ///
    /// # Errors
    /// As above.
    fn decode_fec(&mut self, next: &[u8], out: &mut [f32]) -> Result<usize, CodecError>;

    /// Makes up for a lost packet of which nothing is known (concealment): fills `out`.
    ///
    /// # Errors
    /// When the codec fails.
    fn conceal(&mut self, out: &mut [f32]) -> Result<usize, CodecError>;
}

/// Encodes sound at [`SAMPLE_RATE`].
pub trait SoundEncoder: Send {
    /// How many channels go in.
    fn channels(&self) -> usize;

    /// Encodes 20 ms onto the end of `out`.
    ///
    /// # Errors
    /// When it is not 20 ms, or the codec fails.
    fn encode(&mut self, samples: &[f32], out: &mut Vec<u8>) -> Result<(), CodecError>;

    /// How much loss, in percent, the packets should be proof against.
    ///
    /// # Errors
    /// When the codec does not take that.
    fn set_expected_loss(&mut self, percent: u8) -> Result<(), CodecError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_change_touches_is_active() {
        let mut map = ActiveMap::new(100, 40);
        assert_eq!((map.columns(), map.rows(), map.count()), (7, 3, 0));
        map.mark(15, 0, 2, 17);
        assert_eq!(map.cells()[..3], [1, 1, 0]);
        assert_eq!(map.cells()[7..10], [1, 1, 0]);
        assert_eq!(map.count(), 4);
        let mut other = ActiveMap::new(100, 40);
        other.mark(0, 32, 20, 1);
        map.merge(&other);
        assert_eq!((map.count(), &map.cells()[14..17]), (6, &[1, 1, 0][..]));
        map.fill();
        assert_eq!(map.count(), 21);
        map.clear();
        map.mark(96, 32, 1000, usize::MAX);
        map.mark(500, 500, 1, 1);
        map.mark(0, 0, 0, 5);
        assert_eq!(map.count(), 1, "what lies outside is left out");
    }
}
