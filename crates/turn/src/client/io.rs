//! What goes into the client core and what comes out of it.

use std::{net::SocketAddr, time::Instant};

use madang_wire::{Transport, stun::AddressFamily};

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
    /// Where the first request goes, to know when a redirection leads back to it.
    pub server: Option<SocketAddr>,
    /// What is asked for.
    pub wishes: Wishes,
}

/// What a relay should be like. The default is one of the family that the server prefers, for as
/// long as the client keeps its address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Which addresses.
    pub families: Families,
    /// To keep the relay when the client's address changes (RFC 8016). A server that can't do so
    /// gives one that stays.
    pub mobility: bool,
    /// To have the DF bit set in what goes to peers (RFC 8656 §14.9). Only Send indications can ask
    /// for it, so no channels are bound. A server that can't do so gives a relay without.
    pub dont_fragment: bool,
}

/// The families of relayed addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Families {
    /// As the server likes: IPv4, if it has that (RFC 8656 §7.2).
    #[default]
    Servers,
    /// This one: REQUESTED-ADDRESS-FAMILY.
    Only(AddressFamily),
    /// An IPv4 and an IPv6 address: ADDITIONAL-ADDRESS-FAMILY. Some servers give one of them only.
    Both,
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
    /// Packets to the server go out from another address from now on. Over a stream there is a new
    /// connection.
    AddressChanged,
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
        /// Another one of the other family, if both were asked for and given.
        additional: Option<SocketAddr>,
        /// The address from which the server sees it.
        mapped: Option<SocketAddr>,
    },
    /// Of two families that were asked for, the server has no address of this one.
    FamilyRefused {
        /// Which.
        family: AddressFamily,
        /// Why: 440 or 508, RFC 8656 §19.
        code: u16,
    },
    /// The relay has come along to the client's new address.
    Moved,
    /// The server sends the client on to another one (RFC 8489 §10), where everything begins
    /// again: what is to be transmitted from now on goes there, over the same transport.
    Redirected {
        /// Its address.
        to: SocketAddr,
        /// The name that its certificate has, if it is another one than before.
        domain: Option<String>,
    },
    /// A peer sent this.
    Data {
        /// Who.
        peer: SocketAddr,
        /// What.
        data: Vec<u8>,
    },
    /// What was sent to a peer came to nothing, and this came back (RFC 8656 §11.5).
    Icmp {
        /// To whom it was sent.
        peer: SocketAddr,
        /// The ICMP type.
        kind: u8,
        /// The ICMP code.
        code: u8,
        /// Of "packet too big", the largest that gets through; else 0.
        data: u32,
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
    /// The server offers less than its nonce says (RFC 8489 §9.2.5): somebody on the way wants
    /// weaker passwords.
    #[error("the TURN server's offer was weakened on the way")]
    Weakened,
    /// It sends the client in a circle, or further than it goes (RFC 8489 §10).
    #[error("the TURN server sends the client on too often")]
    Circle,
    /// The client's address has changed, and the relay can't follow.
    #[error("the address has changed, and the TURN server does not move relays")]
    AddressChanged,
    /// It was given up.
    #[error("the relay was given up")]
    Closed,
}
