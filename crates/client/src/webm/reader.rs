//! A WebM file as clips, one for each track that can be published.

use std::{io::Cursor, time::Duration};

use matroska_demuxer::{DemuxError, Frame, MatroskaFile, TrackEntry};

use crate::clip::{Clip, Codec, Meter, Size};

/// Why a file can't be published.
#[derive(Debug, thiserror::Error)]
pub enum InvalidWebm {
    /// It can't be read as WebM.
    #[error("the WebM file can't be read: {0}")]
    Broken(#[from] DemuxError),
    /// It has no track in a codec that we know.
    #[error("the WebM file has no VP8, VP9 or Opus track with a frame in it")]
    Empty,
}

impl Clip {
    /// Reads a whole WebM file: its tracks in VP8, VP9 and Opus, at most one of sound and one of
    /// picture, the first of each.
    ///
    /// # Errors
    /// When it is no WebM file, or has no such track.
    pub fn from_webm(bytes: &[u8]) -> Result<Vec<Self>, InvalidWebm> {
        let mut file = MatroskaFile::open(Cursor::new(bytes))?;
        let mut clips: Vec<(u64, Self)> = Vec::new();
        for track in file.tracks() {
            let Some(clip) = clip(track) else { continue };
            let is_sound = clip.codec == Codec::Opus;
            if clips.iter().all(|(_, other)| (other.codec == Codec::Opus) != is_sound) {
                clips.push((track.track_number().get(), clip));
            }
        }
        let tick = file.info().timestamp_scale().get();
        let mut frame = Frame::default();
        let mut meter = Meter::new();
        while file.next_frame(&mut frame)? {
            if let Some((_, clip)) = clips.iter_mut().find(|(track, _)| *track == frame.track) {
                let level = if clip.codec == Codec::Opus { meter.measure(&frame.data) } else { None };
                clip.push(Duration::from_nanos(frame.timestamp.saturating_mul(tick)), level, &frame.data);
            }
        }
        let clips: Vec<Self> = clips.into_iter().map(|(_, clip)| clip).filter(|clip| !clip.is_empty()).collect();
        if clips.is_empty() { Err(InvalidWebm::Empty) } else { Ok(clips) }
    }
}

fn clip(track: &TrackEntry) -> Option<Clip> {
    let codec = match track.codec_id() {
        "V_VP8" => Codec::Vp8,
        "V_VP9" => Codec::Vp9,
        "A_OPUS" => Codec::Opus,
        _ => return None,
    };
    let side = |side: u64| u32::try_from(side).unwrap_or_default();
    let size = track.video().map_or_else(Size::default, |video| Size {
        width: side(video.pixel_width().get()),
        height: side(video.pixel_height().get()),
    });
    Some(Clip::new(codec, size))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(tail in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut file = vec![0x1A, 0x45, 0xDF, 0xA3];
            file.extend_from_slice(&tail);
            prop_assert!(Clip::from_webm(&file).is_err());
        }
    }
}
