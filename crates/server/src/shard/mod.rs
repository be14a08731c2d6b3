//! The data plane: one plain thread for each core, with its own poll loop and sockets, no async
//! and no locks.
//!
//! A shard owns the rooms that were put on it ([`media::MediaPart`]), and the allocations of the
//! TURN clients that the kernel, or the acceptor of TCP connections, has given to it
//! ([`turn::TurnPart`]). A packet that comes by our TURN for our own media port or for another
//! allocation of ours, or goes the other way, is handed over in process: directly where both are
//! on one shard, else through the bounded queue between two.

mod handle;
mod live_relays;
mod media;
pub(crate) mod plane;
mod queue;
mod run;
mod tcp;
mod turn;

use std::net::SocketAddr;

use bytes::Bytes;
use madang_turn::RelayId;

pub use handle::StartError;
pub(crate) use handle::{Events, OpenMedia, RoomShards, Shards};
pub(crate) use live_relays::LiveRelays;
pub(crate) use queue::{Command, ShardSender};
pub(crate) use tcp::SharedPort;
pub(crate) use turn::{FromSibling, Listeners, StreamCommand, TcpRelayCommand, TurnPart, unix_seconds};

/// The relay of a place in the table of sockets.
fn relay_id(index: usize) -> RelayId {
    RelayId(u32::try_from(index).unwrap_or(u32::MAX))
}

/// A packet between a relayed address and a media port, both ours.
#[derive(Debug)]
pub(crate) struct FromRelay {
    pub(crate) relayed: SocketAddr,
    pub(crate) media: SocketAddr,
    pub(crate) data: Bytes,
}

/// A socket with something to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Listener(usize),
    Relay(usize),
    Media(usize),
}

/// The names of sockets in the poll loop.
mod tokens {
    use mio::Token;

    use super::Source;

    pub(super) const WAKE: Token = Token(0);
    const FIRST_LISTENER: usize = 1;
    const FIRST_MEDIA: usize = 1 << 15;
    const FIRST_RELAY: usize = 1 << 16;

    pub(super) fn listener(index: usize) -> Token {
        Token(FIRST_LISTENER + index)
    }

    pub(super) fn media(index: usize) -> Token {
        Token(FIRST_MEDIA + index)
    }

    pub(super) fn relay(index: usize) -> Token {
        Token(FIRST_RELAY + index)
    }

    pub(super) fn source(token: Token) -> Option<Source> {
        match token.0 {
            0 => None,
            index if index < FIRST_MEDIA => Some(Source::Listener(index - FIRST_LISTENER)),
            index if index < FIRST_RELAY => Some(Source::Media(index - FIRST_MEDIA)),
            index => Some(Source::Relay(index - FIRST_RELAY)),
        }
    }
}
