//! From one arrangement to the next, as a function of time.

use std::time::{Duration, Instant};

use super::rect::Rect;
use super::{Region, Source};

/// How long a change takes.
pub const DURATION: Duration = Duration::from_millis(260);

/// Of its size, how much a tile has when it appears.
const SEED: f64 = 0.86;

/// Moves regions to where they belong. What appears fades in and grows; what goes fades out.
#[derive(Clone, Debug, Default)]
pub struct Animation {
    from: Vec<Region>,
    to: Vec<Region>,
    /// None when everything is where it belongs.
    began: Option<Instant>,
}

impl Animation {
    /// Goes for another arrangement. The first one is there at once, and so is what changes no
    /// place (labels, frames).
    pub fn go(&mut self, now: Instant, to: Vec<Region>) {
        let first = self.to.is_empty() && self.from.is_empty();
        let place = |region: &Region| (region.source, region.rect, region.z, region.fit);
        let moved = !self.to.iter().map(place).eq(to.iter().map(place));
        if moved && !first {
            let mut from = self.at(now);
            // What was on its way out and stays out goes on from where it is.
            from.retain(|region| region.opacity > 0);
            self.from = from;
            self.began = Some(now);
        }
        self.to = to;
    }

    /// Changes at once, such as after the canvas's size did.
    pub fn jump(&mut self, to: Vec<Region>) {
        *self = Self { from: Vec::new(), to, began: None };
    }

    /// Where everything is going.
    #[must_use]
    pub fn target(&self) -> &[Region] {
        &self.to
    }

    /// Nothing moves any more at that time.
    #[must_use]
    pub fn is_settled(&self, now: Instant) -> bool {
        self.began.is_none_or(|began| now.saturating_duration_since(began) >= DURATION)
    }

    /// Where everything is at that time. [`Region::needs`] are those of the target.
    #[must_use]
    pub fn at(&self, now: Instant) -> Vec<Region> {
        let Some(began) = self.began.filter(|_| !self.is_settled(now)) else { return self.to.clone() };
        let share = now.saturating_duration_since(began).as_secs_f64() / DURATION.as_secs_f64();
        let eased = 1.0 - (1.0 - share).powi(3);
        let find = |regions: &[Region], source: Source| regions.iter().find(|region| region.source == source).cloned();
        let leaving = self.from.iter().filter(|region| find(&self.to, region.source).is_none());
        let leaving = leaving.map(|region| Region { opacity: mix_opacity(region.opacity, 0, eased), ..region.clone() });
        let moving = self.to.iter().map(|target| {
            let (rect, opacity) = match find(&self.from, target.source) {
                Some(old) => (between(&old.rect, &target.rect, eased), mix_opacity(old.opacity, target.opacity, eased)),
                None => (between(&seed(&target.rect), &target.rect, eased), mix_opacity(0, target.opacity, eased)),
            };
            Region { rect, opacity, ..target.clone() }
        });
        leaving.chain(moving).collect()
    }
}

fn mix_opacity(from: u8, to: u8, share: f64) -> u8 {
    (f64::from(from) + (f64::from(to) - f64::from(from)) * share).round() as u8
}

fn between(from: &Rect, to: &Rect, share: f64) -> Rect {
    let mix = |from: usize, to: usize| {
        let length = from as f64 + (to as f64 - from as f64) * share;
        (length / 2.0).round() as usize * 2
    };
    // Edges are mixed, not sizes: what touches goes on touching, and nothing leaves the canvas.
    let (left, right) = (mix(from.left, to.left), mix(from.right(), to.right()));
    let (top, bottom) = (mix(from.top, to.top), mix(from.bottom(), to.bottom()));
    Rect::new(left, top, right.saturating_sub(left).max(2), bottom.saturating_sub(top).max(2))
}

fn seed(rect: &Rect) -> Rect {
    let inset = |length: usize| ((length as f64 * (1.0 - SEED) / 2.0) as usize) & !1;
    let (across, down) = (inset(rect.width), inset(rect.height));
    Rect::new(rect.left + across, rect.top + down, rect.width - 2 * across, rect.height - 2 * down)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{Arrangement, Layout, Participant, ParticipantId, arrange};

    fn grid(count: u64) -> Vec<Region> {
        let participants: Vec<_> = (0..count).map(|id| Participant::new(ParticipantId(id), "")).collect();
        let ask = Arrangement {
            width: 1280,
            height: 720,
            gap: 8,
            layout: &Layout::Grid,
            participants: &participants,
            speaker: None,
            viewer: None,
        };
        arrange(&ask).regions
    }

    #[test]
    fn a_change_starts_where_things_were_and_ends_exactly_where_they_belong() {
        let now = Instant::now();
        let mut animation = Animation::default();
        animation.go(now, grid(4));
        assert_eq!(animation.at(now), grid(4), "nothing to come from");
        animation.go(now, grid(5));
        let first = animation.at(now);
        assert_eq!(first[0].rect, grid(4)[0].rect);
        assert_eq!(first[4].opacity, 0);
        assert!(!animation.is_settled(now + DURATION - Duration::from_millis(1)));
        assert!(animation.is_settled(now + DURATION));
        assert_eq!(animation.at(now + DURATION), grid(5));
    }

    #[test]
    fn on_the_way_everything_is_even_and_within_the_canvas_and_comes_nearer() {
        let start = Instant::now();
        let mut animation = Animation::default();
        animation.go(start, grid(9));
        animation.go(start, grid(2));
        let mut before = animation.at(start)[7].rect.width;
        for step in 1..=26 {
            let regions = animation.at(start + Duration::from_millis(step * 10));
            for Region { rect, .. } in &regions {
                assert!([rect.left, rect.top, rect.width, rect.height].iter().all(|number| number % 2 == 0));
                assert!(rect.right() <= 1280 && rect.bottom() <= 720);
            }
            let width = regions.iter().find(|region| region.source == grid(2)[0].source).map_or(0, |it| it.rect.width);
            assert!(width >= before.min(width) && width <= grid(2)[0].rect.width);
            before = width;
        }
        assert_eq!(animation.at(start + DURATION).len(), 2, "who left is gone");
    }

    #[test]
    fn a_change_in_the_middle_of_another_goes_on_from_there() {
        let start = Instant::now();
        let mut animation = Animation::default();
        animation.go(start, grid(1));
        animation.go(start, grid(4));
        let middle = start + DURATION / 2;
        let there = animation.at(middle);
        animation.go(middle, grid(9));
        assert_eq!(
            animation.at(middle)[..4],
            there
                .iter()
                .zip(grid(9))
                .map(|(old, new)| Region { rect: old.rect, opacity: old.opacity, ..new })
                .collect::<Vec<_>>()[..]
        );
    }

    #[test]
    fn labels_and_frames_change_at_once() {
        let now = Instant::now();
        let mut animation = Animation::default();
        animation.go(now, grid(4));
        let mut spoken = grid(4);
        spoken[2].speaking = true;
        animation.go(now, spoken.clone());
        assert!(animation.is_settled(now));
        assert_eq!(animation.at(now), spoken);
    }
}
