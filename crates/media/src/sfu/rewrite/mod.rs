//! One continuous stream for a receiver, made of the packets of changing layers.
//!
//! Each layer of a track has sequence numbers, timestamps and picture numbers of its own. A
//! [`Rewriter`], one for each subscription, gives what is forwarded new ones:
//! - Packets left out on purpose leave no gap in the sequence numbers; those that the network
//!   lost do, so that the receiver asks for them, and get their own number if they come late.
//! - No number is given twice.
//! - Timestamps go on over a switch as the sender's clock did.
//! - PictureID, TL0PICIDX and KEYIDX (RFC 7741 §4.2, RFC 9628 §4.2) go on over a switch and over
//!   frames left out.

mod ranges;
mod timeline;

use std::time::Instant;

use self::{
    ranges::{Range, Ranges},
    timeline::Timeline,
};
use crate::{
    payload::PayloadInfo,
    session::{LayerId, SenderReport},
};

/// A jump of more sequence numbers than this is no loss that could be repaired: the numbers go
/// on without a gap.
const MAX_GAP: u64 = 1024;

/// A packet of a published track.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// In which layer it came.
    pub layer: LayerId,
    /// Its sequence number, extended over wraps.
    pub seq: u64,
    /// Its RTP timestamp.
    pub timestamp: u32,
    /// The newest sender report of its stream.
    pub report: Option<SenderReport>,
    /// What its payload says; [`PayloadInfo::SOUND`] for sound.
    pub info: &'a PayloadInfo,
}

/// The numbers of an outgoing packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// Sequence number, extended: the first is below 65 536.
    pub seq: u64,
    /// RTP timestamp.
    pub timestamp: u32,
    /// PictureID, as wide as it is in the payload.
    pub picture_id: Option<u16>,
    /// TL0PICIDX.
    pub tl0: Option<u8>,
    /// KEYIDX.
    pub key_idx: Option<u8>,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It goes out with these numbers.
    Send(Numbers),
    /// It is not wanted, but came so late that a number was kept for it: a packet without
    /// payload keeps the receiver from asking for it for ever.
    Empty {
        /// The number that was kept.
        seq: u64,
        /// Of its frame.
        timestamp: u32,
    },
    /// Nothing goes out.
    Nothing,
}

/// What is added to the numbers of a run of packets. All wrap.
#[derive(Clone, Copy, Debug, Default)]
struct Shift {
    timestamp: u32,
    picture_id: u16,
    tl0: u8,
    key_idx: u8,
}

/// The layer that is forwarded at present.
#[derive(Clone, Copy, Debug)]
struct Run {
    layer: LayerId,
    /// One more than the newest sequence number that came.
    next: u64,
    shift: Shift,
    /// The newest packet was left out: the timestamp of its frame.
    leaving_out: Option<u32>,
    /// PictureID of the newest frame that came.
    picture_id: Option<u16>,
}

/// The newest picture numbers sent.
#[derive(Clone, Copy, Debug, Default)]
struct Newest {
    picture_id: Option<u16>,
    tl0: Option<u8>,
    key_idx: Option<u8>,
}

/// Gives the packets of one subscription their numbers. See the module.
#[derive(Debug)]
pub struct Rewriter {
    ranges: Ranges,
    timeline: Timeline,
    newest: Newest,
    run: Option<Run>,
}

impl Rewriter {
    /// A stream that begins with these numbers. `clock_rate` is in Hz.
    #[must_use]
    pub fn new(first_seq: u16, first_timestamp: u32, clock_rate: u32) -> Self {
        Self {
            ranges: Ranges::new(u64::from(first_seq)),
            timeline: Timeline::new(first_timestamp, clock_rate),
            newest: Newest::default(),
            run: None,
        }
    }

    /// Goes over to the packet's layer, or resumes it after a pause. For video the packet begins
    /// a keyframe.
    pub fn begin(&mut self, now: Instant, packet: &Incoming<'_>) -> Outcome {
        let shift = Shift {
            timestamp: self.timeline.begin(now, packet.layer, packet.timestamp, packet.report),
            ..self.newest.shift(packet.info)
        };
        let run = Run {
            layer: packet.layer,
            next: packet.seq + 1,
            shift,
            leaving_out: None,
            picture_id: packet.info.picture_id.map(|id| id.value),
        };
        self.run = Some(run);
        let seq = self.ranges.begin(packet.layer, packet.seq, shift);
        self.send(now, packet, seq, shift, true)
    }

    /// A packet of the present layer that is to go out, or a late one of a layer before.
    pub fn forward(&mut self, now: Instant, packet: &Incoming<'_>) -> Outcome {
        let Some(run) = self.run.as_mut().filter(|run| run.layer == packet.layer && packet.seq >= run.next) else {
            // A publisher that began anew counts from another number.
            let anew = self.run.is_some_and(|run| run.layer == packet.layer && run.next - packet.seq > MAX_GAP);
            return if anew && packet.info.keyframe { self.begin(now, packet) } else { self.late(now, packet) };
        };
        let gap = packet.seq - run.next;
        let seq = if gap > MAX_GAP {
            self.ranges.begin(run.layer, packet.seq, run.shift)
        } else if run.leaving_out.is_some() {
            self.ranges.begin_after_gap(run.layer, run.next, packet.seq, run.shift)
        } else {
            self.ranges.extend(packet.seq)
        };
        run.leaving_out = None;
        run.next = packet.seq + 1;
        run.picture_id = packet.info.picture_id.map(|id| id.value);
        let shift = run.shift;
        self.send(now, packet, seq, shift, true)
    }

    /// A packet of the present layer that is left out, as one of a higher temporal layer than
    /// the receiver gets.
    pub fn leave_out(&mut self, packet: &Incoming<'_>) -> Outcome {
        let Some(run) = self.run.as_mut().filter(|run| run.layer == packet.layer && packet.seq >= run.next) else {
            return self.late_unwanted(packet);
        };
        let gap = packet.seq - run.next;
        // What is missing between two packets of a frame left out is of that frame too.
        let of_frame = run.leaving_out == Some(packet.timestamp);
        if gap > 0 && gap <= MAX_GAP && !of_frame {
            if run.leaving_out.is_some() {
                self.ranges.begin_after_gap(run.layer, run.next, packet.seq - 1, run.shift);
            } else {
                self.ranges.extend(packet.seq - 1);
            }
        }
        run.leaving_out = Some(packet.timestamp);
        run.next = packet.seq + 1;
        let picture_id = packet.info.picture_id.map(|id| id.value);
        if picture_id.is_some() && picture_id != run.picture_id {
            run.shift.picture_id = run.shift.picture_id.wrapping_sub(1);
        }
        run.picture_id = picture_id;
        Outcome::Nothing
    }

    /// Which packet went out, or would have gone out, under a number. It is known for the last
    /// 1024 numbers at least unless frames were left out, and then for four seconds or so.
    #[must_use]
    pub fn source(&self, seq: u64) -> Option<(LayerId, u64)> {
        self.ranges.source(seq)
    }

    fn late(&mut self, now: Instant, packet: &Incoming<'_>) -> Outcome {
        match self.ranges.find(packet.layer, packet.seq) {
            Some(range) => {
                let Range { shift, .. } = *range;
                let seq = range.map(packet.seq);
                self.send(now, packet, seq, shift, false)
            }
            None => Outcome::Nothing,
        }
    }

    fn late_unwanted(&mut self, packet: &Incoming<'_>) -> Outcome {
        let Some(range) = self.ranges.find(packet.layer, packet.seq) else { return Outcome::Nothing };
        let (seq, timestamp) = (range.map(packet.seq), packet.timestamp.wrapping_add(range.shift.timestamp));
        if self.ranges.mark(seq) { Outcome::Empty { seq, timestamp } } else { Outcome::Nothing }
    }

    fn send(&mut self, now: Instant, packet: &Incoming<'_>, seq: u64, shift: Shift, in_order: bool) -> Outcome {
        if !self.ranges.mark(seq) {
            return Outcome::Nothing;
        }
        let info = packet.info;
        let numbers = Numbers {
            seq,
            timestamp: packet.timestamp.wrapping_add(shift.timestamp),
            picture_id: info.picture_id.map(|id| id.value.wrapping_add(shift.picture_id) & id.mask()),
            tl0: info.tl0.map(|tl0| tl0.value.wrapping_add(shift.tl0) & tl0.mask),
            key_idx: info.key_idx.map(|key| key.value.wrapping_add(shift.key_idx) & key.mask),
        };
        if in_order {
            self.timeline.sent(now, packet.layer, numbers.timestamp, packet.report);
            self.newest.note(&numbers);
        }
        Outcome::Send(numbers)
    }
}

impl Newest {
    /// What makes a frame the next after the newest one; nothing where none was sent.
    fn shift(&self, info: &PayloadInfo) -> Shift {
        let next = |newest: Option<u8>, own: Option<crate::payload::Field>| match (newest, own) {
            (Some(newest), Some(own)) => newest.wrapping_add(1).wrapping_sub(own.value),
            _ => 0,
        };
        let picture_id = match (self.picture_id, info.picture_id) {
            (Some(newest), Some(own)) => newest.wrapping_add(1).wrapping_sub(own.value),
            _ => 0,
        };
        Shift { timestamp: 0, picture_id, tl0: next(self.tl0, info.tl0), key_idx: next(self.key_idx, info.key_idx) }
    }

    fn note(&mut self, numbers: &Numbers) {
        self.picture_id = numbers.picture_id.or(self.picture_id);
        self.tl0 = numbers.tl0.or(self.tl0);
        self.key_idx = numbers.key_idx.or(self.key_idx);
    }
}

#[cfg(test)]
mod tests;
