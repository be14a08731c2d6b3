//! Why a request is refused: the room's one error type.

use madang_protocol::{ErrorCode, Failure, Topology, TrackKind, VERSION};
use thiserror::Error;

/// A request that the room refuses. None of them ends more than the request, except that a
/// refused `hello` ends its connection.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Refusal {
    #[error("this server speaks version {VERSION} of the protocol; name it in `versions`")]
    Version,
    #[error("this connection has joined already; `hello` comes once, first")]
    AlreadyJoined,
    #[error("{0}")]
    Malformed(&'static str),
    #[error("the room would be {}, which somebody's `capabilities.topologies` leave out", topology_name(*.0))]
    Topology(Topology),
    #[error("the secret is not this session's newest one; join anew without `resume`")]
    WrongSecret,
    #[error("the session belongs to another identity; join anew without `resume`")]
    ForeignSession,
    #[error("a host removed this participant; its session can't be taken up again")]
    Kicked,
    #[error("the room is locked; ask a host inside to unlock it")]
    Locked,
    #[error("the room is full: {0} participants are the most")]
    Full(u32),
    #[error("the server mixes for no more people now: {0}")]
    MixerFull(String),
    #[error("this room's mix has as many different pictures as it may, {0}; take one that somebody has")]
    Pictures(u32),
    #[error("a mesh has no mix; a host can choose the topology `auto`, `sfu` or `mcu`")]
    NoMixInMesh,
    #[error("this room is mixed for everyone; a host can choose the topology `sfu`")]
    MixedForEveryone,
    #[error("those inside have no {} codec in common; they can be together in a mixed room (mcu) alone", kind_name(*.0))]
    NothingInCommon(TrackKind),
    #[error("no {} codec in common: the room has {room}, this client offers {offered}", kind_name(*.kind))]
    Codecs { kind: TrackKind, room: String, offered: String },
    #[error("only a host may do this")]
    HostsOnly,
    #[error("a viewer publishes nothing; ask a host for the role `participant`")]
    Viewer,
    #[error("only the link's offerer sends offers; say `publish` or `restart` and it will be told to")]
    NotOfferer,
    #[error("the link's offerer sends no answers")]
    NotAnswerer,
    #[error("the join token gives the name; it can't be changed in the room")]
    GrantedName,
    #[error("the track belongs to somebody else")]
    ForeignTrack,
    #[error("the room would have no host; give somebody else the role first")]
    LastHost,
    #[error("{0}")]
    NotFound(&'static str),
    #[error("{0}")]
    Stale(&'static str),
    #[error("{what} is larger than {limit} {unit}")]
    TooLarge { what: &'static str, limit: usize, unit: &'static str },
    #[error("the link was opened a moment ago; give it time to connect")]
    TooSoon { retry_after_ms: u32 },
    #[error("a host moved the room a moment ago; give everybody's links time to connect")]
    MovedJustNow { retry_after_ms: u32 },
    #[error("the server is shutting down; connect again shortly")]
    Draining { retry_after_ms: u32 },
}

fn kind_name(kind: TrackKind) -> &'static str {
    match kind {
        TrackKind::Audio => "audio",
        TrackKind::Video => "video",
    }
}

fn topology_name(topology: Topology) -> &'static str {
    match topology {
        Topology::Mesh => "a mesh",
        Topology::Sfu => "forwarded (sfu)",
        Topology::Mcu => "mixed (mcu)",
    }
}

impl Refusal {
    pub(crate) fn code(&self) -> ErrorCode {
        match self {
            Self::Version => ErrorCode::BadVersion,
            Self::AlreadyJoined | Self::Malformed(_) | Self::Topology(_) => ErrorCode::BadRequest,
            Self::WrongSecret | Self::ForeignSession => ErrorCode::Unauthorized,
            Self::Kicked => ErrorCode::Kicked,
            Self::Locked => ErrorCode::RoomLocked,
            Self::Full(_) | Self::MixerFull(_) => ErrorCode::RoomFull,
            Self::Pictures(_) => ErrorCode::TooLarge,
            Self::Codecs { .. } | Self::NothingInCommon(_) => ErrorCode::CodecUnsupported,
            Self::HostsOnly
            | Self::Viewer
            | Self::NotOfferer
            | Self::NotAnswerer
            | Self::GrantedName
            | Self::ForeignTrack
            | Self::NoMixInMesh
            | Self::MixedForEveryone
            | Self::LastHost => ErrorCode::Forbidden,
            Self::NotFound(_) => ErrorCode::NotFound,
            Self::Stale(_) => ErrorCode::ConflictStale,
            Self::TooLarge { .. } => ErrorCode::TooLarge,
            Self::TooSoon { .. } | Self::MovedJustNow { .. } => ErrorCode::RateLimited,
            Self::Draining { .. } => ErrorCode::ServerDraining,
        }
    }

    pub(crate) fn into_failure(self, fatal: bool) -> Failure {
        let retry_after_ms = match self {
            Self::Draining { retry_after_ms }
            | Self::TooSoon { retry_after_ms }
            | Self::MovedJustNow { retry_after_ms } => Some(retry_after_ms),
            _ => None,
        };
        Failure { code: self.code(), message: self.to_string(), retry_after_ms, fatal }
    }
}
