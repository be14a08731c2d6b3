//! The section `turn`.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    str::FromStr,
    time::Duration,
};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Many, Span};

/// STUN and TURN.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TurnConfig {
    /// Where STUN and TURN are served over UDP and TCP. The address `0.0.0.0` or `::` stands for
    /// every address that this machine has at the start.
    pub listen: Many<SocketAddr>,
    /// Where TURN is served over TLS, when `tls.mode` is not off.
    pub tls_listen: Many<SocketAddr>,
    /// The realm of credentials.
    pub realm: String,
    /// Shared secrets of time-limited credentials; the first one signs those that are handed to
    /// participants. With none, a random one is made at each start.
    pub secrets: Many<String>,
    /// Passwords of static users by name.
    pub users: BTreeMap<String, String>,
    /// Networks whose addresses may be peers although they are not public.
    pub allow_peers: Many<IpNet>,
    /// Networks whose addresses may not be peers. Where both lists match, the longer prefix
    /// counts, and this list when they are equally long.
    pub deny_peers: Many<IpNet>,
    /// The local addresses that relays are opened on. With none, that which the client reached.
    pub relay_addresses: Many<IpAddr>,
    /// The ports of relays.
    pub relay_ports: PortRange,
    /// A second address of this server for each family, for NAT behaviour discovery (RFC 5780).
    /// Without a port: the port of `turn.listen` and the next one.
    pub alternate_addresses: Many<AlternateAddress>,
    /// Allocations of one user.
    pub allocations_per_user: usize,
    /// Allocations of one client address.
    pub allocations_per_address: usize,
    /// Allocations in all.
    pub allocations: usize,
    /// The longest lifetime that an allocation gets at once.
    pub longest_lifetime: Span,
    /// Bytes of application data per second that one allocation may relay; 0 for no limit.
    pub bandwidth_per_allocation: u64,
    /// The same of one user's allocations together.
    pub bandwidth_per_user: u64,
    /// The same of all allocations together.
    pub bandwidth: u64,
    /// Whether clients are told that they may hash their name (RFC 8489 §9.2).
    pub userhash: bool,
    /// How long allocations may go on when the server goes down.
    pub drain: Span,
    /// Whether an allocation may go along when its client's address changes (RFC 8016).
    pub mobility: bool,
    /// Whether clients may have TCP connections to peers (RFC 6062).
    pub tcp_relay: bool,
    /// Whether RESPONSE-PORT and PADDING of RFC 5780 are understood: strangers can misuse them.
    pub response_port_and_padding: bool,
    /// What the server calls itself in answers to authenticated clients; nothing when empty.
    pub software: String,
    /// TCP and TLS connections from one address.
    pub connections_per_address: usize,
    /// Answers per second, for each /24 or /56, to those who have not authenticated.
    pub unauthenticated_per_second: u32,
}

impl Default for TurnConfig {
    fn default() -> Self {
        Self {
            listen: Many(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 3478))]),
            tls_listen: Many(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 5349))]),
            realm: "madang".into(),
            secrets: Many::default(),
            users: BTreeMap::new(),
            allow_peers: Many::default(),
            deny_peers: Many::default(),
            relay_addresses: Many::default(),
            relay_ports: PortRange { first: 49152, last: 65535 },
            alternate_addresses: Many::default(),
            allocations_per_user: 200,
            allocations_per_address: 1000,
            allocations: 10_000,
            longest_lifetime: Span(Duration::from_secs(3600)),
            bandwidth_per_allocation: 0,
            bandwidth_per_user: 0,
            bandwidth: 0,
            userhash: false,
            drain: Span(Duration::from_secs(5)),
            mobility: true,
            tcp_relay: false,
            response_port_and_padding: false,
            software: String::new(),
            connections_per_address: 1000,
            unauthenticated_per_second: 100,
        }
    }
}

/// Passwords and secrets stay out of logs.
impl fmt::Debug for TurnConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TurnConfig")
            .field("listen", &self.listen)
            .field("tls_listen", &self.tls_listen)
            .field("realm", &self.realm)
            .field("relay_addresses", &self.relay_addresses)
            .field("relay_ports", &self.relay_ports)
            .finish_non_exhaustive()
    }
}

/// A value that its type allows but TURN does not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` = {value}: {message}")]
pub struct InvalidTurn {
    /// The key in full.
    pub key: &'static str,
    /// Its value.
    pub value: String,
    /// What is allowed.
    pub message: &'static str,
}

/// RFC 8489 §14.9 allows 128 characters; half of that keeps a 401 under 160 bytes.
const MAX_REALM: usize = 64;

impl TurnConfig {
    /// Checks what the types of the values cannot say.
    ///
    /// # Errors
    /// Names the key, its value, and what is allowed.
    pub fn check(&self) -> Result<(), InvalidTurn> {
        let wrong = |key, value: &dyn ToString, message| Err(InvalidTurn { key, value: value.to_string(), message });
        if self.realm.is_empty()
            || self.realm.len() > MAX_REALM
            || self.realm.chars().any(|c| c == '"' || c.is_control())
        {
            return wrong("turn.realm", &self.realm, "1 to 64 bytes, without quotes and control characters");
        }
        if self.listen.is_empty() {
            return wrong("turn.listen", &"[]", "at least one address and port");
        }
        if self.secrets.iter().any(String::is_empty) {
            return wrong("turn.secrets", &"\"\"", "secrets of at least one byte");
        }
        if let Some(name) =
            self.users.iter().find(|(name, word)| name.is_empty() || name.len() > 508 || word.is_empty())
        {
            return wrong("turn.users", name.0, "names of 1 to 508 bytes, passwords of at least one");
        }
        if let Some(ip) = self.relay_addresses.iter().find(|ip| ip.is_unspecified() || ip.is_multicast()) {
            return wrong("turn.relay_addresses", ip, "addresses of this machine, each by itself");
        }
        if self.software.chars().count() > 127 {
            return wrong("turn.software", &self.software, "at most 127 characters");
        }
        if self.longest_lifetime.0 < Duration::from_secs(600) {
            return wrong("turn.longest_lifetime", &format!("{:?}", self.longest_lifetime.0), "at least 10 minutes");
        }
        let mut families = [false, false];
        for alternate in self.alternate_addresses.iter() {
            let family = usize::from(alternate.ip().is_ipv6());
            if alternate.ip().is_unspecified() || std::mem::replace(&mut families[family], true) {
                return wrong("turn.alternate_addresses", alternate, "one address of this machine for each family");
            }
        }
        for (key, value) in [
            ("turn.allocations_per_user", self.allocations_per_user),
            ("turn.allocations_per_address", self.allocations_per_address),
            ("turn.allocations", self.allocations),
            ("turn.connections_per_address", self.connections_per_address),
            ("turn.unauthenticated_per_second", self.unauthenticated_per_second as usize),
        ] {
            if value == 0 {
                return wrong(key, &value, "a whole number from 1");
            }
        }
        Ok(())
    }
}

/// An address of this server, on the port of `turn.listen` or on one of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlternateAddress {
    /// An address alone.
    Ip(IpAddr),
    /// An address and port.
    Socket(SocketAddr),
}

impl AlternateAddress {
    /// The address.
    #[must_use]
    pub const fn ip(&self) -> IpAddr {
        match self {
            Self::Ip(ip) => *ip,
            Self::Socket(address) => address.ip(),
        }
    }

    /// The port, if it has one of its own.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        match self {
            Self::Ip(_) => None,
            Self::Socket(address) => Some(address.port()),
        }
    }
}

impl fmt::Display for AlternateAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Socket(address) => address.fmt(f),
        }
    }
}

impl FromStr for AlternateAddress {
    type Err = std::net::AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self::Ip).or_else(|_| text.parse().map(Self::Socket))
    }
}

/// Ports from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

/// A text that is no range of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a range of ports (two numbers from 1 to 65535, the lower first, such as `49152-65535`)")]
pub struct PortRangeError;

impl FromStr for PortRange {
    type Err = PortRangeError;

    fn from_str(text: &str) -> Result<Self, PortRangeError> {
        let (first, last) = text.split_once('-').ok_or(PortRangeError)?;
        let port = |text: &str| text.trim().parse::<u16>().map_err(|_| PortRangeError);
        let range = Self { first: port(first)?, last: port(last)? };
        if range.first == 0 || range.first > range.last { Err(PortRangeError) } else { Ok(range) }
    }
}

impl Serialize for PortRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PortRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_ports_prints_as_it_is_read() {
        assert_eq!("49152-65535".parse::<PortRange>().map(|range| range.to_string()).as_deref(), Ok("49152-65535"));
        for text in ["", "-", "1", "0-1", "2-1", "1-65536", "a-b", "1-2-3"] {
            assert_eq!(text.parse::<PortRange>(), Err(PortRangeError), "{text}");
        }
    }

    #[test]
    fn the_default_is_valid() {
        assert_eq!(TurnConfig::default().check(), Ok(()));
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let config = TurnConfig { realm: "x".repeat(65), ..TurnConfig::default() };
        assert_eq!(config.check().map_err(|why| why.key), Err("turn.realm"));
        let config = TurnConfig { allocations: 0, ..TurnConfig::default() };
        assert_eq!(
            config.check().map_err(|why| why.to_string()),
            Err("`turn.allocations` = 0: a whole number from 1".into())
        );
        let config = TurnConfig { relay_addresses: Many(vec![Ipv4Addr::UNSPECIFIED.into()]), ..TurnConfig::default() };
        assert_eq!(config.check().map_err(|why| why.key), Err("turn.relay_addresses"));
    }

    #[test]
    fn a_section_is_read_from_toml_and_refuses_unknown_keys() {
        let text = "listen = \"0.0.0.0:3478\"\nsecrets = [\"s\"]\nrelay_ports = \"5000-5001\"\nallow_peers = [\"10.0.0.0/8\"]\n[users]\na = \"b\"";
        let config: TurnConfig = toml::from_str(text).expect("valid");
        assert_eq!(config.relay_ports, PortRange { first: 5000, last: 5001 });
        assert_eq!(config.users.get("a").map(String::as_str), Some("b"));
        assert!(toml::from_str::<TurnConfig>("relais = 1").is_err());
    }
}
