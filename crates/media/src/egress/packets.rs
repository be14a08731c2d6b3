//! Sealed packets that wait to be sent, one behind the other in one buffer that is used again.

use std::net::SocketAddr;

use crate::session::Transport;

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// How.
    pub transport: Transport,
    /// From which local candidate.
    pub from: SocketAddr,
    /// Where to.
    pub to: SocketAddr,
}

/// Room for more than this is given back once it is not needed: a burst for many receivers.
const ROOM: usize = 4 << 20;

/// Packets in the order in which they were written.
#[derive(Debug, Default)]
pub struct Packets {
    pub(super) bytes: Vec<u8>,
    /// Each packet's way and its end in `bytes`, where the next one begins.
    packets: Vec<(Way, usize)>,
}

impl Packets {
    /// Nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (Way, &[u8])> {
        let starts = std::iter::once(0).chain(self.packets.iter().map(|(_, end)| *end));
        self.packets.iter().zip(starts).map(|((way, end), start)| (*way, &self.bytes[start..*end]))
    }

    /// Forgets them, and keeps the room that they took.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.packets.clear();
        self.bytes.shrink_to(ROOM);
    }

    /// How many bytes they are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Moves all of another's behind these.
    pub fn append(&mut self, other: &mut Self) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        self.packets.extend(other.packets.iter().map(|(way, end)| (*way, start + end)));
        other.clear();
    }

    /// What was written into `bytes` since the last packet is one.
    pub(super) fn end(&mut self, way: Way) {
        self.packets.push((way, self.bytes.len()));
    }

    /// The last packet once more.
    pub(super) fn repeat_last(&mut self) {
        let [.., (_, start), (way, end)] = self.packets[..] else {
            let Some((way, end)) = self.packets.last().copied() else { return };
            self.bytes.extend_from_within(..end);
            self.end(way);
            return;
        };
        self.bytes.extend_from_within(start..end);
        self.end(way);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_out_as_they_were_written() {
        let address = |port| SocketAddr::from(([203, 0, 113, 1], port));
        let way = |port| Way { transport: Transport::Udp, from: address(1), to: address(port) };
        let mut packets = Packets::default();
        for (port, bytes) in [(2, &[1, 2][..]), (3, &[]), (2, &[3])] {
            packets.bytes.extend_from_slice(bytes);
            packets.end(way(port));
        }
        let all: Vec<_> = packets.iter().map(|(way, bytes)| (way.to.port(), bytes.to_vec())).collect();
        assert_eq!(all, [(2, vec![1, 2]), (3, vec![]), (2, vec![3])]);
        let mut others = Packets::default();
        others.bytes.extend_from_slice(&[7, 8]);
        others.end(way(4));
        others.append(&mut packets);
        let all: Vec<_> = others.iter().map(|(_, bytes)| bytes.to_vec()).collect();
        assert_eq!(all, [vec![7, 8], vec![1, 2], vec![], vec![3]]);
        assert!(packets.is_empty());
        let mut packets = others;
        packets.repeat_last();
        assert_eq!(packets.iter().last().map(|(_, bytes)| bytes.to_vec()), Some(vec![3]));
        packets.clear();
        packets.bytes.push(5);
        packets.end(way(2));
        packets.repeat_last();
        assert_eq!(packets.iter().map(|(_, bytes)| bytes[0]).collect::<Vec<_>>(), [5, 5]);
        packets.clear();
        assert!(packets.is_empty() && packets.iter().next().is_none());
    }
}
