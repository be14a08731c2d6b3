//! One encoded mix. A receiver may be moved from one to another, so their encoders have to be in
//! nearly the same state when that happens: before its first packet an encoder gets what the common
//! mix had last, and what comes of that is thrown away.

use std::collections::VecDeque;

use super::limiter::{FRAME, Limiter, peak};
use crate::codec::{CodecError, SoundEncoder};

/// How many frames bring an encoder into the state of another that had the same input. With libopus
/// at 32 kbit/s what a receiver then hears in the 40 ms after a change differs by −30 dB in the median
/// from what it would have heard; without warming up by −12 dB, and by −6 dB on the way back from a
/// mix that was another until then. More frames do not help.
pub(super) const WARM_UP: usize = 3;
/// Below this (−120 dBFS) there is nothing, whatever rounding left.
const NOTHING: f32 = 1e-6;
/// Frames of silence that are sent before sending stops.
const LAST_FRAMES: u32 = 10;
/// While it has stopped, one frame in so many (400 ms) is sent, as Opus does in DTX.
const KEEP_ALIVE: u32 = 20;

/// Makes an encoder for so many channels.
pub type EncoderFactory = Box<dyn FnMut(usize) -> Result<Box<dyn SoundEncoder>, CodecError> + Send>;

/// One frame of the mix.
#[derive(Clone, Debug)]
pub(super) struct Mix {
    pub(super) left: Vec<f32>,
    pub(super) right: Vec<f32>,
    /// 1 when `right` is the same as `left`, and not filled in.
    pub(super) channels: usize,
}

impl Mix {
    pub(super) fn new() -> Self {
        Self { left: vec![0.0; FRAME], right: vec![0.0; FRAME], channels: 1 }
    }

    pub(super) fn copy_from(&mut self, other: &Self) {
        self.left.copy_from_slice(&other.left);
        self.right.copy_from_slice(if other.channels == 2 { &other.right } else { &other.left });
        self.channels = other.channels;
    }

    fn is_silent(&self) -> bool {
        peak(&self.left) < NOTHING && (self.channels == 1 || peak(&self.right) < NOTHING)
    }

    fn interleave(&self, channels: usize, out: &mut Vec<f32>) {
        out.clear();
        if channels == 1 {
            out.extend_from_slice(&self.left);
        } else {
            let right = if self.channels == 2 { &self.right } else { &self.left };
            out.extend(self.left.iter().zip(right).flat_map(|(left, right)| [*left, *right]));
        }
    }
}

/// What the common mix had last, limited.
pub(super) struct History(VecDeque<Mix>);

impl History {
    pub(super) fn new() -> Self {
        Self((0..WARM_UP).map(|_| Mix::new()).collect())
    }

    pub(super) fn push(&mut self, mix: &Mix) {
        if let Some(mut oldest) = self.0.pop_front() {
            oldest.copy_from(mix);
            self.0.push_back(oldest);
        }
    }
}

/// What streams share: the factory, and room to work in.
pub(super) struct Encoding {
    pub(super) factory: EncoderFactory,
    pub(super) expected_loss: u8,
    pub(super) history: History,
    pub(super) faults: u64,
    pub(super) encoded: u64,
    interleaved: Vec<f32>,
    discarded: Vec<u8>,
}

impl Encoding {
    pub(super) fn new(factory: EncoderFactory) -> Self {
        let (interleaved, discarded) = (Vec::with_capacity(FRAME * 2), Vec::new());
        Self { factory, expected_loss: 0, history: History::new(), faults: 0, encoded: 0, interleaved, discarded }
    }

    /// Makes an encoder if there is none for so many channels, and brings it into state.
    fn prepare(&mut self, stream: &mut Stream, channels: usize) -> Result<(), CodecError> {
        if stream.encoder.as_ref().is_none_or(|encoder| encoder.channels() != channels) {
            let mut encoder = (self.factory)(channels)?;
            encoder.set_expected_loss(self.expected_loss)?;
            (stream.encoder, stream.cold) = (Some(encoder), true);
        }
        let Some(encoder) = stream.encoder.as_mut().filter(|_| stream.cold) else { return Ok(()) };
        for mix in &self.history.0 {
            mix.interleave(channels, &mut self.interleaved);
            self.discarded.clear();
            encoder.encode(&self.interleaved, &mut self.discarded)?;
        }
        stream.cold = false;
        Ok(())
    }

    fn encode(&mut self, stream: &mut Stream, mix: &Mix, out: &mut Vec<u8>) -> Result<(), CodecError> {
        self.prepare(stream, mix.channels)?;
        mix.interleave(mix.channels, &mut self.interleaved);
        match &mut stream.encoder {
            Some(encoder) => encoder.encode(&self.interleaved, out),
            None => Ok(()),
        }
    }
}

/// See above.
pub(super) struct Stream {
    encoder: Option<Box<dyn SoundEncoder>>,
    pub(super) limiter: Limiter,
    /// The encoder has missed frames of the common mix.
    cold: bool,
    silent: u32,
}

impl Stream {
    /// Goes on from another's limiter.
    pub(super) fn new(limiter: Limiter) -> Self {
        Self { encoder: None, limiter, cold: true, silent: 0 }
    }

    pub(super) fn set_expected_loss(&mut self, percent: u8) -> Result<(), CodecError> {
        self.encoder.as_mut().map_or(Ok(()), |encoder| encoder.set_expected_loss(percent))
    }

    /// Limits a mix in place.
    pub(super) fn limit(&mut self, mix: &mut Mix) {
        let right = if mix.channels == 2 { Some(&mut mix.right[..]) } else { None };
        self.limiter.process(&mut mix.left, right);
    }

    /// Nobody hears this frame.
    pub(super) fn leave_out(&mut self) {
        self.cold = true;
    }

    /// Encodes a limited mix onto the end of `out`. False when there is nothing to send: all is silent,
    /// or the encoder failed and will be made anew.
    pub(super) fn encode(&mut self, encoding: &mut Encoding, mix: &Mix, out: &mut Vec<u8>) -> bool {
        self.silent = if mix.is_silent() { self.silent.saturating_add(1) } else { 0 };
        let stopped = self.silent.saturating_sub(LAST_FRAMES);
        if !stopped.is_multiple_of(KEEP_ALIVE) {
            return false;
        }
        let before = out.len();
        if encoding.encode(self, mix, out).is_err() {
            out.truncate(before);
            encoding.faults += 1;
            self.encoder = None;
            return false;
        }
        encoding.encoded += 1;
        out.len() > before
    }
}
