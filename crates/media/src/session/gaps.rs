//! Packets of a stream that are lost for good.

/// How far back str0m asks for what is missing (RFC 4585 §6.2.1).
const WINDOW: u64 = 100;

/// Follows one stream by its extended sequence numbers.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    newest: Option<u64>,
    /// Which of the last packets have come; bit 0 is the newest.
    came: u128,
}

impl Gaps {
    /// A packet came. Returns whether one before it is given up.
    pub(super) fn packet(&mut self, seq: u64) -> bool {
        let Some(newest) = self.newest else {
            (self.newest, self.came) = (Some(seq), u128::MAX);
            return false;
        };
        if seq <= newest {
            if let Some(bit) = u32::try_from(newest - seq).ok().and_then(|back| 1u128.checked_shl(back)) {
                self.came |= bit;
            }
            return false;
        }
        let ahead = seq - newest;
        self.newest = Some(seq);
        // What leaves the window by this step: the oldest `ahead` of its bits.
        let stays = WINDOW.saturating_sub(ahead);
        let leaving = (1u128 << WINDOW) - (1u128 << stays);
        let lost = ahead > WINDOW || self.came & leaving != leaving;
        self.came = match u32::try_from(ahead).ok().filter(|_| ahead <= WINDOW) {
            Some(ahead) => self.came << ahead | 1,
            // All that was skipped is given up here, once.
            None => u128::MAX,
        };
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The packets at which something is given up.
    fn given_up(packets: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let mut gaps = Gaps::default();
        packets.into_iter().filter(|seq| gaps.packet(*seq)).collect()
    }

    #[test]
    fn a_packet_that_never_comes_is_given_up_once_when_it_leaves_the_window() {
        assert_eq!(given_up((1000..2000).filter(|seq| *seq != 1234)), [1234 + WINDOW]);
        assert!(given_up(1000..2000).is_empty());
    }

    #[test]
    fn a_packet_that_comes_late_is_not_given_up() {
        let late = (1000..1330).filter(|seq| *seq != 1234).chain([1234]).chain(1330..2000);
        assert!(given_up(late).is_empty(), "it came in time");
        let too_late = (1000..1340).filter(|seq| *seq != 1234).chain([1234]).chain(1340..2000);
        assert_eq!(given_up(too_late), [1234 + WINDOW]);
    }

    #[test]
    fn a_jump_over_the_whole_window_gives_up_what_was_skipped() {
        assert_eq!(given_up((0..50).chain(400..500)), [400]);
    }
}
