//! The decoder's part: frames in, the newest picture out.

use std::sync::Arc;

use madang_mixer::{
    codec::{CodecError, VideoDecoder},
    picture::Picture,
};

use super::Codecs;
use crate::session::VideoCodec;

/// A source's decoder, and what it is to decode.
pub(super) struct DecodeWork {
    pub(super) source: usize,
    /// The source is named anew for another track or another codec: what is late belongs to none.
    pub(super) generation: u64,
    codecs: Arc<dyn Codecs>,
    codec: VideoCodec,
    decoder: Option<Box<dyn VideoDecoder>>,
    pub(super) frames: Vec<Vec<u8>>,
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
    pub(super) fn new(source: usize, generation: u64, codecs: Arc<dyn Codecs>, codec: VideoCodec) -> Self {
        Self {
            source,
            generation,
            codecs,
            codec,
            decoder: None,
            frames: Vec::new(),
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
            if is_last || self.picture.is_none() {
                let mut picture =
                    self.picture.take().or_else(|| self.spare.take()).unwrap_or_else(|| Picture::new(1, 1));
                picture.copy_from(&view);
                self.picture = Some(picture);
            }
        }
        Ok(())
    }
}
