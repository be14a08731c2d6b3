//! A link to the server, as the room knows it.

use std::{collections::BTreeMap, sync::Arc};

use madang_protocol::{MixState, Person, ServerMessage, TrackId};

/// What the media server said of a link that it is one end of.
#[derive(Debug, Default)]
pub(crate) struct Served {
    pub(crate) reach: Reach,
    /// It stands in for a link whose answer the media server refused.
    pub(crate) is_second_try: bool,
    /// Who is at the other end, as the media server was told.
    pub(crate) person: Person,
    /// The video codec that the participant sends on it.
    pub(crate) video_codec: Option<String>,
    /// How the mix is made that the participant gets, as the media server said last.
    pub(crate) mix_state: Option<MixState>,
    /// The newest offer, until it is answered.
    pub(crate) offer: Option<Arc<ServerMessage>>,
    /// What the participant was last told of each of its own tracks.
    demands: BTreeMap<TrackId, Arc<ServerMessage>>,
    /// What the participant was last told of each track that is forwarded to it.
    deliveries: BTreeMap<TrackId, Arc<ServerMessage>>,
}

/// How far a link to the server has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reach {
    #[default]
    Connecting,
    Connected,
    /// The media server has given it up; it waits to be replaced.
    Broken,
}

impl Served {
    pub(crate) fn demand(&mut self, track: TrackId, message: Arc<ServerMessage>) {
        self.demands.insert(track, message);
    }

    pub(crate) fn delivery(&mut self, track: TrackId, message: Arc<ServerMessage>) {
        self.deliveries.insert(track, message);
    }

    pub(crate) fn forget(&mut self, track: &TrackId) {
        self.demands.remove(track);
        self.deliveries.remove(track);
    }

    /// The mix comes in place of everybody's tracks, or those again.
    pub(crate) fn receives_other_tracks(&mut self) {
        self.deliveries.clear();
        self.mix_state = None;
    }

    /// What the participant was told of tracks, to be told again after a resume.
    pub(crate) fn told(&self) -> impl Iterator<Item = Arc<ServerMessage>> {
        self.demands.values().chain(self.deliveries.values()).cloned()
    }
}
