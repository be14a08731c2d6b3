//! Error codes: stable names that a client may switch on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What went wrong. The names are stable; the message beside them is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The message is not JSON, names an unknown `t`, or a field is missing or out of range.
    BadRequest,
    /// No protocol version in common.
    BadVersion,
    /// A token is needed, or this one is not signed by a known key.
    Unauthorized,
    /// The token's `exp` has passed.
    TokenExpired,
    /// The role does not allow this.
    Forbidden,
    /// There is no such room. Rooms that exist but may not be seen answer the same.
    RoomNotFound,
    /// The room is locked to newcomers.
    RoomLocked,
    /// The room has as many participants as it may.
    RoomFull,
    /// Wait to be admitted.
    LobbyWait,
    /// Another session with the same identity took this one's place.
    DuplicateIdentity,
    /// The participant, track or link named does not exist (any more).
    NotFound,
    /// The message belongs to an earlier epoch or negotiation. Drop it and go on.
    ConflictStale,
    /// Too many messages, connections or attempts; see `retry_after_ms`.
    RateLimited,
    /// The frame, the text or the SDP is larger than allowed.
    TooLarge,
    /// The client reads more slowly than the room speaks. Connect and resume.
    SlowConsumer,
    /// The client shares no audio or no video codec with the room.
    CodecUnsupported,
    /// A link could not be established.
    IceFailed,
    /// A host removed this participant.
    Kicked,
    /// The server is shutting down; connect again after `retry_after_ms`.
    ServerDraining,
    /// A fault of the server's own.
    Internal,
}

impl ErrorCode {
    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::BadVersion => "bad_version",
            Self::Unauthorized => "unauthorized",
            Self::TokenExpired => "token_expired",
            Self::Forbidden => "forbidden",
            Self::RoomNotFound => "room_not_found",
            Self::RoomLocked => "room_locked",
            Self::RoomFull => "room_full",
            Self::LobbyWait => "lobby_wait",
            Self::DuplicateIdentity => "duplicate_identity",
            Self::NotFound => "not_found",
            Self::ConflictStale => "conflict_stale",
            Self::RateLimited => "rate_limited",
            Self::TooLarge => "too_large",
            Self::SlowConsumer => "slow_consumer",
            Self::CodecUnsupported => "codec_unsupported",
            Self::IceFailed => "ice_failed",
            Self::Kicked => "kicked",
            Self::ServerDraining => "server_draining",
            Self::Internal => "internal",
        }
    }
}
