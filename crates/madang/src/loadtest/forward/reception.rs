//! What a client received of one stream: which packets, and which are missing.

/// Of one stream at one client; only measured packets count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reception {
    /// A bit for each packet from `first` on, in words of 64.
    seen: Vec<u64>,
    first: u32,
    pub(crate) packets: u32,
    last: u32,
}

impl Reception {
    /// Counts a packet; `false` when it has come before.
    pub(crate) fn count(&mut self, index: u32) -> bool {
        if self.packets == 0 {
            // Room in front for what was overtaken by it.
            self.first = index.saturating_sub(1024);
            self.last = index;
        }
        let Some(offset) = index.checked_sub(self.first) else { return false };
        let (word, bit) = ((offset / 64) as usize, 1_u64 << (offset % 64));
        if self.seen.len() <= word {
            self.seen.resize(word + 1, 0);
        }
        if self.seen[word] & bit != 0 {
            return false;
        }
        self.seen[word] |= bit;
        self.packets += 1;
        self.last = self.last.max(index);
        true
    }

    /// Packets between the first and the last received, with both; where a layer of several was
    /// received for a while, no more was to be expected of it.
    pub(crate) fn span(&self) -> u32 {
        let first = self.seen.iter().enumerate().find(|(_, word)| **word != 0);
        let first = first.map(|(index, word)| self.first + index as u32 * 64 + word.trailing_zeros());
        first.map_or(0, |first| self.last - first + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_count_once_in_any_order() {
        let mut reception = Reception::default();
        for index in [5000, 5002, 4990, 5002, 5000, 5200] {
            reception.count(index);
        }
        assert_eq!((reception.packets, reception.span()), (4, 211));
        assert!(!reception.count(0), "too old to be told apart");
        assert!(!reception.count(5200));
        assert!(reception.count(5199));
    }

    #[test]
    fn nothing_received_spans_nothing() {
        assert_eq!(Reception::default().span(), 0);
        let mut one = Reception::default();
        one.count(0);
        assert_eq!((one.packets, one.span()), (1, 1));
    }
}
