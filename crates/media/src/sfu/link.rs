//! One participant's link, as the forwarder knows it.

use std::{collections::HashMap, time::Instant};

use madang_protocol::{BitsPerSecond, LinkId, ParticipantId, Person, Subscribe, TrackId};
use smallvec::SmallVec;

use super::{
    RoomKey,
    allocator::{Allocator, Shortage},
    data::Budget,
    demux,
    mixing::LinkMix,
    newcomers::Newcomers,
};
use crate::session::{INITIAL_ESTIMATE, Line, Session, VideoCodec};

/// How many estimates have to agree on a rise: those of a second and a half.
const STEADY: usize = 8;

/// An estimate that falls to less than this share of what is sent goes on falling.
const STEEP_PERCENT: u64 = 75;

/// A path that loses more than this share has something wrong.
const MOST_LOSS: f32 = 0.02;

/// What becomes of what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    /// Nothing is sent, or nobody tells.
    Silent,
    /// All of it arrives.
    Clean,
    /// A part is lost.
    Lossy,
}

impl Path {
    /// By the share of the last second that was lost.
    pub(super) fn of(loss: Option<f32>) -> Self {
        match loss {
            None => Self::Silent,
            Some(loss) if loss > MOST_LOSS => Self::Lossy,
            Some(_) => Self::Clean,
        }
    }
}

/// A track's place among all of a forwarder.
pub(super) type TrackKey = usize;

/// One participant's link.
pub(super) struct Link {
    pub(super) name: LinkId,
    pub(super) room: RoomKey,
    pub(super) participant: ParticipantId,
    pub(super) session: Session,
    /// Who that is, as the mixer shows them.
    pub(super) person: Person,
    pub(super) codec: Option<VideoCodec>,
    /// What it would get a mix in.
    pub(super) mix_codec: Option<VideoCodec>,
    /// The codec of each payload type in which it may send pictures.
    pub(super) types: SmallVec<[(u8, VideoCodec); 8]>,
    /// The mix that it gets in place of everybody's tracks.
    pub(super) mix: Option<LinkMix>,
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
    /// The way of what was sent last, answers to checks aside: the pair that ICE has chosen.
    pub(super) in_use: Option<demux::Path>,
    pub(super) newcomers: Newcomers,
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
    pub(super) estimate: u64,
    /// The last estimates, the newest at the end.
    recent: SmallVec<[u64; STEADY]>,
    /// Allowed by the room.
    pub(super) limit: Option<BitsPerSecond>,
    /// What the estimator was last asked to find out.
    pub(super) desired: u64,
    /// What was last given to all tracks together.
    pub(super) used: u64,
    /// What the lowest step of each would have taken.
    pub(super) least: u64,
    pub(super) shortage: Shortage,
    pub(super) path: Path,
    /// When it is next divided anew.
    pub(super) divide_at: Instant,
}

impl Bandwidth {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            estimate: INITIAL_ESTIMATE,
            recent: SmallVec::new(),
            limit: None,
            desired: 0,
            used: 0,
            least: 0,
            shortage: Shortage::None,
            path: Path::Silent,
            divide_at: now,
        }
    }

    /// Takes an estimate; returns the one before.
    pub(super) fn estimated(&mut self, estimate: u64) -> u64 {
        if self.recent.len() == STEADY {
            self.recent.remove(0);
        }
        self.recent.push(estimate);
        std::mem::replace(&mut self.estimate, estimate)
    }

    /// What can be divided. On a slow path estimates go up and down by half: to rise by one takes
    /// some that agree, except where nothing is to be seen. What is given varies by a tenth.
    pub(super) fn available(&self) -> u64 {
        if self.shortage == Shortage::All {
            return self.estimate;
        }
        let lowest = self.recent.iter().copied().min().unwrap_or(self.estimate);
        self.estimate.min(lowest.max(self.used / 10 * 11))
    }

    /// After a fall estimates go on falling for seconds: nothing rises on the way.
    pub(super) fn is_falling(&self) -> bool {
        let highest = self.recent.iter().copied().max().unwrap_or(self.estimate);
        self.shortage != Shortage::All && self.estimate < highest / 100 * STEEP_PERCENT
    }

    /// What to reckon with after a fall from `former`. Half of what an estimate is made of is
    /// older than the fall, so a steep one goes on, and a second change of layers would cost
    /// another keyframe on a path that is full: better too low for a second. No picture is
    /// paused on a suspicion, though.
    pub(super) fn expected(&self, former: u64) -> u64 {
        let steep = self.estimate < self.used.min(former) / 100 * STEEP_PERCENT;
        if steep { (self.estimate / 4).max(self.least.min(self.estimate)) } else { self.available() }
    }
}

impl Link {
    /// What a packet of its pictures is encoded in.
    pub(super) fn codec_of(&self, payload_type: u8) -> Option<VideoCodec> {
        self.types.iter().find(|(of, _)| *of == payload_type).map(|(_, codec)| *codec)
    }

    /// Whether it gets everybody's tracks.
    pub(super) fn takes_others(&self) -> bool {
        self.mix.as_ref().is_none_or(LinkMix::takes_others)
    }

    pub(super) fn wish(&self, track: &TrackId) -> Option<&Subscribe> {
        self.wishes.get(track)
    }
}
