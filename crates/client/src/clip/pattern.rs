//! The test picture: the same moving pattern in three sizes, as a browser's camera has them by
//! simulcast. `scripts/pattern-clips.sh` made the files.

use std::sync::{Arc, LazyLock};

use super::{Clip, Codec, Size};
use madang_media::frames::vp8::Temporal;

/// A size of the test picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Layer {
    /// 320 x 180, 150 kbit/s.
    Low,
    /// 640 x 360, 500 kbit/s.
    Middle,
    /// 1280 x 720, 1500 kbit/s.
    High,
}

impl Layer {
    /// From the smallest to the largest.
    pub const ALL: [Self; 3] = [Self::Low, Self::Middle, Self::High];

    /// The RID of a camera's layer, as the protocol names it.
    #[must_use]
    pub const fn rid(self) -> &'static str {
        match self {
            Self::Low => "l",
            Self::Middle => "m",
            Self::High => "h",
        }
    }

    /// The layer whose picture has that height.
    #[must_use]
    pub fn of_height(height: u32) -> Option<Self> {
        match height {
            180 => Some(Self::Low),
            360 => Some(Self::Middle),
            720 => Some(Self::High),
            _ => None,
        }
    }
}

static CLIPS: LazyLock<[Arc<Clip>; 3]> = LazyLock::new(|| {
    [
        load(include_bytes!("../../assets/pattern-180.ivf")),
        load(include_bytes!("../../assets/pattern-360.ivf")),
        load(include_bytes!("../../assets/pattern-720.ivf")),
    ]
});

/// The files are part of the program, and a test reads each.
fn load(file: &'static [u8]) -> Arc<Clip> {
    Arc::new(Clip::from_ivf(file).unwrap_or_else(|_| Clip::new(Codec::Vp8, Size::default())))
}

/// The test picture in one size: 4.27 s of VP8 at 30 frames/s, a keyframe in every 32.
#[must_use]
pub fn pattern(layer: Layer) -> Arc<Clip> {
    CLIPS[layer as usize].clone()
}

/// The place of a frame of the test picture among its temporal layers: 0 2 1 2, and so on.
#[must_use]
pub(crate) fn temporal(index: usize) -> Temporal {
    match index % 4 {
        0 => Temporal { layer: 0, is_sync: false },
        1 => Temporal { layer: 2, is_sync: true },
        2 => Temporal { layer: 1, is_sync: true },
        _ => Temporal { layer: 2, is_sync: false },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_size_is_a_clip_of_128_frames_whose_every_32nd_is_a_keyframe_of_that_size() {
        for (layer, width, height) in [(Layer::Low, 320, 180), (Layer::Middle, 640, 360), (Layer::High, 1280, 720)] {
            let clip = pattern(layer);
            assert_eq!((clip.codec, clip.size, clip.len()), (Codec::Vp8, Size { width, height }, 128));
            assert_eq!(clip.length().as_micros(), Duration::from_secs_f64(128.0 / 30.0).as_micros());
            assert_eq!(Layer::of_height(height), Some(layer));
            for index in 0..128 {
                let frame = clip.frame(index).expect("one of 128");
                assert_eq!(frame.is_keyframe, index % 32 == 0);
                assert_eq!(clip.codec.size(frame.data), frame.is_keyframe.then_some(clip.size));
            }
        }
    }

    #[test]
    fn keyframes_are_of_the_lowest_temporal_layer() {
        assert!((0..128).step_by(32).all(|index| temporal(index).layer == 0));
    }

    #[test]
    fn the_next_keyframe_is_found_over_the_end() {
        let clip = pattern(Layer::Low);
        assert_eq!([0, 1, 32, 97].map(|index| clip.keyframe_from(index)), [Some(0), Some(32), Some(32), Some(0)]);
    }
}
