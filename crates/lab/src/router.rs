//! A router with a NAT in it, for IPv4 packets: sans-IO, so that it can stand in network
//! namespaces as well as in virtual time.

use std::{net::SocketAddr, time::Instant};

use crate::{
    Link, LinkConfig,
    ipv4::{Packet, Protocol},
    nat::{Dependence, Nat, NatConfig, PortAllocation, Way},
};

/// The side of a router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Where the hosts with inner addresses are.
    Inside,
    /// Where the rest of the world is.
    Outside,
}

/// A NAT for each protocol, and a link in each direction.
#[derive(Debug)]
pub struct Router {
    udp: Nat,
    tcp: Nat,
    echo: Nat,
    up: Link<Vec<u8>>,
    down: Link<Vec<u8>>,
}

/// RFC 5382 §5, REQ-5: two hours and four minutes.
const TCP_LIFETIME: std::time::Duration = std::time::Duration::from_secs(7440);

impl Router {
    /// A router whose NAT treats UDP as configured. TCP and echoes get one mapping for each inner
    /// endpoint, and answers from where was sent to; they pass where UDP is blocked.
    #[must_use]
    pub fn new(config: NatConfig, up: LinkConfig, down: LinkConfig, seed: u64) -> Self {
        let others = NatConfig {
            mapping: Dependence::EndpointIndependent,
            filtering: Dependence::AddressAndPortDependent,
            ports: PortAllocation::Preserved,
            blocked: false,
            ..config.clone()
        };
        Self {
            udp: Nat::new(config, seed),
            tcp: Nat::new(NatConfig { lifetime: TCP_LIFETIME, ..others.clone() }, seed ^ 1),
            echo: Nat::new(others, seed ^ 2),
            up: Link::new(up, seed ^ 3),
            down: Link::new(down, seed ^ 4),
        }
    }

    /// Forgets every mapping.
    pub fn reboot(&mut self) {
        for nat in [&mut self.udp, &mut self.tcp, &mut self.echo] {
            nat.reboot();
        }
    }

    /// Blocks UDP, or lets it through again.
    pub fn block_udp(&mut self, blocked: bool) {
        self.udp.block(blocked);
    }

    /// A packet came in on a side. It leaves by [`Router::poll`], or is dropped.
    pub fn handle_input(&mut self, now: Instant, side: Side, mut bytes: Vec<u8>) {
        let Some(mut packet) = Packet::parse(&mut bytes) else { return };
        let to = match (side, packet.protocol()) {
            (Side::Inside, Protocol::Report) => self.report_out(&mut packet),
            (Side::Outside, Protocol::Report) => self.report_in(&mut packet),
            (Side::Inside, _) => self.out(now, &mut packet),
            (Side::Outside, _) => self.r#in(now, &mut packet),
        };
        let link = match to {
            Some(Side::Outside) => &mut self.up,
            Some(Side::Inside) => &mut self.down,
            None => return,
        };
        link.send(now, bytes.len(), bytes);
    }

    /// The next packet that leaves, and by which side. Call it until it returns `None`.
    pub fn poll(&mut self, now: Instant) -> Option<(Side, Vec<u8>)> {
        let up = self.up.poll(now).map(|bytes| (Side::Outside, bytes));
        up.or_else(|| self.down.poll(now).map(|bytes| (Side::Inside, bytes)))
    }

    /// When the next packet leaves.
    #[must_use]
    pub fn timeout(&self) -> Option<Instant> {
        [self.up.timeout(), self.down.timeout()].into_iter().flatten().min()
    }

    fn nat(&mut self, protocol: Protocol) -> Option<&mut Nat> {
        match protocol {
            Protocol::Udp => Some(&mut self.udp),
            Protocol::Tcp => Some(&mut self.tcp),
            Protocol::Echo => Some(&mut self.echo),
            Protocol::Report => None,
        }
    }

    fn out(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Side> {
        let dst = remote(packet.protocol(), packet.dst());
        match self.nat(packet.protocol())?.from_inside(now, packet.src(), dst)? {
            Way::Outside { from } => {
                packet.set_src(from);
                Some(Side::Outside)
            }
            // An echo has one identifier for both ends, so it cannot be turned back.
            Way::Inside { .. } if packet.protocol() == Protocol::Echo => None,
            Way::Inside { from, to } => {
                packet.set_src(from);
                packet.set_dst(to);
                Some(Side::Inside)
            }
        }
    }

    fn r#in(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Side> {
        let src = remote(packet.protocol(), packet.src());
        let to = self.nat(packet.protocol())?.inbound(now, src, packet.dst())?;
        packet.set_dst(to);
        Some(Side::Inside)
    }

    /// RFC 5508 §4.2: a report about a packet that went out, to who sent it.
    fn report_in(&mut self, packet: &mut Packet<'_>) -> Option<Side> {
        let mut quoted = packet.quoted()?;
        let inner = self.nat(quoted.protocol())?.behind(quoted.src())?;
        quoted.set_src(inner);
        packet.set_dst(inner);
        packet.seal_report();
        Some(Side::Inside)
    }

    /// RFC 5508 §4.1: a report about a packet that came in, from who got it.
    fn report_out(&mut self, packet: &mut Packet<'_>) -> Option<Side> {
        let mut quoted = packet.quoted()?;
        let dst = remote(quoted.protocol(), quoted.src());
        let outer = self.nat(quoted.protocol())?.outer(quoted.dst(), dst)?;
        quoted.set_dst(outer);
        packet.set_src(outer);
        packet.seal_report();
        Some(Side::Outside)
    }
}

/// An echo's identifier is the inner host's alone; the remote one has no port.
fn remote(protocol: Protocol, endpoint: SocketAddr) -> SocketAddr {
    match protocol {
        Protocol::Echo => SocketAddr::new(endpoint.ip(), 0),
        _ => endpoint,
    }
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, time::Duration};

    use super::*;
    use crate::{
        ipv4::tests::{is_right, packet},
        nat::NatKind,
    };

    const UDP: u8 = 17;
    const TCP: u8 = 6;
    const ICMP: u8 = 1;

    fn at(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn router(kind: NatKind, delay: Duration) -> Router {
        let link = LinkConfig { delay, ..LinkConfig::default() };
        Router::new(kind.config(Ipv4Addr::new(198, 51, 100, 1)), link, link, 1)
    }

    #[test]
    fn each_protocol_goes_out_and_its_answer_comes_in() {
        let (inner, remote) = (at("192.168.0.2:5000"), at("203.0.113.1:80"));
        for protocol in [UDP, TCP, ICMP] {
            let (mut router, now) = (router(NatKind::PortRestricted, Duration::ZERO), Instant::now());
            router.handle_input(now, Side::Inside, packet(protocol, inner, remote, b"there"));
            let (side, mut bytes) = router.poll(now).expect("it goes out");
            assert!(side == Side::Outside && is_right(&bytes));
            let outer = Packet::parse(&mut bytes).expect("a packet").src();
            assert_eq!(outer, at("198.51.100.1:5000"));
            // An echo's answer has the identifier that went out.
            let answer_from = if protocol == ICMP { at("203.0.113.1:5000") } else { remote };
            router.handle_input(now, Side::Outside, packet(protocol, answer_from, outer, b"back"));
            let (side, mut bytes) = router.poll(now).expect("it comes in");
            assert!(side == Side::Inside && is_right(&bytes));
            assert_eq!(Packet::parse(&mut bytes).expect("a packet").dst().ip(), inner.ip());
        }
    }

    #[test]
    fn where_udp_is_blocked_tcp_passes() {
        let (mut router, now) = (router(NatKind::UdpBlocked, Duration::ZERO), Instant::now());
        let (inner, remote) = (at("192.168.0.2:5000"), at("203.0.113.1:80"));
        router.handle_input(now, Side::Inside, packet(UDP, inner, remote, b"x"));
        assert_eq!(router.poll(now), None);
        router.handle_input(now, Side::Inside, packet(TCP, inner, remote, b"x"));
        assert!(router.poll(now).is_some());
    }

    #[test]
    fn packets_take_as_long_as_the_link() {
        let (mut router, now) = (router(NatKind::FullCone, Duration::from_millis(30)), Instant::now());
        router.handle_input(now, Side::Inside, packet(UDP, at("192.168.0.2:5000"), at("203.0.113.1:80"), b"x"));
        assert_eq!(router.timeout(), Some(now + Duration::from_millis(30)));
        assert_eq!(router.poll(now), None);
        assert!(router.poll(now + Duration::from_millis(30)).is_some());
    }

    #[test]
    fn a_report_reaches_who_sent_the_packet_and_quotes_it_as_it_was_sent() {
        let (mut router, now) = (router(NatKind::PortRestricted, Duration::ZERO), Instant::now());
        let (inner, remote) = (at("192.168.0.2:5000"), at("203.0.113.1:9"));
        router.handle_input(now, Side::Inside, packet(UDP, inner, remote, b"anyone?"));
        let (_, sent) = router.poll(now).expect("it goes out");
        // Port unreachable, from a router on the way.
        let mut report = packet(ICMP, at("203.0.113.254:0"), at("198.51.100.1:0"), &sent);
        report[20] = 3;
        report[21] = 3;
        Packet::parse(&mut report).expect("a report").seal_report();
        router.handle_input(now, Side::Outside, report);
        let (side, mut bytes) = router.poll(now).expect("it comes in");
        assert!(side == Side::Inside && is_right(&bytes));
        let mut report = Packet::parse(&mut bytes).expect("a report");
        assert_eq!(report.dst().ip(), inner.ip());
        let quoted = report.quoted().expect("a packet");
        assert_eq!((quoted.src(), quoted.dst()), (inner, remote));
    }

    #[test]
    fn a_report_of_an_inner_host_quotes_what_the_sender_had_sent() {
        let (mut router, now) = (router(NatKind::PortRestricted, Duration::ZERO), Instant::now());
        let (inner, remote) = (at("192.168.0.2:5000"), at("203.0.113.1:9"));
        router.handle_input(now, Side::Inside, packet(UDP, inner, remote, b"x"));
        router.poll(now);
        let got = packet(UDP, remote, inner, b"y");
        let mut report = packet(ICMP, at("192.168.0.2:0"), at("203.0.113.1:0"), &got);
        report[20] = 3;
        report[21] = 3;
        Packet::parse(&mut report).expect("a report").seal_report();
        router.handle_input(now, Side::Inside, report);
        let (side, mut bytes) = router.poll(now).expect("it goes out");
        assert!(side == Side::Outside && is_right(&bytes));
        let mut report = Packet::parse(&mut bytes).expect("a report");
        assert_eq!(report.src().ip(), at("198.51.100.1:0").ip());
        assert_eq!(report.quoted().expect("a packet").dst(), at("198.51.100.1:5000"));
    }
}
