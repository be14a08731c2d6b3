//! One stream that is sent, with the stream of its repeated packets (RFC 4588).

use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::{
    header::{Extensions, Header, Name},
    history::History,
    once::Once,
    rtcp::Account,
};
use crate::session::OutgoingPacket;

/// Numbers left free where another track takes a stream over, for packets that came late.
const GAP: u64 = 8;

/// How a stream was agreed on.
#[derive(Clone, Debug)]
pub struct StreamConfig {
    /// Its SSRC.
    pub ssrc: u32,
    /// The SSRC of its repeated packets, where there are any.
    pub repeats: Option<u32>,
    /// The payload type of repeated packets for each payload type.
    pub repeated_types: SmallVec<[(u8, u8); 2]>,
    /// Its MID and RID.
    pub name: Name,
    /// Identifiers of header extensions.
    pub extensions: Extensions,
    /// Of its RTP time stamps, in hertz.
    pub clock_rate: u32,
    /// Whether it is sound, which is never held back.
    pub is_sound: bool,
}

/// A stream.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) config: StreamConfig,
    /// A report on it has come, so its SSRC is known to the other end.
    known: bool,
    repeats_known: bool,
    repeats_next: u64,
    pub(super) history: History,
    packets: u32,
    bytes: u32,
    newest: Option<(u32, Instant)>,
    once: Once,
    /// Another track's packets follow, numbered from the begin.
    renewed: bool,
    /// What is added to numbers and time stamps, so that they go on where another track's ended.
    shift: (u64, u32),
}

impl Stream {
    pub(super) fn new(config: StreamConfig) -> Self {
        Self {
            config,
            known: false,
            repeats_known: false,
            repeats_next: u64::from(rand::random::<u16>() >> 1),
            history: History::default(),
            packets: 0,
            bytes: 0,
            newest: None,
            once: Once::default(),
            renewed: false,
            shift: (0, 0),
        }
    }

    /// What is sent from now on is of another track, and goes on with the numbers of this stream:
    /// its receiver takes no number twice, and no key may seal two packets under one.
    pub(super) fn renew(&mut self) {
        self.renewed = true;
        self.history.clear();
    }

    /// Gives a packet its final numbers; `false` where it must not be sent.
    pub(super) fn number(&mut self, packet: &mut OutgoingPacket) -> bool {
        if std::mem::take(&mut self.renewed)
            && let Some(Account { timestamp, .. }) = self.account(packet.at)
        {
            let first = self.once.next() + GAP;
            self.shift = (first.saturating_sub(packet.seq), timestamp.wrapping_sub(packet.timestamp));
        }
        packet.seq += self.shift.0;
        packet.timestamp = packet.timestamp.wrapping_add(self.shift.1);
        self.once.take(packet.seq)
    }

    pub(super) fn reported(&mut self, ssrc: u32) {
        self.known |= ssrc == self.config.ssrc;
        self.repeats_known |= Some(ssrc) == self.config.repeats;
    }

    /// Writes a packet's header; returns its length.
    pub(super) fn header(&self, packet: &OutgoingPacket, transport_cc: Option<u16>, bytes: &mut Vec<u8>) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "numbers wrap on the wire")]
        let header = Header {
            payload_type: packet.payload_type,
            marker: packet.marker,
            padding: false,
            sequence: packet.seq as u16,
            timestamp: packet.timestamp,
            ssrc: self.config.ssrc,
            name: (!self.known).then_some(&self.config.name),
            repaired: false,
            transport_cc,
            audio_level: packet.audio_level.map(crate::session::AudioLevel::on_wire),
            orientation: packet.orientation.map(crate::session::Orientation::on_wire),
        };
        header.write(&self.config.extensions, bytes)
    }

    /// Writes the header of a packet that repeats another, or is padding; returns its length and
    /// its own extended number. `None` where nothing can be repeated.
    pub(super) fn repeat_header(
        &mut self,
        of: &Repeated,
        transport_cc: Option<u16>,
        bytes: &mut Vec<u8>,
    ) -> Option<(usize, u32, u64)> {
        let ssrc = self.config.repeats?;
        let payload_type = self.repeated_type(of.payload_type)?;
        let number = self.repeats_next;
        self.repeats_next += 1;
        #[expect(clippy::cast_possible_truncation, reason = "numbers wrap on the wire")]
        let header = Header {
            payload_type,
            marker: of.marker,
            padding: of.is_padding,
            sequence: number as u16,
            timestamp: of.timestamp,
            ssrc,
            name: (!self.repeats_known).then_some(&self.config.name),
            repaired: true,
            transport_cc,
            ..Header::default()
        };
        Some((header.write(&self.config.extensions, bytes), ssrc, number))
    }

    fn repeated_type(&self, payload_type: u8) -> Option<u8> {
        self.config.repeated_types.iter().find(|(own, _)| *own == payload_type).map(|(_, repeated)| *repeated)
    }

    /// The payload type and time stamp that padding of this stream has.
    pub(super) fn padding(&self) -> Option<Repeated> {
        self.config.repeats?;
        let (payload_type, _) = *self.config.repeated_types.first()?;
        let (timestamp, _) = self.newest.unwrap_or((0, Instant::now()));
        Some(Repeated { payload_type, timestamp, marker: false, is_padding: true })
    }

    pub(super) fn sent(&mut self, packet: &OutgoingPacket) {
        self.packets = self.packets.wrapping_add(1);
        self.bytes = self.bytes.wrapping_add(u32::try_from(packet.payload.len()).unwrap_or(0));
        self.newest = Some((packet.timestamp, packet.at));
    }

    /// What a sender report says; `None` before anything was sent.
    pub(super) fn account(&self, now: Instant) -> Option<Account> {
        let (timestamp, at) = self.newest?;
        let since = now.saturating_duration_since(at).min(Duration::from_secs(3600)).as_micros() as u64;
        #[expect(clippy::cast_possible_truncation, reason = "RTP time stamps wrap")]
        let passed = (since * u64::from(self.config.clock_rate) / 1_000_000) as u32;
        Some(Account { timestamp: timestamp.wrapping_add(passed), packets: self.packets, bytes: self.bytes })
    }
}

/// What a repeated packet's header takes over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Repeated {
    pub(super) payload_type: u8,
    pub(super) timestamp: u32,
    pub(super) marker: bool,
    pub(super) is_padding: bool,
}

impl From<&OutgoingPacket> for Repeated {
    fn from(packet: &OutgoingPacket) -> Self {
        let OutgoingPacket { payload_type, timestamp, marker, .. } = *packet;
        Self { payload_type, timestamp, marker, is_padding: false }
    }
}
