//! STUN and TURN server core, and a TURN client core ([`client`]), sans-IO: no socket, no clock, no
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
mod alternates;
mod authentication;
mod binding;
mod bucket;
mod channel;
pub mod client;
mod config;
mod credential;
mod event;
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
mod server;
mod timer;

pub use alternates::{Address, Alternates};
pub use config::{Bandwidth, Config, Directory, Limits, Reload};
pub use credential::{Credentials, mint};
pub use event::{AllocationChange, AllocationEvent, EndReason};
pub use io::{
    Body, ConnectionId, Head, Icmp, Input, OpenRelay, Output, PortRequirement, RelayId, Route, Shard, Transmit,
};
pub use policy::{PeerPolicy, PermittedPeer, Refused};
pub use quota::Quota;
pub use rate_limit::Rate;
pub use relay::{Counters, Traffic};
pub use server::Server;
