//! Which layers of a track somebody needs: its publisher is told to stop the others.
//!
//! A layer that is needed is asked for at once, and released only when nobody has needed it for
//! some seconds, for an encoder takes time to begin again.

use std::time::{Duration, Instant};

use madang_protocol::{MediaEvent, Rid, TrackId};

use super::layers::{LayerSet, MAX_LAYERS};
use crate::session::LayerId;

/// How long nobody must have needed a layer, or a height, before it is released.
const RELEASE_AFTER: Duration = Duration::from_secs(5);

/// What all subscriptions of a track need together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// The layers that somebody gets or is to get.
    pub layers: LayerSet,
    /// The largest height on anybody's screen, in pixels; `None` where somebody has not said.
    pub max_height: Option<u32>,
}

impl Need {
    /// Adds a subscription that watches the track: what it gets at present, what it is to get,
    /// and how high it is on screen.
    pub fn add(&mut self, current: Option<LayerId>, target: Option<LayerId>, height: Option<u32>) {
        let first = self.layers.is_empty();
        current.into_iter().chain(target).for_each(|layer| self.layers.insert(layer));
        if !self.layers.is_empty() {
            self.max_height = if first { height } else { self.max_height.zip(height).map(|(a, b)| a.max(b)) };
        }
    }
}

/// Follows the need of one track.
#[derive(Debug)]
pub struct Demand {
    /// When each layer was needed last.
    needed: [Instant; MAX_LAYERS],
    told: Need,
    /// Since when a smaller height than the one told would do.
    smaller_since: Option<Instant>,
}

impl Demand {
    /// A new track: its publisher begins with all of its layers.
    #[must_use]
    pub fn new(now: Instant, layers: usize) -> Self {
        let told = Need { layers: LayerSet::lowest(layers), max_height: None };
        Self { needed: [now; MAX_LAYERS], told, smaller_since: None }
    }

    /// What the publisher was told last.
    #[must_use]
    pub fn told(&self) -> Need {
        self.told
    }

    /// Takes the present need. Returns what to tell the publisher, if it has changed.
    pub fn update(&mut self, now: Instant, need: Need) -> Option<Need> {
        let mut layers = need.layers;
        for (layer, needed) in (0..).map(LayerId).zip(&mut self.needed) {
            if need.layers.contains(layer) {
                *needed = now;
            } else if self.told.layers.contains(layer) && now.saturating_duration_since(*needed) < RELEASE_AFTER {
                layers.insert(layer);
            }
        }
        let max_height = self.height(now, need);
        let told = Need { layers, max_height };
        let changed = told != self.told;
        self.told = told;
        changed.then_some(told)
    }

    fn height(&mut self, now: Instant, need: Need) -> Option<u32> {
        let told = self.told.max_height;
        let smaller = match (need.max_height, told) {
            (Some(needed), Some(told)) => needed < told,
            (Some(_), None) => true,
            (None, _) => need.layers.is_empty(),
        };
        if !smaller {
            self.smaller_since = None;
            return need.max_height;
        }
        let since = *self.smaller_since.get_or_insert(now);
        if now.saturating_duration_since(since) < RELEASE_AFTER {
            return told;
        }
        self.smaller_since = None;
        need.max_height
    }

    /// When [`Self::update`] is due though the need may not have changed.
    #[must_use]
    pub fn timeout(&self, need: Need) -> Option<Instant> {
        let layers = (0..).map(LayerId).zip(&self.needed);
        let unneeded = layers.filter(|(layer, _)| self.told.layers.contains(*layer) && !need.layers.contains(*layer));
        unneeded.map(|(_, needed)| *needed).chain(self.smaller_since).map(|since| since + RELEASE_AFTER).min()
    }
}

/// What a room is told. `rids` are those of the track, from the smallest layer; a track without
/// simulcast has none, and is needed as a whole or not at all.
#[must_use]
pub fn event(track: TrackId, told: Need, rids: &[Rid]) -> MediaEvent {
    let named: Vec<Rid> = (0..)
        .map(LayerId)
        .zip(rids)
        .filter(|(layer, _)| told.layers.contains(*layer))
        .map(|(_, rid)| rid.clone())
        .collect();
    let all = named.len() == rids.len() && !told.layers.is_empty();
    MediaEvent::Demand { track, layers: (!all).then_some(named), max_height: told.max_height }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn need(layers: &[u8], max_height: Option<u32>) -> Need {
        Need { layers: layers.iter().map(|layer| LayerId(*layer)).collect(), max_height }
    }

    #[test]
    fn a_layer_is_released_when_nobody_has_needed_it_for_five_seconds() {
        let start = Instant::now();
        let mut demand = Demand::new(start, 3);
        assert_eq!(demand.update(start + s(4), need(&[0], None)), None);
        assert_eq!(demand.timeout(need(&[0], None)), Some(start + s(5)));
        assert_eq!(demand.update(start + s(5), need(&[0], None)), Some(need(&[0], None)));
        assert_eq!(demand.timeout(need(&[0], None)), None);
    }

    #[test]
    fn a_layer_is_asked_for_at_once() {
        let start = Instant::now();
        let mut demand = Demand::new(start, 3);
        demand.update(start + s(9), need(&[0], None));
        assert_eq!(demand.update(start + s(9), need(&[0, 2], None)), Some(need(&[0, 2], None)));
        assert_eq!(demand.update(start + s(10), need(&[0], None)), None);
        assert_eq!(demand.update(start + s(13), need(&[2], None)), None, "needed again, nobody noticed");
        assert_eq!(demand.update(start + s(15), need(&[2], None)), Some(need(&[2], None)));
    }

    #[test]
    fn what_nobody_watches_is_released_whole() {
        let start = Instant::now();
        let mut demand = Demand::new(start, 2);
        assert_eq!(demand.update(start + s(5), Need::default()), Some(Need::default()));
    }

    #[test]
    fn a_height_grows_at_once_and_shrinks_after_five_seconds() {
        let start = Instant::now();
        let mut demand = Demand::new(start, 1);
        assert_eq!(demand.update(start, need(&[0], Some(180))), None, "it began without a limit");
        assert_eq!(demand.timeout(need(&[0], Some(180))), Some(start + s(5)));
        assert_eq!(demand.update(start + s(5), need(&[0], Some(180))), Some(need(&[0], Some(180))));
        assert_eq!(demand.update(start + s(6), need(&[0], Some(720))), Some(need(&[0], Some(720))));
        assert_eq!(demand.update(start + s(7), need(&[0], Some(360))), None);
        assert_eq!(demand.update(start + s(11), need(&[0], Some(720))), None);
        assert_eq!(demand.update(start + s(13), need(&[0], Some(360))), None, "the five seconds begin anew");
        assert_eq!(demand.update(start + s(14), need(&[0], None)), Some(need(&[0], None)));
    }

    #[test]
    fn the_need_of_a_track_is_that_of_all_who_watch_it() {
        let mut all = Need::default();
        all.add(None, None, Some(2000));
        all.add(Some(LayerId(2)), Some(LayerId(0)), Some(180));
        all.add(None, Some(LayerId(0)), Some(360));
        assert_eq!(all, need(&[0, 2], Some(360)));
        all.add(None, Some(LayerId(1)), None);
        assert_eq!(all, need(&[0, 1, 2], None), "one has not said how high");
        all.add(None, Some(LayerId(1)), Some(90));
        assert_eq!(all.max_height, None);
    }

    #[test]
    fn a_room_hears_of_layers_by_rid_and_of_all_as_none() {
        let rids = ["l", "m", "h"].map(Rid::from);
        let layers = |told: Need, rids: &[Rid]| match event("t_1".into(), told, rids) {
            MediaEvent::Demand { layers, .. } => layers,
            other => unreachable!("{other:?}"),
        };
        assert_eq!(layers(need(&[0, 2], None), &rids), Some(vec!["l".into(), "h".into()]));
        assert_eq!(layers(need(&[0, 1, 2], None), &rids), None);
        assert_eq!(layers(Need::default(), &rids), Some(vec![]));
        assert_eq!(layers(need(&[0], None), &[]), None);
        assert_eq!(layers(Need::default(), &[]), Some(vec![]));
    }
}
