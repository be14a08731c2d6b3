//! Whether a decoder could show a frame, told from the frame counters: a frame is of no use when
//! one that it refers to is missing.

use super::FrameInfo;

/// Follows the frames of one stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Continuity {
    /// The last frame that could be shown; none before the first keyframe and after a loss.
    last: Option<FrameInfo>,
}

impl Continuity {
    /// Takes the next frame; whether it can be shown. Once one can't, none can before a keyframe,
    /// unless only frames of higher temporal layers are missing.
    pub fn accept(&mut self, info: FrameInfo, is_keyframe: bool) -> bool {
        let follows = is_keyframe || self.last.is_some_and(|last| follows(last, info));
        if follows {
            // A frame of a higher layer leaves the count of the lowest as it was.
            self.last = Some(info);
        } else if info.temporal.unwrap_or(0) == 0 {
            self.last = None;
        }
        follows
    }

    /// Packets are lost for good. Where frames are counted the next one tells whether that matters;
    /// where they are not, it has to be taken for a frame that others refer to.
    pub fn lose(&mut self) {
        self.last = self.last.filter(|last| last.picture_id.is_some() || last.tl0_pic_idx.is_some());
    }

    /// Whether nothing can be shown before a keyframe comes.
    #[must_use]
    pub const fn needs_keyframe(&self) -> bool {
        self.last.is_none()
    }
}

fn follows(last: FrameInfo, info: FrameInfo) -> bool {
    let is_next_picture = match (last.picture_id, info.picture_id) {
        (Some(last), Some(this)) => Some(is_next(last, this)),
        _ => None,
    };
    match (last.tl0_pic_idx, info.tl0_pic_idx, info.temporal) {
        (Some(last), Some(this), Some(0)) => this == last.wrapping_add(1),
        (Some(last), Some(this), Some(_)) => this == last && (info.is_sync || is_next_picture != Some(false)),
        _ => is_next_picture != Some(false),
    }
}

/// Counters of 15 bits and of 7 wrap at their own ends.
fn is_next(last: u16, this: u16) -> bool {
    this == (last + 1) & 0x7FFF || (last == 0x7F && this == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(picture_id: u16, tl0: u8, temporal: u8, is_sync: bool) -> FrameInfo {
        FrameInfo { picture_id: Some(picture_id), tl0_pic_idx: Some(tl0), temporal: Some(temporal), is_sync }
    }

    #[test]
    fn nothing_is_shown_before_a_keyframe() {
        let mut stream = Continuity::default();
        assert!(!stream.accept(frame(5, 1, 0, false), false));
        assert!(stream.needs_keyframe());
        assert!(stream.accept(frame(6, 2, 0, false), true));
        assert!(stream.accept(frame(7, 2, 2, true), false));
    }

    #[test]
    fn lost_frames_of_the_lowest_layer_stop_the_picture_until_a_keyframe() {
        let mut stream = Continuity::default();
        assert!(stream.accept(frame(0x7FFF, 255, 0, false), true));
        assert!(stream.accept(frame(0, 255, 2, true), false));
        assert!(!stream.accept(frame(5, 1, 0, false), false), "0 was lost");
        assert!(!stream.accept(frame(6, 1, 2, true), false));
        assert!(stream.accept(frame(9, 2, 0, false), true));
    }

    #[test]
    fn lost_frames_of_higher_layers_stop_nothing_below_them() {
        let mut stream = Continuity::default();
        assert!(stream.accept(frame(0, 0, 0, false), true));
        // Picture 1 (layer 2) is lost; 2 is of layer 1 and needs 0 alone; 3 needs 2.
        assert!(stream.accept(frame(2, 0, 1, true), false));
        assert!(stream.accept(frame(3, 0, 2, false), false));
        assert!(stream.accept(frame(4, 1, 0, false), false));
        assert!(!stream.accept(frame(7, 1, 2, false), false), "6, which it needs, was lost");
        assert!(stream.accept(frame(8, 2, 0, false), false));
    }

    #[test]
    fn where_frames_are_not_counted_a_loss_stops_the_picture() {
        let mut stream = Continuity::default();
        assert!(stream.accept(FrameInfo::default(), true));
        assert!(stream.accept(FrameInfo::default(), false));
        stream.lose();
        assert!(stream.needs_keyframe());
        assert!(!stream.accept(FrameInfo::default(), false));
        assert!(stream.accept(frame(5, 1, 0, false), true));
        stream.lose();
        assert!(stream.accept(frame(6, 2, 0, false), false), "it was not a frame of this stream's");
    }

    #[test]
    fn without_temporal_layers_every_picture_counts() {
        let plain = |picture_id| FrameInfo { picture_id: Some(picture_id), ..FrameInfo::default() };
        let mut stream = Continuity::default();
        assert!(stream.accept(plain(126), true));
        assert!(stream.accept(plain(127), false));
        assert!(stream.accept(plain(0), false));
        assert!(!stream.accept(plain(2), false));
    }
}
