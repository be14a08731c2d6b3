//! The ways into the internet that two people may have, and which pairs of them can talk without
//! a relay.

use std::fmt;

use crate::nat::{Dependence, NatKind};

/// How somebody gets into the internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Behind one NAT.
    Behind(NatKind),
    /// Behind a port-restricted one of their own, and a symmetric one of their carrier's.
    Double,
}

impl Access {
    /// All six.
    pub const ALL: [Self; 6] = [
        Self::Behind(NatKind::FullCone),
        Self::Behind(NatKind::AddressRestricted),
        Self::Behind(NatKind::PortRestricted),
        Self::Behind(NatKind::Symmetric),
        Self::Behind(NatKind::UdpBlocked),
        Self::Double,
    ];

    /// What the chain of NATs does to UDP: each kind is that of the strictest. `None`: nothing
    /// passes.
    #[must_use]
    pub fn kinds(self) -> Option<(Dependence, Dependence)> {
        use Dependence::{AddressAndPortDependent, AddressDependent, EndpointIndependent};
        match self {
            Self::Behind(NatKind::FullCone) => Some((EndpointIndependent, EndpointIndependent)),
            Self::Behind(NatKind::AddressRestricted) => Some((EndpointIndependent, AddressDependent)),
            Self::Behind(NatKind::PortRestricted) => Some((EndpointIndependent, AddressAndPortDependent)),
            Self::Behind(NatKind::Symmetric) | Self::Double => Some((AddressAndPortDependent, AddressAndPortDependent)),
            Self::Behind(NatKind::UdpBlocked) => None,
        }
    }

    /// Whether UDP passes at all.
    #[must_use]
    pub fn has_udp(self) -> bool {
        self.kinds().is_some()
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Behind(kind) => kind.fmt(f),
            Self::Double => f.write_str("double, outer symmetric"),
        }
    }
}

/// The 21 unordered pairs.
#[must_use]
pub fn pairs() -> Vec<(Access, Access)> {
    let rest = |from: usize| Access::ALL[from..].iter().map(move |other| (Access::ALL[from], *other));
    (0..Access::ALL.len()).flat_map(rest).collect()
}

/// Whether connectivity checks between such two find a way without a relay.
///
/// A packet from behind a mapping that depends on the remote endpoint comes from a port that the
/// other one cannot know, so the other's filter must not ask for ports; and if the other's mapping
/// depends on the endpoint too, neither knows the other's port, so one filter must ask for nothing.
#[must_use]
pub fn can_be_direct(one: Access, other: Access) -> bool {
    let (Some((one_maps, one_filters)), Some((other_maps, other_filters))) = (one.kinds(), other.kinds()) else {
        return false;
    };
    let asks_no_ports = |filtering| filtering != Dependence::AddressAndPortDependent;
    match (one_maps == Dependence::EndpointIndependent, other_maps == Dependence::EndpointIndependent) {
        (true, true) => true,
        (false, true) => asks_no_ports(other_filters),
        (true, false) => asks_no_ports(one_filters),
        (false, false) => {
            one_filters == Dependence::EndpointIndependent || other_filters == Dependence::EndpointIndependent
        }
    }
}
