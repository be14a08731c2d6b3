//! Seeds that a failed test shows.

use std::ops::Range;

/// The variable in the environment that replaces the seeds of a test by one.
const VARIABLE: &str = "MADANG_LAB_SEED";

/// The seeds to run a test with, or the one in the environment's `MADANG_LAB_SEED`. Each is
/// printed when its turn comes, so that the output of a failed test ends with its seed.
pub fn seeds(seeds: Range<u64>) -> impl Iterator<Item = u64> {
    let only = std::env::var(VARIABLE).ok().and_then(|text| text.parse().ok());
    let seeds = only.map_or(seeds, |only: u64| only..only + 1);
    seeds.inspect(|seed| println!("{VARIABLE}={seed}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_runs_with_its_seeds_or_the_one_asked_for() {
        match std::env::var(VARIABLE) {
            Ok(only) => assert_eq!(seeds(3..6).map(|seed| seed.to_string()).collect::<Vec<_>>(), [only]),
            Err(_) => assert_eq!(seeds(3..6).collect::<Vec<_>>(), [3, 4, 5]),
        }
    }
}
