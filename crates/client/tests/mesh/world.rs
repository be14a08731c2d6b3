//! The room's server as far as two people need it, the STUN and TURN server, and the network.

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use madang_client::{
    clip::{Codec, Hertz, Layer, tone},
    participant::{
        Config, Content, Event, Ice, Input, Kinds, Output, Participant, Publication, StreamId, StreamInput,
        StreamOutput, Transport,
    },
    receive::Figures,
    relay::{Server as Named, Service, Transport as RelayTransport},
    signaling::{self, Settings},
    stamp::Clock,
};
use madang_lab::{LinkConfig, Network};
use madang_protocol::{
    Change, ClientFrame, ClientMessage, Limits, LinkEvent, Negotiate, Offerer, OpenLink, ParticipantEvent,
    ParticipantId, ParticipantInfo, Presence, Role, RoomInfo, Seq, ServerFrame, ServerMessage, Topology, TrackInfo,
    TrackSource, Welcome,
};
use madang_turn as turn;
use madang_wire::FiveTuple;

/// Public addresses, for a relay's policy lets nobody reach others.
pub(crate) const ANN: &str = "20.0.0.1";
pub(crate) const MOVED: &str = "20.0.0.7";
pub(crate) const BEN: &str = "20.0.0.2";
pub(crate) const SERVER: &str = "20.0.0.9";
const TURN: &str = "20.0.0.9:3478";
const MILLISECOND: Duration = Duration::from_millis(1);
/// One way.
const DELAY: Duration = Duration::from_millis(10);

type Datagram = (SocketAddr, SocketAddr, Vec<u8>);

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn host(text: &str) -> SocketAddr {
    SocketAddr::new(ip(text), 5000)
}

fn link() -> LinkConfig {
    LinkConfig { delay: DELAY, ..LinkConfig::default() }
}

fn publications() -> Vec<Publication> {
    let camera = Content::Pattern(vec![Layer::Middle]);
    let microphone = Content::Clip(Arc::new(tone(Hertz(440)).expect("a tone")));
    vec![
        Publication { cid: "camera".into(), source: TrackSource::Camera, content: camera },
        Publication { cid: "microphone".into(), source: TrackSource::Microphone, content: microphone },
    ]
}

struct Member {
    participant: Participant,
    timeout: Option<Instant>,
    events: Vec<Event>,
    s: u64,
    /// Streams that are open: the client's end.
    streams: HashMap<StreamId, SocketAddr>,
}

pub(crate) struct World {
    pub(crate) now: Instant,
    members: [Member; 2],
    network: Network<IpAddr, Datagram>,
    /// Frames in TCP streams, each on its way to member or server.
    frames: VecDeque<(Instant, FiveTuple, bool, Vec<u8>)>,
    turn: turn::Server,
    relays: HashMap<SocketAddr, turn::RelayId>,
    /// What was said and waits for the room.
    said: VecDeque<(usize, ClientMessage)>,
    links: u32,
    pub(crate) direct_packets: u64,
    pub(crate) relayed_packets: u64,
}

impl World {
    pub(crate) fn new(seed: u64, kinds: Kinds) -> Self {
        let now = Instant::now();
        let member = |who: usize| {
            let config = Config {
                signaling: Settings { room: Some("yard".into()), name: format!("{who}"), ..Settings::default() },
                publications: publications(),
                hosts: vec![host([ANN, BEN][who])],
                ice: Ice { kinds, relay: None, secret: [u8::try_from(who).expect("small") + 1; 32] },
                certificate: None,
                clock: Clock::new(now, Duration::from_secs(1000)),
                adapts: true,
                wants_frames: false,
                seed: seed + who as u64,
            };
            let participant = Participant::new(config, now);
            Member { participant, timeout: None, events: vec![], s: 0, streams: HashMap::new() }
        };
        let users = HashMap::from([("user".to_owned(), "secret".to_owned())]);
        let config = turn::Config {
            credentials: turn::Credentials { users, ..turn::Credentials::default() },
            policy: turn::PeerPolicy { own: vec![ip(SERVER)], ..turn::PeerPolicy::default() },
            ..turn::Config::new("madang", now)
        };
        Self {
            now,
            members: [member(0), member(1)],
            network: Network::new(seed),
            frames: VecDeque::new(),
            turn: turn::Server::new(config, [7; 32], now, 1_700_000_000),
            relays: HashMap::new(),
            said: VecDeque::new(),
            links: 0,
            direct_packets: 0,
            relayed_packets: 0,
        }
    }

    /// Which addresses reach each other; then both join.
    pub(crate) fn connect(&mut self, pairs: &[(&str, &str)]) {
        for (one, other) in pairs {
            self.network.join(ip(one), ip(other), link(), link());
        }
        for who in [0, 1] {
            self.input(who, Input::Timeout);
            self.input(who, Input::Signaling(signaling::Input::Connected));
        }
    }

    pub(crate) fn disconnect(&mut self, one: &str, other: &str) {
        let dead = LinkConfig { loss: madang_lab::Loss::Random(1.0), ..link() };
        self.network.join(ip(one), ip(other), dead, dead);
    }

    /// Ann's former address is gone, and she has another.
    pub(crate) fn move_ann(&mut self) {
        self.network.cut(ip(ANN));
        for other in [SERVER, BEN] {
            self.network.join(ip(MOVED), ip(other), link(), link());
        }
        self.members[0].participant.set_hosts(self.now, vec![host(MOVED)]);
        self.drain(0);
    }

    pub(crate) fn events(&self, who: usize) -> impl Iterator<Item = &Event> {
        self.members[who].events.iter()
    }

    /// How many links were opened.
    pub(crate) fn opened(&self, who: usize) -> usize {
        self.events(who).filter(|event| matches!(event, Event::Signaling(signaling::Event::LinkOpened(_)))).count()
    }

    pub(crate) fn path(&self, who: usize) -> &'static str {
        let paths = self.members[who].participant.paths();
        paths.first().and_then(|(.., path)| path.as_ref()).map_or("none", |path| path.name())
    }

    pub(crate) fn figures(&self, who: usize) -> Vec<(Codec, Figures)> {
        let figures = self.members[who].participant.figures(self.now);
        figures.into_iter().map(|(_, codec, figures)| (codec, figures)).collect()
    }

    /// Frames that a decoder could show.
    pub(crate) fn frames(&self, who: usize, codec: Codec) -> u64 {
        self.figures(who).iter().filter(|(of, _)| *of == codec).map(|(_, figures)| figures.shown).sum()
    }

    /// Lets time pass in steps of a millisecond.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += MILLISECOND;
            while let Some(delivery) = self.network.poll(self.now) {
                self.arrive(delivery.packet);
            }
            while self.frames.front().is_some_and(|(at, ..)| *at <= self.now) {
                let Some((_, tuple, to_server, frame)) = self.frames.pop_front() else { break };
                self.frame(tuple, to_server, &frame);
            }
            for who in [0, 1] {
                if self.members[who].timeout.is_some_and(|at| at <= self.now) {
                    self.input(who, Input::Timeout);
                }
            }
            self.turn_input(turn::Input::Timeout, &[]);
            self.room();
        }
    }

    fn send(&mut self, (from, to, data): Datagram) {
        let length = data.len() + 28;
        self.network.send(self.now, from.ip(), to.ip(), length, (from, to, data));
    }

    fn arrive(&mut self, (from, to, data): Datagram) {
        if to.ip() == ip(SERVER) {
            if to == TURN.parse().expect("an address") {
                let tuple = FiveTuple { client: from, server: to, transport: RelayTransport::Udp };
                self.turn_input(turn::Input::Client { from: tuple, data: &data }, &data);
            } else if let Some(relay) = self.relays.get(&to).copied() {
                self.turn_input(turn::Input::Peer { relay, from, data: &data }, &data);
            }
            return;
        }
        if from.ip() != ip(SERVER) {
            self.direct_packets += 1;
        }
        let who = usize::from(to.ip() == ip(BEN));
        self.input(who, Input::Receive { transport: Transport::Udp, from, to, data: &data });
    }

    fn frame(&mut self, tuple: FiveTuple, to_server: bool, frame: &[u8]) {
        if to_server {
            return self.turn_input(turn::Input::Client { from: tuple, data: frame }, frame);
        }
        let of = |member: &Member| member.streams.iter().find(|(_, end)| **end == tuple.client).map(|(id, _)| *id);
        let found = (0..2).find_map(|who| Some((who, of(&self.members[who])?)));
        if let Some((who, id)) = found {
            self.input(who, Input::Stream(id, StreamInput::Frame(frame)));
        }
    }

    fn turn_input(&mut self, input: turn::Input<'_>, data: &[u8]) {
        self.turn.handle_input(self.now, input);
        loop {
            match self.turn.poll_output() {
                turn::Output::Transmit(transmit) => {
                    let mut bytes = Vec::new();
                    transmit.write(data, &mut bytes);
                    self.relayed_packets += u64::from(transmit.is_data());
                    match transmit.route {
                        turn::Route::Client(to) if to.transport == RelayTransport::Udp => {
                            self.send((to.server, to.client, bytes));
                        }
                        turn::Route::Client(to) => self.frames.push_back((self.now + DELAY, to, false, bytes)),
                        turn::Route::Peer { relay, to } => {
                            let relayed = self.relays.iter().find(|(_, known)| **known == relay);
                            if let Some(from) = relayed.map(|(address, _)| *address) {
                                self.send((from, to, bytes));
                            }
                        }
                        turn::Route::Media { .. } | turn::Route::Sibling { .. } => {}
                    }
                }
                turn::Output::OpenRelay(wish) => {
                    let port = 50_000 + u16::try_from(self.relays.len()).expect("few");
                    let relayed = SocketAddr::new(ip(SERVER), port);
                    self.relays.insert(relayed, wish.relay);
                    let opened = turn::Input::RelayOpened { relay: wish.relay, relayed: Some(relayed) };
                    self.turn.handle_input(self.now, opened);
                }
                turn::Output::Timeout(_) => return,
                // No address is given twice here, and nothing else is switched on.
                _ => {}
            }
        }
    }

    fn input(&mut self, who: usize, input: Input<'_>) {
        self.members[who].participant.handle_input(self.now, input);
        self.drain(who);
    }

    fn drain(&mut self, who: usize) {
        loop {
            match self.members[who].participant.poll_output() {
                Output::Connect | Output::Disconnect => {}
                Output::Send(text) => {
                    let frame: ClientFrame = serde_json::from_str(&text).expect("a client's frame");
                    self.said.push_back((who, frame.message));
                }
                Output::Transmit(transmit) => self.send((transmit.from, transmit.to, transmit.data)),
                Output::Stream(id, what) => self.stream(who, id, what),
                Output::Event(event) => {
                    if let Event::Signaling(signaling::Event::Joined { .. }) = &event {
                        self.members[who].participant.set_servers(self.now, servers());
                    }
                    self.members[who].events.push(event);
                }
                Output::Timeout(at) => return self.members[who].timeout = at,
            }
        }
    }

    fn stream(&mut self, who: usize, id: StreamId, what: StreamOutput) {
        let port = 10_000 + u16::try_from(id.0).expect("few");
        let client = SocketAddr::new(ip([ANN, BEN][who]), port);
        let tuple = FiveTuple { client, server: TURN.parse().expect("an address"), transport: RelayTransport::Tcp };
        match what {
            StreamOutput::Open { .. } => drop(self.members[who].streams.insert(id, client)),
            StreamOutput::Send(bytes) => self.frames.push_back((self.now + DELAY, tuple, true, bytes)),
            StreamOutput::Close => drop(self.members[who].streams.remove(&id)),
        }
    }

    /// Does what a room's server does with what was said (docs/protocol.md, "Links").
    fn room(&mut self) {
        while let Some((who, message)) = self.said.pop_front() {
            let other = 1 - who;
            match message {
                ClientMessage::Hello(_) => self.hello(who),
                ClientMessage::Desc(mut description) => {
                    description.from = Some(id(who));
                    self.says(other, ServerMessage::Desc(description));
                }
                ClientMessage::Ice(mut ice) => {
                    ice.from = Some(id(who));
                    self.says(other, ServerMessage::Ice(ice));
                }
                ClientMessage::Restart(restart) if restart.link.as_str() != self.link_name() => {}
                ClientMessage::Restart(restart) if restart.replace => {
                    for end in [0, 1] {
                        let (link, epoch) = (restart.link.clone(), restart.epoch);
                        self.says(end, ServerMessage::Link(LinkEvent::Close { link, epoch }));
                    }
                    self.links += 1;
                    for end in [0, 1] {
                        self.says(end, ServerMessage::Link(LinkEvent::Open(self.open(end))));
                    }
                }
                ClientMessage::Restart(restart) => {
                    let (link, epoch) = (restart.link, restart.epoch);
                    self.says(0, ServerMessage::Negotiate(Negotiate { link, epoch, restart: true }));
                }
                _ => {}
            }
        }
    }

    fn hello(&mut self, who: usize) {
        let is_second = who == 1;
        let welcome = Welcome {
            version: 1,
            session: format!("s_{who}").as_str().into(),
            secret: "secret".into(),
            last_s: Seq(0),
            me: person(who),
            room: RoomInfo { name: "yard".into(), locked: false, codecs: Default::default(), max_send_bps: None },
            participants: if is_second { vec![person(0)] } else { vec![] },
            topology: Topology::Mesh,
            epoch: Default::default(),
            links: if is_second { vec![self.open(1)] } else { vec![] },
            mix: None,
            ice_servers: vec![],
            limits: Limits::default(),
            ping_interval_ms: 600_000,
            resume_grace_ms: 60_000,
        };
        self.frame_to(who, None, ServerMessage::Welcome(Box::new(welcome)));
        if is_second {
            let added = ParticipantEvent { change: Change::Added, participant: person(1), reason: None };
            self.says(0, ServerMessage::Participant(added));
            self.says(0, ServerMessage::Link(LinkEvent::Open(self.open(0))));
        }
    }

    fn link_name(&self) -> String {
        format!("l_{}", self.links)
    }

    fn open(&self, end: usize) -> OpenLink {
        let offerer = if end == 0 { Offerer::You } else { Offerer::Peer };
        let link = self.link_name().as_str().into();
        OpenLink { link, epoch: Default::default(), kind: Topology::Mesh, peer: Some(id(1 - end)), offerer }
    }

    fn says(&mut self, who: usize, message: ServerMessage) {
        self.members[who].s += 1;
        let s = Some(Seq(self.members[who].s));
        self.frame_to(who, s, message);
    }

    fn frame_to(&mut self, who: usize, s: Option<Seq>, message: ServerMessage) {
        let text = serde_json::to_string(&ServerFrame { re: None, s, message }).expect("JSON");
        self.input(who, Input::Signaling(signaling::Input::Message(&text)));
    }
}

fn servers() -> Vec<Named> {
    let at = TURN.parse().expect("an address");
    let relay = |transport| Service::Turn { transport, username: "user".into(), password: "secret".into() };
    let services = [Service::Stun, relay(RelayTransport::Udp), relay(RelayTransport::Tcp)];
    services.into_iter().map(|service| Named { at, host: SERVER.into(), service }).collect()
}

fn id(who: usize) -> ParticipantId {
    ["p_ann", "p_ben"][who].into()
}

fn person(who: usize) -> ParticipantInfo {
    let track = |publication: &Publication| {
        let announced = publication.announcement();
        TrackInfo {
            id: format!("t_{who}_{}", announced.cid).as_str().into(),
            cid: announced.cid,
            kind: announced.kind,
            source: announced.source,
            muted: false,
            simulcast: announced.simulcast,
            width: announced.width,
            height: announced.height,
        }
    };
    ParticipantInfo {
        id: id(who),
        identity: id(who).as_str().into(),
        name: id(who).to_string(),
        role: Role::Participant,
        presence: Presence::Present,
        hand: false,
        order: who as u32 + 1,
        tracks: publications().iter().map(track).collect(),
    }
}
