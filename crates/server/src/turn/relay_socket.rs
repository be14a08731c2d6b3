//! Opening relays: RFC 8656 §7.2 wants their ports unpredictable.

use std::{
    collections::HashSet,
    io,
    net::{IpAddr, SocketAddr},
};

use madang_turn::{OpenRelay, PortRequirement};
use madang_udp::{Options, UdpSocket};
use rand::RngExt;

use super::{
    addresses::{RelayAddress, RelayAddresses},
    tcp_relay::{TcpRelay, listen},
};
use crate::config::PortRange;

/// Random ports that are tried before the range is searched in order.
const RANDOM_TRIES: usize = 32;

/// Ports that are tried in order, so that one request can't keep the shard busy for long.
const ORDERED_TRIES: usize = 2048;

/// What a burst from one peer may need. The kernel may grant less.
const RELAY_BUFFER: usize = 1 << 20;

/// Opens relay sockets and knows which ports are taken.
pub(crate) struct RelaySockets {
    addresses: RelayAddresses,
    ports: PortRange,
    taken: HashSet<SocketAddr>,
}

/// An open relay.
pub(crate) struct Opened {
    pub(crate) socket: UdpSocket,
    /// What peers are told.
    pub(crate) relayed: SocketAddr,
}

impl RelaySockets {
    pub(crate) fn new(addresses: RelayAddresses, ports: PortRange) -> Self {
        Self { addresses, ports, taken: HashSet::new() }
    }

    /// Opens what was asked for: one socket, or two on neighbouring ports.
    pub(crate) fn open(&mut self, wish: &OpenRelay) -> io::Result<(Opened, Option<Opened>)> {
        let address = self.addresses.choose(wish.family, wish.server.ip());
        let address = address.ok_or(io::ErrorKind::AddrNotAvailable)?;
        let mut failure = io::Error::from(io::ErrorKind::AddrInUse);
        for port in self.candidates(wish.port) {
            if self.taken.contains(&SocketAddr::new(address.bind, port)) {
                continue;
            }
            match self.open_at(address, port, wish.port) {
                Ok(opened) => return Ok(opened),
                // Another program's port; the next may be free.
                Err(why) if why.kind() == io::ErrorKind::AddrInUse => failure = why,
                Err(why) => return Err(why),
            }
        }
        Err(failure)
    }

    /// Opens a TCP relay, which holds its port by listening on it.
    pub(crate) fn listen(&self, wish: &OpenRelay) -> io::Result<TcpRelay> {
        let address = self.addresses.choose(wish.family, wish.server.ip());
        let address = address.ok_or(io::ErrorKind::AddrNotAvailable)?;
        for port in self.candidates(wish.port) {
            match listen(SocketAddr::new(address.bind, port)) {
                Ok(listener) => return Ok(TcpRelay { listener, relayed: SocketAddr::new(address.advertise, port) }),
                Err(why) if why.kind() == io::ErrorKind::AddrInUse => {}
                Err(why) => return Err(why),
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }

    /// A relay is closed: its port may be used again.
    pub(crate) fn release(&mut self, local: SocketAddr) {
        self.taken.remove(&local);
    }

    fn open_at(
        &mut self,
        address: RelayAddress,
        port: u16,
        wish: PortRequirement,
    ) -> io::Result<(Opened, Option<Opened>)> {
        let first = bind(address, port)?;
        let second = match wish {
            PortRequirement::Any | PortRequirement::Even => None,
            PortRequirement::EvenAndNext(_) => Some(bind(address, port | 1)?),
        };
        self.taken.insert(first.socket.local_addr());
        self.taken.extend(second.as_ref().map(|second| second.socket.local_addr()));
        Ok((first, second))
    }

    fn candidates(&self, wish: PortRequirement) -> impl Iterator<Item = u16> + use<> {
        let (first, last) = (self.ports.first, self.ports.last);
        let fits = move |port: &u16| match wish {
            PortRequirement::Any => true,
            PortRequirement::Even => port.is_multiple_of(2),
            PortRequirement::EvenAndNext(_) => port.is_multiple_of(2) && *port < last,
        };
        let mut random = rand::rng();
        let begin: u16 = random.random_range(first..=last);
        let tried: Vec<u16> = (0..RANDOM_TRIES).map(|_| random.random_range(first..=last)).collect();
        let ordered = (begin..=last).chain(first..begin).take(ORDERED_TRIES);
        tried.into_iter().chain(ordered).filter(fits)
    }
}

fn bind(address: RelayAddress, port: u16) -> io::Result<Opened> {
    let options = Options {
        receive_buffer: RELAY_BUFFER,
        send_buffer: RELAY_BUFFER,
        errors: true,
        fragments: true,
        ..Options::default()
    };
    let socket = UdpSocket::bind(SocketAddr::new(address.bind, port), options)?;
    Ok(Opened { relayed: SocketAddr::new(address.advertise, socket.local_addr().port()), socket })
}

/// Whether `ip` is an address that this machine can open sockets on.
pub(crate) fn is_local(ip: IpAddr) -> io::Result<()> {
    bind(RelayAddress { bind: ip, advertise: ip }, 0).map(drop)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use madang_turn::RelayId;
    use madang_wire::stun::AddressFamily;

    use super::*;

    fn sockets(first: u16, last: u16) -> RelaySockets {
        let addresses = RelayAddresses { listeners: vec![Ipv4Addr::LOCALHOST.into()], ..RelayAddresses::default() };
        RelaySockets::new(addresses, PortRange { first, last })
    }

    fn wish(port: PortRequirement) -> OpenRelay {
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, 3478));
        OpenRelay { relay: RelayId(0), family: AddressFamily::IPV4, server, port }
    }

    #[test]
    fn ports_come_from_the_range_until_it_is_used_up() {
        let mut sockets = sockets(21_310, 21_312);
        let mut open = Vec::new();
        while let Ok((relay, _)) = sockets.open(&wish(PortRequirement::Any)) {
            open.push(relay);
        }
        let mut ports: Vec<u16> = open.iter().map(|relay| relay.relayed.port()).collect();
        ports.sort_unstable();
        assert_eq!(ports, [21_310, 21_311, 21_312]);
        let released = open.pop().expect("three");
        let port = released.relayed.port();
        sockets.release(released.socket.local_addr());
        drop(released);
        let (again, _) = sockets.open(&wish(PortRequirement::Any)).expect("one is free");
        assert_eq!(again.relayed.port(), port);
    }

    #[test]
    fn an_even_port_and_its_neighbour_come_together() {
        let mut sockets = sockets(21_321, 21_325);
        let (even, next) = sockets.open(&wish(PortRequirement::EvenAndNext(RelayId(1)))).expect("two are free");
        assert_eq!(even.relayed.port() % 2, 0);
        assert_eq!(next.map(|next| next.relayed.port()), Some(even.relayed.port() + 1));
    }
}
