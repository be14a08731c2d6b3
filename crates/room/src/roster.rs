//! Who is in the room, in the order in which they came.

use std::collections::{BTreeMap, HashMap};

use madang_protocol::{
    BitsPerSecond, Capabilities, Mix, ParticipantId, ParticipantInfo, Person, Presence, Role, SessionId, TrackId,
    TrackInfo,
};

use crate::{
    bandwidth::Uplink,
    io::ConnectionId,
    mix::{MixPace, MixWish},
    quality::Gauge,
    session::{Attachment, Session},
    subscription::Wishes,
};

/// A participant's place in the room, never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Order(pub(crate) u32);

/// The server as an end of links: it was there before everyone, so it makes their offers.
pub(crate) const SERVER: Order = Order(0);

#[derive(Debug)]
pub(crate) struct Participant {
    pub(crate) order: Order,
    /// As everyone sees it.
    pub(crate) info: ParticipantInfo,
    /// Whether the room gives this participant its role (no token did).
    pub(crate) role_is_ours: bool,
    /// Whether a token gave the name, so that nobody passes for somebody else.
    pub(crate) name_is_granted: bool,
    pub(crate) capabilities: Capabilities,
    pub(crate) session: Session,
    pub(crate) granted_limit: Option<BitsPerSecond>,
    pub(crate) host_limit: Option<BitsPerSecond>,
    pub(crate) wishes: Wishes,
    pub(crate) uplink: Uplink,
    pub(crate) quality: Gauge,
    pub(crate) mix_wish: MixWish,
    pub(crate) mix_pace: MixPace,
    /// The mix that it gets, as it was told.
    pub(crate) mix: Option<Mix>,
    /// What those of its tracks can be sent in that can't be in all of its codecs.
    pub(crate) narrowed: HashMap<TrackId, Vec<String>>,
}

impl Participant {
    pub(crate) fn track(&self, id: &TrackId) -> Option<&TrackInfo> {
        self.info.tracks.iter().find(|track| track.id == *id)
    }

    pub(crate) fn is_present(&self) -> bool {
        self.info.presence == Presence::Present
    }

    /// As the mixer shows them: viewers have no tile.
    pub(crate) fn person(&self) -> Person {
        Person { name: self.info.name.clone(), is_shown: self.info.role != Role::Viewer }
    }

    /// The most that it may send by what concerns it alone.
    pub(crate) fn limit(&self) -> Option<BitsPerSecond> {
        self.granted_limit.into_iter().chain(self.host_limit).min()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Roster {
    participants: BTreeMap<Order, Participant>,
    by_id: HashMap<ParticipantId, Order>,
    by_session: HashMap<SessionId, Order>,
    by_connection: HashMap<ConnectionId, Order>,
    joins: u32,
}

impl Roster {
    /// The place of the next to come, or `None` after 2³² joins.
    pub(crate) fn next_order(&mut self) -> Option<Order> {
        self.joins = self.joins.checked_add(1)?;
        Some(Order(self.joins))
    }

    pub(crate) fn insert(&mut self, participant: Participant) {
        let order = participant.order;
        self.by_id.insert(participant.info.id.clone(), order);
        self.by_session.insert(participant.session.id.clone(), order);
        self.participants.insert(order, participant);
    }

    pub(crate) fn remove(&mut self, order: Order) -> Option<Participant> {
        let participant = self.participants.remove(&order)?;
        self.by_id.remove(&participant.info.id);
        self.by_session.remove(&participant.session.id);
        if let Some(connection) = participant.session.connection() {
            self.by_connection.remove(&connection);
        }
        Some(participant)
    }

    /// Changes how a participant's session is attached, and returns the connection it had.
    pub(crate) fn attach(&mut self, order: Order, attachment: Attachment) -> Option<ConnectionId> {
        let participant = self.participants.get_mut(&order)?;
        let former = participant.session.connection();
        if let Some(connection) = former {
            self.by_connection.remove(&connection);
        }
        participant.session.attachment = attachment;
        if let Attachment::Connected(connection) = attachment {
            self.by_connection.insert(connection, order);
        }
        former
    }

    pub(crate) fn get(&self, order: Order) -> Option<&Participant> {
        self.participants.get(&order)
    }

    pub(crate) fn get_mut(&mut self, order: Order) -> Option<&mut Participant> {
        self.participants.get_mut(&order)
    }

    pub(crate) fn by_id(&self, id: &ParticipantId) -> Option<&Participant> {
        self.participants.get(self.by_id.get(id)?)
    }

    pub(crate) fn by_session(&self, id: &SessionId) -> Option<&Participant> {
        self.participants.get(self.by_session.get(id)?)
    }

    pub(crate) fn by_identity(&self, identity: &str) -> Option<&Participant> {
        self.participants.values().find(|participant| participant.info.identity == identity)
    }

    pub(crate) fn by_connection(&self, connection: ConnectionId) -> Option<Order> {
        self.by_connection.get(&connection).copied()
    }

    pub(crate) fn track_owner(&self, id: &TrackId) -> Option<&Participant> {
        self.participants.values().find(|participant| participant.track(id).is_some())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Participant> + Clone {
        self.participants.values()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Participant> {
        self.participants.values_mut()
    }

    pub(crate) fn orders(&self) -> Vec<Order> {
        self.participants.keys().copied().collect()
    }

    pub(crate) fn others(&self, than: Order) -> Vec<Order> {
        self.participants.keys().copied().filter(|order| *order != than).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.participants.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.participants.is_empty()
    }

    /// Who becomes host when the room gives the roles and has lost its last one: the longest
    /// there, those present and those who may publish first.
    pub(crate) fn heir(&self) -> Option<Order> {
        if self.iter().any(|participant| participant.info.role == Role::Host) {
            return None;
        }
        self.iter()
            .filter(|participant| participant.role_is_ours)
            .min_by_key(|heir| (!heir.is_present(), heir.info.role == Role::Viewer, heir.order))
            .map(|heir| heir.order)
    }
}
