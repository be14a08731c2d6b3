//! Who is in the room.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{BitsPerSecond, Codecs, ParticipantId, RoomName, TrackInfo};

/// What a participant may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees, hears and writes chat; publishes nothing.
    Viewer,
    /// Publishes too.
    Participant,
    /// Moderates too.
    Host,
}

/// Whether a participant's signaling is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Connected.
    Present,
    /// Lost; it has the resume grace to come back. Its media may still flow.
    Away,
}

/// A participant, as everyone in the room sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct ParticipantInfo {
    /// The server's name for it.
    pub id: ParticipantId,
    /// From the token's `sub`, or the id where the server runs open.
    pub identity: String,
    /// The name to show, 1 to 64 characters.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Whether its signaling is connected.
    pub presence: Presence,
    /// Whether its hand is raised.
    pub hand: bool,
    /// Its place in the room: grows with every join.
    pub order: u32,
    /// Its tracks.
    pub tracks: Vec<TrackInfo>,
}

/// The room, as everyone in it sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct RoomInfo {
    /// Its name.
    pub name: RoomName,
    /// Whether newcomers are refused.
    pub locked: bool,
    /// The codecs that everyone in the room has, best first.
    pub codecs: Codecs,
    /// The most that each participant may send in all, where a limit is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub max_send_bps: Option<BitsPerSecond>,
}
