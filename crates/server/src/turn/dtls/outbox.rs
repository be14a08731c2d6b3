//! What the listener wants done, in order, its bytes in one place.

use std::{collections::VecDeque, net::SocketAddr, ops::Range, time::Instant};

/// What the shell is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DtlsOutput<'a> {
    /// Send a datagram to a client.
    Datagram {
        /// To whom.
        to: SocketAddr,
        /// Its bytes.
        datagram: &'a [u8],
    },
    /// A client has sent a packet: one STUN message or one ChannelData message.
    Packet {
        /// Who.
        from: SocketAddr,
        /// Its bytes.
        packet: &'a [u8],
    },
    /// A client's session has ended; its allocation ends with it. Only sessions whose handshake
    /// was done are spoken of.
    Closed {
        /// Whose.
        client: SocketAddr,
    },
    /// Nothing more now. Come again at that time.
    Timeout(Option<Instant>),
}

#[derive(Clone, Debug)]
enum Queued {
    Datagram(Range<usize>),
    Packet(Range<usize>),
    Closed,
}

#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: VecDeque<(SocketAddr, Queued)>,
    bytes: Vec<u8>,
}

impl Outbox {
    pub(super) fn datagram(&mut self, to: SocketAddr, datagram: &[u8]) {
        let range = self.keep(datagram);
        self.queue.push_back((to, Queued::Datagram(range)));
    }

    pub(super) fn packet(&mut self, from: SocketAddr, packet: &[u8]) {
        let range = self.keep(packet);
        self.queue.push_back((from, Queued::Packet(range)));
    }

    pub(super) fn closed(&mut self, client: SocketAddr) {
        self.queue.push_back((client, Queued::Closed));
    }

    pub(super) fn pop(&mut self) -> Option<DtlsOutput<'_>> {
        let (client, queued) = self.queue.pop_front()?;
        Some(match queued {
            Queued::Datagram(range) => DtlsOutput::Datagram { to: client, datagram: &self.bytes[range] },
            Queued::Packet(range) => DtlsOutput::Packet { from: client, packet: &self.bytes[range] },
            Queued::Closed => DtlsOutput::Closed { client },
        })
    }

    fn keep(&mut self, bytes: &[u8]) -> Range<usize> {
        if self.queue.is_empty() {
            self.bytes.clear();
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }
}
