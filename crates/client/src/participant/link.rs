//! One link: its session, the tracks that go out on it and those that come in.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    time::{Duration, Instant},
};

use madang_media::session::{
    ClientLine, LayerId, Line, LocalCandidate, MediaPacket, Path, Role, Session, SessionConfig, SessionError,
    SessionEvent, SessionOutput, Transmit, Transport, VideoCodec,
};
use madang_protocol::{Description, LinkId, LinkPath, LinkStats, Mid, OpenLink, SdpType, TrackId, TrackKind};

use super::{
    data,
    io::{Config, Event},
    mesh::{self, Mesh},
    sending::{Sending, Start},
};
use crate::{
    clip::Codec,
    receive::{Figures, Packet, Reception},
    signaling::Roster,
    source::Outgoing,
};

/// A link to the server that is not connected so long after its description is replaced.
const CONNECT: Duration = Duration::from_secs(5);
/// The bandwidth that sound is left before pictures get the rest, in bits per second.
const SOUND: u64 = 50_000;

#[derive(Debug)]
struct Receiving {
    line: Line,
    track: TrackId,
    kind: TrackKind,
    /// Made with the first packet, whose payload type tells the codec.
    reception: Option<Reception>,
}

pub(super) struct Link {
    pub(super) open: OpenLink,
    pub(super) session: Session,
    /// Of a link to another participant.
    pub(super) mesh: Option<Mesh>,
    sending: Vec<Sending>,
    receiving: Vec<Receiving>,
    /// The figures of tracks that were withdrawn.
    past: Vec<(TrackId, Codec, Figures)>,
    /// Payload types and what they stand for.
    codecs: HashMap<u8, Codec>,
    connected: bool,
    /// When it is given up unless it is connected.
    pub(super) connect_by: Option<Instant>,
    pub(super) session_timeout: Instant,
    estimate: Option<u64>,
    /// Room for packets on their way to the session.
    outgoing: Vec<Outgoing>,
    traffic: Traffic,
}

/// Bytes since the last report.
#[derive(Debug, Default)]
struct Traffic {
    since: Option<Instant>,
    up: u64,
    down: u64,
}

/// What a drain of a link gives.
pub(super) enum LinkOutput {
    Transmit(Transmit),
    Event(Event),
    /// Bandwidth estimation changed: the limits of what is sent are to be looked at again.
    Estimate,
    Path(LinkId, Path),
    PathLost(LinkId),
    Failed(String),
    Timeout(Option<Instant>),
}

impl Link {
    /// A link to the server, on which media comes to these addresses.
    pub(super) fn to_server(open: OpenLink, at: &[SocketAddr], config: &Config, now: Instant) -> Self {
        let candidates = at.iter().map(|address| LocalCandidate { address: *address, tcp: false }).collect();
        let certificate = config.certificate.clone();
        let session = SessionConfig { role: Role::Client, video: VideoCodec::ALL.to_vec(), certificate, candidates };
        Self::new(open, None, &session, now)
    }

    /// A link to another participant.
    pub(super) fn to_peer(open: OpenLink, mesh: Mesh, config: &Config, now: Instant) -> Self {
        let codecs = &config.signaling.capabilities.codecs.video;
        let named: Vec<_> = codecs.iter().filter_map(|name| VideoCodec::from_name(name)).collect();
        // Whoever names none sends and shows what it can.
        let video = if codecs.is_empty() { vec![VideoCodec::Vp8, VideoCodec::Vp9] } else { named };
        let certificate = config.certificate.clone();
        let session = SessionConfig { role: Role::Peer, video, certificate, candidates: Vec::new() };
        Self::new(open, Some(mesh), &session, now)
    }

    fn new(open: OpenLink, mesh: Option<Mesh>, session: &SessionConfig, now: Instant) -> Self {
        Self {
            open,
            session: Session::new(session, now),
            mesh,
            sending: Vec::new(),
            receiving: Vec::new(),
            past: Vec::new(),
            codecs: HashMap::new(),
            connected: false,
            connect_by: None,
            session_timeout: now,
            estimate: None,
            outgoing: Vec::new(),
            traffic: Traffic::default(),
        }
    }

    /// Answers an offer of the server's.
    pub(super) fn accept(
        &mut self,
        offer: &Description,
        roster: &Roster,
        config: &Config,
        now: Instant,
    ) -> Result<Description, SessionError> {
        let (sdp, lines) = self.session.accept(&offer.sdp, &offer.tracks)?;
        self.carry(&lines, roster, config, now);
        if !self.connected {
            self.connect_by = Some(now + CONNECT);
        }
        let is_own = |track: &TrackId| roster.track(track).is_some_and(|(owner, _)| Some(&owner.id) == roster.me());
        let tracks: BTreeMap<Mid, TrackId> = offer
            .tracks
            .iter()
            .filter(|(_, track)| is_own(track))
            .map(|(mid, track)| (mid.clone(), track.clone()))
            .collect();
        let Description { link, epoch, n, .. } = offer.clone();
        Ok(Description { link, epoch, n, kind: SdpType::Answer, sdp, tracks, from: None })
    }

    /// Begins and ends what the lines carry.
    pub(super) fn carry(&mut self, lines: &[ClientLine], roster: &Roster, config: &Config, now: Instant) {
        for codec in [Codec::Opus, Codec::Vp8, Codec::Vp9] {
            self.codecs.extend(self.session.payload_type(codec.name()).map(|pt| (pt, codec)));
        }
        self.start_sending(lines, roster, config, now);
        self.start_receiving(lines, now);
        self.session_timeout = now;
    }

    fn start_sending(&mut self, lines: &[ClientLine], roster: &Roster, config: &Config, now: Instant) {
        let goes_on = |sending: &Sending| {
            lines
                .iter()
                .any(|line| line.line == sending.line && line.sends && line.track.as_ref() == Some(&sending.track))
        };
        self.sending.retain(goes_on);
        for line in lines.iter().filter(|line| line.sends) {
            let Some((_, track)) = line.track.as_ref().and_then(|track| roster.track(track)) else { continue };
            if self.sending.iter().any(|sending| sending.line == line.line) {
                continue;
            }
            let Some(publication) = config.publications.iter().find(|publication| publication.cid == track.cid) else {
                continue;
            };
            let start = Start { clock: config.clock, now, seed: config.seed ^ u64::from(line.line.0) << 32 };
            let id = track.id.clone();
            self.sending.extend(Sending::new(publication, id, line.line, &line.rids, &self.session, &start));
        }
    }

    fn start_receiving(&mut self, lines: &[ClientLine], now: Instant) {
        let comes = |line: &ClientLine| if line.sends { None } else { line.track.clone() };
        let mut former = std::mem::take(&mut self.receiving);
        for line in lines {
            let Some(track) = comes(line) else { continue };
            let known = former.iter().position(|known| known.line == line.line && known.track == track);
            self.receiving.push(match known {
                Some(index) => former.swap_remove(index),
                None => Receiving { line: line.line, track, kind: line.kind, reception: None },
            });
        }
        for gone in former {
            if let Some(mut reception) = gone.reception {
                reception.pause(now);
                self.past.push((gone.track, reception.codec(), reception.figures(now)));
            }
        }
    }

    pub(super) fn candidate(&mut self, candidate: Option<&madang_protocol::IceCandidate>, now: Instant) {
        if let Some(candidate) = candidate {
            self.session_timeout = now;
            self.session.candidate(candidate);
        }
    }

    pub(super) fn receive(
        &mut self,
        now: Instant,
        transport: Transport,
        from: SocketAddr,
        to: SocketAddr,
        data: &[u8],
    ) {
        self.traffic.down += data.len() as u64;
        self.session.receive(now, transport, from, to, data);
    }

    /// Lets time pass.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        let mut has_written = false;
        if self.connected {
            for sending in &mut self.sending {
                if sending.timeout().is_some_and(|at| at <= now) && self.session.can_send(sending.line) {
                    sending.send(now, &mut self.session, &mut self.outgoing);
                    has_written = true;
                }
            }
        }
        for receiving in &mut self.receiving {
            if let Some(reception) = &mut receiving.reception {
                reception.handle_timeout(now);
            }
        }
        if has_written || self.session_timeout <= now {
            self.session.handle_timeout(now);
        }
    }

    /// The next thing that this link does.
    pub(super) fn poll_output(&mut self, now: Instant, config: &Config) -> LinkOutput {
        if self.connect_by.is_some_and(|by| by <= now) {
            self.connect_by = None;
            let patience = if self.mesh.is_some() { mesh::CONNECT } else { CONNECT };
            return LinkOutput::Failed(format!("no connection within {} s", patience.as_secs()));
        }
        loop {
            if let Some(path) = self.fresh_path() {
                return LinkOutput::Path(self.open.link.clone(), path);
            }
            if let Some(event) = self.frame(now, config.wants_frames) {
                return LinkOutput::Event(event);
            }
            match self.session.poll_output() {
                SessionOutput::Transmit(transmit) => {
                    self.traffic.up += transmit.data.len() as u64;
                    return LinkOutput::Transmit(transmit);
                }
                SessionOutput::Timeout(at) => {
                    self.session_timeout = at;
                    return LinkOutput::Timeout(self.timeout());
                }
                SessionOutput::Event(event) => {
                    if let Some(output) = self.event(now, event, config) {
                        return output;
                    }
                }
            }
        }
    }

    fn event(&mut self, now: Instant, event: SessionEvent, config: &Config) -> Option<LinkOutput> {
        match event {
            SessionEvent::Packet(packet) => self.packet(now, packet, config).map(LinkOutput::Event),
            SessionEvent::Connected => {
                self.connected = true;
                self.connect_by = None;
                let wanted: u64 = self.sending.iter().map(Sending::full_rate).sum();
                self.session.set_desired(wanted + SOUND);
                self.wants_path();
                Some(LinkOutput::Event(Event::Connected(self.open.link.clone())))
            }
            SessionEvent::KeyframeWanted { line, layer } => {
                for sending in self.sending.iter_mut().filter(|sending| sending.line == line) {
                    sending.request_keyframe(layer);
                }
                None
            }
            SessionEvent::Estimate(estimate) => {
                self.estimate = Some(estimate.rate);
                self.wants_path();
                Some(LinkOutput::Estimate)
            }
            SessionEvent::PathLost if self.connected && self.mesh.is_some() => {
                Some(LinkOutput::PathLost(self.open.link.clone()))
            }
            SessionEvent::PathFound => {
                self.connect_by = None;
                None
            }
            SessionEvent::Data(channel, message) => {
                if let Some(mesh) = &self.mesh {
                    return mesh.data(&message, channel).map(LinkOutput::Event);
                }
                let (from, topic, bytes) = data::from_server(&message)?;
                Some(LinkOutput::Event(Event::Data { from: Some(from), channel, topic, bytes: bytes.to_vec() }))
            }
            SessionEvent::ChannelsOpen | SessionEvent::PathLost => None,
            SessionEvent::Ended(why) => Some(LinkOutput::Failed(why)),
        }
    }

    fn wants_path(&mut self) {
        if let Some(mesh) = &mut self.mesh {
            mesh.wants_path = true;
        }
    }

    fn packet(&mut self, now: Instant, packet: MediaPacket, config: &Config) -> Option<Event> {
        let receiving = self.receiving.iter_mut().find(|receiving| receiving.line == packet.line)?;
        let codec = *self.codecs.get(&packet.payload_type)?;
        if (codec == Codec::Opus) != (receiving.kind == TrackKind::Audio) {
            return None;
        }
        let begins = receiving.reception.is_none();
        let reception = receiving.reception.get_or_insert_with(|| Reception::new(codec, config.clock, now));
        if let Some(report) = packet.report {
            reception.report(report);
        }
        reception.push(Packet {
            sequence: packet.seq,
            timestamp: packet.timestamp,
            is_marked: packet.marker,
            payload: packet.payload,
            at: now,
        });
        begins.then(|| Event::TrackBegins(receiving.track.clone(), codec))
    }

    /// The next frame that came; those that nobody wants are counted and dropped.
    fn frame(&mut self, now: Instant, is_wanted: bool) -> Option<Event> {
        for receiving in &mut self.receiving {
            let Some(reception) = &mut receiving.reception else { continue };
            while let Some(frame) = reception.poll() {
                if is_wanted {
                    return Some(Event::Frame(receiving.track.clone(), reception.codec(), frame));
                }
            }
            if reception.wants_keyframe(now) {
                self.session.request_keyframe(receiving.line, LayerId(0));
            }
        }
        None
    }

    fn timeout(&self) -> Option<Instant> {
        let sources = self.sending.iter().filter(|_| self.connected).filter_map(Sending::timeout);
        let receptions =
            self.receiving.iter().filter_map(|receiving| receiving.reception.as_ref()).filter_map(Reception::timeout);
        sources.chain(receptions).chain(self.connect_by).chain([self.session_timeout]).min()
    }

    /// Holds what is sent to the server's wishes and to what bandwidth estimation allows.
    pub(super) fn limit(&mut self, limits: &super::limits::Limits, roster: &Roster, adapts: bool, now: Instant) {
        let available = self.estimate.filter(|_| adapts).map(|estimate| estimate.saturating_sub(SOUND));
        let whole = limits.of_link(&self.open.link);
        let pictures = self.sending.iter().filter(|sending| !sending.is_sound()).count().max(1) as u64;
        let share = [available, whole.map(|most| most.saturating_sub(SOUND))].into_iter().flatten().min();
        for sending in &mut self.sending {
            let is_muted = roster.track(&sending.track).is_some_and(|(_, track)| track.muted);
            let share = if sending.is_sound() { None } else { share.map(|share| share / pictures) };
            sending.limit(limits.of_track(&sending.track), share, is_muted, now);
        }
    }

    /// The track is not expected to come for a while.
    pub(super) fn pause(&mut self, track: &TrackId, now: Instant) {
        for receiving in self.receiving.iter_mut().filter(|receiving| receiving.track == *track) {
            if let Some(reception) = &mut receiving.reception {
                reception.pause(now);
            }
        }
    }

    pub(super) fn send_data(&mut self, channel: madang_media::session::DataChannel, message: &[u8]) -> bool {
        self.session.send_data(channel, message)
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connected
    }

    /// The figures of each track that came.
    pub(super) fn figures(&self, now: Instant) -> impl Iterator<Item = (TrackId, Codec, Figures)> {
        let present = self.receiving.iter().filter_map(move |receiving| {
            let reception = receiving.reception.as_ref()?;
            Some((receiving.track.clone(), reception.codec(), reception.figures(now)))
        });
        self.past.iter().cloned().chain(present)
    }

    /// What was measured since the last report.
    pub(super) fn stats(&mut self, now: Instant, path: Option<LinkPath>) -> LinkStats {
        let since = self.traffic.since.replace(now);
        let seconds = since.map_or(0.0, |since| now.saturating_duration_since(since).as_secs_f64());
        let rate = |bytes: u64| {
            madang_protocol::BitsPerSecond(if seconds > 0.0 { (bytes as f64 * 8.0 / seconds) as u64 } else { 0 })
        };
        let stats = LinkStats {
            link: self.open.link.clone(),
            path,
            rtt_ms: None,
            loss_down: None,
            loss_up: None,
            up_bps: rate(self.traffic.up),
            down_bps: rate(self.traffic.down),
            available_up_bps: self.estimate.map(madang_protocol::BitsPerSecond),
        };
        (self.traffic.up, self.traffic.down) = (0, 0);
        stats
    }

    /// Says goodbye; what comes out of it is drained with [`Self::poll_output`].
    pub(super) fn close(&mut self) {
        self.session.close();
    }
}
