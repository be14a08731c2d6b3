//! Frames that are damaged on their way, or were never any.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::{decode, fair, ivf, stream};
use madang_codec::h264::{H264Encoder, H264Settings};
use madang_codec::opus::{OpusDecoder, OpusEncoder, OpusSettings};
use madang_codec::vpx::{Vp8Encoder, Vp8Settings};
use madang_codec::{PictureLimit, VideoCodec, make_decoder};
use madang_mixer::codec::{SoundDecoder, SoundEncoder};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// Sixteen frames, of which the first is a keyframe.
fn frames(codec: VideoCodec) -> Vec<Vec<u8>> {
    let (width, height) = (176, 96);
    let owned = |file: &[u8]| ivf(file).into_iter().map(<[u8]>::to_vec).collect();
    let bytes = |frames: Vec<common::Frame>| frames.into_iter().map(|frame| frame.bytes).collect();
    match codec {
        VideoCodec::Vp8 => {
            let settings = Vp8Settings { drop_frames: false, ..Vp8Settings::new(width, height, 300_000) };
            bytes(stream(&mut Vp8Encoder::new(settings).unwrap(), width, height, 16))
        }
        VideoCodec::H264 => {
            let settings = H264Settings { drop_frames: false, ..H264Settings::new(width, height, 300_000) };
            bytes(stream(&mut H264Encoder::new(settings).unwrap(), width, height, 16))
        }
        VideoCodec::Vp9 => owned(include_bytes!("fixtures/vp9.ivf")),
        VideoCodec::Av1 => owned(include_bytes!("fixtures/av1.ivf")),
    }
}

/// Cuts it off, flips bits, replaces a stretch, or makes it all up.
fn damage(frame: &[u8], random: &mut SmallRng) -> Vec<u8> {
    let mut bytes = frame.to_vec();
    match random.random_range(0..5) {
        0 => bytes.truncate(random.random_range(0..bytes.len())),
        1 => (0..random.random_range(1..8)).for_each(|_| {
            let at = random.random_range(0..bytes.len());
            bytes[at] ^= 1 << random.random_range(0..8);
        }),
        // Headers are where it hurts.
        2 => {
            let at = random.random_range(0..bytes.len().min(40));
            bytes[at] = random.random();
        }
        3 => {
            let from = random.random_range(0..bytes.len());
            bytes[from..].iter_mut().take(60).for_each(|byte| *byte = random.random());
        }
        _ => {
            let kept = random.random_range(0..bytes.len().min(16));
            bytes[kept..].iter_mut().for_each(|byte| *byte = random.random());
        }
    }
    bytes
}

fn survives(codec: VideoCodec, seed: u64, rounds: usize) {
    let frames = frames(codec);
    let limit = PictureLimit { side: 512, samples: 512 * 512 };
    let clean = decode(&mut *make_decoder(codec, limit).unwrap(), &frames[0]);
    let mut random = SmallRng::seed_from_u64(seed);
    let mut decoder = make_decoder(codec, limit).unwrap();
    let (mut refused, mut shown) = (0, 0);
    for round in 0..rounds {
        let case = format!("{codec:?}, seed {seed}, round {round}");
        let again = decode(&mut *decoder, &frames[0]);
        assert_eq!(again, clean, "{case}: a keyframe comes out as ever");
        let mut broken = false;
        for frame in &frames[random.random_range(0..2)..random.random_range(2..6)] {
            let whole = random.random_bool(0.4);
            let bytes = if whole { frame } else { &damage(frame, &mut random) };
            match decoder.decode(bytes) {
                Ok(Some(view)) => {
                    assert!(view.width() <= 512 && view.height() <= 512, "{case}");
                    assert!(
                        !broken || !whole || frame == &frames[0],
                        "{case}: shown though it depends on a damaged one"
                    );
                    (broken, shown) = (false, shown + 1);
                }
                Ok(None) => {}
                Err(error) => {
                    assert!(fair(&error), "{case}: {error}");
                    (broken, refused) = (true, refused + 1);
                }
            }
        }
    }
    assert!(refused > rounds / 3 && shown > rounds / 3, "{codec:?}: {refused} refused, {shown} shown");
}

#[test]
fn a_vp8_keyframe_decodes_after_any_damage() {
    survives(VideoCodec::Vp8, 1, 2000);
}

#[test]
fn a_vp9_keyframe_decodes_after_any_damage() {
    survives(VideoCodec::Vp9, 2, 2000);
}

#[test]
fn an_h264_keyframe_decodes_after_any_damage() {
    survives(VideoCodec::H264, 3, 4000);
}

#[test]
fn an_av1_keyframe_decodes_after_any_damage() {
    survives(VideoCodec::Av1, 4, 2000);
}

#[test]
fn no_frame_of_another_codec_is_decoded_and_none_at_all() {
    for codec in VideoCodec::ALL {
        let mut decoder = make_decoder(codec, PictureLimit::default()).unwrap();
        assert!(fair(&decoder.decode(&[]).unwrap_err()), "{codec:?}");
        for other in VideoCodec::ALL.into_iter().filter(|other| *other != codec) {
            for frame in frames(other) {
                assert!(!matches!(decoder.decode(&frame), Ok(Some(_))), "{codec:?} shows {other:?}");
            }
        }
    }
}

#[test]
fn opus_survives_any_damage() {
    let mut random = SmallRng::seed_from_u64(5);
    let mut encoder = OpusEncoder::new(OpusSettings::stereo()).unwrap();
    let mut decoder = OpusDecoder::new(2).unwrap();
    let mut out = vec![0.0; 5760 * 2];
    let mut refused = 0;
    for _ in 0..3000 {
        let samples: Vec<f32> = (0..1920).map(|_| random.random_range(-0.5..0.5)).collect();
        let mut packet = Vec::new();
        encoder.encode(&samples, &mut packet).unwrap();
        let damaged = damage(&packet, &mut random);
        let result = if random.random_bool(0.2) {
            decoder.decode_fec(&damaged, &mut out[..1920])
        } else {
            decoder.decode(&damaged, &mut out)
        };
        match result {
            Ok(count) => assert!(out[..2 * count].iter().all(|sample| sample.is_finite())),
            Err(error) => {
                assert!(fair(&error), "{error}");
                refused += 1;
            }
        }
        assert_eq!(decoder.decode(&packet, &mut out).unwrap(), 960);
    }
    assert!(refused > 10, "{refused}");
}
