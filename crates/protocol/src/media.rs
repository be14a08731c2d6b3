//! Codecs, tracks, candidates and what a link measures.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{BitsPerSecond, LinkId, TrackId};

/// Sound or picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum TrackKind {
    /// Sound.
    Audio,
    /// Picture.
    Video,
}

/// Where a track comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum TrackSource {
    /// A camera (video).
    Camera,
    /// A microphone (audio).
    Microphone,
    /// A shared screen, window or tab: its picture or its sound.
    Screen,
}

/// Codec names as in SDP `a=rtpmap`, upper case: `OPUS`, `VP8`, `VP9`, `H264`, `AV1`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(default)]
pub struct Codecs {
    /// Audio codecs, best first.
    pub audio: Vec<String>,
    /// Video codecs, best first.
    pub video: Vec<String>,
}

/// What a client brings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(default)]
pub struct Capabilities {
    /// Codecs that this client can both send and receive.
    pub codecs: Codecs,
    /// Whether it can send several layers of a picture by RID.
    pub simulcast: bool,
    /// Topologies that it can take part in; empty means all.
    pub topologies: Vec<Topology>,
}

/// How a room's media travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum Topology {
    /// Everyone is connected to everyone.
    Mesh,
    /// Everyone is connected to the server, which forwards.
    Sfu,
    /// Everyone is connected to the server, which mixes.
    Mcu,
}

/// A track that a client wants to publish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct PublishTrack {
    /// The client's own name for it, 1 to 64 bytes (a `MediaStreamTrack.id` does well).
    pub cid: String,
    /// Sound or picture.
    pub kind: TrackKind,
    /// Where it comes from.
    pub source: TrackSource,
    /// Whether it starts muted.
    #[serde(default)]
    #[ts(as = "Option<_>", optional)]
    pub muted: bool,
    /// Whether it will be sent in several layers.
    #[serde(default)]
    #[ts(as = "Option<_>", optional)]
    pub simulcast: bool,
    /// Codecs that it can be sent in; empty means all of the capabilities.
    #[serde(default)]
    #[ts(as = "Option<_>", optional)]
    pub codecs: Vec<String>,
    /// Width in pixels, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub width: Option<u32>,
    /// Height in pixels, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub height: Option<u32>,
}

/// A published track, as everyone in the room sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct TrackInfo {
    /// The server's name for it. SDK tracks are keyed by this alone.
    pub id: TrackId,
    /// The publisher's own name for it.
    pub cid: String,
    /// Sound or picture.
    pub kind: TrackKind,
    /// Where it comes from.
    pub source: TrackSource,
    /// Whether its publisher has muted it.
    pub muted: bool,
    /// Whether it is sent in several layers.
    pub simulcast: bool,
    /// Width in pixels, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub width: Option<u32>,
    /// Height in pixels, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub height: Option<u32>,
}

/// `RTCIceCandidateInit` of W3C WebRTC, with its own names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "camelCase")]
pub struct IceCandidate {
    /// The candidate-attribute, RFC 8839 §5.1. Empty means end of candidates of this
    /// generation.
    pub candidate: String,
    /// The media description's identification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub sdp_mid: Option<String>,
    /// The media description's place, from 0.
    #[serde(default, rename = "sdpMLineIndex", skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub sdp_m_line_index: Option<u16>,
    /// The ICE username fragment that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub username_fragment: Option<String>,
}

/// `RTCIceServer` of W3C WebRTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct IceServer {
    /// `stun:`, `turn:` and `turns:` URIs, RFC 7064 and RFC 7065.
    pub urls: Vec<String>,
    /// TURN user name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub username: Option<String>,
    /// TURN password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub credential: Option<String>,
}

/// How a link's chosen candidate pair travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum LinkPath {
    /// From one end to the other.
    Direct,
    /// Through a relay that this client reaches over UDP.
    RelayUdp,
    /// Through a relay that this client reaches over TCP.
    RelayTcp,
    /// Through a relay that this client reaches over TLS.
    RelayTls,
    /// Through a relay that the other end uses.
    RelayRemote,
}

/// What a client measured on one link since its last report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
pub struct LinkStats {
    /// Which link.
    pub link: LinkId,
    /// How it travels, once a candidate pair is chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub path: Option<LinkPath>,
    /// Round-trip time in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub rtt_ms: Option<f64>,
    /// Share of packets lost towards this client, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub loss_down: Option<f64>,
    /// Share of packets lost from this client, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub loss_up: Option<f64>,
    /// Sent.
    #[serde(default)]
    pub up_bps: BitsPerSecond,
    /// Received.
    #[serde(default)]
    pub down_bps: BitsPerSecond,
    /// What the sender's bandwidth estimation allows, where it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub available_up_bps: Option<BitsPerSecond>,
}
