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
mod keys;
mod negotiation;
mod outgoing;
mod path;
mod peer;
mod types;

use std::{
    collections::HashMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::egress::{Packets, Way};
use madang_protocol::{IceCandidate, Negotiation as Number, TrackId, TrackKind};
use outgoing::Outgoing;
use str0m::{
    Candidate, Event, IceConnectionState, Input, Output, Rtc,
    change::SdpAnswer,
    media::{KeyframeRequestKind, Rid},
    net::{Protocol, Receive, TcpType},
    rtp::{RawPacket, RtpPacket, Ssrc},
};

pub use client::ClientLine;
pub use config::{Certificate, INITIAL_ESTIMATE, LocalCandidate, Role, SessionConfig, VideoCodec};
pub use error::SessionError;
pub use event::{
    AudioLevel, DataChannel, Estimate, LayerId, Line, MediaPacket, Orientation, OutgoingPacket, SenderReport,
    SessionEvent, SessionOutput, Transmit, Transport,
};
use gaps::Gaps;
pub use negotiation::Offer;
use negotiation::{Negotiation, Purpose};
use path::Paths;
pub use path::{CandidateKind, Gathered, Path};
pub use peer::Exchange;

/// The longest description taken: browsers write some 60 lines for each track.
const SDP_LINES: usize = 20_000;
const SDP_BYTES: usize = 512 * 1024;
/// An attribute list longer than this in one media description is nobody's but an attacker's.
const SDP_LINES_PER_MEDIA: usize = 400;

/// A time-out within this is due at once.
const AT_ONCE: Duration = Duration::from_micros(500);

/// How many of those there may be at one moment: more packets than any frame has.
const MOST_AT_ONCE: u32 = 1000;

/// How often [`SessionEvent::Estimate`] comes.
const ESTIMATE_INTERVAL: Duration = Duration::from_millis(200);

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
    outgoing: Outgoing,
    /// What is known of ways to another participant.
    paths: Option<Paths>,
    connected: bool,
    ended: bool,
    now: Instant,
    /// What str0m believes to be now.
    stepped: Instant,
    /// When str0m wants to be called.
    due: Instant,
    estimate_at: Instant,
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
            negotiation: Negotiation::new(config.role),
            incoming: HashMap::new(),
            outgoing: Outgoing::new(now),
            paths: (config.role == Role::Peer).then(|| Paths::new(now)),
            connected: false,
            ended: false,
            now,
            stepped: now,
            due: now,
            estimate_at: now,
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
        self.negotiation.take(kind, Purpose::receive(track), &rids)
    }

    /// Offers to send a track.
    pub fn send_track(&mut self, track: TrackId, kind: TrackKind) -> Option<Line> {
        self.negotiation.take(kind, Purpose::send(track), &[])
    }

    /// The line is needed no more.
    pub fn release(&mut self, line: Line) {
        self.outgoing.release(line);
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
        self.due = self.now;
        Ok(())
    }

    /// A candidate of the other end's. One that can't be read, or of a kind unknown, is left
    /// out: its checks make it known if it works.
    pub fn candidate(&mut self, candidate: &IceCandidate) {
        if let Ok(candidate) = Candidate::from_sdp_string(&candidate.candidate) {
            if let Some(paths) = &mut self.paths {
                paths.remote_candidate(&candidate);
            }
            self.rtc.add_remote_candidate(candidate);
            self.due = self.now;
        }
    }

    /// Takes a packet in. What does not parse, or fails authentication, has no effect.
    pub fn receive(&mut self, now: Instant, transport: Transport, from: SocketAddr, to: SocketAddr, data: &[u8]) {
        let proto = match transport {
            Transport::Udp => Protocol::Udp,
            Transport::Tcp => Protocol::Tcp,
        };
        let Ok(received) = Receive::new(proto, from, to, data) else { return };
        if let Some(paths) = &mut self.paths {
            let is_way = self.outgoing.way().is_some_and(|way| (way.from, way.to) == (to, from));
            paths.received(now, to, from, data, is_way);
        }
        // Garbage that claims to be DTLS ends in an error here, and nothing else.
        self.pass(now);
        if let Err(why) = self.rtc.handle_input(Input::Receive(self.stepped, received)) {
            tracing::debug!(%why, "a packet was refused");
        }
        self.outgoing.take_key();
        self.due = self.now;
    }

    /// Lets time pass; also makes what was written since go out.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.pass(now);
        if self.due <= now {
            self.step(self.stepped);
        }
        self.outgoing.handle_timeout(now);
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
        self.outgoing.take_key();
    }

    /// Asks the other end for a keyframe (RFC 4585 §6.3.1).
    pub fn request_keyframe(&mut self, line: Line, layer: LayerId) {
        let Some(media) = self.negotiation.line(line) else { return };
        let (mid, rid) = (media.mid, media.rids.get(usize::from(layer.0)).copied());
        let mut api = self.rtc.direct_api();
        let by_rid = api.stream_rx_by_mid(mid, rid).is_some();
        if let Some(stream) = api.stream_rx_by_mid(mid, if by_rid { rid } else { None }) {
            stream.request_keyframe(KeyframeRequestKind::Pli);
            self.due = self.now;
        }
    }

    /// Sends bytes on a data channel; `false` when it is not open or its buffer is full.
    pub fn send_data(&mut self, channel: DataChannel, data: &[u8]) -> bool {
        self.due = self.now;
        let id = self.negotiation.channels[channel as usize];
        id.and_then(|id| self.rtc.channel(id)).is_some_and(|mut channel| channel.write(true, data).unwrap_or(false))
    }

    /// Says goodbye: RTCP BYE and a DTLS alert come out of the drain that follows.
    pub fn close(&mut self) {
        self.due = self.now;
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
        self.poll_with(None)
    }

    /// The same, with media that the session sends by itself written behind what others send: all
    /// of a stream that was given to [`Session::write_to`] goes one way, and stays in order.
    pub fn poll_output_to(&mut self, out: &mut Packets) -> SessionOutput {
        self.poll_with(Some(out))
    }

    fn poll_with(&mut self, mut out: Option<&mut Packets>) -> SessionOutput {
        loop {
            match &mut out {
                Some(out) => self.outgoing.append_to(out),
                None => {
                    if let Some(transmit) = self.outgoing.poll() {
                        return SessionOutput::Transmit(transmit);
                    }
                }
            }
            self.outgoing.ask(self.now, &mut self.rtc);
            let output = self.rtc.poll_output();
            self.outgoing.take_key();
            match output {
                Ok(Output::Transmit(transmit)) => {
                    let transport = if transmit.proto == Protocol::Udp { Transport::Udp } else { Transport::Tcp };
                    let way = Way { transport, from: transmit.source, to: transmit.destination };
                    if let Some(paths) = &mut self.paths {
                        paths.sent(way, &transmit.contents);
                    }
                    if let Some(data) = self.outgoing.pass(self.now, way, transmit.contents.into()) {
                        let Way { transport, from, to } = way;
                        return SessionOutput::Transmit(Transmit { transport, from, to, data });
                    }
                }
                Ok(Output::Event(event)) => {
                    if let Some(event) = self.event(event) {
                        return SessionOutput::Event(event);
                    }
                }
                // What is due so soon is due now.
                Ok(Output::Timeout(at)) if at <= self.now + AT_ONCE && self.early < MOST_AT_ONCE => {
                    self.step(at);
                    self.early += 1;
                }
                Ok(Output::Timeout(at)) => {
                    self.due = at.max(self.now + AT_ONCE);
                    if let Some(event) = self.watch_path() {
                        return SessionOutput::Event(event);
                    }
                    if let Some(estimate) = self.estimate() {
                        return SessionOutput::Event(SessionEvent::Estimate(estimate));
                    }
                    return SessionOutput::Timeout(self.timeout());
                }
                Err(why) => return SessionOutput::Event(self.end(why.to_string())),
            }
        }
    }

    fn timeout(&self) -> Instant {
        let estimate_at = self.connected.then_some(self.estimate_at);
        [estimate_at, self.outgoing.poll_timeout()].into_iter().flatten().fold(self.due, Instant::min)
    }

    fn estimate(&mut self) -> Option<Estimate> {
        if !self.connected || self.now < self.estimate_at {
            return None;
        }
        self.estimate_at = self.now + ESTIMATE_INTERVAL;
        Some(self.outgoing.estimate(self.now))
    }

    /// Whether the path to another participant is lost, or found again.
    fn watch_path(&mut self) -> Option<SessionEvent> {
        let is_due = self.connected && self.now >= self.estimate_at;
        let is_lost = self.paths.as_mut().filter(|_| is_due)?.changed(self.now)?;
        Some(if is_lost { SessionEvent::PathLost } else { SessionEvent::PathFound })
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
            Event::RawPacket(packet) => {
                if let RawPacket::RtcpRx(report) = *packet {
                    self.outgoing.report(self.now, report);
                }
                None
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
