//! Which packets a link loses.

use rand::{RngExt, rngs::StdRng};

/// How a link loses packets. Shares are from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Loss {
    /// None.
    #[default]
    Nothing,
    /// Each with the same chance.
    Random(f64),
    /// In bursts: the model of Gilbert and Elliott with two states, of which one loses all.
    Bursts {
        /// The share lost in the long run.
        share: f64,
        /// How many packets a burst takes on average, 1 or more.
        length: f64,
    },
}

impl Loss {
    /// Whether the next packet is lost. `in_burst` is the state.
    pub(crate) fn takes(self, random: &mut StdRng, in_burst: &mut bool) -> bool {
        match self {
            Self::Nothing => false,
            Self::Random(share) => random.random_bool(share.clamp(0.0, 1.0)),
            Self::Bursts { share, length } => {
                let leave = 1.0 / length.max(1.0);
                let share = share.clamp(0.0, 1.0);
                // In balance, as many enter as leave.
                let enter = if share < 1.0 { (leave * share / (1.0 - share)).min(1.0) } else { 1.0 };
                let change = if *in_burst { if share < 1.0 { leave } else { 0.0 } } else { enter };
                *in_burst ^= random.random_bool(change);
                *in_burst
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    /// The share lost of many packets, and how long a run of lost ones was on average.
    fn measure(loss: Loss) -> (f64, f64) {
        let (mut random, mut in_burst) = (StdRng::seed_from_u64(1), false);
        let lost: Vec<bool> = (0..200_000).map(|_| loss.takes(&mut random, &mut in_burst)).collect();
        let count = lost.iter().filter(|lost| **lost).count();
        let runs = lost.chunk_by(|a, b| a == b).filter(|run| run[0]).count();
        (count as f64 / lost.len() as f64, count as f64 / runs.max(1) as f64)
    }

    #[test]
    fn random_loss_takes_its_share_one_by_one() {
        let (share, length) = measure(Loss::Random(0.05));
        assert!((share - 0.05).abs() < 0.003, "{share}");
        assert!(length < 1.1, "{length}");
    }

    #[test]
    fn bursts_take_their_share_in_runs_of_their_length() {
        let (share, length) = measure(Loss::Bursts { share: 0.05, length: 8.0 });
        assert!((share - 0.05).abs() < 0.01, "{share}");
        assert!((length - 8.0).abs() < 0.8, "{length}");
    }

    #[test]
    fn nothing_and_everything_can_be_lost() {
        assert_eq!(measure(Loss::Nothing).0, 0.0);
        assert_eq!(measure(Loss::Random(1.0)).0, 1.0);
        assert_eq!(measure(Loss::Bursts { share: 1.0, length: 3.0 }).0, 1.0);
    }
}
