//! What a payload tells of its frame, whatever the codec, and what it holds of it.

use super::{Codec, av1, h264, vp8, vp9};

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

/// Whether a packet begins a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begins {
    Yes,
    No,
    /// The format does not say: it does if the packet before it ended one.
    Perhaps,
}

/// Whether a payload begins a frame; `None` when it is malformed.
pub(super) fn begins(codec: Codec, payload: &[u8]) -> Option<Begins> {
    let told = |yes: bool| if yes { Begins::Yes } else { Begins::No };
    match codec {
        Codec::Opus => Some(Begins::Yes),
        Codec::Vp8 => vp8::Descriptor::parse(payload).map(|(descriptor, _)| told(descriptor.starts_frame())),
        Codec::Vp9 => vp9::Descriptor::parse(payload).map(|(descriptor, _)| {
            let is_base = descriptor.spatial.unwrap_or(0) == 0;
            told(descriptor.starts_frame && is_base)
        }),
        Codec::H264 => Some(h264::begins(payload)),
        Codec::Av1 => Some(av1::begins(payload)),
    }
}

/// What a frame's first payload tells.
pub(super) fn info(codec: Codec, payload: &[u8]) -> FrameInfo {
    match codec {
        Codec::Opus | Codec::H264 | Codec::Av1 => FrameInfo::default(),
        Codec::Vp8 => vp8::Descriptor::parse(payload).map_or(FrameInfo::default(), |(descriptor, _)| FrameInfo {
            picture_id: descriptor.picture_id,
            tl0_pic_idx: descriptor.tl0_pic_idx,
            temporal: descriptor.temporal.map(|temporal| temporal.layer),
            is_sync: descriptor.temporal.is_some_and(|temporal| temporal.is_sync),
        }),
        Codec::Vp9 => vp9::Descriptor::parse(payload).map_or(FrameInfo::default(), |(descriptor, _)| FrameInfo {
            picture_id: descriptor.picture_id,
            temporal: descriptor.temporal,
            ..FrameInfo::default()
        }),
    }
}

/// Puts the payloads of one frame together.
#[derive(Debug)]
pub(super) struct Joiner {
    codec: Codec,
    av1: av1::Joiner,
    out: Vec<u8>,
}

impl Joiner {
    pub(super) fn new(codec: Codec) -> Self {
        Self { codec, av1: av1::Joiner::default(), out: Vec::new() }
    }

    /// Appends what a payload holds; one that is malformed holds nothing.
    pub(super) fn append(&mut self, payload: &[u8]) {
        let Self { codec, av1, out } = self;
        match codec {
            Codec::Opus => out.extend_from_slice(payload),
            Codec::Vp8 => out.extend_from_slice(vp8::Descriptor::parse(payload).map_or(&[], |(_, data)| data)),
            Codec::Vp9 => out.extend_from_slice(vp9::Descriptor::parse(payload).map_or(&[], |(_, data)| data)),
            // What stands before the fault has been taken.
            Codec::H264 => h264::append(payload, out).unwrap_or_default(),
            Codec::Av1 => av1.append(payload, out).unwrap_or_default(),
        }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.out
    }
}
