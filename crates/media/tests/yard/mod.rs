//! A forwarder and participants around it, in virtual time, on a network without delay or loss.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod codecs;

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use madang_lab::{LinkConfig, Network};
use madang_media::{
    egress::Way,
    mcu::{Job, MixerConfig},
    session::{
        AudioLevel, Certificate, ClientLine, LayerId, LocalCandidate, OutgoingPacket, Role, SenderReport, Session,
        SessionConfig, SessionEvent, SessionOutput, Transmit, Transport, VideoCodec,
    },
    sfu::{Input, Output, RoomKey, Sfu, SfuConfig},
};
use madang_mixer::canvas::{FontSources, SharedFonts};
use madang_protocol::{
    Delivery, LinkId, MediaCommand, MediaEvent, Mix, OpenMediaLink, ParticipantId, Person, Rid, TrackId, TrackInfo,
    TrackKind, TrackSource,
};

pub(crate) const ROOM: RoomKey = RoomKey(1);
/// IPv4 and UDP headers.
const HEADERS: usize = 28;

/// A packet that a participant got.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) track: TrackId,
    pub(crate) at: Instant,
    pub(crate) seq: u64,
    pub(crate) timestamp: u32,
    /// The stream's newest sender report.
    pub(crate) report: Option<SenderReport>,
    pub(crate) payload: std::sync::Arc<[u8]>,
}

pub(crate) struct Participant {
    pub(crate) session: Session,
    pub(crate) address: SocketAddr,
    pub(crate) link: LinkId,
    pub(crate) lines: Vec<ClientLine>,
    /// Its last answer, as it left it.
    pub(crate) answer: Option<String>,
    pub(crate) got: Vec<Got>,
    pub(crate) keyframes_wanted: usize,
    /// The same with when and of which layer.
    pub(crate) keyframe_wishes: Vec<(Instant, Option<LayerId>)>,
    pub(crate) data: Vec<Vec<u8>>,
    pub(crate) connected: bool,
    seqs: HashMap<(u16, u8), u64>,
    /// When its session wants to be called.
    due: Instant,
}

pub(crate) struct Yard {
    pub(crate) now: Instant,
    pub(crate) sfu: Sfu,
    pub(crate) people: BTreeMap<String, Participant>,
    pub(crate) events: Vec<MediaEvent>,
    by_address: HashMap<SocketAddr, String>,
    /// What people sent to the forwarder since the tap was opened, and from where.
    pub(crate) tap: Option<Vec<(SocketAddr, Vec<u8>)>>,
    /// What people send is caught by the tap and goes no further, where this holds.
    pub(crate) withhold: fn(&[u8]) -> bool,
    /// What becomes of an answer on its way.
    pub(crate) tamper: fn(&str, String) -> String,
    /// What the forwarder sent to addresses where nobody is.
    pub(crate) astray: Vec<SocketAddr>,
    /// Real time that the forwarder has taken.
    pub(crate) spent: Duration,
    pub(crate) server: SocketAddr,
    /// How long answers take to come back.
    pub(crate) answers_take: Duration,
    answers: VecDeque<(Instant, MediaCommand)>,
    /// How long jobs of mixers take to come back.
    pub(crate) jobs_take: Box<dyn FnMut(&Job) -> Duration>,
    /// Jobs that panic before they have done anything.
    pub(crate) jobs_fail: Box<dyn FnMut(&Job) -> bool>,
    jobs: Vec<(Instant, Box<Job>)>,
    /// The paths that are not perfect.
    network: Network<SocketAddr, Vec<u8>>,
    /// When the forwarder wants to be called; `None` for at once.
    sfu_due: Option<Instant>,
    joined: u16,
    certificate: Option<Certificate>,
    /// Whose media is lost on the way up, all of it.
    silenced: HashSet<SocketAddr>,
}

impl Yard {
    pub(crate) fn new() -> Self {
        Self::gathering(Duration::ZERO)
    }

    /// Whose rooms can be mixed.
    pub(crate) fn mixing() -> Self {
        Self::mixing_with((1280, 720), codecs::Glass::default())
    }

    /// The same with a largest rendition of this size.
    pub(crate) fn mixing_at(size: (usize, usize)) -> Self {
        Self::mixing_with(size, codecs::Glass::default())
    }

    pub(crate) fn mixing_with(size: (usize, usize), codecs: codecs::Glass) -> Self {
        let mixer = MixerConfig {
            size,
            fonts: SharedFonts::new(FontSources { system: false, ..FontSources::default() }),
            ..MixerConfig::new(Arc::new(codecs))
        };
        Self::with(Duration::ZERO, Some(mixer))
    }

    pub(crate) fn gathering(gather: Duration) -> Self {
        Self::with(gather, None)
    }

    fn with(gather: Duration, mixer: Option<MixerConfig>) -> Self {
        let now = Instant::now();
        let server = "203.0.113.1:4000".parse().expect("an address");
        // One for all: making one takes longer than a second of a call.
        let certificate = Certificate::generate();
        let config = SfuConfig {
            candidates: vec![LocalCandidate { address: server, tcp: false }],
            certificate: certificate.clone(),
            last_n: 25,
            mixer,
            gather,
        };
        Self {
            now,
            sfu: Sfu::new(config, now),
            certificate,
            people: BTreeMap::new(),
            events: Vec::new(),
            by_address: HashMap::new(),
            tap: None,
            withhold: |_| false,
            tamper: |_, answer| answer,
            astray: Vec::new(),
            spent: Duration::ZERO,
            server,
            answers_take: Duration::ZERO,
            answers: VecDeque::new(),
            jobs_take: Box::new(|_| Duration::from_millis(4)),
            jobs_fail: Box::new(|_| false),
            jobs: Vec::new(),
            network: Network::new(1),
            sfu_due: None,
            joined: 0,
            silenced: HashSet::new(),
        }
    }

    pub(crate) fn join(&mut self, name: &str) {
        self.join_with(name, Newcomer::default());
    }

    /// Joins to get a mix.
    pub(crate) fn join_mixed(&mut self, name: &str, mix: Mix) {
        self.join_with(name, Newcomer { mix: Some(mix), ..Newcomer::default() });
    }

    /// Joins over a link of that name.
    pub(crate) fn join_with(&mut self, name: &str, newcomer: Newcomer) {
        self.joined += 1;
        let address = SocketAddr::from(([203, 0, 113, 100], 5000 + self.joined));
        let config = SessionConfig {
            role: Role::Client,
            video: VideoCodec::ALL.to_vec(),
            certificate: self.certificate.clone(),
            candidates: vec![LocalCandidate { address, tcp: false }],
        };
        let link = LinkId(format!("l_{name}"));
        let person = newcomer.person.unwrap_or(Person { name: name.to_owned(), is_shown: true });
        let open = OpenMediaLink {
            link: link.clone(),
            participant: ParticipantId(format!("p_{}", newcomer.participant.as_deref().unwrap_or(name))),
            person,
            mix_codec: newcomer.mix_codec.map(Into::into),
            mix: newcomer.mix,
            video_codec: Some(newcomer.codec.into()),
            simulcast: newcomer.simulcast,
        };
        let participant = Participant {
            session: Session::new(&config, self.now),
            address,
            link,
            lines: Vec::new(),
            answer: None,
            got: Vec::new(),
            keyframes_wanted: 0,
            keyframe_wishes: Vec::new(),
            data: Vec::new(),
            connected: false,
            seqs: HashMap::new(),
            due: self.now,
        };
        self.by_address.insert(address, name.into());
        self.people.insert(name.into(), participant);
        self.command(MediaCommand::OpenLink(open));
    }

    /// Chance on paths that are given from now on comes from this seed.
    pub(crate) fn reseed(&mut self, seed: u64) {
        self.network = Network::new(seed);
    }

    /// What somebody sends of media is lost from now on, or no longer. Their link stays.
    pub(crate) fn silence(&mut self, name: &str, silent: bool) {
        let address = self.people[name].address;
        if silent {
            self.silenced.insert(address);
        } else {
            self.silenced.remove(&address);
        }
    }

    /// Gives somebody a path like this, up and down.
    pub(crate) fn set_path(&mut self, name: &str, up: LinkConfig, down: LinkConfig) {
        self.network.join(self.people[name].address, self.server, up, down);
    }

    /// Somebody's link is closed, and nothing of them is left.
    pub(crate) fn part(&mut self, name: &str) {
        self.command(MediaCommand::CloseLink { link: LinkId(format!("l_{name}")) });
        if let Some(person) = self.people.remove(name) {
            self.by_address.remove(&person.address);
            self.network.cut(person.address);
        }
    }

    pub(crate) fn publish(&mut self, name: &str, kind: TrackKind) -> TrackId {
        let source = if kind == TrackKind::Audio { TrackSource::Microphone } else { TrackSource::Camera };
        self.publish_as(name, kind, source)
    }

    pub(crate) fn publish_as(&mut self, name: &str, kind: TrackKind, source: TrackSource) -> TrackId {
        let screen_sound = if (kind, source) == (TrackKind::Audio, TrackSource::Screen) { "_sound" } else { "" };
        let id = TrackId(format!("t_{name}_{source:?}{screen_sound}"));
        let track = TrackInfo {
            id: id.clone(),
            cid: "c".into(),
            kind,
            source,
            muted: false,
            simulcast: true,
            width: Some(1280),
            height: Some(720),
        };
        self.command(MediaCommand::AddTrack { link: LinkId(format!("l_{name}")), track });
        id
    }

    pub(crate) fn command(&mut self, command: MediaCommand) {
        self.sfu_due = None;
        self.sfu.handle_input(self.now, Input::Command { room: ROOM, command });
    }

    /// Sends one frame in one packet, in a layer of one's own track.
    pub(crate) fn send(&mut self, name: &str, track: &TrackId, layer: LayerId, frame: Frame) {
        let Frame { timestamp, payload } = frame;
        let sent = Sent { timestamp, payload, at: self.now, marker: true, codec: "VP8" };
        self.send_packet(name, track, layer, sent);
    }

    /// Sends a packet, in a layer of one's own track.
    pub(crate) fn send_packet(&mut self, name: &str, track: &TrackId, layer: LayerId, sent: Sent) {
        let person = self.people.get_mut(name).expect("somebody inside");
        let line = person.lines.iter().find(|line| line.sends && line.track.as_ref() == Some(track));
        let Some(line) = line else { return };
        let codec = if line.kind == TrackKind::Audio { "opus" } else { sent.codec };
        let payload_type = person.session.payload_type(codec).expect("offered");
        let seq = person.seqs.entry((line.line.0, layer.0)).or_insert(1000);
        *seq += 1;
        let packet = OutgoingPacket {
            payload_type,
            seq: *seq,
            timestamp: sent.timestamp,
            at: sent.at,
            marker: sent.marker,
            payload: sent.payload.into(),
            patch: Default::default(),
            audio_level: (line.kind == TrackKind::Audio).then_some(AudioLevel { below_full: 20, voice: true }),
            orientation: None,
            repeatable: line.kind == TrackKind::Video,
        };
        let line = line.line;
        person.session.write_in(line, layer, packet);
        person.due = self.now;
    }

    /// Lets time pass, a millisecond after the other.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += Duration::from_millis(1);
            self.step();
        }
    }

    fn step(&mut self) {
        let now = self.now;
        self.hand_in_answers();
        let mut incoming = Vec::new();
        while let Some(delivery) = self.network.poll(now) {
            if delivery.to == self.server {
                incoming.push((delivery.from, delivery.packet));
            } else {
                let server = self.server;
                self.arrive(Transmit {
                    transport: Transport::Udp,
                    from: server,
                    to: delivery.to,
                    data: delivery.packet,
                });
            }
        }
        for person in self.people.values_mut().filter(|person| person.due <= now) {
            person.session.handle_timeout(now);
            let (address, server) = (person.address, self.server);
            for data in person.drain(now) {
                match self.network.link(address, server) {
                    Some(_) => drop(self.network.send(now, address, server, data.len() + HEADERS, data)),
                    None => incoming.push((address, data)),
                }
            }
        }
        let is_quiet = incoming.is_empty() && self.jobs.iter().all(|(at, _)| *at > now);
        if is_quiet && self.sfu_due.is_some_and(|due| due > now) {
            return;
        }
        let begin = Instant::now();
        let mut done: Vec<_> = self.jobs.extract_if(.., |(at, _)| *at <= now).collect();
        done.sort_by_key(|(at, _)| *at);
        for (_, job) in done {
            self.sfu.handle_input(now, Input::Done(job));
        }
        for (from, data) in incoming {
            self.carry(from, data);
        }
        self.settle(begin);
    }

    /// Brings a packet to the forwarder, from wherever it claims to be, and lets it answer.
    pub(crate) fn inject(&mut self, from: SocketAddr, data: &[u8]) {
        let begin = Instant::now();
        let input = Input::Packet { transport: Transport::Udp, from, to: self.server, data };
        self.sfu.handle_input(self.now, input);
        self.settle(begin);
    }

    fn carry(&mut self, from: SocketAddr, data: Vec<u8>) {
        // RFC 7983 §7: RTP and RTCP.
        let is_media = data.first().is_some_and(|first| (128..192).contains(first));
        let withheld = (self.withhold)(&data) || is_media && self.silenced.contains(&from);
        if !withheld {
            let input = Input::Packet { transport: Transport::Udp, from, to: self.server, data: &data };
            self.sfu.handle_input(self.now, input);
        }
        if let Some(tap) = &mut self.tap {
            tap.push((from, data));
        }
    }

    fn settle(&mut self, begin: Instant) {
        let now = self.now;
        self.sfu.handle_input(now, Input::Timeout);
        let mut outputs = Vec::new();
        loop {
            match self.sfu.poll_output() {
                Output::Timeout(due) => {
                    self.sfu_due = Some(due.unwrap_or(now + Duration::from_secs(1)));
                    break;
                }
                output => outputs.push(output),
            }
        }
        self.sfu.drain_packets(|Way { transport, from, to }, data| {
            outputs.push(Output::Transmit(Transmit { transport, from, to, data: data.to_vec() }));
        });
        self.spent += begin.elapsed();
        for output in outputs {
            match output {
                Output::Transmit(packet) => match self.network.link(packet.from, packet.to) {
                    Some(_) => {
                        let bytes = packet.data.len() + HEADERS;
                        self.network.send(now, packet.from, packet.to, bytes, packet.data);
                    }
                    None => self.arrive(packet),
                },
                Output::Event { event, .. } => self.event(event),
                Output::Job(mut job) => {
                    if (self.jobs_fail)(&job) {
                        job.set_failed();
                    } else {
                        job.run();
                    }
                    job.set_took(Duration::from_millis(1));
                    self.jobs.push((now + (self.jobs_take)(&job), job));
                }
                Output::Timeout(_) => {}
            }
        }
    }

    /// A packet comes to whoever has that address.
    fn arrive(&mut self, packet: Transmit) {
        let now = self.now;
        let Some(person) = self.by_address.get(&packet.to).and_then(|name| self.people.get_mut(name)) else {
            self.astray.push(packet.to);
            return;
        };
        person.session.receive(now, packet.transport, packet.from, packet.to, &packet.data);
        let (from, server) = (person.address, self.server);
        for data in person.drain(now) {
            match self.network.link(from, server) {
                Some(_) => drop(self.network.send(now, from, server, data.len() + HEADERS, data)),
                None => self.carry(from, data),
            }
        }
    }

    fn hand_in_answers(&mut self) {
        while self.answers.front().is_some_and(|(at, _)| *at <= self.now) {
            let Some((_, command)) = self.answers.pop_front() else { return };
            self.command(command);
        }
    }

    fn event(&mut self, event: MediaEvent) {
        if let MediaEvent::Offer { link, n, sdp, tracks } = &event
            && let Some((name, person)) = self.people.iter_mut().find(|(_, person)| person.link == *link)
        {
            let (answer, lines) = person.session.accept(sdp, tracks).expect("an offer that fits");
            (person.lines, person.due) = (lines, self.now);
            person.answer = Some(answer.clone());
            let answer = (self.tamper)(name, answer);
            let answer = MediaCommand::Answer { link: link.clone(), n: *n, sdp: answer };
            self.answers.push_back((self.now + self.answers_take, answer));
            self.hand_in_answers();
        }
        self.events.push(event);
    }

    pub(crate) fn deliveries(&self, name: &str) -> Vec<&Delivery> {
        let link = LinkId(format!("l_{name}"));
        let deliveries = self.events.iter().filter_map(|event| match event {
            MediaEvent::Delivery(delivery) => Some(delivery),
            _ => None,
        });
        deliveries.filter(|delivery| delivery.link == link).collect()
    }

    pub(crate) fn layer(&self, name: &str, track: &TrackId) -> Option<Rid> {
        self.deliveries(name).into_iter().rev().find(|delivery| delivery.track == *track)?.layer.clone()
    }
}

impl Participant {
    fn drain(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let mut sent = Vec::new();
        for _ in 0..100 {
            match self.session.poll_output() {
                SessionOutput::Transmit(packet) => sent.push(packet.data),
                SessionOutput::Event(event) => self.event(now, event),
                SessionOutput::Timeout(at) if at > now => {
                    self.due = at;
                    return sent;
                }
                SessionOutput::Timeout(_) => self.session.handle_timeout(now),
            }
        }
        self.due = now + Duration::from_millis(1);
        sent
    }

    fn event(&mut self, now: Instant, event: SessionEvent) {
        match event {
            SessionEvent::Packet(packet) => {
                let line = self.lines.iter().find(|line| line.line == packet.line);
                if let Some(track) = line.and_then(|line| line.track.clone()) {
                    let (seq, timestamp, payload) = (packet.seq, packet.timestamp, packet.payload);
                    self.got.push(Got { track, at: now, seq, timestamp, report: packet.report, payload });
                }
            }
            SessionEvent::KeyframeWanted { layer, .. } => {
                self.keyframes_wanted += 1;
                self.keyframe_wishes.push((now, layer));
            }
            SessionEvent::Data(_, bytes) => self.data.push(bytes),
            SessionEvent::Connected => self.connected = true,
            _ => {}
        }
    }
}

/// Who joins, and how.
pub(crate) struct Newcomer {
    /// As in `p_<name>`; by default the link's name.
    pub(crate) participant: Option<String>,
    pub(crate) person: Option<Person>,
    pub(crate) mix: Option<Mix>,
    /// What it gets pictures of the mix in.
    pub(crate) mix_codec: Option<&'static str>,
    /// What it sends.
    pub(crate) codec: &'static str,
    pub(crate) simulcast: bool,
}

impl Default for Newcomer {
    fn default() -> Self {
        Self { participant: None, person: None, mix: None, mix_codec: Some("VP8"), codec: "VP8", simulcast: true }
    }
}

/// One packet.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) timestamp: u32,
    pub(crate) payload: Vec<u8>,
    /// When it was captured.
    pub(crate) at: Instant,
    pub(crate) marker: bool,
    pub(crate) codec: &'static str,
}

/// One frame.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) timestamp: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn sound(timestamp: u32) -> Self {
        Self { timestamp, payload: vec![0xfc; 80] }
    }

    /// VP8 with a 15-bit picture id and temporal layers (RFC 7741 §4.2), of `size` bytes.
    pub(crate) fn picture(timestamp: u32, number: u16, key: bool, temporal: u8, size: usize) -> Self {
        let [high, low] = (number & 0x7fff).to_be_bytes();
        let mut payload = vec![0x90, 0xe0, 0x80 | high, low, (number / 4) as u8, temporal << 6 | 0x20];
        if key {
            // RFC 6386 §9.1: the frame tag of a shown keyframe, the start code, 320 x 180.
            payload.extend([0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0x00]);
        } else {
            payload.extend([0x11, 0x02, 0x00]);
        }
        payload.resize(size.max(payload.len()), number as u8);
        Self { timestamp, payload }
    }
}
