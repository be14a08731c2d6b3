//! Plays clips: what to send, and when.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use madang_media::frames::{av1, h264, vp8, vp9};

use crate::{
    clip::{self, Clip, Codec, Layer, Level},
    stamp::{Clock, Stamp},
};

/// The largest payload: with RTP, SRTP, UDP, IP and a relay's header it fits in 1280 bytes, the
/// least that every path carries (RFC 8200 §5).
pub const LARGEST_PAYLOAD: usize = 1160;

/// Further behind than this, a source goes on from now instead of making up for it.
const LATE: Duration = Duration::from_millis(500);

/// A packet to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// In which layer, by its place in the source.
    pub layer: usize,
    /// The sequence number, extended.
    pub sequence: u64,
    /// The RTP time stamp.
    pub timestamp: u32,
    /// The marker bit.
    pub is_marked: bool,
    /// How loud it is, for sound.
    pub level: Option<Level>,
    /// The payload.
    pub payload: Vec<u8>,
}

/// What marks a source's frames with the time of sending.
#[derive(Clone, Copy, Debug)]
pub enum Marks {
    /// The frames are sent as they are.
    None,
    /// A [`Stamp`] stands behind each.
    Stamps(Clock),
}

/// One track: a clip in a loop, in one or several layers.
#[derive(Debug)]
pub struct Source {
    codec: Codec,
    marks: Marks,
    began: Instant,
    /// What the RTP time stamps begin with (RFC 3550 §5.1).
    offset: u32,
    layers: Vec<LayerSource>,
}

#[derive(Debug)]
struct LayerSource {
    clip: Arc<Clip>,
    is_pattern: bool,
    is_active: bool,
    keyframe_wanted: bool,
    /// The next frame, and when it is due.
    next: usize,
    due: Instant,
    frames: u32,
    sequence: u64,
    packetizer: Packetizer,
}

#[derive(Debug)]
enum Packetizer {
    Opus,
    Vp8(vp8::Packetizer),
    Vp9(vp9::Packetizer),
    H264,
    Av1,
}

impl Source {
    /// The test picture in these layers, from `now` on. Seeds differ between sources.
    #[must_use]
    pub fn pattern(layers: &[Layer], marks: Marks, now: Instant, seed: u64) -> Self {
        let layers = layers.iter().map(|layer| (clip::pattern(*layer), true));
        Self::new(Codec::Vp8, layers, marks, now, seed)
    }

    /// A clip in one layer, from `now` on.
    #[must_use]
    pub fn clip(clip: Arc<Clip>, marks: Marks, now: Instant, seed: u64) -> Self {
        Self::new(clip.codec, [(clip, false)].into_iter(), marks, now, seed)
    }

    fn new(
        codec: Codec,
        clips: impl Iterator<Item = (Arc<Clip>, bool)>,
        marks: Marks,
        now: Instant,
        seed: u64,
    ) -> Self {
        let mut numbers = Numbers(seed);
        let offset = numbers.next();
        let layers = clips.map(|(clip, is_pattern)| LayerSource {
            is_pattern,
            is_active: true,
            keyframe_wanted: false,
            next: 0,
            due: now,
            frames: 0,
            // Below 2^15, so that the first wrap is far from the beginning (RFC 3711 §3.3.1).
            sequence: u64::from(numbers.next() & 0x7FFF),
            packetizer: Packetizer::new(clip.codec, numbers.next()),
            clip,
        });
        Self { codec, marks, began: now, offset, layers: layers.collect() }
    }

    /// What it is encoded in.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// The next moment at which there is something to send.
    #[must_use]
    pub fn timeout(&self) -> Option<Instant> {
        self.layers.iter().filter(|layer| layer.is_active).map(|layer| layer.due).min()
    }

    /// Appends the packets that are due.
    pub fn poll(&mut self, now: Instant, out: &mut Vec<Outgoing>) {
        let (began, offset, marks, codec) = (self.began, self.offset, self.marks, self.codec);
        for (index, layer) in self.layers.iter_mut().enumerate() {
            if layer.is_active && now.saturating_duration_since(layer.due) > LATE {
                layer.due = now;
            }
            while layer.is_active && layer.due <= now {
                let timestamp = offset.wrapping_add(ticks(layer.due - began, codec.clock_rate()));
                if !layer.send(now, index, timestamp, marks, out) {
                    layer.is_active = false;
                }
            }
        }
    }

    /// Goes to a keyframe of the clip, in one layer or in all.
    pub fn request_keyframe(&mut self, layer: Option<usize>) {
        for (index, source) in self.layers.iter_mut().enumerate() {
            source.keyframe_wanted |= layer.is_none_or(|wanted| wanted == index);
        }
    }

    /// Sends a layer or lets it rest. It begins again with a keyframe.
    pub fn set_active(&mut self, layer: usize, is_active: bool, now: Instant) {
        let Some(layer) = self.layers.get_mut(layer) else { return };
        if is_active && !layer.is_active {
            layer.keyframe_wanted = true;
            layer.due = layer.due.max(now);
        }
        layer.is_active = is_active;
    }
}

impl LayerSource {
    /// Sends the next frame. `false` when the clip is empty.
    fn send(&mut self, now: Instant, layer: usize, timestamp: u32, marks: Marks, out: &mut Vec<Outgoing>) -> bool {
        if std::mem::take(&mut self.keyframe_wanted) {
            self.next = self.clip.keyframe_from(self.next).unwrap_or(self.next);
        }
        let Some(frame) = self.clip.frame(self.next) else { return false };
        let mut data = std::borrow::Cow::Borrowed(frame.data);
        if let Marks::Stamps(clock) = marks {
            Stamp { sent: clock.read(now), number: self.frames }.write(data.to_mut());
        }
        let place = Temporal(self.is_pattern.then_some(self.next));
        let payloads = self.packetizer.packetize(&data, place, frame.is_keyframe);
        let last = payloads.len().saturating_sub(1);
        for (index, payload) in payloads.into_iter().enumerate() {
            self.sequence += 1;
            out.push(Outgoing {
                layer,
                sequence: self.sequence,
                timestamp,
                is_marked: index == last && self.clip.codec != Codec::Opus,
                level: frame.level,
                payload,
            });
        }
        self.frames = self.frames.wrapping_add(1);
        self.step(frame.at);
        true
    }

    /// To the next frame, or from the last to the first.
    fn step(&mut self, at: Duration) {
        self.next += 1;
        let end = match self.clip.frame(self.next) {
            Some(next) => next.at,
            None => {
                self.next = 0;
                self.clip.length()
            }
        };
        // A clip whose times stand still must not send without end.
        self.due += end.saturating_sub(at).max(Duration::from_millis(1));
    }
}

/// The place of a frame of the test picture in its clip; other clips have one temporal layer.
struct Temporal(Option<usize>);

impl Packetizer {
    fn new(codec: Codec, seed: u32) -> Self {
        match codec {
            Codec::Opus => Self::Opus,
            Codec::Vp8 => Self::Vp8(vp8::Packetizer::new(LARGEST_PAYLOAD, seed)),
            Codec::Vp9 => Self::Vp9(vp9::Packetizer::new(LARGEST_PAYLOAD, seed)),
            Codec::H264 => Self::H264,
            Codec::Av1 => Self::Av1,
        }
    }

    fn packetize(&mut self, frame: &[u8], place: Temporal, is_keyframe: bool) -> Vec<Vec<u8>> {
        match self {
            // RFC 7587 §4.2: one Opus packet is one payload.
            Self::Opus => vec![frame.to_vec()],
            Self::Vp8(packetizer) => {
                let base = vp8::Temporal { layer: 0, is_sync: false };
                packetizer.packetize(frame, place.0.map_or(base, clip::temporal)).collect()
            }
            Self::Vp9(packetizer) => packetizer.packetize(frame, is_keyframe).collect(),
            Self::H264 => h264::packetize(frame, LARGEST_PAYLOAD),
            Self::Av1 => av1::packetize(frame, LARGEST_PAYLOAD),
        }
    }
}

fn ticks(time: Duration, rate: u32) -> u32 {
    // RTP time stamps wrap.
    (time.as_nanos() * u128::from(rate) / 1_000_000_000) as u32
}

/// SplitMix64: numbers that differ from source to source; nothing secret hangs on them.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receive::{Arrival, Assembler, Continuity, Packet};

    /// Runs a source for some time and puts one layer's frames together again.
    fn frames(source: &mut Source, from: Instant, time: Duration, layer: usize) -> Vec<crate::receive::Frame> {
        let mut assembler = Assembler::new(source.codec());
        let mut out = Vec::new();
        let mut now = from;
        while now < from + time {
            source.poll(now, &mut out);
            for packet in out.drain(..).filter(|packet| packet.layer == layer) {
                let Outgoing { sequence, timestamp, is_marked, payload, .. } = packet;
                assembler.push(Packet { sequence, timestamp, is_marked, payload: payload.into(), at: now });
            }
            now = source.timeout().unwrap_or(from + time);
        }
        let mut frames = Vec::new();
        while let Some(arrival) = assembler.poll() {
            let Arrival::Frame(frame) = arrival else { unreachable!("{arrival:?}, and nothing was lost") };
            frames.push(frame);
        }
        frames
    }

    #[test]
    fn the_pattern_is_thirty_frames_a_second_without_a_break_over_the_end_of_its_clip() {
        let now = Instant::now();
        let clock = Clock::new(now, Duration::from_secs(10));
        let mut source = Source::pattern(&Layer::ALL, Marks::Stamps(clock), now, 1);
        for layer in 0..3 {
            let mut stream = Continuity::default();
            let began = source.timeout().expect("it goes on");
            let frames = frames(&mut source, began, Duration::from_secs(10), layer);
            assert!(frames.len().abs_diff(300) <= 1, "{}", frames.len());
            let first = Stamp::read(&frames[0].data).expect("stamped").number;
            for (index, frame) in frames.iter().enumerate() {
                let stamp = Stamp::read(&frame.data).expect("stamped");
                assert_eq!(stamp.sent.as_micros(), clock.read(frame.at).as_micros());
                assert_eq!(stamp.number, first + index as u32);
                let is_keyframe = vp8::is_keyframe(&frame.data);
                assert!(stream.accept(frame.info, is_keyframe) || stream.needs_keyframe());
            }
            assert!(!stream.needs_keyframe());
            let gap = frames[1].timestamp.wrapping_sub(frames[0].timestamp);
            assert!(gap.abs_diff(3000) <= 1, "{gap}");
        }
    }

    #[test]
    fn a_keyframe_comes_next_when_it_was_asked_for_and_in_that_layer_alone() {
        let now = Instant::now();
        let mut source = Source::pattern(&[Layer::Low, Layer::High], Marks::None, now, 1);
        let mut out = Vec::new();
        source.poll(now + Duration::from_millis(40), &mut out);
        source.request_keyframe(Some(1));
        out.clear();
        source.poll(now + Duration::from_millis(70), &mut out);
        let begins_with_keyframe = |layer| {
            let packet = out.iter().find(|packet| packet.layer == layer).expect("a packet");
            vp8::is_keyframe(vp8::Descriptor::parse(&packet.payload).expect("VP8").1)
        };
        assert!(!begins_with_keyframe(0));
        assert!(begins_with_keyframe(1));
    }

    #[test]
    fn a_layer_that_rested_begins_with_a_keyframe_and_the_others_went_on() {
        let now = Instant::now();
        let mut source = Source::pattern(&[Layer::Low, Layer::Middle], Marks::None, now, 1);
        let mut out = Vec::new();
        source.poll(now, &mut out);
        source.set_active(1, false, now);
        out.clear();
        let later = now + Duration::from_millis(400);
        source.poll(later, &mut out);
        assert!(!out.is_empty() && out.iter().all(|packet| packet.layer == 0));
        source.set_active(1, true, later);
        out.clear();
        source.poll(later + Duration::from_millis(1), &mut out);
        let packet = out.iter().find(|packet| packet.layer == 1).expect("it begins again");
        assert!(vp8::is_keyframe(vp8::Descriptor::parse(&packet.payload).expect("VP8").1));
    }

    #[test]
    fn a_source_that_was_held_up_goes_on_from_now() {
        let now = Instant::now();
        let mut source = Source::pattern(&[Layer::Low], Marks::None, now, 1);
        let mut out = Vec::new();
        source.poll(now + Duration::from_secs(60), &mut out);
        assert_eq!(out.iter().filter(|packet| packet.is_marked).count(), 1);
    }

    #[test]
    fn sound_has_a_packet_every_20_ms_with_its_level_and_no_marker() {
        let now = Instant::now();
        let clip = Arc::new(clip::tone(clip::Hertz(440)).expect("a tone"));
        let mut source = Source::clip(clip, Marks::None, now, 1);
        let mut out = Vec::new();
        for step in 0..100 {
            source.poll(now + Duration::from_millis(20) * step, &mut out);
        }
        assert_eq!(out.len(), 100);
        assert!(out.iter().all(|packet| !packet.is_marked && packet.level == Some(Level(15))));
        assert_eq!(out[99].timestamp.wrapping_sub(out[0].timestamp), 99 * 960);
    }

    #[test]
    fn an_empty_clip_sends_nothing() {
        let now = Instant::now();
        let clip = Arc::new(Clip::new(Codec::Vp9, clip::Size::default()));
        let mut source = Source::clip(clip, Marks::None, now, 1);
        let mut out = Vec::new();
        source.poll(now, &mut out);
        assert_eq!((out.len(), source.timeout()), (0, None));
    }
}
