//! What goes into the client core and what comes out of it.

use std::{net::SocketAddr, time::Instant};

use madang_wire::Transport;

/// How to reach a relay.
#[derive(Clone)]
pub struct ClientConfig {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: String,
    /// How the server is reached: over a stream nothing is sent twice, and data is padded.
    pub transport: Transport,
    /// Secret and random: transaction ids are made from it (RFC 8489 §5).
    pub seed: [u8; 32],
}

/// Secrets stay out of logs.
impl std::fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientConfig").field("transport", &self.transport).finish_non_exhaustive()
    }
}

/// What happens to the client.
#[derive(Clone, Copy, Debug)]
pub enum ClientInput<'a> {
    /// A packet (a datagram, or one frame of a stream) came from the server.
    Packet(&'a [u8]),
    /// Send this to a peer by the relay. Before the relay is there, it is dropped.
    Send {
        /// To whom.
        peer: SocketAddr,
        /// What.
        data: &'a [u8],
    },
    /// The time named by [`ClientOutput::Timeout`] has come; the first one begins.
    Timeout,
    /// Give the relay up (RFC 8656 §7.1, a lifetime of zero).
    Close,
}

/// What the shell is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientOutput {
    /// Send this to the server.
    Transmit(Vec<u8>),
    /// The relay is there.
    Allocated {
        /// The address at which peers reach this client.
        relayed: SocketAddr,
        /// The address from which the server sees it.
        mapped: Option<SocketAddr>,
    },
    /// A peer sent this.
    Data {
        /// Who.
        peer: SocketAddr,
        /// What.
        data: Vec<u8>,
    },
    /// The server does not relay to this peer.
    PeerRefused {
        /// Which.
        peer: SocketAddr,
        /// The error code, RFC 8656 §19; 403 where its policy forbids it.
        code: u16,
    },
    /// There is no relay (any more). Nothing follows.
    Failed(Failed),
    /// Nothing more now. Come again at that time with [`ClientInput::Timeout`].
    Timeout(Option<Instant>),
}

/// Why there is no relay.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// The server does not answer.
    #[error("the TURN server does not answer")]
    Unreachable,
    /// The server refuses; 401: the credentials are wrong or too old.
    #[error("the TURN server refuses: {reason} ({code})")]
    Refused {
        /// The error code, RFC 8489 §14.8 and RFC 8656 §19.
        code: u16,
        /// The server's words.
        reason: String,
    },
    /// The server answers something that no TURN server may.
    #[error("the TURN server's answer can't be understood")]
    Malformed,
    /// It was given up.
    #[error("the relay was given up")]
    Closed,
}
