//! No index of a stream is sealed twice: with AES-GCM two packets under one nonce would give the
//! key stream away (RFC 7714 §8.4).

/// How far back a packet may come late.
const WINDOW: u64 = 1024;

/// Remembers which of the last indices were used.
#[derive(Debug, Default)]
pub(super) struct Once {
    /// Above all that were used.
    next: u64,
    bits: [u64; (WINDOW / 64) as usize],
}

impl Once {
    /// The lowest index above all that were used.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Uses an index; `false` where it was used before, or might have been.
    pub(super) fn take(&mut self, index: u64) -> bool {
        if self.next > index && self.next - index > WINDOW {
            return false;
        }
        if index >= self.next + WINDOW {
            self.bits.fill(0);
        } else {
            for skipped in self.next..=index {
                let (word, bit) = place(skipped);
                self.bits[word] &= !bit;
            }
        }
        self.next = self.next.max(index.saturating_add(1));
        let (word, bit) = place(index);
        let is_new = self.bits[word] & bit == 0;
        self.bits[word] |= bit;
        is_new
    }
}

fn place(index: u64) -> (usize, u64) {
    ((index % WINDOW / 64) as usize, 1 << (index % 64))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_index_is_given_twice_and_none_within_the_window_is_refused(
            steps in prop::collection::vec((-1500i64..1500, 1usize..4), 1..300),
        ) {
            let (mut once, mut used, mut at, mut highest) = (Once::default(), HashSet::new(), 0i64, 0);
            for (step, times) in steps {
                at = (at + step).max(0);
                for _ in 0..times {
                    let index = at as u64;
                    let is_known = used.contains(&index);
                    let taken = once.take(index);
                    prop_assert!(!(taken && is_known), "{index} twice");
                    prop_assert!(taken || is_known || index + WINDOW <= highest, "{index} refused");
                    if taken {
                        used.insert(index);
                        highest = highest.max(index + 1);
                    }
                }
            }
            prop_assert_eq!(once.next(), highest);
        }
    }
}
