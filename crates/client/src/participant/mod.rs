//! A whole participant: signaling, its links, what it publishes and what it receives.
//!
//! Give it what happens by [`Participant::handle_input`], then drain
//! [`Participant::poll_output`] until it returns [`Output::Timeout`]. Its links are to the server,
//! which offers, or to other participants, where candidates are gathered and either end offers.

mod binding;
mod data;
mod gathering;
mod io;
mod limits;
mod link;
mod linking;
mod mesh;
mod path;
mod relays;
mod sending;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

pub use madang_media::session::{CandidateKind, Certificate};
use madang_protocol::{
    ChatLine, ClientMessage, LinkId, LinkPath, ParticipantId, Stats, Subscribe, TakeMix, Topology, TrackId,
};

pub use io::{
    Config, Content, DataChannel, Event, Ice, Input, Kinds, Output, Publication, StreamId, StreamInput, StreamOutput,
    Transmit, Transport,
};
pub use path::{Path, kind_name};

use crate::{
    clip::Codec,
    receive::Figures,
    relay::{self, Server},
    signaling::{self, Roster, Signaling},
};
use gathering::{Gathering, GatheringOutput};
use limits::Limits;
use link::{Link, LinkOutput};

/// Between two reports of what was measured.
const REPORT: Duration = Duration::from_secs(2);

/// See the module.
pub struct Participant {
    config: Config,
    signaling: Signaling,
    links: Vec<Link>,
    gathering: Gathering,
    limits: Limits,
    report_at: Instant,
    outputs: VecDeque<Output>,
    /// The figures of tracks whose link is gone.
    past: Vec<(TrackId, Codec, Figures)>,
    /// What was said about links to the server while the relay that they need was not there.
    unheard: Vec<signaling::Event>,
    now: Instant,
    is_ended: bool,
}

impl Participant {
    /// A participant that has not begun: the first [`Input::Timeout`] makes it connect.
    #[must_use]
    pub fn new(mut config: Config, now: Instant) -> Self {
        config.signaling.tracks = config.publications.iter().map(Publication::announcement).collect();
        Self {
            signaling: Signaling::new(config.signaling.clone()),
            gathering: Gathering::new(config.ice, config.hosts.clone()),
            config,
            links: Vec::new(),
            limits: Limits::default(),
            report_at: now + REPORT,
            outputs: VecDeque::new(),
            past: Vec::new(),
            unheard: Vec::new(),
            now,
            is_ended: false,
        }
    }

    /// Takes the STUN and TURN servers that [`signaling::Event::Joined`] named, or those of
    /// [`signaling::Event::IceServers`], whose credentials are fresh.
    pub fn set_servers(&mut self, now: Instant, servers: Vec<Server>) {
        self.now = now;
        self.gathering.set_servers(now, servers);
    }

    /// The network has changed, and these are its sockets now. Candidates are gathered again, and
    /// its links look for other paths.
    pub fn set_hosts(&mut self, now: Instant, hosts: Vec<SocketAddr>) {
        self.now = now;
        self.gathering.set_hosts(now, hosts);
        let links: Vec<_> = self.links.iter().map(|link| (link.open.link.clone(), link.mesh.is_some())).collect();
        for (link, is_mesh) in links {
            if is_mesh {
                self.restart_ice(&link);
            } else if let Some(index) = self.place(&link) {
                let link = self.drop_link(index);
                self.replace(&link, "the network has changed".into());
            }
        }
    }

    /// The way that each connected link goes, with the participant at its other end.
    #[must_use]
    pub fn paths(&self) -> Vec<(LinkId, Option<ParticipantId>, Option<Path>)> {
        let of = |link: &Link| {
            let path = link.path().map(|path| self.path_of(path));
            (link.open.link.clone(), link.open.peer.clone(), path)
        };
        self.links.iter().filter(|link| link.is_connected()).map(of).collect()
    }

    /// The picture of the room.
    #[must_use]
    pub const fn roster(&self) -> &Roster {
        self.signaling.roster()
    }

    /// Whether media can flow on a link.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.links.iter().any(Link::is_connected)
    }

    /// The figures of each track that came or comes, by link: a track that came on several links
    /// has several.
    #[must_use]
    pub fn figures(&self, now: Instant) -> Vec<(TrackId, Codec, Figures)> {
        self.past.iter().cloned().chain(self.links.iter().flat_map(|link| link.figures(now))).collect()
    }

    /// Takes what happened.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        self.now = now;
        match input {
            Input::Signaling(input) => self.signaling.handle_input(now, input),
            Input::Receive { transport, from, to, data } => {
                if !self.gathering.receive(now, from, to, data) {
                    self.deliver(transport, from, to, data);
                }
            }
            Input::Stream(id, input) => self.gathering.stream(now, id, input),
            Input::Timeout => {
                self.signaling.handle_input(now, signaling::Input::Timeout);
                self.gathering.handle_timeout(now);
                for link in &mut self.links {
                    link.handle_timeout(now);
                }
                self.report(now);
            }
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Output {
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return output;
            }
            match self.signaling.poll_output() {
                signaling::Output::Connect => return Output::Connect,
                signaling::Output::Send(text) => return Output::Send(text),
                signaling::Output::Disconnect => return Output::Disconnect,
                signaling::Output::Event(event) => self.signaling_event(event),
                signaling::Output::Timeout(at) => match self.poll_links() {
                    LinkOutput::Transmit(transmit) => {
                        if let Some(transmit) = self.gathering.send(self.now, transmit) {
                            return Output::Transmit(transmit);
                        }
                    }
                    LinkOutput::Event(event) => return Output::Event(event),
                    LinkOutput::Estimate => self.limit_all(),
                    LinkOutput::Path(link, path) => return Output::Event(Event::Path(link, self.path_of(path))),
                    LinkOutput::PathLost(link) => self.path_lost(link),
                    LinkOutput::Failed(_) => {}
                    LinkOutput::Timeout(media) => match self.gathering.poll_output(self.now) {
                        GatheringOutput::Timeout(gathering) => {
                            return Output::Timeout(self.earliest([at, media, gathering]));
                        }
                        output => {
                            if let Some(output) = self.gathered(output) {
                                return output;
                            }
                        }
                    },
                },
            }
        }
    }

    /// Sends bytes by data channel, to these or (empty) to everyone. `false` when they could not
    /// be sent: no link, a buffer that is full, or too many of them.
    pub fn send_data(&mut self, channel: DataChannel, to: &[ParticipantId], topic: &str, bytes: &[u8]) -> bool {
        let (Some(for_server), Some(for_peer)) = (data::to_server(to, topic, bytes), data::to_peer(topic, bytes))
        else {
            return false;
        };
        let mut is_sent = false;
        for link in self.links.iter_mut().filter(|link| link.is_connected()) {
            is_sent |= match &link.mesh {
                None => link.send_data(channel, &for_server),
                Some(mesh) => (to.is_empty() || to.contains(&mesh.peer)) && link.send_data(channel, &for_peer),
            };
        }
        is_sent
    }

    /// Says how a track is watched.
    pub fn subscribe(&mut self, wish: Subscribe) {
        if !wish.on {
            self.links.iter_mut().for_each(|link| link.pause(&wish.track, self.now));
        }
        self.signaling.request(ClientMessage::Subscribe(wish));
    }

    /// Asks for the mix in place of everybody's tracks, or for those.
    pub fn take_mix(&mut self, wish: TakeMix) {
        self.signaling.request(ClientMessage::TakeMix(wish));
    }

    /// Writes a line of text to everyone.
    pub fn chat(&mut self, text: &str) {
        self.signaling.request(ClientMessage::Chat(ChatLine { text: text.to_owned(), to: Vec::new() }));
    }

    /// Leaves the room. [`signaling::Event::Ended`] follows.
    pub fn leave(&mut self) {
        self.links.iter_mut().for_each(Link::close);
        self.signaling.leave();
    }

    fn earliest(&self, of_parts: [Option<Instant>; 3]) -> Option<Instant> {
        let report = (!self.links.is_empty()).then_some(self.report_at);
        of_parts.into_iter().flatten().chain(report).min()
    }

    fn poll_links(&mut self) -> LinkOutput {
        let mut earliest: Option<Instant> = None;
        for index in 0..self.links.len() {
            match self.links[index].poll_output(self.now, &self.config) {
                LinkOutput::Timeout(at) => earliest = [earliest, at].into_iter().flatten().min(),
                LinkOutput::Failed(why) => {
                    let link = self.drop_link(index);
                    self.replace(&link, why);
                    return LinkOutput::Failed(String::new());
                }
                LinkOutput::Event(event) => {
                    if matches!(event, Event::Connected(_)) {
                        self.limit_all();
                    }
                    return LinkOutput::Event(event);
                }
                output => return output,
            }
        }
        LinkOutput::Timeout(earliest)
    }

    fn limit_all(&mut self) {
        for link in &mut self.links {
            link.limit(&self.limits, self.signaling.roster(), self.config.adapts, self.now);
        }
    }

    fn path_for_report(&self, link: &Link) -> Option<LinkPath> {
        if link.open.kind == Topology::Mesh {
            return link.path().map(|path| self.path_of(path).link_path());
        }
        let relayed = self.gathering.relayed().filter(|_| self.config.ice.kinds == Kinds::Relay);
        let transport = relayed.and_then(|relayed| self.gathering.relay_transport(relayed));
        Some(transport.map_or(LinkPath::Direct, relay::path))
    }

    fn report(&mut self, now: Instant) {
        if now < self.report_at {
            return;
        }
        self.report_at = now + REPORT;
        let paths: Vec<_> = self.links.iter().map(|link| self.path_for_report(link)).collect();
        let connected = self.links.iter_mut().zip(paths).filter(|(link, _)| link.is_connected());
        let links: Vec<_> = connected.map(|(link, path)| link.stats(now, path)).collect();
        if !links.is_empty() {
            self.signaling.tell(ClientMessage::Stats(Stats { links }));
        }
    }
}
