//! Sending many packets by few system calls.

mod messages;

use std::{error::Error, fmt, io, net::SocketAddr, os::fd::AsRawFd};

use crate::{LARGEST_DATAGRAM, Place, UdpSocket, index::Index};
use messages::{MESSAGES, Messages};

/// No packet.
const NONE: u32 = u32::MAX;

/// The batch has no room for a packet: flush it, then push again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the batch is full until it is flushed")
    }
}

impl Error for Full {}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Packets that the kernel took.
    pub packets: u64,
    /// Packets that it did not take: its buffer was full, or it refused them.
    pub dropped: u64,
    /// System calls.
    pub calls: u64,
}

impl std::ops::AddAssign for Sent {
    fn add_assign(&mut self, other: Self) {
        self.packets += other.packets;
        self.dropped += other.dropped;
        self.calls += other.calls;
    }
}

/// Bytes of the batch's own, or of what was received.
#[derive(Clone, Copy, Debug, Default)]
struct Piece {
    start: u32,
    length: u32,
}

/// `head` and `tail` lie in the batch; `body` in the received bytes.
#[derive(Clone, Copy, Debug)]
struct Packet {
    head: Piece,
    body: Piece,
    tail: Piece,
    /// The next to the same destination.
    next: u32,
}

impl Packet {
    fn length(&self) -> u32 {
        self.head.length + self.body.length + self.tail.length
    }
}

#[derive(Clone, Copy, Debug)]
struct Destination {
    /// By which socket: the caller's number.
    socket: u32,
    to: SocketAddr,
    first: u32,
    last: u32,
}

/// Packets that wait to be sent together, allocated once.
///
/// Packets by one socket to one destination are gathered, in the order in which they were pushed;
/// between destinations the order is that of their first packets, socket by socket.
///
/// A batch of one socket copies packets ([`SendBatch::push`], [`SendBatch::flush`]). One of
/// several sockets can also leave their bodies where they were received
/// ([`SendBatch::push_by`], [`SendBatch::flush_all`]).
#[derive(Debug)]
pub struct SendBatch {
    arena: Box<[u8]>,
    used: usize,
    packets: Vec<Packet>,
    destinations: Vec<Destination>,
    index: Index,
    /// Too long for any datagram.
    refused: u64,
    messages: Messages,
}

impl SendBatch {
    /// Room for so many bytes (at least 64 KiB) of so many packets (1 to 65 536).
    pub fn new(bytes: usize, packets: usize) -> Self {
        let packets = packets.clamp(1, 1 << 16);
        let bytes = bytes.clamp(LARGEST_DATAGRAM + 1, u32::MAX as usize);
        Self {
            arena: vec![0; bytes].into_boxed_slice(),
            used: 0,
            packets: Vec::with_capacity(packets),
            destinations: Vec::with_capacity(packets),
            index: Index::new(packets),
            refused: 0,
            messages: Messages::new(packets),
        }
    }

    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty() && self.refused == 0
    }

    /// How many packets wait.
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Copies a packet, given in parts, behind the others. One that is too long for any datagram
    /// is counted among the dropped.
    ///
    /// # Errors
    /// [`Full`] until the next flush. An empty batch takes any packet.
    pub fn push(&mut self, to: SocketAddr, parts: &[&[u8]]) -> Result<(), Full> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        self.take(0, to, length, length, |batch| {
            let begin = batch.used as u32;
            let pieces = parts.iter().map(|part| batch.copy(part).length);
            (Piece { start: begin, length: pieces.sum() }, Piece::default(), Piece::default())
        })
    }

    /// Puts a packet behind the others of a socket, which the caller has numbered: `head` and
    /// `padding` zero bytes are the batch's own, `body` stays where it was received until
    /// [`SendBatch::flush_all`].
    ///
    /// # Errors
    /// [`Full`] until the next flush. An empty batch takes any packet.
    pub fn push_by(
        &mut self,
        socket: u32,
        to: SocketAddr,
        head: &[&[u8]],
        body: Place,
        padding: usize,
    ) -> Result<(), Full> {
        let own = head.iter().map(|part| part.len()).sum::<usize>() + padding;
        self.take(socket, to, own + body.len(), own, |batch| {
            let begin = batch.used as u32;
            let head = Piece { start: begin, length: head.iter().map(|part| batch.copy(part).length).sum() };
            let tail = Piece { start: batch.used as u32, length: padding as u32 };
            batch.arena[batch.used..batch.used + padding].fill(0);
            batch.used += padding;
            (head, Piece { start: body.start as u32, length: body.len() as u32 }, tail)
        })
    }

    /// Checks that there is room for a packet of `length` bytes, of which `own` are copied, and
    /// hangs it in.
    #[inline]
    fn take(
        &mut self,
        socket: u32,
        to: SocketAddr,
        length: usize,
        own: usize,
        pieces: impl FnOnce(&mut Self) -> (Piece, Piece, Piece),
    ) -> Result<(), Full> {
        if length > LARGEST_DATAGRAM {
            self.refused += 1;
            return Ok(());
        }
        if self.packets.len() == self.packets.capacity() || own > self.arena.len() - self.used {
            return Err(Full);
        }
        let (head, body, tail) = pieces(self);
        self.packets.push(Packet { head, body, tail, next: NONE });
        self.link(socket, to, self.packets.len() as u32 - 1);
        Ok(())
    }

    fn copy(&mut self, bytes: &[u8]) -> Piece {
        let start = self.used;
        self.used += bytes.len();
        self.arena[start..self.used].copy_from_slice(bytes);
        Piece { start: start as u32, length: bytes.len() as u32 }
    }

    /// Hangs a packet behind the others of its destination.
    fn link(&mut self, socket: u32, to: SocketAddr, packet: u32) {
        let new = self.destinations.len() as u32;
        let is = |destination: &Destination| destination.to == to && destination.socket == socket;
        // Bursts to one destination come one after the other, mostly.
        let place = match self.destinations.last() {
            Some(last) if is(last) => new - 1,
            _ => self.index.place((socket, to), new, |place| is(&self.destinations[place as usize])),
        };
        match self.destinations.get_mut(place as usize) {
            Some(known) => {
                self.packets[known.last as usize].next = packet;
                known.last = packet;
            }
            None => self.destinations.push(Destination { socket, to, first: packet, last: packet }),
        }
    }

    /// Sends everything by one socket, and is empty then. When the socket's buffer is full the
    /// rest is dropped, as networks lose packets; a message that the kernel refuses is skipped.
    pub fn flush(&mut self, socket: &UdpSocket) -> Sent {
        self.flush_all(&[], |_| Some(socket))
    }

    /// Sends everything, each packet by the socket of its number, and is empty then. `received`
    /// is what the places given to [`SendBatch::push_by`] are in. Where a socket is gone, its
    /// packets are dropped.
    pub fn flush_all<'s>(&mut self, received: &[u8], socket: impl Fn(u32) -> Option<&'s UdpSocket>) -> Sent {
        self.flush_with(received, socket, |socket, headers| {
            let count = headers.len().min(MESSAGES) as libc::c_uint;
            // SAFETY: `messages` has let each header point to an address, vectors and a control
            // message with their sizes; those and the bytes that the vectors point to live and
            // stay untouched through the call; `count` is not more than there are.
            let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count, 0) };
            usize::try_from(sent).map_err(|_| io::Error::last_os_error())
        })
    }

    fn flush_with<'s>(
        &mut self,
        received: &[u8],
        socket_of: impl Fn(u32) -> Option<&'s UdpSocket>,
        mut send: impl FnMut(&UdpSocket, &mut [libc::mmsghdr]) -> io::Result<usize>,
    ) -> Sent {
        let mut sent = Sent { dropped: self.refused, ..Sent::default() };
        self.messages.sort(&self.destinations);
        while let Some(number) = self.messages.next_socket(&self.destinations) {
            self.messages.order(&self.destinations, &self.packets, &self.arena, received);
            match socket_of(number) {
                Some(socket) => sent += self.messages.send(socket, &mut send),
                None => sent.dropped += self.messages.packets(),
            }
        }
        self.clear();
        sent
    }

    fn clear(&mut self) {
        self.used = 0;
        self.refused = 0;
        self.packets.clear();
        self.destinations.clear();
        self.index.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;

    const SIZE: usize = 100;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn merging_socket() -> Option<UdpSocket> {
        let socket = UdpSocket::bind(address(0), Options::default()).expect("loopback");
        // Nothing to test on a kernel that merges nothing.
        socket.merges_sent().then_some(socket)
    }

    /// Three packets to one destination, two to another, pushed by turns.
    fn batch() -> SendBatch {
        let mut batch = SendBatch::new(0, 16);
        for port in [1, 2, 1, 2, 1] {
            batch.push(address(port), &[&[0; SIZE]]).expect("room");
        }
        batch
    }

    /// The number of packets in each message of a call.
    fn runs(headers: &[libc::mmsghdr]) -> Vec<usize> {
        #[allow(clippy::unnecessary_cast)] // Its type differs between C libraries.
        headers.iter().map(|header| header.msg_hdr.msg_iovlen as usize).collect()
    }

    #[test]
    fn a_full_socket_buffer_drops_the_rest_and_counts_it() {
        let Some(socket) = merging_socket() else { return };
        for errno in [libc::EAGAIN, libc::ENOBUFS] {
            let mut answers = [Ok(1), Err(io::Error::from_raw_os_error(errno))].into_iter();
            let mut batch = batch();
            let sent = batch.flush_with(&[], |_| Some(&socket), |_, _| answers.next().expect("no third call"));
            assert_eq!(sent, Sent { packets: 3, dropped: 2, calls: 2 });
            assert!(batch.is_empty());
        }
    }

    #[test]
    fn without_checksum_offload_everything_goes_singly_for_good() {
        let Some(socket) = merging_socket() else { return };
        let mut seen = Vec::new();
        let mut send = |_: &UdpSocket, headers: &mut [libc::mmsghdr]| {
            seen.push(runs(headers));
            match headers[0].msg_hdr.msg_iovlen {
                1 => Ok(headers.len()),
                _ => Err(io::Error::from_raw_os_error(libc::EIO)),
            }
        };
        let first = batch().flush_with(&[], |_| Some(&socket), &mut send);
        let second = batch().flush_with(&[], |_| Some(&socket), &mut send);
        assert_eq!(first, Sent { packets: 5, dropped: 0, calls: 2 });
        assert_eq!(second, Sent { packets: 5, dropped: 0, calls: 1 });
        assert_eq!(seen, [vec![3, 2], vec![1; 5], vec![1; 5]]);
    }

    #[test]
    fn a_message_that_cannot_be_cut_goes_singly_and_the_others_stay_merged() {
        let Some(socket) = merging_socket() else { return };
        let mut seen = Vec::new();
        let sent = batch().flush_with(
            &[],
            |_| Some(&socket),
            |_, headers| {
                seen.push(runs(headers));
                match headers[0].msg_hdr.msg_iovlen {
                    3 => Err(io::Error::from_raw_os_error(libc::EINVAL)),
                    _ => Ok(headers.len()),
                }
            },
        );
        assert_eq!(sent, Sent { packets: 5, dropped: 0, calls: 2 });
        assert_eq!(seen, [vec![3, 2], vec![1, 1, 1, 2]]);
        assert!(socket.merges_sent());
    }

    #[test]
    fn a_refused_message_is_skipped_and_an_interrupted_call_is_made_again() {
        let Some(socket) = merging_socket() else { return };
        let mut answers = [Err(libc::EINTR), Err(libc::EPERM), Ok(1)].into_iter();
        let sent = batch().flush_with(
            &[],
            |_| Some(&socket),
            |_, _| answers.next().expect("no fourth call").map_err(io::Error::from_raw_os_error),
        );
        assert_eq!(sent, Sent { packets: 2, dropped: 3, calls: 3 });
    }

    #[test]
    fn a_full_batch_says_so_and_takes_any_packet_after_a_flush() {
        let socket = UdpSocket::bind(address(0), Options::default()).expect("loopback");
        let mut batch = SendBatch::new(0, 2);
        let huge = vec![0; LARGEST_DATAGRAM];
        batch.push(address(1), &[&huge]).expect("an empty batch takes any packet");
        assert_eq!(batch.push(address(1), &[&[0; 30]]), Err(Full), "bytes");
        batch.flush_with(&[], |_| Some(&socket), |_, headers| Ok(headers.len()));
        batch.push(address(1), &[]).expect("room");
        batch.push(address(1), &[]).expect("room");
        assert_eq!(batch.push(address(1), &[]), Err(Full), "packets");
        assert_eq!(batch.len(), 2);
    }

    #[test]
    fn what_is_too_long_for_any_datagram_is_dropped_and_counted() {
        let socket = UdpSocket::bind(address(0), Options::default()).expect("loopback");
        let mut batch = SendBatch::new(1 << 20, 2);
        let huge = vec![0; LARGEST_DATAGRAM];
        assert_eq!(batch.push(address(1), &[&huge, &[0]]), Ok(()));
        assert!(!batch.is_empty());
        assert_eq!(batch.flush(&socket), Sent { packets: 0, dropped: 1, calls: 0 });
        assert!(batch.is_empty());
    }
}
