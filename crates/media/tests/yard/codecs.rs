//! Codecs that a test can look through. A picture is its luma at 32 × 18 places; sound is how loud
//! each of a few tones is.

use std::{cell::Cell, sync::OnceLock};

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
pub(crate) const TONES: [usize; 8] = [400, 600, 800, 1000, 1200, 1400, 1600, 1800];

/// Opus, 20 ms, one channel (RFC 6716 §3.1); what follows is ours.
const TOC: u8 = 31 << 3;
/// Hybrid, which may have redundancy.
const REDUNDANT: u8 = 15 << 3;
const STEREO: u8 = 4;

/// The first byte of our frames of H.264: a slice of a keyframe, and of another picture.
const IDR: u8 = 0x65;
const SLICE: u8 = 0x61;

thread_local! {
    /// The luma that was decoded last, to know a job by it.
    pub(crate) static LAST_LUMA: Cell<u8> = const { Cell::new(0) };
}

#[derive(Default)]
pub(crate) struct Glass {
    /// Pictures take the bits that they should, and not only what a test reads.
    pub(crate) is_heavy: bool,
}

impl Codecs for Glass {
    fn video_decoder(&self, codec: VideoCodec) -> Result<Box<dyn VideoDecoder>, CodecError> {
        assert!(matches!(codec, VideoCodec::Vp8 | VideoCodec::H264), "these tests have no other");
        Ok(Box::new(Decoder { codec, picture: None }))
    }

    fn video_encoder(&self, ask: &EncoderAsk) -> Result<Box<dyn VideoEncoder>, CodecError> {
        let least = if self.is_heavy { ask.bits_per_second as usize / 8 / 30 } else { 0 };
        Ok(Box::new(Encoder { size: (ask.width, ask.height), frames: 0, least }))
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

/// The same in H.264, with sides of 8 × 4; no byte is zero, so that nothing has to be escaped.
pub(crate) fn camera_frame_h264(keyframe: bool, size: (u16, u16), luma: u8) -> Vec<u8> {
    let mut frame = Vec::new();
    if keyframe {
        // Parameter sets that nobody looks into.
        frame.extend([0, 0, 0, 1, 0x67, 0x42, 0xE0, 0x1F, 0, 0, 0, 1, 0x68, 0xCE, 0x3C, 0x80]);
        let side = |length: u16, unit: u16| u8::try_from(length / unit).expect("small");
        frame.extend([0, 0, 0, 1, IDR, side(size.0, 8), side(size.1, 4)]);
    } else {
        frame.extend([0, 0, 0, 1, SLICE]);
    }
    frame.push(luma);
    frame
}

struct Decoder {
    codec: VideoCodec,
    picture: Option<Picture>,
}

/// What a frame says: the size in a keyframe, and its luma.
fn read(codec: VideoCodec, frame: &[u8]) -> Option<(Option<(usize, usize)>, u8)> {
    let luma = *frame.last()?;
    if codec == VideoCodec::H264 {
        let place = frame.windows(4).rposition(|four| four == [0, 0, 0, 1])?;
        return match frame[place + 4..] {
            [IDR, width, height, luma] => Some((Some((usize::from(width) * 8, usize::from(height) * 4)), luma)),
            [SLICE, luma] => Some((None, luma)),
            _ => None,
        };
    }
    let side = |at: usize| Some(usize::from(u16::from_le_bytes([*frame.get(at)?, *frame.get(at + 1)?])));
    match frame.len() {
        4 if frame[0] & 1 == 1 => Some((None, luma)),
        11 if frame[0] & 1 == 0 => Some((Some((side(6)?, side(8)?)), luma)),
        _ => None,
    }
}

impl VideoDecoder for Decoder {
    fn decode(&mut self, frame: &[u8]) -> Result<Option<View<'_>>, CodecError> {
        let (size, luma) = read(self.codec, frame).ok_or_else(|| CodecError::Frame("no frame of ours".into()))?;
        if let Some((width, height)) = size {
            if !(1..4000).contains(&width) || !(1..4000).contains(&height) {
                return Err(CodecError::Frame("no size".into()));
            }
            self.picture = Some(Picture::new(width, height));
        }
        let picture = self.picture.as_mut().ok_or_else(|| CodecError::Frame("no keyframe".into()))?;
        picture.plane_mut(0).fill(luma);
        LAST_LUMA.set(luma);
        Ok(Some(picture.view()))
    }
}

struct Encoder {
    size: (usize, usize),
    frames: u64,
    /// Bytes of a picture.
    least: usize,
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
        out.resize(out.len().max(self.least), 1);
        let temporal_layer = u8::from(!wish.keyframe && self.frames % 2 == 1);
        self.frames = if wish.keyframe { 1 } else { self.frames + 1 };
        Ok(Some(EncodedVideo { keyframe: wish.keyframe, temporal_layer, layer_sync: temporal_layer == 1 }))
    }

    fn set_bitrate(&mut self, _: u32) -> Result<(), CodecError> {
        Ok(())
    }
}

/// What a mixed picture shows, from the payload of its first packet.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) keyframe: bool,
    pub(crate) temporal: u8,
    luma: Vec<u8>,
}

impl Seen {
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let (descriptor, frame) = madang_media::frames::vp8::Descriptor::parse(payload)?;
        // RFC 7741 §4.2, the S bit: only a picture's first packet begins a partition.
        if payload[0] & 0x10 == 0 {
            return None;
        }
        let keyframe = frame.first()? & 1 == 0;
        let luma = frame.get(if keyframe { 10 } else { 3 }..)?.get(..GRID.0 * GRID.1)?.to_vec();
        let temporal = descriptor.temporal.map_or(0, |temporal| temporal.layer);
        Some(Self { keyframe, temporal, luma })
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

/// The same with redundancy: what was before it.
pub(crate) fn redundant_tone_packet(tone: usize, before: usize) -> Vec<u8> {
    // RFC 6716 §4.2.3: not active, but with low bit-rate redundancy.
    let mut packet = vec![REDUNDANT, 0x40];
    for tone in [tone, before] {
        packet.extend((0..TONES.len()).map(|index| if index == tone { 100 } else { 0 }));
    }
    packet
}

/// Whether a packet of the mix has two channels, and how loud each tone is in the second.
pub(crate) fn second_channel(payload: &[u8]) -> Option<Vec<u8>> {
    (payload.first()? & STEREO != 0).then(|| payload[1 + TONES.len()..].to_vec())
}

/// How loud each tone is in a packet of the mix, from 0 to 255.
pub(crate) fn loudness(payload: &[u8]) -> Vec<u8> {
    payload.get(1..=TONES.len()).map(<[u8]>::to_vec).unwrap_or_default()
}

struct Tones {
    channels: usize,
    at: usize,
}

/// The sine, by 48 000ths of a period.
fn sines() -> &'static [f32] {
    static TABLE: OnceLock<Vec<f32>> = OnceLock::new();
    let angle = |index: usize| (index as f32 / 48_000.0 * std::f32::consts::TAU).sin();
    TABLE.get_or_init(|| (0..48_000).map(angle).collect())
}

impl Tones {
    /// Of two channels the second has the tones after.
    fn fill(&mut self, levels: &[u8], out: &mut [f32]) -> usize {
        let (frames, sines) = ((out.len() / self.channels).min(960), sines());
        out[..frames * self.channels].fill(0.0);
        for (place, level) in levels.iter().enumerate().take(TONES.len()).filter(|(_, level)| **level > 0) {
            for (index, sample) in out[..frames * self.channels].chunks_exact_mut(self.channels).enumerate() {
                for (channel, sample) in sample.iter_mut().enumerate() {
                    let tone = TONES[(place + channel) % TONES.len()];
                    *sample += f32::from(*level) / 1000.0 * sines[tone * (self.at + index) % 48_000];
                }
            }
        }
        self.at = (self.at + frames) % 48_000;
        frames
    }
}

impl SoundDecoder for Tones {
    fn channels(&self) -> usize {
        self.channels
    }

    fn decode(&mut self, packet: &[u8], out: &mut [f32]) -> Result<usize, CodecError> {
        let from = if packet.first() == Some(&REDUNDANT) { 2 } else { 1 };
        let levels = packet.get(from..).ok_or_else(|| CodecError::Frame("empty".into()))?.to_vec();
        Ok(self.fill(&levels, out))
    }

    fn decode_fec(&mut self, packet: &[u8], out: &mut [f32]) -> Result<usize, CodecError> {
        match packet.get(2 + TONES.len()..) {
            Some(levels) if packet[0] == REDUNDANT => Ok(self.fill(levels, out)),
            _ => self.conceal(out),
        }
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
        out.push(if self.channels == 2 { TOC | STEREO } else { TOC });
        let sines = sines();
        for channel in 0..self.channels {
            let samples: Vec<f32> = samples.iter().skip(channel).step_by(self.channels).copied().collect();
            for tone in TONES {
                let (mut sum, mut quarter) = (0.0, 0.0);
                // Every eighth sample tells as much of tones so low.
                let mut index = 0;
                while index < samples.len() {
                    sum += samples[index] * sines[tone * index % 48_000];
                    quarter += samples[index] * sines[(tone * index + 12_000) % 48_000];
                    index += 8;
                }
                let amplitude = 16.0 * (sum * sum + quarter * quarter).sqrt() / samples.len() as f32;
                out.push((amplitude * 1000.0) as u8);
            }
        }
        Ok(())
    }

    fn set_expected_loss(&mut self, _: u8) -> Result<(), CodecError> {
        Ok(())
    }
}
