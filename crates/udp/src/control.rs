//! Control messages beside a datagram, cmsg(3), as the kernel lays them out: a length of the
//! machine's word, level, type, data, and padding to the word.

use std::time::Duration;

use crate::errors::Extended;

const WORD: usize = size_of::<usize>();
const HEADER: usize = WORD + 8;
/// A segment size (an int) and a time stamp (two words), each with its header.
const ROOM: usize = (HEADER + WORD) + (HEADER + 2 * WORD);

/// What the kernel writes beside a received message.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReceivedControl([u8; ROOM]);

/// What it said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Received {
    /// Several datagrams were merged: all but the last of them have this many bytes.
    pub(crate) segment: Option<usize>,
    /// When the kernel took it in, since 1970.
    pub(crate) arrival: Option<Duration>,
}

impl ReceivedControl {
    pub(crate) const EMPTY: Self = Self([0; ROOM]);

    pub(crate) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.0.as_mut_ptr()
    }

    /// `length` is what the kernel says that it wrote.
    pub(crate) fn parse(&self, length: usize) -> Received {
        let mut received = Received::default();
        let mut rest = &self.0[..length.min(ROOM)];
        while let Some((message, after)) = next(rest) {
            match (message.level, message.kind) {
                (libc::SOL_UDP, libc::UDP_GRO) => {
                    let size = message.data.first_chunk().map_or(0, |bytes| i32::from_ne_bytes(*bytes));
                    received.segment = usize::try_from(size).ok().filter(|size| *size > 0);
                }
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => received.arrival = time(message.data),
                _ => {}
            }
            rest = after;
        }
        received
    }
}

/// What the kernel writes beside the report of an error: `struct sock_extended_err`, and the
/// address of who reported it.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct ErrorControl([u8; ERROR_ROOM]);

/// A `sock_extended_err` is 16 bytes; behind it a `sockaddr_in6` at most.
const ERROR_ROOM: usize = HEADER + 16 + 32;

impl ErrorControl {
    pub(crate) const EMPTY: Self = Self([0; ERROR_ROOM]);
    pub(crate) const LENGTH: usize = ERROR_ROOM;

    pub(crate) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.0.as_mut_ptr()
    }

    /// `length` is what the kernel says that it wrote.
    pub(crate) fn parse(&self, length: usize) -> Option<Extended> {
        let mut rest = &self.0[..length.min(ERROR_ROOM)];
        while let Some((message, after)) = next(rest) {
            let told = matches!(
                (message.level, message.kind),
                (libc::SOL_IP, libc::IP_RECVERR) | (libc::SOL_IPV6, libc::IPV6_RECVERR)
            );
            if told && let Some([a, b, c, d, origin, kind, code, _, e, f, g, h]) = message.data.first_chunk() {
                return Some(Extended {
                    errno: u32::from_ne_bytes([*a, *b, *c, *d]),
                    origin: *origin,
                    kind: *kind,
                    code: *code,
                    info: u32::from_ne_bytes([*e, *f, *g, *h]),
                });
            }
            rest = after;
        }
        None
    }
}

struct Message<'a> {
    level: i32,
    kind: i32,
    data: &'a [u8],
}

fn next(bytes: &[u8]) -> Option<(Message<'_>, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<WORD>()?;
    let (level, rest) = rest.split_first_chunk()?;
    let (kind, _) = rest.split_first_chunk()?;
    let length = usize::from_ne_bytes(*length);
    let data = bytes.get(HEADER..length)?;
    let after = bytes.get(length.next_multiple_of(WORD)..).unwrap_or_default();
    Some((Message { level: i32::from_ne_bytes(*level), kind: i32::from_ne_bytes(*kind), data }, after))
}

/// A `timespec`.
fn time(data: &[u8]) -> Option<Duration> {
    let (seconds, rest) = data.split_first_chunk::<WORD>()?;
    let nanos = rest.first_chunk::<WORD>()?;
    let seconds = u64::try_from(isize::from_ne_bytes(*seconds)).ok()?;
    Some(Duration::new(seconds, u32::try_from(isize::from_ne_bytes(*nanos)).ok()?))
}

/// Tells the kernel to cut a message into segments of one size.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct SegmentControl([u8; HEADER + WORD]);

impl SegmentControl {
    pub(crate) const LENGTH: usize = HEADER + WORD;

    pub(crate) fn new(size: u16) -> Self {
        let mut bytes = [0; HEADER + WORD];
        bytes[..WORD].copy_from_slice(&(HEADER + 2).to_ne_bytes());
        bytes[WORD..WORD + 4].copy_from_slice(&libc::SOL_UDP.to_ne_bytes());
        bytes[WORD + 4..HEADER].copy_from_slice(&libc::UDP_SEGMENT.to_ne_bytes());
        bytes[HEADER..HEADER + 2].copy_from_slice(&size.to_ne_bytes());
        Self(bytes)
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.0.as_mut_ptr()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(messages: &[(i32, i32, &[u8])]) -> (ReceivedControl, usize) {
        let mut bytes = Vec::new();
        for (level, kind, data) in messages {
            bytes.extend((HEADER + data.len()).to_ne_bytes());
            bytes.extend(level.to_ne_bytes());
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(*data);
            bytes.resize(bytes.len().next_multiple_of(WORD), 0);
        }
        let mut control = ReceivedControl::EMPTY;
        control.0[..bytes.len()].copy_from_slice(&bytes);
        (control, bytes.len())
    }

    #[test]
    fn segment_size_and_arrival_are_found_in_any_order() {
        let stamp = [7_isize.to_ne_bytes(), 5_isize.to_ne_bytes()].concat();
        let segment = (libc::SOL_UDP, libc::UDP_GRO, &1200_i32.to_ne_bytes()[..]);
        let arrival = (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS, &stamp[..]);
        let both = Received { segment: Some(1200), arrival: Some(Duration::new(7, 5)) };
        for messages in [[segment, arrival], [arrival, segment]] {
            let (control, length) = control(&messages);
            assert_eq!(control.parse(length), both);
        }
    }

    #[test]
    fn what_is_cut_off_or_unknown_is_no_message() {
        let segment = (libc::SOL_UDP, libc::UDP_GRO, &1200_i32.to_ne_bytes()[..]);
        let (full, length) = control(&[(libc::SOL_IP, 8, &[0; 4]), segment]);
        for cut in 0..length - 4 {
            assert_eq!(full.parse(cut), Received::default(), "{cut}");
        }
        assert_eq!(full.parse(usize::MAX).segment, Some(1200));
        let (senseless, length) = control(&[(libc::SOL_UDP, libc::UDP_GRO, &(-1_i32).to_ne_bytes())]);
        assert_eq!(senseless.parse(length), Received::default());
    }
}
