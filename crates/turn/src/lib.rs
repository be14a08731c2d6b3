//! STUN and TURN server core, a TURN client core ([`client`]) and the discovery of NAT behaviour from
//! the client's side ([`discovery`]), sans-IO: no socket, no clock, no
//! thread.
//!
//! [`Server::handle_input`] takes what happened and when, [`Server::poll_output`] is then drained
//! until it returns [`Output::Timeout`]. Relayed data is never copied: a [`Transmit`] says which
//! bytes of the input it consists of and what goes in front of them, so that a shell can receive
//! into a buffer with [`Head::MAX`] bytes of room in front and send from the same buffer, or
//! gather both with a batching system call.
//!
//! Implemented: RFC 8489 (Binding over UDP, TCP and TLS, long-term credentials with MD5 and
//! SHA-256, password algorithms), RFC 8656 (Allocate, Refresh, CreatePermission, ChannelBind, Send
//! and Data, ChannelData, EVEN-PORT and RESERVATION-TOKEN, IPv6 relays by
//! REQUESTED-ADDRESS-FAMILY), time-limited credentials.
//!
//! Not implemented: USERHASH (RFC 8489 §9.2), MESSAGE-INTEGRITY-SHA256 with a key made by MD5,
//! DONT-FRAGMENT and ADDITIONAL-ADDRESS-FAMILY and ICMP (RFC 8656 §7.2, §11.5), TCP relays
//! (RFC 6062), mobility (RFC 8016), NAT behaviour discovery (RFC 5780), DTLS.

mod allocate;
mod allocation;
mod authentication;
mod binding;
mod channel;
pub mod client;
mod config;
mod credential;
pub mod discovery;
mod io;
mod nonce;
mod peers;
mod permission;
mod policy;
mod quota;
mod rate_limit;
mod refresh;
mod relay;
mod replies;
mod reply;
mod reservation;
mod retransmission;
mod server;
mod timer;

pub use config::{Config, Limits};
pub use credential::{Credentials, mint};
pub use io::{Body, Head, Input, OpenRelay, Output, PortRequirement, RelayId, Route, Transmit};
pub use policy::{PeerPolicy, PermittedPeer, Refused};
pub use rate_limit::Rate;
pub use relay::{Counters, Traffic};
pub use server::Server;
