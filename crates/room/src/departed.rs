//! Those whose page closed: out of the room at once, but welcome back as who they were.
//!
//! A browser that closes or reloads a page says so in the WebSocket's close (code 1001,
//! RFC 6455 §7.4.1). Its media is gone with the page, so nobody should look at an empty tile for
//! the whole grace; but after a reload the same person is back within seconds.

use std::{collections::VecDeque, time::Instant};

use madang_protocol::{BitsPerSecond, ParticipantId, Role, SessionId};

use crate::{roster::Participant, session::Session};

/// More than a room has people who reload at once; it bounds what a stream of visitors leaves.
const KEPT: usize = 64;

/// What somebody who comes back keeps.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) id: ParticipantId,
    pub(crate) identity: String,
    pub(crate) role: Role,
    pub(crate) host_limit: Option<BitsPerSecond>,
    session: Session,
    until: Instant,
}

/// The tickets of a room, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Departed(VecDeque<Ticket>);

impl Departed {
    pub(crate) fn keep(&mut self, gone: Participant, until: Instant) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(Ticket {
            id: gone.info.id,
            identity: gone.info.identity,
            role: gone.info.role,
            host_limit: gone.host_limit,
            session: gone.session,
            until,
        });
    }

    pub(crate) fn find(&self, session: &SessionId) -> Option<&Ticket> {
        self.0.iter().find(|ticket| ticket.session.id == *session)
    }

    pub(crate) fn take(&mut self, session: &SessionId) -> Option<Ticket> {
        let place = self.0.iter().position(|ticket| ticket.session.id == *session)?;
        self.0.remove(place)
    }

    /// Forgets those whose grace is over.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.0.retain(|ticket| ticket.until > now);
    }

    /// When the next grace is over.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.iter().map(|ticket| ticket.until).min()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Ticket {
    pub(crate) fn accepts(&self, secret: &str) -> bool {
        self.session.accepts(secret)
    }
}
