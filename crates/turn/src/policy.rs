//! Which peers may be reached. Without configuration only public unicast addresses are.
//!
//! A relay inside a network is a way into that network (and to cloud metadata), so everything that
//! is not the public Internet is refused until the operator allows it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Proof that the policy lets clients exchange data with an address outside this server.
/// Only [`PeerPolicy::check`] makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PermittedPeer(IpAddr);

/// Why a peer is out of reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// `deny_peers` names it. Nothing overrides that.
    #[error("the peer is denied by configuration")]
    Denied,
    /// It is not public and not allowed by configuration.
    #[error("the peer is not on the public Internet")]
    NotPublic,
    /// It is one of this server's own addresses.
    #[error("the peer is an address of this server")]
    OwnAddress,
}

/// The operator's lists and the addresses of this machine.
#[derive(Clone, Debug, Default)]
pub struct PeerPolicy {
    /// Networks that are reachable although they are refused by default. Of the server's own
    /// addresses, loopback aside, only those that are named by themselves.
    pub allow: Vec<IpNet>,
    /// Networks that are never reachable. Where both lists match, the longer prefix counts, and
    /// this list when they are equally long.
    pub deny: Vec<IpNet>,
    /// This server's own addresses: listeners, interfaces, public addresses.
    pub own: Vec<IpAddr>,
}

impl PeerPolicy {
    /// Checks one address.
    ///
    /// # Errors
    /// Says why the peer is refused; the client gets 403 (RFC 8656 §10.2, §12.2).
    pub fn check(&self, peer: IpAddr) -> Result<PermittedPeer, Refused> {
        let embedded = embedded_ipv4(peer);
        self.check_one(peer)?;
        if let Some(inner) = embedded {
            self.check_one(IpAddr::V4(inner))?;
        }
        Ok(PermittedPeer(peer))
    }

    /// Whether `deny_peers` itself (not a default) refuses the address.
    #[must_use]
    pub fn is_denied(&self, peer: IpAddr) -> bool {
        let denied = |ip| self.explicit(ip) == Some(false);
        denied(peer) || embedded_ipv4(peer).is_some_and(|inner| denied(IpAddr::V4(inner)))
    }

    fn check_one(&self, ip: IpAddr) -> Result<(), Refused> {
        match self.explicit(ip) {
            Some(false) => Err(Refused::Denied),
            Some(true) if self.is_own_and_not_named(ip) => Err(Refused::OwnAddress),
            Some(true) => Ok(()),
            None if self.own.contains(&ip) => Err(Refused::OwnAddress),
            None if is_public(ip) => Ok(()),
            None => Err(Refused::NotPublic),
        }
    }

    /// Whoever allows the network that this server is in hardly means the server's own ports. An
    /// address that is allowed by itself is meant, and so is loopback, where everything is our own.
    fn is_own_and_not_named(&self, ip: IpAddr) -> bool {
        let is_named = || self.allow.iter().any(|net| net.addr() == ip && net.prefix_len() == net.max_prefix_len());
        !ip.is_loopback() && self.own.contains(&ip) && !is_named()
    }

    /// What the lists say: the longest matching prefix, `deny` when both are equally long.
    fn explicit(&self, ip: IpAddr) -> Option<bool> {
        let longest = |nets: &[IpNet]| nets.iter().filter(|net| net.contains(&ip)).map(IpNet::prefix_len).max();
        match (longest(&self.allow), longest(&self.deny)) {
            (None, None) => None,
            (allow, deny) => Some(allow > deny),
        }
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6(segments: [u16; 4], length: u8) -> Ipv6Net {
    let [a, b, c, d] = segments;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), length)
}

/// IANA's special-purpose registry for IPv4 (RFC 6890 and successors), and multicast.
const REFUSED_V4: [Ipv4Net; 16] = [
    v4(0, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    v4(100, 64, 0, 0, 10), // carrier-grade NAT, and some clouds' metadata (100.100.100.200)
    v4(127, 0, 0, 0, 8),
    v4(168, 63, 129, 16, 32), // Azure's own services, from inside any machine there
    v4(169, 254, 0, 0, 16),   // link-local, and most clouds' metadata (169.254.169.254)
    v4(172, 16, 0, 0, 12),
    v4(192, 0, 0, 0, 24), // protocol assignments, and one more metadata address (192.0.0.192)
    v4(192, 0, 2, 0, 24),
    v4(192, 88, 99, 0, 24), // 6to4 relays
    v4(192, 168, 0, 0, 16),
    v4(198, 18, 0, 0, 15),
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
    v4(224, 0, 0, 0, 4),
    v4(240, 0, 0, 0, 4), // reserved, and broadcast
];

/// What is not global unicast in IPv6, and what is inside `2000::/3` but special.
const REFUSED_V6: [Ipv6Net; 6] = [
    v6([0x2001, 0, 0, 0], 32),      // Teredo: leads to IPv4 hosts behind NATs
    v6([0x2001, 2, 0, 0], 48),      // benchmarking
    v6([0x2001, 0x10, 0, 0], 27),   // ORCHID, both versions
    v6([0x2001, 0x0db8, 0, 0], 32), // documentation
    v6([0x3fff, 0, 0, 0], 20),      // documentation
    v6([0x5f00, 0, 0, 0], 16),      // segment routing
];

const GLOBAL_UNICAST: Ipv6Net = v6([0x2000, 0, 0, 0], 3);

/// Whether an address is on the public Internet, its embedded IPv4 address not considered.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !REFUSED_V4.iter().any(|net| net.contains(&ip)),
        // Forms that embed IPv4 are as public as what they embed, which is checked on its own.
        IpAddr::V6(ip) if ipv4_in_64(ip) || is_6to4(ip) => true,
        IpAddr::V6(ip) => GLOBAL_UNICAST.contains(&ip) && !REFUSED_V6.iter().any(|net| net.contains(&ip)),
    }
}

/// NAT64 with the well-known prefix, RFC 6052 §2.1.
fn ipv4_in_64(ip: Ipv6Addr) -> bool {
    matches!(ip.segments(), [0x64, 0xff9b, 0, 0, 0, 0, _, _])
}

fn is_6to4(ip: Ipv6Addr) -> bool {
    ip.segments()[0] == 0x2002
}

/// The IPv4 address inside an IPv6 one: mapped and compatible (RFC 4291 §2.5.5), NAT64 (RFC 6052,
/// RFC 8215), 6to4 (RFC 3056), Teredo (RFC 4380, inverted), ISATAP (RFC 5214), IPv4-translated
/// (RFC 7915).
fn embedded_ipv4(ip: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(ip) = ip else { return None };
    let segments = ip.segments();
    let pair = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match segments {
        // RFC 4291 §2.5.2 and §2.5.3: unspecified and loopback are no IPv4-compatible addresses.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, _, _, _, high, low]
        | [_, _, _, _, 0 | 0x0200, 0x5efe, high, low]
        | [0x2002, high, low, ..] => Some(pair(high, low)),
        [0x2001, 0, _, _, _, _, high, low] => Some(pair(!high, !low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().expect("a network")).collect()
    }

    #[test]
    fn what_is_not_public_is_refused_by_default() {
        let policy = PeerPolicy::default();
        for peer in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "100::1",
            "2001:db8::1",
            "4000::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::10.0.0.1",
            "2002:7f00:1::1",
            "2002:a00:1::1",
            "2001:0:1::1",
            "::ffff:0:192.168.0.1",
            "2600::5efe:10.0.0.1",
        ] {
            assert!(policy.check(ip(peer)).is_err(), "{peer}");
        }
    }

    #[test]
    fn public_peers_are_reachable_by_default() {
        let policy = PeerPolicy::default();
        for peer in ["1.1.1.1", "8.8.8.8", "172.15.0.1", "172.32.0.1", "100.128.0.1", "2600::1", "64:ff9b::8.8.8.8"] {
            assert!(policy.check(ip(peer)).is_ok(), "{peer}");
        }
    }

    #[test]
    fn the_servers_own_addresses_are_refused_by_default() {
        let policy = PeerPolicy { own: vec![ip("8.8.8.8")], ..PeerPolicy::default() };
        assert_eq!(policy.check(ip("8.8.8.8")), Err(Refused::OwnAddress));
        assert_eq!(policy.check(ip("64:ff9b::8.8.8.8")), Err(Refused::OwnAddress));
    }

    #[test]
    fn allowing_a_network_does_not_open_this_server_in_it() {
        let own = vec![ip("10.0.0.5"), ip("127.0.0.1")];
        let policy = |allow: &[&str]| PeerPolicy { allow: nets(allow), deny: Vec::new(), own: own.clone() };
        assert!(policy(&["10.0.0.0/8"]).check(ip("10.0.0.6")).is_ok());
        assert_eq!(policy(&["10.0.0.0/8"]).check(ip("10.0.0.5")), Err(Refused::OwnAddress));
        assert!(policy(&["10.0.0.5/32"]).check(ip("10.0.0.5")).is_ok());
        assert!(policy(&["127.0.0.0/8"]).check(ip("127.0.0.1")).is_ok(), "loopback is all our own");
    }

    #[test]
    fn the_longest_prefix_counts_and_deny_wins_a_tie() {
        let policy = PeerPolicy {
            allow: nets(&["10.0.0.0/8", "8.8.8.8/32", "192.168.0.0/16"]),
            deny: nets(&["10.1.0.0/16", "8.8.0.0/16", "192.168.0.0/16", "1.0.0.0/8"]),
            own: Vec::new(),
        };
        assert!(policy.check(ip("10.2.0.1")).is_ok());
        assert_eq!(policy.check(ip("10.1.0.1")), Err(Refused::Denied));
        assert!(policy.check(ip("8.8.8.8")).is_ok());
        assert_eq!(policy.check(ip("8.8.4.4")), Err(Refused::Denied));
        assert_eq!(policy.check(ip("192.168.0.1")), Err(Refused::Denied));
        assert_eq!(policy.check(ip("1.1.1.1")), Err(Refused::Denied));
    }

    #[test]
    fn loopback_can_be_allowed_in_both_families() {
        let policy = PeerPolicy { allow: nets(&["127.0.0.0/8", "::1/128"]), ..PeerPolicy::default() };
        assert!(policy.check(ip("127.0.0.1")).is_ok());
        assert!(policy.check(ip("::1")).is_ok());
        assert!(policy.check(ip("::")).is_err());
    }

    #[test]
    fn allowing_ipv4_does_not_open_its_forms_in_ipv6_beyond_nat64_and_6to4() {
        let policy = PeerPolicy { allow: nets(&["127.0.0.0/8"]), ..PeerPolicy::default() };
        assert!(policy.check(ip("127.0.0.1")).is_ok());
        assert!(policy.check(ip("::ffff:127.0.0.1")).is_err());
    }
}
