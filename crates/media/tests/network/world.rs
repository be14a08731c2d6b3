//! A forwarder and participants, joined by a simulated network in virtual time.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use madang_lab::{LinkConfig, Network};
use madang_media::{
    session::{Certificate, LocalCandidate, Transport},
    sfu::{Input, Output, RoomKey, Sfu, SfuConfig},
};
use madang_protocol::{
    Delivery, LinkId, MediaCommand, MediaEvent, OpenMediaLink, Subscribe, TrackId, TrackInfo, TrackKind, TrackSource,
};

use super::person::Person;

const ROOM: RoomKey = RoomKey(1);
/// IPv4 and UDP headers.
const HEADERS: usize = 28;

/// A good line at home.
pub(crate) fn good() -> LinkConfig {
    LinkConfig { rate: Some(50_000_000), delay: Duration::from_millis(15), ..LinkConfig::default() }
}

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) sfu: Sfu,
    pub(crate) network: Network<SocketAddr, Vec<u8>>,
    pub(crate) people: BTreeMap<String, Person>,
    /// What rooms were told, and when.
    pub(crate) events: Vec<(Instant, MediaEvent)>,
    server: SocketAddr,
    /// When the forwarder wants to be called.
    sfu_due: Option<Instant>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let now = Instant::now();
        let server = SocketAddr::from(([203, 0, 113, 1], 4000));
        let config = SfuConfig {
            candidates: vec![LocalCandidate { address: server, tcp: false }],
            certificate: Certificate::generate(),
            last_n: 25,
            mixer: None,
            gather: Duration::ZERO,
        };
        let (sfu, network) = (Sfu::new(config, now), Network::new(seed));
        Self { now, sfu, network, people: BTreeMap::new(), events: Vec::new(), server, sfu_due: Some(now) }
    }

    /// Somebody joins over a line of this kind, in both directions.
    pub(crate) fn join(&mut self, name: &str, line: LinkConfig) {
        let person = Person::new(name, u16::try_from(self.people.len()).expect("few"), self.now);
        self.network.join(person.outside, self.server, line, line);
        let open = OpenMediaLink {
            link: person.link.clone(),
            participant: person.participant.clone(),
            person: madang_protocol::Person::default(),
            mix_codec: None,
            mix: None,
            video_codec: Some("VP8".into()),
            simulcast: true,
        };
        self.people.insert(name.into(), person);
        self.command(MediaCommand::OpenLink(open));
    }

    pub(crate) fn person(&mut self, name: &str) -> &mut Person {
        self.people.get_mut(name).expect("somebody inside")
    }

    /// Changes what comes down to somebody.
    pub(crate) fn set_down(&mut self, name: &str, line: LinkConfig) {
        let to = self.person(name).outside;
        self.network.link_mut(self.server, to).expect("joined").configure(line);
    }

    pub(crate) fn camera(&mut self, name: &str) -> TrackId {
        let now = self.now;
        self.person(name).start_camera(now, true);
        self.publish(name, TrackKind::Video, TrackSource::Camera, true)
    }

    /// A camera in one layer alone.
    pub(crate) fn plain_camera(&mut self, name: &str) -> TrackId {
        let now = self.now;
        self.person(name).start_camera(now, false);
        self.publish(name, TrackKind::Video, TrackSource::Camera, false)
    }

    pub(crate) fn microphone(&mut self, name: &str) -> TrackId {
        let now = self.now;
        self.person(name).start_microphone(now);
        self.publish(name, TrackKind::Audio, TrackSource::Microphone, false)
    }

    fn publish(&mut self, name: &str, kind: TrackKind, source: TrackSource, simulcast: bool) -> TrackId {
        let id = TrackId(format!("t_{name}_{source:?}"));
        let track = TrackInfo {
            id: id.clone(),
            cid: "c".into(),
            kind,
            source,
            muted: false,
            simulcast,
            width: Some(1280),
            height: Some(720),
        };
        let link = self.person(name).link.clone();
        self.command(MediaCommand::AddTrack { link, track });
        id
    }

    /// Says how high `ada`'s camera is on somebody's screen.
    pub(crate) fn watch(&mut self, name: &str, height: Option<u32>) {
        let link = self.person(name).link.clone();
        let track = TrackId("t_ada_Camera".into());
        let wish = Subscribe { track, on: true, width: None, height, fps: None, priority: 0 };
        self.command(MediaCommand::Watch { link, wish });
    }

    pub(crate) fn command(&mut self, command: MediaCommand) {
        self.sfu.handle_input(self.now, Input::Command { room: ROOM, command });
        self.settle();
    }

    /// Somebody's NAT gives it another address; what was on the way is lost.
    pub(crate) fn rebind(&mut self, name: &str, line: LinkConfig) {
        let server = self.server;
        let person = self.person(name);
        let before = person.outside;
        person.outside.set_port(before.port() + 1000);
        let after = person.outside;
        self.network.cut(before);
        self.network.join(after, server, line, line);
    }

    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.settle();
            let people = self.people.values().map(Person::timeout);
            let next = people.chain(self.network.timeout()).chain(self.sfu_due);
            // In steps of a millisecond at least, as a kernel wakes its processes.
            let next = next.min().unwrap_or(end).max(self.now + Duration::from_millis(1));
            if next >= end {
                self.now = end;
                return;
            }
            self.now = next;
        }
    }

    /// Everything that is due now.
    fn settle(&mut self) {
        let now = self.now;
        while let Some(delivery) = self.network.poll(now) {
            let (from, to, data) = (delivery.from, delivery.to, delivery.packet);
            if to == self.server {
                self.sfu.handle_input(now, Input::Packet { transport: Transport::Udp, from, to, data: &data });
            } else if let Some(person) = self.people.values_mut().find(|person| person.outside == to) {
                // One after the other: a session holds one event at a time.
                person.receive(now, from, &data);
                transmit(&mut self.network, now, person);
            }
        }
        for person in self.people.values_mut().filter(|person| person.timeout() <= now) {
            person.pass(now);
            transmit(&mut self.network, now, person);
        }
        self.sfu.handle_input(now, Input::Timeout);
        loop {
            match self.sfu.poll_output() {
                Output::Timeout(at) => {
                    self.sfu_due = at;
                    break;
                }
                output => self.output(output),
            }
        }
        let Self { sfu, network, server, .. } = self;
        sfu.drain_packets(|way, data| {
            network.send(now, *server, way.to, data.len() + HEADERS, data.to_vec());
        });
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::Transmit(packet) => {
                let bytes = packet.data.len() + HEADERS;
                self.network.send(self.now, self.server, packet.to, bytes, packet.data);
            }
            Output::Event { event, .. } => self.event(event),
            Output::Job(_) => {}
            Output::Timeout(_) => {}
        }
    }

    /// Signaling takes no time here.
    fn event(&mut self, event: MediaEvent) {
        match &event {
            MediaEvent::Offer { link, n, sdp, tracks } => {
                let Some(person) = self.people.values_mut().find(|person| person.link == *link) else { return };
                let sdp = person.accept(self.now, sdp, tracks);
                let answer = MediaCommand::Answer { link: link.clone(), n: *n, sdp };
                self.sfu.handle_input(self.now, Input::Command { room: ROOM, command: answer });
            }
            MediaEvent::Demand { track, layers, .. } => {
                let owner = |person: &&mut Person| {
                    person.lines.iter().any(|line| line.sends && line.track.as_ref() == Some(track))
                };
                if let Some(person) = self.people.values_mut().find(owner) {
                    person.demand(layers.as_deref());
                }
            }
            _ => {}
        }
        self.events.push((self.now, event));
    }

    /// What somebody was told of what it gets, in order.
    pub(crate) fn deliveries(&self, name: &str) -> impl Iterator<Item = (Instant, &Delivery)> {
        let link = LinkId(format!("l_{name}"));
        self.events.iter().filter_map(move |(at, event)| match event {
            MediaEvent::Delivery(delivery) if delivery.link == link => Some((*at, delivery)),
            _ => None,
        })
    }
}

/// What somebody's session has to send goes into the network.
fn transmit(network: &mut Network<SocketAddr, Vec<u8>>, now: Instant, person: &mut Person) {
    for packet in person.drain(now) {
        network.send(now, person.outside, packet.to, packet.data.len() + HEADERS, packet.data);
    }
}
