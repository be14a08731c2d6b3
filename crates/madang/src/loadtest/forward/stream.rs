//! What publishers send: packets on a fixed schedule, each marked with when it was sent and which
//! it is. They look like VP8 (RFC 7741) and Opus to whoever forwards them; nobody decodes them.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use madang_media::session::{AudioLevel, LayerId, Line, OutgoingPacket};

/// Clock rates of RTP timestamps, per second.
const VIDEO_CLOCK: u64 = 90_000;
const AUDIO_CLOCK: u64 = 48_000;

/// Which stream of a run a packet belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct StreamId(pub(crate) u16);

/// What is written at the end of each payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// When it was sent, since 1970.
    pub(crate) sent: Duration,
    /// Which packet of its stream.
    pub(crate) index: u32,
    pub(crate) stream: StreamId,
    /// It was sent while the run was measured.
    pub(crate) measured: bool,
}

impl Mark {
    const LENGTH: usize = 16;

    fn write(&self, payload: &mut [u8]) {
        let begin = payload.len().saturating_sub(Self::LENGTH);
        let Some(mark) = payload[begin..].first_chunk_mut::<{ Self::LENGTH }>() else { return };
        let nanos = u64::try_from(self.sent.as_nanos()).unwrap_or(u64::MAX);
        mark[..8].copy_from_slice(&nanos.to_be_bytes());
        mark[8..12].copy_from_slice(&self.index.to_be_bytes());
        mark[12..14].copy_from_slice(&self.stream.0.to_be_bytes());
        mark[14..].copy_from_slice(&u16::from(self.measured).to_be_bytes());
    }

    /// `None` for what is too short, such as padding.
    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        let mark: &[u8; Self::LENGTH] = payload.last_chunk()?;
        let (nanos, rest) = mark.split_first_chunk()?;
        let (index, rest) = rest.split_first_chunk()?;
        let (stream, measured) = rest.split_first_chunk()?;
        Some(Self {
            sent: Duration::from_nanos(u64::from_be_bytes(*nanos)),
            index: u32::from_be_bytes(*index),
            stream: StreamId(u16::from_be_bytes(*stream)),
            measured: measured == [0, 1],
        })
    }
}

/// How much of what is sent, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Plan {
    /// 30 frames a second, each in packets of one size, spread over some time.
    Video { packets_per_second: u32, size: usize, spread: Duration, height: u16 },
    /// A packet every 20 ms.
    Audio { size: usize },
}

impl Plan {
    const FRAMES_PER_SECOND: u32 = 30;
    const AUDIO_PERIOD: Duration = Duration::from_millis(20);

    fn frame_begins(&self, frame: u64) -> Duration {
        match self {
            Self::Video { .. } => Duration::from_nanos(frame * 1_000_000_000 / u64::from(Self::FRAMES_PER_SECOND)),
            Self::Audio { .. } => Self::AUDIO_PERIOD * u32::try_from(frame).unwrap_or(u32::MAX),
        }
    }

    /// Packets in a frame, so that their sum over a second is right.
    fn packets_in(&self, frame: u64) -> u32 {
        match self {
            Self::Video { packets_per_second, .. } => {
                let until = |frame: u64| frame * u64::from(*packets_per_second) / u64::from(Self::FRAMES_PER_SECOND);
                u32::try_from(until(frame + 1) - until(frame)).unwrap_or(1).max(1)
            }
            Self::Audio { .. } => 1,
        }
    }

    fn timestamp(&self, frame: u64) -> u32 {
        let clock = if matches!(self, Self::Video { .. }) { VIDEO_CLOCK } else { AUDIO_CLOCK };
        let ticks = u128::from(clock) * self.frame_begins(frame).as_nanos() / 1_000_000_000;
        #[expect(clippy::cast_possible_truncation, reason = "RTP timestamps wrap")]
        let wrapped = ticks as u32;
        wrapped
    }
}

/// One layer of a track on its way out.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) id: StreamId,
    pub(crate) line: Line,
    pub(crate) layer: LayerId,
    payload_type: u8,
    plan: Plan,
    began: Instant,
    frame: u64,
    /// Of the frame.
    packet: u32,
    index: u32,
    keyframe: bool,
    keyframe_wanted: bool,
    /// Packets marked as measured.
    pub(crate) measured: u32,
}

impl Stream {
    pub(crate) fn new(
        id: StreamId,
        (line, layer): (Line, LayerId),
        payload_type: u8,
        plan: Plan,
        began: Instant,
    ) -> Self {
        Self {
            id,
            line,
            layer,
            payload_type,
            plan,
            began,
            frame: 0,
            packet: 0,
            index: 0,
            keyframe: true,
            keyframe_wanted: false,
            measured: 0,
        }
    }

    /// The next frame can be decoded by itself.
    pub(crate) fn want_keyframe(&mut self) {
        self.keyframe_wanted = true;
    }

    /// When its next packet is due.
    pub(crate) fn due(&self) -> Instant {
        let spread = match self.plan {
            Plan::Video { spread, .. } => spread * self.packet / self.plan.packets_in(self.frame),
            Plan::Audio { .. } => Duration::ZERO,
        };
        self.began + self.plan.frame_begins(self.frame) + spread
    }

    /// The packet that is due.
    pub(crate) fn next(&mut self, now: Instant, clock: SystemTime, measured: bool) -> OutgoingPacket {
        let last = self.packet + 1 == self.plan.packets_in(self.frame);
        let mut payload = self.payload();
        let sent = clock.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Mark { sent, index: self.index, stream: self.id, measured }.write(&mut payload);
        self.measured += u32::from(measured);
        let is_audio = matches!(self.plan, Plan::Audio { .. });
        let packet = OutgoingPacket {
            payload_type: self.payload_type,
            seq: u64::from(self.index),
            timestamp: self.plan.timestamp(self.frame),
            at: now,
            // RFC 7587 §4.2: in sound it marks the beginning of speech.
            marker: last && !is_audio,
            payload: Arc::from(payload),
            patch: Default::default(),
            audio_level: is_audio.then_some(AudioLevel { below_full: 30, voice: true }),
            orientation: None,
            repeatable: !is_audio,
        };
        self.index += 1;
        self.packet += 1;
        if last {
            self.packet = 0;
            self.frame += 1;
            self.keyframe = std::mem::take(&mut self.keyframe_wanted);
        }
        packet
    }

    fn payload(&self) -> Vec<u8> {
        match self.plan {
            Plan::Video { size, height, .. } => {
                let mut payload = vec![0xa5; size.max(64)];
                self.descriptor(&mut payload);
                if self.packet == 0 {
                    frame_header(&mut payload[DESCRIPTOR..], self.keyframe, height);
                }
                payload
            }
            Plan::Audio { size } => {
                let mut payload = vec![0xa5; size.max(32)];
                // RFC 6716 §3.1: CELT, 20 ms, one frame.
                payload[0] = 0xf8;
                payload
            }
        }
    }

    /// RFC 7741 §4.2 with PictureID of 15 bits, TL0PICIDX, TID and KEYIDX: one temporal layer.
    fn descriptor(&self, payload: &mut [u8]) {
        let [_, picture_high, picture_low] = [0, (self.frame >> 8) as u8 & 0x7f, self.frame as u8];
        let start = if self.packet == 0 { 0x10 } else { 0 };
        let bytes = [0x80 | start, 0xf0, 0x80 | picture_high, picture_low, self.frame as u8, 0x20];
        payload[..DESCRIPTOR].copy_from_slice(&bytes);
    }
}

const DESCRIPTOR: usize = 6;

/// RFC 6386 §9.1: the frame tag, and for a keyframe the start code and the size in pixels.
fn frame_header(payload: &mut [u8], keyframe: bool, height: u16) {
    payload[..3].copy_from_slice(&[0x10 | u8::from(!keyframe), 0x20, 0]);
    if keyframe {
        let width = height / 9 * 16;
        payload[3..6].copy_from_slice(&[0x9d, 0x01, 0x2a]);
        payload[6..8].copy_from_slice(&width.to_le_bytes());
        payload[8..10].copy_from_slice(&height.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan =
        Plan::Video { packets_per_second: 260, size: 1160, spread: Duration::from_millis(13), height: 720 };

    fn stream(plan: Plan, began: Instant) -> Stream {
        Stream::new(StreamId(7), (Line(0), LayerId(0)), 96, plan, began)
    }

    #[test]
    fn a_second_of_video_is_thirty_frames_whose_packets_are_spread() {
        let began = Instant::now();
        let mut stream = stream(PLAN, began);
        let (mut packets, mut marked, mut latest) = (0, 0, Duration::ZERO);
        while stream.due() < began + Duration::from_secs(1) {
            let offset = stream.due() - began;
            assert!(packets == 0 || offset > latest, "two packets at once");
            latest = offset;
            let into_frame = offset.as_nanos() % 33_333_333;
            assert!(into_frame < 13_000_100, "{into_frame}");
            let packet = stream.next(began, SystemTime::now(), true);
            assert_eq!((packet.seq, packet.payload.len()), (packets, 1160));
            marked += u32::from(packet.marker);
            packets += 1;
        }
        assert_eq!((packets, marked, stream.measured), (260, 30, 260));
    }

    #[test]
    fn keyframes_come_first_and_when_wanted_and_are_whole() {
        let began = Instant::now();
        let mut stream = stream(PLAN, began);
        let mut keyframes = Vec::new();
        for frame in 0..10 {
            if frame == 5 {
                stream.want_keyframe();
            }
            loop {
                let packet = stream.next(began, SystemTime::now(), false);
                let is_first = packet.payload[0] & 0x10 != 0;
                if is_first && packet.payload[DESCRIPTOR] & 1 == 0 {
                    assert_eq!(packet.payload[DESCRIPTOR + 3..DESCRIPTOR + 6], [0x9d, 0x01, 0x2a]);
                    keyframes.push(frame);
                }
                if packet.marker {
                    break;
                }
            }
        }
        assert_eq!(keyframes, [0, 6]);
    }

    #[test]
    fn sound_has_a_packet_every_twenty_milliseconds_and_a_level() {
        let began = Instant::now();
        let mut stream = stream(Plan::Audio { size: 100 }, began);
        let first = stream.next(began, SystemTime::now(), false);
        assert_eq!(stream.due() - began, Duration::from_millis(20));
        let second = stream.next(began, SystemTime::now(), false);
        assert_eq!(second.timestamp - first.timestamp, 960);
        assert!(second.audio_level.is_some_and(|level| level.voice));
    }

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        let clock = SystemTime::UNIX_EPOCH + Duration::from_nanos(1_234_567_890_123_456_789);
        let mut stream = stream(Plan::Audio { size: 100 }, Instant::now());
        let payload = stream.next(Instant::now(), clock, true).payload;
        let mark = Mark::read(&payload).expect("a mark");
        let sent = Duration::from_nanos(1_234_567_890_123_456_789);
        assert_eq!(mark, Mark { sent, index: 0, stream: StreamId(7), measured: true });
        assert_eq!(Mark::read(&[0; 3]), None);
    }
}
