//! What the server says of links, and what gathering finds for them.

use madang_protocol::{ClientMessage, Description, Ice, LinkId, Restart, SdpType, Topology};

use super::{
    Participant,
    gathering::GatheringOutput,
    io::{Event, Kinds, Output, Transport},
    link::{Link, LinkOutput},
    mesh::Mesh,
    path::Path,
};
use crate::signaling;

impl Participant {
    pub(super) fn signaling_event(&mut self, event: signaling::Event) {
        use signaling::Event as Said;
        match &event {
            Said::LinkOpened(_)
            | Said::LinkClosed(_)
            | Said::Description(_)
            | Said::Candidate(_)
            | Said::Negotiate(_) => {
                if self.waits_for_relay(&event) {
                    self.unheard.push(event.clone());
                } else {
                    self.link_event(&event);
                }
            }
            // Links to the server go by the relay too: it is asked for at once.
            Said::Joined { .. } if self.config.ice.kinds == Kinds::Relay => self.gathering.begin(self.now),
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
            Said::TrackAdded(owner, _) | Said::TrackRemoved(owner, _) if Some(owner) == self.roster().me() => {
                for index in 0..self.links.len() {
                    self.offer(index);
                }
            }
            Said::Ended(_) => {
                self.is_ended = true;
                self.links.iter_mut().for_each(Link::close);
                self.gathering.close(self.now);
            }
            _ => {}
        }
        self.outputs.push_back(Output::Event(Event::Signaling(event)));
    }

    /// Whether an event is about a link to the server that can't be opened yet.
    fn waits_for_relay(&self, event: &signaling::Event) -> bool {
        use signaling::Event as Said;
        let is_unknown = match event {
            Said::LinkOpened(open) => open.kind != Topology::Mesh,
            Said::LinkClosed(link) => self.place(link).is_none(),
            Said::Description(description) => self.place(&description.link).is_none(),
            Said::Candidate(ice) => self.place(&ice.link).is_none(),
            _ => false,
        };
        is_unknown && self.config.ice.kinds == Kinds::Relay && self.gathering.relayed().is_none()
    }

    fn link_event(&mut self, event: &signaling::Event) {
        use signaling::Event as Said;
        match event {
            Said::LinkOpened(open) => self.open_link(open),
            Said::LinkClosed(link) => {
                let Some(index) = self.place(link) else { return };
                let mut link = self.drop_link(index);
                link.close();
                while let LinkOutput::Transmit(goodbye) = link.poll_output(self.now, &self.config) {
                    if let Some(goodbye) = self.gathering.send(self.now, goodbye) {
                        self.outputs.push_back(Output::Transmit(goodbye));
                    }
                }
            }
            Said::Description(description) => self.describe(description),
            Said::Candidate(ice) => {
                if let Some(index) = self.place(&ice.link) {
                    self.links[index].candidate(ice.candidate.as_ref(), self.now);
                }
            }
            Said::Negotiate(negotiate) => {
                let Some(index) = self.place(&negotiate.link) else { return };
                if negotiate.restart {
                    self.links[index].restart_ice();
                }
                self.offer(index);
            }
            _ => {}
        }
    }

    fn open_link(&mut self, open: &madang_protocol::OpenLink) {
        let (open, now) = (open.clone(), self.now);
        let mesh = if open.kind == Topology::Mesh { Mesh::new(&open) } else { None };
        let Some(mesh) = mesh else {
            let relayed = self.gathering.relayed().filter(|_| self.config.ice.kinds == Kinds::Relay);
            let at = relayed.map_or_else(|| self.gathering.hosts().to_vec(), |relayed| vec![relayed]);
            return self.links.push(Link::to_server(open, &at, &self.config, now));
        };
        self.gathering.begin(now);
        let mut link = Link::to_peer(open, mesh, &self.config, now);
        for found in self.gathering.candidates() {
            link.add_candidate(*found, now);
        }
        self.links.push(link);
        let newest = self.links.len() - 1;
        if self.links[newest].mesh.as_ref().is_some_and(Mesh::offers) {
            self.offer(newest);
        }
    }

    pub(super) fn place(&self, link: &LinkId) -> Option<usize> {
        self.links.iter().position(|known| known.open.link == *link)
    }

    /// Offers on a link, where this end does and there is something new.
    fn offer(&mut self, index: usize) {
        if let Some(offer) = self.links[index].offer(self.signaling.roster(), self.now) {
            self.signaling.request(ClientMessage::Desc(offer));
            self.end_candidates();
        }
    }

    fn describe(&mut self, description: &Description) {
        let Some(index) = self.place(&description.link) else { return };
        let (roster, config, now) = (self.signaling.roster(), &self.config, self.now);
        let link = &mut self.links[index];
        let taken = match (description.kind, link.mesh.as_ref().map(Mesh::offers)) {
            (SdpType::Offer, None) => link.accept(description, roster, config, now).map(Some),
            (SdpType::Offer, Some(false)) => link.accept_offer(description, roster, config, now).map(Some),
            (SdpType::Answer, Some(true)) => link.accept_answer(description, roster, config, now).map(|()| None),
            _ => return,
        };
        match taken {
            Ok(answer) => {
                if let Some(answer) = answer {
                    self.signaling.request(ClientMessage::Desc(answer));
                }
                self.limit_all();
                self.offer(index);
                self.end_candidates();
            }
            // A late answer: the newest offer's is on its way.
            Err(madang_media::session::SessionError::Stale) => {}
            Err(why) => {
                let link = self.drop_link(index);
                self.replace(&link, why.to_string());
            }
        }
    }

    /// Tells the others that no candidate follows, if so.
    fn end_candidates(&mut self) {
        if self.gathering.is_done() {
            let ended: Vec<Ice> = self.links.iter_mut().filter_map(Link::end_of_candidates).collect();
            ended.into_iter().for_each(|ice| self.trickle(ice));
        }
    }

    fn trickle(&mut self, ice: Ice) {
        self.signaling.request(ClientMessage::Ice(ice));
    }

    /// Does what gathering wants; gives what is for the shell.
    pub(super) fn gathered(&mut self, output: GatheringOutput) -> Option<Output> {
        let now = self.now;
        match output {
            GatheringOutput::Transmit(transmit) => return Some(Output::Transmit(transmit)),
            GatheringOutput::Stream(id, what) => return Some(Output::Stream(id, what)),
            GatheringOutput::Found(found) => {
                let told: Vec<Ice> = self.links.iter_mut().filter_map(|link| link.add_candidate(found, now)).collect();
                told.into_iter().for_each(|ice| self.trickle(ice));
                if self.gathering.relayed().is_some() {
                    for event in std::mem::take(&mut self.unheard) {
                        self.link_event(&event);
                    }
                }
                self.end_candidates();
            }
            GatheringOutput::Lost(lost) => self.links.iter_mut().for_each(|link| link.remove_candidate(lost, now)),
            GatheringOutput::RelayOpened(at, transport) => {
                return Some(Output::Event(Event::RelayOpened(at, transport)));
            }
            GatheringOutput::RelayFailed(why) => {
                self.end_candidates();
                return Some(Output::Event(Event::RelayFailed(why)));
            }
            GatheringOutput::Data { relayed, peer, data } => self.deliver(Transport::Udp, peer, relayed, &data),
            GatheringOutput::Timeout(_) => {}
        }
        None
    }

    /// Hands a packet to the link that it is for.
    pub(super) fn deliver(
        &mut self,
        transport: Transport,
        from: std::net::SocketAddr,
        to: std::net::SocketAddr,
        data: &[u8],
    ) {
        let now = self.now;
        // The newest first: a link that was replaced may have had the same addresses.
        if let Some(link) = self.links.iter_mut().rev().find(|link| link.accepts(now, transport, from, to, data)) {
            return link.receive(now, transport, from, to, data);
        }
        for link in self.links.iter_mut().filter(|link| link.mesh.is_none()) {
            link.receive(now, transport, from, to, data);
        }
    }

    /// The path of a link is lost: its offerer is to restart ICE.
    pub(super) fn path_lost(&mut self, link: LinkId) {
        self.restart_ice(&link);
        self.outputs.push_back(Output::Event(Event::PathLost(link)));
    }

    pub(super) fn restart_ice(&mut self, link: &LinkId) {
        let Some(index) = self.place(link) else { return };
        self.links[index].path_is_due(self.now);
        let epoch = self.links[index].open.epoch;
        self.signaling.request(ClientMessage::Restart(Restart { link: link.clone(), epoch, replace: false }));
    }

    pub(super) fn path_of(&self, path: madang_media::session::Path) -> Path {
        Path::new(path, self.gathering.relay_transport(path.from))
    }

    /// Forgets a link, but not the figures of what came on it.
    pub(super) fn drop_link(&mut self, index: usize) -> Link {
        let link = self.links.swap_remove(index);
        self.past.extend(link.figures(self.now));
        link
    }

    /// Asks for another link in place of one that failed.
    pub(super) fn replace(&mut self, link: &Link, why: String) {
        let restart = Restart { link: link.open.link.clone(), epoch: link.open.epoch, replace: true };
        if !self.is_ended {
            self.signaling.request(ClientMessage::Restart(restart));
            self.outputs.push_back(Output::Event(Event::LinkFailed(link.open.link.clone(), why)));
        }
    }
}
