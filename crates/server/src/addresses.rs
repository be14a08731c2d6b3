//! The addresses by which this machine can be reached.

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
