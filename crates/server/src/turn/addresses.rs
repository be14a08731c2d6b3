//! Which addresses this machine has, and which one a relay gets.

use std::net::{IpAddr, SocketAddr};

use madang_wire::stun::AddressFamily;

use crate::addresses::PublicAddresses;

/// The addresses that `listen` stands for: an unspecified one stands for all of its family.
pub(crate) fn expand(listen: SocketAddr, interfaces: &[IpAddr]) -> Vec<SocketAddr> {
    if !listen.ip().is_unspecified() {
        return vec![listen];
    }
    let same_family = interfaces.iter().filter(|ip| ip.is_ipv4() == listen.is_ipv4());
    same_family.map(|ip| SocketAddr::new(*ip, listen.port())).collect()
}

/// The addresses of this machine's interfaces. Link-local IPv6 ones need a scope and are left out.
pub(crate) fn interfaces() -> Vec<IpAddr> {
    let all = if_addrs::get_if_addrs().unwrap_or_default();
    let mut ips: Vec<IpAddr> = all.iter().map(if_addrs::Interface::ip).filter(|ip| !is_link_local(*ip)).collect();
    ips.sort_unstable();
    ips.dedup();
    ips
}

fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.segments()[0] & 0xffc0 == 0xfe80)
}

/// Chooses the address of a relay.
#[derive(Clone, Debug, Default)]
pub(crate) struct RelayAddresses {
    /// `turn.relay_addresses`.
    pub(super) configured: Vec<IpAddr>,
    /// The addresses that clients can reach.
    pub(super) listeners: Vec<IpAddr>,
    /// `public_ip`: what a 1:1 NAT in front of this machine shows to the world.
    pub(super) public: PublicAddresses,
}

/// Where a relay is opened, and what peers are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RelayAddress {
    pub(super) bind: IpAddr,
    pub(super) advertise: IpAddr,
}

impl RelayAddresses {
    /// The addresses for a client that has reached `server`, any of which will do; none when there
    /// is none of the family.
    pub(super) fn choose(&self, family: AddressFamily, server: IpAddr) -> Vec<RelayAddress> {
        let fits = |ip: &&IpAddr| ip.is_ipv4() == (family == AddressFamily::IPV4);
        let binds: Vec<IpAddr> = if self.configured.is_empty() {
            let near = self.listeners.iter().filter(fits).find(|ip| ip.is_loopback() == server.is_loopback());
            let one = Some(&server).filter(fits).or(near).or_else(|| self.listeners.iter().find(fits));
            one.into_iter().copied().collect()
        } else {
            self.configured.iter().filter(fits).copied().collect()
        };
        binds.into_iter().map(|bind| RelayAddress { bind, advertise: self.public.of(bind) }).collect()
    }

    /// Whether relays of this family can be opened at all.
    pub(super) fn has(&self, family: AddressFamily) -> bool {
        let all = if self.configured.is_empty() { &self.listeners } else { &self.configured };
        all.iter().any(|ip| ip.is_ipv4() == (family == AddressFamily::IPV4))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn choose(addresses: &RelayAddresses, family: AddressFamily, server: &str) -> Option<(String, String)> {
        let found = addresses.choose(family, ip(server)).first().copied()?;
        Some((found.bind.to_string(), found.advertise.to_string()))
    }

    fn pair(bind: &str, advertise: &str) -> Option<(String, String)> {
        Some((bind.into(), advertise.into()))
    }

    #[test]
    fn an_unspecified_listener_stands_for_every_interface_of_its_family() {
        let interfaces = [ip("127.0.0.1"), ip("198.51.100.1"), ip("::1")];
        let listen = |text: &str| text.parse().expect("an address");
        let expect = |texts: &[&str]| texts.iter().map(|text| listen(text)).collect::<Vec<SocketAddr>>();
        assert_eq!(expand(listen("0.0.0.0:1"), &interfaces), expect(&["127.0.0.1:1", "198.51.100.1:1"]));
        assert_eq!(expand(listen("[::]:1"), &interfaces), expect(&["[::1]:1"]));
        assert_eq!(expand(listen("198.51.100.1:1"), &interfaces), expect(&["198.51.100.1:1"]));
    }

    #[test]
    fn a_relay_is_where_the_client_is_unless_configured() {
        let mut addresses = RelayAddresses {
            listeners: vec![ip("127.0.0.1"), ip("10.0.0.5"), ip("::1"), ip("2001:db8::5")],
            ..RelayAddresses::default()
        };
        let (v4, v6) = (AddressFamily::IPV4, AddressFamily::IPV6);
        assert_eq!(choose(&addresses, v4, "10.0.0.5"), pair("10.0.0.5", "10.0.0.5"));
        assert_eq!(choose(&addresses, v6, "10.0.0.5"), pair("2001:db8::5", "2001:db8::5"));
        assert_eq!(choose(&addresses, v6, "127.0.0.1"), pair("::1", "::1"));
        addresses.configured = vec![ip("10.0.0.9"), ip("10.0.0.8")];
        assert_eq!(addresses.choose(v4, ip("127.0.0.1")).len(), 2, "either");
        assert_eq!(choose(&addresses, v4, "127.0.0.1"), pair("10.0.0.9", "10.0.0.9"));
        assert_eq!(choose(&addresses, v6, "127.0.0.1"), None);
        assert!(addresses.has(v4) && !addresses.has(v6));
    }

    #[test]
    fn a_public_address_is_advertised_for_all_but_loopback() {
        let addresses = RelayAddresses {
            listeners: vec![ip("127.0.0.1"), ip("10.0.0.5"), ip("10.0.0.6")],
            public: PublicAddresses::new(&[ip("203.0.113.5"), ip("203.0.113.6")], [ip("10.0.0.6")].into_iter()),
            ..RelayAddresses::default()
        };
        assert_eq!(choose(&addresses, AddressFamily::IPV4, "10.0.0.6"), pair("10.0.0.6", "203.0.113.6"));
        assert_eq!(choose(&addresses, AddressFamily::IPV4, "10.0.0.5"), pair("10.0.0.5", "203.0.113.5"));
        assert_eq!(choose(&addresses, AddressFamily::IPV4, "127.0.0.1"), pair("127.0.0.1", "127.0.0.1"));
    }
}
