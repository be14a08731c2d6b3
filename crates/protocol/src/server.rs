//! What the server says.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{
    BitsPerSecond, Description, Epoch, ErrorCode, Ice, IceServer, Limits, LinkId, Mix, MixEvent, MixState,
    ParticipantId, ParticipantInfo, RequestId, Rid, RoomInfo, Seq, SessionId, Topology, TrackId, TrackInfo,
};

/// A message from the server, told apart by `t`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum ServerMessage {
    /// The whole room, after `hello`. Starts the client's picture anew. `welcome` and events
    /// alone make that picture: events about a client itself reach it too.
    Welcome(Box<Welcome>),
    /// A session taken up; missed events follow.
    Resumed(Resumed),
    /// A request done.
    Ok(Done),
    /// A request refused, or a fault of the connection.
    Error(Failure),
    /// Somebody came, changed or left.
    Participant(ParticipantEvent),
    /// A track came, changed or left.
    Track(TrackEvent),
    /// A link to open or close.
    Link(LinkEvent),
    /// To the link's offerer: offer (again).
    Negotiate(Negotiate),
    /// An offer or answer from the other end of a link.
    Desc(Description),
    /// A candidate from the other end of a link.
    Ice(Ice),
    /// The most that this client may send.
    Bitrate(Bitrate),
    /// In which layer the server forwards a track to this client, and why in that one.
    Delivery(Delivery),
    /// This client gets the mix from now on, another one, or none any more.
    Mix(MixEvent),
    /// How the mix is made at present.
    MixState(MixState),
    /// Who speaks, loudest first. From the server in SFU and MCU rooms only.
    Speakers(Speakers),
    /// How well somebody is connected.
    Quality(Quality),
    /// A line of text.
    Chat(ChatEvent),
    /// Bytes.
    Data(DataEvent),
    /// The room itself changed: locked, codecs, limits.
    Room(RoomInfo),
    /// The room moves to another topology.
    Topology(TopologyEvent),
    /// Fresh credentials for the relays, before the old ones expire.
    IceServers(IceServers),
    /// A fresh join token, before the old one expires.
    Token(FreshToken),
    /// Answers `ping`.
    Pong(Pong),
    /// The connection ends.
    Bye(Bye),
}

/// The whole room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Welcome {
    /// The protocol version chosen.
    pub version: u32,
    /// The session, for a resume.
    pub session: SessionId,
    /// The secret, for a resume.
    pub secret: String,
    /// The sequence number that the next event follows.
    pub last_s: Seq,
    /// This client, with the tracks that its `hello` published.
    #[serde(rename = "self")]
    #[ts(rename = "self")]
    pub me: ParticipantInfo,
    /// The room.
    pub room: RoomInfo,
    /// Everyone else, in the order in which they came.
    pub participants: Vec<ParticipantInfo>,
    /// How media travels.
    pub topology: Topology,
    /// The current epoch.
    pub epoch: Epoch,
    /// All links of this client. Open those that it has not; on a `welcome` after `resumed`,
    /// keep the PeerConnections of links that it has, and close those not listed. Further
    /// ones come as `link` events.
    pub links: Vec<OpenLink>,
    /// The mix that this client gets in place of everybody's tracks, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub mix: Option<Mix>,
    /// STUN and TURN servers with this participant's credentials.
    pub ice_servers: Vec<IceServer>,
    /// What this client may do.
    pub limits: Limits,
    /// Send a `ping` this often, in milliseconds.
    pub ping_interval_ms: u32,
    /// How long a lost session can be resumed, in milliseconds.
    pub resume_grace_ms: u32,
}

/// A session taken up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Resumed {
    /// The secret for the next resume.
    pub secret: String,
    /// `true`: the events after `last_s` follow. `false`: too many were missed, or the client
    /// had lost its state; a `welcome` follows.
    pub replay: bool,
    /// The `id` of the last request that the server had from this session. Its reply, and
    /// earlier ones, may have been lost with the connection; send again only what came after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub last_id: Option<RequestId>,
}

/// A request done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Done {
    /// The track that `publish` made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub track: Option<TrackId>,
}

/// A request refused, or a fault of the connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Failure {
    /// What, for programs.
    pub code: ErrorCode,
    /// What and what to do, for people.
    pub message: String,
    /// When to try again, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub retry_after_ms: Option<u32>,
    /// Whether the connection ends with this.
    pub fatal: bool,
}

/// What happened to a participant or a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// New.
    Added,
    /// The same, with other values.
    Changed,
    /// Gone.
    Removed,
}

/// Somebody came, changed or left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct ParticipantEvent {
    /// What happened.
    pub change: Change,
    /// The participant, whole; after `removed`, as it was.
    pub participant: ParticipantInfo,
    /// Why it left: `left`, `lost`, `kicked`, `duplicate_identity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub reason: Option<LeaveReason>,
}

/// Why a participant left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum LeaveReason {
    /// It said so.
    Left,
    /// Its signaling was lost and the grace passed.
    Lost,
    /// A host removed it.
    Kicked,
    /// A newer session has its identity.
    DuplicateIdentity,
}

/// A track came, changed or left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct TrackEvent {
    /// What happened.
    pub change: Change,
    /// Whose.
    pub participant: ParticipantId,
    /// The track, whole; after `removed`, as it was.
    pub track: TrackInfo,
    /// Who muted it, when that was a host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub by: Option<ParticipantId>,
}

/// Which end of a link makes its offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum Offerer {
    /// The client that reads this.
    You,
    /// The other end.
    Peer,
}

/// A link to open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct OpenLink {
    /// Its name.
    pub link: LinkId,
    /// The epoch that it belongs to.
    pub epoch: Epoch,
    /// What it is for.
    pub kind: Topology,
    /// The participant at the other end; absent where that is the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub peer: Option<ParticipantId>,
    /// Who makes the offers on it.
    pub offerer: Offerer,
}

/// A link to open or close, told apart by `op`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum LinkEvent {
    /// Make a PeerConnection; if you are the offerer, offer.
    Open(OpenLink),
    /// Close its PeerConnection.
    Close {
        /// Which.
        link: LinkId,
        /// The epoch that it belonged to.
        epoch: Epoch,
    },
}

/// Offer (again).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Negotiate {
    /// Which link.
    pub link: LinkId,
    /// Its epoch.
    pub epoch: Epoch,
    /// Whether the offer has to restart ICE.
    #[serde(default)]
    pub restart: bool,
}

/// Why a bit rate is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum BitrateReason {
    /// Nothing limits it but the share of the links.
    Unlimited,
    /// The room's limit, from config or host.
    RoomLimit,
    /// This participant's limit, from token or host.
    ParticipantLimit,
    /// The measured uplink, shared between the links.
    Congestion,
    /// Nobody watches.
    NotWatched,
}

/// The most that this client may send on a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Bitrate {
    /// Which link; absent means all links together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub link: Option<LinkId>,
    /// Which of one's own tracks; absent means all on that link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub track: Option<TrackId>,
    /// The most; 0 stops it, absent means no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub max_send_bps: Option<BitsPerSecond>,
    /// The largest height in pixels that is shown to anyone on this link, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub max_height: Option<u32>,
    /// The simulcast layers, by RID, that somebody watches; the others can rest. Absent means
    /// all. From the server's forwarder only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub layers: Option<Vec<Rid>>,
    /// Why.
    pub reason: BitrateReason,
}

/// Why a track is forwarded in the layer in which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryReason {
    /// It is the best that there is.
    Best,
    /// A larger one would not be seen at the size on screen.
    Size,
    /// A larger one does not fit in the measured bandwidth.
    Bandwidth,
    /// Its publisher sends no larger one (any more, or not yet).
    Publisher,
    /// This client does not watch it.
    NotWatched,
    /// In a big room only the last speakers are seen.
    NotSpeaking,
    /// Its publisher has muted it.
    Muted,
}

/// In which layer the server forwards a track to this client, in a room whose topology is `sfu`.
/// Told when it changes; it has no `s`, and is told again after a resume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Delivery {
    /// On which link.
    pub link: LinkId,
    /// Which track.
    pub track: TrackId,
    /// Whether nothing of it is forwarded at present.
    pub paused: bool,
    /// The simulcast layer, by RID; absent where the track has but one, or is paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub layer: Option<Rid>,
    /// The layer's height in pixels, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub height: Option<u32>,
    /// The highest temporal layer forwarded, from 0, where some are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub temporal: Option<u8>,
    /// What the server believes that it can send to this client in all, where it has measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub available_bps: Option<BitsPerSecond>,
    /// Why this layer.
    pub reason: DeliveryReason,
}

/// Who speaks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Speakers {
    /// Loudest first.
    pub participants: Vec<ParticipantId>,
}

/// How well somebody is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionQuality {
    /// Round trip below 150 ms and loss below 2 %.
    Excellent,
    /// Round trip below 400 ms and loss below 8 %.
    Good,
    /// Worse.
    Poor,
    /// Signaling or every link is gone.
    Lost,
}

/// How well somebody is connected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Quality {
    /// Who.
    pub participant: ParticipantId,
    /// How well.
    pub quality: ConnectionQuality,
}

/// A line of text. The writer gets it too, so that everyone sees one order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct ChatEvent {
    /// Who wrote it.
    pub from: ParticipantId,
    /// The text.
    pub text: String,
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    #[ts(type = "number")]
    pub at_ms: u64,
    /// Whether it went to some alone.
    #[serde(default)]
    pub private: bool,
}

/// Bytes. The sender does not get them back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct DataEvent {
    /// Who sent them.
    pub from: ParticipantId,
    /// Base64 (RFC 4648 §4).
    pub payload: String,
    /// What they are about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub topic: Option<String>,
}

/// The step of a move between topologies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum TopologyPhase {
    /// Open the new links beside the old.
    Prepare,
    /// Show the new links' media; the old ones close.
    Commit,
}

/// The room moves to another topology.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct TopologyEvent {
    /// The epoch that the move leads to.
    pub epoch: Epoch,
    /// The new topology.
    pub kind: Topology,
    /// Why, for people.
    pub reason: String,
    /// Which step.
    pub phase: TopologyPhase,
}

/// Fresh relay credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct IceServers {
    /// In place of the former.
    pub ice_servers: Vec<IceServer>,
}

/// A fresh join token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct FreshToken {
    /// The JWT.
    pub token: String,
}

/// Answers `ping`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Pong {}

/// What to do after the connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum ByeAction {
    /// Do not come back by yourself.
    Stop,
    /// Connect and resume.
    Resume,
    /// Connect and join anew.
    Rejoin,
}

/// The connection ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Bye {
    /// What to do now.
    pub action: ByeAction,
    /// Why; absent after `leave`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub code: Option<ErrorCode>,
    /// Why, for people.
    pub message: String,
    /// When to come back, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub retry_after_ms: Option<u32>,
}
