//! What was found out of the NAT.

use std::{fmt, net::SocketAddr, time::Duration};

/// The result of a [`Discovery`](super::Discovery).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The address at which the first socket is seen.
    pub mapped: Option<SocketAddr>,
    /// How the NAT chooses that address: RFC 4787 §4.1.
    pub mapping: Behaviour,
    /// Whom it lets in: RFC 4787 §5.
    pub filtering: Behaviour,
    /// Whether two hosts behind it reach each other by their outer addresses (RFC 4787 §6).
    /// `None` where that was not tried: without a NAT, or when it is not known whether there is one.
    pub hairpinning: Option<bool>,
    /// From the first request to its answer, if that came without being sent again.
    pub round_trip: Option<Duration>,
}

impl Report {
    pub(super) const fn unknown(mapped: Option<SocketAddr>, why: Unknown) -> Self {
        let (mapping, filtering) = (Behaviour::Unknown(why), Behaviour::Unknown(why));
        Self { mapped, mapping, filtering, hairpinning: None, round_trip: None }
    }
}

/// What an address or a decision depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// There is no NAT, or nothing is filtered.
    None,
    /// On the inner address and port alone.
    EndpointIndependent,
    /// On the address of the other end too.
    AddressDependent,
    /// On its address and port.
    AddressAndPortDependent,
    /// That was not to be found out.
    Unknown(Unknown),
}

impl Behaviour {
    /// The name in reports for machines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::EndpointIndependent => "endpoint-independent",
            Self::AddressDependent => "address-dependent",
            Self::AddressAndPortDependent => "address-and-port-dependent",
            Self::Unknown(_) => "unknown",
        }
    }
}

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why something was not found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// No answer came over UDP at all.
    #[error("the server does not answer over UDP")]
    NoAnswer,
    /// The server has no second address and port to compare with (RFC 5780 §6).
    #[error("the server has only one address, and two are needed to tell")]
    NoOtherAddress,
    /// It names one, from which nothing came.
    #[error("the server's other address does not answer")]
    OtherSilent,
    /// It refuses what is asked.
    #[error("the server refuses the test (error {0})")]
    Refused(u16),
    /// It answers what makes no sense, or from where it should not.
    #[error("the server's answer makes no sense")]
    Malformed,
}
