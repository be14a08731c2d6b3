//! Addresses joined by links.

use std::{collections::BTreeMap, time::Instant};

use crate::{Fate, Link, LinkConfig};

/// A packet that arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery<A, T> {
    /// Who sent it.
    pub from: A,
    /// Who gets it.
    pub to: A,
    /// What it carries.
    pub packet: T,
}

/// Links between addresses of kind `A` that carry packets of kind `T`. What is sent where no link
/// leads is lost, as in a network.
#[derive(Debug)]
pub struct Network<A, T> {
    seed: u64,
    links: BTreeMap<(A, A), Link<T>>,
}

impl<A: Copy + Ord, T: Clone> Network<A, T> {
    /// A network without links, whose chance comes from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, links: BTreeMap::new() }
    }

    /// Joins two addresses, with a link in each direction; or changes the links that there are,
    /// which keep what they carry.
    pub fn join(&mut self, one: A, other: A, there: LinkConfig, back: LinkConfig) {
        for (direction, config) in [((one, other), there), ((other, one), back)] {
            match self.links.get_mut(&direction) {
                Some(link) => link.configure(config),
                None => {
                    // Golden-ratio steps: seeds of neighbours have nothing in common.
                    self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
                    self.links.insert(direction, Link::new(config, self.seed));
                }
            }
        }
    }

    /// Cuts an address off: its links and what they carry are gone.
    pub fn cut(&mut self, address: A) {
        self.links.retain(|(from, to), _| *from != address && *to != address);
    }

    /// The link from one address to another.
    #[must_use]
    pub fn link(&self, from: A, to: A) -> Option<&Link<T>> {
        self.links.get(&(from, to))
    }

    /// The same, to change it.
    pub fn link_mut(&mut self, from: A, to: A) -> Option<&mut Link<T>> {
        self.links.get_mut(&(from, to))
    }

    /// Sends a packet of this many bytes, headers included.
    pub fn send(&mut self, now: Instant, from: A, to: A, bytes: usize, packet: T) -> Fate {
        self.links.get_mut(&(from, to)).map_or(Fate::Lost, |link| link.send(now, bytes, packet))
    }

    /// The packet that has arrived first. Call it until it returns `None`.
    pub fn poll(&mut self, now: Instant) -> Option<Delivery<A, T>> {
        let due = |link: &Link<T>| link.timeout().filter(|at| *at <= now);
        let first = self.links.iter_mut().filter_map(|(ends, link)| Some((due(link)?, ends, link)));
        let (_, (from, to), link) = first.min_by_key(|(at, ..)| *at)?;
        Some(Delivery { from: *from, to: *to, packet: link.poll(now)? })
    }

    /// When the next packet arrives.
    #[must_use]
    pub fn timeout(&self) -> Option<Instant> {
        self.links.values().filter_map(Link::timeout).min()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SLOW: LinkConfig = LinkConfig {
        rate: None,
        queue: Duration::ZERO,
        delay: Duration::from_millis(50),
        jitter: Duration::ZERO,
        loss: crate::Loss::Nothing,
        reordered: 0.0,
        duplicated: 0.0,
    };

    #[test]
    fn packets_arrive_by_time_whichever_link_they_take() {
        let (mut network, start) = (Network::new(1), Instant::now());
        network.join('a', 'b', SLOW, LinkConfig::default());
        network.join('c', 'b', LinkConfig::default(), LinkConfig::default());
        network.send(start, 'a', 'b', 10, "first");
        network.send(start + Duration::from_millis(10), 'c', 'b', 10, "second");
        assert_eq!(network.timeout(), Some(start + Duration::from_millis(10)));
        let end = start + Duration::from_secs(1);
        let arrived: Vec<_> = std::iter::from_fn(|| network.poll(end)).collect();
        let expected = [('c', "second"), ('a', "first")].map(|(from, packet)| Delivery { from, to: 'b', packet });
        assert_eq!(arrived, expected);
        assert_eq!(network.timeout(), None);
    }

    #[test]
    fn a_link_that_changes_keeps_what_it_carries_and_one_that_is_cut_loses_it() {
        let (mut network, start) = (Network::new(1), Instant::now());
        network.join(1, 2, SLOW, SLOW);
        network.send(start, 1, 2, 10, ());
        network.join(1, 2, LinkConfig::default(), LinkConfig::default());
        assert_eq!(network.timeout(), Some(start + Duration::from_millis(50)));
        network.cut(2);
        assert_eq!(network.timeout(), None);
        assert_eq!(network.send(start, 1, 2, 10, ()), Fate::Lost);
    }

    #[test]
    fn each_link_has_chances_of_its_own() {
        let (mut network, start) = (Network::new(1), Instant::now());
        let lossy = LinkConfig { loss: crate::Loss::Random(0.5), ..LinkConfig::default() };
        network.join(1, 2, lossy, lossy);
        let mut fates =
            |from, to| (0..64).map(|_| network.send(start, from, to, 1, ()) == Fate::Lost).collect::<Vec<_>>();
        assert_ne!(fates(1, 2), fates(2, 1));
    }
}
