//! IPv4 packets, as far as a NAT reads and writes them: endpoints and checksums.
//!
//! Not here: fragments but the first have no ports, and are refused (RFC 4787 §11 would have them
//! reassembled or remembered); IPv6.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// What is translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// An ICMP echo; its identifier stands for a port (RFC 5508 §3).
    Echo,
    /// An ICMP message about a packet, which stands in it.
    Report,
}

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP_HEADER: usize = 8;

/// A packet whose headers are all there.
#[derive(Debug)]
pub struct Packet<'a> {
    bytes: &'a mut [u8],
    /// Where the transport header begins.
    transport: usize,
    protocol: Protocol,
    /// Whether it stands in a report, so that its end may be missing.
    quoted: bool,
}

impl<'a> Packet<'a> {
    /// Reads a packet. `None`: it is none that a NAT translates.
    pub fn parse(bytes: &'a mut [u8]) -> Option<Self> {
        Self::read(bytes, false)
    }

    fn read(bytes: &'a mut [u8], quoted: bool) -> Option<Self> {
        let first = *bytes.first()?;
        let transport = usize::from(first & 0x0F) * 4;
        if first >> 4 != 4 || transport < 20 || bytes.len() < transport {
            return None;
        }
        let fragment = u16::from_be_bytes([bytes[6], bytes[7]]) & 0x1FFF;
        let total = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
        if fragment != 0 || (!quoted && total != bytes.len()) {
            return None;
        }
        let rest = &bytes[transport..];
        let (protocol, header) = match bytes[9] {
            UDP => (Protocol::Udp, 8),
            TCP => (Protocol::Tcp, if quoted { 8 } else { 20 }),
            ICMP => match rest.first()? {
                0 | 8 => (Protocol::Echo, ICMP_HEADER),
                3 | 11 | 12 => (Protocol::Report, ICMP_HEADER),
                _ => return None,
            },
            _ => return None,
        };
        if rest.len() < header || (quoted && protocol == Protocol::Report) {
            return None;
        }
        Some(Self { bytes, transport, protocol, quoted })
    }

    /// What it carries.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The sender's endpoint.
    #[must_use]
    pub fn src(&self) -> SocketAddr {
        self.endpoint(12, 0)
    }

    /// The receiver's endpoint. Of an echo it has the same identifier as the sender's.
    #[must_use]
    pub fn dst(&self) -> SocketAddr {
        self.endpoint(16, 2)
    }

    /// Writes another sender.
    pub fn set_src(&mut self, to: SocketAddr) {
        self.set_endpoint(12, 0, to);
    }

    /// Writes another receiver.
    pub fn set_dst(&mut self, to: SocketAddr) {
        self.set_endpoint(16, 2, to);
    }

    /// The packet that a report is about.
    pub fn quoted(&mut self) -> Option<Packet<'_>> {
        match self.protocol {
            Protocol::Report => Packet::read(&mut self.bytes[self.transport + ICMP_HEADER..], true),
            _ => None,
        }
    }

    /// Makes a report's checksum right again after what it quotes was changed.
    pub fn seal_report(&mut self) {
        if self.protocol == Protocol::Report {
            let icmp = &mut self.bytes[self.transport..];
            icmp[2..4].fill(0);
            let sum = checksum(icmp);
            icmp[2..4].copy_from_slice(&sum.to_be_bytes());
        }
    }

    fn endpoint(&self, address: usize, port: usize) -> SocketAddr {
        let octets = [0, 1, 2, 3].map(|index| self.bytes[address + index]);
        let port = self.port_at(port).map_or(0, |at| self.word(at));
        SocketAddr::new(Ipv4Addr::from(octets).into(), port)
    }

    /// Where a port stands, by its place in the headers of UDP and TCP.
    fn port_at(&self, place: usize) -> Option<usize> {
        match self.protocol {
            Protocol::Udp | Protocol::Tcp => Some(self.transport + place),
            Protocol::Echo => Some(self.transport + 4),
            Protocol::Report => None,
        }
    }

    fn word(&self, at: usize) -> u16 {
        u16::from_be_bytes([self.bytes[at], self.bytes[at + 1]])
    }

    fn set_endpoint(&mut self, address: usize, port: usize, to: SocketAddr) {
        let IpAddr::V4(ip) = to.ip() else { return };
        // The pseudo header puts addresses into the checksums of UDP and TCP, not of ICMP.
        let in_transport = matches!(self.protocol, Protocol::Udp | Protocol::Tcp);
        for (place, octets) in [[0, 1], [2, 3]].into_iter().enumerate() {
            let word = u16::from_be_bytes(octets.map(|index: usize| ip.octets()[index]));
            self.set_word(address + place * 2, word, true, in_transport);
        }
        if let Some(at) = self.port_at(port) {
            self.set_word(at, to.port(), false, true);
        }
    }

    fn set_word(&mut self, at: usize, to: u16, in_header: bool, in_transport: bool) {
        let from = self.word(at);
        self.bytes[at..at + 2].copy_from_slice(&to.to_be_bytes());
        if in_header {
            self.update(10, from, to);
        }
        let sum = match self.protocol {
            Protocol::Udp => self.transport + 6,
            Protocol::Tcp => self.transport + 16,
            Protocol::Echo | Protocol::Report => self.transport + 2,
        };
        // RFC 768: zero says that UDP has no checksum. A report quotes only the start of TCP.
        let there = sum + 2 <= self.bytes.len() && !(self.protocol == Protocol::Tcp && self.quoted);
        let none = self.protocol == Protocol::Udp && there && self.word(sum) == 0;
        if in_transport && there && !none {
            self.update(sum, from, to);
            if self.protocol == Protocol::Udp && self.word(sum) == 0 {
                self.bytes[sum..sum + 2].fill(0xFF);
            }
        }
    }

    /// RFC 1624 §3, equation 3.
    fn update(&mut self, sum: usize, from: u16, to: u16) {
        let new = !fold(u32::from(!self.word(sum)) + u32::from(!from) + u32::from(to));
        self.bytes[sum..sum + 2].copy_from_slice(&new.to_be_bytes());
    }
}

fn fold(mut sum: u32) -> u16 {
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    sum as u16
}

/// The checksum of RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low)));
    !fold(words.fold(0, |sum, word| u32::from(fold(sum + word))))
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A packet with right checksums.
    pub(crate) fn packet(protocol: u8, src: SocketAddr, dst: SocketAddr, payload: &[u8]) -> Vec<u8> {
        let octets = |end: SocketAddr| match end.ip() {
            IpAddr::V4(ip) => ip.octets(),
            IpAddr::V6(_) => unreachable!("IPv4 alone"),
        };
        let ports = [src.port().to_be_bytes(), dst.port().to_be_bytes()].concat();
        let mut transport = match protocol {
            UDP => [&ports[..], &(8 + payload.len() as u16).to_be_bytes(), &[0, 0]].concat(),
            TCP => [&ports[..], &[0; 8], &[0x50, 0x02, 0xFF, 0xFF, 0, 0, 0, 0]].concat(),
            _ => [&[8, 0, 0, 0], &ports[..2], &[0, 1]].concat(),
        };
        transport.extend_from_slice(payload);
        let length = (20 + transport.len() as u16).to_be_bytes();
        let mut bytes = vec![0x45, 0, length[0], length[1], 0, 0, 0x40, 0, 64, protocol, 0, 0];
        bytes.extend(octets(src));
        bytes.extend(octets(dst));
        let sum = checksum(&bytes).to_be_bytes();
        bytes[10..12].copy_from_slice(&sum);
        bytes.extend(transport);
        if let Some(at) = sum_at(protocol) {
            let sum = transport_checksum(&bytes).to_be_bytes();
            bytes[at..at + 2].copy_from_slice(&sum);
        }
        bytes
    }

    fn sum_at(protocol: u8) -> Option<usize> {
        [(UDP, 26), (TCP, 36), (ICMP, 22)].into_iter().find(|(each, _)| *each == protocol).map(|(_, at)| at)
    }

    /// Over everything, the sum itself included: 0 when it is right.
    fn transport_checksum(bytes: &[u8]) -> u16 {
        let transport = &bytes[20..];
        if bytes[9] == ICMP {
            return checksum(transport);
        }
        let pseudo = [&bytes[12..20], &[0, bytes[9]], &(transport.len() as u16).to_be_bytes()].concat();
        checksum(&[&pseudo, transport].concat())
    }

    pub(crate) fn is_right(bytes: &[u8]) -> bool {
        checksum(&bytes[..20]) == 0 && transport_checksum(bytes) == 0
    }

    fn endpoint() -> impl Strategy<Value = SocketAddr> {
        (any::<[u8; 4]>(), any::<u16>()).prop_map(SocketAddr::from)
    }

    proptest! {
        #[test]
        fn endpoints_are_read_and_written_and_checksums_stay_right(
            protocol in prop::sample::select(vec![UDP, TCP, ICMP]),
            ends in [endpoint(), endpoint(), endpoint(), endpoint()],
            payload in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let [src, dst, new_src, new_dst] = ends;
            let mut bytes = packet(protocol, src, dst, &payload);
            prop_assert!(is_right(&bytes));
            let mut read = Packet::parse(&mut bytes).expect("a packet");
            prop_assert_eq!(read.src(), src);
            prop_assert_eq!(read.dst().ip(), dst.ip());
            read.set_src(new_src);
            prop_assert_eq!(read.src(), new_src);
            read.set_dst(new_dst);
            prop_assert_eq!((read.src().ip(), read.dst()), (new_src.ip(), new_dst));
            prop_assert!(is_right(&bytes));
        }

        #[test]
        fn whatever_the_bytes_are_nothing_breaks(mut bytes in prop::collection::vec(any::<u8>(), 0..80), real in any::<bool>()) {
            if real && bytes.len() >= 20 {
                let length = (bytes.len() as u16).to_be_bytes();
                bytes[0] = 0x45;
                bytes[2..4].copy_from_slice(&length);
                bytes[6..8].fill(0);
                bytes[9] = [UDP, TCP, ICMP][usize::from(bytes[9]) % 3];
            }
            if let Some(mut read) = Packet::parse(&mut bytes) {
                read.set_src(SocketAddr::from(([1, 2, 3, 4], 5)));
                if let Some(mut quoted) = read.quoted() {
                    quoted.set_dst(SocketAddr::from(([1, 2, 3, 4], 5)));
                }
                read.seal_report();
            }
        }
    }

    #[test]
    fn udp_without_a_checksum_stays_without() {
        let (src, dst) = (SocketAddr::from(([10, 0, 0, 1], 1)), SocketAddr::from(([10, 0, 0, 2], 2)));
        let mut bytes = packet(UDP, src, dst, b"x");
        bytes[26..28].fill(0);
        Packet::parse(&mut bytes).expect("a packet").set_src(dst);
        assert_eq!(bytes[26..28], [0, 0]);
    }

    #[test]
    fn later_fragments_and_ipv6_are_refused() {
        let (src, dst) = (SocketAddr::from(([10, 0, 0, 1], 1)), SocketAddr::from(([10, 0, 0, 2], 2)));
        let mut bytes = packet(UDP, src, dst, b"x");
        bytes[7] = 1;
        assert!(Packet::parse(&mut bytes).is_none());
        assert!(Packet::parse(&mut [0x60; 60]).is_none());
    }
}
