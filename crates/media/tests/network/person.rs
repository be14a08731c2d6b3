//! A participant: what it publishes and what it gets, all in virtual time.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use madang_media::session::{
    AudioLevel, ClientLine, LayerId, LocalCandidate, OutgoingPacket, Role, Session, SessionConfig, SessionEvent,
    SessionOutput, Transmit, Transport, VideoCodec,
};
use madang_protocol::{LinkId, Mid, ParticipantId, Rid, TrackId, TrackKind};

use super::picture::{Decoder, Encoder, FRAME, TICKS};

const SOUND: Duration = Duration::from_millis(20);

/// What is heard of a microphone.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// When each packet came, by its outgoing sequence number.
    pub(crate) packets: BTreeMap<u64, Instant>,
    pub(crate) doubled: usize,
}

pub(crate) struct Person {
    pub(crate) session: Session,
    /// As it knows it itself.
    pub(crate) address: SocketAddr,
    /// As the server sees it: a NAT may change it.
    pub(crate) outside: SocketAddr,
    pub(crate) link: LinkId,
    pub(crate) participant: ParticipantId,
    pub(crate) connected: bool,
    pub(crate) lines: Vec<ClientLine>,
    pub(crate) pictures: BTreeMap<TrackId, Decoder>,
    pub(crate) sounds: BTreeMap<TrackId, Heard>,
    /// Keyframes that the server asked for, and when.
    pub(crate) keyframes_asked: Vec<Instant>,
    camera: Option<Camera>,
    microphone: Option<Microphone>,
    /// When its session wants to be called.
    due: Instant,
}

/// Three layers or one, unless the server says that some are not needed.
struct Camera {
    layers: Vec<Layer>,
    frame: u32,
    next: Instant,
    start: Instant,
}

struct Layer {
    encoder: Encoder,
    needed: bool,
    seq: u64,
}

struct Microphone {
    packet: u32,
    next: Instant,
}

impl Person {
    pub(crate) fn new(name: &str, number: u16, now: Instant) -> Self {
        let address = SocketAddr::from(([198, 51, 100, 10], 5000 + number));
        let config = SessionConfig {
            role: Role::Client,
            video: vec![VideoCodec::Vp8],
            certificate: None,
            candidates: vec![LocalCandidate { address, tcp: false }],
        };
        Self {
            session: Session::new(&config, now),
            address,
            outside: address,
            link: LinkId(format!("l_{name}")),
            participant: ParticipantId(format!("p_{name}")),
            connected: false,
            lines: Vec::new(),
            pictures: BTreeMap::new(),
            sounds: BTreeMap::new(),
            keyframes_asked: Vec::new(),
            camera: None,
            microphone: None,
            due: now,
        }
    }

    /// A camera in three layers, or in a single one of 2.5 Mbit/s.
    pub(crate) fn start_camera(&mut self, now: Instant, simulcast: bool) {
        let numbers = if simulcast { 0..3 } else { 3..4 };
        let layer = |number| Layer { encoder: Encoder::new(number), needed: true, seq: 1000 * u64::from(number) };
        self.camera = Some(Camera { layers: numbers.map(layer).collect(), frame: 0, next: now, start: now });
    }

    pub(crate) fn start_microphone(&mut self, now: Instant) {
        self.microphone = Some(Microphone { packet: 0, next: now });
    }

    /// The server says which layers somebody watches; `None` means all.
    pub(crate) fn demand(&mut self, layers: Option<&[Rid]>) {
        let Some(camera) = &mut self.camera else { return };
        let only = camera.layers.len() == 1;
        for (layer, rid) in camera.layers.iter_mut().zip(["l", "m", "h"]) {
            let needed = layers.is_none_or(|layers| layers.iter().any(|needed| !only && needed.as_str() == rid));
            if needed && !layer.needed {
                layer.encoder.want_keyframe();
            }
            layer.needed = needed;
        }
    }

    pub(crate) fn picture(&self) -> &Decoder {
        self.pictures.values().next().expect("somebody is seen")
    }

    /// Captures and sends what is due, and lets its session go on.
    pub(crate) fn pass(&mut self, now: Instant) {
        self.film(now);
        self.record(now);
        for (track, picture) in &mut self.pictures {
            if picture.wants_keyframe(now)
                && let Some(line) = self.lines.iter().find(|line| line.track.as_ref() == Some(track))
            {
                self.session.request_keyframe(line.line, LayerId(0));
                self.due = now;
            }
        }
        if self.due <= now {
            self.session.handle_timeout(now);
        }
    }

    fn line(&self, kind: TrackKind) -> Option<ClientLine> {
        self.lines.iter().find(|line| line.sends && line.kind == kind && line.track.is_some()).cloned()
    }

    fn film(&mut self, now: Instant) {
        let line = self.line(TrackKind::Video);
        let payload_type = self.session.payload_type("VP8");
        let Some(camera) = &mut self.camera else { return };
        if camera.next > now {
            return;
        }
        camera.next += FRAME;
        camera.frame += 1;
        let (Some(line), Some(payload_type), true) = (line, payload_type, self.connected) else { return };
        let captured = (now - camera.start).as_micros() as u64;
        for (number, layer) in (0..).map(LayerId).zip(&mut camera.layers).filter(|(_, layer)| layer.needed) {
            let (timestamp, packets) = layer.encoder.encode(camera.frame, captured);
            let count = packets.len();
            for (part, payload) in packets.into_iter().enumerate() {
                layer.seq += 1;
                let packet = OutgoingPacket {
                    payload_type,
                    seq: layer.seq,
                    timestamp,
                    at: now,
                    marker: part + 1 == count,
                    payload: payload.into(),
                    patch: Default::default(),
                    audio_level: None,
                    orientation: None,
                    repeatable: true,
                };
                self.session.write_in(line.line, number, packet);
            }
        }
        self.due = now;
    }

    fn record(&mut self, now: Instant) {
        let line = self.line(TrackKind::Audio);
        let payload_type = self.session.payload_type("opus");
        let Some(microphone) = &mut self.microphone else { return };
        if microphone.next > now {
            return;
        }
        microphone.next += SOUND;
        microphone.packet += 1;
        let (Some(line), Some(payload_type), true) = (line, payload_type, self.connected) else { return };
        let packet = OutgoingPacket {
            payload_type,
            seq: u64::from(microphone.packet),
            timestamp: microphone.packet * 960,
            at: now,
            marker: false,
            payload: vec![0xFC; 80].into(),
            patch: Default::default(),
            audio_level: Some(AudioLevel { below_full: 25, voice: true }),
            orientation: None,
            repeatable: false,
        };
        self.session.write_in(line.line, LayerId(0), packet);
        self.due = now;
    }

    /// Answers the server's offer.
    pub(crate) fn accept(&mut self, now: Instant, sdp: &str, tracks: &BTreeMap<Mid, TrackId>) -> String {
        let (answer, lines) = self.session.accept(sdp, tracks).expect("an offer that fits");
        self.lines = lines;
        self.due = now;
        answer
    }

    /// A packet came from the network.
    pub(crate) fn receive(&mut self, now: Instant, from: SocketAddr, data: &[u8]) {
        self.session.receive(now, Transport::Udp, from, self.address, data);
        self.due = now;
    }

    /// What its session has to send.
    pub(crate) fn drain(&mut self, now: Instant) -> Vec<Transmit> {
        let mut sent = Vec::new();
        for _ in 0..10_000 {
            match self.session.poll_output() {
                SessionOutput::Transmit(packet) => sent.push(packet),
                SessionOutput::Event(event) => self.event(now, event),
                SessionOutput::Timeout(at) if at > now => {
                    self.due = at;
                    return sent;
                }
                SessionOutput::Timeout(_) => self.session.handle_timeout(now),
            }
        }
        unreachable!("the session of {} has always something to say", self.participant);
    }

    fn event(&mut self, now: Instant, event: SessionEvent) {
        match event {
            SessionEvent::Connected => self.connected = true,
            SessionEvent::KeyframeWanted { layer, .. } => {
                self.keyframes_asked.push(now);
                let Some(camera) = &mut self.camera else { return };
                let named = |place: u8| layer.is_none_or(|layer| layer.0 == place);
                let layers = (0..).zip(&mut camera.layers).filter(|(place, _)| named(*place));
                layers.for_each(|(_, layer)| layer.encoder.want_keyframe());
            }
            SessionEvent::Packet(packet) => {
                let line = self.lines.iter().find(|line| line.line == packet.line);
                let Some((kind, track)) = line.and_then(|line| Some((line.kind, line.track.clone()?))) else { return };
                if kind == TrackKind::Video {
                    let picture = self.pictures.entry(track).or_default();
                    picture.packet(now, packet.timestamp, &packet.payload);
                    if packet.lost {
                        picture.lost();
                    }
                } else {
                    let heard = self.sounds.entry(track).or_default();
                    heard.doubled += usize::from(heard.packets.insert(packet.seq, now).is_some());
                }
            }
            _ => {}
        }
    }

    /// When it has something to do.
    pub(crate) fn timeout(&self) -> Instant {
        let camera = self.camera.as_ref().map(|camera| camera.next);
        let microphone = self.microphone.as_ref().map(|microphone| microphone.next);
        camera.into_iter().chain(microphone).chain([self.due]).min().unwrap_or(self.due)
    }
}

/// Ticks of the picture's clock for each frame; the encoders count in them.
const _: () = assert!(TICKS == 33 * 90);
