//! A participant in virtual time, against a server that is one media session and the words in
//! this file.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use madang_client::{
    clip::{Codec, Hertz, Layer, Size, tone},
    participant::{Config, Content, DataChannel, Event, Ice, Input, Output, Participant, Publication},
    receive::{Figures, Packet, Reception},
    signaling::{self, Settings},
    source::{Marks, Outgoing, Source},
    stamp::Clock,
};
use madang_media::frames::vp8;
use madang_media::session::{
    LayerId, Line, LocalCandidate, MediaPacket, OutgoingPacket, Role as End, Session, SessionConfig, SessionEvent,
    SessionOutput, Transmit, VideoCodec,
};
use madang_protocol::{
    Bitrate, BitrateReason, ClientFrame, ClientMessage, Description, Limits, LinkEvent, Offerer, OpenLink,
    ParticipantInfo, Presence, Rid, Role, RoomInfo, SdpType, Seq, ServerFrame, ServerMessage, Topology, TrackId,
    TrackInfo, TrackKind, TrackSource, Welcome,
};

const MILLISECOND: Duration = Duration::from_millis(1);
const SERVER: &str = "203.0.113.1:4000";
const CLIENT: &str = "203.0.113.2:5000";
/// One way.
const DELAY: Duration = Duration::from_millis(10);

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn candidate(text: &str) -> Vec<LocalCandidate> {
    vec![LocalCandidate { address: address(text), tcp: false }]
}

fn track(id: &str, publication: &Publication) -> TrackInfo {
    let announced = publication.announcement();
    TrackInfo {
        id: id.into(),
        cid: announced.cid,
        kind: announced.kind,
        source: announced.source,
        muted: false,
        simulcast: announced.simulcast,
        width: announced.width,
        height: announced.height,
    }
}

fn person(id: &str, tracks: Vec<TrackInfo>) -> ParticipantInfo {
    ParticipantInfo {
        id: id.into(),
        identity: id.into(),
        name: id.into(),
        role: Role::Participant,
        presence: Presence::Present,
        hand: false,
        order: 1,
        tracks,
    }
}

fn camera() -> Publication {
    let content = Content::Pattern(Layer::ALL.to_vec());
    Publication { cid: "camera".into(), source: TrackSource::Camera, content }
}

fn microphone() -> Publication {
    let content = Content::Clip(Arc::new(tone(Hertz(440)).expect("a tone")));
    Publication { cid: "microphone".into(), source: TrackSource::Microphone, content }
}

/// The participant, the server's session, and a wire between them.
struct Yard {
    now: Instant,
    start: Instant,
    clock: Clock,
    mina: Participant,
    timeout: Option<Instant>,
    events: Vec<Event>,
    server: Session,
    link: u32,
    said: Vec<ClientMessage>,
    arrived: Vec<MediaPacket>,
    server_events: Vec<SessionEvent>,
    on_the_wire: Vec<(Instant, bool, Transmit)>,
    /// What the server sends on `t_far`.
    far: Option<(Line, Source)>,
    is_cut: bool,
}

impl Yard {
    fn new(adapts: bool) -> Self {
        let now = Instant::now();
        let clock = Clock::new(now, Duration::from_secs(1000));
        let config = Config {
            signaling: Settings { room: Some("yard".into()), name: "Mina".into(), ..Settings::default() },
            publications: vec![camera(), microphone()],
            hosts: vec![address(CLIENT)],
            ice: Ice::default(),
            certificate: None,
            clock,
            adapts,
            wants_frames: true,
            seed: 7,
        };
        let mut yard = Self {
            now,
            start: now,
            clock,
            mina: Participant::new(config, now),
            timeout: None,
            events: vec![],
            server: Self::session(now),
            link: 1,
            said: vec![],
            arrived: vec![],
            server_events: vec![],
            on_the_wire: vec![],
            far: None,
            is_cut: false,
        };
        yard.input(Input::Timeout);
        yard.input(Input::Signaling(signaling::Input::Connected));
        let me = person("p_me", vec![track("t_cam", &camera()), track("t_mic", &microphone())]);
        let far = person("p_far", vec![track("t_far", &camera())]);
        yard.says(None, yard.welcome(me, far));
        yard.offer();
        yard
    }

    fn session(now: Instant) -> Session {
        let video = vec![VideoCodec::Vp8];
        let candidates = candidate(SERVER);
        Session::new(&SessionConfig { role: End::Server, video, certificate: None, candidates }, now)
    }

    fn open(&self) -> OpenLink {
        let link = format!("l_{}", self.link).as_str().into();
        OpenLink { link, epoch: Default::default(), kind: Topology::Sfu, peer: None, offerer: Offerer::Peer }
    }

    fn welcome(&self, me: ParticipantInfo, far: ParticipantInfo) -> ServerMessage {
        ServerMessage::Welcome(Box::new(Welcome {
            version: 1,
            session: "s_1".into(),
            secret: "secret".into(),
            last_s: Seq(0),
            me,
            room: RoomInfo { name: "yard".into(), locked: false, codecs: Default::default(), max_send_bps: None },
            participants: vec![far],
            topology: Topology::Sfu,
            epoch: Default::default(),
            links: vec![self.open()],
            mix: None,
            ice_servers: vec![],
            limits: Limits::default(),
            ping_interval_ms: 600_000,
            resume_grace_ms: 60_000,
        }))
    }

    /// The server's offer: to receive the client's tracks, and to send it `t_far`.
    fn offer(&mut self) {
        self.server.receive_track("t_mic".into(), TrackKind::Audio, &[]).expect("a line");
        self.server.receive_track("t_cam".into(), TrackKind::Video, &["l", "m", "h"]).expect("a line");
        let line = self.server.send_track("t_far".into(), TrackKind::Video).expect("a line");
        self.far = Some((line, Source::pattern(&[Layer::Middle], Marks::Stamps(self.clock), self.now, 99)));
        self.offer_again(self.next_s());
    }

    fn offer_again(&mut self, s: u64) {
        let offer = self.server.offer().expect("something to offer");
        let OpenLink { link, epoch, .. } = self.open();
        let (kind, tracks) = (SdpType::Offer, offer.tracks);
        let description = Description { link, epoch, n: offer.n, kind, sdp: offer.sdp, tracks, from: None };
        self.says(Some(s), ServerMessage::Desc(description));
    }

    fn next_s(&self) -> u64 {
        // Offers and links are the only events that this server has; each link has one offer.
        u64::from(self.link) * 3 - 2
    }

    fn says(&mut self, s: Option<u64>, message: ServerMessage) {
        let frame = ServerFrame { re: None, s: s.map(Seq), message };
        let text = serde_json::to_string(&frame).expect("JSON");
        self.input(Input::Signaling(signaling::Input::Message(&text)));
    }

    fn input(&mut self, input: Input<'_>) {
        self.mina.handle_input(self.now, input);
        loop {
            match self.mina.poll_output() {
                Output::Connect | Output::Disconnect | Output::Stream(..) => {}
                Output::Send(text) => self.hear(&text),
                Output::Transmit(transmit) => self.on_the_wire.push((self.now + DELAY, true, transmit)),
                Output::Event(event) => self.events.push(event),
                Output::Timeout(at) => return self.timeout = at,
            }
        }
    }

    fn hear(&mut self, text: &str) {
        let frame: ClientFrame = serde_json::from_str(text).expect("a client's frame");
        if let ClientMessage::Desc(answer) = &frame.message {
            assert_eq!(answer.kind, SdpType::Answer);
            self.server.answer(answer.n, &answer.sdp).expect("an answer that fits");
        }
        self.said.push(frame.message);
    }

    /// Lets time pass in steps of a millisecond.
    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += MILLISECOND;
            let due = std::mem::take(&mut self.on_the_wire);
            let (now, later): (Vec<_>, Vec<_>) = due.into_iter().partition(|(at, ..)| *at <= self.now);
            self.on_the_wire = later;
            let is_cut = self.is_cut;
            for (_, to_server, packet) in now.into_iter().filter(|_| !is_cut) {
                let Transmit { transport, from, to, data } = packet;
                if to_server {
                    self.server.receive(self.now, transport, from, to, &data);
                    self.drain_server();
                } else {
                    self.input(Input::Receive { transport, from, to, data: &data });
                }
            }
            if self.timeout.is_some_and(|at| at <= self.now) {
                self.input(Input::Timeout);
            }
            self.run_server();
        }
    }

    fn run_server(&mut self) {
        if let Some((line, source)) = &mut self.far
            && self.server.can_send(*line)
        {
            let mut packets = Vec::new();
            source.poll(self.now, &mut packets);
            for packet in packets {
                self.server.write_in(*line, LayerId(0), outgoing(packet, self.now));
            }
        }
        self.server.handle_timeout(self.now);
        self.drain_server();
    }

    fn drain_server(&mut self) {
        for _ in 0..500 {
            match self.server.poll_output() {
                SessionOutput::Transmit(packet) => self.on_the_wire.push((self.now + DELAY, false, packet)),
                SessionOutput::Event(SessionEvent::Packet(packet)) => self.arrived.push(packet),
                SessionOutput::Event(SessionEvent::KeyframeWanted { .. }) => {
                    if let Some((_, source)) = &mut self.far {
                        source.request_keyframe(None);
                    }
                }
                SessionOutput::Event(event) => self.server_events.push(event),
                SessionOutput::Timeout(at) if at > self.now => break,
                SessionOutput::Timeout(_) => self.server.handle_timeout(self.now),
            }
        }
    }

    /// The frames of the camera's layers that arrived at the server, from the smallest.
    fn layers(&mut self) -> [Figures; 3] {
        let arrived = std::mem::take(&mut self.arrived);
        [0, 1, 2].map(|layer| {
            let mut reception = Reception::new(Codec::Vp8, self.clock, self.start);
            for packet in arrived.iter().filter(|packet| packet.layer == LayerId(layer) && packet.payload.len() > 1) {
                if packet.audio_level.is_some() {
                    continue;
                }
                reception.push(Packet {
                    sequence: packet.seq,
                    timestamp: packet.timestamp,
                    is_marked: packet.marker,
                    payload: packet.payload.clone(),
                    at: self.now,
                });
            }
            while reception.poll().is_some() {}
            reception.figures(self.now)
        })
    }

    fn figures(&self, of: &str) -> Figures {
        let figures = self.mina.figures(self.now);
        figures.into_iter().find(|(track, ..)| track.as_str() == of).expect("it came").2
    }
}

fn outgoing(packet: Outgoing, at: Instant) -> OutgoingPacket {
    OutgoingPacket {
        // What str0m gives VP8, as Chromium does.
        payload_type: 96,
        seq: packet.sequence,
        timestamp: packet.timestamp,
        at,
        marker: packet.is_marked,
        payload: packet.payload.into(),
        patch: Default::default(),
        audio_level: None,
        orientation: None,
        repeatable: true,
    }
}

#[test]
fn a_camera_goes_out_in_three_layers_and_the_microphone_with_its_level() {
    let mut yard = Yard::new(false);
    yard.run(Duration::from_secs(5));
    assert!(yard.events.iter().any(|event| matches!(event, Event::Connected(_))));
    let sound: Vec<_> = yard.arrived.iter().filter_map(|packet| packet.audio_level).collect();
    assert!(sound.len() > 200 && sound.iter().all(|level| level.below_full == 15 && level.voice), "{}", sound.len());
    let heights = [180, 360, 720];
    for (figures, height) in yard.layers().into_iter().zip(heights) {
        assert!(figures.shown > 120 && figures.lost == 0, "{height}: {figures:?}");
        assert_eq!(figures.size.map(|size| size.height), Some(height));
    }
}

#[test]
fn the_answer_names_the_clients_own_tracks_alone() {
    let yard = Yard::new(false);
    let answer = yard.said.iter().find_map(|message| match message {
        ClientMessage::Desc(answer) => Some(answer),
        _ => None,
    });
    let mut tracks: Vec<_> = answer.expect("an answer").tracks.values().map(TrackId::as_str).collect();
    tracks.sort_unstable();
    assert_eq!(tracks, ["t_cam", "t_mic"]);
}

#[test]
fn what_comes_is_told_frame_by_frame_and_measured() {
    let mut yard = Yard::new(false);
    yard.run(Duration::from_secs(5));
    let begins = |event: &&Event| matches!(event, Event::TrackBegins(track, Codec::Vp8) if track.as_str() == "t_far");
    assert_eq!(yard.events.iter().filter(begins).count(), 1);
    let figures = yard.figures("t_far");
    assert!(figures.shown > 120, "{figures:?}");
    assert_eq!((figures.lost, figures.freezes), (0, 0));
    assert_eq!(figures.size, Some(Size { width: 640, height: 360 }));
    let delay = figures.delays.percentile(0.5);
    assert!(delay >= DELAY && delay < DELAY + 3 * MILLISECOND, "{delay:?}");
    let frames = yard.events.iter().filter(|event| matches!(event, Event::Frame(..))).count() as u64;
    assert_eq!(frames, figures.frames);
}

#[test]
fn a_keyframe_that_the_server_asks_for_comes_in_that_layer() {
    let mut yard = Yard::new(false);
    yard.run(Duration::from_secs(2));
    yard.arrived.clear();
    let line = Line(1);
    yard.server.request_keyframe(line, LayerId(2));
    // A clip of the pattern has a keyframe every 1.07 s; asked for, one comes within 100 ms.
    yard.run(Duration::from_millis(100));
    let first = |layer| {
        let of_layer = |packet: &&MediaPacket| packet.layer == LayerId(layer) && packet.audio_level.is_none();
        let keyframes = yard.arrived.iter().filter(of_layer).filter(|packet| {
            vp8::Descriptor::parse(&packet.payload)
                .is_some_and(|(descriptor, data)| descriptor.starts_frame() && vp8::is_keyframe(data))
        });
        keyframes.count()
    };
    assert_eq!(first(2), 1);
}

#[test]
fn layers_that_nobody_watches_rest_and_come_back_with_a_keyframe() {
    let mut yard = Yard::new(false);
    yard.run(Duration::from_secs(3));
    yard.layers();
    let bitrate = |layers: &[&str]| {
        ServerMessage::Bitrate(Bitrate {
            link: Some("l_1".into()),
            track: Some("t_cam".into()),
            max_send_bps: None,
            max_height: None,
            layers: Some(layers.iter().map(|rid| Rid::from(*rid)).collect()),
            reason: BitrateReason::Unlimited,
        })
    };
    yard.says(None, bitrate(&["m"]));
    yard.run(DELAY * 5);
    yard.layers();
    yard.run(Duration::from_secs(1));
    let [low, middle, high] = yard.layers();
    assert!(low.packets == 0 && high.packets == 0 && middle.frames > 25, "{low:?} {middle:?} {high:?}");
    yard.says(None, bitrate(&["m", "h"]));
    yard.run(Duration::from_secs(1));
    let [low, _, high] = yard.layers();
    assert!(low.packets == 0 && high.shown > 20 && high.shown == high.frames, "{low:?} {high:?}");
}

#[test]
fn a_participant_that_adapts_sends_no_more_than_a_limit_lets_it() {
    let mut yard = Yard::new(true);
    yard.says(
        None,
        ServerMessage::Bitrate(Bitrate {
            link: None,
            track: None,
            max_send_bps: Some(madang_protocol::BitsPerSecond(800_000)),
            max_height: None,
            layers: None,
            reason: BitrateReason::RoomLimit,
        }),
    );
    yard.run(Duration::from_secs(4));
    let [low, middle, high] = yard.layers();
    assert!(low.frames > 60 && middle.frames > 60 && high.packets == 0, "{low:?} {middle:?} {high:?}");
}

#[test]
fn data_goes_out_to_everyone_and_comes_in_with_its_sender() {
    let mut yard = Yard::new(false);
    yard.run(Duration::from_secs(2));
    assert!(yard.mina.send_data(DataChannel::Reliable, &[], "cursor", b"hello"));
    yard.input(Input::Timeout);
    yard.server.send_data(DataChannel::Lossy, b"\x05p_far\x06cursorthere");
    yard.run(Duration::from_secs(1));
    let sent = |event: &SessionEvent| matches!(event, SessionEvent::Data(DataChannel::Reliable, bytes) if bytes == b"\x00\x06cursorhello");
    assert!(yard.server_events.iter().any(sent));
    let came = yard.events.iter().any(|event| {
        matches!(event, Event::Data { from: Some(from), channel: DataChannel::Lossy, topic, bytes }
            if from.as_str() == "p_far" && topic == "cursor" && bytes == b"there")
    });
    assert!(came);
}

#[test]
fn a_link_that_does_not_connect_is_replaced_and_the_new_one_carries_on() {
    let mut yard = Yard::new(false);
    yard.is_cut = true;
    yard.run(Duration::from_secs(6));
    let wish = |message: &ClientMessage| matches!(message, ClientMessage::Restart(restart) if restart.replace);
    assert_eq!(yard.said.iter().filter(|message| wish(message)).count(), 1);

    yard.is_cut = false;
    yard.server = Yard::session(yard.now);
    let epoch = Default::default();
    yard.says(Some(2), ServerMessage::Link(LinkEvent::Close { link: "l_1".into(), epoch }));
    yard.link = 2;
    yard.says(Some(3), ServerMessage::Link(LinkEvent::Open(yard.open())));
    yard.offer();
    yard.run(Duration::from_secs(4));
    assert!(yard.figures("t_far").shown > 60);
    assert!(yard.layers()[2].shown > 60);
}

#[test]
fn the_figures_of_a_track_outlive_it() {
    let mut yard = Yard::new(false);
    yard.run(Duration::from_secs(3));
    let shown = yard.figures("t_far").shown;
    let (line, _) = yard.far.take().expect("it was sent");
    yard.server.release(line);
    yard.offer_again(2);
    yard.run(Duration::from_secs(1));
    let figures = yard.figures("t_far");
    assert!(shown > 30 && figures.shown >= shown, "{figures:?}");
    assert_eq!(figures.freezes, 0);
}

#[test]
fn an_offer_that_cannot_be_read_has_the_link_replaced() {
    let mut yard = Yard::new(false);
    let OpenLink { link, epoch, .. } = yard.open();
    let (kind, sdp) = (SdpType::Offer, "v=0\r\nnonsense".to_owned());
    let n = madang_protocol::Negotiation(2);
    let offer = Description { link, epoch, n, kind, sdp, tracks: Default::default(), from: None };
    yard.says(Some(2), ServerMessage::Desc(offer));
    assert!(yard.events.iter().any(|event| matches!(event, Event::LinkFailed(..))));
    assert!(yard.said.iter().any(|message| matches!(message, ClientMessage::Restart(restart) if restart.replace)));
}
