//! Those who are inside, and the books on everybody who was.

use std::{
    collections::BTreeMap,
    error::Error,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use madang_client::{
    clip::{Clip, Hertz, Layer, tone},
    participant::{Certificate, Config, Content, Event, Ice, Kinds, Participant, Publication},
    signaling::{self, Settings},
};
use madang_protocol::{Capabilities, Codecs, RoomName, Subscribe, Topology, TopologyPolicy, TrackId, TrackSource};
use serde::Serialize;

use super::{
    life::{Act, End, Life},
    verdict::Failures,
};
use crate::native::{Engine, Interfaces, ServerAddress, Silent};

/// Whoever is not inside by then has failed to join.
const JOIN: Duration = Duration::from_secs(10);
/// Media can flow by then, or the link has failed.
const CONNECT: Duration = Duration::from_secs(15);
/// A lost session is taken up again by then, or never.
const RESUME: Duration = Duration::from_secs(15);
/// The server has said goodbye to whoever leaves by then.
const GOODBYE: Duration = Duration::from_secs(5);
/// What was said last gets so long to go out.
const LINGER: Duration = Duration::from_millis(500);
/// Whoever sends for so long is seen by whoever is there for so long.
const SEEN: Duration = Duration::from_secs(6);
/// Rooms get new names this often: the old ones empty and have to go.
const GENERATION: Duration = Duration::from_secs(20);

/// What happened so far.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Books {
    pub(super) begun: u64,
    pub(super) joined: u64,
    pub(super) left: u64,
    pub(super) pages_closed: u64,
    pub(super) vanished: u64,
    pub(super) fell_silent: u64,
    /// Left before they were inside.
    pub(super) impatient: u64,
    pub(super) connections_lost: u64,
    pub(super) resumed: u64,
    pub(super) relays: u64,
    pub(super) streams: u64,
    pub(super) data_sent: u64,
    pub(super) data_received: u64,
    pub(super) chats: u64,
    pub(super) failures: Failures,
    /// Requests that the server refused, by code: what is asked of somebody who just left, mostly.
    pub(super) refused: BTreeMap<String, u64>,
    pub(super) most_inside: usize,
}

struct Member {
    life: Life,
    room: String,
    began: Instant,
    joined: Option<Instant>,
    connected: Option<Instant>,
    /// The WebSocket is broken since then.
    lost: Option<Instant>,
    /// It said that it leaves.
    leaving: Option<Instant>,
    acts: usize,
    tracks: Vec<TrackId>,
    streams: u64,
}

pub(super) struct Crowd {
    engine: Engine,
    address: Arc<ServerAddress>,
    server: SocketAddr,
    certificate: Option<Certificate>,
    tone: Arc<Clip>,
    began: Instant,
    name: u64,
    members: BTreeMap<usize, Member>,
    /// Taken out at that time: they have left.
    parting: Vec<(Instant, usize)>,
    silent: Vec<(Instant, Silent)>,
    /// How long sockets stay open through which nothing comes.
    silence: Duration,
    happened: Vec<(usize, Event)>,
    pub(super) books: Books,
}

impl Crowd {
    pub(super) fn new(address: ServerAddress, name: u64, silence: Duration) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            engine: Engine::new(None)?,
            server: address.resolve()?,
            address: Arc::new(address),
            certificate: Certificate::generate(),
            tone: Arc::new(tone(Hertz(440))?),
            began: Instant::now(),
            name,
            members: BTreeMap::new(),
            parting: Vec::new(),
            silent: Vec::new(),
            silence,
            happened: Vec::new(),
            books: Books::default(),
        })
    }

    pub(super) fn server(&self) -> SocketAddr {
        self.server
    }

    /// People who are inside or on their way.
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether all sockets are closed.
    pub(super) fn is_gone(&self) -> bool {
        self.members.is_empty() && self.parting.is_empty() && self.silent.is_empty()
    }

    pub(super) fn join(&mut self, number: u64, life: Life) -> Result<(), Box<dyn Error>> {
        let generation = self.began.elapsed().as_secs() / GENERATION.as_secs();
        let room = format!("soak-{}-{generation}", life.room);
        let codecs = Codecs { audio: vec!["OPUS".into()], video: vec!["VP8".into()] };
        let config = Config {
            signaling: Settings {
                room: Some(RoomName(room.clone())),
                name: format!("soak {number}"),
                token: None,
                capabilities: Capabilities { codecs, simulcast: true, topologies: vec![Topology::Sfu] },
                tracks: Vec::new(),
                topology: Some(TopologyPolicy::Sfu),
                seed: self.name ^ number,
            },
            publications: self.publications(&life),
            hosts: Vec::new(),
            ice: Ice {
                kinds: if life.relay.is_some() { Kinds::Relay } else { Kinds::All },
                relay: life.relay,
                secret: rand::random(),
            },
            certificate: self.certificate.clone(),
            clock: self.engine.clock(),
            adapts: true,
            wants_frames: false,
            seed: self.name ^ number << 16,
        };
        let place = self.engine.add(config, &self.address, self.server, Interfaces::Route)?;
        self.books.begun += 1;
        let member = Member {
            life,
            room,
            began: Instant::now(),
            joined: None,
            connected: None,
            lost: None,
            leaving: None,
            acts: 0,
            tracks: Vec::new(),
            streams: 0,
        };
        self.members.insert(place, member);
        Ok(())
    }

    fn publications(&self, life: &Life) -> Vec<Publication> {
        let camera = || Publication {
            cid: "camera".into(),
            source: TrackSource::Camera,
            content: Content::Pattern(Layer::ALL.to_vec()),
        };
        let microphone = || Publication {
            cid: "microphone".into(),
            source: TrackSource::Microphone,
            content: Content::Clip(self.tone.clone()),
        };
        let camera = life.has_camera.then(camera);
        camera.into_iter().chain(life.has_microphone.then(microphone)).collect()
    }

    /// Lets everybody do what is due, then waits until `until` for what happens.
    pub(super) fn turn(&mut self, until: Instant) -> Result<(), Box<dyn Error>> {
        let now = Instant::now();
        for place in self.members.keys().copied().collect::<Vec<_>>() {
            self.act(place, now);
        }
        self.forget(now);
        self.books.most_inside = self.books.most_inside.max(self.members.len());
        loop {
            self.engine.turn(until, &mut self.happened)?;
            for (place, event) in std::mem::take(&mut self.happened) {
                match event {
                    Event::RelayFailed(why) => self.relay_failed(place, &why),
                    event => self.note(place, event),
                }
            }
            if Instant::now() >= until {
                return Ok(());
            }
        }
    }

    /// Everybody leaves now, politely.
    pub(super) fn send_home(&mut self) {
        for member in self.members.values_mut() {
            member.life.end = End::Leave;
            member.life.stay = Duration::ZERO;
        }
    }

    fn forget(&mut self, now: Instant) {
        self.silent.retain(|(until, _)| *until > now);
        for (_, place) in self.parting.extract_if(.., |(at, _)| *at <= now) {
            self.engine.remove(place);
        }
    }

    fn act(&mut self, place: usize, now: Instant) {
        let Some(member) = self.members.get_mut(&place) else { return };
        if let Some(since) = member.leaving {
            if now > since + GOODBYE {
                self.fail(place, "the server says no goodbye", |failures| &mut failures.thrown_out);
            }
            return;
        }
        if now >= member.began + member.life.stay {
            return self.end(place, now);
        }
        let Some(joined) = member.joined else {
            if now > member.began + JOIN {
                self.fail(place, "not inside in time", |failures| &mut failures.joins);
            }
            return;
        };
        if member.connected.is_none() && now > joined + CONNECT {
            return self.fail(place, "no media in time", |failures| &mut failures.links);
        }
        if member.lost.is_some_and(|lost| now > lost + RESUME) {
            return self.fail(place, "not back in time", |failures| &mut failures.resumes);
        }
        while let Some((at, act)) = self.members.get_mut(&place).and_then(|member| member.due(now)) {
            tracing::trace!(place, ?at, ?act, "acts");
            self.perform(place, act, now);
        }
    }

    fn perform(&mut self, place: usize, act: Act, now: Instant) {
        let Some(member) = self.members.get_mut(&place) else { return };
        match act {
            Act::Chat => self.engine.with(place, |participant| participant.chat("annyeong")),
            Act::Data(channel, bytes) => {
                let mut sent = false;
                let payload = vec![7; bytes];
                self.engine.with(place, |participant| sent = participant.send_data(channel, &[], "soak", &payload));
                self.books.data_sent += u64::from(sent);
            }
            Act::Watch(height) => {
                let wishes: Vec<Subscribe> = member.tracks.iter().map(|track| wish(track, height)).collect();
                self.engine.with(place, |participant| wishes.into_iter().for_each(|wish| participant.subscribe(wish)));
            }
            Act::LoseConnection if member.lost.is_none() => {
                member.lost = Some(now);
                self.books.connections_lost += 1;
                self.engine.cut(place);
            }
            Act::LoseConnection => {}
        }
    }

    fn end(&mut self, place: usize, now: Instant) {
        self.look_back(place, now);
        let Some(member) = self.members.get_mut(&place) else { return };
        if member.joined.is_none() {
            self.books.impatient += 1;
        }
        let end = member.life.end;
        match end {
            End::Leave => {
                member.leaving = Some(now);
                self.engine.with(place, Participant::leave);
                return;
            }
            End::ClosePage => {
                self.books.pages_closed += 1;
                self.engine.close_page(place);
            }
            End::Vanish => {
                self.books.vanished += 1;
                self.engine.remove(place);
            }
            End::Silence => {
                self.books.fell_silent += 1;
                self.silent.extend(self.engine.remove(place).map(|gone| (now + self.silence, gone)));
            }
        }
        self.members.remove(&place);
    }

    /// Did anything come to somebody who was there long enough with somebody who sends?
    fn look_back(&mut self, place: usize, now: Instant) {
        let Some(member) = self.members.get(&place) else { return };
        let is_settled =
            |member: &Member| member.lost.is_none() && member.connected.is_some_and(|connected| now > connected + SEEN);
        let has_company = self.members.iter().any(|(other, company)| {
            let sends = company.life.has_camera || company.life.has_microphone;
            *other != place && company.room == member.room && sends && is_settled(company)
        });
        if member.streams == 0 && has_company && is_settled(member) {
            self.books.failures.starved += 1;
            eprintln!("no media came to somebody in {}", member.room);
        }
    }

    fn note(&mut self, place: usize, event: Event) {
        let now = Instant::now();
        let Some(member) = self.members.get_mut(&place) else { return };
        match event {
            Event::Connected(_) => {
                member.connected.get_or_insert(now);
            }
            Event::TrackBegins(track, _) => {
                member.streams += 1;
                member.tracks.push(track);
                self.books.streams += 1;
            }
            Event::LinkFailed(_, why) => {
                // That of somebody who leaves is over anyway.
                if member.leaving.is_none() {
                    self.books.failures.links += 1;
                    eprintln!("a link failed: {why}");
                }
            }
            Event::Data { .. } => self.books.data_received += 1,
            Event::Signaling(event) => self.signaling(place, event, now),
            Event::RelayOpened(..) => self.books.relays += 1,
            Event::Frame(..) | Event::RelayFailed(_) | Event::Path(..) | Event::PathLost(_) => {}
        }
    }

    fn signaling(&mut self, place: usize, event: signaling::Event, now: Instant) {
        use signaling::Event as Said;
        let Some(member) = self.members.get_mut(&place) else { return };
        match event {
            Said::Joined { .. } if member.joined.is_none() => {
                member.joined = Some(now);
                self.books.joined += 1;
            }
            // In again, but as somebody else.
            Said::Joined { .. } => {
                member.lost = None;
                self.books.failures.resumes += 1;
                eprintln!("a session was forgotten before its time");
            }
            Said::Resumed => {
                member.lost = None;
                self.books.resumed += 1;
            }
            Said::Reconnecting if member.lost.is_none() => {
                member.lost = Some(now);
                self.books.failures.thrown_out += 1;
                eprintln!("a connection broke by itself");
            }
            Said::ParticipantLeft(who, _) => {
                member.tracks.retain(|known| who.tracks.iter().all(|track| track.id != *known));
            }
            Said::TrackRemoved(_, track) => member.tracks.retain(|known| *known != track.id),
            Said::Chat(_) => self.books.chats += 1,
            Said::Refused(_, failure) => {
                *self.books.refused.entry(failure.code.as_str().to_owned()).or_default() += 1;
            }
            Said::Ended(_) if member.leaving.is_some() => {
                self.books.left += 1;
                self.part(place, now);
            }
            Said::Ended(why) => {
                let joined = member.joined.is_some();
                self.fail(
                    place,
                    &why.to_string(),
                    |failures| {
                        if joined { &mut failures.thrown_out } else { &mut failures.joins }
                    },
                );
            }
            _ => {}
        }
    }

    fn relay_failed(&mut self, place: usize, why: &str) {
        if self.members.get(&place).is_some_and(|member| member.leaving.is_none()) {
            self.fail(place, why, |failures| &mut failures.relays);
        }
    }

    fn fail(&mut self, place: usize, why: &str, of: impl FnOnce(&mut Failures) -> &mut u64) {
        *of(&mut self.books.failures) += 1;
        if let Some(member) = self.members.get(&place) {
            eprintln!("in {}, after {:.1} s: {why}", member.room, member.began.elapsed().as_secs_f64());
        }
        self.engine.with(place, Participant::leave);
        self.part(place, Instant::now());
    }

    /// It has left; its last words may still be on their way.
    fn part(&mut self, place: usize, now: Instant) {
        self.members.remove(&place);
        self.parting.push((now + LINGER, place));
    }
}

impl Member {
    /// The next thing to do, if its time has come.
    fn due(&mut self, now: Instant) -> Option<(Duration, Act)> {
        let next = *self.life.acts.get(self.acts).filter(|(at, _)| self.began + *at <= now)?;
        self.acts += 1;
        Some(next)
    }
}

/// A picture of that height is on the screen; 0 is none.
fn wish(track: &TrackId, height: u32) -> Subscribe {
    let size = |pixels| (height > 0).then_some(pixels);
    Subscribe {
        track: track.clone(),
        on: height > 0,
        width: size(height * 16 / 9),
        height: size(height),
        fps: None,
        priority: 0,
    }
}
