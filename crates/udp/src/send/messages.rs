//! What the kernel is given: packets in the order in which they go out, as messages.

use std::{io, ops::Range};

use super::{Destination, Packet, Piece, Sent};
use crate::{UdpSocket, address::RawAddress, control::SegmentControl};

/// The kernel cuts one message into no more (UDP_MAX_SEGMENTS of Linux before 6.9).
const SEGMENTS: usize = 64;
/// The most bytes of one merged message: 65 535 less the headers of IPv6 (40) and UDP (8).
const MERGED: usize = 65_487;
/// sendmmsg(2) takes no more messages.
pub(super) const MESSAGES: usize = 1024;

/// A packet in the order in which it is sent.
#[derive(Clone, Copy, Debug)]
struct Ordered {
    /// The place of its address.
    destination: u32,
    length: u32,
    /// Its first vector, and how many there are.
    vector: u32,
    vectors: u32,
}

/// The messages of one socket after the other.
#[derive(Debug)]
pub(super) struct Messages {
    /// Places of destinations, socket by socket.
    sorted: Vec<u32>,
    /// Those in `sorted` of the present socket.
    present: Range<usize>,
    // Below: of the present socket. Never changed while others point to it.
    addresses: Vec<(RawAddress, libc::socklen_t)>,
    ordered: Vec<Ordered>,
    vectors: Vec<libc::iovec>,
    controls: Vec<SegmentControl>,
    headers: Vec<libc::mmsghdr>,
    /// Packets in each of `headers`.
    runs: Vec<u32>,
}

// SAFETY: the pointers in `vectors` and `headers` point into the other fields, which move along,
// or to bytes lent to `order`; they are written anew before each call that uses them.
unsafe impl Send for Messages {}

impl Messages {
    pub(super) fn new(packets: usize) -> Self {
        Self {
            sorted: Vec::with_capacity(packets),
            present: 0..0,
            addresses: Vec::with_capacity(packets),
            ordered: Vec::with_capacity(packets),
            vectors: Vec::with_capacity(3 * packets),
            controls: Vec::with_capacity(packets),
            headers: Vec::with_capacity(packets),
            runs: Vec::with_capacity(packets),
        }
    }

    /// Begins anew: destinations socket by socket, in their order.
    pub(super) fn sort(&mut self, destinations: &[Destination]) {
        self.sorted.clear();
        self.sorted.extend(0..destinations.len() as u32);
        let socket = |place: &u32| destinations[*place as usize].socket;
        if !self.sorted.is_sorted_by_key(socket) {
            self.sorted.sort_by_key(socket);
        }
        self.present = 0..0;
    }

    /// The next socket that has something to send.
    pub(super) fn next_socket(&mut self, destinations: &[Destination]) -> Option<u32> {
        let begin = self.present.end;
        let socket = |place: &u32| destinations[*place as usize].socket;
        let number = socket(self.sorted.get(begin)?);
        let same = self.sorted[begin..].iter().take_while(|place| socket(place) == number).count();
        self.present = begin..begin + same;
        Some(number)
    }

    /// Lays the packets of each destination of the present socket one after the other.
    pub(super) fn order(&mut self, destinations: &[Destination], packets: &[Packet], own: &[u8], received: &[u8]) {
        self.addresses.clear();
        self.ordered.clear();
        self.vectors.clear();
        for place in &self.sorted[self.present.clone()] {
            let destination = &destinations[*place as usize];
            let address = self.addresses.len() as u32;
            self.addresses.push((RawAddress::new(destination.to), RawAddress::length(destination.to)));
            let mut at = destination.first;
            while let Some(packet) = packets.get(at as usize) {
                let first = self.vectors.len();
                let pieces = [(packet.head, own), (packet.body, received), (packet.tail, own)];
                let present = pieces.into_iter().filter(|(piece, _)| piece.length > 0);
                self.vectors.extend(present.map(|(piece, bytes)| vector(piece, bytes)));
                self.ordered.push(Ordered {
                    destination: address,
                    length: packet.length(),
                    vector: first as u32,
                    vectors: (self.vectors.len() - first) as u32,
                });
                at = packet.next;
            }
        }
    }

    /// How many packets the present socket has.
    pub(super) fn packets(&self) -> u64 {
        self.ordered.len() as u64
    }

    /// Sends the packets of the present socket.
    pub(super) fn send(
        &mut self,
        socket: &UdpSocket,
        send: &mut impl FnMut(&UdpSocket, &mut [libc::mmsghdr]) -> io::Result<usize>,
    ) -> Sent {
        let mut sent = Sent::default();
        self.plan(0, 0, socket.merges_sent());
        // `packet` is the first of message `next`.
        let (mut next, mut packet) = (0, 0);
        // An error of an earlier packet (ICMP) shows up once, and keeps nothing from being sent.
        let mut asked_again = false;
        while next < self.headers.len() {
            sent.calls += 1;
            let why = match send(socket, &mut self.headers[next..]) {
                Ok(taken) => {
                    let taken = &self.runs[next..self.runs.len().min(next + taken)];
                    if taken.iter().any(|run| *run > 1) {
                        socket.merged_was_sent();
                    }
                    next += taken.len();
                    let packets: usize = taken.iter().map(|run| *run as usize).sum();
                    packet += packets;
                    sent.packets += packets as u64;
                    asked_again = false;
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
                // With IP_RECVERR the kernel tells of each packet that an interface's queue dropped.
                libc::ENOBUFS if socket.tells_errors() => {
                    sent.dropped += run as u64;
                    packet += run;
                    next += 1;
                }
                libc::EAGAIN | libc::ENOBUFS => {
                    sent.dropped += (self.ordered.len() - packet) as u64;
                    break;
                }
                errno @ (libc::EIO | libc::EINVAL | libc::EMSGSIZE) if run > 1 => {
                    socket.merged_was_refused(errno);
                    self.plan(packet, run, socket.merges_sent());
                    next = 0;
                }
                _ if socket.tells_errors() && !asked_again => asked_again = true,
                _ => {
                    asked_again = false;
                    sent.dropped += run as u64;
                    packet += run;
                    next += 1;
                }
            }
        }
        sent
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
            let count: u32 = self.ordered[at..at + run].iter().map(|packet| packet.vectors).sum();
            // SAFETY: integers and pointers only, for all of which zero is a value.
            let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
            header.msg_hdr.msg_name = addresses.wrapping_add(destination).cast();
            header.msg_hdr.msg_namelen = self.addresses[destination].1;
            header.msg_hdr.msg_iov = vectors.wrapping_add(first.vector as usize);
            header.msg_hdr.msg_iovlen = count as _;
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
}

/// Points to a piece; to nothing where the piece is not within the bytes, which is its caller's
/// mistake.
fn vector(piece: Piece, bytes: &[u8]) -> libc::iovec {
    let range = piece.start as usize..(piece.start + piece.length) as usize;
    debug_assert!(range.end <= bytes.len());
    let bytes = bytes.get(range).unwrap_or_default();
    libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() }
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

    #[test]
    fn runs_end_at_a_shorter_packet_another_destination_and_the_kernels_bounds() {
        let ordered = |lengths: &[u32]| -> Vec<Ordered> {
            lengths.iter().map(|length| Ordered { destination: 0, length: *length, vector: 0, vectors: 1 }).collect()
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
}
