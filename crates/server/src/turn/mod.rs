//! STUN and TURN on real sockets, around the core in `madang-turn`.
//!
//! One plain thread, the [`shard`], owns the core and every UDP socket: listeners and relays. TCP
//! and TLS connections are tokio tasks ([`stream`]) that cut their bytes into messages and
//! exchange whole messages with the shard through bounded queues.
//!
//! [`start`] opens every socket before it returns, so that a port in use is an error at the start
//! and real ports are known where 0 was configured.

mod addresses;
mod handle;
mod listener;
mod metrics;
mod relay_socket;
mod shard;
mod stream;

pub(crate) use addresses::interfaces;
pub use handle::{Addresses, StartError, TurnHandle, start};
pub use metrics::TurnMetrics;
