//! The sections of the configuration, with their defaults.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
};

use madang_protocol::TopologyPolicy;
use serde::{Deserialize, Serialize};

use super::{Many, Span};

/// The web server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Where it listens.
    pub listen: Many<SocketAddr>,
    /// Web origins besides the server's own that may open the signaling WebSocket.
    pub allowed_origins: Vec<String>,
    /// TCP connections in all.
    pub max_connections: u32,
    /// TCP connections from one address.
    pub max_connections_per_address: u32,
    /// The longest that a TLS handshake may take, and then the head of a request.
    pub handshake_timeout: Span,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: Many(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))]),
            allowed_origins: Vec::new(),
            max_connections: 20_000,
            max_connections_per_address: 512,
            handshake_timeout: Span::seconds(10),
        }
    }
}

/// How HTTP and TURN are encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsMode {
    /// Not at all: browsers give a camera to pages on localhost only.
    #[default]
    Off,
    /// With a certificate of our own making, about which browsers warn once.
    SelfSigned,
    /// With the certificate in `tls.cert`.
    Files,
}

/// Encryption.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// How.
    pub mode: TlsMode,
    /// The certificate chain's file.
    pub cert: String,
    /// The private key's file.
    pub key: String,
}

/// Signaling over WebSocket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Signaling {
    /// WebSocket connections from one address.
    pub max_connections_per_address: u32,
    /// The longest silence before `hello`.
    pub hello_timeout: Span,
    /// How often clients are told to send `ping`.
    pub ping_interval: Span,
    /// After this much silence a connection is dead.
    pub dead_after: Span,
    /// Sustained messages per second from one client.
    pub messages_per_second: u32,
    /// Messages at once above that rate.
    pub message_burst: u32,
    /// Bytes waiting for one client before it counts as too slow.
    pub send_queue_bytes: usize,
    /// Messages waiting for one client before it counts as too slow.
    pub send_queue_messages: usize,
    /// How long after SIGTERM sessions go on before they are sent away.
    pub drain: Span,
}

impl Default for Signaling {
    fn default() -> Self {
        Self {
            max_connections_per_address: 256,
            hello_timeout: Span::seconds(5),
            ping_interval: Span::seconds(15),
            dead_after: Span::seconds(45),
            messages_per_second: 50,
            message_burst: 100,
            send_queue_bytes: 1024 * 1024,
            send_queue_messages: 2048,
            drain: Span::seconds(5),
        }
    }
}

/// Rooms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoomSection {
    /// How media travels in a room whose creator wished for nothing.
    pub topology: TopologyPolicy,
    /// Participants in one room.
    pub max_participants: u32,
    /// Tracks that one participant may publish.
    pub max_tracks: u32,
    /// Audio codecs, best first.
    pub audio_codecs: Vec<String>,
    /// Video codecs, best first.
    pub video_codecs: Vec<String>,
    /// The most that each participant may send in all, in bits per second; 0 for no limit.
    pub max_send_bps: u64,
    /// The most that the server forwards to each participant in all, in bits per second; 0 for
    /// no limit.
    pub max_receive_bps: u64,
    /// How long a lost session can be resumed.
    pub resume_grace: Span,
}

impl Default for RoomSection {
    fn default() -> Self {
        Self {
            topology: TopologyPolicy::Auto,
            max_participants: 50,
            max_tracks: 8,
            audio_codecs: vec!["OPUS".into()],
            video_codecs: ["VP8", "VP9", "H264", "AV1"].map(Into::into).into(),
            max_send_bps: 0,
            max_receive_bps: 0,
            resume_grace: Span::seconds(60),
        }
    }
}

/// The server's own media, of forwarded and mixed rooms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Media {
    /// Where media is received and sent, over UDP and TCP, on this port and one more for each
    /// further shard. An unspecified address stands for every one that this machine has at the
    /// start.
    pub listen: Many<SocketAddr>,
    /// Threads that carry media; 0 for one on each core.
    pub shards: usize,
    /// In a room with more cameras than this, only those of the last speakers are forwarded.
    pub last_n: usize,
    /// How long a forwarded packet may wait for others to the same receiver.
    pub gather: Span,
}

impl Default for Media {
    fn default() -> Self {
        Self {
            listen: Many(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 3480))]),
            shards: 0,
            last_n: 25,
            gather: Span(std::time::Duration::from_millis(1)),
        }
    }
}

/// Who may join.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// Whether anyone who can reach the server may join any room.
    pub open: bool,
    /// API keys: an id and the secret that signs join tokens.
    pub keys: BTreeMap<String, String>,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth").field("open", &self.open).field("keys", &self.keys.keys()).finish()
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// What is logged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// The level, or filter directives.
    pub level: String,
    /// How lines look.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::Text }
    }
}
