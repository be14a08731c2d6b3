//! The picture of the room that `welcome` and the events after it draw.

use std::collections::BTreeMap;

use madang_protocol::{
    Change, LinkEvent, LinkId, OpenLink, ParticipantEvent, ParticipantId, ParticipantInfo, TrackEvent, TrackInfo,
    Welcome,
};

use super::io::Event;

/// Everyone in the room, this client among them, and its links.
#[derive(Debug, Default)]
pub struct Roster {
    me: Option<ParticipantId>,
    participants: BTreeMap<ParticipantId, ParticipantInfo>,
    links: BTreeMap<LinkId, OpenLink>,
}

impl Roster {
    /// Who this client is, once inside.
    #[must_use]
    pub const fn me(&self) -> Option<&ParticipantId> {
        self.me.as_ref()
    }

    /// Everyone, this client among them.
    pub fn participants(&self) -> impl Iterator<Item = &ParticipantInfo> {
        self.participants.values()
    }

    /// A track and whose it is.
    #[must_use]
    pub fn track(&self, id: &madang_protocol::TrackId) -> Option<(&ParticipantInfo, &TrackInfo)> {
        self.participants.values().find_map(|participant| {
            participant.tracks.iter().find(|track| track.id == *id).map(|track| (participant, track))
        })
    }

    /// This client's own track of that name.
    #[must_use]
    pub fn own_track(&self, cid: &str) -> Option<&TrackInfo> {
        self.participants.get(self.me.as_ref()?)?.tracks.iter().find(|track| track.cid == cid)
    }

    /// A link of this client.
    #[must_use]
    pub fn link(&self, link: &LinkId) -> Option<&OpenLink> {
        self.links.get(link)
    }

    /// Takes a new picture; what differs from the former comes out as events.
    pub(super) fn welcome(&mut self, welcome: &Welcome, events: &mut Vec<Event>) {
        let former_me = self.me.replace(welcome.me.id.clone());
        let mut former = std::mem::take(&mut self.participants);
        if former_me.is_some_and(|id| id != welcome.me.id) {
            // Links and tracks of a former self are gone.
            former.clear();
        }
        for participant in welcome.participants.iter().chain([&welcome.me]) {
            let is_me = participant.id == welcome.me.id;
            let known = former.remove(&participant.id);
            compare(known, participant, is_me, events);
            self.participants.insert(participant.id.clone(), participant.clone());
        }
        events.extend(former.into_values().map(|left| Event::ParticipantLeft(left, None)));

        let former = std::mem::take(&mut self.links);
        self.links = welcome.links.iter().map(|link| (link.link.clone(), link.clone())).collect();
        let closed = former.keys().filter(|link| !self.links.contains_key(*link));
        events.extend(closed.cloned().map(Event::LinkClosed));
        let opened = self.links.values().filter(|link| !former.contains_key(&link.link));
        events.extend(opened.cloned().map(Event::LinkOpened));
    }

    pub(super) fn participant(&mut self, event: ParticipantEvent, events: &mut Vec<Event>) {
        let ParticipantEvent { change, participant, reason } = event;
        match change {
            Change::Removed => {
                self.participants.remove(&participant.id);
                events.push(Event::ParticipantLeft(participant, reason));
            }
            Change::Added | Change::Changed => {
                let known = self.participants.insert(participant.id.clone(), participant.clone());
                compare(known, &participant, self.me.as_ref() == Some(&participant.id), events);
            }
        }
    }

    pub(super) fn track_event(&mut self, event: TrackEvent, events: &mut Vec<Event>) {
        let TrackEvent { change, participant, track, .. } = event;
        if let Some(owner) = self.participants.get_mut(&participant) {
            owner.tracks.retain(|known| known.id != track.id);
            if change != Change::Removed {
                owner.tracks.push(track.clone());
            }
        }
        events.push(match change {
            Change::Added => Event::TrackAdded(participant, track),
            Change::Changed => Event::TrackChanged(participant, track),
            Change::Removed => Event::TrackRemoved(participant, track),
        });
    }

    pub(super) fn link_event(&mut self, event: LinkEvent, events: &mut Vec<Event>) {
        match event {
            LinkEvent::Open(link) => {
                self.links.insert(link.link.clone(), link.clone());
                events.push(Event::LinkOpened(link));
            }
            LinkEvent::Close { link, .. } => {
                self.links.remove(&link);
                events.push(Event::LinkClosed(link));
            }
        }
    }
}

/// What of a participant is new.
fn compare(known: Option<ParticipantInfo>, now: &ParticipantInfo, is_me: bool, events: &mut Vec<Event>) {
    let Some(known) = known else {
        if !is_me {
            events.push(Event::ParticipantJoined(now.clone()));
        }
        events.extend(now.tracks.iter().cloned().map(|track| Event::TrackAdded(now.id.clone(), track)));
        return;
    };
    let without_tracks = |info: &ParticipantInfo| ParticipantInfo { tracks: Vec::new(), ..info.clone() };
    if without_tracks(&known) != without_tracks(now) {
        events.push(Event::ParticipantChanged(now.clone()));
    }
    for track in &now.tracks {
        match known.tracks.iter().find(|former| former.id == track.id) {
            None => events.push(Event::TrackAdded(now.id.clone(), track.clone())),
            Some(former) if former != track => events.push(Event::TrackChanged(now.id.clone(), track.clone())),
            Some(_) => {}
        }
    }
    let gone = known.tracks.iter().filter(|former| now.tracks.iter().all(|track| track.id != former.id));
    events.extend(gone.cloned().map(|track| Event::TrackRemoved(now.id.clone(), track)));
}
