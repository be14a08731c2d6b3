//! What an operator can set about rooms.

use std::time::Duration;

use madang_protocol::{BitsPerSecond, Codecs, Limits, MixLayout};

/// Settings of all rooms of a server.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What each client may do, as `welcome` tells it. `participants` and `tracks` hold here.
    pub limits: Limits,
    /// Codecs in order of preference. Those that everyone has but that are not named come last.
    pub codecs: Codecs,
    /// The most that each participant may send in all.
    pub max_send_bps: Option<BitsPerSecond>,
    /// The most that the server forwards to each participant in all.
    pub max_receive_bps: Option<BitsPerSecond>,
    /// How long a lost session can be resumed.
    pub resume_grace: Duration,
    /// How often clients are to send `ping`.
    pub ping_interval: Duration,
    /// Events kept for a replay, per session.
    pub ring_events: usize,
    /// Bytes of events kept for a replay, per session, counted roughly.
    pub ring_bytes: usize,
    /// Largest SDP relayed, in bytes.
    pub sdp_bytes: usize,
    /// How bit rates are shared between links.
    pub bandwidth: BandwidthSettings,
    /// Where one quality ends and the next begins.
    pub quality: QualitySettings,
    /// How rooms are mixed.
    pub mix: MixSettings,
}

/// How rooms are mixed.
#[derive(Clone, Debug, PartialEq)]
pub struct MixSettings {
    /// The arrangement for those who choose none.
    pub layout: MixLayout,
    /// Different pictures in one room at most: every arrangement counts, and every one that
    /// leaves somebody's own tile out. At least 1.
    pub pictures: u32,
}

/// How bit rates are shared between the links of a mesh.
#[derive(Clone, Debug, PartialEq)]
pub struct BandwidthSettings {
    /// The share of a measured uplink that is given out, 0 to 1.
    pub uplink_share: f64,
    /// What one link makes good use of. An uplink with as much for each link limits nothing.
    pub link_target: BitsPerSecond,
    /// No link is held below this for congestion, so that sound survives.
    pub link_floor: BitsPerSecond,
    /// A change smaller than this ratio is not told.
    pub least_change: f64,
    /// A participant is told of changes at most this often.
    pub interval: Duration,
}

/// Where one quality ends and the next begins.
#[derive(Clone, Debug, PartialEq)]
pub struct QualitySettings {
    /// Excellent has a round trip below this, in milliseconds.
    pub excellent_rtt_ms: f64,
    /// Excellent has a loss below this, 0 to 1.
    pub excellent_loss: f64,
    /// Good has a round trip below this, in milliseconds.
    pub good_rtt_ms: f64,
    /// Good has a loss below this, 0 to 1.
    pub good_loss: f64,
    /// Reports in a row that have to agree before the quality changes.
    pub reports: u8,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            codecs: Codecs {
                audio: vec!["OPUS".to_owned()],
                video: ["VP8", "H264", "VP9", "AV1"].map(str::to_owned).to_vec(),
            },
            max_send_bps: None,
            max_receive_bps: None,
            resume_grace: Duration::from_secs(60),
            ping_interval: Duration::from_secs(15),
            ring_events: 512,
            ring_bytes: 512 * 1024,
            sdp_bytes: 60 * 1024,
            bandwidth: BandwidthSettings::default(),
            quality: QualitySettings::default(),
            mix: MixSettings::default(),
        }
    }
}

impl Default for MixSettings {
    fn default() -> Self {
        Self { layout: MixLayout::default(), pictures: 4 }
    }
}

impl Default for BandwidthSettings {
    fn default() -> Self {
        Self {
            uplink_share: 0.95,
            link_target: BitsPerSecond(1_700_000),
            link_floor: BitsPerSecond(64_000),
            least_change: 0.10,
            interval: Duration::from_secs(1),
        }
    }
}

impl Default for QualitySettings {
    fn default() -> Self {
        Self { excellent_rtt_ms: 150.0, excellent_loss: 0.02, good_rtt_ms: 400.0, good_loss: 0.08, reports: 2 }
    }
}
