//! What a client says.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{
    BitsPerSecond, Capabilities, Epoch, IceCandidate, LinkId, LinkStats, Mid, Negotiation, ParticipantId, PublishTrack,
    Role, RoomName, Seq, SessionId, TakeMix, Topology, TrackId,
};

/// A message from a client, told apart by `t`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum ClientMessage {
    /// First on every connection, within 5 s. Answered by `welcome`, `resumed` or `error`.
    Hello(Hello),
    /// An SDP offer or answer for a link.
    Desc(Description),
    /// A candidate for a link.
    Ice(Ice),
    /// Asks for an ICE restart of a link (RFC 8445 §2.4); its offerer gets `negotiate`, or is the
    /// server and offers.
    Restart(Restart),
    /// Publishes a track. The `ok` carries its `track`.
    Publish(Publish),
    /// Withdraws a track.
    Unpublish(Unpublish),
    /// Mutes or unmutes a track of one's own.
    Mute(Mute),
    /// Says which tracks are watched and how large.
    Subscribe(Subscribe),
    /// Asks for the mix in place of everybody's tracks, or for those again; answered by `mix`.
    TakeMix(TakeMix),
    /// A line of text for the room, or for some.
    Chat(ChatLine),
    /// Bytes for the room, or for some, when no data channel is open.
    Data(DataMessage),
    /// Changes one's own hand or name.
    State(State),
    /// Moderates; hosts only.
    Mod(Moderation),
    /// What this client measured; every 2 s while a link is open.
    Stats(Stats),
    /// All events up to and including `s` have been handled.
    Ack(Ack),
    /// Are you there? Answered by `pong`.
    Ping(Ping),
    /// Goodbye. The session ends without grace.
    Leave(Leave),
}

/// The first message of a connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Hello {
    /// Protocol versions that the client speaks, best first.
    pub versions: Vec<u32>,
    /// A join token (JWT), where the server has keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub token: Option<String>,
    /// The room to join.
    pub room: RoomName,
    /// The name to show, 1 to 64 characters. A token's `name` overrides it.
    pub name: String,
    /// What the client brings.
    #[serde(default)]
    #[ts(as = "Option<_>", optional)]
    pub capabilities: Capabilities,
    /// Tracks to publish at once, so that the first offer has them. `welcome` gives their ids.
    #[serde(default)]
    #[ts(as = "Option<_>", optional)]
    pub tracks: Vec<PublishTrack>,
    /// The topology wished for by whoever creates the room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub topology: Option<TopologyPolicy>,
    /// Takes up an earlier session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub resume: Option<Resume>,
}

/// The policy by which a room finds its topology.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum TopologyPolicy {
    /// The server decides.
    #[default]
    Auto,
    /// Always a mesh.
    Mesh,
    /// Always forwarded.
    Sfu,
    /// Always mixed.
    Mcu,
}

/// Takes up an earlier session, within 60 s of its loss.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Resume {
    /// From `welcome`. One that the server does not know (any more) makes this a fresh join.
    pub session: SessionId,
    /// The newest secret, from `welcome` or `resumed`. It is spent once the client has sent
    /// anything after receiving the next one.
    pub secret: String,
    /// The last event handled. Without it the client has lost its state (a reloaded page): it
    /// keeps its identity, its former tracks and links are closed, and a `welcome` follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub last_s: Option<Seq>,
}

/// Offer or answer, RFC 9429.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum SdpType {
    /// From the link's offerer only.
    Offer,
    /// From the other end only, with the offer's number.
    Answer,
}

/// An SDP offer or answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Description {
    /// Which link.
    pub link: LinkId,
    /// The link's epoch.
    pub epoch: Epoch,
    /// The offer's number on this link, from 1.
    pub n: Negotiation,
    /// Offer or answer.
    pub kind: SdpType,
    /// The session description, RFC 8866.
    pub sdp: String,
    /// Which of the sender's own tracks each media description carries. In an offer of the
    /// server's: your own track where you are to send it, somebody else's where you are to
    /// receive it.
    #[serde(default)]
    pub tracks: BTreeMap<Mid, TrackId>,
    /// The sender. Stamped by the server; ignored from clients. Absent on links to the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub from: Option<ParticipantId>,
}

/// A candidate, or `null` for the last of its generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Ice {
    /// Which link.
    pub link: LinkId,
    /// The link's epoch.
    pub epoch: Epoch,
    /// The negotiation that it was gathered for.
    pub n: Negotiation,
    /// The candidate.
    pub candidate: Option<IceCandidate>,
    /// The sender. Stamped by the server; ignored from clients. Absent on links to the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub from: Option<ParticipantId>,
}

/// Asks for an ICE restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Restart {
    /// Which link.
    pub link: LinkId,
    /// The link's epoch.
    pub epoch: Epoch,
    /// Asks for a new PeerConnection instead: the server closes this link and opens another.
    #[serde(default)]
    #[ts(as = "Option<_>", optional)]
    pub replace: bool,
}

/// Publishes a track.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Publish {
    /// The track.
    pub track: PublishTrack,
}

/// Withdraws a track.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Unpublish {
    /// The track.
    pub track: TrackId,
}

/// Mutes or unmutes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Mute {
    /// The track.
    pub track: TrackId,
    /// Whether it is silent or dark from now on.
    pub muted: bool,
}

/// Says whether and how a track of somebody else is watched. Tracks never named are watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Subscribe {
    /// The track.
    pub track: TrackId,
    /// Whether to receive it.
    pub on: bool,
    /// Width on screen in device pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub width: Option<u32>,
    /// Height on screen in device pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub height: Option<u32>,
    /// Frames per second wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub fps: Option<u32>,
    /// 0 to 255; higher is served first.
    #[serde(default)]
    #[ts(as = "Option<_>", optional)]
    pub priority: u8,
}

/// A line of text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct ChatLine {
    /// The text, at most `limits.chat_bytes`.
    pub text: String,
    /// To these alone; empty means everyone.
    #[serde(default)]
    #[ts(as = "Option<_>", optional)]
    pub to: Vec<ParticipantId>,
}

/// Bytes by way of signaling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct DataMessage {
    /// Base64 (RFC 4648 §4), at most `limits.data_bytes` before encoding.
    pub payload: String,
    /// To these alone; empty means everyone.
    #[serde(default)]
    #[ts(as = "Option<_>", optional)]
    pub to: Vec<ParticipantId>,
    /// What the bytes are about, at most 64 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub topic: Option<String>,
}

/// Changes of one's own state; absent fields stay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(default)]
pub struct State {
    /// Raises or lowers the hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub hand: Option<bool>,
    /// A new name to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub name: Option<String>,
}

/// What a host can do, told apart by `action`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Moderation {
    /// Removes a participant. It may not come back with the same session.
    Kick {
        /// Who.
        participant: ParticipantId,
    },
    /// Mutes a track of somebody. Nobody can be unmuted from afar.
    Mute {
        /// Which.
        track: TrackId,
    },
    /// Refuses newcomers, or lets them in again.
    Lock {
        /// Whether the room is locked.
        locked: bool,
    },
    /// Gives a role.
    Role {
        /// Who.
        participant: ParticipantId,
        /// What they may do from now on.
        role: Role,
    },
    /// Limits what participants may send.
    Bitrate {
        /// Whom; absent means everyone in the room.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        participant: Option<ParticipantId>,
        /// The most in all; absent lifts the limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        max_send_bps: Option<BitsPerSecond>,
    },
    /// Chooses the room's topology.
    Topology {
        /// The policy from now on.
        policy: TopologyPolicy,
    },
}

/// What a client measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(default)]
pub struct Stats {
    /// One entry for each link.
    pub links: Vec<LinkStats>,
}

/// Acknowledges events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Ack {
    /// The last event handled.
    pub s: Seq,
}

/// Asks whether the server is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Ping {}

/// Says goodbye.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Leave {}

/// The topology that a policy fixes, if any.
impl From<TopologyPolicy> for Option<Topology> {
    fn from(policy: TopologyPolicy) -> Self {
        match policy {
            TopologyPolicy::Auto => None,
            TopologyPolicy::Mesh => Some(Topology::Mesh),
            TopologyPolicy::Sfu => Some(Topology::Sfu),
            TopologyPolicy::Mcu => Some(Topology::Mcu),
        }
    }
}
