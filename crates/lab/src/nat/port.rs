//! Which outer port a mapping gets.

use rand::{RngExt, rngs::StdRng};

use super::PortAllocation;

/// RFC 4787 §4.2.1, REQ-3 a: ports of services are left alone.
const FIRST: u16 = 1024;

/// A free port; `None` when all are taken.
pub(super) fn choose(how: PortAllocation, inner: u16, random: &mut StdRng, taken: impl Fn(u16) -> bool) -> Option<u16> {
    let start = match how {
        PortAllocation::Preserved => inner.max(FIRST),
        PortAllocation::Random => random.random_range(FIRST..=u16::MAX),
    };
    (start..=u16::MAX).chain(FIRST..start).find(|port| !taken(*port))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn the_inner_port_is_kept_where_it_is_free_and_is_followed_by_the_next_one() {
        let mut random = StdRng::seed_from_u64(1);
        let mut choose =
            |inner, taken: &[u16]| choose(PortAllocation::Preserved, inner, &mut random, |port| taken.contains(&port));
        assert_eq!(choose(5000, &[]), Some(5000));
        assert_eq!(choose(5000, &[5000, 5001]), Some(5002));
        assert_eq!(choose(65535, &[65535]), Some(1024));
        assert_eq!(choose(80, &[]), Some(1024));
    }

    #[test]
    fn random_ports_differ_and_there_is_an_end_to_them() {
        let mut random = StdRng::seed_from_u64(1);
        let mut choose = |full| choose(PortAllocation::Random, 5000, &mut random, |_| full);
        assert_ne!(choose(false), choose(false));
        assert_eq!(choose(true), None);
    }
}
