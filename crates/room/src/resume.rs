//! Sessions taken up again.

use std::sync::Arc;

use madang_protocol::{
    Change, IceServer, IceServers, Presence, Quality, RequestId, Resumed, Seq, ServerMessage, TrackId,
};

use crate::{
    entry::Arrival,
    io::ConnectionId,
    refusal::Refusal,
    room::{Room, Timer},
    roster::Order,
    session::Attachment,
    topology, validate,
};

impl Room {
    pub(crate) fn resume(&mut self, order: Order, arrival: Arrival) -> Result<(), Refusal> {
        let Arrival { connection, request, hello, grant, ice_servers } = arrival;
        let Some(resume) = &hello.resume else { return Err(Refusal::Malformed("`resume` is missing")) };
        let participant = self.roster.get(order).ok_or(Refusal::NotFound("the session has ended"))?;
        if !participant.session.accepts(&resume.secret) {
            return Err(Refusal::WrongSecret);
        }
        if grant.identity.as_ref().is_some_and(|identity| *identity != participant.info.identity) {
            return Err(Refusal::ForeignSession);
        }
        let name = validate::name(grant.name.as_deref().unwrap_or(&hello.name))?;
        if resume.last_s.is_none() {
            self.check_codecs(&hello, self.topology, Some(order))?;
            topology::admit(self.topology, [&hello.capabilities].into_iter())?;
        }
        self.timers.remove(&Timer::Grace(order));
        // Limits may have changed while nobody could be told.
        self.bitrates_stale = true;
        let next = self.ids.secret();
        if let Some(participant) = self.roster.get_mut(order) {
            participant.session.rotate(&resume.secret, next);
            participant.granted_limit = grant.max_send_bps;
        }
        match resume.last_s {
            Some(heard) => self.take_up(order, connection, request, heard, ice_servers),
            None => self.start_over(order, connection, request, &hello, name, ice_servers),
        }
        Ok(())
    }

    /// The client kept its state: links and tracks stay.
    fn take_up(
        &mut self,
        order: Order,
        connection: ConnectionId,
        request: Option<RequestId>,
        heard: Seq,
        ice_servers: Vec<IceServer>,
    ) {
        let missed = self.roster.get(order).and_then(|participant| participant.session.ring.after(heard));
        let Some(missed) = missed else {
            self.attach(order, Attachment::Joining);
            self.say_resumed(order, connection, request, false);
            self.come_back(order);
            self.begin_ring_anew(order);
            self.welcome(order, connection, None, ice_servers);
            self.mend_links(order, heard);
            return;
        };
        self.attach(order, Attachment::Connected(connection));
        self.say_resumed(order, connection, request, true);
        for (s, event) in missed {
            self.replay(connection, s, event);
        }
        self.tell(order, Arc::new(ServerMessage::IceServers(IceServers { ice_servers })));
        self.come_back(order);
        self.tell_unnumbered(order);
    }

    /// The client lost its state (a reloaded page): its tracks and links go, new ones come.
    fn start_over(
        &mut self,
        order: Order,
        connection: ConnectionId,
        request: Option<RequestId>,
        hello: &madang_protocol::Hello,
        name: String,
        ice_servers: Vec<IceServer>,
    ) {
        self.attach(order, Attachment::Joining);
        // Its requests went with its state: what it sends now counts from 1 again.
        if let Some(participant) = self.roster.get_mut(order) {
            participant.session.last_request = None;
        }
        self.say_resumed(order, connection, request, false);
        let former: Vec<TrackId> = self.tracks_at(order);
        for track in former {
            self.remove_track(order, &track);
        }
        for link in self.links.ids_of(order) {
            self.close_link(&link);
        }
        if let Some(participant) = self.roster.get_mut(order) {
            participant.info.name = name;
            participant.info.hand = false;
            participant.capabilities = hello.capabilities.clone();
            participant.wishes.clear();
            participant.uplink = Default::default();
            participant.quality = Default::default();
        }
        self.come_back(order);
        self.tell_participant(order, Change::Changed);
        self.add_tracks(order, &hello.tracks);
        self.settle_codecs();
        self.open_links_of(order);
        self.begin_ring_anew(order);
        self.welcome(order, connection, None, ice_servers);
    }

    fn say_resumed(&mut self, order: Order, connection: ConnectionId, request: Option<RequestId>, replay: bool) {
        let Some(session) = self.roster.get(order).map(|participant| &participant.session) else { return };
        let resumed = Resumed { secret: session.reveal_secret(), replay, last_id: session.last_request };
        self.reply(connection, request, ServerMessage::Resumed(resumed));
    }

    /// Tells everyone that somebody who was away is present again. What broke meanwhile is mended.
    fn come_back(&mut self, order: Order) {
        self.be_present(order);
        self.mend_server_link(order);
    }

    fn be_present(&mut self, order: Order) {
        let Some(participant) = self.roster.get_mut(order) else { return };
        if participant.info.presence == Presence::Present {
            return;
        }
        participant.info.presence = Presence::Present;
        let quality = Quality { participant: participant.info.id.clone(), quality: participant.quality.on_return() };
        self.tell_participant(order, Change::Changed);
        self.tell_everyone(ServerMessage::Quality(quality));
    }

    fn begin_ring_anew(&mut self, order: Order) {
        if let Some(participant) = self.roster.get_mut(order) {
            participant.session.ring.begin_anew();
        }
    }
}
