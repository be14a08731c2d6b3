//! Descriptions and candidates, from one end of a link to the other.

use std::sync::Arc;

use madang_protocol::{Description, Epoch, Ice, LinkId, MediaCommand, Restart, SdpType, ServerMessage, TrackId};

use crate::{link::Link, refusal::Refusal, room::Room, roster::Order};

const CANDIDATE_BYTES: usize = 1024;
const MIDS: usize = 256;
const MID_BYTES: usize = 64;

impl Room {
    pub(crate) fn relay_description(&mut self, order: Order, mut desc: Description) -> Result<(), Refusal> {
        let link = self.link_of(order, &desc.link, desc.epoch)?;
        match (desc.kind, link.offerer() == order) {
            (SdpType::Offer, false) => return Err(Refusal::NotOfferer),
            (SdpType::Answer, true) => return Err(Refusal::NotAnswerer),
            _ => {}
        }
        let peer = link.peer_of(order);
        self.check_description(order, &mut desc)?;
        if let Some(link) = self.links.get_mut(&desc.link) {
            link.negotiating.describe(desc.kind, desc.n, &desc.sdp)?;
            if let Some(served) = &mut link.served {
                served.offer = None;
                self.command(MediaCommand::Answer { link: desc.link, n: desc.n, sdp: desc.sdp });
                return Ok(());
            }
        }
        desc.from = self.id_of(order);
        let link = desc.link.clone();
        self.signal(peer, &link, Arc::new(ServerMessage::Desc(desc)));
        Ok(())
    }

    /// Checks sizes, and that the tracks named are the sender's own. A track that has just gone
    /// is left out: the sender may not know yet that a host withdrew it.
    fn check_description(&self, order: Order, desc: &mut Description) -> Result<(), Refusal> {
        let limit = self.settings.sdp_bytes;
        if desc.sdp.len() > limit {
            return Err(Refusal::TooLarge { what: "the SDP", limit, unit: "bytes" });
        }
        if !desc.sdp.starts_with("v=0") {
            return Err(Refusal::Malformed("`sdp` needs to begin with `v=0` (RFC 8866 §5.1)"));
        }
        if desc.tracks.len() > MIDS || desc.tracks.keys().any(|mid| mid.0.len() > MID_BYTES) {
            return Err(Refusal::TooLarge { what: "`tracks`", limit: MIDS, unit: "entries of 64 bytes" });
        }
        let owner = |track: &TrackId| self.roster.track_owner(track).map(|owner| owner.order);
        if desc.tracks.values().any(|track| owner(track).is_some_and(|owner| owner != order)) {
            return Err(Refusal::ForeignTrack);
        }
        desc.tracks.retain(|_, track| owner(track).is_some());
        Ok(())
    }

    pub(crate) fn relay_candidate(&mut self, order: Order, mut ice: Ice) -> Result<(), Refusal> {
        let link = self.link_of(order, &ice.link, ice.epoch)?;
        link.negotiating.candidate(ice.n)?;
        let (peer, served) = (link.peer_of(order), link.is_served());
        if ice.candidate.as_ref().is_some_and(|candidate| candidate_bytes(candidate) > CANDIDATE_BYTES) {
            return Err(Refusal::TooLarge { what: "the candidate", limit: CANDIDATE_BYTES, unit: "bytes" });
        }
        if served {
            self.command(MediaCommand::Candidate { link: ice.link, candidate: ice.candidate });
            return Ok(());
        }
        ice.from = self.id_of(order);
        let link = ice.link.clone();
        self.signal(peer, &link, Arc::new(ServerMessage::Ice(ice)));
        Ok(())
    }

    pub(crate) fn restart(&mut self, order: Order, restart: &Restart) -> Result<(), Refusal> {
        let link = self.link_of(order, &restart.link, restart.epoch)?;
        let (peer, served) = (link.peer_of(order), link.is_served());
        if restart.replace {
            if let Some(left) = link.too_young(self.now) {
                return Err(Refusal::TooSoon { retry_after_ms: u32::try_from(left.as_millis()).unwrap_or(u32::MAX) });
            }
            if served {
                self.replace_server_link(order);
                return Ok(());
            }
            self.close_link(&restart.link);
            self.open_link(order, peer);
            self.carry_bounds_over(order, peer);
        } else {
            self.ask_offerer(&restart.link, true);
        }
        Ok(())
    }

    /// A link that one is an end of, in the epoch it has.
    fn link_of(&self, order: Order, id: &LinkId, epoch: Epoch) -> Result<&Link, Refusal> {
        let link = self.links.get(id).filter(|link| link.is_end(order));
        let link = link.ok_or(Refusal::NotFound("there is no such link of yours (any more)"))?;
        if link.epoch != epoch {
            return Err(Refusal::Stale("the link belongs to another epoch"));
        }
        Ok(link)
    }

    /// What was told about the replaced link's tracks holds for the new one too.
    pub(crate) fn carry_bounds_over(&mut self, one: Order, other: Order) {
        let Some(link) = self.links.between(one, other).map(|link| link.id.clone()) else { return };
        for end in [one, other] {
            self.tell_bounds_again(end, &link);
        }
    }

    /// An event about a link's negotiation, to one of its ends.
    pub(crate) fn signal(&mut self, to: Order, link: &LinkId, message: Arc<ServerMessage>) {
        self.emit(to, message);
        let last = self.roster.get(to).map(|participant| participant.session.ring.last());
        if let (Some(last), Some(link)) = (last, self.links.get_mut(link)) {
            link.end_mut(to).last_signal = last;
        }
    }
}

fn candidate_bytes(candidate: &madang_protocol::IceCandidate) -> usize {
    let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    candidate.candidate.len() + optional(&candidate.sdp_mid) + optional(&candidate.username_fragment)
}
