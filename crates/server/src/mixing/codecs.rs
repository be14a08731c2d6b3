//! Our codecs, as mixers ask for them.

use madang_codec::{
    PictureLimit,
    h264::{H264Encoder, H264Settings},
    make_decoder,
    opus::{OpusDecoder, OpusEncoder, OpusSettings},
    vpx::{Vp8Encoder, Vp8Settings},
};
use madang_media::{
    mcu::{Codecs, EncoderAsk},
    session::VideoCodec,
};
use madang_mixer::codec::{CodecError, SoundDecoder, SoundEncoder, VideoDecoder, VideoEncoder};

/// The largest picture that is taken from anybody: a shared screen of 3840 × 2160, upright too.
/// Cameras send less. A codec may keep up to 16 pictures, which are 12 MB each at this size, so
/// this is also what bounds a decoder's memory.
const LIMIT: PictureLimit = PictureLimit { side: 3840, samples: 3840 * 2160 };

/// The codecs of [`madang_codec`].
pub(super) struct NativeCodecs;

impl Codecs for NativeCodecs {
    fn video_decoder(&self, codec: VideoCodec) -> Result<Box<dyn VideoDecoder>, CodecError> {
        let codec = match codec {
            VideoCodec::Vp8 => madang_codec::VideoCodec::Vp8,
            VideoCodec::Vp9 => madang_codec::VideoCodec::Vp9,
            VideoCodec::H264 => madang_codec::VideoCodec::H264,
            VideoCodec::Av1 => madang_codec::VideoCodec::Av1,
        };
        make_decoder(codec, LIMIT)
    }

    fn video_encoder(&self, ask: &EncoderAsk) -> Result<Box<dyn VideoEncoder>, CodecError> {
        let &EncoderAsk { codec, width, height, bits_per_second } = ask;
        Ok(match codec {
            VideoCodec::Vp8 => Box::new(Vp8Encoder::new(vp8(width, height, bits_per_second))?),
            // Its payload format has no word for temporal layers, and receivers of H.264 count on
            // every picture; so none is left out either.
            VideoCodec::H264 => Box::new(H264Encoder::new(H264Settings {
                temporal_layers: 1,
                drop_frames: false,
                threads: 1,
                ..H264Settings::new(width, height, bits_per_second)
            })?),
            VideoCodec::Vp9 | VideoCodec::Av1 => {
                return Err(CodecError::Unfit(format!("no encoder for {codec:?}")));
            }
        })
    }

    fn sound_decoder(&self, channels: usize) -> Result<Box<dyn SoundDecoder>, CodecError> {
        Ok(Box::new(OpusDecoder::new(channels)?))
    }

    fn sound_encoder(&self, channels: usize) -> Result<Box<dyn SoundEncoder>, CodecError> {
        let settings = if channels == 2 { OpusSettings::stereo() } else { OpusSettings::voice() };
        Ok(Box::new(OpusEncoder::new(OpusSettings { channels, ..settings })?))
    }
}

fn vp8(width: usize, height: usize, bits_per_second: u32) -> Vp8Settings {
    Vp8Settings {
        cpu_used: -8,
        temporal_layers: 2,
        // Rooms are many; a second thread for one of them would be taken from another.
        threads: 1,
        drop_frames: true,
        // As WebRTC has it. With half of it the worst that a receiver has to catch up with is much
        // the same, and ten pictures in a row are left out after a cut in place of five.
        buffer: (500, 600),
        // A keyframe comes whenever somebody joins. It may hold up what follows by 150 ms.
        keyframe_share: 450,
        ..Vp8Settings::new(width, height, bits_per_second)
    }
}

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use madang_mixer::{
        codec::EncodeWish,
        picture::{Picture, View},
    };

    use super::*;

    const SIZE: (usize, usize) = (320, 184);

    /// A grey ramp that moves, under which is a colour.
    fn picture(step: usize) -> Picture {
        let mut picture = Picture::new(SIZE.0, SIZE.1);
        for (plane, value) in [(1, 90), (2, 170)] {
            picture.plane_mut(plane).fill(value);
        }
        let stride = picture.size_of(0).0;
        for (row, line) in picture.plane_mut(0).chunks_mut(stride).enumerate() {
            for (column, sample) in line.iter_mut().enumerate() {
                *sample = u8::try_from(40 + (row + column + 2 * step) % 160).expect("below 200");
            }
        }
        picture
    }

    /// The mean difference of luma.
    fn difference(one: &View<'_>, other: &View<'_>) -> f64 {
        let mut sum = 0;
        let (luma, others) = (one.planes()[0], other.planes()[0]);
        for row in 0..one.height() {
            let pairs = luma.row(row).iter().zip(others.row(row));
            sum += pairs.map(|(one, other)| u64::from(one.abs_diff(*other))).sum::<u64>();
        }
        sum as f64 / (one.width() * one.height()) as f64
    }

    #[test]
    fn each_decoder_shows_what_its_encoder_was_given() {
        for codec in [VideoCodec::Vp8, VideoCodec::H264] {
            let ask = EncoderAsk { codec, width: SIZE.0, height: SIZE.1, bits_per_second: 1_500_000 };
            let mut encoder = NativeCodecs.video_encoder(&ask).expect("an encoder");
            let mut decoder = NativeCodecs.video_decoder(codec).expect("a decoder");
            let (mut layers, mut shown) = (Vec::new(), 0);
            for step in 0..30_u64 {
                let picture = picture(step as usize);
                let wish = EncodeWish { keyframe: step == 0, timestamp: step * 3000, duration: 3000, active: None };
                let mut frame = Vec::new();
                let encoded = encoder.encode(&picture.view(), &wish, &mut frame).expect("it encodes");
                let Some(encoded) = encoded else { continue };
                assert_eq!(encoded.keyframe, step == 0, "{codec:?}");
                layers.push(encoded.temporal_layer);
                let view = decoder.decode(&frame).expect("it decodes").expect("a picture");
                assert_eq!((view.width(), view.height()), SIZE);
                let far = difference(&view, &picture.view());
                assert!(far < 12.0, "{codec:?}, picture {step}: off by {far:.1}");
                shown += 1;
            }
            assert!(shown >= 25, "{codec:?}: {shown} of 30");
            assert_eq!(layers.contains(&1), codec == VideoCodec::Vp8, "{codec:?}: {layers:?}");
        }
    }

    #[test]
    fn every_codec_that_people_send_has_a_decoder_and_two_have_an_encoder() {
        for codec in VideoCodec::ALL {
            assert!(NativeCodecs.video_decoder(codec).is_ok(), "{codec:?}");
            let ask = EncoderAsk { codec, width: 1280, height: 720, bits_per_second: 1_500_000 };
            let is_made = matches!(codec, VideoCodec::Vp8 | VideoCodec::H264);
            assert_eq!(NativeCodecs.video_encoder(&ask).is_ok(), is_made, "{codec:?}");
        }
        assert!(matches!(NativeCodecs.sound_decoder(3), Err(CodecError::Unfit(_))));
        assert!(matches!(NativeCodecs.sound_encoder(0), Err(CodecError::Unfit(_))));
    }

    #[test]
    fn sound_comes_out_as_it_went_in() {
        const FRAME: usize = 960;
        for channels in [1, 2] {
            let mut encoder = NativeCodecs.sound_encoder(channels).expect("an encoder");
            let mut decoder = NativeCodecs.sound_decoder(channels).expect("a decoder");
            assert_eq!((encoder.channels(), decoder.channels()), (channels, channels));
            let mut energy = 0.0;
            for frame in 0..20 {
                let tone = |index: usize| (TAU * 440.0 * (frame * FRAME + index) as f32 / 48_000.0).sin() / 2.0;
                let samples: Vec<f32> = (0..FRAME * channels).map(|index| tone(index / channels)).collect();
                let (mut packet, mut out) = (Vec::new(), vec![0.0; FRAME * channels]);
                encoder.encode(&samples, &mut packet).expect("it encodes");
                assert_eq!(decoder.decode(&packet, &mut out).ok(), Some(FRAME));
                energy = out.iter().map(|sample| sample * sample).sum::<f32>() / out.len() as f32;
            }
            assert!((0.08..0.17).contains(&energy), "{channels}: {energy}, and an eighth went in");
        }
    }
}
