//! Hosts and NATs in a network in virtual time.
//!
//! The world is a tree: the internet at its root, hosts and NATs below it, and more hosts and
//! NATs behind each NAT. Everybody hangs on the node above by one [`Link`](crate::Link) in each
//! direction, so that a path is as slow and as lossy as the links it takes.

use std::{
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use crate::{
    Fate, LinkConfig, Network,
    nat::{Nat, NatConfig, Way},
};

/// A place in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(usize);

impl Node {
    /// The root: what has a public address hangs on it.
    pub const INTERNET: Self = Self(0);
}

/// A UDP datagram on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram<T> {
    /// Who sent it, as far as can be seen here.
    pub src: SocketAddr,
    /// For whom it is, as far as can be seen here.
    pub dst: SocketAddr,
    /// How many bytes it takes, headers included.
    pub bytes: usize,
    /// What it carries.
    pub payload: T,
}

#[derive(Debug)]
enum Role {
    Internet,
    Host(IpAddr),
    Nat(Box<Nat>),
}

#[derive(Debug)]
struct Place {
    role: Role,
    above: Node,
}

/// Hosts and NATs, and the packets between them.
#[derive(Debug)]
pub struct World<T> {
    seed: u64,
    places: Vec<Place>,
    network: Network<Node, Datagram<T>>,
}

impl<T: Clone> World<T> {
    /// The internet, and nobody on it. All chance comes from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let root = Place { role: Role::Internet, above: Node::INTERNET };
        Self { seed, places: vec![root], network: Network::new(seed) }
    }

    /// A host with this address, on the internet or behind a NAT.
    pub fn host(&mut self, above: Node, address: IpAddr, up: LinkConfig, down: LinkConfig) -> Node {
        self.place(above, Role::Host(address), up, down)
    }

    /// A NAT, on the internet or behind another one. Hosts behind it have any address that their
    /// neighbours have not.
    pub fn nat(&mut self, above: Node, config: NatConfig, up: LinkConfig, down: LinkConfig) -> Node {
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let nat = Box::new(Nat::new(config, self.seed));
        self.place(above, Role::Nat(nat), up, down)
    }

    fn place(&mut self, above: Node, role: Role, up: LinkConfig, down: LinkConfig) -> Node {
        let node = Node(self.places.len());
        self.places.push(Place { role, above });
        self.network.join(node, above, up, down);
        node
    }

    /// Changes the links between a node and the one above it; they keep what they carry.
    pub fn relink(&mut self, node: Node, up: LinkConfig, down: LinkConfig) {
        self.network.join(node, self.places[node.0].above, up, down);
    }

    /// The NAT at this place, to reboot or to block it.
    pub fn nat_mut(&mut self, node: Node) -> Option<&mut Nat> {
        match &mut self.places[node.0].role {
            Role::Nat(nat) => Some(nat),
            _ => None,
        }
    }

    /// A host sends. What leads nowhere is lost.
    pub fn send(&mut self, now: Instant, host: Node, datagram: Datagram<T>) -> Fate {
        self.network.send(now, host, self.places[host.0].above, datagram.bytes, datagram)
    }

    /// The next datagram that reaches a host. Call it until it returns `None`.
    pub fn poll(&mut self, now: Instant) -> Option<(Node, Datagram<T>)> {
        loop {
            // A NAT passes a packet on when it came, however late this is called.
            let at = self.network.timeout().filter(|at| *at <= now)?;
            let arrived = self.network.poll(at)?;
            if matches!(self.places[arrived.to.0].role, Role::Host(_)) {
                return Some((arrived.to, arrived.packet));
            }
            let from_below = self.places[arrived.from.0].above == arrived.to;
            if let Some((next, datagram)) = self.pass_on(at, arrived.to, from_below, arrived.packet) {
                self.network.send(at, arrived.to, next, datagram.bytes, datagram);
            }
        }
    }

    /// When the next packet arrives somewhere.
    #[must_use]
    pub fn timeout(&self) -> Option<Instant> {
        self.network.timeout()
    }

    /// Where a packet goes from the internet or a NAT, and how it looks then.
    fn pass_on(
        &mut self,
        now: Instant,
        here: Node,
        from_below: bool,
        mut datagram: Datagram<T>,
    ) -> Option<(Node, Datagram<T>)> {
        let neighbour = self.below(here, datagram.dst.ip());
        let above = self.places[here.0].above;
        let Role::Nat(nat) = &mut self.places[here.0].role else {
            return Some((neighbour?, datagram));
        };
        if !from_below {
            datagram.dst = nat.inbound(now, datagram.src, datagram.dst)?;
            return Some((self.below(here, datagram.dst.ip())?, datagram));
        }
        if let Some(neighbour) = neighbour {
            return Some((neighbour, datagram));
        }
        match nat.from_inside(now, datagram.src, datagram.dst)? {
            Way::Outside { from } => {
                datagram.src = from;
                Some((above, datagram))
            }
            Way::Inside { from, to } => {
                (datagram.src, datagram.dst) = (from, to);
                Some((self.below(here, to.ip())?, datagram))
            }
        }
    }

    /// Who hangs on that node and answers for the address.
    fn below(&self, above: Node, address: IpAddr) -> Option<Node> {
        let found = self.places.iter().enumerate().skip(1).find(|(_, place)| {
            place.above == above
                && match &place.role {
                    Role::Internet => false,
                    Role::Host(own) => *own == address,
                    Role::Nat(nat) => nat.shows(address),
                }
        });
        found.map(|(index, _)| Node(index))
    }
}
