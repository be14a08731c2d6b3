//! Opus (RFC 6716), by libopus: sound at 48 kHz.

use madang_mixer::codec::{CodecError, SAMPLE_RATE, SoundDecoder, SoundEncoder};
use opus::{Application, Bitrate, Channels, Decoder, Encoder};

/// Samples per channel in 20 ms.
const FRAME: usize = SAMPLE_RATE as usize / 50;

/// The largest packet of one frame, in bytes (RFC 6716 §3.2.1: 1275, and its first byte).
const LARGEST: usize = 1276;

/// 2.5 ms: concealment comes in multiples of it.
const QUANTUM: usize = SAMPLE_RATE as usize / 400;

fn channels(count: usize) -> Result<Channels, CodecError> {
    match count {
        1 => Ok(Channels::Mono),
        2 => Ok(Channels::Stereo),
        _ => Err(CodecError::Unfit(format!("{count} channels"))),
    }
}

fn failed(error: opus::Error) -> CodecError {
    CodecError::Failed(error.to_string())
}

/// Decodes Opus.
pub struct OpusDecoder {
    decoder: Decoder,
    channels: usize,
}

impl OpusDecoder {
    /// Mono and stereo packets both become as many channels, 1 or 2.
    ///
    /// # Errors
    /// [`CodecError::Unfit`] for other numbers of channels.
    pub fn new(channel_count: usize) -> Result<Self, CodecError> {
        let decoder = Decoder::new(SAMPLE_RATE, channels(channel_count)?).map_err(failed)?;
        Ok(Self { decoder, channels: channel_count })
    }

    /// What has to be made up: whole samples of all channels, in multiples of 2.5 ms.
    fn gap<'a>(&self, out: &'a mut [f32]) -> Result<&'a mut [f32], CodecError> {
        let whole = out.len() - out.len() % (QUANTUM * self.channels);
        if whole == 0 || whole != out.len() {
            return Err(CodecError::Unfit(format!("{} samples for what is lost", out.len())));
        }
        Ok(out)
    }

    fn run(&mut self, packet: &[u8], out: &mut [f32], fec: bool) -> Result<usize, CodecError> {
        self.decoder.decode_float(packet, out, fec).map_err(|error| match error.code() {
            opus::ErrorCode::InvalidPacket => CodecError::Frame("no Opus packet".to_owned()),
            opus::ErrorCode::BufferTooSmall => CodecError::Unfit("more sound than there is room for".to_owned()),
            _ => failed(error),
        })
    }
}

impl SoundDecoder for OpusDecoder {
    fn channels(&self) -> usize {
        self.channels
    }

    fn decode(&mut self, packet: &[u8], out: &mut [f32]) -> Result<usize, CodecError> {
        // To libopus, nothing is a lost packet.
        if packet.is_empty() {
            return Err(CodecError::Frame("an empty packet".to_owned()));
        }
        self.run(packet, out, false)
    }

    fn decode_fec(&mut self, next: &[u8], out: &mut [f32]) -> Result<usize, CodecError> {
        let out = self.gap(out)?;
        if next.is_empty() {
            return Err(CodecError::Frame("an empty packet".to_owned()));
        }
        self.run(next, out, true)
    }

    fn conceal(&mut self, out: &mut [f32]) -> Result<usize, CodecError> {
        let out = self.gap(out)?;
        self.run(&[], out, false)
    }
}

/// What an Opus encoder is to be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpusSettings {
    /// 1 or 2.
    pub channels: usize,
    /// Bits per second, 6000 to 510 000.
    pub bitrate: u32,
    /// For music and shared screens, rather than speech. In-band FEC is for speech alone.
    pub music: bool,
    /// How much time it takes, 0 to 10.
    pub complexity: u8,
    /// Send nearly nothing while it is silent.
    pub dtx: bool,
    /// Loss to be proof against, in per cent.
    pub expected_loss: u8,
}

impl OpusSettings {
    /// People who talk: mono, 32 kbit/s.
    #[must_use]
    pub const fn voice() -> Self {
        Self { channels: 1, bitrate: 32_000, music: false, complexity: 5, dtx: false, expected_loss: 10 }
    }

    /// Whatever sounds: stereo, 96 kbit/s.
    #[must_use]
    pub const fn stereo() -> Self {
        Self { channels: 2, bitrate: 96_000, music: true, ..Self::voice() }
    }
}

/// Encodes Opus, 20 ms a packet, with in-band FEC.
pub struct OpusEncoder {
    encoder: Encoder,
    channels: usize,
}

impl OpusEncoder {
    /// # Errors
    /// [`CodecError::Unfit`] for settings out of their ranges.
    pub fn new(settings: OpusSettings) -> Result<Self, CodecError> {
        let in_range =
            (6000..=510_000).contains(&settings.bitrate) && settings.complexity <= 10 && settings.expected_loss <= 100;
        if !in_range {
            return Err(CodecError::Unfit(format!("{settings:?}")));
        }
        let application = if settings.music { Application::Audio } else { Application::Voip };
        let mut encoder = Encoder::new(SAMPLE_RATE, channels(settings.channels)?, application).map_err(failed)?;
        let mut configure = || {
            encoder.set_bitrate(Bitrate::Bits(settings.bitrate as i32))?;
            encoder.set_complexity(settings.complexity.into())?;
            encoder.set_inband_fec(true)?;
            encoder.set_packet_loss_perc(settings.expected_loss.into())?;
            encoder.set_dtx(settings.dtx)
        };
        configure().map_err(failed)?;
        Ok(Self { encoder, channels: settings.channels })
    }

    /// From the next packet on, in bits per second.
    ///
    /// # Errors
    /// [`CodecError::Unfit`] unless it is from 6000 to 510 000.
    pub fn set_bitrate(&mut self, bits_per_second: u32) -> Result<(), CodecError> {
        if !(6000..=510_000).contains(&bits_per_second) {
            return Err(CodecError::Unfit(format!("{bits_per_second} bit/s")));
        }
        self.encoder.set_bitrate(Bitrate::Bits(bits_per_second as i32)).map_err(failed)
    }
}

impl SoundEncoder for OpusEncoder {
    fn channels(&self) -> usize {
        self.channels
    }

    fn encode(&mut self, samples: &[f32], out: &mut Vec<u8>) -> Result<(), CodecError> {
        if samples.len() != FRAME * self.channels {
            return Err(CodecError::Unfit(format!("{} samples are not 20 ms", samples.len())));
        }
        let before = out.len();
        out.resize(before + LARGEST, 0);
        let written = self.encoder.encode_float(samples, &mut out[before..]).map_err(failed);
        out.truncate(before + *written.as_ref().unwrap_or(&0));
        written.map(|_| ())
    }

    fn set_expected_loss(&mut self, percent: u8) -> Result<(), CodecError> {
        if percent > 100 {
            return Err(CodecError::Unfit(format!("{percent} % loss")));
        }
        self.encoder.set_packet_loss_perc(percent.into()).map_err(failed)
    }
}
