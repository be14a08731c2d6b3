//! VP9 and AV1, from the files in fixtures/.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::{decode, ivf, moving, psnr};
use madang_codec::{PictureLimit, VideoCodec, make_decoder};
use madang_mixer::codec::CodecError;

const VP9: &[u8] = include_bytes!("fixtures/vp9.ivf");
const AV1: &[u8] = include_bytes!("fixtures/av1.ivf");
const SIZE: (usize, usize) = (176, 96);

#[test]
fn files_of_other_encoders_decode_to_what_they_were_made_of() {
    for (codec, file) in [(VideoCodec::Vp9, VP9), (VideoCodec::Av1, AV1)] {
        let frames = ivf(file);
        assert_eq!(frames.len(), 16);
        let mut decoder = make_decoder(codec, PictureLimit::default()).unwrap();
        for (at, frame) in frames.iter().enumerate() {
            let likeness = psnr(&moving(SIZE.0, SIZE.1, at).view(), &decode(&mut *decoder, frame).view());
            assert!(likeness > 28.0, "{codec:?}, picture {at}: {likeness} dB");
        }
    }
}

#[test]
fn of_a_vp9_superframe_all_is_decoded_and_the_last_shown() {
    let frames = ivf(VP9);
    let mut decoder = make_decoder(VideoCodec::Vp9, PictureLimit::default()).unwrap();
    let third = frames[..3].iter().map(|frame| decode(&mut *decoder, frame)).last().unwrap();
    // Annex B: the frames, then an index of their sizes, here of two bytes each.
    const MARKER: u8 = 0b1100_1010;
    let sizes = frames[..3].iter().flat_map(|frame| (frame.len() as u16).to_le_bytes());
    let index = [MARKER].into_iter().chain(sizes).chain([MARKER]);
    let superframe: Vec<u8> = frames[..3].concat().into_iter().chain(index).collect();
    let mut decoder = make_decoder(VideoCodec::Vp9, PictureLimit::default()).unwrap();
    assert_eq!(decode(&mut *decoder, &superframe), third);
}

#[test]
fn a_vp9_frame_hidden_behind_another_is_not_decoded() {
    // libvpx itself goes on behind a frame that only shows an earlier one.
    let frames = ivf(VP9);
    let small = PictureLimit { side: 176, samples: 176 * 96 };
    let mut decoder = make_decoder(VideoCodec::Vp9, small).unwrap();
    let first = decode(&mut *decoder, frames[0]);
    let again = [&[0b1000_1000][..], frames[1]].concat();
    assert_eq!(decode(&mut *decoder, &again), first);
}

#[test]
fn nothing_is_shown_before_a_keyframe() {
    for (codec, file) in [(VideoCodec::Vp9, VP9), (VideoCodec::Av1, AV1)] {
        let frames = ivf(file);
        let mut decoder = make_decoder(codec, PictureLimit::default()).unwrap();
        for frame in &frames[1..8] {
            assert!(matches!(decoder.decode(frame), Err(CodecError::Frame(_))), "{codec:?}");
        }
        assert!(decoder.decode(frames[8]).unwrap().is_some(), "{codec:?}");
    }
}

#[test]
fn more_bits_and_more_chroma_are_beyond_us() {
    let files = [
        (VideoCodec::Vp9, &include_bytes!("fixtures/vp9-10bit.ivf")[..]),
        (VideoCodec::Av1, &include_bytes!("fixtures/av1-10bit.ivf")[..]),
        (VideoCodec::Av1, &include_bytes!("fixtures/av1-444.ivf")[..]),
    ];
    for (codec, file) in files {
        let mut decoder = make_decoder(codec, PictureLimit::default()).unwrap();
        assert!(matches!(decoder.decode(ivf(file)[0]), Err(CodecError::Unfit(_))), "{codec:?}");
    }
}

#[test]
fn a_picture_beyond_the_limit_is_refused() {
    for (codec, file) in [(VideoCodec::Vp9, VP9), (VideoCodec::Av1, AV1)] {
        for limit in [PictureLimit { side: 175, samples: u32::MAX }, PictureLimit { side: 4096, samples: 176 * 95 }] {
            let mut decoder = make_decoder(codec, limit).unwrap();
            assert!(matches!(decoder.decode(ivf(file)[0]), Err(CodecError::Unfit(_))), "{codec:?}, {limit:?}");
        }
        let exact = PictureLimit { side: 176, samples: 176 * 96 };
        assert!(make_decoder(codec, exact).unwrap().decode(ivf(file)[0]).unwrap().is_some(), "{codec:?}");
    }
}
