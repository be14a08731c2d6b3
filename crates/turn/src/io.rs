//! What goes into the server core and what comes out of it.

use std::{net::SocketAddr, ops::Range, time::Instant};

use madang_wire::{FiveTuple, stun::AddressFamily};

use crate::{AllocationEvent, Allowance, Reload};

/// A relay socket of the shell. The core gives the number; it may be reused after
/// [`Output::CloseRelay`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelayId(pub u32);

/// A TCP connection between a relay and a peer: the value of CONNECTION-ID (RFC 6062 §6.2.1). The
/// core gives the number, and no two shards give the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u32);

/// A shard of the server, as [`Config::shard`](crate::Config::shard) numbers them.
pub type Shard = u16;

/// What an ICMP or ICMPv6 message said about a datagram that a relay has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icmp {
    /// The message's type.
    pub kind: u8,
    /// Its code.
    pub code: u8,
    /// The four bytes after the checksum: of "too big" the MTU (RFC 8656 §18.13).
    pub data: u32,
}

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
    /// An ICMP message says that a datagram from a relay did not reach a peer: RFC 8656 §11.5. On
    /// Linux such messages come from the socket's error queue; a packet that was too large to send
    /// unfragmented (`EMSGSIZE`) may be told in the same way, as "fragmentation needed".
    PeerError {
        /// Which relay.
        relay: RelayId,
        /// Whom the datagram was for.
        peer: SocketAddr,
        /// What the message said.
        icmp: Icmp,
    },
    /// Data by [`Route::Sibling`] from an allocation on another shard.
    Sibling {
        /// The relayed address that it is for, one of this shard's.
        to: SocketAddr,
        /// The relayed address that it comes from.
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
    /// The answer to [`Output::OpenRelay`] and [`Output::OpenTcpRelay`].
    RelayOpened {
        /// Which relay.
        relay: RelayId,
        /// The address at which peers reach it, or `None` when none could be opened.
        relayed: Option<SocketAddr>,
    },
    /// The answer to [`Output::Connect`].
    Connected {
        /// Which connection.
        connection: ConnectionId,
        /// Whether there is one now. If not, the connection's number is forgotten.
        established: bool,
    },
    /// A peer has connected to a TCP relay. If [`Output::Accept`] is among the outputs of this
    /// very input, the connection has that number from now on; if not, close it.
    PeerConnected {
        /// Which relay.
        relay: RelayId,
        /// Who.
        peer: SocketAddr,
    },
    /// Bytes that have passed through a spliced connection since this was last said. For the
    /// books: say it now and then, and before [`Input::ConnectionClosed`].
    Spliced {
        /// Which connection.
        connection: ConnectionId,
        /// Bytes of the client.
        to_peer: u64,
        /// Bytes of the peer.
        to_client: u64,
    },
    /// Either end of a peer's connection has ended. The shell has closed both by now.
    ConnectionClosed {
        /// Which connection.
        connection: ConnectionId,
    },
    /// A client's stream, or its DTLS association, has ended; its allocation ends with it, unless
    /// that may move (RFC 8016): then it lives on until it expires. Not for the client's
    /// connections that are spliced.
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
    /// The operator has changed his mind about users, peers or limits. Live allocations, their
    /// permissions and their channels stay as they are.
    Reload(&'a Reload),
    /// Refuse new allocations from now on; those that live go on until they end by themselves.
    Drain {
        /// When those that are left are closed. Saying it again replaces the time.
        deadline: Option<Instant>,
    },
}

/// What the shell is to do.
#[derive(Debug)]
pub enum Output {
    /// Send a packet. Its body may lie in the data of the input just handled, so drain the
    /// outputs before that buffer is used again.
    Transmit(Transmit),
    /// Open a UDP socket and answer with [`Input::RelayOpened`]. An allocation with addresses of
    /// both families asks twice, and each is answered for itself.
    OpenRelay(OpenRelay),
    /// Open a TCP socket that listens, from whose address connections can be made too
    /// (`SO_REUSEADDR` and `SO_REUSEPORT`), and answer with [`Input::RelayOpened`].
    OpenTcpRelay(OpenRelay),
    /// Close a relay's socket. Its connections are closed each by [`Output::CloseConnection`].
    CloseRelay(RelayId),
    /// Connect from a TCP relay's address to a peer, and answer with [`Input::Connected`]. What
    /// the peer sends is to be left in the kernel until [`Output::Splice`]. The core gives up
    /// after 30 s by [`Output::CloseConnection`].
    Connect {
        /// The name of the connection from now on.
        connection: ConnectionId,
        /// From which relay.
        relay: RelayId,
        /// To whom.
        peer: SocketAddr,
    },
    /// The connection that [`Input::PeerConnected`] has just told of gets this number. What the
    /// peer sends is to be left in the kernel until [`Output::Splice`].
    Accept(ConnectionId),
    /// The client's connection carries the peer's data from now on: after what was to be sent to
    /// it before, whatever comes on either is to be written to the other, and nothing of it comes
    /// to the core any more.
    Splice {
        /// The client's connection.
        client: FiveTuple,
        /// The peer's.
        connection: ConnectionId,
        /// How fast.
        allowance: Allowance,
    },
    /// Close a peer's connection, or give up making it, and with it the client's connection that
    /// it is spliced with.
    CloseConnection(ConnectionId),
    /// Give this very input to that shard: what it is about lives there. If it came on a stream,
    /// the shard has to be able to answer on it.
    PassOn {
        /// Which shard.
        shard: Shard,
    },
    /// An allocation has begun or ended.
    Event(Box<AllocationEvent>),
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
    /// Whether routers must not fragment it (RFC 8656 §11.2). Only ever set for [`Route::Peer`];
    /// of all others, and of what leaves this unset, the DF bit is to be 0 in IPv4.
    pub dont_fragment: bool,
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
    /// To an allocation on another shard, as [`Input::Sibling`].
    Sibling {
        /// Which shard.
        shard: Shard,
        /// The relayed address that it comes from.
        from: SocketAddr,
        /// The relayed address that it is for.
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

    /// Appends bytes; what would not fit is a mistake of the caller and is left out.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let (begin, end) = (usize::from(self.length), usize::from(self.length) + bytes.len());
        debug_assert!(end <= Self::MAX);
        if let Some(room) = self.bytes.get_mut(begin..end) {
            room.copy_from_slice(bytes);
            self.length = end as u8;
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
