//! Pictures that move, and how like each other two of them are.
#![allow(dead_code, clippy::unwrap_used, clippy::panic, reason = "each test takes its part")]

use madang_mixer::codec::{CodecError, EncodeWish, EncodedVideo, VideoDecoder, VideoEncoder};
use madang_mixer::picture::{Picture, View};

/// A slanted gradient with a pattern that wanders over it, two samples a picture.
pub(crate) fn moving(width: usize, height: usize, at: usize) -> Picture {
    let mut picture = Picture::new(width, height);
    for plane in 0..3 {
        let (columns, rows) = picture.size_of(plane);
        let scale = if plane == 0 { 1 } else { 2 };
        let side = columns.min(rows) / 2;
        let (left, top) = (2 * at / scale % (columns - side).max(1), at / scale % (rows - side).max(1));
        let samples = picture.plane_mut(plane);
        for (index, sample) in samples.iter_mut().enumerate() {
            let (x, y) = (index % columns, index / columns);
            let within = (left..left + side).contains(&x) && (top..top + side).contains(&y);
            *sample = if within {
                let checks = (x - left) / 4 + (y - top) / 4;
                if checks % 2 == 0 { 60 + 20 * plane as u8 } else { 200 - 20 * plane as u8 }
            } else {
                (40 + (x * 90 / columns) + (y * 60 / rows)) as u8
            };
        }
    }
    picture
}

/// Over all three planes, in decibels.
pub(crate) fn psnr(one: &View<'_>, other: &View<'_>) -> f64 {
    assert_eq!((one.width(), one.height()), (other.width(), other.height()));
    let (mut squares, mut count) = (0_u64, 0_u64);
    for (one, other) in one.planes().iter().zip(other.planes()) {
        for row in 0..one.height() {
            for (a, b) in one.row(row).iter().zip(other.row(row)) {
                squares += u64::from(a.abs_diff(*b)).pow(2);
                count += 1;
            }
        }
    }
    10.0 * (255.0 * 255.0 * count as f64 / (squares as f64).max(1.0)).log10()
}

pub(crate) fn copy(view: &View<'_>) -> Picture {
    let mut picture = Picture::new(1, 1);
    picture.copy_from(view);
    picture
}

/// One encoded picture.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) bytes: Vec<u8>,
    pub(crate) info: EncodedVideo,
}

pub(crate) const TICKS: u64 = 3000;

/// A wish for the picture of that number, 30 a second.
pub(crate) fn wish(at: usize, keyframe: bool) -> EncodeWish<'static> {
    EncodeWish { keyframe, timestamp: at as u64 * TICKS, duration: TICKS, active: None }
}

pub(crate) fn encode(encoder: &mut dyn VideoEncoder, picture: &Picture, wish: &EncodeWish<'_>) -> Option<Frame> {
    let mut bytes = vec![7];
    let info = encoder.encode(&picture.view(), wish, &mut bytes).unwrap();
    assert_eq!(bytes.remove(0), 7, "what was in the buffer stays");
    assert_eq!(info.is_none(), bytes.is_empty());
    info.map(|info| Frame { bytes, info })
}

/// A stream of the moving picture, all of them encoded.
pub(crate) fn stream(encoder: &mut dyn VideoEncoder, width: usize, height: usize, count: usize) -> Vec<Frame> {
    (0..count).map(|at| encode(encoder, &moving(width, height, at), &wish(at, false)).unwrap()).collect()
}

/// Bits per second of what moves fast, from that second on, over three.
pub(crate) fn per_second(encoder: &mut dyn VideoEncoder, from: usize) -> usize {
    let numbers = from * 30..(from + 3) * 30;
    let frames = numbers.filter_map(|at| encode(encoder, &moving(640, 360, 5 * at), &wish(at, false)));
    frames.map(|frame| frame.bytes.len() * 8).sum::<usize>() / 3
}

pub(crate) fn decode(decoder: &mut dyn VideoDecoder, bytes: &[u8]) -> Picture {
    copy(&decoder.decode(bytes).unwrap().unwrap())
}

/// What may be said of bytes from strangers.
pub(crate) fn fair(error: &CodecError) -> bool {
    matches!(error, CodecError::Frame(_) | CodecError::Unfit(_))
}

/// The frames of a file in IVF.
pub(crate) fn ivf(file: &[u8]) -> Vec<&[u8]> {
    let mut rest = &file[32..];
    let mut frames = Vec::new();
    while let Some((header, behind)) = rest.split_at_checked(12) {
        let length = u32::from_le_bytes(header[..4].try_into().unwrap()) as usize;
        let (frame, behind) = behind.split_at(length);
        frames.push(frame);
        rest = behind;
    }
    frames
}
