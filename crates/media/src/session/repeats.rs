//! Packets that are sent again, twice where the path loses many.
//!
//! A receiver asks a few times at most (str0m's for its last hundred packets, so two or three
//! times where the round trip is long), and what then still lacks costs it a keyframe. A second
//! copy makes the chance of that the square. Only what is repeated is doubled: little on any path
//! that is good for pictures. The copy is the same datagram, which SRTP's replay list (RFC 3711
//! §3.3.2) drops where both arrive.

use super::Transmit;

#[derive(Debug, Default)]
pub(super) struct Repeats {
    /// SSRCs of streams of repeated packets (RFC 4588 §4).
    streams: Vec<u32>,
    pub(super) twice: bool,
    copy: Option<Transmit>,
}

impl Repeats {
    pub(super) fn add_stream(&mut self, ssrc: u32) {
        if !self.streams.contains(&ssrc) {
            self.streams.push(ssrc);
        }
    }

    /// A packet of media goes out.
    pub(super) fn sent(&mut self, packet: &Transmit) {
        if !self.twice {
            return;
        }
        let ssrc = packet.data.get(8..12).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
        if ssrc.is_some_and(|ssrc| self.streams.contains(&ssrc)) {
            let data = packet.data.clone();
            self.copy = Some(Transmit { data, ..*packet });
        }
    }

    /// The second copy of what went out just now.
    pub(super) fn again(&mut self) -> Option<Transmit> {
        self.copy.take()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Transport, *};

    fn packet(ssrc: u32) -> Transmit {
        let address = std::net::SocketAddr::from(([203, 0, 113, 1], 4000));
        let mut data = vec![128, 97, 0, 1, 0, 0, 0, 0];
        data.extend(ssrc.to_be_bytes());
        Transmit { transport: Transport::Udp, from: address, to: address, data }
    }

    #[test]
    fn what_is_repeated_goes_out_twice_where_that_is_wanted_and_nothing_else_does() {
        let mut repeats = Repeats::default();
        repeats.add_stream(7);
        repeats.sent(&packet(7));
        assert!(repeats.again().is_none());
        repeats.twice = true;
        repeats.sent(&packet(8));
        assert!(repeats.again().is_none(), "sent for the first time");
        repeats.sent(&packet(7));
        assert_eq!(repeats.again().map(|packet| packet.data), Some(packet(7).data));
        assert!(repeats.again().is_none());
    }
}
