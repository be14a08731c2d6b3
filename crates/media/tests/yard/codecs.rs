//! Codecs that a test can look through. A picture is its luma at 32 × 18 places; sound is how loud
//! each of a few tones is.

use madang_media::{
    mcu::{Codecs, EncoderAsk},
    session::VideoCodec,
};
use madang_mixer::{
    codec::{CodecError, EncodeWish, EncodedVideo, SoundDecoder, SoundEncoder, VideoDecoder, VideoEncoder},
    picture::{Picture, View},
};

/// Places that a mixed picture is looked at.
pub(crate) const GRID: (usize, usize) = (32, 18);

/// Tones that sound can have, in Hz; a packet has a byte for each.
pub(crate) const TONES: [f32; 8] = [400.0, 600.0, 800.0, 1000.0, 1200.0, 1400.0, 1600.0, 1800.0];

/// Opus, 20 ms, one channel (RFC 6716 §3.1); what follows is ours.
const TOC: u8 = 31 << 3;

pub(crate) struct Glass;

impl Codecs for Glass {
    fn video_decoder(&self, codec: VideoCodec) -> Result<Box<dyn VideoDecoder>, CodecError> {
        assert_eq!(codec, VideoCodec::Vp8, "these tests have no other");
        Ok(Box::new(Decoder { picture: None }))
    }

    fn video_encoder(&self, ask: &EncoderAsk) -> Result<Box<dyn VideoEncoder>, CodecError> {
        Ok(Box::new(Encoder { size: (ask.width, ask.height), frames: 0 }))
    }

    fn sound_decoder(&self, channels: usize) -> Result<Box<dyn SoundDecoder>, CodecError> {
        Ok(Box::new(Tones { channels, at: 0 }))
    }

    fn sound_encoder(&self, channels: usize) -> Result<Box<dyn SoundEncoder>, CodecError> {
        Ok(Box::new(Ear { channels }))
    }
}

/// A frame of somebody's camera: all of one luma.
pub(crate) fn camera_frame(keyframe: bool, size: (u16, u16), luma: u8) -> Vec<u8> {
    let mut frame = vec![u8::from(!keyframe), 0, 0];
    if keyframe {
        frame.extend([0x9D, 0x01, 0x2A]);
        frame.extend(size.0.to_le_bytes());
        frame.extend(size.1.to_le_bytes());
    }
    frame.push(luma);
    frame
}

struct Decoder {
    picture: Option<Picture>,
}

impl VideoDecoder for Decoder {
    fn decode(&mut self, frame: &[u8]) -> Result<Option<View<'_>>, CodecError> {
        let [first, .., luma] = *frame else { return Err(CodecError::Frame("too short".into())) };
        if first & 1 == 0 {
            let side = |at: usize| Some(usize::from(u16::from_le_bytes([*frame.get(at)?, *frame.get(at + 1)?])));
            let size =
                side(6).zip(side(8)).filter(|(width, height)| (1..4000).contains(width) && (1..4000).contains(height));
            let (width, height) = size.ok_or_else(|| CodecError::Frame("no size".into()))?;
            self.picture = Some(Picture::new(width, height));
        }
        let picture = self.picture.as_mut().ok_or_else(|| CodecError::Frame("no keyframe".into()))?;
        picture.plane_mut(0).fill(luma);
        Ok(Some(picture.view()))
    }
}

struct Encoder {
    size: (usize, usize),
    frames: u64,
}

impl VideoEncoder for Encoder {
    fn encode(
        &mut self,
        picture: &View<'_>,
        wish: &EncodeWish<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Option<EncodedVideo>, CodecError> {
        let size = (picture.width(), picture.height());
        if size != self.size {
            return Err(CodecError::Unfit("another size".into()));
        }
        let side = |length: usize| u16::try_from(length).expect("small");
        out.extend(camera_frame(wish.keyframe, (side(size.0), side(size.1)), 0));
        out.pop();
        let luma = picture.planes()[0];
        for row in 0..GRID.1 {
            let samples = luma.row((2 * row + 1) * size.1 / (2 * GRID.1));
            out.extend((0..GRID.0).map(|column| samples[(2 * column + 1) * size.0 / (2 * GRID.0)]));
        }
        let temporal_layer = u8::from(!wish.keyframe && self.frames % 2 == 1);
        self.frames = if wish.keyframe { 1 } else { self.frames + 1 };
        Ok(Some(EncodedVideo { keyframe: wish.keyframe, temporal_layer, layer_sync: temporal_layer == 1 }))
    }

    fn set_bitrate(&mut self, _: u32) -> Result<(), CodecError> {
        Ok(())
    }
}

/// What a mixed picture shows, from the payload of its only packet.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) keyframe: bool,
    pub(crate) temporal: u8,
    luma: Vec<u8>,
}

impl Seen {
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let (descriptor, frame) = madang_media::frames::vp8::Descriptor::parse(payload)?;
        let keyframe = frame.first()? & 1 == 0;
        let luma = frame.get(if keyframe { 10 } else { 3 }..)?.to_vec();
        let temporal = descriptor.temporal.map_or(0, |temporal| temporal.layer);
        (luma.len() == GRID.0 * GRID.1).then_some(Self { keyframe, temporal, luma })
    }

    /// The luma at a share of width and height.
    pub(crate) fn at(&self, x: f32, y: f32) -> u8 {
        let place = |share: f32, count: usize| ((share * count as f32) as usize).min(count - 1);
        self.luma[place(y, GRID.1) * GRID.0 + place(x, GRID.0)]
    }

    /// How much of the picture has about this luma, in percent.
    pub(crate) fn share(&self, luma: u8) -> usize {
        self.luma.iter().filter(|sample| sample.abs_diff(luma) <= 2).count() * 100 / self.luma.len()
    }
}

/// 20 ms of one tone.
pub(crate) fn tone_packet(tone: usize) -> Vec<u8> {
    let mut packet = vec![TOC];
    packet.extend((0..TONES.len()).map(|index| if index == tone { 100 } else { 0 }));
    packet
}

/// How loud each tone is in a packet of the mix, from 0 to 255.
pub(crate) fn loudness(payload: &[u8]) -> Vec<u8> {
    payload.get(1..=TONES.len()).map(<[u8]>::to_vec).unwrap_or_default()
}

struct Tones {
    channels: usize,
    at: u64,
}

impl Tones {
    fn fill(&mut self, levels: &[u8], out: &mut [f32]) -> usize {
        let frames = (out.len() / self.channels).min(960);
        for sample in out[..frames * self.channels].chunks_exact_mut(self.channels) {
            let time = self.at as f32 / 48_000.0;
            self.at = (self.at + 1) % 48_000;
            let tones = levels.iter().zip(TONES);
            let sum: f32 = tones
                .map(|(level, tone)| f32::from(*level) / 1000.0 * (tone * time * std::f32::consts::TAU).sin())
                .sum();
            sample.fill(sum);
        }
        frames
    }
}

impl SoundDecoder for Tones {
    fn channels(&self) -> usize {
        self.channels
    }

    fn decode(&mut self, packet: &[u8], out: &mut [f32]) -> Result<usize, CodecError> {
        let levels = packet.get(1..).ok_or_else(|| CodecError::Frame("empty".into()))?.to_vec();
        Ok(self.fill(&levels, out))
    }

    fn decode_fec(&mut self, _: &[u8], out: &mut [f32]) -> Result<usize, CodecError> {
        self.conceal(out)
    }

    fn conceal(&mut self, out: &mut [f32]) -> Result<usize, CodecError> {
        out.fill(0.0);
        Ok(out.len() / self.channels)
    }
}

struct Ear {
    channels: usize,
}

impl SoundEncoder for Ear {
    fn channels(&self) -> usize {
        self.channels
    }

    fn encode(&mut self, samples: &[f32], out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.push(TOC);
        let mono: Vec<f32> = samples.iter().step_by(self.channels).copied().collect();
        for tone in TONES {
            let (mut sine, mut cosine) = (0.0, 0.0);
            for (index, sample) in mono.iter().enumerate() {
                let angle = tone * index as f32 / 48_000.0 * std::f32::consts::TAU;
                sine += sample * angle.sin();
                cosine += sample * angle.cos();
            }
            let amplitude = 2.0 * (sine * sine + cosine * cosine).sqrt() / mono.len() as f32;
            out.push((amplitude * 1000.0) as u8);
        }
        Ok(())
    }

    fn set_expected_loss(&mut self, _: u8) -> Result<(), CodecError> {
        Ok(())
    }
}
