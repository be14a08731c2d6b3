//! Finds the place of a destination within a batch: a small hash table that is emptied by
//! counting a round up.

use std::{
    hash::{BuildHasher, RandomState},
    net::SocketAddr,
};

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// In which round it was filled; older ones are empty.
    round: u32,
    place: u32,
}

#[derive(Debug)]
pub(crate) struct Index {
    /// A power of two, at least twice as many as there can be destinations.
    slots: Box<[Slot]>,
    round: u32,
    /// Clients choose their addresses: without it they could choose them to collide.
    seed: u64,
}

impl Index {
    pub(crate) fn new(destinations: usize) -> Self {
        let slots = (destinations.max(1) * 2).next_power_of_two();
        let seed = RandomState::new().hash_one(0_u8) | 1;
        Self { slots: vec![Slot::default(); slots].into_boxed_slice(), round: 1, seed }
    }

    /// Empties it.
    pub(crate) fn clear(&mut self) {
        self.round = self.round.checked_add(1).unwrap_or_else(|| {
            self.slots.fill(Slot::default());
            1
        });
    }

    /// The place kept for a socket's number and a destination, or `new` after keeping that. `is` says
    /// whether a place is theirs.
    pub(crate) fn place(&mut self, (socket, to): (u32, SocketAddr), new: u32, is: impl Fn(u32) -> bool) -> u32 {
        let mask = self.slots.len() - 1;
        let mut at = self.hash(socket, to) as usize & mask;
        loop {
            let slot = &mut self.slots[at];
            if slot.round != self.round {
                *slot = Slot { round: self.round, place: new };
                return new;
            }
            if is(slot.place) {
                return slot.place;
            }
            at = (at + 1) & mask;
        }
    }

    fn hash(&self, socket: u32, to: SocketAddr) -> u64 {
        let fold = |a: u64, b: u64| {
            let product = u128::from(a ^ self.seed) * u128::from(b ^ 0x9e37_79b9_7f4a_7c15);
            product as u64 ^ (product >> 64) as u64
        };
        match to {
            SocketAddr::V4(v4) => {
                let bits = u64::from(v4.ip().to_bits()) << 16 | u64::from(v4.port());
                fold(bits, self.seed.rotate_left(32) ^ u64::from(socket))
            }
            SocketAddr::V6(v6) => {
                let bits = v6.ip().to_bits();
                let rest = u64::from(v6.scope_id() ^ socket) << 16 | u64::from(v6.port());
                fold(fold(bits as u64, (bits >> 64) as u64), rest)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(index: u32) -> SocketAddr {
        let text = if index.is_multiple_of(2) { "10.0.0.1:0" } else { "[2001:db8::1]:0" };
        let mut address: SocketAddr = text.parse().expect("an address");
        address.set_port((index / 2) as u16);
        address
    }

    #[test]
    fn every_destination_keeps_its_place_until_the_index_is_cleared() {
        let mut index = Index::new(200);
        for round in 0..3 {
            let base = round * 1000;
            for each in 0..200 {
                let is = |place: u32| address(place - base) == address(each);
                assert_eq!(index.place((0, address(each)), base + each, is), base + each);
            }
            for each in (0..200).rev() {
                let is = |place: u32| address(place - base) == address(each);
                assert_eq!(index.place((0, address(each)), u32::MAX, is), base + each);
            }
            index.clear();
        }
    }

    #[test]
    fn nothing_of_an_earlier_round_comes_back_when_rounds_begin_anew() {
        let mut index = Index::new(1);
        index.place((0, address(0)), 7, |_| false);
        index.round = u32::MAX;
        index.clear();
        assert_eq!(index.place((0, address(0)), 8, |_| true), 8);
    }
}
