//! STUN and TURN on real sockets, around the core in `madang-turn`.
//!
//! Each shard ([`crate::shard`]) has a core of its own, a UDP socket for each listener (the kernel
//! divides the clients among them) and the sockets of its relays.
//! TCP and TLS connections are tokio tasks ([`stream`]) that cut their bytes into messages and
//! exchange whole messages with the shard through bounded queues.
//!
//! TCP relays (RFC 6062) are tasks too: they accept and connect ([`tcp_relay`]), and give the
//! sockets to the shard. It keeps them unread until a client binds one; then the client's task
//! carries bytes both ways ([`splice`]), past the shard.
//!
//! [`start`] opens every socket before it returns, so that a port in use is an error at the start
//! and real ports are known where 0 was configured.

mod addresses;
pub mod dtls;
mod handle;
mod listener;
mod metrics;
mod open;
mod relay_socket;
mod splice;
mod stream;
mod tcp_relay;

pub(crate) use addresses::{expand, interfaces};
pub use handle::{Addresses, StartError, TurnHandle, start};
pub(crate) use handle::{TurnTls, start_with};
pub(crate) use listener::open_tcp;
pub use metrics::TurnMetrics;
pub(crate) use relay_socket::{Opened, RelaySockets};
pub(crate) use splice::Splice;
pub(crate) use stream::{PacketReceiver, PacketSender, Streams, packet_queue};
pub(crate) use tcp_relay::{TcpRelay, connect};
