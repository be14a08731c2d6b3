//! What a payload tells of its frame, whatever the codec.

use crate::{clip::Codec, vp8, vp9};

/// What the payload descriptor of a frame's first packet tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameInfo {
    /// Counts frames, where the codec does so.
    pub picture_id: Option<u16>,
    /// Counts frames of the lowest temporal layer.
    pub tl0_pic_idx: Option<u8>,
    /// The temporal layer.
    pub temporal: Option<u8>,
    /// Whether it depends on the lowest temporal layer alone.
    pub is_sync: bool,
}

/// One packet's piece of a frame.
pub(crate) struct Piece<'a> {
    pub(crate) starts_frame: bool,
    pub(crate) info: FrameInfo,
    pub(crate) data: &'a [u8],
}

/// Takes the descriptor off a payload. `None` when it is malformed.
pub(crate) fn unpack(codec: Codec, payload: &[u8]) -> Option<Piece<'_>> {
    match codec {
        Codec::Opus => Some(Piece { starts_frame: true, info: FrameInfo::default(), data: payload }),
        Codec::Vp8 => {
            let (descriptor, data) = vp8::Descriptor::parse(payload)?;
            let info = FrameInfo {
                picture_id: descriptor.picture_id,
                tl0_pic_idx: descriptor.tl0_pic_idx,
                temporal: descriptor.temporal.map(|temporal| temporal.layer),
                is_sync: descriptor.temporal.is_some_and(|temporal| temporal.is_sync),
            };
            Some(Piece { starts_frame: descriptor.starts_frame(), info, data })
        }
        Codec::Vp9 => {
            let (descriptor, data) = vp9::Descriptor::parse(payload)?;
            let info =
                FrameInfo { picture_id: descriptor.picture_id, temporal: descriptor.temporal, ..FrameInfo::default() };
            let is_base = descriptor.spatial.unwrap_or(0) == 0;
            Some(Piece { starts_frame: descriptor.starts_frame && is_base, info, data })
        }
    }
}
