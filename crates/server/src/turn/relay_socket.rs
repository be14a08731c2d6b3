//! Opening relays: RFC 8656 §7.2 wants their ports unpredictable.

use std::{
    collections::HashSet,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use madang_turn::{OpenRelay, PortRequirement};
use madang_udp::{Options, UdpSocket};
use parking_lot::Mutex;
use rand::RngExt;

use super::{
    addresses::{RelayAddress, RelayAddresses},
    tcp_relay::{TcpRelay, listen},
};
use crate::config::PortRange;

/// Random ports that are tried before the range is searched in order.
const RANDOM_TRIES: usize = 32;

/// Ports that are tried in order. Those of our own cost a look into a table; only those of other
/// programs cost system calls.
const ORDERED_TRIES: usize = 2048;

/// What a burst from one peer may need. The kernel may grant less.
const RELAY_BUFFER: usize = 1 << 20;

/// Opens relay sockets and knows which ports are taken, by any shard: clones share that.
#[derive(Clone)]
pub(crate) struct RelaySockets {
    addresses: RelayAddresses,
    ports: PortRange,
    /// Relayed addresses, as peers are told: two local addresses can stand behind one.
    taken: Arc<Mutex<HashSet<SocketAddr>>>,
    /// Where relays have more than one address, they get them by turns.
    turn: usize,
}

/// An open relay.
pub(crate) struct Opened {
    pub(crate) socket: UdpSocket,
    /// What peers are told.
    pub(crate) relayed: SocketAddr,
}

impl RelaySockets {
    pub(crate) fn new(addresses: RelayAddresses, ports: PortRange) -> Self {
        Self { addresses, ports, taken: Arc::default(), turn: 0 }
    }

    /// Opens what was asked for: one socket, or two on neighbouring ports.
    pub(crate) fn open(&mut self, wish: &OpenRelay) -> io::Result<(Opened, Option<Opened>)> {
        let addresses = self.addresses.choose(wish.family, wish.server.ip());
        let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
        self.turn = self.turn.wrapping_add(1);
        for place in 0..addresses.len() {
            let address = addresses[(self.turn.wrapping_add(place)) % addresses.len()];
            for port in self.candidates(wish.port) {
                match self.open_at(address, port, wish.port) {
                    Ok(opened) => return Ok(opened),
                    // Ours, or another program's port; the next may be free.
                    Err(why) if why.kind() == io::ErrorKind::AddrInUse => failure = why,
                    Err(why) => return Err(why),
                }
            }
        }
        Err(failure)
    }

    /// Opens a TCP relay, which holds its port by listening on it.
    pub(crate) fn listen(&self, wish: &OpenRelay) -> io::Result<TcpRelay> {
        let addresses = self.addresses.choose(wish.family, wish.server.ip());
        let address = *addresses.first().ok_or(io::ErrorKind::AddrNotAvailable)?;
        for port in self.candidates(wish.port) {
            let relayed = SocketAddr::new(address.advertise, port);
            match self.reserve(relayed, || listen(SocketAddr::new(address.bind, port))) {
                Ok(listener) => return Ok(TcpRelay { listener, relayed }),
                Err(why) if why.kind() == io::ErrorKind::AddrInUse => {}
                Err(why) => return Err(why),
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }

    /// A relay is closed: its port may be used again.
    pub(crate) fn release(&self, relayed: SocketAddr) {
        self.taken.lock().remove(&relayed);
    }

    fn open_one(&self, address: RelayAddress, port: u16) -> io::Result<Opened> {
        self.reserve(SocketAddr::new(address.advertise, port), || bind(address, port))
    }

    /// Opens a relay, unless its address is taken, be it by UDP or TCP.
    fn reserve<T>(&self, relayed: SocketAddr, open: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if !self.taken.lock().insert(relayed) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        open().inspect_err(|_| self.release(relayed))
    }

    fn open_at(&self, address: RelayAddress, port: u16, wish: PortRequirement) -> io::Result<(Opened, Option<Opened>)> {
        let first = self.open_one(address, port)?;
        let second = match wish {
            PortRequirement::Any | PortRequirement::Even => None,
            PortRequirement::EvenAndNext(_) => {
                Some(self.open_one(address, port | 1).inspect_err(|_| self.release(first.relayed))?)
            }
        };
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
        sockets.release(released.relayed);
        drop(released);
        let (again, _) = sockets.open(&wish(PortRequirement::Any)).expect("one is free");
        assert_eq!(again.relayed.port(), port);
    }

    #[test]
    fn relays_take_their_addresses_by_turns_and_the_next_one_when_one_is_full() {
        let both = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2])];
        let addresses = RelayAddresses { configured: both.to_vec(), ..RelayAddresses::default() };
        let mut sockets = RelaySockets::new(addresses, PortRange { first: 21_331, last: 21_332 });
        let open: Vec<Opened> =
            (0..4).map(|_| sockets.open(&wish(PortRequirement::Any)).expect("four are free").0).collect();
        let on = |ip: IpAddr| open.iter().filter(|opened| opened.relayed.ip() == ip).count();
        assert_eq!(both.map(on), [2, 2]);
        assert!(sockets.open(&wish(PortRequirement::Any)).is_err());
    }

    #[test]
    fn an_even_port_and_its_neighbour_come_together() {
        let mut sockets = sockets(21_321, 21_325);
        let (even, next) = sockets.open(&wish(PortRequirement::EvenAndNext(RelayId(1)))).expect("two are free");
        assert_eq!(even.relayed.port() % 2, 0);
        assert_eq!(next.map(|next| next.relayed.port()), Some(even.relayed.port() + 1));
    }
}
