//! How much may be sent again: a share of what is sent, so that a path that loses packets because
//! it is too full is not filled with their repetitions.

/// For each byte that is sent, three in seven may be sent again: three tenths of all.
const SHARE: (u64, u64) = (3, 7);
/// What may be sent again before much was sent, in bytes.
const BEGIN: u64 = 20_000;
/// No more is saved up than what the path carries in a third of a second, and the begin.
const SAVED: u64 = 3 * 8;

/// Bytes that may be sent again.
#[derive(Debug)]
pub(super) struct Budget(u64);

impl Default for Budget {
    fn default() -> Self {
        Self(BEGIN)
    }
}

impl Budget {
    /// So many bytes were sent over a path of so many bits per second.
    pub(super) fn sent(&mut self, bytes: usize, estimate: u64) {
        let (share, of) = SHARE;
        self.0 = (self.0 + bytes as u64 * share / of).min(BEGIN + estimate / SAVED);
    }

    /// Whether so many bytes may be sent again.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let left = self.0.checked_sub(bytes as u64);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_three_tenths_of_all_is_sent_again() {
        let mut budget = Budget::default();
        let (mut media, mut again) = (0, 0);
        for _ in 0..10_000 {
            media += 1000;
            budget.sent(1000, 2_000_000);
            if budget.take(1000) {
                again += 1000;
            }
        }
        let share = f64::from(again) / f64::from(again + media);
        assert!((0.29..0.31).contains(&share), "{share}");
    }

    #[test]
    fn little_is_saved_up() {
        let mut budget = Budget::default();
        for _ in 0..10_000 {
            budget.sent(1000, 240_000);
        }
        let again = (0..).take_while(|_| budget.take(1000)).count();
        assert_eq!(again as u64, (BEGIN + 10_000) / 1000);
    }
}
