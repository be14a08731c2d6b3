//! The addresses by which this machine can be reached, and as which the world sees them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Loopback, the addresses from which this machine reaches others, those of all its
/// interfaces, and those configured.
pub(crate) fn of_this_machine(configured: &[IpAddr]) -> Vec<IpAddr> {
    let mut all = vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    // Addresses of documentation networks: connecting a UDP socket sends nothing, it only asks
    // the routing table which address of ours would be used.
    let far = [
        (SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)), SocketAddr::from(([198, 51, 100, 1], 9))),
        (
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
            SocketAddr::from((Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 9)),
        ),
    ];
    for (any, far) in far {
        let socket = UdpSocket::bind(any).and_then(|socket| socket.connect(far).map(|()| socket));
        let local = socket.and_then(|socket| socket.local_addr());
        all.extend(local.ok().map(|local| local.ip()));
    }
    all.extend(crate::turn::interfaces());
    all.extend(configured);
    let mut seen = std::collections::HashSet::new();
    all.retain(|address| !address.is_unspecified() && seen.insert(*address));
    all
}

/// What a 1:1 NAT in front of this machine makes of its addresses: `public_ip`.
#[derive(Clone, Debug, Default)]
pub(crate) struct PublicAddresses {
    public: Vec<IpAddr>,
    /// Addresses of this machine that the second `public_ip` of their family stands for.
    alternates: Vec<IpAddr>,
}

impl PublicAddresses {
    pub(crate) fn new(public_ip: &[IpAddr], alternates: impl Iterator<Item = IpAddr>) -> Self {
        Self { public: public_ip.to_vec(), alternates: alternates.collect() }
    }

    /// What the world sees of an address of this machine: the same, where there is no NAT.
    pub(crate) fn of(&self, local: IpAddr) -> IpAddr {
        if local.is_loopback() || self.public.contains(&local) {
            return local;
        }
        let mut of_family = self.of_family(local);
        let first = of_family.next();
        let second = of_family.next().filter(|_| self.alternates.contains(&local));
        second.or(first).unwrap_or(local)
    }

    /// Those of a family.
    pub(crate) fn of_family(&self, like: IpAddr) -> impl Iterator<Item = IpAddr> {
        self.public.iter().copied().filter(move |public| public.is_ipv4() == like.is_ipv4())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_public_address_stands_for_the_alternate_one() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let public = [ip("203.0.113.1"), ip("2001:db8::1"), ip("203.0.113.2")];
        let addresses = PublicAddresses::new(&public, [ip("10.0.0.2")].into_iter());
        for (local, seen) in [
            ("10.0.0.1", "203.0.113.1"),
            ("10.0.0.2", "203.0.113.2"),
            ("10.0.0.3", "203.0.113.1"),
            ("203.0.113.2", "203.0.113.2"),
            ("fd00::1", "2001:db8::1"),
            ("127.0.0.1", "127.0.0.1"),
        ] {
            assert_eq!(addresses.of(ip(local)), ip(seen), "{local}");
        }
        let one = PublicAddresses::new(&public[..1], [ip("10.0.0.2")].into_iter());
        assert_eq!(one.of(ip("10.0.0.2")), public[0]);
        assert_eq!(PublicAddresses::default().of(ip("10.0.0.2")), ip("10.0.0.2"));
    }
}
