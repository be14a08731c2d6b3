//! Losing a connection, leaving, being removed.

use std::{sync::Arc, time::Instant};

use madang_protocol::{
    Bye, ByeAction, Change, ConnectionQuality, Done, LeaveReason, LinkEvent, LinkId, MediaCommand, ParticipantEvent,
    Presence, Quality, RequestId, Role, ServerMessage,
};

use crate::{
    io::ConnectionId,
    room::{Answer, Room, Timer},
    roster::{Order, Participant},
    session::Attachment,
};

impl Room {
    /// The connection is gone; the participant has the grace to come back.
    pub(crate) fn disconnected(&mut self, now: Instant, connection: ConnectionId) {
        let Some(order) = self.roster.by_connection(connection) else { return };
        let until = now + self.settings.resume_grace;
        self.roster.attach(order, Attachment::Away { until });
        self.timers.insert(Timer::Grace(order), until);
        self.timers.remove(&Timer::Bitrate(order));
        let Some(participant) = self.roster.get_mut(order) else { return };
        participant.info.presence = Presence::Away;
        let quality = Quality { participant: participant.info.id.clone(), quality: ConnectionQuality::Lost };
        self.tell_participant(order, Change::Changed);
        self.tell_everyone(ServerMessage::Quality(quality));
    }

    /// The page closed: the participant is out, but may come back as who it was.
    pub(crate) fn page_closed(&mut self, now: Instant, connection: ConnectionId) {
        let Some(order) = self.roster.by_connection(connection) else { return };
        let until = now + self.settings.resume_grace;
        self.roster.attach(order, Attachment::Away { until });
        let Some(gone) = self.depart(order, LeaveReason::Left, None) else { return };
        self.departed.keep(gone, until);
        self.departed_over(now);
    }

    /// Forgets those who did not come back in time.
    pub(crate) fn departed_over(&mut self, now: Instant) {
        self.departed.expire(now);
        match self.departed.next() {
            Some(until) => self.timers.insert(Timer::Departed, until),
            None => self.timers.remove(&Timer::Departed),
        };
    }

    pub(crate) fn grace_over(&mut self, order: Order) {
        self.depart(order, LeaveReason::Lost, None);
    }

    pub(crate) fn leave(&mut self, order: Order, re: Option<RequestId>) -> Answer {
        let connection = self.roster.get(order).and_then(|participant| participant.session.connection());
        if let (Some(connection), Some(_)) = (connection, re) {
            self.reply(connection, re, ServerMessage::Ok(Done::default()));
        }
        let bye = Bye { action: ByeAction::Stop, code: None, message: "Goodbye.".to_owned(), retry_after_ms: None };
        self.depart(order, LeaveReason::Left, Some(bye));
        Answer::Nothing
    }

    /// Removes a participant: its connection with `farewell`, its links, its tracks, its place.
    pub(crate) fn depart(&mut self, order: Order, reason: LeaveReason, farewell: Option<Bye>) -> Option<Participant> {
        let gone = self.roster.remove(order)?;
        if let Some(connection) = gone.session.connection() {
            if let Some(bye) = farewell {
                self.reply(connection, None, ServerMessage::Bye(bye));
            }
            self.close(connection);
        }
        self.timers.remove(&Timer::Grace(order));
        self.timers.remove(&Timer::Bitrate(order));
        self.timers.remove(&Timer::Mix(order));
        for link in self.links.ids_of(order) {
            self.close_link(&link);
        }
        self.speakers.retain(|speaker| *speaker != gone.info.id);
        for track in &gone.info.tracks {
            self.forget_track(&track.id);
        }
        let participant = gone.info.clone();
        let event = ParticipantEvent { change: Change::Removed, participant, reason: Some(reason) };
        self.broadcast(ServerMessage::Participant(event));
        self.settle_codecs();
        self.settle_host();
        Some(gone)
    }

    /// Closes a link and tells those of its ends that are still inside.
    pub(crate) fn close_link(&mut self, id: &LinkId) {
        let Some(link) = self.links.close(id) else { return };
        self.bitrates_stale = true;
        if link.is_served() {
            self.timers.remove(&Timer::Mend(link.answerer()));
            self.command(MediaCommand::CloseLink { link: link.id.clone() });
        }
        let message = Arc::new(ServerMessage::Link(LinkEvent::Close { link: link.id.clone(), epoch: link.epoch }));
        for order in [link.offerer(), link.answerer()] {
            self.emit(order, Arc::clone(&message));
        }
    }

    /// Hands on the host's role where the last one left and the room gives the roles.
    pub(crate) fn settle_host(&mut self) {
        let Some(heir) = self.roster.heir() else { return };
        if let Some(participant) = self.roster.get_mut(heir) {
            participant.info.role = Role::Host;
            self.tell_participant(heir, Change::Changed);
        }
    }

    /// Something that is not an event, to everyone connected.
    pub(crate) fn tell_everyone(&mut self, message: ServerMessage) {
        let message = Arc::new(message);
        for order in self.roster.orders() {
            self.tell(order, Arc::clone(&message));
        }
    }
}
