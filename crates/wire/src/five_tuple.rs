//! Who talks to the server by what: RFC 8656 §2, "5-tuple".

use std::{fmt, net::SocketAddr};

use crate::Pii;

/// The transport between a client and the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A byte stream.
    Tcp,
    /// A byte stream inside TLS.
    Tls,
    /// Datagrams inside DTLS, one packet in each record.
    Dtls,
}

impl Transport {
    /// Every transport, in the order of [`Transport::index`].
    pub const ALL: [Self; 4] = [Self::Udp, Self::Tcp, Self::Tls, Self::Dtls];

    /// Whether packets are cut from a byte stream, where ChannelData is padded to four bytes
    /// (RFC 8656 §12.5).
    #[must_use]
    #[inline]
    pub const fn is_stream(self) -> bool {
        matches!(self, Self::Tcp | Self::Tls)
    }

    /// The name used in metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Dtls => "dtls",
        }
    }

    /// The place of this transport in [`Transport::ALL`].
    #[must_use]
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// A client's transport address, the server's, and the transport between them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FiveTuple {
    /// Where the client's packets come from.
    pub client: SocketAddr,
    /// The server's address that they arrive at.
    pub server: SocketAddr,
    /// How they travel.
    pub transport: Transport,
}

impl fmt::Debug for FiveTuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}->{}", self.transport.name(), Pii(self.client), self.server)
    }
}
