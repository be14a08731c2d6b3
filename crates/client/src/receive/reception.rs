//! What comes of one track: its frames, and how well they come.

use std::time::{Duration, Instant};

use madang_media::session::SenderReport;

use super::{Arrival, Assembler, Continuity, Frame, Packet};
use crate::{
    clip::{Codec, Size},
    histogram::Histogram,
    stamp::{Clock, Stamp},
};

/// A picture stands still when nothing new is shown for so long, and three intervals more.
const FREEZE: Duration = Duration::from_millis(150);
/// Between two requests for a keyframe.
const KEYFRAME_REQUEST: Duration = Duration::from_millis(500);
/// The interval between frames that is assumed until it is known.
const INTERVAL: Duration = Duration::from_millis(33);
/// A frame that follows a longer pause than this says nothing of the usual interval.
const PAUSE: Duration = Duration::from_secs(1);

/// Figures of one track as it was received.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// RTP packets, and the bytes of their payloads.
    pub packets: u64,
    /// See `packets`.
    pub bytes: u64,
    /// Packets that never came, after retransmissions.
    pub lost: u64,
    /// Frames that came whole.
    pub frames: u64,
    /// Those of them that a decoder could show.
    pub shown: u64,
    /// Keyframes among them.
    pub keyframes: u64,
    /// The last picture's size.
    pub size: Option<Size>,
    /// How often that changed.
    pub size_changes: u64,
    /// Keyframes that were asked for.
    pub keyframe_requests: u64,
    /// How often, and how long in all, the picture stood still.
    pub freezes: u64,
    /// See `freezes`.
    pub frozen: Duration,
    /// From the beginning to the first frame that could be shown.
    pub first_shown: Option<Duration>,
    /// From the first frame that was shown to the last.
    pub shown_for: Duration,
    /// From sending to the arrival of the last packet of each stamped frame.
    pub delays: Histogram,
}

impl Figures {
    /// What happened since `earlier`, a former state of these.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            packets: self.packets - earlier.packets,
            bytes: self.bytes - earlier.bytes,
            lost: self.lost - earlier.lost,
            frames: self.frames - earlier.frames,
            shown: self.shown - earlier.shown,
            keyframes: self.keyframes - earlier.keyframes,
            size: self.size,
            size_changes: self.size_changes - earlier.size_changes,
            keyframe_requests: self.keyframe_requests - earlier.keyframe_requests,
            // A freeze that was going on then may have turned out to be a pause.
            freezes: self.freezes.saturating_sub(earlier.freezes),
            frozen: self.frozen.saturating_sub(earlier.frozen),
            first_shown: self.first_shown,
            shown_for: self.shown_for.saturating_sub(earlier.shown_for),
            delays: self.delays.since(&earlier.delays),
        }
    }
}

impl Figures {
    /// Frames shown per second.
    #[must_use]
    pub fn frame_rate(&self) -> f64 {
        let seconds = self.shown_for.as_secs_f64();
        if seconds > 0.0 { self.shown.saturating_sub(1) as f64 / seconds } else { 0.0 }
    }
}

/// A frame that came, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The frame.
    pub frame: Frame,
    /// Whether it refers to no other.
    pub is_keyframe: bool,
    /// Whether a decoder could show it.
    pub is_shown: bool,
    /// When it was captured by its sender's clock, in microseconds since 1970, once a sender report
    /// (RFC 3550 §6.4.1) has told.
    pub captured_us: Option<i64>,
}

/// See the module.
#[derive(Debug)]
pub struct Reception {
    codec: Codec,
    clock: Clock,
    assembler: Assembler,
    continuity: Continuity,
    began: Instant,
    /// When the last frame was shown; none while the track is not expected to come.
    last_shown: Option<Instant>,
    last_timestamp: Option<u32>,
    interval: Duration,
    asked: Option<Instant>,
    report: Option<SenderReport>,
    figures: Figures,
}

impl Reception {
    /// A track that is expected from now on.
    #[must_use]
    pub fn new(codec: Codec, clock: Clock, now: Instant) -> Self {
        Self {
            codec,
            clock,
            assembler: Assembler::new(codec),
            continuity: Continuity::default(),
            began: now,
            last_shown: None,
            last_timestamp: None,
            interval: INTERVAL,
            asked: None,
            report: None,
            figures: Figures::default(),
        }
    }

    /// What it is encoded in.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// Takes a packet.
    pub fn push(&mut self, packet: Packet) {
        self.figures.packets += 1;
        self.figures.bytes += packet.payload.len() as u64;
        self.assembler.push(packet);
    }

    /// Takes the stream's newest sender report.
    pub fn report(&mut self, report: SenderReport) {
        self.report = Some(report);
    }

    /// Gives up packets that did not come in time.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.assembler.handle_timeout(now);
    }

    /// When to call [`Self::handle_timeout`].
    #[must_use]
    pub const fn timeout(&self) -> Option<Instant> {
        self.assembler.timeout()
    }

    /// The next frame.
    pub fn poll(&mut self) -> Option<Received> {
        loop {
            match self.assembler.poll()? {
                Arrival::Lost(packets) => {
                    self.figures.lost += packets;
                    self.continuity.lose();
                }
                Arrival::Frame(frame) => return Some(self.count(frame)),
            }
        }
    }

    /// Whether a keyframe is to be asked for now: nothing can be shown without one.
    pub fn wants_keyframe(&mut self, now: Instant) -> bool {
        let can_ask = self.asked.is_none_or(|asked| now.saturating_duration_since(asked) >= KEYFRAME_REQUEST);
        let wants = self.codec != Codec::Opus && self.figures.packets > 0 && self.continuity.needs_keyframe();
        if wants && can_ask {
            self.asked = Some(now);
            self.figures.keyframe_requests += 1;
        }
        wants && can_ask
    }

    /// The track is not expected to come for a while: muted, or not watched.
    pub fn pause(&mut self, now: Instant) {
        self.note_freeze(now);
        self.last_shown = None;
    }

    /// The figures up to `now`.
    #[must_use]
    pub fn figures(&self, now: Instant) -> Figures {
        let mut figures = self.figures.clone();
        if let Some(frozen) = self.freeze(now) {
            figures.freezes += 1;
            figures.frozen += frozen;
        }
        figures
    }

    fn count(&mut self, frame: Frame) -> Received {
        let is_keyframe = self.codec.is_keyframe(&frame.data);
        let is_shown = self.codec == Codec::Opus || self.continuity.accept(frame.info, is_keyframe);
        self.figures.frames += 1;
        self.figures.keyframes += u64::from(is_keyframe);
        if let Some(stamp) = Stamp::read(&frame.data) {
            self.figures.delays.record(self.clock.read(frame.at).saturating_sub(stamp.sent));
        }
        if is_shown {
            self.show(&frame);
        }
        let captured_us = self.report.map(|report| report.moment_us(frame.timestamp, self.codec.clock_rate()));
        Received { frame, is_keyframe, is_shown, captured_us }
    }

    fn show(&mut self, frame: &Frame) {
        self.figures.shown += 1;
        let since = frame.at.saturating_duration_since(self.began);
        let first = *self.figures.first_shown.get_or_insert(since);
        self.figures.shown_for = since.saturating_sub(first);
        if let Some(size) = self.codec.size(&frame.data) {
            self.figures.size_changes += u64::from(self.figures.size.is_some_and(|former| former != size));
            self.figures.size = Some(size);
        }
        self.note_freeze(frame.at);
        self.last_shown = Some(frame.at);
        // By the sender's clock: what the network does is no measure of it.
        if let Some(last) = self.last_timestamp.replace(frame.timestamp) {
            let ticks = u64::from(frame.timestamp.wrapping_sub(last));
            let interval = Duration::from_micros(ticks * 1_000_000 / u64::from(self.codec.clock_rate()));
            if interval < PAUSE {
                self.interval = (self.interval * 7 + interval) / 8;
            }
        }
    }

    fn note_freeze(&mut self, now: Instant) {
        if let Some(frozen) = self.freeze(now) {
            self.figures.freezes += 1;
            self.figures.frozen += frozen;
        }
    }

    /// How long the picture has stood still beyond what is usual, if it has.
    fn freeze(&self, now: Instant) -> Option<Duration> {
        let stood = now.saturating_duration_since(self.last_shown?);
        (stood > FREEZE + 3 * self.interval).then(|| stood - self.interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clip::Layer,
        source::{Marks, Source},
    };

    const FRAME: Duration = Duration::from_nanos(33_333_334);

    /// The test picture over a network that takes 20 ms and loses what `drops` says.
    struct Stream {
        source: Source,
        reception: Reception,
        now: Instant,
    }

    impl Stream {
        fn new() -> Self {
            let now = Instant::now();
            let clock = Clock::new(now, Duration::from_secs(1));
            Self {
                source: Source::pattern(&[Layer::Middle], Marks::Stamps(clock), now, 3),
                reception: Reception::new(Codec::Vp8, clock, now),
                now,
            }
        }

        fn run(&mut self, frames: u32, drops: impl Fn(u32) -> bool) {
            for frame in 0..frames {
                let mut packets = Vec::new();
                self.source.poll(self.now, &mut packets);
                let arrives = self.now + Duration::from_millis(20);
                for packet in packets.into_iter().filter(|_| !drops(frame)) {
                    self.reception.push(Packet {
                        sequence: packet.sequence,
                        timestamp: packet.timestamp,
                        is_marked: packet.is_marked,
                        payload: packet.payload.into(),
                        at: arrives,
                    });
                }
                self.reception.handle_timeout(arrives);
                while self.reception.poll().is_some() {}
                self.now += FRAME;
            }
        }

        fn figures(&self) -> Figures {
            self.reception.figures(self.now)
        }
    }

    #[test]
    fn a_stream_without_loss_has_its_size_its_delay_and_no_freeze() {
        let mut stream = Stream::new();
        stream.run(300, |_| false);
        let figures = stream.figures();
        assert_eq!((figures.frames, figures.shown, figures.lost, figures.freezes), (300, 300, 0, 0));
        assert_eq!(figures.size, Some(Size { width: 640, height: 360 }));
        assert_eq!(figures.first_shown, Some(Duration::from_millis(20)));
        let delay = figures.delays.percentile(0.5);
        assert!(delay.abs_diff(Duration::from_millis(20)) < Duration::from_millis(1), "{delay:?}");
    }

    #[test]
    fn a_lost_frame_of_the_lowest_layer_freezes_the_picture_until_the_next_keyframe() {
        let mut stream = Stream::new();
        // Frame 40 is of the lowest temporal layer; the next keyframe is 64.
        stream.run(100, |frame| frame == 40);
        let figures = stream.figures();
        assert!(figures.lost > 0);
        assert_eq!(figures.freezes, 1);
        let expected = FRAME * 24;
        assert!(figures.frozen.abs_diff(expected) < FRAME * 2, "{:?}", figures.frozen);
        assert!(figures.shown < figures.frames);
    }

    #[test]
    fn a_keyframe_is_asked_for_twice_a_second_while_nothing_can_be_shown() {
        let mut stream = Stream::new();
        assert!(!stream.reception.wants_keyframe(stream.now), "nothing came yet");
        stream.run(10, |frame| frame == 0);
        assert!(stream.reception.wants_keyframe(stream.now));
        assert!(!stream.reception.wants_keyframe(stream.now + Duration::from_millis(499)));
        assert!(stream.reception.wants_keyframe(stream.now + Duration::from_millis(500)));
        stream.source.request_keyframe(None);
        stream.run(1, |_| false);
        assert!(!stream.reception.wants_keyframe(stream.now + Duration::from_secs(5)));
    }

    #[test]
    fn a_stream_that_ends_counts_as_frozen_unless_it_is_paused() {
        let mut stream = Stream::new();
        stream.run(30, |_| false);
        let later = stream.now + Duration::from_secs(2);
        assert_eq!(stream.reception.figures(later).freezes, 1);
        stream.reception.pause(stream.now);
        assert_eq!(stream.reception.figures(later).freezes, 0);
    }
}
