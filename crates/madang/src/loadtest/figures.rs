//! Delays in numbers.

/// Delays in microseconds.
#[derive(Default)]
pub(crate) struct Delays(Vec<u32>);

impl Delays {
    pub(crate) fn add(&mut self, microseconds: u32) {
        self.0.push(microseconds);
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The delays that the given shares of all stay within, in milliseconds.
    pub(crate) fn quantiles<const N: usize>(mut self, shares: [f64; N]) -> [f64; N] {
        self.0.sort_unstable();
        let last = self.0.len().saturating_sub(1);
        shares.map(|share| {
            let at = (share * last as f64).round() as usize;
            self.0.get(at).map_or(f64::NAN, |delay| f64::from(*delay) / 1000.0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_all_delays() {
        let mut delays = Delays::default();
        for delay in (1..=50).rev() {
            delays.add(delay * 1000);
        }
        let mut other = Delays::default();
        (51..=101).for_each(|delay| other.add(delay * 1000));
        delays.merge(other);
        assert_eq!(delays.count(), 101);
        assert_eq!(delays.quantiles([0.0, 0.5, 0.99, 1.0]), [1.0, 51.0, 100.0, 101.0]);
        assert!(Delays::default().quantiles([0.5])[0].is_nan());
    }
}
