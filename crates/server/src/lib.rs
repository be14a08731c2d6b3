//! The IO shell: sockets, HTTP, WebSocket, TLS, configuration, metrics.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`config`] | defaults, file and environment into one checked [`Config`] |
//! | [`server`](Server) | binds everything, wires everything, drains |
//! | `reload` | takes over a changed configuration without touching what lives |
//! | `listen`, `tls` | TCP connections, counted and encrypted |
//! | `http` | pages, health, metrics |
//! | `media` | what carries links to the server |
//! | `signaling` | WebSocket sessions and the rooms behind them |
//! | `shard` | the data plane: threads that own media and TURN |
//! | `mixing` | threads that decode, draw and encode for mixed rooms |
//! | [`turn`] | STUN and TURN sockets around their core |
//! | [`auth`] | join tokens |
//! | `ice` | STUN and TURN servers for each participant |

mod addresses;
pub mod auth;
pub mod config;
mod drain;
mod http;
mod ice;
mod listen;
mod metrics;
mod mixing;
mod one_port;
mod reload;
mod server;
mod shard;
mod signaling;
mod tls;
pub mod turn;

pub use config::{Config, ConfigError};
pub use server::{Addresses, Server, StartError, network_urls};
pub use shard::StartError as ShardError;
pub use tls::TlsError;
