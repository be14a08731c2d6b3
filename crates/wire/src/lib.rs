//! STUN and TURN messages, identifiers, rates and privacy-wrapped addresses.
//!
//! - [`stun`] is the vocabulary of STUN (RFC 8489) and TURN (RFC 8656) messages: the codec of
//!   `stun-types` and `turn-types` under one name, and a few helpers on top of it.
//! - [`ChannelData`] is TURN's four-byte framing, [`Packet::classify`] tells it from STUN.
//! - [`StreamFramer`] cuts a TCP or TLS byte stream into such packets, in bounded memory.
//! - [`FiveTuple`] names a client's connection, [`Pii`] keeps addresses out of logs.

mod channel_data;
mod five_tuple;
mod framing;
mod packet;
mod pii;
pub mod stun;

pub use channel_data::{ChannelData, ChannelNumber, InvalidChannel};
pub use five_tuple::{FiveTuple, Transport};
pub use framing::{FramingError, StreamFramer};
pub use packet::Packet;
pub use pii::Pii;
