//! Sending many packets by few system calls.

use std::{error::Error, fmt, io, net::SocketAddr, os::fd::AsRawFd};

use crate::{LARGEST_DATAGRAM, UdpSocket, address::RawAddress, control::SegmentControl, index::Index};

/// The kernel cuts one message into no more (UDP_MAX_SEGMENTS of Linux before 6.9).
const SEGMENTS: usize = 64;
/// The most bytes of one merged message: 65 535 less the headers of IPv6 (40) and UDP (8).
const MERGED: usize = 65_487;
/// sendmmsg(2) takes no more messages.
const MESSAGES: usize = 1024;
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

#[derive(Clone, Copy, Debug)]
struct Packet {
    start: u32,
    length: u32,
    /// The next to the same destination.
    next: u32,
}

#[derive(Clone, Copy, Debug)]
struct Destination {
    to: SocketAddr,
    first: u32,
    last: u32,
}

/// A packet in the order in which it is sent.
#[derive(Clone, Copy, Debug)]
struct Ordered {
    destination: u32,
    length: u32,
}

/// Packets that wait to be sent together, allocated once.
///
/// Packets to one destination are gathered, in the order in which they were pushed; between
/// destinations the order is that of their first packets.
#[derive(Debug)]
pub struct SendBatch {
    arena: Box<[u8]>,
    used: usize,
    packets: Vec<Packet>,
    destinations: Vec<Destination>,
    index: Index,
    /// Too long for any datagram.
    refused: u64,
    // Below: what is made of them to be sent. Never grows past its capacity, as others point to it.
    addresses: Vec<RawAddress>,
    ordered: Vec<Ordered>,
    vectors: Vec<libc::iovec>,
    controls: Vec<SegmentControl>,
    headers: Vec<libc::mmsghdr>,
    /// Packets in each of `headers`.
    runs: Vec<u32>,
}

// SAFETY: the pointers in `vectors` and `headers` point into the other fields, which move along,
// and are written anew in each `flush`.
unsafe impl Send for SendBatch {}

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
            addresses: Vec::with_capacity(packets),
            ordered: Vec::with_capacity(packets),
            vectors: Vec::with_capacity(packets),
            controls: Vec::with_capacity(packets),
            headers: Vec::with_capacity(packets),
            runs: Vec::with_capacity(packets),
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
        if length > LARGEST_DATAGRAM {
            self.refused += 1;
            return Ok(());
        }
        if self.packets.len() == self.packets.capacity() || length > self.arena.len() - self.used {
            return Err(Full);
        }
        let start = self.used;
        for part in parts {
            self.arena[self.used..self.used + part.len()].copy_from_slice(part);
            self.used += part.len();
        }
        self.packets.push(Packet { start: start as u32, length: length as u32, next: NONE });
        self.link(to, self.packets.len() as u32 - 1);
        Ok(())
    }

    /// Hangs a packet behind the others of its destination.
    fn link(&mut self, to: SocketAddr, packet: u32) {
        let new = self.destinations.len() as u32;
        // Bursts to one destination come one after the other, mostly.
        let place = match self.destinations.last() {
            Some(last) if last.to == to => new - 1,
            _ => self.index.place(to, new, |place| self.destinations[place as usize].to == to),
        };
        match self.destinations.get_mut(place as usize) {
            Some(known) => {
                self.packets[known.last as usize].next = packet;
                known.last = packet;
            }
            None => self.destinations.push(Destination { to, first: packet, last: packet }),
        }
    }

    /// Sends everything, and is empty then. When the socket's buffer is full the rest is dropped,
    /// as networks lose packets; a message that the kernel refuses is skipped.
    pub fn flush(&mut self, socket: &UdpSocket) -> Sent {
        self.flush_with(socket, |headers| {
            let count = headers.len().min(MESSAGES) as libc::c_uint;
            // SAFETY: `plan` has let each header point to an address, vectors and a control
            // message with their sizes, all within vectors of the batch that live and stay
            // untouched through the call; `count` is not more than there are.
            let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count, 0) };
            usize::try_from(sent).map_err(|_| io::Error::last_os_error())
        })
    }

    fn flush_with(
        &mut self,
        socket: &UdpSocket,
        mut send: impl FnMut(&mut [libc::mmsghdr]) -> io::Result<usize>,
    ) -> Sent {
        let mut sent = Sent { dropped: self.refused, ..Sent::default() };
        self.order();
        self.plan(0, 0, socket.merges_sent());
        // `packet` is the first of message `next`.
        let (mut next, mut packet) = (0, 0);
        while next < self.headers.len() {
            sent.calls += 1;
            let why = match send(&mut self.headers[next..]) {
                Ok(taken) => {
                    let taken = &self.runs[next..self.runs.len().min(next + taken)];
                    if taken.iter().any(|run| *run > 1) {
                        socket.merged_was_sent();
                    }
                    next += taken.len();
                    let packets: usize = taken.iter().map(|run| *run as usize).sum();
                    packet += packets;
                    sent.packets += packets as u64;
                    if packets > 0 {
                        continue;
                    }
                    // Never by its manual page; and not for ever if it does.
                    io::Error::from_raw_os_error(libc::EAGAIN)
                }
                Err(why) => why,
            };
            let run = self.runs[next] as usize;
            match why.raw_os_error().unwrap_or(0) {
                libc::EINTR => {}
                libc::EAGAIN | libc::ENOBUFS => {
                    sent.dropped += (self.ordered.len() - packet) as u64;
                    break;
                }
                errno @ (libc::EIO | libc::EINVAL | libc::EMSGSIZE) if run > 1 => {
                    socket.merged_was_refused(errno);
                    self.plan(packet, run, socket.merges_sent());
                    next = 0;
                }
                _ => {
                    sent.dropped += run as u64;
                    packet += run;
                    next += 1;
                }
            }
        }
        self.clear();
        sent
    }

    /// Lays the packets of each destination one after the other.
    fn order(&mut self) {
        self.addresses.clear();
        self.ordered.clear();
        self.vectors.clear();
        let base = self.arena.as_mut_ptr();
        for (place, destination) in self.destinations.iter().enumerate() {
            self.addresses.push(RawAddress::new(destination.to));
            let mut at = destination.first;
            while let Some(packet) = self.packets.get(at as usize) {
                self.ordered.push(Ordered { destination: place as u32, length: packet.length });
                let start = base.wrapping_add(packet.start as usize);
                self.vectors.push(libc::iovec { iov_base: start.cast(), iov_len: packet.length as usize });
                at = packet.next;
            }
        }
    }

    /// Makes messages of the ordered packets from `begin` on, the first `single` of which are
    /// not to be merged.
    fn plan(&mut self, begin: usize, single: usize, merge: bool) {
        self.headers.clear();
        self.controls.clear();
        self.runs.clear();
        let (addresses, vectors) = (self.addresses.as_mut_ptr(), self.vectors.as_mut_ptr());
        let mut at = begin;
        while let Some(first) = self.ordered.get(at) {
            let run = if merge && at >= begin + single { run(&self.ordered[at..]) } else { 1 };
            let destination = first.destination as usize;
            // SAFETY: integers and pointers only, for all of which zero is a value.
            let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
            header.msg_hdr.msg_name = addresses.wrapping_add(destination).cast();
            header.msg_hdr.msg_namelen = RawAddress::length(self.destinations[destination].to);
            header.msg_hdr.msg_iov = vectors.wrapping_add(at);
            header.msg_hdr.msg_iovlen = run as _;
            if run > 1 {
                self.controls.push(SegmentControl::new(first.length as u16));
                header.msg_hdr.msg_controllen = SegmentControl::LENGTH as _;
            }
            self.headers.push(header);
            self.runs.push(run as u32);
            at += run;
        }
        // Only now that the controls stay where they are.
        let merged = self.headers.iter_mut().filter(|header| header.msg_hdr.msg_controllen > 0);
        for (header, control) in merged.zip(&mut self.controls) {
            header.msg_hdr.msg_control = control.as_mut_ptr().cast();
        }
    }

    fn clear(&mut self) {
        self.used = 0;
        self.refused = 0;
        self.packets.clear();
        self.destinations.clear();
        self.index.clear();
    }
}

/// How many packets the kernel can send as one message: to one destination and of equal size, of
/// which the last may be shorter.
fn run(packets: &[Ordered]) -> usize {
    let Some(first) = packets.first() else { return 0 };
    let (mut count, mut bytes) = (1, first.length as usize);
    // A segment size of 0 means none.
    if first.length == 0 {
        return 1;
    }
    for packet in &packets[1..packets.len().min(SEGMENTS)] {
        bytes += packet.length as usize;
        let fits = packet.destination == first.destination && (1..=first.length).contains(&packet.length);
        if !fits || bytes > MERGED {
            break;
        }
        count += 1;
        if packet.length < first.length {
            break;
        }
    }
    count
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
            let sent = batch.flush_with(&socket, |_| answers.next().expect("no third call"));
            assert_eq!(sent, Sent { packets: 3, dropped: 2, calls: 2 });
            assert!(batch.is_empty());
        }
    }

    #[test]
    fn without_checksum_offload_everything_goes_singly_for_good() {
        let Some(socket) = merging_socket() else { return };
        let mut seen = Vec::new();
        let mut send = |headers: &mut [libc::mmsghdr]| {
            seen.push(runs(headers));
            match headers[0].msg_hdr.msg_iovlen {
                1 => Ok(headers.len()),
                _ => Err(io::Error::from_raw_os_error(libc::EIO)),
            }
        };
        let first = batch().flush_with(&socket, &mut send);
        let second = batch().flush_with(&socket, &mut send);
        assert_eq!(first, Sent { packets: 5, dropped: 0, calls: 2 });
        assert_eq!(second, Sent { packets: 5, dropped: 0, calls: 1 });
        assert_eq!(seen, [vec![3, 2], vec![1; 5], vec![1; 5]]);
    }

    #[test]
    fn a_message_that_cannot_be_cut_goes_singly_and_the_others_stay_merged() {
        let Some(socket) = merging_socket() else { return };
        let mut seen = Vec::new();
        let sent = batch().flush_with(&socket, |headers| {
            seen.push(runs(headers));
            match headers[0].msg_hdr.msg_iovlen {
                3 => Err(io::Error::from_raw_os_error(libc::EINVAL)),
                _ => Ok(headers.len()),
            }
        });
        assert_eq!(sent, Sent { packets: 5, dropped: 0, calls: 2 });
        assert_eq!(seen, [vec![3, 2], vec![1, 1, 1, 2]]);
        assert!(socket.merges_sent());
    }

    #[test]
    fn a_refused_message_is_skipped_and_an_interrupted_call_is_made_again() {
        let Some(socket) = merging_socket() else { return };
        let mut answers = [Err(libc::EINTR), Err(libc::EPERM), Ok(1)].into_iter();
        let sent = batch()
            .flush_with(&socket, |_| answers.next().expect("no fourth call").map_err(io::Error::from_raw_os_error));
        assert_eq!(sent, Sent { packets: 2, dropped: 3, calls: 3 });
    }

    #[test]
    fn runs_end_at_a_shorter_packet_another_destination_and_the_kernels_bounds() {
        let ordered = |lengths: &[u32]| -> Vec<Ordered> {
            lengths.iter().map(|length| Ordered { destination: 0, length: *length }).collect()
        };
        assert_eq!(run(&ordered(&[5, 5, 4, 5])), 3);
        assert_eq!(run(&ordered(&[5, 6])), 1);
        assert_eq!(run(&ordered(&[0, 0])), 1);
        assert_eq!(run(&ordered(&[5, 0])), 1);
        assert_eq!(run(&ordered(&[1; 100])), SEGMENTS);
        assert_eq!(run(&ordered(&[1200; 100])), MERGED / 1200);
        let mut two = ordered(&[5, 5]);
        two[1].destination = 1;
        assert_eq!(run(&two), 1);
    }

    #[test]
    fn a_full_batch_says_so_and_takes_any_packet_after_a_flush() {
        let socket = UdpSocket::bind(address(0), Options::default()).expect("loopback");
        let mut batch = SendBatch::new(0, 2);
        let huge = vec![0; LARGEST_DATAGRAM];
        batch.push(address(1), &[&huge]).expect("an empty batch takes any packet");
        assert_eq!(batch.push(address(1), &[&[0; 30]]), Err(Full), "bytes");
        batch.flush_with(&socket, |headers| Ok(headers.len()));
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
