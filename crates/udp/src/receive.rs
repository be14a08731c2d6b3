//! Receiving many datagrams by one system call.

use std::{
    io,
    iter::Zip,
    net::SocketAddr,
    ops::Range,
    os::fd::AsRawFd,
    ptr,
    slice::{ChunksExactMut, Iter},
    time::{Duration, SystemTime},
};

use crate::{UdpSocket, address::RawAddress, control::ReceivedControl};

/// The kernel merges up to 64 KiB into one message.
const MESSAGE: usize = 1 << 16;
/// Slots that lie a power of two apart share the processor's cache sets. So they lie a little
/// further apart, and the first packets of all slots fit into the cache together.
const STAGGER: usize = 21 * 64;

/// One message of the last call.
#[derive(Clone, Copy, Debug)]
struct Message {
    from: SocketAddr,
    length: usize,
    segment: usize,
    arrival: Option<Duration>,
}

/// Where bytes lie in what was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub(crate) start: usize,
    end: usize,
}

impl Place {
    /// No bytes.
    pub const NOWHERE: Self = Self { start: 0, end: 0 };

    /// How many bytes.
    pub const fn len(&self) -> usize {
        self.end - self.start
    }

    /// None.
    pub const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// A part of it, cut to what there is.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        let start = self.end.min(self.start.saturating_add(range.start));
        Self { start, end: self.end.min(self.start.saturating_add(range.end)).max(start) }
    }

    /// The bytes, of the batch's [`ReceiveBatch::bytes`].
    pub fn of<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.start..self.end).unwrap_or_default()
    }
}

/// Buffers for many messages, allocated once and touched only as far as messages reach.
#[derive(Debug)]
pub struct ReceiveBatch {
    arena: Box<[u8]>,
    headroom: usize,
    stride: usize,
    addresses: Box<[RawAddress]>,
    controls: Box<[ReceivedControl]>,
    vectors: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
    /// Of the last call. One that can't be used (no address, cut off) is `None`.
    messages: Vec<Option<Message>>,
}

// SAFETY: the pointers in `vectors` and `headers` point into the other fields, which move along,
// and are written anew before each call that uses them.
unsafe impl Send for ReceiveBatch {}

impl ReceiveBatch {
    /// Room for so many messages (1 to 1024) of up to 64 KiB each, with `headroom` bytes in front
    /// of each message.
    pub fn new(messages: usize, headroom: usize) -> Self {
        let messages = messages.clamp(1, 1024);
        let stride = headroom + MESSAGE + STAGGER;
        let vector = libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 };
        Self {
            arena: vec![0; messages * stride].into_boxed_slice(),
            headroom,
            stride,
            addresses: vec![RawAddress::EMPTY; messages].into_boxed_slice(),
            controls: vec![ReceivedControl::EMPTY; messages].into_boxed_slice(),
            vectors: vec![vector; messages].into_boxed_slice(),
            headers: vec![empty_header(); messages].into_boxed_slice(),
            messages: Vec::with_capacity(messages),
        }
    }

    /// Takes what waits on the socket, and says how many messages that was, from 1 to the batch's
    /// size. As many as the batch holds: there may be more, for which a poller that tells of
    /// changes only does not wake again.
    ///
    /// `WouldBlock` when nothing waits. Other errors are those of recvmmsg(2); none of them ends
    /// the socket.
    pub fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.clear();
        self.receive_more(socket, self.capacity())
    }

    /// Forgets what was received.
    pub fn clear(&mut self) {
        self.messages.clear();
    }

    /// How many messages there is still room for.
    pub fn free(&self) -> usize {
        self.capacity() - self.messages.len()
    }

    /// Takes what waits on one more socket, `most` messages at most, behind what was received
    /// already; says how many there were. As many as asked for, or as there was room for: there
    /// may be more.
    ///
    /// As [`ReceiveBatch::receive`], and `WouldBlock` without room.
    pub fn receive_more(&mut self, socket: &UdpSocket, most: usize) -> io::Result<usize> {
        let begin = self.messages.len();
        let end = self.capacity().min(begin + most);
        if begin == end {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.prepare(begin..end);
        let count = loop {
            // SAFETY: `prepare` has let each of these headers point to an address, a vector and a
            // control buffer of its own, with their sizes, all within boxes of `self` that live
            // and stay untouched through the call.
            let count = unsafe {
                let headers = &mut self.headers[begin..end];
                let length = headers.len() as libc::c_uint;
                libc::recvmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), length, 0, ptr::null_mut())
            };
            match usize::try_from(count) {
                Ok(count) => break count,
                Err(_) => match io::Error::last_os_error() {
                    why if why.kind() == io::ErrorKind::Interrupted => {}
                    why => return Err(why),
                },
            }
        };
        for index in begin..begin + count {
            let message = self.message(index);
            self.messages.push(message);
        }
        Ok(count)
    }

    /// How many messages one call takes at most.
    pub fn capacity(&self) -> usize {
        self.headers.len()
    }

    /// The datagrams of the last [`ReceiveBatch::receive`], in the order of their arrival.
    pub fn datagrams(&mut self) -> Datagrams<'_> {
        let slots = self.arena.chunks_exact_mut(self.stride).zip(&self.messages);
        Datagrams { slots, headroom: self.headroom, merged: None }
    }

    /// The bytes that [`Place`]s are in.
    pub fn bytes(&self) -> &[u8] {
        &self.arena
    }

    /// Who sent each datagram and where it is, from the message `first` on, in the order of their
    /// arrival; those that the kernel merged are taken apart.
    pub fn places(&self, first: usize) -> impl Iterator<Item = (SocketAddr, Place)> {
        let messages = self.messages.iter().enumerate().skip(first);
        let present = messages.filter_map(|(index, message)| Some((index * self.stride + self.headroom, (*message)?)));
        present.flat_map(|(start, message)| {
            let segment = message.segment.max(1);
            // An empty datagram is one too.
            (0..message.length.div_ceil(segment).max(1)).map(move |part| {
                let begin = part * segment;
                let end = message.length.min(begin + segment);
                (message.from, Place { start: start + begin, end: start + end })
            })
        })
    }

    fn prepare(&mut self, range: Range<usize>) {
        let slots = self.arena.chunks_exact_mut(self.stride).skip(range.start);
        let (addresses, controls) = (self.addresses[range.clone()].iter_mut(), self.controls[range.clone()].iter_mut());
        let (vectors, headers) = (&mut self.vectors[range.clone()], &mut self.headers[range]);
        let own = slots.zip(addresses).zip(controls).zip(vectors).zip(headers);
        for ((((slot, address), control), vector), header) in own {
            *vector = libc::iovec { iov_base: slot[self.headroom..].as_mut_ptr().cast(), iov_len: MESSAGE };
            header.msg_hdr.msg_name = ptr::from_mut(address).cast();
            header.msg_hdr.msg_namelen = RawAddress::ROOM;
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = control.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = size_of::<ReceivedControl>() as _;
        }
    }

    fn message(&self, index: usize) -> Option<Message> {
        let header = &self.headers[index];
        if header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0 {
            return None;
        }
        let length = (header.msg_len as usize).min(MESSAGE);
        #[allow(clippy::useless_conversion)] // Its type differs between C libraries.
        let control = usize::try_from(header.msg_hdr.msg_controllen).unwrap_or(0);
        let said = self.controls[index].parse(control);
        let from = self.addresses[index].address()?;
        Some(Message { from, length, segment: said.segment.unwrap_or(length), arrival: said.arrival })
    }
}

fn empty_header() -> libc::mmsghdr {
    // SAFETY: integers and pointers only, for all of which zero is a value.
    unsafe { std::mem::zeroed() }
}

/// The datagrams of one call; those that the kernel merged are taken apart.
#[derive(Debug)]
pub struct Datagrams<'a> {
    slots: Zip<ChunksExactMut<'a, u8>, Iter<'a, Option<Message>>>,
    headroom: usize,
    /// What is left of a merged message.
    merged: Option<(&'a mut [u8], Message)>,
}

impl<'a> Iterator for Datagrams<'a> {
    type Item = Datagram<'a>;

    fn next(&mut self) -> Option<Datagram<'a>> {
        if let Some((rest, message)) = self.merged.take() {
            let length = message.segment.min(rest.len());
            return Some(self.segment(rest, message, 0, length));
        }
        loop {
            let (slot, message) = self.slots.next()?;
            let Some(message) = *message else { continue };
            if message.length <= message.segment {
                return Some(Datagram::new(slot, self.headroom, message.length, &message));
            }
            let end = self.headroom + message.length;
            return Some(self.segment(&mut slot[..end], message, self.headroom, message.segment));
        }
    }
}

impl<'a> Datagrams<'a> {
    fn segment(&mut self, all: &'a mut [u8], message: Message, headroom: usize, length: usize) -> Datagram<'a> {
        let (segment, rest) = all.split_at_mut(headroom + length);
        if !rest.is_empty() {
            self.merged = Some((rest, message));
        }
        Datagram::new(segment, headroom, length, &message)
    }
}

/// One received datagram, with the room around it that belongs to nobody else.
///
/// A datagram that came by itself has the batch's headroom in front, and room behind. Of merged
/// ones the first has the headroom; in front of the others is their predecessor, so they have none.
#[derive(Debug)]
pub struct Datagram<'a> {
    /// Who sent it.
    pub from: SocketAddr,
    arrival: Option<Duration>,
    room: &'a mut [u8],
    headroom: usize,
    length: usize,
}

impl<'a> Datagram<'a> {
    fn new(room: &'a mut [u8], headroom: usize, length: usize, message: &Message) -> Self {
        Self { from: message.from, arrival: message.arrival, room, headroom, length }
    }

    /// What was sent.
    pub fn data(&self) -> &[u8] {
        &self.room[self.headroom..self.headroom + self.length]
    }

    /// The same, to be changed in place.
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.room[self.headroom..self.headroom + self.length]
    }

    /// When the kernel took it in, if the socket was opened with time stamps. Merged ones share one stamp.
    pub fn arrival(&self) -> Option<SystemTime> {
        Some(SystemTime::UNIX_EPOCH + self.arrival?)
    }

    /// How many bytes in front of the data are free.
    pub fn headroom(&self) -> usize {
        self.headroom
    }

    /// How many bytes behind the data are free.
    pub fn tailroom(&self) -> usize {
        self.room.len() - self.headroom - self.length
    }

    /// The data with `head` free bytes in front and `tail` behind; `None` without so much room.
    pub fn with_room(&mut self, head: usize, tail: usize) -> Option<&mut [u8]> {
        let begin = self.headroom.checked_sub(head)?;
        self.room.get_mut(begin..self.headroom + self.length + tail)
    }
}
