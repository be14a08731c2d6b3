//! H.264, there and back.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::{decode, encode, moving, per_second, psnr, stream, wish};
use madang_codec::h264::{H264Decoder, H264Encoder, H264Settings};
use madang_codec::{PictureLimit, VideoCodec, make_decoder};
use madang_mixer::codec::{CodecError, VideoDecoder, VideoEncoder};
use madang_mixer::picture::Picture;

const SIZE: (usize, usize) = (320, 180);

fn settings() -> H264Settings {
    H264Settings { drop_frames: false, ..H264Settings::new(SIZE.0, SIZE.1, 600_000) }
}

fn decoder() -> H264Decoder {
    H264Decoder::new(PictureLimit::default()).unwrap()
}

/// The types and `nal_ref_idc`s of the units of an access unit.
fn units(bytes: &[u8]) -> Vec<(u8, u8)> {
    let starts = (0..bytes.len().saturating_sub(3)).filter(|at| bytes[*at..at + 3] == [0, 0, 1]);
    starts.map(|at| (bytes[at + 3] & 0x1F, bytes[at + 3] >> 5)).collect()
}

#[test]
fn what_comes_out_is_like_what_went_in() {
    let mut encoder = H264Encoder::new(settings()).unwrap();
    let mut decoder = make_decoder(VideoCodec::H264, PictureLimit::default()).unwrap();
    for (at, frame) in stream(&mut encoder, SIZE.0, SIZE.1, 60).iter().enumerate() {
        assert_eq!(frame.info.keyframe, at == 0);
        let likeness = psnr(&moving(SIZE.0, SIZE.1, at).view(), &decode(&mut *decoder, &frame.bytes).view());
        assert!(likeness > 30.0, "picture {at}: {likeness} dB");
    }
}

#[test]
fn it_is_constrained_baseline_in_annex_b() {
    let frames = stream(&mut H264Encoder::new(settings()).unwrap(), SIZE.0, SIZE.1, 2);
    let types: Vec<u8> = units(&frames[0].bytes).iter().map(|unit| unit.0).collect();
    assert_eq!(types, [7, 8, 5]);
    // Baseline, with constraints 0 and 1 (RFC 6184 §8.1).
    assert_eq!((frames[0].bytes[5], frames[0].bytes[6] & 0xC0), (66, 0xC0));
    assert_eq!(units(&frames[1].bytes).iter().map(|unit| unit.0).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_keyframe_comes_when_it_is_wished_for_and_decodes_alone() {
    for temporal_layers in [1, 2] {
        let mut encoder = H264Encoder::new(H264Settings { temporal_layers, ..settings() }).unwrap();
        stream(&mut encoder, SIZE.0, SIZE.1, 6);
        for at in [6, 9] {
            let picture = moving(SIZE.0, SIZE.1, at);
            let frame = encode(&mut encoder, &picture, &wish(at, true)).unwrap();
            assert!(frame.info.keyframe && frame.info.temporal_layer == 0 && frame.info.layer_sync);
            assert!(psnr(&picture.view(), &decode(&mut decoder(), &frame.bytes).view()) > 28.0);
        }
    }
}

#[test]
fn the_base_layer_decodes_alone_and_to_the_same() {
    let mut encoder = H264Encoder::new(H264Settings { temporal_layers: 2, ..settings() }).unwrap();
    let frames = stream(&mut encoder, SIZE.0, SIZE.1, 40);
    let (mut all, mut base, mut late) = (decoder(), decoder(), decoder());
    for (at, frame) in frames.iter().enumerate() {
        assert_eq!(usize::from(frame.info.temporal_layer), at % 2);
        assert_eq!(frame.info.layer_sync, at == 0 || at % 2 == 1);
        assert_eq!(units(&frame.bytes).iter().all(|unit| unit.1 == 0), at % 2 == 1, "upper ones are no references");
        let whole = decode(&mut all, &frame.bytes);
        assert!(psnr(&moving(SIZE.0, SIZE.1, at).view(), &whole.view()) > 28.0);
        if at % 2 == 0 {
            assert_eq!(decode(&mut base, &frame.bytes), whole, "picture {at}");
        }
        if at % 2 == 0 || at > 20 {
            assert_eq!(decode(&mut late, &frame.bytes), whole, "picture {at}");
        }
    }
}

#[test]
fn the_bit_rate_is_kept_before_and_after_a_change() {
    for temporal_layers in [1, 2] {
        let mut encoder =
            H264Encoder::new(H264Settings { temporal_layers, ..H264Settings::new(640, 360, 900_000) }).unwrap();
        let before = per_second(&mut encoder, 0);
        assert!((500_000..1_100_000).contains(&before), "{before} bit/s");
        encoder.set_bitrate(300_000).unwrap();
        per_second(&mut encoder, 3);
        let after = per_second(&mut encoder, 6);
        assert!((150_000..390_000).contains(&after), "{after} bit/s");
    }
}

#[test]
fn pictures_are_left_out_only_where_that_is_allowed_and_no_keyframe_is() {
    for drop_frames in [true, false] {
        let mut encoder =
            H264Encoder::new(H264Settings { drop_frames, ..H264Settings::new(320, 180, 20_000) }).unwrap();
        let mut left_out = 0;
        for at in 0..90 {
            let frame = encode(&mut encoder, &moving(320, 180, 7 * at), &wish(at, at % 9 == 0));
            left_out += usize::from(frame.is_none());
            assert!(at % 9 != 0 || frame.is_some_and(|frame| frame.info.keyframe), "picture {at}");
        }
        assert_eq!(left_out > 0, drop_frames, "{left_out}");
    }
}

#[test]
fn every_setting_gives_a_stream_that_decodes() {
    for settings in [H264Settings { screen_content: true, ..settings() }, H264Settings { threads: 2, ..settings() }] {
        let mut decoder = decoder();
        for (at, frame) in stream(&mut H264Encoder::new(settings).unwrap(), SIZE.0, SIZE.1, 20).iter().enumerate() {
            let likeness = psnr(&moving(SIZE.0, SIZE.1, at).view(), &decode(&mut decoder, &frame.bytes).view());
            assert!(likeness > 24.0, "{settings:?}, picture {at}: {likeness} dB");
        }
    }
}

#[test]
fn settings_and_pictures_that_do_not_fit_are_refused() {
    let unfit = |settings| matches!(H264Encoder::new(settings), Err(CodecError::Unfit(_)));
    assert!(unfit(H264Settings { width: 321, ..settings() }));
    assert!(unfit(H264Settings { height: 8, ..settings() }));
    assert!(unfit(H264Settings { temporal_layers: 3, ..settings() }));
    assert!(unfit(H264Settings { bitrate: u32::MAX, ..settings() }));
    let mut encoder = H264Encoder::new(settings()).unwrap();
    let result = encoder.encode(&Picture::new(16, 16).view(), &wish(0, false), &mut Vec::new());
    assert!(matches!(result, Err(CodecError::Unfit(_))));
    assert!(matches!(encoder.set_bitrate(0), Err(CodecError::Unfit(_))));
}

#[test]
fn a_picture_beyond_the_limit_is_refused_and_a_smaller_one_after_it_decodes() {
    let mut decoder = H264Decoder::new(PictureLimit { side: 200, ..PictureLimit::default() }).unwrap();
    let frames = stream(&mut H264Encoder::new(settings()).unwrap(), SIZE.0, SIZE.1, 2);
    assert!(matches!(decoder.decode(&frames[0].bytes), Err(CodecError::Unfit(_))));
    assert!(matches!(decoder.decode(&frames[1].bytes), Err(CodecError::Frame(_))));
    let mut small = H264Encoder::new(H264Settings { width: 160, height: 90, ..settings() }).unwrap();
    let shown = decode(&mut decoder, &stream(&mut small, 160, 90, 1)[0].bytes);
    assert_eq!((shown.width(), shown.height()), (160, 90));
}
