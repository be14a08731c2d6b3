//! What a NAT is like, in the words of RFC 4787.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    str::FromStr,
    time::Duration,
};

/// What of the remote endpoint a mapping (RFC 4787 §4.1) or a filter (§5) depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dependence {
    /// Nothing.
    EndpointIndependent,
    /// Its address.
    AddressDependent,
    /// Its address and port.
    AddressAndPortDependent,
}

/// That part of a remote endpoint which counts.
pub(crate) type Part = (Option<IpAddr>, Option<u16>);

impl Dependence {
    /// All three.
    pub const ALL: [Self; 3] = [Self::EndpointIndependent, Self::AddressDependent, Self::AddressAndPortDependent];

    pub(crate) fn part(self, remote: SocketAddr) -> Part {
        match self {
            Self::EndpointIndependent => (None, None),
            Self::AddressDependent => (Some(remote.ip()), None),
            Self::AddressAndPortDependent => (Some(remote.ip()), Some(remote.port())),
        }
    }
}

impl fmt::Display for Dependence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EndpointIndependent => "endpoint-independent",
            Self::AddressDependent => "address-dependent",
            Self::AddressAndPortDependent => "address-and-port-dependent",
        })
    }
}

impl FromStr for Dependence {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.to_string() == text);
        found.ok_or_else(|| {
            format!("{text:?} is none of endpoint-independent, address-dependent, address-and-port-dependent")
        })
    }
}

/// How the outer port of a new mapping is chosen (RFC 4787 §4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PortAllocation {
    /// The inner port where it is free, else the next free one above it.
    #[default]
    Preserved,
    /// Any free one.
    Random,
}

/// Which of several outer addresses a mapping gets (RFC 4787 §4.1, REQ-2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pooling {
    /// One inner address keeps one outer address.
    #[default]
    Paired,
    /// Each mapping gets any.
    Arbitrary,
}

/// What a NAT is like.
#[derive(Clone, Debug, PartialEq)]
pub struct NatConfig {
    /// When two remote endpoints see one outer endpoint.
    pub mapping: Dependence,
    /// Who may answer.
    pub filtering: Dependence,
    /// Whether inner hosts reach each other by their outer endpoints (RFC 4787 §6).
    pub hairpinning: bool,
    /// How long a mapping and what its filter lets in live after they were last used.
    pub lifetime: Duration,
    /// Whether a packet that comes in counts as use; one that goes out always does (RFC 4787
    /// §4.3).
    pub inbound_refresh: bool,
    /// How ports are chosen.
    pub ports: PortAllocation,
    /// The addresses that it shows, one or more.
    pub outer: Vec<IpAddr>,
    /// How they are chosen.
    pub pooling: Pooling,
    /// Nothing passes at all: a firewall that blocks the protocol.
    pub blocked: bool,
}

impl NatConfig {
    /// Two minutes, the least that RFC 4787 §4.3, REQ-5, allows.
    pub const LIFETIME: Duration = Duration::from_secs(120);

    /// A NAT of these kinds that shows one address, without hairpinning.
    #[must_use]
    pub fn new(mapping: Dependence, filtering: Dependence, outer: impl Into<IpAddr>) -> Self {
        // A port that is preserved for one of several mappings of an inner port would tell
        // nothing about the next one, so only mappings that are alone get theirs.
        let ports = match mapping {
            Dependence::EndpointIndependent => PortAllocation::Preserved,
            _ => PortAllocation::Random,
        };
        Self {
            mapping,
            filtering,
            hairpinning: false,
            lifetime: Self::LIFETIME,
            inbound_refresh: false,
            ports,
            outer: vec![outer.into()],
            pooling: Pooling::default(),
            blocked: false,
        }
    }
}

/// The kinds of NAT that people speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NatKind {
    /// Mapping and filtering independent of the endpoint.
    FullCone,
    /// One mapping; answers from every port of an address that was sent to.
    AddressRestricted,
    /// One mapping; answers from endpoints that were sent to.
    PortRestricted,
    /// A mapping for each remote endpoint, which alone may answer.
    Symmetric,
    /// No UDP at all.
    UdpBlocked,
}

impl NatKind {
    /// All five.
    pub const ALL: [Self; 5] =
        [Self::FullCone, Self::AddressRestricted, Self::PortRestricted, Self::Symmetric, Self::UdpBlocked];

    /// Such a NAT, for UDP.
    #[must_use]
    pub fn config(self, outer: Ipv4Addr) -> NatConfig {
        use Dependence::{AddressAndPortDependent, AddressDependent, EndpointIndependent};
        match self {
            Self::FullCone => NatConfig::new(EndpointIndependent, EndpointIndependent, outer),
            Self::AddressRestricted => NatConfig::new(EndpointIndependent, AddressDependent, outer),
            Self::PortRestricted => NatConfig::new(EndpointIndependent, AddressAndPortDependent, outer),
            Self::Symmetric => NatConfig::new(AddressAndPortDependent, AddressAndPortDependent, outer),
            Self::UdpBlocked => {
                NatConfig { blocked: true, ..NatConfig::new(EndpointIndependent, AddressAndPortDependent, outer) }
            }
        }
    }
}

impl fmt::Display for NatKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FullCone => "full cone",
            Self::AddressRestricted => "address-restricted",
            Self::PortRestricted => "port-restricted",
            Self::Symmetric => "symmetric",
            Self::UdpBlocked => "UDP blocked",
        })
    }
}
