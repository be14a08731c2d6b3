//! A whole participant: signaling, its links, what it publishes and what it receives.
//!
//! Give it what happens by [`Participant::handle_input`], then drain
//! [`Participant::poll_output`] until it returns [`Output::Timeout`]. Its links are to the server
//! (topology `sfu`), which offers; links of a mesh are not implemented.

mod data;
mod io;
mod limits;
mod link;
mod sending;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

pub use madang_media::session::{Certificate, LocalCandidate};
use madang_protocol::{
    ChatLine, ClientMessage, LinkId, LinkPath, ParticipantId, Restart, SdpType, Stats, Subscribe, TrackId,
};

pub use io::{Config, Content, DataChannel, Event, Input, Output, Publication, Transmit, Transport};

use crate::{
    clip::Codec,
    receive::Figures,
    signaling::{self, Roster, Signaling},
};
use limits::Limits;
use link::{Link, LinkOutput};

/// Between two reports of what was measured.
const REPORT: Duration = Duration::from_secs(2);

/// See the module.
pub struct Participant {
    config: Config,
    signaling: Signaling,
    links: Vec<Link>,
    limits: Limits,
    path: LinkPath,
    report_at: Instant,
    outputs: VecDeque<Output>,
    /// The figures of tracks whose link is gone.
    past: Vec<(TrackId, Codec, Figures)>,
    /// What was said about links while no candidates were known.
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
            config,
            links: Vec::new(),
            limits: Limits::default(),
            path: LinkPath::Direct,
            report_at: now + REPORT,
            outputs: VecDeque::new(),
            past: Vec::new(),
            unheard: Vec::new(),
            now,
            is_ended: false,
        }
    }

    /// Where its media comes in from now on; links that waited for that are opened.
    pub fn set_candidates(&mut self, now: Instant, candidates: Vec<LocalCandidate>) {
        self.now = now;
        self.config.candidates = Some(candidates);
        for event in std::mem::take(&mut self.unheard) {
            self.link_event(&event);
        }
    }

    /// How its media travels, for its reports.
    pub fn set_path(&mut self, path: LinkPath) {
        self.path = path;
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
                for link in &mut self.links {
                    link.receive(now, transport, from, to, data);
                }
            }
            Input::Timeout => {
                self.signaling.handle_input(now, signaling::Input::Timeout);
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
                    LinkOutput::Transmit(transmit) => return Output::Transmit(transmit),
                    LinkOutput::Timeout(media) => return Output::Timeout(self.earliest(at, media)),
                    LinkOutput::Event(event) => return Output::Event(event),
                    LinkOutput::Estimate => self.limit_all(),
                    LinkOutput::Failed(_) => {}
                },
            }
        }
    }

    /// Sends bytes by data channel, to these or (empty) to everyone. `false` when they could not
    /// be sent: no link, a buffer that is full, or too many of them.
    pub fn send_data(&mut self, channel: DataChannel, to: &[ParticipantId], topic: &str, bytes: &[u8]) -> bool {
        let Some(message) = data::to_server(to, topic, bytes) else { return false };
        self.links.iter_mut().filter(|link| link.is_connected()).any(|link| link.send_data(channel, &message))
    }

    /// Says how a track is watched.
    pub fn subscribe(&mut self, wish: Subscribe) {
        if !wish.on {
            self.links.iter_mut().for_each(|link| link.pause(&wish.track, self.now));
        }
        self.signaling.request(ClientMessage::Subscribe(wish));
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

    fn earliest(&self, signaling: Option<Instant>, media: Option<Instant>) -> Option<Instant> {
        let report = (!self.links.is_empty()).then_some(self.report_at);
        [signaling, media, report].into_iter().flatten().min()
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

    /// Forgets a link, but not the figures of what came on it.
    fn drop_link(&mut self, index: usize) -> Link {
        let link = self.links.swap_remove(index);
        self.past.extend(link.figures(self.now));
        link
    }

    /// Asks for another link in place of one that failed.
    fn replace(&mut self, link: &Link, why: String) {
        let restart = Restart { link: link.open.link.clone(), epoch: link.open.epoch, replace: true };
        if !self.is_ended {
            self.signaling.request(ClientMessage::Restart(restart));
            self.outputs.push_back(Output::Event(Event::LinkFailed(link.open.link.clone(), why)));
        }
    }

    fn limit_all(&mut self) {
        for link in &mut self.links {
            link.limit(&self.limits, self.signaling.roster(), self.config.adapts, self.now);
        }
    }

    fn report(&mut self, now: Instant) {
        if now < self.report_at {
            return;
        }
        self.report_at = now + REPORT;
        let path = self.path;
        let links: Vec<_> =
            self.links.iter_mut().filter(|link| link.is_connected()).map(|link| link.stats(now, Some(path))).collect();
        if !links.is_empty() {
            self.signaling.tell(ClientMessage::Stats(Stats { links }));
        }
    }

    fn signaling_event(&mut self, event: signaling::Event) {
        use signaling::Event as Said;
        match &event {
            Said::LinkOpened(_) | Said::LinkClosed(_) | Said::Description(_) | Said::Candidate(_) => {
                if self.config.candidates.is_some() {
                    self.link_event(&event);
                } else {
                    self.unheard.push(event.clone());
                }
            }
            Said::Bitrate(bitrate) => {
                self.limits.set(bitrate.clone());
                self.limit_all();
            }
            Said::Delivery(delivery) if delivery.paused => {
                self.links.iter_mut().for_each(|link| link.pause(&delivery.track, self.now));
            }
            Said::TrackChanged(_, track) => {
                if track.muted {
                    self.links.iter_mut().for_each(|link| link.pause(&track.id, self.now));
                }
                self.limit_all();
            }
            Said::Ended(_) => {
                self.is_ended = true;
                self.links.iter_mut().for_each(Link::close);
            }
            _ => {}
        }
        self.outputs.push_back(Output::Event(Event::Signaling(event)));
    }

    fn link_event(&mut self, event: &signaling::Event) {
        use signaling::Event as Said;
        match event {
            Said::LinkOpened(open) => self.links.push(Link::new(open.clone(), &self.config, self.now)),
            Said::LinkClosed(link) => {
                let Some(index) = self.place(link) else { return };
                let mut link = self.drop_link(index);
                link.close();
                while let LinkOutput::Transmit(goodbye) = link.poll_output(self.now, &self.config) {
                    self.outputs.push_back(Output::Transmit(goodbye));
                }
            }
            Said::Description(description) => self.describe(description),
            Said::Candidate(ice) => {
                if let Some(index) = self.place(&ice.link) {
                    self.links[index].candidate(ice.candidate.as_ref());
                }
            }
            _ => {}
        }
    }

    fn place(&self, link: &LinkId) -> Option<usize> {
        self.links.iter().position(|known| known.open.link == *link)
    }

    fn describe(&mut self, description: &madang_protocol::Description) {
        let Some(index) = self.place(&description.link) else { return };
        if description.kind != SdpType::Offer {
            return;
        }
        match self.links[index].accept(description, self.signaling.roster(), &self.config, self.now) {
            Ok(answer) => {
                self.signaling.request(ClientMessage::Desc(answer));
                self.limit_all();
            }
            Err(why) => {
                let link = self.drop_link(index);
                self.replace(&link, why.to_string());
            }
        }
    }
}
