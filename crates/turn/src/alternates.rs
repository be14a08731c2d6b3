//! The two addresses and two ports of NAT behaviour discovery: RFC 5780 §6.1 and §7.2.

use std::net::{IpAddr, SocketAddr};

/// Two addresses of one family and two ports, on all four combinations of which the server listens
/// over UDP. Which of them is the first makes no difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alternates {
    /// The addresses.
    pub addresses: [Address; 2],
    /// The ports.
    pub ports: [u16; 2],
}

/// An address of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The one that listeners are bound to.
    pub local: IpAddr,
    /// What the world sees of it: another one behind a 1:1 NAT.
    pub public: IpAddr,
}

impl From<IpAddr> for Address {
    /// An address that is not behind a NAT.
    fn from(ip: IpAddr) -> Self {
        Self { local: ip, public: ip }
    }
}

/// One of the four listeners: which address and which port of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    address: usize,
    port: usize,
}

impl Alternates {
    /// Which of the four a listener is, if any.
    pub(crate) fn place(&self, listener: SocketAddr) -> Option<Place> {
        let address = self.addresses.iter().position(|address| address.local == listener.ip())?;
        let port = self.ports.iter().position(|port| *port == listener.port())?;
        Some(Place { address, port })
    }

    /// The address that a listener is bound to.
    pub(crate) fn local(&self, place: Place) -> SocketAddr {
        SocketAddr::new(self.addresses[place.address].local, self.ports[place.port])
    }

    /// The address at which clients see it.
    pub(crate) fn public(&self, place: Place) -> SocketAddr {
        SocketAddr::new(self.addresses[place.address].public, self.ports[place.port])
    }
}

impl Place {
    /// The second address, with another port than this one's.
    pub(crate) fn second(self) -> Self {
        Self { address: 1, port: self.port ^ 1 }
    }

    /// The one with another address, another port, or both.
    pub(crate) fn change(self, address: bool, port: bool) -> Self {
        Self { address: self.address ^ usize::from(address), port: self.port ^ usize::from(port) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_the_four_listeners_has_three_others() {
        let ip = |last| IpAddr::from([198, 51, 100, last]);
        let natted = Address { local: ip(2), public: ip(9) };
        let alternates = Alternates { addresses: [ip(1).into(), natted], ports: [3478, 3479] };
        let place = alternates.place("198.51.100.2:3478".parse().expect("an address")).expect("one of the four");
        let changed = |address, port| alternates.local(place.change(address, port)).to_string();
        assert_eq!(changed(true, false), "198.51.100.1:3478");
        assert_eq!(changed(false, true), "198.51.100.2:3479");
        assert_eq!(changed(true, true), "198.51.100.1:3479");
        assert_eq!(alternates.public(place).to_string(), "198.51.100.9:3478");
        for stranger in ["198.51.100.2:5349", "198.51.100.9:3478"] {
            assert_eq!(alternates.place(stranger.parse().expect("an address")), None);
        }
    }
}
