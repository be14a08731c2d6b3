//! A tone in Opus, and how loud sound is.

use std::{f64::consts::TAU, time::Duration};

use opus::{Application, Bitrate, Channels, Decoder, Encoder};

use super::{Clip, Codec, Size};

/// How loud a packet is, in decibels below the loudest that can be: 0 to 127 (RFC 6464 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(pub u8);

impl Level {
    /// Nothing to hear.
    pub const SILENCE: Self = Self(127);

    /// The level of samples from -1 to 1.
    #[must_use]
    pub fn of(samples: &[f32]) -> Self {
        let power: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        let decibels = -10.0 * (power / samples.len().max(1) as f64).log10();
        // Silence is an infinity, and a cast saturates.
        Self(decibels.clamp(0.0, 127.0).round() as u8)
    }
}

/// The frequency of a tone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hertz(pub u32);

/// Why there is no tone.
#[derive(Debug, thiserror::Error)]
pub enum ToneError {
    /// Too low or too high for Opus.
    #[error("a tone has 20 to 20000 Hz")]
    OutOfRange,
    /// The encoder failed.
    #[error("Opus: {0}")]
    Opus(#[from] opus::Error),
}

const RATE: u32 = 48_000;
const PACKET: Duration = Duration::from_millis(20);
const SAMPLES: usize = 960;
const PACKETS: u32 = 50;
const AMPLITUDE: f64 = 0.25;
/// RFC 6716 §2.1.1: more than enough for one voice.
const BITS_PER_SECOND: i32 = 32_000;

/// One second of a tone, in packets of 20 ms: it holds whole periods, so that it can be repeated.
///
/// # Errors
/// When the frequency is out of range, or the encoder fails.
pub fn tone(frequency: Hertz) -> Result<Clip, ToneError> {
    if !(20..=20_000).contains(&frequency.0) {
        return Err(ToneError::OutOfRange);
    }
    let mut encoder = Encoder::new(RATE, Channels::Mono, Application::Audio)?;
    encoder.set_bitrate(Bitrate::Bits(BITS_PER_SECOND))?;
    let mut clip = Clip::new(Codec::Opus, Size::default());
    // The first second fills the encoder's memory with what the repetition will find there.
    for packet in 0..2 * PACKETS {
        let samples = samples(frequency, packet);
        let data = encoder.encode_vec_float(&samples, 1000)?;
        if let Some(place) = packet.checked_sub(PACKETS) {
            clip.push(PACKET * place, Some(Level::of(&samples)), &data);
        }
    }
    Ok(clip)
}

fn samples(frequency: Hertz, packet: u32) -> Vec<f32> {
    let first = packet as usize * SAMPLES;
    let phase = |sample: usize| sample as f64 * f64::from(frequency.0) / f64::from(RATE) * TAU;
    (first..first + SAMPLES).map(|sample| (phase(sample).sin() * AMPLITUDE) as f32).collect()
}

/// Measures how loud the packets of one stream are.
#[derive(Debug)]
pub struct Meter {
    decoder: Option<Decoder>,
    samples: Vec<f32>,
}

impl Meter {
    /// A meter for one stream.
    #[must_use]
    pub fn new() -> Self {
        // A packet has at most 120 ms (RFC 6716 §2.1.4).
        Self { decoder: Decoder::new(RATE, Channels::Mono).ok(), samples: vec![0.0; 6 * SAMPLES] }
    }

    /// The level of the next packet; `None` when it can't be decoded.
    pub fn measure(&mut self, packet: &[u8]) -> Option<Level> {
        let samples = self.decoder.as_mut()?.decode_float(packet, &mut self.samples, false).ok()?;
        self.samples.get(..samples).map(Level::of)
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_rfc_6464() {
        assert_eq!(Level::of(&[1.0, -1.0]), Level(0));
        assert_eq!(Level::of(&[0.1; 20]), Level(20));
        assert_eq!(Level::of(&[0.0; 20]), Level::SILENCE);
        assert_eq!(Level::of(&[]), Level::SILENCE);
    }

    #[test]
    fn a_tone_is_fifty_packets_that_are_as_loud_as_they_say_over_the_repetition_too() {
        let clip = tone(Hertz(440)).expect("a tone");
        assert_eq!((clip.len(), clip.length()), (50, Duration::from_secs(1)));
        let mut meter = Meter::new();
        for packet in 0..120 {
            let frame = clip.frame(packet % 50).expect("one of fifty");
            let measured = meter.measure(frame.data).expect("Opus");
            assert_eq!(frame.level, Some(Level(15)));
            if packet > 5 {
                assert!(measured.0.abs_diff(15) <= 1, "{packet}: {measured:?}");
            }
        }
    }

    #[test]
    fn what_cannot_be_heard_is_refused() {
        assert!(matches!(tone(Hertz(0)), Err(ToneError::OutOfRange)));
        assert!(matches!(tone(Hertz(20_001)), Err(ToneError::OutOfRange)));
    }

    #[test]
    fn what_is_no_opus_has_no_level() {
        assert_eq!(Meter::new().measure(&[]).unwrap_or(Level::SILENCE), Level::SILENCE);
    }
}
