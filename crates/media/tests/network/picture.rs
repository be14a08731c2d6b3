//! VP8 simulcast as an encoder would send it, and a receiver that decodes only what can be.
//!
//! Each packet says, behind its VP8 header, which frame of which layer it is part of and which
//! frame that one needs, so that a receiver can tell whether a real decoder would have shown it.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use madang_media::{payload::PayloadInfo, session::VideoCodec};

/// 30 frames per second.
pub(crate) const FRAME: Duration = Duration::from_millis(33);
pub(crate) const TICKS: u32 = 2970;
const PACKET: usize = 1100;
/// The bit rates of the layers, from the smallest, and their sizes; the last is one without others.
const LAYERS: [(usize, u16, u16); 4] =
    [(150_000, 320, 180), (500_000, 640, 360), (1_700_000, 1280, 720), (2_500_000, 1280, 720)];
/// Temporal layers over four frames, and how far back the frame is that each needs: RFC 7741's
/// Appendix-like pattern of three layers.
const PATTERN: [(u8, u64); 4] = [(0, 4), (2, 1), (1, 2), (2, 1)];

const LATENESS_OVER: Duration = Duration::from_secs(10);
const LONGEST_DELAY: Duration = Duration::from_millis(500);
/// A decoder that has nothing to show for so long, while frames come, asks for a keyframe.
const STUCK: Duration = Duration::from_secs(1);

/// What a packet says of its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    layer: u8,
    frame: u64,
    /// The frame needed; `None` for a keyframe.
    needs: Option<u64>,
    part: u16,
    parts: u16,
    /// When it was captured, in microseconds of virtual time.
    captured: u64,
}

impl Mark {
    const LENGTH: usize = 29;

    fn write(self, into: &mut Vec<u8>) {
        into.push(self.layer);
        into.extend(self.frame.to_be_bytes());
        into.extend(self.needs.unwrap_or(u64::MAX).to_be_bytes());
        into.extend(self.part.to_be_bytes());
        into.extend(self.parts.to_be_bytes());
        into.extend(self.captured.to_be_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut at = 0;
        let mut take = |count: usize| {
            at += count;
            bytes.get(at - count..at)
        };
        let long = |bytes: &[u8]| bytes.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
        let layer = take(1)?[0];
        let (frame, needs) = (long(take(8)?), long(take(8)?));
        let (part, parts) = (long(take(2)?) as u16, long(take(2)?) as u16);
        let captured = long(take(8)?);
        Some(Self { layer, frame, needs: (needs != u64::MAX).then_some(needs), part, parts, captured })
    }
}

/// One layer's encoder.
#[derive(Debug)]
pub(crate) struct Encoder {
    layer: u8,
    frame: u64,
    /// The place in the temporal pattern: a keyframe begins it.
    place: usize,
    base: u8,
    keyframe_wanted: bool,
    first_timestamp: u32,
    pub(crate) keyframes: u64,
}

impl Encoder {
    pub(crate) fn new(layer: u8) -> Self {
        let first_timestamp = 1_000_000_000u32.wrapping_mul(u32::from(layer) + 1);
        Self { layer, frame: 0, place: 0, base: 0, keyframe_wanted: true, first_timestamp, keyframes: 0 }
    }

    pub(crate) fn want_keyframe(&mut self) {
        self.keyframe_wanted = true;
    }

    /// The packets of the next frame, and its timestamp.
    pub(crate) fn encode(&mut self, number: u32, captured: u64) -> (u32, Vec<Vec<u8>>) {
        let key = std::mem::take(&mut self.keyframe_wanted);
        if key {
            self.place = 0;
            self.keyframes += 1;
        }
        let (temporal, back) = PATTERN[self.place % PATTERN.len()];
        if temporal == 0 {
            self.base = self.base.wrapping_add(1);
        }
        let (rate, width, height) = LAYERS[usize::from(self.layer)];
        let mean = rate / 8 / 30;
        let size =
            if key { mean * 4 } else { [mean * 8 / 5, mean * 4 / 5, mean * 4 / 5, mean * 4 / 5][self.place % 4] };
        let needs = if key { None } else { Some(self.frame - back.min(self.place as u64)) };
        let parts = size.div_ceil(PACKET).max(1);
        let packets = (0..parts).map(|part| {
            let mark =
                Mark { layer: self.layer, frame: self.frame, needs, part: part as u16, parts: parts as u16, captured };
            self.packet(part == 0, key.then_some((width, height)), temporal, mark, (size / parts).max(60))
        });
        let packets = packets.collect();
        self.frame += 1;
        self.place += 1;
        (self.first_timestamp.wrapping_add(number.wrapping_mul(TICKS)), packets)
    }

    fn packet(&self, start: bool, key: Option<(u16, u16)>, temporal: u8, mark: Mark, size: usize) -> Vec<u8> {
        let [high, low] = ((mark.frame % 0x8000) as u16).to_be_bytes();
        // The first frame of each higher layer after a base frame needs that one alone.
        let sync = temporal == 2 && self.place % 4 == 1 || temporal == 1;
        let flags = temporal << 6 | u8::from(sync) << 5;
        let mut payload = vec![0x80 | u8::from(start) << 4, 0xE0, 0x80 | high, low, self.base, flags];
        match key {
            Some((width, height)) => {
                payload.extend([0x10, 0x02, 0x00, 0x9D, 0x01, 0x2A]);
                payload.extend(width.to_le_bytes());
                payload.extend(height.to_le_bytes());
            }
            None => payload.extend([0x11; 10]),
        }
        mark.write(&mut payload);
        payload.resize(size.max(payload.len()), 0);
        payload
    }
}

/// A frame that is put together.
#[derive(Debug, Default)]
struct Parts {
    mark: Option<Mark>,
    timestamp: u32,
    got: HashSet<u16>,
}

impl Parts {
    fn complete(&self) -> Option<Mark> {
        self.mark.filter(|mark| self.got.len() == usize::from(mark.parts))
    }
}

/// A frame that was shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    pub(crate) at: Instant,
    pub(crate) layer: u8,
}

/// A jitter buffer's delay: as late as the latest frame of the last seconds, and half a second at
/// most, as browsers have it when what is lost is sent again.
#[derive(Debug, Default)]
struct Playout {
    /// The moment that a capture time of 0 stands for, by the fastest frame.
    begin: Option<Instant>,
    lateness: VecDeque<(Instant, Duration)>,
    last: Option<Instant>,
}

impl Playout {
    /// When a frame is shown that can be decoded now.
    fn show(&mut self, now: Instant, captured: u64) -> Instant {
        let captured = Duration::from_micros(captured);
        let begin = now.checked_sub(captured).unwrap_or(now);
        let begin = *self.begin.insert(self.begin.map_or(begin, |fastest| fastest.min(begin)));
        self.lateness.push_back((now, now - (begin + captured)));
        while self.lateness.front().is_some_and(|(at, _)| now - *at > LATENESS_OVER) {
            self.lateness.pop_front();
        }
        let delay = self.lateness.iter().map(|(_, late)| *late).max().unwrap_or_default().min(LONGEST_DELAY);
        let at = now.max(begin + captured + delay).max(self.last.unwrap_or(now));
        self.last = Some(at);
        at
    }
}

/// Shows what can be decoded, in order.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// By the outgoing PictureID, which is what a receiver goes by.
    waiting: BTreeMap<u64, Parts>,
    decoded: HashSet<(u8, u64)>,
    newest: Option<u64>,
    pub(crate) shown: Vec<Shown>,
    /// The newest frame that was shown.
    timestamp: Option<u32>,
    /// Frames that came out of the order of their PictureIDs or timestamps.
    pub(crate) disorder: usize,
    stuck_since: Option<Instant>,
    in_vain: bool,
    playout: Playout,
}

impl Decoder {
    /// A packet came.
    pub(crate) fn packet(&mut self, now: Instant, timestamp: u32, payload: &[u8]) {
        let Some(info) = PayloadInfo::parse(VideoCodec::Vp8, payload) else { return };
        let Some(id) = info.picture_id.map(|id| u64::from(id.value)) else { return };
        let Some(mark) = payload.get(16..16 + Mark::LENGTH).and_then(Mark::read) else { return };
        let id = self.unwrap(id);
        let parts = self.waiting.entry(id).or_default();
        if parts.mark.is_some_and(|other| (other.layer, other.frame) != (mark.layer, mark.frame)) {
            self.disorder += 1;
        }
        parts.mark = Some(mark);
        parts.timestamp = timestamp;
        parts.got.insert(mark.part);
        if parts.complete().is_some() {
            self.show_all(now);
        }
    }

    fn unwrap(&self, id: u64) -> u64 {
        let newest = self.newest.unwrap_or(id);
        let ahead = id.wrapping_sub(newest) & 0x7FFF;
        if ahead < 0x4000 { newest + ahead } else { (newest + ahead).saturating_sub(0x8000) }
    }

    /// Shows whatever is complete and has what it needs, in order.
    fn show_all(&mut self, now: Instant) {
        let newest = self.newest;
        self.waiting.retain(|id, _| newest.is_none_or(|newest| *id > newest));
        let ready = |decoded: &HashSet<(u8, u64)>, mark: &Mark| {
            mark.needs.is_none_or(|needs| decoded.contains(&(mark.layer, needs)))
        };
        loop {
            let mut complete =
                self.waiting.iter().filter_map(|(id, parts)| Some((*id, parts.complete()?, parts.timestamp)));
            let Some((id, mark, timestamp)) = complete.find(|(_, mark, _)| ready(&self.decoded, mark)) else { break };
            if self.timestamp.is_some_and(|last| timestamp.wrapping_sub(last).wrapping_sub(1) >= 1 << 31) {
                self.disorder += 1;
            }
            self.timestamp = Some(timestamp);
            self.newest = Some(id);
            self.decoded.insert((mark.layer, mark.frame));
            let at = self.playout.show(now, mark.captured);
            self.shown.push(Shown { at, layer: mark.layer });
            (self.stuck_since, self.in_vain) = (None, false);
            self.waiting.retain(|other, _| *other > id);
        }
        if self.waiting.values().any(|parts| parts.complete().is_some()) {
            self.stuck_since.get_or_insert(now);
        }
    }

    /// A packet is lost for good: whoever waits for it waits in vain.
    pub(crate) fn lost(&mut self) {
        self.in_vain |= self.stuck_since.is_some();
    }

    /// Whether frames have been coming for so long without one that can be shown that a decoder
    /// asks for a keyframe.
    pub(crate) fn wants_keyframe(&mut self, now: Instant) -> bool {
        let wants = std::mem::take(&mut self.in_vain) || self.stuck_since.is_some_and(|since| now - since >= STUCK);
        if wants {
            self.stuck_since = Some(now);
        }
        wants
    }

    /// How long the picture stood still between two moments, as W3C webrtc-stats counts
    /// `totalFreezesDuration`: gaps of more than 150 ms above the usual.
    pub(crate) fn frozen(&self, from: Instant, to: Instant) -> Duration {
        let times: Vec<Instant> =
            self.shown.iter().map(|shown| shown.at).filter(|at| (from..to).contains(at)).collect();
        let ends = std::iter::once(from).chain(times.iter().copied()).zip(times.iter().copied().chain([to]));
        ends.map(|(before, after)| after - before)
            .filter(|gap| *gap > FRAME * 3 && *gap > FRAME + Duration::from_millis(150))
            .sum()
    }

    /// The frames shown between two moments.
    pub(crate) fn between(&self, from: Instant, to: Instant) -> impl Iterator<Item = &Shown> {
        self.shown.iter().filter(move |shown| (from..to).contains(&shown.at))
    }
}
