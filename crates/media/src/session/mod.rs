//! One end of one link: ICE, DTLS, SRTP, SCTP and bandwidth estimation, on str0m in RTP mode.
//!
//! This is the seam around str0m; nothing of it shows outside. A session is fed by
//! [`Session::receive`], [`Session::write`] and [`Session::handle_timeout`], and drained by
//! [`Session::poll_output`] until it names a time-out.

mod client;
mod config;
mod error;
mod event;
mod gaps;
mod negotiation;
mod repeats;

use std::{
    collections::HashMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use madang_protocol::{IceCandidate, Negotiation as Number, TrackId, TrackKind};
use str0m::{
    Candidate, Event, IceConnectionState, Input, Output, Rtc,
    bwe::Bitrate,
    change::SdpAnswer,
    media::{KeyframeRequestKind, Rid},
    net::{Protocol, Receive, TcpType},
    rtp::{ExtensionValues, RtpPacket, RtpWrite, Ssrc, StreamTx, Vp8Descriptor},
};

pub use client::ClientLine;
pub use config::{Certificate, INITIAL_ESTIMATE, LocalCandidate, Role, SessionConfig, VideoCodec};
pub use error::SessionError;
pub use event::{
    AudioLevel, DataChannel, Estimate, LayerId, Line, MediaPacket, Orientation, OutgoingPacket, SenderReport,
    SessionEvent, SessionOutput, Transmit, Transport, Vp8Numbers,
};
use gaps::Gaps;
pub use negotiation::Offer;
use negotiation::{Negotiation, Purpose};
use repeats::Repeats;

/// The longest description taken: browsers write some 60 lines for each track.
const SDP_LINES: usize = 20_000;
const SDP_BYTES: usize = 512 * 1024;
/// An attribute list longer than this in one media description is nobody's but an attacker's.
const SDP_LINES_PER_MEDIA: usize = 400;

/// A time-out within this is due at once.
const AT_ONCE: Duration = Duration::from_micros(500);

/// By how much str0m's clock is moved from one packet to the next.
const STEP: Duration = Duration::from_micros(1);

/// How many of those there may be at one moment: more packets than any frame has.
const MOST_AT_ONCE: u32 = 1000;

/// Packets kept for each sent stream, to be sent again when the other end asks (RFC 4585 §6.2.1):
/// two seconds of a 2.5 Mbit/s picture.
const HISTORY: usize = 512;
const HISTORY_AGE: Duration = Duration::from_secs(3);
/// Nothing is sent again where that would be more than this share of all.
const MOST_REPEATED: f32 = 0.3;

/// A stream that comes in.
struct Incoming {
    line: Line,
    layer: LayerId,
    gaps: Gaps,
}

/// One end of a link. See the module.
pub struct Session {
    rtc: Rtc,
    negotiation: Negotiation,
    /// Which line and layer a stream belongs to, by SSRC.
    incoming: HashMap<u32, Incoming>,
    /// SSRCs of what is sent, by line; several where a client sends simulcast.
    outgoing: HashMap<(Line, LayerId), Ssrc>,
    connected: bool,
    ended: bool,
    paced: bool,
    repeats: Repeats,
    now: Instant,
    /// What str0m believes to be now.
    stepped: Instant,
    /// Time-outs that were due at once since time last passed.
    early: u32,
}

impl Session {
    /// A session that has not said anything yet.
    #[must_use]
    pub fn new(config: &SessionConfig, now: Instant) -> Self {
        let mut rtc = config.build(now);
        for candidate in &config.candidates {
            let made = if candidate.tcp {
                Candidate::builder().tcp().host(candidate.address).tcptype(TcpType::Passive).build()
            } else {
                Candidate::host(candidate.address, Protocol::Udp)
            };
            if let Ok(made) = made {
                rtc.add_local_candidate(made);
            }
        }
        Self {
            rtc,
            negotiation: Negotiation::new(config.role == Role::Server),
            incoming: HashMap::new(),
            outgoing: HashMap::new(),
            connected: false,
            ended: false,
            paced: false,
            repeats: Repeats::default(),
            now,
            stepped: now,
            early: 0,
        }
    }

    /// The user name fragment (RFC 8445 §5.3) by which the other end's checks name this session.
    pub fn ufrag(&mut self) -> String {
        self.rtc.direct_api().local_ice_credentials().ufrag
    }

    /// Offers to receive a track of the other end's. `rids` from the smallest layer to the
    /// largest; empty for no simulcast. Takes effect with the next [`Self::offer`].
    pub fn receive_track(&mut self, track: TrackId, kind: TrackKind, rids: &[&str]) -> Option<Line> {
        let rids: Vec<Rid> = rids.iter().map(|rid| Rid::from(*rid)).collect();
        self.negotiation.take(kind, Purpose::Receive(track), &rids)
    }

    /// Offers to send a track.
    pub fn send_track(&mut self, track: TrackId, kind: TrackKind) -> Option<Line> {
        self.negotiation.take(kind, Purpose::Send(track), &[])
    }

    /// The line is needed no more.
    pub fn release(&mut self, line: Line) {
        self.outgoing.retain(|(of, _), _| *of != line);
        self.incoming.retain(|_, stream| stream.line != line);
        self.negotiation.release(line);
    }

    /// Restarts ICE with the next offer (RFC 8445 §2.4). DTLS and media go on.
    pub fn restart_ice(&mut self) {
        self.negotiation.restart();
    }

    /// The next offer, when something has changed and none is out.
    pub fn offer(&mut self) -> Option<Offer> {
        self.negotiation.offer(&mut self.rtc)
    }

    /// Takes the answer to the newest offer.
    ///
    /// # Errors
    /// When it answers no open offer, can't be read, or does not fit.
    pub fn answer(&mut self, n: Number, sdp: &str) -> Result<(), SessionError> {
        check_size(sdp)?;
        let answer = SdpAnswer::from_sdp_string(sdp).map_err(|why| SessionError::Sdp(why.to_string()))?;
        self.negotiation.answer(&mut self.rtc, n, answer)?;
        self.find_outgoing();
        Ok(())
    }

    /// After an answer: the streams that str0m made for the lines that send.
    fn find_outgoing(&mut self) {
        for (index, line) in self.negotiation.lines.iter().enumerate() {
            let (Purpose::Send(_), Ok(index)) = (&line.purpose, u16::try_from(index)) else { continue };
            let mut api = self.rtc.direct_api();
            let rids = line.rids.iter().map(|rid| Some(*rid)).chain(line.rids.is_empty().then_some(None));
            for (layer, rid) in (0..).zip(rids) {
                if let Some(stream) = api.stream_tx_by_mid(line.mid, rid) {
                    stream.set_unpaced(!(self.paced && line.kind == TrackKind::Video));
                    let known = self.outgoing.insert((Line(index), LayerId(layer)), stream.ssrc());
                    if known != Some(stream.ssrc()) {
                        forget_sent(stream);
                    }
                    if let Some(rtx) = stream.rtx() {
                        self.repeats.add_stream(*rtx);
                    }
                }
            }
        }
    }

    /// A candidate of the other end's. One that can't be read, or of a kind unknown, is left
    /// out: its checks make it known if it works.
    pub fn candidate(&mut self, candidate: &IceCandidate) {
        if let Ok(candidate) = Candidate::from_sdp_string(&candidate.candidate) {
            self.rtc.add_remote_candidate(candidate);
        }
    }

    /// Takes a packet in. What does not parse, or fails authentication, has no effect.
    pub fn receive(&mut self, now: Instant, transport: Transport, from: SocketAddr, to: SocketAddr, data: &[u8]) {
        let proto = match transport {
            Transport::Udp => Protocol::Udp,
            Transport::Tcp => Protocol::Tcp,
        };
        let Ok(received) = Receive::new(proto, from, to, data) else { return };
        // Garbage that claims to be DTLS ends in an error here, and nothing else.
        self.pass(now);
        if let Err(why) = self.rtc.handle_input(Input::Receive(self.stepped, received)) {
            tracing::debug!(%why, "a packet was refused");
        }
    }

    /// Lets time pass; also makes what was written since go out.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.pass(now);
        self.step(self.stepped);
    }

    fn pass(&mut self, now: Instant) {
        if now > self.now {
            self.now = now;
            self.early = 0;
            self.stepped = self.stepped.max(now);
        }
    }

    /// Lets str0m's clock run ahead a little, as [`AT_ONCE`] allows.
    fn step(&mut self, to: Instant) {
        self.stepped = self.stepped.max(to);
        if let Err(why) = self.rtc.handle_input(Input::Timeout(self.stepped)) {
            tracing::debug!(%why, "a time-out failed");
        }
    }

    /// Whether media on a line can be sent.
    #[must_use]
    pub fn can_send(&self, line: Line) -> bool {
        self.connected && self.outgoing.contains_key(&(line, LayerId(0)))
    }

    /// Sends a packet with the next [`Self::handle_timeout`].
    pub fn write(&mut self, line: Line, packet: OutgoingPacket) {
        self.write_layer(line, LayerId(0), packet);
    }

    fn write_layer(&mut self, line: Line, layer: LayerId, packet: OutgoingPacket) {
        let Some(ssrc) = self.outgoing.get(&(line, layer)) else { return };
        let mut api = self.rtc.direct_api();
        let Some(stream) = api.stream_tx(ssrc) else { return };
        stream.write_rtp(rtp_write(packet));
    }

    /// What was sent on a line so far is not sent again, whatever is asked for: a keyframe
    /// follows that makes it useless.
    pub fn forget_sent(&mut self, line: Line) {
        let Some(ssrc) = self.outgoing.get(&(line, LayerId(0))) else { return };
        if let Some(stream) = self.rtc.direct_api().stream_tx(ssrc) {
            forget_sent(stream);
        }
    }

    /// Asks the other end for a keyframe (RFC 4585 §6.3.1).
    pub fn request_keyframe(&mut self, line: Line, layer: LayerId) {
        let Some(media) = self.negotiation.line(line) else { return };
        let (mid, rid) = (media.mid, media.rids.get(usize::from(layer.0)).copied());
        let mut api = self.rtc.direct_api();
        let by_rid = api.stream_rx_by_mid(mid, rid).is_some();
        if let Some(stream) = api.stream_rx_by_mid(mid, if by_rid { rid } else { None }) {
            stream.request_keyframe(KeyframeRequestKind::Pli);
        }
    }

    /// What is to be sent in all, in bits per second: at least `minimum` (padding fills it up,
    /// as far as the estimate allows), and `desired` if the path can take it (probes find out).
    pub fn set_bitrates(&mut self, minimum: u64, desired: u64) {
        self.rtc.bwe().set_bitrate(Bitrate::bps(minimum), Bitrate::bps(desired));
    }

    /// Whether pictures are spread by str0m's pacer, so that on a slow path sound does not wait
    /// behind a keyframe. It costs a wake-up for each packet.
    pub fn set_paced(&mut self, paced: bool) {
        if std::mem::replace(&mut self.paced, paced) == paced {
            return;
        }
        let mut api = self.rtc.direct_api();
        for ((line, _), ssrc) in &self.outgoing {
            let video = self.negotiation.line(*line).is_some_and(|line| line.kind == TrackKind::Video);
            if let Some(stream) = api.stream_tx(ssrc).filter(|_| video) {
                stream.set_unpaced(!paced);
            }
        }
    }

    /// Whether what is asked for again is sent twice.
    pub fn repeat_twice(&mut self, twice: bool) {
        self.repeats.twice = twice;
    }

    /// Begins bandwidth estimation anew, from this many bits per second.
    pub fn restart_estimation(&mut self, from: u64) {
        self.rtc.bwe().reset(Bitrate::bps(from));
    }

    /// Sends bytes on a data channel; `false` when it is not open or its buffer is full.
    pub fn send_data(&mut self, channel: DataChannel, data: &[u8]) -> bool {
        let id = self.negotiation.channels[channel as usize];
        id.and_then(|id| self.rtc.channel(id)).is_some_and(|mut channel| channel.write(true, data).unwrap_or(false))
    }

    /// Says goodbye: RTCP BYE and a DTLS alert come out of the drain that follows.
    pub fn close(&mut self) {
        // It is over either way.
        let _ = self.rtc.close();
    }

    /// Whether it has ended, by itself or by the other end.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// The next thing to do. [`SessionOutput::Timeout`] is the last of a drain.
    pub fn poll_output(&mut self) -> SessionOutput {
        if let Some(copy) = self.repeats.again() {
            return SessionOutput::Transmit(copy);
        }
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Transmit(transmit)) => {
                    // After each packet str0m's pacer wants to see time pass, be it a microsecond. To
                    // know that spares a round through all of its parts to be told so.
                    let rtp = is_rtp(&transmit.contents);
                    if rtp {
                        self.step(self.stepped + STEP);
                    }
                    let transport = if transmit.proto == Protocol::Udp { Transport::Udp } else { Transport::Tcp };
                    let transmit = Transmit {
                        transport,
                        from: transmit.source,
                        to: transmit.destination,
                        data: transmit.contents.into(),
                    };
                    if rtp {
                        self.repeats.sent(&transmit);
                    }
                    return SessionOutput::Transmit(transmit);
                }
                Ok(Output::Event(event)) => {
                    if let Some(event) = self.event(event) {
                        return SessionOutput::Event(event);
                    }
                }
                // What is due so soon is due now.
                Ok(Output::Timeout(at)) if at <= self.now + AT_ONCE => {
                    self.step(at);
                    self.early += 1;
                    if self.early > MOST_AT_ONCE {
                        return SessionOutput::Timeout(self.now + AT_ONCE);
                    }
                }
                Ok(Output::Timeout(at)) => return SessionOutput::Timeout(at),
                Err(why) => return SessionOutput::Event(self.end(why.to_string())),
            }
        }
    }

    fn end(&mut self, why: String) -> SessionEvent {
        self.ended = true;
        self.rtc.disconnect();
        SessionEvent::Ended(why)
    }

    fn event(&mut self, event: Event) -> Option<SessionEvent> {
        match event {
            Event::RtpPacket(packet) => self.packet(packet).map(SessionEvent::Packet),
            Event::Connected => {
                self.connected = true;
                Some(SessionEvent::Connected)
            }
            Event::KeyframeRequest(request) => {
                let (line, media) = self.line_of(request.mid)?;
                let layer = request.rid.map(|rid| media.layer(Some(rid)));
                Some(SessionEvent::KeyframeWanted { line, layer })
            }
            // What `EgressBitrateEstimate` says is a mean over three seconds: too late for a fall.
            Event::PeerStats(stats) if self.connected => {
                let (rate, loss) = (stats.bwe_tx?.as_u64(), stats.egress_loss_fraction);
                Some(SessionEvent::Estimate(Estimate { rate, loss }))
            }
            Event::ChannelData(data) => {
                let place = self.negotiation.channels.iter().position(|id| *id == Some(data.id))?;
                let channel = if place == 0 { DataChannel::Reliable } else { DataChannel::Lossy };
                Some(SessionEvent::Data(channel, data.data))
            }
            Event::ChannelOpen(id, _) if self.negotiation.channels[0] == Some(id) => Some(SessionEvent::ChannelsOpen),
            Event::Closed => Some(self.end("closed by the other end".into())),
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                tracing::debug!("no path to the other end at present");
                None
            }
            _ => None,
        }
    }

    fn line_of(&self, mid: str0m::media::Mid) -> Option<(Line, &negotiation::MediaLine)> {
        self.negotiation.by_mid(mid)
    }

    fn packet(&mut self, packet: RtpPacket) -> Option<MediaPacket> {
        let ssrc = packet.header.ssrc;
        if !self.incoming.contains_key(&*ssrc) {
            self.learn(ssrc)?;
        }
        let stream = self.incoming.get_mut(&*ssrc)?;
        let (line, layer) = (stream.line, stream.layer);
        let lost = stream.gaps.packet(*packet.seq_no);
        let extensions = &packet.header.ext_vals;
        let audio_level = extensions.audio_level.map(|level| AudioLevel {
            below_full: level.unsigned_abs().min(127),
            voice: extensions.voice_activity.unwrap_or(false),
        });
        let report = packet.last_sender_info.and_then(|info| {
            let since = info.ntp_time.duration_since(std::time::UNIX_EPOCH).ok()?;
            let at_us = u64::try_from(since.as_micros()).ok()?;
            #[expect(clippy::cast_possible_truncation, reason = "RTP timestamps wrap")]
            Some(SenderReport { at_us, timestamp: info.rtp_time.numer() as u32 })
        });
        Some(MediaPacket {
            line,
            layer,
            payload_type: *packet.header.payload_type,
            seq: *packet.seq_no,
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            orientation: extensions.video_orientation.map(Orientation),
            audio_level,
            report,
            lost,
            payload: packet.payload,
        })
    }

    /// Which line and layer a stream is that str0m has accepted, from its MID and RID.
    fn learn(&mut self, ssrc: Ssrc) -> Option<()> {
        let mut api = self.rtc.direct_api();
        let stream = api.stream_rx(&ssrc)?;
        let (mid, rid) = (stream.mid(), stream.rid());
        let (line, media) = self.negotiation.by_mid(mid)?;
        let layer = media.layer(rid);
        self.incoming.insert(*ssrc, Incoming { line, layer, gaps: Gaps::default() });
        Some(())
    }
}

/// Whether a datagram is RTP (RFC 7983 §7, RFC 5761 §4).
fn is_rtp(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, kind, ..] if !(192..=223).contains(kind))
}

fn forget_sent(stream: &mut StreamTx) {
    // Without a limit str0m forgets how much it has repeated: the new begin counts from zero.
    stream.set_rtx_cache(0, HISTORY_AGE, None);
    stream.set_rtx_cache(HISTORY, HISTORY_AGE, Some(MOST_REPEATED));
}

fn rtp_write(packet: OutgoingPacket) -> RtpWrite {
    let extensions = ExtensionValues {
        audio_level: packet.audio_level.map(|level| -i8::try_from(level.below_full).unwrap_or(127)),
        voice_activity: packet.audio_level.map(|level| level.voice),
        video_orientation: packet.orientation.map(|orientation| orientation.0),
        ..ExtensionValues::default()
    };
    let patch = packet.vp8.and_then(|numbers| vp8_patch(&packet.payload, numbers));
    let write =
        RtpWrite::new(packet.payload_type.into(), packet.seq.into(), packet.timestamp, packet.at, packet.payload)
            .marker(packet.marker)
            .nackable(packet.repeatable)
            .ext_vals(extensions);
    match patch {
        Some(patch) => write.vp8_patch(patch),
        None => write,
    }
}

/// The user name fragment of ours that a connectivity check is addressed to (RFC 8445 §7.2.2).
/// `None` for what is no Binding request.
#[must_use]
pub fn check_user(data: &[u8]) -> Option<&str> {
    let message = str0m::ice::StunMessage::parse(data).ok()?;
    let user = message.is_binding_request().then(|| message.username()).flatten()?;
    Some(user.split_once(':')?.0)
}

/// Whether a datagram is the answer to a check that was right (RFC 8489 §6.3.1: a Binding success
/// response).
#[must_use]
pub fn answers_check(data: &[u8]) -> bool {
    data.starts_with(&[0x01, 0x01])
}

/// `None` where the payload has no such fields, which the numbers were read from.
fn vp8_patch(payload: &[u8], numbers: Vp8Numbers) -> Option<str0m::rtp::Vp8Patch> {
    let mut patch = Vp8Descriptor::parse(payload).ok()?.patch();
    if let Some(picture_id) = numbers.picture_id {
        patch = patch.picture_id(picture_id);
    }
    if let Some(tl0) = numbers.tl0 {
        patch = patch.tl0_pic_idx(tl0);
    }
    if let Some(key_idx) = numbers.key_idx {
        patch = patch.key_idx(key_idx);
    }
    patch.build().ok()
}

/// Refuses what would keep the parser busy for nothing.
fn check_size(sdp: &str) -> Result<(), SessionError> {
    let too_large = Err(SessionError::TooLarge { lines: SDP_LINES_PER_MEDIA, bytes: SDP_BYTES });
    if sdp.len() > SDP_BYTES {
        return too_large;
    }
    let (mut lines, mut in_media) = (0, 0);
    for line in sdp.lines() {
        lines += 1;
        in_media = if line.starts_with("m=") { 0 } else { in_media + 1 };
        if lines > SDP_LINES || in_media > SDP_LINES_PER_MEDIA {
            return too_large;
        }
    }
    Ok(())
}
