//! A network address translator, as a pure function of packets and time (RFC 4787).
//!
//! It knows endpoints alone: who sends to whom. Packets, links and interfaces are around it:
//! [`crate::World`] puts it into a network in virtual time, [`crate::Router`] makes it translate
//! IPv4 packets.

mod behaviour;
mod port;
mod table;

use std::{
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};

pub use behaviour::{Dependence, NatConfig, NatKind, Pooling, PortAllocation};
use table::Table;

/// Where a packet from inside goes on, and with which addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the outside, from there to whom it was sent.
    Outside {
        /// The outer endpoint of the sender.
        from: SocketAddr,
    },
    /// Back in, by hairpinning (RFC 4787 §6).
    Inside {
        /// The outer endpoint of the sender (REQ-9 a).
        from: SocketAddr,
        /// The inner endpoint of the receiver.
        to: SocketAddr,
    },
}

/// A NAT for one protocol.
#[derive(Debug)]
pub struct Nat {
    config: NatConfig,
    random: StdRng,
    table: Table,
}

impl Nat {
    /// A NAT that has seen nothing. Its chance comes from `seed`.
    #[must_use]
    pub fn new(config: NatConfig, seed: u64) -> Self {
        Self { config, random: StdRng::seed_from_u64(seed), table: Table::default() }
    }

    /// What it is like.
    #[must_use]
    pub fn config(&self) -> &NatConfig {
        &self.config
    }

    /// Blocks everything, or lets it through again.
    pub fn block(&mut self, blocked: bool) {
        self.config.blocked = blocked;
    }

    /// Forgets every mapping, as after a power cut.
    pub fn reboot(&mut self) {
        self.table = Table::default();
    }

    /// Whether it answers for that address.
    #[must_use]
    pub fn shows(&self, address: IpAddr) -> bool {
        self.config.outer.contains(&address)
    }

    /// How many mappings live.
    pub fn mappings(&mut self, now: Instant) -> usize {
        self.table.expire(now, self.config.lifetime);
        self.table.len()
    }

    /// A packet from an inner endpoint; it may be meant for another one, by its outer endpoint.
    pub fn from_inside(&mut self, now: Instant, src: SocketAddr, dst: SocketAddr) -> Option<Way> {
        if !self.shows(dst.ip()) {
            return self.outbound(now, src, dst).map(|from| Way::Outside { from });
        }
        if !self.config.hairpinning {
            return None;
        }
        let from = self.outbound(now, src, dst)?;
        self.inbound(now, from, dst).map(|to| Way::Inside { from, to })
    }

    /// The outer endpoint that a packet from `src` to `dst` gets; a new one where none is mapped.
    /// `None`: it is dropped.
    pub fn outbound(&mut self, now: Instant, src: SocketAddr, dst: SocketAddr) -> Option<SocketAddr> {
        if self.config.blocked {
            return None;
        }
        self.table.expire(now, self.config.lifetime);
        // RFC 4787 §4.1: which remote endpoints share a mapping.
        let mapped_for = (src, self.config.mapping.part(dst));
        let outer = match self.table.outer(&mapped_for) {
            Some(outer) => outer,
            None => {
                let outer = self.allocate(src)?;
                self.table.map(now, mapped_for, outer);
                outer
            }
        };
        // RFC 4787 §4.3, REQ-6: what goes out refreshes.
        self.table.use_mapping(now, outer);
        self.table.let_in(now, (src, self.config.filtering.part(dst)));
        Some(outer)
    }

    /// The inner endpoint that a packet from `src` to the outer endpoint `dst` is for. `None`: it
    /// is dropped, because nothing is mapped there or the filter refuses it.
    pub fn inbound(&mut self, now: Instant, src: SocketAddr, dst: SocketAddr) -> Option<SocketAddr> {
        if self.config.blocked {
            return None;
        }
        self.table.expire(now, self.config.lifetime);
        let inner = self.table.inner(dst)?;
        // RFC 4787 §5 asks whether the inner endpoint has sent there, by whichever mapping.
        let filter = (inner, self.config.filtering.part(src));
        if !self.table.lets_in(&filter) {
            return None;
        }
        if self.config.inbound_refresh {
            self.table.use_mapping(now, dst);
            self.table.let_in(now, filter);
        }
        Some(inner)
    }

    /// The inner endpoint behind an outer one, without a look at the filter: for reports about
    /// packets that went out (RFC 5508 §4.2).
    #[must_use]
    pub fn behind(&self, outer: SocketAddr) -> Option<SocketAddr> {
        if self.config.blocked { None } else { self.table.inner(outer) }
    }

    /// The outer endpoint that packets from `src` to `dst` have, where one is mapped.
    #[must_use]
    pub fn outer(&self, src: SocketAddr, dst: SocketAddr) -> Option<SocketAddr> {
        if self.config.blocked { None } else { self.table.outer(&(src, self.config.mapping.part(dst))) }
    }

    fn allocate(&mut self, inner: SocketAddr) -> Option<SocketAddr> {
        let pool = &self.config.outer;
        let paired = match self.config.pooling {
            Pooling::Paired => self.table.address_of(inner.ip()),
            Pooling::Arbitrary => None,
        };
        let address = match paired {
            Some(address) => address,
            None if pool.is_empty() => return None,
            None => pool[self.random.random_range(0..pool.len())],
        };
        let taken = |port| self.table.inner(SocketAddr::new(address, port)).is_some();
        let port = port::choose(self.config.ports, inner.port(), &mut self.random, taken)?;
        Some(SocketAddr::new(address, port))
    }
}

#[cfg(test)]
mod tests;
