//! What a tick of the mixer gives: encoded sound and who gets it, and what plays when.

use std::ops::Range;
use std::time::Instant;

use super::packet::{ListenerId, SourceId};

/// One packet, to be sent to some listeners.
#[derive(Clone, Copy, Debug)]
pub struct Encoded<'a> {
    /// Index of the first sample, at 48 kHz, which is what the RTP timestamp counts. It goes on while
    /// nothing is sent; a packet after a gap begins a talkspurt (marker bit, RFC 3551 §4.1).
    pub time: u64,
    /// When it was due to be sent: a tick that came late catches up with earlier ones.
    pub due: Instant,
    /// How many channels it was encoded from. Receivers are told in advance that it may be 2.
    pub channels: usize,
    /// What the encoder gave.
    pub payload: &'a [u8],
    /// Who gets it. Nobody is named twice for one time.
    pub listeners: &'a [ListenerId],
}

/// Which of a source's sound plays when, for lip sync. It holds for sources that are not mixed too:
/// as they would play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Playing {
    /// Whose.
    pub source: SourceId,
    /// The RTP timestamp of the source's sound...
    pub timestamp: u32,
    /// ...that is at this sample of the output ([`Encoded::time`]).
    pub time: u64,
    /// When that sample is due to be sent.
    pub due: Instant,
}

struct Entry {
    time: u64,
    due: Instant,
    channels: usize,
    payload: Range<usize>,
    listeners: Range<usize>,
}

/// Everything that came of a tick. Meant to be used again for the next, which then allocates
/// nothing.
#[derive(Default)]
pub struct SoundOutput {
    entries: Vec<Entry>,
    payload: Vec<u8>,
    listeners: Vec<ListenerId>,
    pub(super) playing: Vec<Playing>,
    pub(super) speakers: Vec<SourceId>,
}

impl SoundOutput {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The packets, in the order of their times.
    pub fn packets(&self) -> impl Iterator<Item = Encoded<'_>> {
        self.entries.iter().map(|entry| Encoded {
            time: entry.time,
            due: entry.due,
            channels: entry.channels,
            payload: &self.payload[entry.payload.clone()],
            listeners: &self.listeners[entry.listeners.clone()],
        })
    }

    /// What plays at the last frame of this tick, for each source that has sent anything. Empty when
    /// no frame was due.
    #[must_use]
    pub fn playing(&self) -> &[Playing] {
        &self.playing
    }

    /// Who speaks, the loudest first: also those who are not among the mixed, and over pauses of up
    /// to 300 ms. Screens are not counted. Empty when no frame was due.
    #[must_use]
    pub fn speakers(&self) -> &[SourceId] {
        &self.speakers
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.payload.clear();
        self.listeners.clear();
        self.playing.clear();
        self.speakers.clear();
    }

    /// Adds a packet, unless `encode` says that there is none.
    pub(super) fn add<'a>(
        &mut self,
        (time, due, channels): (u64, Instant, usize),
        listeners: impl Iterator<Item = &'a ListenerId>,
        encode: impl FnOnce(&mut Vec<u8>) -> bool,
    ) {
        let (payload, to) = (self.payload.len(), self.listeners.len());
        if encode(&mut self.payload) {
            self.listeners.extend(listeners);
            let (payload, listeners) = (payload..self.payload.len(), to..self.listeners.len());
            self.entries.push(Entry { time, due, channels, payload, listeners });
        }
    }
}
