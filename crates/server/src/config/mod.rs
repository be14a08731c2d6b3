//! Configuration: an embedded default, over it a TOML file, over that the environment.
//!
//! Every key stands once in [`keys::all`], with what it is for and what is allowed; the text
//! that `madang config` prints and every error message are made from that table.

mod changes;
mod duration;
mod error;
mod keys;
mod load;
mod many;
mod mix;
mod sections;
mod text;
mod turn;
mod validate;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use changes::Change;
pub use duration::{DurationError, Span};
pub use error::ConfigError;
pub use keys::Key;
pub use load::ENV_PREFIX;
pub use many::Many;
pub use mix::{LayoutName, Mix, PictureSize, PictureSizeError, Region, RegionFill};
pub use sections::{Auth, Http, Log, LogFormat, Media, RoomSection, Signaling, Tls, TlsMode};
pub use turn::{AlternateAddress, InvalidTurn, PortRange, PortRangeError, TurnConfig};

/// The whole configuration of a server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The addresses by which clients reach this machine, where it cannot see them itself.
    pub public_ip: Many<IpAddr>,
    /// The web server.
    pub http: Http,
    /// Encryption of HTTP and of TURN over TLS.
    pub tls: Tls,
    /// Signaling over WebSocket.
    pub signaling: Signaling,
    /// Rooms.
    pub room: RoomSection,
    /// STUN and TURN.
    pub turn: TurnConfig,
    /// The server's own media.
    pub media: Media,
    /// Mixed rooms.
    pub mix: Mix,
    /// Who may join.
    pub auth: Auth,
    /// What is logged.
    pub log: Log,
}
