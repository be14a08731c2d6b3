//! Rooms in virtual time: senders, a network between them and the mixer, and what listeners hear.

mod balance;
mod hearing;
mod network;
mod real_opus;
mod robust;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::codec::{SoundDecoder, SoundEncoder};

/// Sound as 16-bit samples, behind how many tens of milliseconds, channels and copies it has; a
/// second copy is that of the packet before (redundancy).
pub(super) fn pcm(samples: &[f32], channels: u8, before: Option<&[f32]>) -> Vec<u8> {
    let tens = samples.len() / usize::from(channels) / 480;
    let mut payload = vec![tens as u8, channels, 1 + u8::from(before.is_some())];
    for sample in samples.iter().chain(before.unwrap_or_default()) {
        payload.extend_from_slice(&((sample * 32_767.0) as i16).to_le_bytes());
    }
    payload
}

pub(super) fn inspect(payload: &[u8]) -> Option<PayloadInfo> {
    let &[tens, channels, copies, ref samples @ ..] = payload else { return None };
    let duration = u32::from(tens) * 480;
    let dtx = samples.is_empty();
    let right = samples.len() == duration as usize * usize::from(channels) * 2 * usize::from(copies);
    let fec = if copies == 2 { duration } else { 0 };
    (tens > 0 && (dtx || right)).then_some(PayloadInfo { duration, fec, dtx })
}

pub(super) struct PcmDecoder(pub(super) usize);

impl PcmDecoder {
    fn copy(payload: &[u8], copy: usize, out: &mut [f32]) -> Result<usize, CodecError> {
        let (head, samples) = payload.split_at(3);
        let count = usize::from(head[0]) * 480 * usize::from(head[1]);
        if samples.is_empty() {
            out[..count].fill(0.0);
        } else {
            let bytes = samples[copy * count * 2..].chunks_exact(2);
            for (out, bytes) in out[..count].iter_mut().zip(bytes) {
                *out = f32::from(i16::from_le_bytes([bytes[0], bytes[1]])) / 32_767.0;
            }
        }
        Ok(count / usize::from(head[1]))
    }
}

impl SoundDecoder for PcmDecoder {
    fn channels(&self) -> usize {
        self.0
    }

    fn decode(&mut self, packet: &[u8], out: &mut [f32]) -> Result<usize, CodecError> {
        if packet[2] == 9 {
            return Err(CodecError::Frame("as asked".into()));
        }
        Self::copy(packet, 0, out)
    }

    fn decode_fec(&mut self, next: &[u8], out: &mut [f32]) -> Result<usize, CodecError> {
        let mut room = [0.0; 5760 * 2];
        Self::copy(next, 1, &mut room)?;
        out.copy_from_slice(&room[..out.len()]);
        Ok(out.len() / self.0)
    }

    fn conceal(&mut self, out: &mut [f32]) -> Result<usize, CodecError> {
        out.fill(0.0);
        Ok(out.len() / self.0)
    }
}

/// Gives the samples themselves.
pub(super) struct PcmEncoder(usize);

impl SoundEncoder for PcmEncoder {
    fn channels(&self) -> usize {
        self.0
    }

    fn encode(&mut self, samples: &[f32], out: &mut Vec<u8>) -> Result<(), CodecError> {
        assert_eq!(samples.len(), FRAME * self.0);
        samples.iter().for_each(|sample| out.extend_from_slice(&sample.to_le_bytes()));
        Ok(())
    }

    fn set_expected_loss(&mut self, _: u8) -> Result<(), CodecError> {
        Ok(())
    }
}

/// What somebody sends, of a moment in seconds.
pub(super) type Voice = Box<dyn FnMut(f64) -> f32>;

/// How many milliseconds a packet (by its number) takes; None when it is lost.
pub(super) type Network = Box<dyn FnMut(u64, &mut SmallRng) -> Option<f64>>;

/// Makes a payload.
pub(super) type Encode = Box<dyn FnMut(&[f32]) -> Vec<u8>>;

/// What a listener makes of a payload.
pub(super) type Decode = Box<dyn FnMut(ListenerId, &[u8]) -> Vec<f32>>;

/// A steady tone.
pub(super) fn tone(frequency: f64, amplitude: f32) -> Voice {
    Box::new(move |at| (at * frequency * std::f64::consts::TAU).sin() as f32 * amplitude)
}

/// Sends packets of one source to the mixer through a network of its own.
pub(super) struct Sender {
    pub(super) source: SourceId,
    pub(super) voice: Voice,
    /// Of each packet, in samples.
    pub(super) length: usize,
    pub(super) channels: u8,
    /// The sender's clock against ours.
    pub(super) rate: f64,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    pub(super) fec: bool,
    pub(super) network: Network,
    /// Whether the header has a level, and one that is made up.
    pub(super) level: Option<Option<i8>>,
    /// In place of [`pcm`].
    pub(super) encode: Option<Encode>,
    sent: u64,
    before: Vec<f32>,
}

impl Sender {
    pub(super) fn new(source: u64, voice: Voice) -> Self {
        Self {
            source: SourceId(source),
            voice,
            length: 960,
            channels: 1,
            rate: 1.0,
            sequence: 65_500,
            timestamp: u32::MAX - 50_000,
            fec: false,
            network: Box::new(|_, _| Some(30.0)),
            level: None,
            encode: None,
            sent: 0,
            before: Vec::new(),
        }
    }
}

struct Flight {
    at: f64,
    source: SourceId,
    sequence: u16,
    timestamp: u32,
    level: Option<i8>,
    payload: Vec<u8>,
}

/// What a listener got, from the first sample of the output on; silence where nothing was sent.
#[derive(Default)]
pub(super) struct Heard {
    pub(super) left: Vec<f32>,
    pub(super) right: Vec<f32>,
    pub(super) packets: u64,
}

/// A mixer and all around it.
pub(super) struct Room {
    pub(super) mixer: SoundMixer,
    pub(super) output: SoundOutput,
    pub(super) senders: Vec<Sender>,
    pub(super) heard: BTreeMap<ListenerId, Heard>,
    /// Of the last tick.
    pub(super) speakers: Vec<SourceId>,
    /// Milliseconds since the beginning.
    pub(super) now: f64,
    pub(super) record: bool,
    /// In place of samples as they are.
    pub(super) decode: Option<Decode>,
    start: Instant,
    flights: Vec<Flight>,
    random: SmallRng,
}

pub(super) fn config() -> SoundConfig {
    let encoder: EncoderFactory = Box::new(|channels| Ok(Box::new(PcmEncoder(channels))));
    SoundConfig { inspect, ..SoundConfig::new(encoder) }
}

impl Room {
    pub(super) fn new(seed: u64) -> Self {
        Self::with(config(), seed)
    }

    pub(super) fn with(config: SoundConfig, seed: u64) -> Self {
        Self {
            mixer: SoundMixer::new(config),
            output: SoundOutput::new(),
            senders: Vec::new(),
            heard: BTreeMap::new(),
            speakers: Vec::new(),
            now: 0.0,
            record: true,
            decode: None,
            start: Instant::now(),
            flights: Vec::new(),
            random: SmallRng::seed_from_u64(seed),
        }
    }

    /// Somebody who sends a voice and, under the same number, listens.
    pub(super) fn join(&mut self, sender: Sender) {
        let source = sender.source;
        self.listen(source.0, &[source.0]);
        self.send(sender);
    }

    pub(super) fn send(&mut self, sender: Sender) {
        let decoder = PcmDecoder(sender.channels.into());
        self.send_to(sender, Box::new(decoder));
    }

    pub(super) fn send_to(&mut self, sender: Sender, decoder: Box<dyn SoundDecoder>) {
        let kind = if sender.channels == 2 { SourceKind::Screen } else { SourceKind::Voice };
        self.mixer.add_source(sender.source, kind, decoder);
        self.senders.push(sender);
    }

    pub(super) fn listen(&mut self, listener: u64, own: &[u64]) {
        let own: Vec<_> = own.iter().map(|id| SourceId(*id)).collect();
        self.mixer.add_listener(ListenerId(listener), &own);
    }

    /// Lets so many milliseconds pass.
    pub(super) fn run(&mut self, milliseconds: u32) {
        self.run_with(milliseconds, |_| {});
    }

    /// The same, and does something after each tick.
    pub(super) fn run_with(&mut self, milliseconds: u32, mut after: impl FnMut(&mut Self)) {
        for _ in 0..milliseconds / 20 {
            let until = self.now + 20.0;
            for index in 0..self.senders.len() {
                self.packetize(index, until);
            }
            // Ticks are at odds with packets by 7 ms.
            self.deliver(self.now + 7.0);
            let now = self.instant(self.now + 7.0);
            self.mixer.tick(now, &mut self.output);
            self.speakers.clone_from(&self.output.speakers().to_vec());
            self.hear();
            after(self);
            self.now = until;
        }
    }

    fn instant(&self, milliseconds: f64) -> Instant {
        self.start + Duration::from_nanos((milliseconds * 1e6) as u64)
    }

    fn packetize(&mut self, index: usize, until: f64) {
        let sender = &mut self.senders[index];
        loop {
            let first = sender.sent as f64 * sender.length as f64;
            let ready = (first + sender.length as f64) / 48.0 / sender.rate;
            if ready > until {
                return;
            }
            sender.sent += 1;
            let (sequence, timestamp) = (sender.sequence, sender.timestamp);
            sender.sequence = sequence.wrapping_add(1);
            sender.timestamp = timestamp.wrapping_add(sender.length as u32);
            let mut samples = Vec::with_capacity(sender.length * usize::from(sender.channels));
            for at in 0..sender.length {
                let sample = (sender.voice)((first + at as f64) / 48_000.0);
                samples.extend((0..sender.channels).map(|channel| if channel == 0 { sample } else { -sample }));
            }
            let level = gain::decibels(gain::power(&samples)).clamp(-127.0, 0.0) as i8;
            let before = (sender.fec && !sender.before.is_empty()).then_some(&sender.before[..]);
            let payload = match &mut sender.encode {
                Some(encode) => encode(&samples),
                None => pcm(&samples, sender.channels, before),
            };
            sender.before = samples;
            if let Some(delay) = (sender.network)(sender.sent - 1, &mut self.random) {
                let (at, source) = (ready + delay, sender.source);
                let level = sender.level.unwrap_or(Some(level));
                self.flights.push(Flight { at, source, sequence, timestamp, level, payload });
            }
        }
    }

    fn deliver(&mut self, until: f64) {
        let (mut due, rest): (Vec<_>, Vec<_>) = self.flights.drain(..).partition(|flight| flight.at <= until);
        self.flights = rest;
        due.sort_by(|one, other| one.at.total_cmp(&other.at));
        for flight in due {
            let Flight { at, source, sequence, timestamp, level, payload } = flight;
            let packet = SoundPacket { sequence, timestamp, payload: &payload, level, voice: true };
            self.mixer.receive(self.instant(at), source, &packet);
        }
    }

    fn hear(&mut self) {
        for packet in self.output.packets() {
            let four = |four: &[u8]| f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
            for listener in packet.listeners {
                let heard = self.heard.entry(*listener).or_default();
                heard.packets += 1;
                if !self.record {
                    continue;
                }
                let samples = match &mut self.decode {
                    Some(decode) => decode(*listener, packet.payload),
                    None => packet.payload.chunks_exact(4).map(four).collect(),
                };
                for (side, channel) in [(&mut heard.left, 0), (&mut heard.right, packet.channels - 1)] {
                    side.resize(packet.time as usize, 0.0);
                    side.extend(samples.iter().skip(channel).step_by(packet.channels));
                }
            }
        }
    }

    pub(super) fn statistics(&self, source: u64) -> SourceStatistics {
        self.mixer.source_statistics(SourceId(source)).expect("a source")
    }

    /// The last seconds that a listener heard.
    pub(super) fn last(&self, listener: u64, seconds: f32) -> &[f32] {
        let left = self.heard.get(&ListenerId(listener)).map_or(&[][..], |heard| &heard.left);
        &left[left.len().saturating_sub((seconds * 48_000.0) as usize)..]
    }
}

/// How loud one frequency is, in dB of amplitude (Goertzel's algorithm), with a window that keeps
/// other tones out.
pub(super) fn loudness(samples: &[f32], frequency: f64) -> f64 {
    let step = std::f64::consts::TAU * frequency / 48_000.0;
    let (mut one, mut two) = (0.0, 0.0);
    for (at, sample) in samples.iter().enumerate() {
        let window = 1.0 - (std::f64::consts::TAU * at as f64 / samples.len() as f64).cos();
        let next = f64::from(*sample) * window + 2.0 * step.cos() * one - two;
        (two, one) = (one, next);
    }
    let power = (one * one + two * two - 2.0 * step.cos() * one * two).max(1e-20);
    20.0 * (power.sqrt() * 2.0 / samples.len().max(1) as f64).log10()
}

/// The largest step from a sample to the next.
pub(super) fn steepest(samples: &[f32]) -> f32 {
    samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
}
