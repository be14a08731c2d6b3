//! The way of a session's media to its egress, and of what str0m writes past it.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use smallvec::SmallVec;
use str0m::{
    media::Rid,
    rtp::{
        Extension,
        rtcp::{NackEntry, Rtcp},
    },
};

use super::{
    Estimate, INITIAL_ESTIMATE, LayerId, Line, OutgoingPacket, Session, Transmit, answers_check, keys,
    negotiation::MediaLine,
};
use crate::egress::{Egress, Extensions, Name, Packets, Profile, StreamConfig, StreamKey, Way};

use madang_protocol::TrackKind;

/// What str0m is to send so that it is seen which way it goes; a whole number of RTCP's words.
const QUESTION: &[u8] = b"which way, str0m";
/// How often it is asked at most.
const ASK_PAUSE: Duration = Duration::from_millis(50);

/// What a session sends of media, and what it hears of it.
pub(super) struct Outgoing {
    egress: Egress,
    profile: Option<Profile>,
    /// The streams of each line, by layer: several where a client sends simulcast.
    lines: Vec<SmallVec<[Option<StreamKey>; 1]>>,
    /// The start of feedback clocks.
    epoch: Instant,
    /// What is sent by the session itself: repetitions, probes, and what was held back.
    own: Packets,
    polled: VecDeque<Transmit>,
    /// str0m is to be asked which way it sends, and when it was asked last.
    asks: bool,
    asked_at: Option<Instant>,
}

impl Outgoing {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            egress: Egress::new(now, INITIAL_ESTIMATE),
            profile: None,
            lines: Vec::new(),
            epoch: now,
            own: Packets::default(),
            polled: VecDeque::new(),
            asks: false,
            asked_at: None,
        }
    }

    pub(super) fn release(&mut self, line: Line) {
        for stream in self.lines.get_mut(usize::from(line.0)).into_iter().flat_map(std::mem::take).flatten() {
            self.egress.renew(stream);
        }
    }

    /// Which way media goes.
    pub(super) fn way(&self) -> Option<Way> {
        self.egress.way()
    }

    fn stream(&self, line: Line, layer: LayerId) -> Option<StreamKey> {
        *self.lines.get(usize::from(line.0))?.get(usize::from(layer.0))?
    }

    /// Takes the keys of a handshake that has just ended.
    pub(super) fn take_key(&mut self) {
        if let Some(key) = keys::take() {
            self.profile = Some(key.profile());
            self.egress.set_key(&key);
        }
    }

    /// What str0m sends passes by here: RTCP is sealed, and where it goes media goes. `None` when
    /// there is nothing to send.
    pub(super) fn pass(&mut self, now: Instant, way: Way, data: Vec<u8>) -> Option<Vec<u8>> {
        match data.first()? {
            0..=3 => {
                // Another way has proved to work. Whether it is taken is str0m's decision, for a
                // check that is sent again from elsewhere must not lead media there.
                let is_recent = self.asked_at.is_some_and(|at| now.saturating_duration_since(at) < ASK_PAUSE);
                if answers_check(&data) && self.egress.way().is_some_and(|taken| taken != way) && !is_recent {
                    self.asks = true;
                }
                Some(data)
            }
            // RTP and RTCP (RFC 7983 §7, RFC 5761 §4); str0m has no media to send.
            128..=191 => {
                self.egress.set_way(now, way);
                let is_rtcp = data.get(1).is_some_and(|kind| (192..=223).contains(kind));
                let plain = data.len().checked_sub(keys::trailer(self.profile?)).filter(|_| is_rtcp)?;
                self.egress.seal_rtcp(now, &data[..plain], QUESTION)
            }
            _ => {
                self.egress.set_way(now, way);
                Some(data)
            }
        }
    }

    /// Asks str0m which way it sends: it says so by sending, and what it sends for this goes no
    /// further than [`Self::pass`].
    pub(super) fn ask(&mut self, now: Instant, rtc: &mut str0m::Rtc) {
        if std::mem::take(&mut self.asks) && self.profile.is_some() {
            self.asked_at = Some(now);
            rtc.direct_api().send_app_specific_feedback(1.into(), 1.into(), QUESTION);
        }
    }

    /// A report of the other end's.
    pub(super) fn report(&mut self, now: Instant, report: Rtcp) {
        match report {
            Rtcp::Nack(nack) => {
                let numbers = nack.reports.into_iter().flat_map(missing);
                self.egress.missing(now, *nack.ssrc, numbers, &mut self.own);
            }
            Rtcp::Twcc(feedback) => {
                let newest = self.egress.newest_transport_cc();
                let epoch = self.epoch;
                let packets = feedback.into_iter(epoch, newest.into()).map(|(number, _, arrival)| {
                    (*number, arrival.map(|arrival| arrival.saturating_duration_since(epoch)))
                });
                self.egress.feedback(now, packets);
            }
            Rtcp::ReceiverReport(report) => report.reports.into_iter().for_each(|of| self.egress.reported(*of.ssrc)),
            Rtcp::SenderReport(report) => report.reports.into_iter().for_each(|of| self.egress.reported(*of.ssrc)),
            _ => {}
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.egress.handle_timeout(now, &mut self.own);
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.egress.poll_timeout()
    }

    pub(super) fn poll(&mut self) -> Option<Transmit> {
        if !self.own.is_empty() {
            let transmit = |(Way { transport, from, to }, data): (Way, &[u8])| Transmit {
                transport,
                from,
                to,
                data: data.to_vec(),
            };
            self.polled.extend(self.own.iter().map(transmit));
            self.own.clear();
        }
        self.polled.pop_front()
    }

    /// Moves what the session itself sends behind others' packets.
    pub(super) fn append_to(&mut self, out: &mut Packets) {
        if !self.own.is_empty() {
            out.append(&mut self.own);
        }
    }

    pub(super) fn estimate(&self, now: Instant) -> Estimate {
        Estimate { rate: self.egress.estimate(), loss: self.egress.loss(now) }
    }
}

/// The numbers that one entry of a NACK names (RFC 4585 §6.2.1).
fn missing(entry: NackEntry) -> impl Iterator<Item = u16> {
    let NackEntry { pid, blp } = entry;
    let following = (0..16u16).filter(move |bit| blp >> bit & 1 == 1).map(move |bit| pid.wrapping_add(bit + 1));
    std::iter::once(pid).chain(following)
}

impl Session {
    /// After an answer: the streams that str0m made for the lines that send.
    pub(super) fn find_outgoing(&mut self) {
        for (index, line) in self.negotiation.lines.iter().enumerate() {
            if line.purpose.sends.is_none() || !line.settled {
                continue;
            }
            let rids = line.rids.iter().map(|rid| Some(*rid)).chain(line.rids.is_empty().then_some(None));
            let mut streams = SmallVec::new();
            for rid in rids {
                let Some(config) = stream_config(&mut self.rtc, line, rid) else {
                    streams.push(None);
                    continue;
                };
                streams.push(Some(self.outgoing.egress.stream(config)));
            }
            let lines = &mut self.outgoing.lines;
            lines.resize_with(lines.len().max(index + 1), SmallVec::new);
            lines[index] = streams;
        }
    }

    /// Whether media on a line can be sent.
    #[must_use]
    pub fn can_send(&self, line: Line) -> bool {
        self.connected && self.outgoing.stream(line, LayerId(0)).is_some()
    }

    /// Seals a packet and writes it behind others that leave together. Whether packets wait for
    /// their turn, and [`Session::handle_timeout`] is to be called.
    pub fn write_to(&mut self, now: Instant, line: Line, packet: OutgoingPacket, out: &mut Packets) -> bool {
        let Some(stream) = self.outgoing.stream(line, LayerId(0)) else { return false };
        self.outgoing.egress.write(now, stream, packet, out);
        self.outgoing.egress.is_holding()
    }

    /// Sends a packet in a layer of a line with the drain that follows.
    pub fn write_in(&mut self, line: Line, layer: LayerId, packet: OutgoingPacket) {
        if let Some(stream) = self.outgoing.stream(line, layer) {
            self.outgoing.egress.write(packet.at, stream, packet, &mut self.outgoing.own);
        }
    }

    /// What was sent on a line so far is not sent again, whatever is asked for: a keyframe
    /// follows that makes it useless.
    pub fn forget_sent(&mut self, line: Line) {
        if let Some(stream) = self.outgoing.stream(line, LayerId(0)) {
            self.outgoing.egress.forget(stream);
        }
    }

    /// What is to be sent in all if the path can take it, in bits per second; probes find out.
    pub fn set_desired(&mut self, desired: u64) {
        self.outgoing.egress.set_desired(self.now, desired);
    }

    /// Whether pictures are spread over time, so that on a slow path sound does not wait behind a
    /// keyframe. It costs a wake-up for each packet.
    pub fn set_paced(&mut self, now: Instant, paced: bool, out: &mut Packets) {
        self.outgoing.egress.set_paced(now, paced, out);
    }

    /// Whether what is asked for again is sent twice.
    pub fn repeat_twice(&mut self, twice: bool) {
        self.outgoing.egress.repeat_twice(twice);
    }
}

fn stream_config(rtc: &mut str0m::Rtc, line: &MediaLine, rid: Option<Rid>) -> Option<StreamConfig> {
    let mut api = rtc.direct_api();
    let stream = api.stream_tx_by_mid(line.mid, rid)?;
    let (ssrc, repeats) = (*stream.ssrc(), stream.rtx().map(|ssrc| *ssrc));
    let ids = rtc.media(line.mid)?.remote_extmap();
    let is_sound = line.kind == TrackKind::Audio;
    let types = rtc.codec_config().params().iter().filter_map(|params| Some((*params.pt(), *params.resend()?)));
    Some(StreamConfig {
        ssrc,
        repeats,
        repeated_types: types.collect(),
        name: Name { mid: line.mid.as_bytes().into(), rid: rid.map(|rid| rid.as_bytes().into()).unwrap_or_default() },
        extensions: Extensions {
            mid: ids.id_of(Extension::RtpMid),
            rid: ids.id_of(Extension::RtpStreamId),
            repaired_rid: ids.id_of(Extension::RepairedRtpStreamId),
            transport_cc: ids.id_of(Extension::TransportSequenceNumber),
            audio_level: ids.id_of(Extension::AudioLevel),
            orientation: ids.id_of(Extension::VideoOrientation),
        },
        clock_rate: if is_sound { 48_000 } else { 90_000 },
        is_sound,
    })
}
