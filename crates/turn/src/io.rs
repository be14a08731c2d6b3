//! What goes into the server core and what comes out of it.

use std::{net::SocketAddr, ops::Range, time::Instant};

use madang_wire::{FiveTuple, stun::AddressFamily};

/// A relay socket of the shell. The core gives the number; it may be reused after
/// [`Output::CloseRelay`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelayId(pub u32);

/// What happens to the server.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A packet (a datagram, or one frame of a stream) came from a client.
    Client {
        /// From whom.
        from: FiveTuple,
        /// Its bytes.
        data: &'a [u8],
    },
    /// A datagram came to a relay from outside.
    Peer {
        /// Which relay.
        relay: RelayId,
        /// From whom.
        from: SocketAddr,
        /// Its bytes.
        data: &'a [u8],
    },
    /// A media port of this server sends to a relayed address.
    Media {
        /// To which.
        relayed: SocketAddr,
        /// From which media port.
        from: SocketAddr,
        /// Its bytes.
        data: &'a [u8],
    },
    /// The answer to [`Output::OpenRelay`].
    RelayOpened {
        /// Which relay.
        relay: RelayId,
        /// The address at which peers reach it, or `None` when none could be opened.
        relayed: Option<SocketAddr>,
    },
    /// A client's stream has ended; its allocation ends with it.
    Disconnected {
        /// Whose.
        client: FiveTuple,
    },
    /// The wall clock, for credentials that expire. Repeat it now and then.
    Clock {
        /// Seconds since 1970.
        unix_seconds: u64,
    },
    /// The time named by [`Output::Timeout`] has come.
    Timeout,
    /// Refuse new allocations from now on; those that live go on.
    Drain,
}

/// What the shell is to do.
#[derive(Debug)]
pub enum Output {
    /// Send a packet. Its body may lie in the data of the input just handled, so drain the
    /// outputs before that buffer is used again.
    Transmit(Transmit),
    /// Open a UDP socket and answer with [`Input::RelayOpened`].
    OpenRelay(OpenRelay),
    /// Close a relay's socket.
    CloseRelay(RelayId),
    /// Nothing more now. Come again at that time with [`Input::Timeout`].
    Timeout(Option<Instant>),
}

/// The socket that an allocation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenRelay {
    /// Its name from now on.
    pub relay: RelayId,
    /// The family of its address.
    pub family: AddressFamily,
    /// The server address that the client reached, where the relay is when nothing else is
    /// configured.
    pub server: SocketAddr,
    /// What its port must be like.
    pub port: PortRequirement,
}

/// EVEN-PORT, RFC 8656 §18.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortRequirement {
    /// Any port, chosen at random (RFC 8656 §7.2 says why).
    Any,
    /// An even one.
    Even,
    /// An even one, and with it the next higher one, as a relay of its own.
    EvenAndNext(RelayId),
}

/// A packet to send: `head`, then the body, then `padding` zero bytes.
#[derive(Debug)]
pub struct Transmit {
    /// To whom, and by which socket.
    pub route: Route,
    /// What goes in front of the body: a ChannelData header, or a Data indication's.
    pub head: Head,
    /// The rest.
    pub body: Body,
    /// Zero bytes at the end.
    pub padding: usize,
}

/// Where a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// To a client, from the address that it talks to.
    Client(FiveTuple),
    /// To a peer, from a relay.
    Peer {
        /// By which relay.
        relay: RelayId,
        /// To whom.
        to: SocketAddr,
    },
    /// To a media port of this server, in process.
    Media {
        /// The relayed address that it comes from.
        relayed: SocketAddr,
        /// The media port.
        to: SocketAddr,
    },
}

/// Where a packet's bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// In the data of the input that was just handled. Relayed data is never copied.
    Input(Range<usize>),
    /// Here.
    Own(Vec<u8>),
}

impl Transmit {
    /// Whether this is relayed data, which may be dropped in a jam, and no answer to a client.
    #[must_use]
    pub const fn is_data(&self) -> bool {
        matches!(self.body, Body::Input(_))
    }

    /// The body's bytes; `input` is the data of the input that was just handled.
    #[must_use]
    pub fn body<'a>(&'a self, input: &'a [u8]) -> &'a [u8] {
        match &self.body {
            Body::Input(range) => input.get(range.clone()).unwrap_or_default(),
            Body::Own(bytes) => bytes,
        }
    }

    /// Appends the whole packet to `out`.
    pub fn write(&self, input: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(self.head.as_slice());
        out.extend_from_slice(self.body(input));
        out.resize(out.len() + self.padding, 0);
    }
}

/// Up to [`Head::MAX`] bytes, in place.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    bytes: [u8; Head::MAX],
    length: u8,
}

impl Head {
    /// A Data indication with an IPv6 peer: 20 bytes of header, 24 of XOR-PEER-ADDRESS, 4 of DATA.
    pub const MAX: usize = 48;

    /// Nothing.
    pub const EMPTY: Self = Self { bytes: [0; Self::MAX], length: 0 };

    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// Appends bytes; what would not fit is a mistake of the caller and is cut off.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        debug_assert!(self.as_slice().len() + bytes.len() <= Self::MAX);
        for byte in bytes.iter().take(Self::MAX - usize::from(self.length)) {
            self.bytes[usize::from(self.length)] = *byte;
            self.length += 1;
        }
    }
}

impl From<[u8; 4]> for Head {
    fn from(header: [u8; 4]) -> Self {
        let mut head = Self::EMPTY;
        head.bytes[..4].copy_from_slice(&header);
        head.length = 4;
        head
    }
}
