//! Payload types, as offer and answer have agreed on them.

use smallvec::SmallVec;
use str0m::format::{Codec, PayloadParams};

use super::{Line, Session, VideoCodec};

/// Constrained baseline (RFC 6184 §8.1, `profile-level-id` without the level): what every decoder of
/// H.264 can.
const CONSTRAINED_BASELINE: u32 = 0x0042_E000;

impl Session {
    /// The codec of each payload type of video.
    #[must_use]
    pub fn video_types(&self) -> SmallVec<[(u8, VideoCodec); 8]> {
        let named = |params: &PayloadParams| Some((*params.pt(), video_codec(params.spec().codec)?));
        self.rtc.codec_config().params().iter().filter_map(named).collect()
    }

    /// The payload type in which a line sends pictures of a codec; `None` before the answer, and
    /// where the other end does not know the codec.
    #[must_use]
    pub fn video_type(&self, line: Line, codec: VideoCodec) -> Option<u8> {
        self.type_of(line, |params| video_codec(params.spec().codec) == Some(codec))
    }

    /// The payload type in which a line sends Opus.
    #[must_use]
    pub fn sound_type(&self, line: Line) -> Option<u8> {
        self.type_of(line, |params| params.spec().codec == Codec::Opus)
    }

    fn type_of(&self, line: Line, is_meant: impl Fn(&PayloadParams) -> bool) -> Option<u8> {
        let media = self.rtc.media(self.negotiation.line(line)?.mid)?;
        let agreed = |params: &&PayloadParams| media.remote_pts().contains(&params.pt());
        let meant = || self.rtc.codec_config().params().iter().filter(agreed).filter(|params| is_meant(params));
        let format = |params: &&PayloadParams| {
            let format = params.spec().format;
            let is_plain = format.profile_level_id.is_none_or(|id| id & 0x00FF_F000 == CONSTRAINED_BASELINE);
            is_plain && format.packetization_mode.is_none_or(|mode| mode == 1)
        };
        meant().find(format).or_else(|| meant().next()).map(|params| *params.pt())
    }
}

fn video_codec(codec: Codec) -> Option<VideoCodec> {
    match codec {
        Codec::Vp8 => Some(VideoCodec::Vp8),
        Codec::Vp9 => Some(VideoCodec::Vp9),
        Codec::H264 => Some(VideoCodec::H264),
        Codec::Av1 => Some(VideoCodec::Av1),
        _ => None,
    }
}
