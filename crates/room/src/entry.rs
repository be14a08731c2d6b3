//! Newcomers: checks, the place in the room, links to everyone.

use std::sync::Arc;

use madang_protocol::{
    Bye, ByeAction, Change, ErrorCode, Hello, IceServer, LeaveReason, LinkEvent, ParticipantEvent, ParticipantId,
    ParticipantInfo, Presence, RequestId, Role, ServerMessage, Topology, VERSION,
};

use crate::{
    codecs,
    io::{ConnectionId, Grant},
    refusal::Refusal,
    ring::Ring,
    room::Room,
    roster::{Order, Participant},
    session::{Attachment, Session},
    track, validate,
};

/// A connection that said `hello`.
pub(crate) struct Arrival {
    pub(crate) connection: ConnectionId,
    pub(crate) request: Option<RequestId>,
    pub(crate) hello: Box<Hello>,
    pub(crate) grant: Grant,
    pub(crate) ice_servers: Vec<IceServer>,
}

impl Room {
    pub(crate) fn join(&mut self, arrival: Arrival) {
        let (connection, request) = (arrival.connection, arrival.request);
        let joined = self.roster.by_connection(connection).is_some();
        if let Err(refusal) = if joined { Err(Refusal::AlreadyJoined) } else { self.enter(arrival) } {
            self.reply(connection, request, ServerMessage::Error(refusal.into_failure(!joined)));
            if !joined {
                self.close(connection);
            }
        }
    }

    fn enter(&mut self, arrival: Arrival) -> Result<(), Refusal> {
        self.refuse_while_draining()?;
        check_hello(&arrival, self)?;
        if arrival.grant.identity.as_deref().is_some_and(|identity| self.kicked.has_identity(identity)) {
            return Err(Refusal::Kicked);
        }
        if let Some(resume) = &arrival.hello.resume {
            if self.kicked.has_session(&resume.session) {
                return Err(Refusal::Kicked);
            }
            // An unknown session is one that ended, here or on a server before: a fresh join.
            if let Some(order) = self.roster.by_session(&resume.session).map(|participant| participant.order) {
                return self.resume(order, arrival);
            }
            if let Some(ticket) = self.departed.find(&resume.session) {
                if !ticket.accepts(&resume.secret) {
                    return Err(Refusal::WrongSecret);
                }
                if arrival.grant.identity.as_ref().is_some_and(|identity| *identity != ticket.identity) {
                    return Err(Refusal::ForeignSession);
                }
                return self.enter_afresh(arrival, true);
            }
        }
        self.enter_afresh(arrival, false)
    }

    /// A new place in the room. Whoever `returns` after its page closed is who it was.
    fn enter_afresh(&mut self, arrival: Arrival, returns: bool) -> Result<(), Refusal> {
        let replaced = arrival.grant.identity.as_deref().and_then(|identity| self.roster.by_identity(identity));
        let replaced = replaced.map(|participant| participant.order);
        self.check_door(&arrival, replaced, returns)?;
        let policy = self.policy_for(&arrival.hello);
        let topology = self.topology_with(policy, &arrival.hello.capabilities, replaced)?;
        self.check_codecs(&arrival.hello, topology, replaced)?;
        if topology == Topology::Mcu && !returns && replaced.is_none() {
            self.check_mixer()?;
        }
        let order = self.roster.next_order().ok_or(Refusal::Full(u32::MAX))?;
        if let Some(replaced) = replaced {
            self.depart(replaced, LeaveReason::DuplicateIdentity, Some(duplicate_identity()));
        }
        let participant = self.newcomer(order, &arrival)?;
        if self.is_new() {
            (self.policy, self.topology) = (policy, topology);
        }
        self.roster.insert(participant);
        self.settle_mix(order);
        self.tell_participant(order, Change::Added);
        self.settle_codecs();
        if !self.settle_topology("More than two people are here.") {
            self.open_links_of(order);
        }
        self.welcome(order, arrival.connection, arrival.request, arrival.ice_servers);
        Ok(())
    }

    /// What a newcomer has to meet and somebody who comes back has not.
    fn check_door(&self, arrival: &Arrival, replaced: Option<Order>, returns: bool) -> Result<(), Refusal> {
        if self.locked && !returns && replaced.is_none() && arrival.grant.role != Some(Role::Host) {
            return Err(Refusal::Locked);
        }
        let most = self.settings.limits.participants;
        if self.roster.len() - usize::from(replaced.is_some()) >= most as usize {
            return Err(Refusal::Full(most));
        }
        Ok(())
    }

    /// Checks that a client that says this shares codecs with all but `except`, or with the mixer.
    pub(crate) fn check_codecs(&self, hello: &Hello, topology: Topology, except: Option<Order>) -> Result<(), Refusal> {
        let codecs = &hello.capabilities.codecs;
        if topology == Topology::Mcu {
            codecs::admit_mixed(codecs)?;
            return self.admit_tracks_to_mixer(&codecs.video, &hello.tracks);
        }
        let others = self.roster.iter().filter(|participant| Some(participant.order) != except);
        let others = others.map(|participant| &participant.capabilities.codecs);
        codecs::admit(codecs, others, &self.settings.codecs)
    }

    fn newcomer(&mut self, order: Order, arrival: &Arrival) -> Result<Participant, Refusal> {
        let Arrival { hello, grant, .. } = arrival;
        // Only a session that `enter` has checked is still on the list.
        let ticket = hello.resume.as_ref().and_then(|resume| self.departed.take(&resume.session));
        let given = if self.roster.is_empty() { Role::Host } else { Role::Participant };
        // Coming back to nobody is coming first; else nobody gains a role by reloading.
        let former = ticket.as_ref().map(|ticket| ticket.role).filter(|_| !self.roster.is_empty()).unwrap_or(given);
        let role = grant.role.unwrap_or(former);
        let host_limit = ticket.as_ref().and_then(|ticket| ticket.host_limit);
        let (id, identity) = match ticket {
            Some(ticket) => (ticket.id, Some(ticket.identity)),
            None => (self.ids.participant(), None),
        };
        let published = if role == Role::Viewer { &[] } else { hello.tracks.as_slice() };
        let tracks = self.tracks_of(published);
        let narrowed = tracks.iter().zip(published).filter(|(_, track)| track::is_narrow(track));
        let narrowed = narrowed.map(|(info, track)| (info.id.clone(), track.codecs.clone())).collect();
        let ring = Ring::new(self.settings.ring_events, self.settings.ring_bytes);
        Ok(Participant {
            order,
            info: ParticipantInfo {
                identity: grant.identity.clone().or(identity).unwrap_or_else(|| id.0.clone()),
                id,
                name: validate::name(grant.name.as_deref().unwrap_or(&hello.name))?,
                role,
                presence: Presence::Present,
                hand: false,
                order: order.0,
                tracks,
            },
            role_is_ours: grant.role.is_none(),
            name_is_granted: grant.name.is_some(),
            capabilities: hello.capabilities.clone(),
            session: Session::new(self.ids.session(), self.ids.secret(), ring),
            granted_limit: grant.max_send_bps,
            host_limit,
            wishes: Default::default(),
            uplink: Default::default(),
            quality: Default::default(),
            mix_wish: Default::default(),
            mix_pace: Default::default(),
            mix: None,
            narrowed,
        })
    }

    /// Tells everyone how a participant is now, and the media server who they are.
    pub(crate) fn tell_participant(&mut self, order: Order, change: Change) {
        self.describe(order);
        if let Some(participant) = self.roster.get(order).map(|participant| participant.info.clone()) {
            self.broadcast(ServerMessage::Participant(ParticipantEvent { change, participant, reason: None }));
        }
    }

    /// Opens a link and tells both ends. One whose `welcome` is being made finds it there.
    pub(crate) fn open_link(&mut self, one: Order, other: Order) {
        let id = self.ids.link();
        self.links.open(id, self.topology, self.epoch, self.now, one, other);
        self.bitrates_stale = true;
        for (order, peer) in [(one, other), (other, one)] {
            if let Some(link) = self.links.between(order, peer) {
                let event = LinkEvent::Open(link.open_for(order, self.id_of(peer)));
                self.emit(order, Arc::new(ServerMessage::Link(event)));
            }
        }
    }

    pub(crate) fn id_of(&self, order: Order) -> Option<ParticipantId> {
        self.roster.get(order).map(|participant| participant.info.id.clone())
    }

    /// Attaches a connection in place of the one before, which is told and closed.
    pub(crate) fn attach(&mut self, order: Order, attachment: Attachment) {
        if let Some(former) = self.roster.attach(order, attachment) {
            self.reply(former, None, ServerMessage::Bye(duplicate_identity()));
            self.close(former);
        }
    }
}

fn check_hello(arrival: &Arrival, room: &Room) -> Result<(), Refusal> {
    let Arrival { hello, grant, .. } = arrival;
    if !hello.versions.contains(&VERSION) {
        return Err(Refusal::Version);
    }
    validate::name(grant.name.as_deref().unwrap_or(&hello.name))?;
    grant.identity.as_deref().map_or(Ok(()), validate::identity)?;
    validate::capabilities(&hello.capabilities)?;
    validate::tracks(&hello.tracks, &room.settings.limits)
}

fn duplicate_identity() -> Bye {
    Bye {
        action: ByeAction::Stop,
        code: Some(ErrorCode::DuplicateIdentity),
        message: "Somebody joined this room elsewhere with the same identity or session.".to_owned(),
        retry_after_ms: None,
    }
}
