//! Whether a server is at the end what it was after the warm-up.

use std::time::Duration;

use serde::Serialize;

use super::reading::Reading;

/// Memory may grow by this share, or by this many bytes, whichever is more.
///
/// Resident memory is not what the program holds: the allocator (glibc's) keeps freed pages, in an
/// arena of its own for each thread, and how many it keeps hangs on the fullest moment and on
/// where the last survivors lie. As many people are inside in the warm-up as later; but sessions
/// that wait for their end come on top, by chance, and each of those takes up to a mebibyte.
const SHARE: u64 = 10;
const LEAST: u64 = 8 << 20;

/// Memory is judged only after a warm-up of this length: before, the allocator has not yet seen
/// the fullest moment, and what it takes for that is no growth.
const WARM: Duration = Duration::from_secs(15);

/// What did not work for somebody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Failures {
    /// Not let in, or not in time.
    pub(super) joins: u64,
    /// Links that failed, or did not connect in time.
    pub(super) links: u64,
    /// Lost connections whose session was not taken up again.
    pub(super) resumes: u64,
    /// Relays that were not given, or were lost.
    pub(super) relays: u64,
    /// Sessions that the server ended.
    pub(super) thrown_out: u64,
    /// People who saw and heard nothing although somebody else was sending.
    pub(super) starved: u64,
}

/// What may be said against the server, each a sentence; nothing if all is well. `before` was read
/// after the warm-up.
pub(super) fn judge(before: &Reading, after: &Reading, warm_up: Duration, failures: &Failures) -> Vec<String> {
    let mut against = Vec::new();
    let mebi = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let most = before.memory + allowance(before.memory);
    if is_memory_judged(warm_up) && after.memory > most {
        against.push(format!(
            "memory grew from {:.1} to {:.1} MiB, and {:.1} MiB would be all right",
            mebi(before.memory),
            mebi(after.memory),
            mebi(most)
        ));
    }
    if after.descriptors > before.descriptors {
        let (before, after) = (before.descriptors, after.descriptors);
        against.push(format!("open file descriptors grew from {before} to {after}"));
    }
    for (when, reading) in [("after the warm-up", before), ("at the end", after)] {
        for (what, count) in reading.held.all() {
            if count > 0 {
                against.push(format!("{when}, with nobody inside, the server still holds {what}: {count}"));
            }
        }
    }
    for (what, count) in failures.all() {
        if count > 0 {
            against.push(format!("{what}: {count}"));
        }
    }
    against
}

/// Whether memory counts after a warm-up of that length.
pub(super) fn is_memory_judged(warm_up: Duration) -> bool {
    warm_up >= WARM
}

/// By how much memory may grow, in bytes.
pub(super) fn allowance(memory: u64) -> u64 {
    (memory / SHARE).max(LEAST)
}

impl Failures {
    /// Each with its name.
    pub(super) fn all(&self) -> [(&'static str, u64); 6] {
        [
            ("failed joins", self.joins),
            ("failed links", self.links),
            ("failed resumes", self.resumes),
            ("failed relays", self.relays),
            ("people thrown out", self.thrown_out),
            ("people to whom no media came", self.starved),
        ]
    }

    pub(super) fn sum(&self) -> u64 {
        self.all().iter().map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::reading::Held, *};

    const MIB: u64 = 1 << 20;

    fn empty(memory: u64) -> Reading {
        Reading { memory, descriptors: 20, held: Held::default() }
    }

    fn against(after: Reading) -> Vec<String> {
        judge(&empty(40 * MIB), &after, WARM, &Failures::default())
    }

    #[test]
    fn a_server_that_is_what_it_was_or_less_has_nothing_against_it() {
        assert_eq!(against(empty(40 * MIB)), [""; 0]);
        assert_eq!(against(Reading { descriptors: 18, ..empty(30 * MIB) }), [""; 0]);
    }

    #[test]
    fn memory_may_grow_by_eight_mebibytes_and_a_large_one_by_a_tenth() {
        assert_eq!(against(empty(48 * MIB)), [""; 0]);
        assert!(against(empty(48 * MIB + 1))[0].contains("from 40.0 to 48.0 MiB"));
        let large = |after| judge(&empty(200 * MIB), &empty(after), WARM, &Failures::default()).len();
        assert_eq!((large(220 * MIB), large(221 * MIB)), (0, 1));
    }

    #[test]
    fn memory_is_not_judged_after_a_warm_up_that_saw_little() {
        let after = |warm_up| judge(&empty(0), &empty(100 * MIB), warm_up, &Failures::default()).len();
        assert_eq!((after(WARM), after(WARM / 2)), (1, 0));
    }

    #[test]
    fn one_descriptor_more_is_too_many() {
        assert_eq!(against(Reading { descriptors: 21, ..empty(0) }), ["open file descriptors grew from 20 to 21"]);
    }

    #[test]
    fn whatever_is_held_for_nobody_is_named_with_its_time() {
        let held = Held { rooms: 1, media_links: 2, ..Held::default() };
        let after = against(Reading { held, ..empty(0) });
        assert_eq!(after.len(), 2);
        assert!(after[0].contains("at the end") && after[0].contains("rooms: 1"), "{after:?}");
        let before = judge(&Reading { held, ..empty(0) }, &empty(0), WARM, &Failures::default());
        assert!(before[0].contains("after the warm-up"), "{before:?}");
    }

    #[test]
    fn every_kind_of_failure_counts() {
        let all = Failures { joins: 1, links: 2, resumes: 3, relays: 4, thrown_out: 5, starved: 6 };
        assert_eq!(judge(&empty(0), &empty(0), WARM, &all).len(), 6);
        assert_eq!(all.sum(), 21);
    }
}
