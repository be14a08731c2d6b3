//! The decoder's part: frames in, the newest picture out.

use std::sync::Arc;

use madang_mixer::{
    codec::{CodecError, VideoDecoder},
    picture::{Picture, View},
};

use super::Codecs;
use crate::{
    frames::Codec,
    session::{Orientation, VideoCodec},
};

/// A source's number, for another may have its key after it, and how often it has begun anew.
pub(super) type Generation = (u64, u64);

/// A source's decoder, and what it is to decode.
pub(super) struct DecodeWork {
    pub(super) source: usize,
    /// The source is named anew for another track or another codec: what is late belongs to none.
    pub(super) generation: Generation,
    codecs: Arc<dyn Codecs>,
    codec: VideoCodec,
    decoder: Option<Box<dyn VideoDecoder>>,
    pub(super) frames: Vec<Vec<u8>>,
    /// How the pictures are turned.
    pub(super) orientation: Option<Orientation>,
    /// A picture of before that nobody uses any more.
    pub(super) spare: Option<Picture>,
    /// The newest picture of these frames.
    pub(super) picture: Option<Picture>,
    /// Pictures that came out.
    pub(super) decoded: u32,
    /// A frame could not be decoded: a keyframe is needed.
    pub(super) fault: Option<CodecError>,
}

impl DecodeWork {
    pub(super) fn new(source: usize, generation: Generation, codecs: Arc<dyn Codecs>, codec: VideoCodec) -> Self {
        Self {
            source,
            generation,
            codecs,
            codec,
            decoder: None,
            frames: Vec::new(),
            orientation: None,
            spare: None,
            picture: None,
            decoded: 0,
            fault: None,
        }
    }

    pub(super) fn run(&mut self) {
        (self.fault, self.decoded, self.picture) = (None, 0, None);
        let last = self.frames.len().saturating_sub(1);
        for (index, frame) in std::mem::take(&mut self.frames).into_iter().enumerate() {
            if let Err(why) = self.decode(&frame, index == last) {
                // A failed decoder is made anew for the next keyframe.
                if matches!(why, CodecError::Failed(_)) {
                    self.decoder = None;
                }
                self.fault = Some(why);
            }
        }
    }

    /// Of several frames that came together only the last one's picture is worth the copy; but an
    /// earlier one is better than none.
    fn decode(&mut self, frame: &[u8], is_last: bool) -> Result<(), CodecError> {
        let decoder = match &mut self.decoder {
            Some(decoder) => decoder,
            empty => empty.insert(self.codecs.video_decoder(self.codec)?),
        };
        if let Some(view) = decoder.decode(frame)? {
            self.decoded += 1;
            // A picture without faults makes good what came before, if it refers to nothing of it.
            if Codec::from(self.codec).is_keyframe(frame) {
                self.fault = None;
            }
            if is_last || self.picture.is_none() {
                let mut picture =
                    self.picture.take().or_else(|| self.spare.take()).unwrap_or_else(|| Picture::new(1, 1));
                match self.orientation.map_or(0, Orientation::quarter_turns) {
                    0 => picture.copy_from(&view),
                    turns => picture = turned(&view, turns),
                }
                self.picture = Some(picture);
            }
        }
        Ok(())
    }
}

/// A picture turned clockwise by so many quarters.
fn turned(view: &View<'_>, quarters: u8) -> Picture {
    let lies = quarters % 2 == 1;
    let (width, height) = if lies { (view.height(), view.width()) } else { (view.width(), view.height()) };
    let mut picture = Picture::new(width, height);
    for (index, plane) in view.planes().iter().enumerate() {
        let (width, height) = picture.size_of(index);
        let (right, bottom) = (plane.width() - 1, plane.height() - 1);
        for (y, row) in picture.plane_mut(index).chunks_exact_mut(width).take(height).enumerate() {
            for (x, sample) in row.iter_mut().enumerate() {
                let (from_x, from_y) = match quarters {
                    1 => (y, bottom - x.min(bottom)),
                    2 => (right - x.min(right), bottom - y.min(bottom)),
                    _ => (right - y.min(right), x),
                };
                *sample = plane.row(from_y)[from_x];
            }
        }
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_turned_clockwise() {
        let mut upright = Picture::new(4, 2);
        upright.plane_mut(0).copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        upright.plane_mut(1).copy_from_slice(&[1, 2]);
        let luma = |quarters| {
            let picture = turned(&upright.view(), quarters);
            ((picture.width(), picture.height()), picture.plane(0).to_vec(), picture.plane(1).to_vec())
        };
        assert_eq!(luma(1), ((2, 4), vec![5, 1, 6, 2, 7, 3, 8, 4], vec![1, 2]));
        assert_eq!(luma(2), ((4, 2), vec![8, 7, 6, 5, 4, 3, 2, 1], vec![2, 1]));
        assert_eq!(luma(3), ((2, 4), vec![4, 8, 3, 7, 2, 6, 1, 5], vec![2, 1]));
    }

    #[test]
    fn odd_sizes_are_turned_too() {
        let odd = Picture::new(5, 3);
        for quarters in 1..4 {
            let picture = turned(&odd.view(), quarters);
            assert_eq!(picture.width() * picture.height(), 15);
        }
    }
}
