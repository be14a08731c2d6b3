//! What a room's core and the media server that carries its links tell each other. These
//! messages stay inside the server (and, in a cluster, between servers): clients see none.
//!
//! The room commands and media answers with events. Every one of them names its link, whose name
//! is never used twice, so that a late one is recognised and dropped.

use std::collections::BTreeMap;

use crate::{
    BitsPerSecond, Delivery, IceCandidate, LinkId, Mid, Mix, MixState, Negotiation, ParticipantId, Rid, Subscribe,
    TrackId, TrackInfo,
};

/// What a room wants of the media server.
#[derive(Clone, Debug, PartialEq)]
pub enum MediaCommand {
    /// Opens a link to a participant: the server offers on it. It is given everybody's tracks.
    OpenLink(OpenMediaLink),
    /// Closes a link and withdraws what was published on it. Every link that was opened is closed
    /// by this or by `End`, one that failed too.
    CloseLink {
        /// Which.
        link: LinkId,
    },
    /// The participant's answer to an offer.
    Answer {
        /// On which link.
        link: LinkId,
        /// Which offer it answers.
        n: Negotiation,
        /// The session description, RFC 8866.
        sdp: String,
    },
    /// A candidate of the participant's, or `None` for the last of its generation.
    Candidate {
        /// On which link.
        link: LinkId,
        /// The candidate.
        candidate: Option<IceCandidate>,
    },
    /// The participant asks for an ICE restart: a new offer follows.
    RestartIce {
        /// Which link.
        link: LinkId,
    },
    /// The participant at the other end of a link publishes a track: it is offered to be
    /// received on that link, and forwarded on all others of the room.
    AddTrack {
        /// The publisher's link.
        link: LinkId,
        /// The track.
        track: TrackInfo,
    },
    /// A track is withdrawn.
    RemoveTrack {
        /// Which.
        track: TrackId,
    },
    /// A track was muted or unmuted by its publisher.
    MuteTrack {
        /// Which.
        track: TrackId,
        /// Whether it is silent or dark from now on.
        muted: bool,
    },
    /// How a participant watches a track of somebody else. Tracks never named are watched; a
    /// wish ends with the track or the watcher's link, and is said again when either is replaced.
    Watch {
        /// The watcher's link.
        link: LinkId,
        /// Which track, and how.
        wish: Subscribe,
    },
    /// Who a participant is, as the mixer shows them.
    Describe {
        /// Their link.
        link: LinkId,
        /// Who.
        person: Person,
    },
    /// A participant gets the mix in place of everybody's tracks, or those again. Also changes a
    /// mix that it gets. The old goes on until the new flows.
    Mix {
        /// Their link.
        link: LinkId,
        /// Which mix; `None` for everybody's tracks.
        mix: Option<Mix>,
    },
    /// The most to send to and to receive from a participant in all; `None` lifts the limit.
    Limit {
        /// Whose link.
        link: LinkId,
        /// Towards the participant.
        max_receive_bps: Option<BitsPerSecond>,
    },
    /// The room ends: its links and tracks are forgotten.
    End,
}

/// A link to a participant.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenMediaLink {
    /// Its name.
    pub link: LinkId,
    /// Whose it is.
    pub participant: ParticipantId,
    /// Who that is, as the mixer shows them.
    pub person: Person,
    /// The video codec that it sends, as in [`crate::Codecs`], and gets everybody's tracks in. In a
    /// room that forwards it is the same for all. `None` where there is none.
    pub video_codec: Option<String>,
    /// The video codec that it would get a mix in: one that the mixer encodes, `VP8` or `H264`.
    /// `None` where it knows neither.
    pub mix_codec: Option<String>,
    /// The mix that it gets in place of everybody's tracks, from the beginning.
    pub mix: Option<Mix>,
    /// Whether the participant can send several layers of a picture by RID.
    pub simulcast: bool,
}

/// Somebody, as the mixer shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// The name on their tile.
    pub name: String,
    /// They have a tile, be it with an avatar. Viewers have none.
    pub is_shown: bool,
}

/// What the media server tells a room.
#[derive(Clone, Debug, PartialEq)]
pub enum MediaEvent {
    /// An offer for a link's participant.
    Offer {
        /// On which link.
        link: LinkId,
        /// Its number, from 1.
        n: Negotiation,
        /// The session description, RFC 8866, with the server's candidates.
        sdp: String,
        /// The track of each media description: the participant's own where it is to send
        /// (`recvonly` in this offer), somebody else's where it is to receive (`sendonly`).
        tracks: BTreeMap<Mid, TrackId>,
    },
    /// An answer was no answer: what is wrong with it, for people.
    AnswerRefused {
        /// On which link.
        link: LinkId,
        /// Which offer it answered.
        n: Negotiation,
        /// What is wrong.
        why: String,
    },
    /// ICE and DTLS are done: media flows on a link.
    Connected {
        /// Which.
        link: LinkId,
    },
    /// A link is gone for good: no checks for 15 s (RFC 7675 in spirit), a DTLS failure, or the
    /// participant closed it. The room opens another where the participant is still there.
    Failed {
        /// Which.
        link: LinkId,
        /// Why, for logs.
        why: String,
    },
    /// Which of a track's layers somebody watches, and how large at most: once after each
    /// [`MediaCommand::AddTrack`], and when it changes. (A track keeps its name when its link is
    /// replaced, so only the first word after that makes good what is late.)
    Demand {
        /// Which track.
        track: TrackId,
        /// By RID; empty when nobody watches it. `None` means all.
        layers: Option<Vec<Rid>>,
        /// The largest height in pixels on anybody's screen, where known.
        max_height: Option<u32>,
    },
    /// How the mix is made that a link gets.
    MixState {
        /// Which link.
        link: LinkId,
        /// How.
        state: MixState,
    },
    /// The mixer takes new viewers, or none for now: then with the reason, for people.
    MixFull {
        /// Why it takes none; `None` when it does again.
        why: Option<String>,
    },
    /// In which layer a track is forwarded on a link.
    Delivery(Delivery),
    /// Who speaks, loudest first.
    Speakers {
        /// Their links.
        participants: Vec<ParticipantId>,
    },
}
