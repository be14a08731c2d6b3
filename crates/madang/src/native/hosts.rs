//! The UDP sockets of a participant: one on each address by which others may reach it.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket as StdUdpSocket},
};

use madang_udp::{Options, UdpSocket};

/// Kernel buffers of one participant's socket: a second of 8 Mbit/s.
const BUFFER: usize = 1 << 20;
/// Sockets of one participant.
pub(super) const MOST: usize = 8;

/// On which of this machine's addresses there are sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interfaces {
    /// On that from which the server is reached: for links to it alone.
    Route,
    /// On those of all interfaces, that one first. Loopback only where the server is reached by
    /// it, or where there is nothing else.
    All,
}

impl Interfaces {
    /// The addresses at present; without a network there are none.
    pub(super) fn addresses(self, server: SocketAddr) -> Vec<IpAddr> {
        let mut addresses: Vec<IpAddr> = route(server).into_iter().collect();
        if self == Self::All {
            let known = if_addrs::get_if_addrs().unwrap_or_default();
            addresses.extend(known.iter().map(if_addrs::Interface::ip).filter(|ip| is_usable(*ip)));
            if addresses.is_empty() {
                addresses.extend(known.iter().map(if_addrs::Interface::ip).filter(IpAddr::is_loopback));
            }
        }
        let mut seen = std::collections::HashSet::new();
        addresses.retain(|ip| seen.insert(*ip));
        addresses.truncate(MOST);
        addresses
    }
}

fn is_usable(ip: IpAddr) -> bool {
    let is_link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        // Without its scope, an address of a link reaches nobody.
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    !(ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() || is_link_local)
}

/// The local address from which the server is reached.
fn route(server: SocketAddr) -> Option<IpAddr> {
    let any: SocketAddr =
        if server.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    // Connecting a UDP socket sends nothing; it finds the route.
    let probe = StdUdpSocket::bind(any).ok()?;
    probe.connect(server).ok()?;
    probe.local_addr().ok().map(|local| local.ip())
}

/// A socket on an address of this machine.
pub(super) fn socket(on: IpAddr) -> io::Result<UdpSocket> {
    let options = Options { receive_buffer: BUFFER, send_buffer: BUFFER, ..Options::default() };
    UdpSocket::bind(SocketAddr::new(on, 0), options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_reaches_the_server_by_loopback_has_that_first() {
        let server = "127.0.0.1:1".parse().expect("an address");
        assert_eq!(Interfaces::Route.addresses(server), [IpAddr::V4(Ipv4Addr::LOCALHOST)]);
        let all = Interfaces::All.addresses(server);
        assert_eq!(all[0], IpAddr::V4(Ipv4Addr::LOCALHOST));
        assert!(all[1..].iter().all(|ip| is_usable(*ip)), "{all:?}");
    }
}
