//! Keyframe requests (RFC 4585 §6.3.1), brought together: however many receivers need one, the
//! publisher is asked at most once in an interval for each layer.

use std::{
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

/// The time between two requests to one layer of one track.
pub const INTERVAL: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Debug)]
struct Asked {
    at: Instant,
    /// Somebody asked again since.
    again: bool,
}

/// The requests of all receivers. `K` names a layer of a track.
#[derive(Debug)]
pub struct KeyframeRequests<K> {
    asked: HashMap<K, Asked>,
}

impl<K> Default for KeyframeRequests<K> {
    fn default() -> Self {
        Self { asked: HashMap::new() }
    }
}

impl<K: Copy + Eq + Hash> KeyframeRequests<K> {
    /// Somebody needs a keyframe. Whether to ask the publisher now; if not, [`Self::poll`] says
    /// when it is time.
    #[must_use]
    pub fn request(&mut self, now: Instant, layer: K) -> bool {
        match self.asked.get_mut(&layer) {
            Some(asked) if now.saturating_duration_since(asked.at) < INTERVAL => {
                asked.again = true;
                false
            }
            _ => {
                self.asked.insert(layer, Asked { at: now, again: false });
                true
            }
        }
    }

    /// A keyframe came: whoever waited has it. It counts as if it had been asked for, since one
    /// that follows at once helps nobody.
    pub fn arrived(&mut self, now: Instant, layer: K) {
        self.asked.insert(layer, Asked { at: now, again: false });
    }

    /// A layer whose publisher is to be asked now, because the interval is over. Call it until
    /// it returns `None`.
    #[must_use]
    pub fn poll(&mut self, now: Instant) -> Option<K> {
        let over = |asked: &Asked| now.saturating_duration_since(asked.at) >= INTERVAL;
        self.asked.retain(|_, asked| asked.again || !over(asked));
        let (layer, asked) = self.asked.iter_mut().find(|(_, asked)| asked.again && over(asked))?;
        *asked = Asked { at: now, again: false };
        Some(*layer)
    }

    /// When [`Self::poll`] will next have something.
    #[must_use]
    pub fn timeout(&self) -> Option<Instant> {
        self.asked.values().filter(|asked| asked.again).map(|asked| asked.at + INTERVAL).min()
    }

    /// The layer is gone.
    pub fn forget(&mut self, layer: K) {
        self.asked.remove(&layer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn two_hundred_requests_at_once_give_one() {
        let (mut requests, now) = (KeyframeRequests::default(), Instant::now());
        assert_eq!((0..200).filter(|_| requests.request(now, 1)).count(), 1);
        assert!(requests.request(now, 2), "another layer");
    }

    #[test]
    fn who_asks_within_the_interval_is_served_when_it_is_over() {
        let (mut requests, start) = (KeyframeRequests::default(), Instant::now());
        assert!(requests.request(start, 1));
        assert_eq!(requests.timeout(), None);
        for after in [100, 200, 300] {
            assert!(!requests.request(start + ms(after), 1));
        }
        assert_eq!(requests.timeout(), Some(start + INTERVAL));
        assert_eq!(requests.poll(start + ms(499)), None);
        assert_eq!(requests.poll(start + ms(500)), Some(1));
        assert_eq!(requests.poll(start + ms(500)), None);
        assert!(!requests.request(start + ms(999), 1), "the interval began anew");
    }

    #[test]
    fn a_keyframe_that_comes_satisfies_who_waited() {
        let (mut requests, start) = (KeyframeRequests::default(), Instant::now());
        assert!(requests.request(start, 1));
        assert!(!requests.request(start + ms(100), 1));
        requests.arrived(start + ms(150), 1);
        assert_eq!(requests.timeout(), None);
        assert_eq!(requests.poll(start + ms(600)), None);
    }

    #[test]
    fn what_is_asked_for_after_the_interval_is_asked_for_at_once() {
        let (mut requests, start) = (KeyframeRequests::default(), Instant::now());
        requests.arrived(start, 1);
        assert!(!requests.request(start + ms(499), 1));
        requests.forget(1);
        assert!(requests.request(start + ms(499), 1));
        assert!(requests.request(start + ms(999), 1));
    }

    #[test]
    fn layers_that_nobody_asks_for_are_forgotten() {
        let (mut requests, start) = (KeyframeRequests::default(), Instant::now());
        for layer in 0..100 {
            requests.arrived(start, layer);
        }
        assert_eq!(requests.poll(start + INTERVAL), None);
        assert!(requests.asked.is_empty());
    }
}
