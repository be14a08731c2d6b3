//! Which of a track's layers there are: those that its publisher sends at present.

use std::time::{Duration, Instant};

use crate::session::LayerId;

/// Layers of one track: cameras have three at most.
pub const MAX_LAYERS: usize = 4;

/// A layer without a packet for this long is not sent any more.
const SILENT_AFTER: Duration = Duration::from_millis(500);

/// Some of a track's layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LayerSet(u8);

impl LayerSet {
    /// None of them.
    pub const NONE: Self = Self(0);

    /// The `count` smallest.
    #[must_use]
    pub fn lowest(count: usize) -> Self {
        (0..count.min(MAX_LAYERS)).filter_map(|layer| u8::try_from(layer).ok()).map(LayerId).collect()
    }

    /// Adds a layer; one that can't be is left out.
    pub fn insert(&mut self, layer: LayerId) {
        if usize::from(layer.0) < MAX_LAYERS {
            self.0 |= 1 << layer.0;
        }
    }

    /// Whether it is one of them.
    #[must_use]
    pub fn contains(self, layer: LayerId) -> bool {
        usize::from(layer.0) < MAX_LAYERS && self.0 >> layer.0 & 1 == 1
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// From the smallest.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = LayerId> {
        (0..8).map(LayerId).filter(move |layer| self.contains(*layer))
    }

    /// The largest up to `layer`, or else the smallest above it.
    #[must_use]
    pub fn closest(self, layer: LayerId) -> Option<LayerId> {
        self.iter().rev().find(|own| *own <= layer).or_else(|| self.iter().next())
    }
}

impl FromIterator<LayerId> for LayerSet {
    fn from_iter<T: IntoIterator<Item = LayerId>>(layers: T) -> Self {
        let mut set = Self::NONE;
        layers.into_iter().for_each(|layer| set.insert(layer));
        set
    }
}

/// When each layer's newest packet came. One for each track, shared by its subscriptions.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    newest: [Option<Instant>; MAX_LAYERS],
}

impl Activity {
    /// A packet came.
    pub fn packet(&mut self, now: Instant, layer: LayerId) {
        if let Some(newest) = self.newest.get_mut(usize::from(layer.0)) {
            *newest = Some(now);
        }
    }

    /// The layers that are sent at present.
    #[must_use]
    pub fn live(&self, now: Instant) -> LayerSet {
        let is_live =
            |newest: &Option<Instant>| newest.is_some_and(|at| now.saturating_duration_since(at) < SILENT_AFTER);
        (0..).map(LayerId).zip(&self.newest).filter(|(_, newest)| is_live(newest)).map(|(layer, _)| layer).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_layer_is_the_largest_that_is_not_above_or_else_the_smallest() {
        let set: LayerSet = [LayerId(1), LayerId(3)].into_iter().collect();
        let closest = [0, 1, 2, 3].map(|layer| set.closest(LayerId(layer)).map(|layer| layer.0));
        assert_eq!(closest, [Some(1), Some(1), Some(1), Some(3)]);
        assert_eq!(LayerSet::NONE.closest(LayerId(0)), None);
    }

    #[test]
    fn a_layer_that_can_not_be_is_in_no_set() {
        let set: LayerSet = [LayerId(4), LayerId(200)].into_iter().collect();
        assert!(set.is_empty() && !set.contains(LayerId(200)));
        assert_eq!(LayerSet::lowest(9).iter().count(), MAX_LAYERS);
    }

    #[test]
    fn a_layer_is_live_for_half_a_second_after_its_packet() {
        let (mut activity, start) = (Activity::default(), Instant::now());
        activity.packet(start, LayerId(0));
        activity.packet(start + Duration::from_millis(300), LayerId(2));
        activity.packet(start, LayerId(77));
        assert_eq!(activity.live(start + Duration::from_millis(499)).iter().count(), 2);
        assert!(!activity.live(start + Duration::from_millis(500)).contains(LayerId(0)));
        assert!(activity.live(start + Duration::from_millis(799)).contains(LayerId(2)));
    }
}
