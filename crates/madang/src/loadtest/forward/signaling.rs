//! The seam behind which servers differ: how clients come into a room.

use madang_protocol::TrackKind;

use super::{
    engine::{Engine, Failure},
    stream::{Plan, StreamId},
};

/// A track that a participant publishes.
#[derive(Clone, Debug)]
pub(crate) struct Track {
    pub(crate) kind: TrackKind,
    /// One for each layer, from the smallest; they are the streams from `first` on.
    pub(crate) plans: Vec<Plan>,
    pub(crate) first: StreamId,
}

impl Track {
    /// The RIDs of its layers, from the smallest; none for one layer.
    pub(crate) fn rids(&self) -> &'static [&'static str] {
        match self.plans.len() {
            0 | 1 => &[],
            2 => &["l", "h"],
            _ => &["l", "m", "h"],
        }
    }
}

/// Somebody who takes part.
#[derive(Clone, Debug)]
pub(crate) struct Participant {
    pub(crate) name: String,
    pub(crate) tracks: Vec<Track>,
    /// Everybody else's tracks are sent to it.
    pub(crate) receives: bool,
}

/// Brings participants into one room of a server. Sessions and media are the engine's.
pub(crate) trait Signaling {
    /// Brings them all in, and returns when every offer has been answered.
    fn join(&mut self, engine: &Engine, participants: &[Participant]) -> Result<(), Failure>;

    /// Takes what the server has said since, so that its queues stay short.
    fn tend(&mut self) -> Result<(), Failure>;
}
