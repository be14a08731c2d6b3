//! A room with model clients: each applies `welcome`, `resumed` and events as any client would,
//! and checks that nothing reaches it that should not.

// Each test binary uses its own part of this.
#![allow(dead_code, unreachable_pub)]
#![allow(clippy::panic, reason = "a test fails by it")]

pub mod media;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::*;
use madang_room::{ConnectionId, Grant, Input, OutFrame, Output, Room, Settings};
use media::Media;

/// Everything a client knows of the room.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    pub me: ParticipantId,
    pub room: RoomInfo,
    pub people: BTreeMap<ParticipantId, ParticipantInfo>,
    pub links: BTreeMap<LinkId, OpenLink>,
    pub topology: Topology,
    pub epoch: Epoch,
    /// What it gets in place of everybody's tracks.
    pub mix: Option<Mix>,
}

#[derive(Debug, Default)]
pub struct Client {
    pub connection: Option<ConnectionId>,
    /// Whether frames arrive; a dead connection that the server has not noticed is not heard.
    pub hears: bool,
    pub session: Option<SessionId>,
    pub secret: String,
    pub last_s: Seq,
    pub picture: Option<Picture>,
    /// What it watches and how, where it said so to the session that it has.
    pub watches: BTreeMap<TrackId, Subscribe>,
    /// It was told the whole room since it said how it watches the mix: it has to say so again.
    forgot_mix_watch: bool,
    /// Its newest hello brought no state.
    starts_over: bool,
    /// What its newest hello offered, and what the room knows of that.
    offered: Codecs,
    pub codecs: Codecs,
    /// Every frame heard and not yet looked at by the test.
    pub inbox: Vec<OutFrame>,
}

impl Client {
    fn hear(&mut self, frame: OutFrame) {
        if let Some(s) = frame.s {
            assert_eq!(s, Seq(self.last_s.0 + 1), "events have no gaps: {frame:?}");
            self.last_s = s;
        }
        match &*frame.message {
            ServerMessage::Welcome(welcome) => self.begin(welcome),
            ServerMessage::Resumed(resumed) => self.secret.clone_from(&resumed.secret),
            ServerMessage::MixState(state) => {
                let picture = self.picture.as_ref().expect("a welcome comes before that");
                assert!(picture.mix.is_some(), "about a mix that it gets");
                assert!(state.places.iter().all(|place| picture.people.contains_key(&place.participant)));
            }
            message if frame.s.is_some() => self.apply(message),
            _ => {}
        }
        self.inbox.push(frame);
    }

    fn begin(&mut self, welcome: &Welcome) {
        if self.session.replace(welcome.session.clone()).as_ref() != Some(&welcome.session) || self.starts_over {
            self.watches.clear();
            self.codecs.clone_from(&self.offered);
        }
        self.forgot_mix_watch = true;
        self.secret.clone_from(&welcome.secret);
        self.last_s = welcome.last_s;
        let people = welcome.participants.iter().chain([&welcome.me]);
        self.picture = Some(Picture {
            me: welcome.me.id.clone(),
            room: welcome.room.clone(),
            people: people.map(|info| (info.id.clone(), info.clone())).collect(),
            links: welcome.links.iter().map(|link| (link.link.clone(), link.clone())).collect(),
            topology: welcome.topology,
            epoch: welcome.epoch,
            mix: welcome.mix.clone(),
        });
    }

    fn apply(&mut self, message: &ServerMessage) {
        let picture = self.picture.as_mut().expect("a welcome comes before events");
        match message {
            ServerMessage::Participant(event) => picture.apply_participant(event),
            ServerMessage::Track(event) => picture.apply_track(event),
            ServerMessage::Link(LinkEvent::Open(link)) => {
                let former = picture.links.insert(link.link.clone(), link.clone());
                assert_eq!(former, None, "a link opens once");
                assert_eq!(link.epoch, picture.epoch, "in the epoch that there is");
            }
            ServerMessage::Link(LinkEvent::Close { link, .. }) => {
                assert!(picture.links.remove(link).is_some(), "a link that closes was open");
            }
            ServerMessage::Room(info) => picture.room = info.clone(),
            ServerMessage::Desc(desc) => picture.expect_from_peer(&desc.link, desc.from.as_ref()),
            ServerMessage::Ice(ice) => picture.expect_from_peer(&ice.link, ice.from.as_ref()),
            ServerMessage::Negotiate(negotiate) => {
                let link = picture.links.get(&negotiate.link).expect("a link of one's own");
                assert_eq!(link.offerer, Offerer::You, "only the offerer is told to offer");
            }
            ServerMessage::Topology(event) => {
                assert!(event.epoch > picture.epoch && event.kind != picture.topology, "it moves on");
                (picture.epoch, picture.topology) = (event.epoch, event.kind);
            }
            ServerMessage::Mix(event) => {
                assert_ne!(picture.mix, event.mix, "it changes");
                let former = std::mem::replace(&mut picture.mix, event.mix.clone());
                if let (Some(former), None) = (former, &event.mix) {
                    self.watches.remove(&former.video);
                }
            }
            ServerMessage::Chat(_) | ServerMessage::Data(_) => {}
            other => panic!("not an event: {other:?}"),
        }
    }

    /// Takes the messages heard since the last time.
    pub fn heard(&mut self) -> Vec<Arc<ServerMessage>> {
        self.inbox.drain(..).map(|frame| frame.message).collect()
    }

    pub fn id(&self) -> ParticipantId {
        self.picture().me.clone()
    }

    pub fn picture(&self) -> &Picture {
        self.picture.as_ref().expect("it has joined")
    }

    pub fn mix(&self) -> Option<&Mix> {
        self.picture.as_ref()?.mix.as_ref()
    }

    pub fn me(&self) -> &ParticipantInfo {
        &self.picture().people[&self.picture().me]
    }
}

impl Picture {
    fn apply_participant(&mut self, event: &ParticipantEvent) {
        let id = event.participant.id.clone();
        let former = match event.change {
            Change::Removed => self.people.remove(&id),
            Change::Added | Change::Changed => self.people.insert(id, event.participant.clone()),
        };
        assert_eq!(former.is_some(), event.change != Change::Added, "{event:?}");
        if let (Some(former), Change::Changed) = (former, event.change) {
            assert_eq!(former.tracks, event.participant.tracks, "tracks change by their own events");
        }
    }

    fn apply_track(&mut self, event: &TrackEvent) {
        let tracks = &mut self.people.get_mut(&event.participant).expect("its publisher is here").tracks;
        let place = tracks.iter().position(|track| track.id == event.track.id);
        match (event.change, place) {
            (Change::Added, None) => tracks.push(event.track.clone()),
            (Change::Changed, Some(place)) => tracks[place] = event.track.clone(),
            (Change::Removed, Some(place)) => drop(tracks.remove(place)),
            _ => panic!("{event:?} does not fit {tracks:?}"),
        }
    }

    fn expect_from_peer(&self, link: &LinkId, from: Option<&ParticipantId>) {
        let link = self.links.get(link).expect("a link of one's own");
        assert_eq!(link.peer.as_ref(), from, "from the link's other end");
    }

    pub fn others(&self) -> BTreeSet<&ParticipantId> {
        self.people.keys().filter(|id| **id != self.me).collect()
    }

    pub fn server_link(&self) -> &OpenLink {
        self.links.values().find(|link| link.peer.is_none()).expect("a link to the server")
    }

    pub fn link_to(&self, peer: &ParticipantId) -> &OpenLink {
        self.links.values().find(|link| link.peer.as_ref() == Some(peer)).expect("a link to them")
    }
}

pub struct Yard {
    pub room: Room,
    pub media: Media,
    pub now: Instant,
    pub clients: Vec<Client>,
    pub timeout: Option<Instant>,
    /// Different pictures of the mix at most.
    pictures: usize,
    /// Connections that the room may send to.
    open: BTreeSet<ConnectionId>,
    connections: u64,
}

impl Yard {
    /// A room that is a mesh for any number of people.
    pub fn new(clients: usize, settings: Settings) -> Self {
        Self::with_policy(clients, settings, TopologyPolicy::Mesh)
    }

    pub fn with_policy(clients: usize, settings: Settings, policy: TopologyPolicy) -> Self {
        Self {
            pictures: settings.mix.pictures as usize,
            room: Room::new(RoomName::from("yard"), Arc::new(settings), [7; 32], policy),
            media: Media::new(),
            now: Instant::now(),
            clients: (0..clients).map(|_| Client::default()).collect(),
            timeout: None,
            open: BTreeSet::new(),
            connections: 0,
        }
    }

    /// A room with this many inside, who have looked at everything so far.
    pub fn with_people(people: usize) -> Self {
        Self::with_settings(people, Settings::default())
    }

    pub fn with_settings(people: usize, settings: Settings) -> Self {
        Self::new(people, settings).filled(people)
    }

    /// The same of a room that the server forwards for.
    pub fn forwarded(people: usize) -> Self {
        Self::with_policy(people, Settings::default(), TopologyPolicy::Sfu).filled(people)
    }

    /// The same of a room that the server mixes for everyone.
    pub fn mixed(people: usize) -> Self {
        Self::with_policy(people, Settings::default(), TopologyPolicy::Mcu).filled(people)
    }

    pub fn filled(mut self, people: usize) -> Self {
        let yard = &mut self;
        for who in 0..people {
            yard.join(who, hello(&format!("client {who}")), Grant::default());
        }
        yard.clear();
        self
    }

    pub fn clear(&mut self) {
        self.media.commands();
        self.clients.iter_mut().for_each(|client| client.inbox.clear());
    }

    pub fn input(&mut self, input: Input) {
        self.room.handle_input(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.room.poll_output() {
                Output::Send { connection, frame } => {
                    assert!(self.open.contains(&connection), "sent outside the room: {frame:?}");
                    let text = serde_json::to_string(&frame.as_frame()).expect("it serialises");
                    let parsed: ServerFrame = serde_json::from_str(&text).expect("it parses");
                    assert_eq!((parsed.re, parsed.s, &parsed.message), (frame.re, frame.s, &*frame.message));
                    if let Some(client) = self.at(connection).filter(|client| client.hears) {
                        client.hear(frame);
                    }
                }
                Output::Close { connection } => {
                    assert!(self.open.remove(&connection), "closed twice");
                    if let Some(client) = self.at(connection) {
                        client.connection = None;
                    }
                }
                Output::Media(command) => self.media.apply(command),
                Output::Timeout(at) => {
                    self.timeout = at;
                    return;
                }
            }
        }
    }

    fn at(&mut self, connection: ConnectionId) -> Option<&mut Client> {
        self.clients.iter_mut().find(|client| client.connection == Some(connection))
    }

    pub fn join(&mut self, who: usize, hello: Hello, grant: Grant) {
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        self.open.insert(connection);
        let client = &mut self.clients[who];
        client.connection = Some(connection);
        client.hears = true;
        client.offered.clone_from(&hello.capabilities.codecs);
        client.starts_over = hello.resume.as_ref().is_none_or(|resume| resume.last_s.is_none());
        let ice_servers =
            vec![IceServer { urls: vec!["stun:198.51.100.1:3478".into()], username: None, credential: None }];
        let request = Some(RequestId(0));
        self.input(Input::Join { connection, request, hello: Box::new(hello), grant, ice_servers });
    }

    /// The `resume` of a hello, with or without the state that the client had.
    pub fn resume_hello(&self, who: usize, keep_state: bool) -> Hello {
        let client = &self.clients[who];
        let resume = client.session.clone().map(|session| Resume {
            session,
            secret: client.secret.clone(),
            last_s: keep_state.then_some(client.last_s),
        });
        Hello { resume, ..hello(&format!("client {who}")) }
    }

    pub fn resume(&mut self, who: usize, keep_state: bool) {
        let hello = self.resume_hello(who, keep_state);
        self.join(who, hello, Grant::default());
    }

    /// The client sends nothing and hears nothing any more; the server has not noticed.
    pub fn deafen(&mut self, who: usize) {
        self.clients[who].hears = false;
    }

    /// The connection is lost and the server notices.
    pub fn lose(&mut self, who: usize) {
        if let Some(connection) = self.clients[who].connection.take() {
            self.open.remove(&connection);
            self.input(Input::Disconnected { connection, page_closed: false });
        }
    }

    /// The page closes and says so.
    pub fn close_page(&mut self, who: usize) {
        if let Some(connection) = self.clients[who].connection.take() {
            self.open.remove(&connection);
            self.input(Input::Disconnected { connection, page_closed: true });
        }
    }

    /// The server notices every dead connection, those that clients forgot long ago too.
    pub fn notice_dead(&mut self) {
        let alive: BTreeSet<_> = self.listeners().filter_map(|client| client.connection).collect();
        for connection in self.open.difference(&alive).copied().collect::<Vec<_>>() {
            self.open.remove(&connection);
            self.input(Input::Disconnected { connection, page_closed: false });
        }
    }

    pub fn say(&mut self, who: usize, message: ClientMessage) {
        self.request(who, None, message);
    }

    fn request(&mut self, who: usize, id: Option<RequestId>, message: ClientMessage) {
        if let Some(connection) = self.clients[who].connection {
            let frame = ClientFrame { id, message };
            self.input(Input::Message { connection, frame, unix_ms: 1_750_000_000_000 });
        }
    }

    /// Sends a request and returns its reply.
    pub fn ask(&mut self, who: usize, message: ClientMessage) -> Result<Done, ErrorCode> {
        let id = RequestId(99);
        self.request(who, Some(id), message);
        let client = &mut self.clients[who];
        let place = client.inbox.iter().position(|frame| frame.re == Some(id)).expect("a reply");
        match &*client.inbox.remove(place).message {
            ServerMessage::Ok(done) => Ok(done.clone()),
            ServerMessage::Error(failure) => {
                assert!(!failure.fatal && !failure.message.is_empty());
                Err(failure.code)
            }
            other => panic!("not a reply: {other:?}"),
        }
    }

    pub fn media_says(&mut self, event: MediaEvent) {
        if let MediaEvent::MixFull { why } = &event {
            self.media.is_full = why.is_some();
        }
        self.input(Input::Media(event));
    }

    pub fn server_link(&self, who: usize) -> LinkId {
        self.clients[who].picture().server_link().link.clone()
    }

    /// The media server offers on a client's link.
    pub fn offer(&mut self, who: usize) {
        let offer = self.media.offer(&self.server_link(who));
        self.media_says(offer);
    }

    /// Watches a track, and remembers it where that is allowed.
    pub fn watch(&mut self, who: usize, wish: Subscribe) {
        if self.ask(who, ClientMessage::Subscribe(wish.clone())).is_ok() {
            let client = &mut self.clients[who];
            client.forgot_mix_watch &= client.mix().is_none_or(|mix| mix.video != wish.track);
            client.watches.insert(wish.track.clone(), wish);
        }
    }

    /// Lets time pass, with a time-out whenever the room asked for one.
    pub fn elapse(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.timeout.filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.input(Input::Timeout);
        }
        self.now = until;
    }

    /// Those who are connected and hear.
    pub fn listeners(&self) -> impl Iterator<Item = &Client> {
        self.clients.iter().filter(|client| client.hears && client.connection.is_some())
    }

    /// All who listen see the same room, and have the links that its topology wants: in a mesh
    /// exactly the pairs, one offerer each; else one to the server, which has the same links.
    pub fn check(&self) {
        let mut first: Option<&Picture> = None;
        for client in self.listeners() {
            let picture = client.picture();
            let same = first.get_or_insert(picture);
            assert_eq!((&same.room, &same.people), (&picture.room, &picture.people), "all see the same");
            assert_eq!((same.topology, same.epoch), (picture.topology, picture.epoch), "of one shape");
            assert!(picture.links.values().all(|link| link.kind == picture.topology && link.epoch == picture.epoch));
        }
        let census = self.room.census();
        if let Some(picture) = first {
            assert_eq!((census.participants, census.topology), (picture.people.len(), picture.topology));
        }
        match census.topology {
            Topology::Mesh => self.check_mesh(),
            _ => self.check_forwarded(first),
        }
        assert!(self.media.is_idle || !self.room.is_over(), "its media ends with the room");
    }

    fn check_forwarded(&self, picture: Option<&Picture>) {
        let census = self.room.census();
        assert_eq!((census.links, self.media.links.len()), (census.participants, census.participants));
        for client in self.listeners() {
            let picture = client.picture();
            assert_eq!(picture.links.len(), 1, "one link");
            let link = picture.server_link();
            assert_eq!(link.offerer, Offerer::Peer, "the server offers");
            assert_eq!(self.media.link_of(&picture.me), Some(&link.link), "both ends are told the same");
            self.check_wishes(client, &link.link);
            self.check_mix(client, &self.media.links[&link.link].open);
        }
        let Some(picture) = picture else { return };
        let published =
            picture.people.values().flat_map(|person| person.tracks.iter().map(|track| (&person.id, track)));
        let held = self.media.tracks.values().map(|(link, track)| (&self.media.links[link].open.participant, track));
        let sorted = |mut tracks: Vec<_>| {
            tracks.sort_by_key(|(_, track): &(&ParticipantId, &TrackInfo)| track.id.clone());
            tracks
        };
        assert_eq!(sorted(held.collect()), sorted(published.collect()), "the media server has everybody's tracks");
        for link in self.media.links.values() {
            let known = &picture.people[&link.open.participant];
            let person = Person { name: known.name.clone(), is_shown: known.role != Role::Viewer };
            assert_eq!(link.open.person, person, "the media server knows everybody");
        }
        let codec = picture.room.codecs.video.first();
        if census.topology == Topology::Sfu && codec.is_some() {
            assert!(self.media.links.values().all(|link| link.open.video_codec.as_ref() == codec), "one for all");
        }
        let pictures = self.media.pictures();
        assert!(pictures <= self.pictures, "{pictures} different pictures");
    }

    /// The media server gives a client what the client was told.
    fn check_mix(&self, client: &Client, link: &OpenMediaLink) {
        let topology = client.picture().topology;
        assert_eq!(client.mix(), link.mix.as_ref(), "both know the same mix");
        assert!(topology != Topology::Mcu || link.mix.is_some(), "a mixed room is so for everyone");
        let knows = |codec: &Option<String>| codec.as_ref().is_none_or(|codec| client.codecs.video.contains(codec));
        assert!(knows(&link.mix_codec), "it can see the mix");
        assert!(topology != Topology::Mcu || knows(&link.video_codec), "and be seen in it");
        let ids = client.mix().into_iter().flat_map(|mix| [&mix.audio, &mix.video]);
        assert!(ids.into_iter().all(|id| !self.media.tracks.contains_key(id)), "nobody publishes the mix");
    }

    /// The media server knows what a client watches, whatever became of links meanwhile.
    fn check_wishes(&self, client: &Client, link: &LinkId) {
        let mix = client.mix().filter(|_| !client.forgot_mix_watch).map(|mix| &mix.video);
        for track in self.media.tracks.keys().chain(mix) {
            let default =
                Subscribe { track: track.clone(), on: true, width: None, height: None, fps: None, priority: 0 };
            let said = client.watches.get(track).unwrap_or(&default);
            let said = if said.on { said.clone() } else { Subscribe { on: false, ..default.clone() } };
            let known = self.media.wishes.get(&(link.clone(), track.clone()));
            assert_eq!(*known.unwrap_or(&default), said, "the media server knows the wish");
        }
    }

    fn check_mesh(&self) {
        assert!(self.media.links.is_empty() && self.media.tracks.is_empty(), "the server carries nothing");
        let mut offerers: BTreeMap<&LinkId, BTreeSet<(&ParticipantId, bool)>> = BTreeMap::new();
        for client in self.listeners() {
            let picture = client.picture();
            let peers: Vec<_> = picture.links.values().filter_map(|link| link.peer.as_ref()).collect();
            assert_eq!(peers.len(), picture.links.len());
            assert_eq!(picture.mix, None, "nobody mixes");
            assert_eq!(peers.iter().copied().collect::<BTreeSet<_>>(), picture.others(), "links are the pairs");
            assert_eq!(peers.len(), picture.others().len(), "one link for each pair");
            for (id, link) in &picture.links {
                let offers = link.offerer == Offerer::You;
                let peer = link.peer.as_ref().expect("a mesh link");
                offerers.entry(id).or_default().extend([(&picture.me, offers), (peer, !offers)]);
                let order = |id| picture.people[id].order;
                assert_eq!(offers, order(&picture.me) < order(peer), "the one there longer offers");
            }
        }
        for (link, ends) in offerers {
            assert_eq!(ends.len(), 2, "both ends of {link} are told the same: {ends:?}");
        }
        let census = self.room.census();
        assert_eq!(census.links, census.participants * census.participants.saturating_sub(1) / 2);
    }
}

pub fn hello(name: &str) -> Hello {
    let codecs = Codecs { audio: vec!["OPUS".into()], video: vec!["VP8".into(), "H264".into()] };
    Hello {
        versions: vec![1],
        token: None,
        room: RoomName::from("yard"),
        name: name.to_owned(),
        capabilities: Capabilities { codecs, simulcast: false, topologies: vec![] },
        tracks: vec![],
        topology: None,
        resume: None,
    }
}

pub fn camera(cid: &str) -> PublishTrack {
    PublishTrack {
        cid: cid.to_owned(),
        kind: TrackKind::Video,
        source: TrackSource::Camera,
        muted: false,
        simulcast: false,
        codecs: vec![],
        width: Some(1280),
        height: Some(720),
    }
}

pub fn publish(cid: &str) -> ClientMessage {
    ClientMessage::Publish(Publish { track: camera(cid) })
}

pub fn desc(link: &LinkId, kind: SdpType, n: u32) -> Description {
    Description {
        link: link.clone(),
        epoch: Epoch(0),
        n: Negotiation(n),
        kind,
        sdp: format!("v=0\r\na=ice-ufrag:u{}\r\n", n / 3),
        tracks: BTreeMap::new(),
        from: Some(ParticipantId::from("p_forged")),
    }
}

pub fn ice(link: &LinkId, n: u32) -> Ice {
    let candidate = "candidate:1 1 udp 2130706431 198.51.100.7 50000 typ host".to_owned();
    let candidate =
        IceCandidate { candidate, sdp_mid: Some("0".into()), sdp_m_line_index: Some(0), username_fragment: None };
    Ice { link: link.clone(), epoch: Epoch(0), n: Negotiation(n), candidate: Some(candidate), from: None }
}

pub fn delivery(link: &LinkId, track: &TrackId, paused: bool) -> Delivery {
    Delivery {
        link: link.clone(),
        track: track.clone(),
        paused,
        layer: None,
        height: None,
        temporal: None,
        available_bps: None,
        reason: if paused { DeliveryReason::Bandwidth } else { DeliveryReason::Best },
    }
}
