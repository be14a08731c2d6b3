//! Frames from strangers, one after the other in one decoder: the first byte chooses it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use madang_codec::opus::OpusDecoder;
use madang_codec::{PictureLimit, VideoCodec, make_decoder};
use madang_mixer::codec::{CodecError, SoundDecoder};

/// Each frame is preceded by its length, two bytes; the last may be cut off.
fn frames(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let ([low, high], rest) = bytes.split_first_chunk()?;
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
        let (frame, behind) = rest.split_at(length);
        bytes = behind;
        Some(frame)
    })
}

fn video(codec: VideoCodec, bytes: &[u8]) {
    let limit = PictureLimit { side: 512, samples: 256 * 256 };
    let mut decoder = make_decoder(codec, limit).expect("a decoder");
    for frame in frames(bytes) {
        match decoder.decode(frame) {
            Ok(Some(view)) => {
                let sum: u64 = view
                    .planes()
                    .iter()
                    .flat_map(|plane| (0..plane.height()).flat_map(|row| plane.row(row)))
                    .map(|sample| u64::from(*sample))
                    .sum();
                assert!(view.width() * view.height() <= 256 * 256 && sum < u64::MAX);
            }
            Ok(None) | Err(CodecError::Frame(_) | CodecError::Unfit(_)) => {}
            Err(CodecError::Failed(error)) => panic!("{error}"),
        }
    }
}

fn sound(bytes: &[u8]) {
    let mut decoder = OpusDecoder::new(2).expect("a decoder");
    let mut out = vec![0.0; 5760 * 2];
    for (at, packet) in frames(bytes).enumerate() {
        let result =
            if at % 4 == 3 { decoder.decode_fec(packet, &mut out[..1920]) } else { decoder.decode(packet, &mut out) };
        if let Ok(count) = result {
            assert!(out[..2 * count].iter().all(|sample| sample.is_finite()));
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    match VideoCodec::ALL.get(usize::from(choice % 5)) {
        Some(codec) => video(*codec, bytes),
        None => sound(bytes),
    }
});
