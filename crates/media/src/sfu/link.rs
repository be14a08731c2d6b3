//! One participant's link, as the forwarder knows it.

use std::{collections::HashMap, time::Instant};

use madang_protocol::{BitsPerSecond, LinkId, ParticipantId, Subscribe, TrackId};

use super::{RoomKey, allocator::Allocator, data::Budget};
use crate::session::{Line, Session, VideoCodec};

/// A track's place among all of a forwarder.
pub(super) type TrackKey = usize;

/// One participant's link.
pub(super) struct Link {
    pub(super) name: LinkId,
    pub(super) room: RoomKey,
    pub(super) participant: ParticipantId,
    pub(super) session: Session,
    pub(super) codec: Option<VideoCodec>,
    pub(super) simulcast: bool,
    /// What it sends on which line.
    pub(super) up: HashMap<Line, TrackKey>,
    /// What it gets on which line.
    pub(super) down: HashMap<Line, TrackKey>,
    /// What it has said about tracks, those included that it does not get yet.
    pub(super) wishes: HashMap<TrackId, Subscribe>,
    pub(super) connected: bool,
    /// It has something to send that was written since it was last drained.
    pub(super) dirty: bool,
    /// Something about its lines has changed since its last offer.
    pub(super) to_offer: bool,
    /// When a check of its peer's was last answered, or when it was opened.
    pub(super) last_check: Instant,
    /// The entry in the timer wheel that comes up first.
    pub(super) wakes_at: Option<Instant>,
    /// When its session wants to be called.
    pub(super) due: Instant,
    pub(super) bandwidth: Bandwidth,
    pub(super) allocator: Allocator<TrackKey>,
    pub(super) budget: Budget,
}

/// What can be sent to a participant.
#[derive(Debug)]
pub(super) struct Bandwidth {
    /// Measured, in bits per second.
    pub(super) estimate: Option<u64>,
    /// Allowed by the room.
    pub(super) limit: Option<BitsPerSecond>,
    /// What was last asked of the estimator: minimum and desired.
    pub(super) asked: (u64, u64),
    /// When it is next divided anew.
    pub(super) divide_at: Instant,
}

impl Link {
    pub(super) fn wish(&self, track: &TrackId) -> Option<&Subscribe> {
        self.wishes.get(track)
    }
}
