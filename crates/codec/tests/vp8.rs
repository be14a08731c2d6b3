//! VP8, there and back.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::{copy, decode, encode, moving, per_second, psnr, stream, wish};
use madang_codec::vpx::{Vp8Decoder, Vp8Encoder, Vp8Settings};
use madang_codec::{PictureLimit, VideoCodec, make_decoder};
use madang_mixer::codec::{ActiveMap, CodecError, EncodeWish, VideoDecoder, VideoEncoder};
use madang_mixer::picture::{Picture, Plane, View};

const SIZE: (usize, usize) = (320, 180);

fn settings() -> Vp8Settings {
    Vp8Settings { drop_frames: false, ..Vp8Settings::new(SIZE.0, SIZE.1, 600_000) }
}

fn decoder() -> Vp8Decoder {
    Vp8Decoder::new(PictureLimit::default()).unwrap()
}

#[test]
fn what_comes_out_is_like_what_went_in() {
    let mut encoder = Vp8Encoder::new(settings()).unwrap();
    let mut decoder = make_decoder(VideoCodec::Vp8, PictureLimit::default()).unwrap();
    for (at, frame) in stream(&mut encoder, SIZE.0, SIZE.1, 60).iter().enumerate() {
        assert_eq!(frame.info.keyframe, at == 0);
        let likeness = psnr(&moving(SIZE.0, SIZE.1, at).view(), &decode(&mut *decoder, &frame.bytes).view());
        assert!(likeness > 30.0, "picture {at}: {likeness} dB");
    }
}

#[test]
fn odd_sizes_and_rows_with_padding_work() {
    let (width, height) = (35, 19);
    let mut encoder = Vp8Encoder::new(Vp8Settings { width, height, ..settings() }).unwrap();
    let picture = moving(width, height, 3);
    // The same in rows that are 64 apart.
    let padded: Vec<Vec<u8>> = (0..3)
        .map(|plane| {
            let columns = picture.size_of(plane).0;
            picture.plane(plane).chunks(columns).flat_map(|row| [row, &vec![9; 64 - columns]].concat()).collect()
        })
        .collect();
    let plane = |index: usize| {
        let (columns, rows) = picture.size_of(index);
        Plane::new(&padded[index], 64, columns, rows).unwrap()
    };
    let mut bytes = Vec::new();
    encoder.encode(&View::new([plane(0), plane(1), plane(2)]).unwrap(), &wish(0, false), &mut bytes).unwrap().unwrap();
    let likeness = psnr(&picture.view(), &decode(&mut decoder(), &bytes).view());
    assert!(likeness > 30.0, "{likeness} dB");
}

#[test]
fn a_keyframe_comes_when_it_is_wished_for_and_decodes_alone() {
    for temporal_layers in [1, 2] {
        let mut encoder = Vp8Encoder::new(Vp8Settings { temporal_layers, ..settings() }).unwrap();
        stream(&mut encoder, SIZE.0, SIZE.1, 6);
        for at in [6, 9] {
            let picture = moving(SIZE.0, SIZE.1, at);
            let frame = encode(&mut encoder, &picture, &wish(at, true)).unwrap();
            assert!(frame.info.keyframe && frame.info.temporal_layer == 0 && frame.info.layer_sync);
            assert!(psnr(&picture.view(), &decode(&mut decoder(), &frame.bytes).view()) > 28.0);
            let next = encode(&mut encoder, &picture, &wish(at + 1, false)).unwrap();
            assert_eq!(next.info.temporal_layer, temporal_layers - 1, "layers begin anew");
        }
    }
}

#[test]
fn the_base_layer_decodes_alone_and_to_the_same() {
    let mut encoder = Vp8Encoder::new(Vp8Settings { temporal_layers: 2, ..settings() }).unwrap();
    let frames = stream(&mut encoder, SIZE.0, SIZE.1, 40);
    let (mut all, mut base, mut late) = (decoder(), decoder(), decoder());
    for (at, frame) in frames.iter().enumerate() {
        assert_eq!(usize::from(frame.info.temporal_layer), at % 2);
        assert_eq!(frame.info.layer_sync, at == 0 || at % 2 == 1);
        let whole = decode(&mut all, &frame.bytes);
        assert!(psnr(&moving(SIZE.0, SIZE.1, at).view(), &whole.view()) > 28.0);
        if at % 2 == 0 {
            assert_eq!(decode(&mut base, &frame.bytes), whole, "picture {at}");
        }
        // One who takes the upper layer up half way.
        if at % 2 == 0 || at > 20 {
            assert_eq!(decode(&mut late, &frame.bytes), whole, "picture {at}");
        }
    }
}

#[test]
fn what_is_not_marked_stays_as_it_was() {
    for temporal_layers in [1, 2] {
        let mut encoder = Vp8Encoder::new(Vp8Settings { temporal_layers, linger: 0, ..settings() }).unwrap();
        let mut decoder = decoder();
        let mut map = ActiveMap::new(SIZE.0, SIZE.1);
        let first = moving(SIZE.0, SIZE.1, 0);
        let mut shown = decode(&mut decoder, &encode(&mut encoder, &first, &wish(0, false)).unwrap().bytes);
        let still = copy(&shown.view());
        for at in 1..20 {
            // All of it is another picture, but only the left is said to be.
            map.clear();
            map.mark(0, 0, 160, SIZE.1);
            let wish = EncodeWish { active: Some(&map), ..wish(at, false) };
            let frame = encode(&mut encoder, &moving(SIZE.0, SIZE.1, 3 * at), &wish).unwrap();
            shown = decode(&mut decoder, &frame.bytes);
        }
        let part = |picture: &Picture, from: usize, to: usize| -> Vec<u8> {
            picture.plane(0).chunks(SIZE.0).flat_map(|row| row[from..to].to_vec()).collect()
        };
        let apart = |one: &Picture, other: &Picture, from, to| {
            let (one, other) = (part(one, from, to), part(other, from, to));
            let sum: u64 = one.iter().zip(&other).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
            sum as f64 / one.len() as f64
        };
        let stayed = apart(&shown, &still, 176, SIZE.0);
        let followed = apart(&shown, &moving(SIZE.0, SIZE.1, 57), 0, 144);
        assert!(stayed < 1.0, "{temporal_layers} layers: unmarked moved by {stayed}");
        assert!(followed < 6.0, "{temporal_layers} layers: marked is off by {followed}");
    }
}

#[test]
fn a_picture_that_no_longer_changes_goes_on_getting_better_for_a_while() {
    let mut encoder = Vp8Encoder::new(settings()).unwrap();
    let mut decoder = decoder();
    let nothing = ActiveMap::new(SIZE.0, SIZE.1);
    let still = moving(SIZE.0, SIZE.1, 0);
    let mut likeness = Vec::new();
    for at in 0..20 {
        let wish = EncodeWish { active: (at > 0).then_some(&nothing), ..wish(at, false) };
        let frame = encode(&mut encoder, &still, &wish).unwrap();
        likeness.push(psnr(&still.view(), &decode(&mut decoder, &frame.bytes).view()));
        assert_eq!(encoder.has_settled(), at >= 16, "picture {at}");
    }
    assert!(likeness[16] > likeness[0] + 1.0, "{likeness:?}");
    let at_their_time = (1_usize..20).all(|at| at.is_power_of_two() || likeness[at] == likeness[at - 1]);
    assert!(at_their_time, "1, 2, 4 and so on pictures later: {likeness:?}");
    assert!((likeness[19] - likeness[16]).abs() < 0.1, "{likeness:?}");
}

#[test]
fn without_a_map_all_is_active_again() {
    let mut encoder = Vp8Encoder::new(Vp8Settings { linger: 0, ..settings() }).unwrap();
    let mut decoder = decoder();
    let nothing = ActiveMap::new(SIZE.0, SIZE.1);
    let after = moving(SIZE.0, SIZE.1, 40);
    decode(&mut decoder, &encode(&mut encoder, &moving(SIZE.0, SIZE.1, 0), &wish(0, false)).unwrap().bytes);
    let wish_of_nothing = EncodeWish { active: Some(&nothing), ..wish(1, false) };
    let kept = decode(&mut decoder, &encode(&mut encoder, &after, &wish_of_nothing).unwrap().bytes);
    assert!(psnr(&after.view(), &kept.view()) < 20.0);
    let new = decode(&mut decoder, &encode(&mut encoder, &after, &wish(2, false)).unwrap().bytes);
    assert!(psnr(&after.view(), &new.view()) > 25.0);
}

#[test]
fn a_change_in_the_upper_layer_is_not_forgotten_in_the_base() {
    let mut encoder = Vp8Encoder::new(Vp8Settings { temporal_layers: 2, ..settings() }).unwrap();
    let (mut all, mut base) = (decoder(), decoder());
    let mut map = ActiveMap::new(SIZE.0, SIZE.1);
    let (before, after) = (moving(SIZE.0, SIZE.1, 0), moving(SIZE.0, SIZE.1, 40));
    // The change comes with picture 3, of the upper layer; only that one says so.
    for at in 0..8 {
        map.clear();
        if at == 3 {
            map.mark(0, 0, SIZE.0, SIZE.1);
        }
        let wish = EncodeWish { active: (at > 0).then_some(&map), ..wish(at, false) };
        let frame = encode(&mut encoder, if at < 3 { &before } else { &after }, &wish).unwrap();
        let whole = decode(&mut all, &frame.bytes);
        if at > 3 {
            assert!(psnr(&after.view(), &whole.view()) > 25.0, "picture {at}");
        }
        if frame.info.temporal_layer == 0 {
            assert_eq!(decode(&mut base, &frame.bytes), whole);
        }
    }
}

#[test]
fn the_bit_rate_is_kept_before_and_after_a_change() {
    for temporal_layers in [1, 2] {
        let mut encoder =
            Vp8Encoder::new(Vp8Settings { temporal_layers, ..Vp8Settings::new(640, 360, 900_000) }).unwrap();
        let before = per_second(&mut encoder, 0);
        assert!((600_000..1_100_000).contains(&before), "{before} bit/s");
        encoder.set_bitrate(300_000).unwrap();
        per_second(&mut encoder, 3);
        let after = per_second(&mut encoder, 6);
        assert!((180_000..390_000).contains(&after), "{after} bit/s");
    }
}

#[test]
fn pictures_are_left_out_only_where_that_is_allowed() {
    for drop_frames in [true, false] {
        let tight = Vp8Settings { drop_frames, quantizers: (2, 30), ..Vp8Settings::new(640, 360, 60_000) };
        let mut encoder = Vp8Encoder::new(tight).unwrap();
        let left_out =
            (0..90).filter(|at| encode(&mut encoder, &moving(640, 360, 7 * at), &wish(*at, false)).is_none()).count();
        assert_eq!(left_out > 0, drop_frames, "{left_out}");
    }
}

#[test]
fn a_keyframe_that_is_wished_for_is_never_left_out() {
    for temporal_layers in [1, 2] {
        let tight = Vp8Settings { temporal_layers, quantizers: (2, 30), ..Vp8Settings::new(320, 180, 30_000) };
        let mut encoder = Vp8Encoder::new(tight).unwrap();
        for at in 0..90 {
            let frame = encode(&mut encoder, &moving(320, 180, 7 * at), &wish(at, at % 9 == 0));
            assert!(at % 9 != 0 || frame.is_some_and(|frame| frame.info.keyframe), "picture {at}");
        }
    }
}

#[test]
fn every_setting_gives_a_stream_that_decodes() {
    let screen = Vp8Settings { screen_content: 2, static_threshold: 100, ..settings() };
    let denoised = Vp8Settings { noise_sensitivity: 1, threads: 2, cpu_used: -4, ..settings() };
    for settings in [screen, denoised] {
        let mut decoder = decoder();
        for (at, frame) in stream(&mut Vp8Encoder::new(settings).unwrap(), SIZE.0, SIZE.1, 20).iter().enumerate() {
            let likeness = psnr(&moving(SIZE.0, SIZE.1, at).view(), &decode(&mut decoder, &frame.bytes).view());
            assert!(likeness > 24.0, "{settings:?}, picture {at}: {likeness} dB");
        }
    }
}

#[test]
fn settings_and_pictures_that_do_not_fit_are_refused() {
    let unfit = |settings| matches!(Vp8Encoder::new(settings), Err(CodecError::Unfit(_)));
    assert!(unfit(Vp8Settings { width: 0, ..settings() }));
    assert!(unfit(Vp8Settings { height: 16_384, ..settings() }));
    assert!(unfit(Vp8Settings { temporal_layers: 3, ..settings() }));
    assert!(unfit(Vp8Settings { quantizers: (9, 8), ..settings() }));
    let mut encoder = Vp8Encoder::new(settings()).unwrap();
    let result = encoder.encode(&Picture::new(16, 16).view(), &wish(0, false), &mut Vec::new());
    assert!(matches!(result, Err(CodecError::Unfit(_))));
    let map = ActiveMap::new(16, 16);
    let wish = EncodeWish { active: Some(&map), ..wish(0, false) };
    let result = encoder.encode(&moving(SIZE.0, SIZE.1, 0).view(), &wish, &mut Vec::new());
    assert!(matches!(result, Err(CodecError::Unfit(_))));
}

#[test]
fn time_that_stands_still_does_no_harm() {
    let mut encoder = Vp8Encoder::new(settings()).unwrap();
    for at in [5, 5, 3, 6] {
        encode(&mut encoder, &moving(SIZE.0, SIZE.1, at), &wish(at, false)).unwrap();
    }
}

#[test]
fn a_picture_beyond_the_limit_is_refused_and_a_smaller_one_after_it_decodes() {
    let limit = PictureLimit { side: 200, ..PictureLimit::default() };
    let mut decoder = Vp8Decoder::new(limit).unwrap();
    let mut large = Vp8Encoder::new(settings()).unwrap();
    let frames = stream(&mut large, SIZE.0, SIZE.1, 2);
    assert!(matches!(decoder.decode(&frames[0].bytes), Err(CodecError::Unfit(_))));
    assert!(matches!(decoder.decode(&frames[1].bytes), Err(CodecError::Frame(_))));
    let mut small = Vp8Encoder::new(Vp8Settings { width: 160, height: 90, ..settings() }).unwrap();
    assert_eq!(decode(&mut decoder, &stream(&mut small, 160, 90, 1)[0].bytes).width(), 160);
}
