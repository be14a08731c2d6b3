//! What a session sends: RTP with its header extensions, sealed in place, sent again when it is
//! asked for, numbered for the bandwidth estimator.
//!
//! [`Egress`] is sans-IO like the session that owns it: packets are written into [`Packets`].

pub mod estimator;
mod header;
mod history;
mod once;
mod pacer;
mod packets;
mod probing;
mod repeats;
mod rtcp;
mod seal;
mod stream;

use std::time::{Duration, Instant};

use estimator::{Estimator, ProbeId};
pub use header::{Extensions, Name};
use pacer::Pacer;
pub use packets::{Packets, Way};
use probing::Probing;
use repeats::Budget;
use seal::Sealer;
pub use seal::{MasterKey, Profile};
pub use stream::StreamConfig;
use stream::{Repeated, Stream};

use crate::session::OutgoingPacket;

/// A packet that is asked for again within this time of its last repetition is on its way, where
/// the round trip is not known.
const REPEAT_PAUSE: Duration = Duration::from_millis(20);
/// Padding; its length is its last byte (RFC 3550 §5.1), so 255 is the longest there can be.
const PADDING: u8 = 224;
/// Transport-wide numbers begin here: above a wrap, so that what a report makes of them never
/// goes below zero.
const FIRST_TRANSPORT_CC: u64 = 1 << 16;

/// A stream's place among those of its session.
pub type StreamKey = usize;

/// What a session sends. See the module.
pub struct Egress {
    sealer: Option<Sealer>,
    way: Option<Way>,
    streams: Vec<Stream>,
    /// The next transport-wide number.
    transport_cc: u64,
    estimator: Estimator,
    pacer: Pacer,
    probing: Option<Probing>,
    budget: Budget,
    twice: bool,
    initial_estimate: u64,
}

impl Egress {
    /// Nothing is sent before there are keys and a way.
    #[must_use]
    pub fn new(now: Instant, initial_estimate: u64) -> Self {
        Self {
            sealer: None,
            way: None,
            streams: Vec::new(),
            transport_cc: FIRST_TRANSPORT_CC,
            estimator: Estimator::new(now, initial_estimate),
            pacer: Pacer::new(now),
            probing: None,
            budget: Budget::default(),
            twice: false,
            initial_estimate,
        }
    }

    /// The keys that the handshake has made.
    pub fn set_key(&mut self, key: &MasterKey) {
        self.sealer = Sealer::new(key);
    }

    /// Which way packets go from now on. Nothing is known of what another one carries.
    pub fn set_way(&mut self, now: Instant, way: Way) {
        if self.way.replace(way).is_some_and(|former| former != way) {
            self.probing = None;
            self.estimator.restart(now, self.initial_estimate);
        }
    }

    /// Which way packets go.
    #[must_use]
    pub fn way(&self) -> Option<Way> {
        self.way
    }

    /// A stream of this SSRC, as it is agreed on now.
    pub fn stream(&mut self, config: StreamConfig) -> StreamKey {
        match self.streams.iter().position(|known| known.config.ssrc == config.ssrc) {
            Some(key) => {
                self.streams[key].config = config;
                key
            }
            None => {
                self.streams.push(Stream::new(config));
                self.streams.len() - 1
            }
        }
    }

    /// Sends a packet, at once or when the pacer lets it.
    pub fn write(&mut self, now: Instant, key: StreamKey, packet: OutgoingPacket, out: &mut Packets) {
        let Some(stream) = self.streams.get(key) else { return };
        if !stream.config.is_sound && self.pacer.holds() {
            self.pacer.push(key, packet);
            self.pace(now, out);
        } else {
            self.send(now, key, packet, out);
        }
    }

    fn send(&mut self, now: Instant, key: StreamKey, mut packet: OutgoingPacket, out: &mut Packets) {
        let (Some(sealer), Some(way), Some(stream)) = (&self.sealer, self.way, self.streams.get_mut(key)) else {
            return;
        };
        if !stream.number(&mut packet) {
            return;
        }
        let transport_cc = stream.config.extensions.transport_cc.map(|_| self.transport_cc);
        let bytes = &mut out.bytes;
        let start = bytes.len();
        let header = stream.header(&packet, transport_cc.map(low), bytes);
        bytes.extend_from_slice(&packet.payload);
        packet.patch.apply(&mut bytes[start + header..]);
        if sealer.rtp(bytes, start, header, stream.config.ssrc, packet.seq).is_none() {
            bytes.truncate(start);
            return;
        }
        out.end(way);
        stream.sent(&packet);
        let length = packet.payload.len();
        self.budget.sent(length, self.estimator.estimate());
        if packet.repeatable && stream.config.repeats.is_some() {
            stream.history.keep(now, packet);
        }
        self.count(now, transport_cc, length, None);
    }

    fn count(&mut self, now: Instant, transport_cc: Option<u64>, bytes: usize, probe: Option<ProbeId>) {
        if let Some(number) = transport_cc {
            self.transport_cc += 1;
            self.estimator.sent(now, number, bytes, probe);
        }
    }

    /// The other end misses packets of a stream (RFC 4585 §6.2.1).
    pub fn missing(&mut self, now: Instant, ssrc: u32, numbers: impl Iterator<Item = u16>, out: &mut Packets) {
        let Some(key) = self.streams.iter().position(|stream| stream.config.ssrc == ssrc) else { return };
        let pause = self.estimator.round_trip().map_or(REPEAT_PAUSE, |trip| trip / 4 * 3);
        for number in numbers {
            let Some(packet) = self.streams[key].history.missing(now, number, pause) else { continue };
            let packet = Repetition::of(packet);
            let length = packet.payload.len();
            let twice = self.twice && self.budget.take(2 * length);
            if !(twice || self.budget.take(length)) {
                return;
            }
            if self.repeat(now, key, &packet, None, out) > 0 {
                self.streams[key].history.sent_again(now, number);
                if twice {
                    // The same datagram: SRTP's replay list (RFC 3711 §3.3.2) drops one of two.
                    out.repeat_last();
                }
            }
        }
    }

    /// Sends a packet again, by RFC 4588 §4; returns how many bytes of payload that were.
    fn repeat(
        &mut self,
        now: Instant,
        key: StreamKey,
        packet: &Repetition,
        probe: Option<ProbeId>,
        out: &mut Packets,
    ) -> usize {
        let Repetition { header, number, payload, patch } = packet;
        self.repeat_with(now, key, header, probe, out, |bytes| {
            bytes.extend_from_slice(&number.to_be_bytes());
            let start = bytes.len();
            bytes.extend_from_slice(payload);
            patch.apply(&mut bytes[start..]);
        })
    }

    fn repeat_with(
        &mut self,
        now: Instant,
        key: StreamKey,
        of: &Repeated,
        probe: Option<ProbeId>,
        out: &mut Packets,
        payload: impl FnOnce(&mut Vec<u8>),
    ) -> usize {
        let (Some(sealer), Some(way), Some(stream)) = (&self.sealer, self.way, self.streams.get_mut(key)) else {
            return 0;
        };
        let transport_cc = stream.config.extensions.transport_cc.map(|_| self.transport_cc);
        let bytes = &mut out.bytes;
        let start = bytes.len();
        let Some((header, ssrc, index)) = stream.repeat_header(of, transport_cc.map(low), bytes) else { return 0 };
        payload(bytes);
        let length = bytes.len() - start - header;
        if sealer.rtp(bytes, start, header, ssrc, index).is_none() {
            bytes.truncate(start);
            return 0;
        }
        out.end(way);
        self.count(now, transport_cc, length, probe);
        length
    }

    /// Sends a packet that nobody needs; returns its size. Something that was sent already makes
    /// larger ones than padding can be, and may even be of use.
    fn pad(&mut self, now: Instant, probe: Option<ProbeId>, out: &mut Packets) -> usize {
        let videos = || self.streams.iter().enumerate().filter(|(_, stream)| stream.config.repeats.is_some());
        let sent = videos().find_map(|(key, stream)| Some((key, stream.history.large(usize::from(PADDING))?)));
        if let Some((key, packet)) = sent {
            let packet = Repetition::of(packet);
            return self.repeat(now, key, &packet, probe, out);
        }
        let Some((key, header)) = videos().find_map(|(key, stream)| Some((key, stream.padding()?))) else { return 0 };
        self.repeat_with(now, key, &header, probe, out, |bytes| {
            bytes.resize(bytes.len() + usize::from(PADDING) - 1, 0);
            bytes.push(PADDING);
        })
    }

    /// Transport-wide feedback: each packet that it speaks of, with its arrival on the receiver's
    /// clock where it has arrived.
    pub fn feedback(&mut self, now: Instant, packets: impl Iterator<Item = (u64, Option<Duration>)>) {
        self.estimator.feedback(now, packets);
    }

    /// The newest transport-wide number that was sent.
    #[must_use]
    pub fn newest_transport_cc(&self) -> u64 {
        self.transport_cc.saturating_sub(1)
    }

    /// A report on a stream has come, so the other end knows what it is.
    pub fn reported(&mut self, ssrc: u32) {
        for stream in &mut self.streams {
            stream.reported(ssrc);
        }
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Packets) {
        if self.sealer.is_none() || self.way.is_none() {
            return;
        }
        if self.estimator.poll_timeout() <= now {
            self.estimator.handle_timeout(now);
        }
        self.pace(now, out);
        self.probe(now, out);
    }

    fn pace(&mut self, now: Instant, out: &mut Packets) {
        while let Some((key, packet)) = self.pacer.pop(now, self.estimator.estimate()) {
            self.send(now, key, packet, out);
        }
    }

    fn probe(&mut self, now: Instant, out: &mut Packets) {
        if self.probing.is_none() {
            self.probing = self.estimator.poll_probe().map(|probe| Probing::new(now, probe));
        }
        let Some(mut probing) = self.probing.take() else { return };
        while probing.due() <= now {
            let sent = self.pad(now, Some(probing.id()), out);
            if sent == 0 || probing.sent(sent) {
                return;
            }
        }
        self.probing = Some(probing);
    }

    /// When [`Self::handle_timeout`] has something to do; `None` before anything can be sent.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.sealer.is_none() || self.way.is_none() {
            return None;
        }
        let probing = self.probing.as_ref().map(Probing::due);
        [Some(self.estimator.poll_timeout()), self.pacer.due(), probing].into_iter().flatten().min()
    }

    /// Seals a compound RTCP packet, with the figures of what was sent in its sender reports and
    /// without feedback that ends in `left_out`. `None` when nothing is left.
    pub fn seal_rtcp(&mut self, now: Instant, plain: &[u8], left_out: &[u8]) -> Option<Vec<u8>> {
        let account = |ssrc| self.streams.iter().find(|stream| stream.config.ssrc == ssrc)?.account(now);
        let amended = rtcp::amend(plain, left_out, account);
        self.sealer.as_mut()?.rtcp(&amended)
    }

    /// What a stream carried has ended; what follows is of another track.
    pub fn renew(&mut self, key: StreamKey) {
        self.pacer.forget(key);
        if let Some(stream) = self.streams.get_mut(key) {
            stream.renew();
        }
    }

    /// Nothing that a stream has sent so far is sent again, whatever is asked for.
    pub fn forget(&mut self, key: StreamKey) {
        if let Some(stream) = self.streams.get_mut(key) {
            stream.history.clear();
        }
    }

    /// Whether pictures are spread over time, so that on a slow path sound does not wait behind
    /// a keyframe.
    pub fn set_paced(&mut self, now: Instant, paced: bool, out: &mut Packets) {
        self.pacer.set_holding(paced);
        self.pace(now, out);
    }

    /// Whether what is asked for again is sent twice.
    pub fn repeat_twice(&mut self, twice: bool) {
        self.twice = twice;
    }

    /// Whether packets wait for their turn.
    #[must_use]
    pub fn is_holding(&self) -> bool {
        self.pacer.due().is_some()
    }

    /// What the path is to carry if it can, in bits per second; probes find out.
    pub fn set_desired(&mut self, now: Instant, desired: u64) {
        self.estimator.set_desired(now, desired);
    }

    /// What can be sent, in bits per second, as payloads.
    #[must_use]
    pub fn estimate(&self) -> u64 {
        self.estimator.estimate()
    }

    /// The share that was lost over about the last second.
    #[must_use]
    pub fn loss(&self, now: Instant) -> Option<f32> {
        self.estimator.loss(now)
    }
}

/// A packet to be sent again: what it takes from the history, shared.
struct Repetition {
    header: Repeated,
    number: u16,
    payload: std::sync::Arc<[u8]>,
    patch: crate::payload::Patch,
}

impl Repetition {
    fn of(packet: &OutgoingPacket) -> Self {
        Self { header: packet.into(), number: low(packet.seq), payload: packet.payload.clone(), patch: packet.patch }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "numbers wrap on the wire")]
fn low(number: u64) -> u16 {
    number as u16
}

#[cfg(test)]
mod tests;
