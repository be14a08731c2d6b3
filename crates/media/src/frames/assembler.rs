//! Puts frames together again from the packets of one RTP stream. It waits a while for packets
//! that are missing (a retransmission may bring them) and then goes on without their frame.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Codec,
    piece::{Begins, FrameInfo, Joiner, begins, info},
};

/// How long a missing packet is waited for: two rounds of NACK over a long path.
const PATIENCE: Duration = Duration::from_millis(400);
/// Packets kept while one is missing; a sequence number further ahead begins anew.
const WINDOW: u64 = 2048;

/// A packet as it came, RTX already undone.
#[derive(Clone, Debug)]
pub struct Packet {
    /// The sequence number, extended beyond 16 bits (RFC 3711 §3.3.1).
    pub sequence: u64,
    /// The RTP time stamp.
    pub timestamp: u32,
    /// The marker bit.
    pub is_marked: bool,
    /// The payload.
    pub payload: Arc<[u8]>,
    /// When it came.
    pub at: Instant,
}

/// A frame, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The RTP time stamp.
    pub timestamp: u32,
    /// What its first packet told.
    pub info: FrameInfo,
    /// Its bytes.
    pub data: Vec<u8>,
    /// When its last packet came.
    pub at: Instant,
}

/// What an assembler found, in the order of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// A frame.
    Frame(Frame),
    /// So many packets never came; their frames are lost.
    Lost(u64),
}

/// See the module.
#[derive(Debug)]
pub struct Assembler {
    codec: Codec,
    /// The packets from `next` on; `None` where one is missing.
    waiting: VecDeque<Option<Packet>>,
    next: Option<u64>,
    /// When the packet at the front is given up.
    gives_up: Option<Instant>,
    arrivals: VecDeque<Arrival>,
    before: Before,
}

/// What is known of the packet before the first that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    /// It ended a frame.
    End,
    /// It was of a frame with this time stamp, and left out.
    Within(u32),
    /// It never came.
    Unknown,
}

impl Assembler {
    /// An assembler of one stream.
    #[must_use]
    pub const fn new(codec: Codec) -> Self {
        Self {
            codec,
            waiting: VecDeque::new(),
            next: None,
            gives_up: None,
            arrivals: VecDeque::new(),
            before: Before::Unknown,
        }
    }

    /// Takes a packet. Duplicates, and those that come after they were given up, are left out.
    pub fn push(&mut self, packet: Packet) {
        let now = packet.at;
        let next = *self.next.get_or_insert(packet.sequence);
        let Some(ahead) = packet.sequence.checked_sub(next) else { return };
        if ahead >= WINDOW {
            self.begin_anew(packet.sequence);
        }
        let place = usize::try_from(packet.sequence - self.next.unwrap_or(next)).unwrap_or_default();
        if self.waiting.len() <= place {
            self.waiting.resize_with(place + 1, || None);
        }
        self.waiting[place].get_or_insert(packet);
        self.advance(now);
    }

    /// Gives up packets whose time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.gives_up.is_none_or(|at| at > now) {
            return;
        }
        self.gives_up = None;
        let Some(hole) = self.waiting.iter().position(Option::is_none) else { return };
        let missing = self.waiting.iter().skip(hole).take_while(|slot| slot.is_none()).count();
        // What stands before the hole is the beginning of a frame that can't be whole any more.
        self.waiting.drain(..hole + missing);
        self.skip(hole + missing);
        self.before = Before::Unknown;
        self.arrivals.push_back(Arrival::Lost(missing as u64));
        self.advance(now);
    }

    /// When to call [`Self::handle_timeout`].
    #[must_use]
    pub const fn timeout(&self) -> Option<Instant> {
        self.gives_up
    }

    /// The next frame or loss.
    pub fn poll(&mut self) -> Option<Arrival> {
        self.arrivals.pop_front()
    }

    fn begin_anew(&mut self, sequence: u64) {
        let passed = sequence - self.next.unwrap_or(sequence);
        let present = self.waiting.iter().flatten().count() as u64;
        self.arrivals.push_back(Arrival::Lost(passed - present));
        self.waiting.clear();
        self.before = Before::Unknown;
        self.next = Some(sequence);
    }

    fn skip(&mut self, packets: usize) {
        self.next = self.next.map(|next| next + packets as u64);
    }

    /// Drops packets at the front that belong to a frame whose beginning is gone.
    fn drop_headless(&mut self) {
        while let Some(Some(packet)) = self.waiting.front() {
            let is_next = match self.before {
                Before::End => true,
                Before::Within(timestamp) => timestamp != packet.timestamp,
                Before::Unknown => false,
            };
            // Padding (RFC 3550 §5.1): it stands between frames, and is of none.
            if packet.payload.is_empty() && self.codec != Codec::Opus {
                self.waiting.pop_front();
                self.skip(1);
                continue;
            }
            match begins(self.codec, &packet.payload) {
                Some(Begins::Yes) => return,
                Some(Begins::Perhaps) if is_next => return,
                _ => {}
            }
            self.before = if packet.is_marked { Before::End } else { Before::Within(packet.timestamp) };
            self.waiting.pop_front();
            self.skip(1);
        }
    }

    fn advance(&mut self, now: Instant) {
        self.drop_headless();
        while let Some(length) = self.whole_frame() {
            self.take(length);
            self.drop_headless();
        }
        if self.waiting.iter().any(Option::is_none) {
            self.gives_up.get_or_insert(now + PATIENCE);
        } else {
            self.gives_up = None;
        }
    }

    /// How many packets at the front are a whole frame: up to the marker bit, or to the packet
    /// before the next time stamp.
    fn whole_frame(&self) -> Option<usize> {
        let first = self.waiting.front()?.as_ref()?;
        if self.codec == Codec::Opus {
            return Some(1);
        }
        for (index, slot) in self.waiting.iter().enumerate() {
            let packet = slot.as_ref()?;
            if packet.timestamp != first.timestamp {
                return Some(index);
            }
            if packet.is_marked {
                return Some(index + 1);
            }
        }
        None
    }

    fn take(&mut self, length: usize) {
        let mut packets = self.waiting.drain(..length).flatten();
        let Some(first) = packets.next() else { return };
        let mut joiner = Joiner::new(self.codec);
        joiner.append(&first.payload);
        let (info, mut at) = (info(self.codec, &first.payload), first.at);
        for packet in packets {
            joiner.append(&packet.payload);
            at = at.max(packet.at);
        }
        let frame = Frame { timestamp: first.timestamp, info, data: joiner.finish(), at };
        self.arrivals.push_back(Arrival::Frame(frame));
        self.before = Before::End;
        self.skip(length);
        self.gives_up = None;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{
        h264,
        vp8::{Packetizer, Temporal},
    };
    use super::*;

    const STEP: Duration = Duration::from_millis(1);

    /// Frames of growing length, cut into packets of 100 bytes.
    fn stream(frames: usize) -> (Vec<Vec<u8>>, Vec<Packet>) {
        let start = Instant::now();
        let mut packetizer = Packetizer::new(100, 7);
        let (mut bodies, mut packets) = (Vec::new(), Vec::new());
        for index in 0..frames {
            let body = vec![index as u8; 40 + 90 * (index % 4)];
            let pieces = packetizer.packetize(&body, Temporal { layer: 0, is_sync: false });
            let last = pieces.len() - 1;
            for (piece, payload) in pieces.enumerate() {
                let sequence = 1000 + packets.len() as u64;
                let at = start + STEP * packets.len() as u32;
                packets.push(Packet {
                    sequence,
                    timestamp: index as u32 * 3000,
                    is_marked: piece == last,
                    payload: payload.into(),
                    at,
                });
            }
            bodies.push(body);
        }
        (bodies, packets)
    }

    fn drain(assembler: &mut Assembler) -> (Vec<Vec<u8>>, u64) {
        let (mut frames, mut lost) = (Vec::new(), 0);
        while let Some(arrival) = assembler.poll() {
            match arrival {
                Arrival::Frame(frame) => frames.push(frame.data),
                Arrival::Lost(packets) => lost += packets,
            }
        }
        (frames, lost)
    }

    #[test]
    fn a_packet_that_never_comes_costs_its_frame_alone_and_only_after_a_while() {
        let (bodies, mut packets) = stream(8);
        // The second packet of frame 2, which has three.
        let gone = packets.remove(4);
        let mut assembler = Assembler::new(Codec::Vp8);
        packets.iter().cloned().for_each(|packet| assembler.push(packet));
        assert_eq!(drain(&mut assembler), (bodies[..2].to_vec(), 0));
        let gives_up = assembler.timeout().expect("it waits");
        assembler.handle_timeout(gives_up - STEP);
        assert_eq!(drain(&mut assembler).0.len(), 0);
        assembler.handle_timeout(gives_up);
        assert_eq!(drain(&mut assembler), (bodies[3..].to_vec(), 1));
        assert_eq!(assembler.timeout(), None);
        assembler.push(gone);
        assert_eq!(drain(&mut assembler), (vec![], 0), "too late");
    }

    #[test]
    fn a_stream_that_is_joined_in_the_middle_of_a_frame_begins_with_the_next() {
        let (bodies, packets) = stream(4);
        let mut assembler = Assembler::new(Codec::Vp8);
        packets[2..].iter().cloned().for_each(|packet| assembler.push(packet));
        assert_eq!(drain(&mut assembler), (bodies[2..].to_vec(), 0));
    }

    #[test]
    fn a_leap_of_the_sequence_begins_anew() {
        let (bodies, mut packets) = stream(4);
        for packet in &mut packets[3..] {
            packet.sequence += 10_000;
        }
        let mut assembler = Assembler::new(Codec::Vp8);
        packets.into_iter().for_each(|packet| assembler.push(packet));
        assert_eq!(drain(&mut assembler), (bodies, 10_000));
    }

    #[test]
    fn where_the_format_does_not_say_what_begins_a_frame_the_end_of_the_one_before_does() {
        let start = Instant::now();
        let mut sequence = 0;
        let mut packets = Vec::new();
        let frames: Vec<Vec<u8>> =
            (0..6u8).map(|index| [&[0, 0, 0, 1, 0x41][..], &[index + 1; 250]].concat()).collect();
        for (index, frame) in (0..).zip(&frames) {
            let pieces = h264::packetize(frame, 100);
            let last = pieces.len() - 1;
            for (piece, payload) in pieces.into_iter().enumerate() {
                sequence += 1;
                let payload = payload.into();
                packets.push(Packet { sequence, timestamp: index, is_marked: piece == last, payload, at: start });
            }
        }
        // Padding within frame 1, and between frames 3 and 4.
        for place in [12, 5] {
            let mut padding: Packet = packets[place - 1].clone();
            (padding.payload, padding.is_marked) = (Arc::from([]), false);
            packets.insert(place, padding);
        }
        packets.iter_mut().zip(1..).for_each(|(packet, sequence)| packet.sequence = sequence);
        // The first piece of frame 0, the second of frame 2, and the last of frame 4, with its marker.
        for gone in [16, 8, 0] {
            packets.remove(gone);
        }
        let mut assembler = Assembler::new(Codec::H264);
        packets.into_iter().for_each(|packet| assembler.push(packet));
        while let Some(at) = assembler.timeout() {
            assembler.handle_timeout(at);
        }
        let kept: Vec<Vec<u8>> = [1, 3].iter().map(|index| frames[*index].clone()).collect();
        assert_eq!(drain(&mut assembler), (kept, 2), "of frame 5 nobody can know that its first piece is the first");
    }

    proptest! {
        #[test]
        fn frames_come_out_whole_and_in_order_however_packets_are_shuffled(
            order in Just((1..60usize).collect::<Vec<_>>()).prop_shuffle(), twice in 0..60usize,
        ) {
            let (bodies, packets) = stream(24);
            let mut assembler = Assembler::new(Codec::Vp8);
            assembler.push(packets[0].clone());
            for index in order.into_iter().chain([twice]).filter(|index| *index < packets.len()) {
                assembler.push(packets[index].clone());
            }
            prop_assert_eq!(drain(&mut assembler), (bodies, 0));
        }

        #[test]
        fn any_packets_are_taken(
            packets in proptest::collection::vec(
                (0..5000u64, any::<u32>(), any::<bool>(), proptest::collection::vec(any::<u8>(), 0..12)), 0..60),
            codec in proptest::sample::select(Codec::ALL.to_vec()),
        ) {
            let mut at = Instant::now();
            let mut assembler = Assembler::new(codec);
            for (sequence, timestamp, is_marked, payload) in packets {
                at += STEP * 50;
                assembler.push(Packet { sequence, timestamp, is_marked, payload: payload.into(), at });
                assembler.handle_timeout(at);
                drain(&mut assembler);
            }
        }
    }
}
