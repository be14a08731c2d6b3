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
//! Implemented:
//! - RFC 8489: Binding over UDP, TCP, TLS and DTLS; long-term credentials, with keys by MD5 and
//!   SHA-256 and messages signed by SHA-1 and SHA-256 in every combination; password algorithms
//!   and their protection against bid-down; USERHASH, of static users and of whoever has an
//!   allocation; FINGERPRINT, SOFTWARE.
//! - RFC 8656: Allocate, Refresh, CreatePermission, ChannelBind, Send and Data, ChannelData; IPv4,
//!   IPv6 and both at once; EVEN-PORT and RESERVATION-TOKEN, DONT-FRAGMENT, ICMP.
//! - RFC 6062, TCP relays, where [`Config::tcp_relay`] says so. RFC 8016, mobility, where
//!   [`Config::mobility`] does; TCP allocations don't move. RFC 5780 where [`Config::alternates`]
//!   are given.
//! - Time-limited credentials ([`mint`]).
//!
//! Not implemented:
//! - USERHASH of a time-limited name for a new allocation (RFC 8489 §9.2): the name can't be found
//!   from its hash.
//! - ALTERNATE-SERVER (RFC 8489 §10), short-term credentials (§9.1, which TURN does not use).
//! - SASLprep of what clients send (RFC 8489 §9.2.2): names and passwords count as they are.
//! - RFC 5780 over TCP (§4.2): CHANGE-REQUEST and OTHER-ADDRESS are for UDP alone.
//! - The old five-tuple is not kept beside the new one when an allocation moves (RFC 8016 §3.2):
//!   what a client still sends from there is lost.

mod allocate;
mod allocation;
mod allowance;
mod alternates;
mod authentication;
mod binding;
mod bucket;
mod channel;
pub mod client;
mod config;
mod connection;
mod counters;
mod credential;
pub mod discovery;
mod elsewhere;
mod event;
mod indication;
mod integrity;
mod io;
mod mobility;
mod nonce;
mod opening;
mod peers;
mod permission;
mod policy;
mod quota;
mod rate_limit;
mod refresh;
mod relay;
mod replies;
mod reply;
mod request;
mod reservation;
mod retransmission;
mod server;
mod timer;

pub use allowance::Allowance;
pub use alternates::{Address, Alternates};
pub use config::{Bandwidth, Config, Directory, Limits, Reload};
pub use counters::{Counters, Traffic};
pub use credential::{Credentials, mint};
pub use event::{AllocationChange, AllocationEvent, EndReason};
pub use io::{
    Body, ConnectionId, Head, Icmp, Input, OpenRelay, Output, PortRequirement, RelayId, Route, Shard, Transmit,
};
pub use policy::{PeerPolicy, PermittedPeer, Refused};
pub use quota::Quota;
pub use rate_limit::Rate;
pub use server::Server;
