//! The server's media, sans-IO: sessions with ICE, DTLS, SRTP and SCTP, the forwarder (SFU) between
//! them, the mixer (MCU) in it, and frames as they are packed into RTP ([`frames`]).
//!
//! [`session`] is the only place that names str0m; what it sends goes by [`egress`]. [`sfu`] is one
//! shard's forwarder: give it packets, commands and the time by [`sfu::Sfu::handle_input`], then
//! drain [`sfu::Sfu::poll_output`] until it names a time-out. [`mcu`] is a room's mixer, inside of
//! it; its codecs run in [`mcu::Job`]s, wherever the caller likes.
//!
//! Not implemented: RTCP feedback other than NACK, PLI, FIR and transport-wide feedback
//! (RFC 4585 §6.3.2 SLI, §6.3.3 RPSI), RTCP-XR, unbundled media (RFC 9143 is required), RTP
//! without rtcp-mux (RFC 5761 is required).

pub mod egress;
pub mod frames;
pub mod mcu;
pub mod payload;
pub mod session;
pub mod sfu;
