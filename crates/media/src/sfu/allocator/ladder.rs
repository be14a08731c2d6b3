//! The steps in which one track can be forwarded, from the cheapest to the best.

use madang_protocol::{BitsPerSecond, DeliveryReason};
use smallvec::SmallVec;

use super::{Candidate, Decision, LayerId, Sending, Target, Wanted};

/// A layer is large enough for a place on screen that is this much higher, in percent.
const LARGE_ENOUGH_PERCENT: u64 = 85;

#[derive(Clone, Copy, Debug)]
struct Step {
    target: Target,
    rate: u64,
}

/// Level 0 is a pause, level n the nth step. Each step takes more than the one before, but for
/// stalled layers.
#[derive(Debug)]
pub(super) struct Ladder {
    steps: SmallVec<[Step; 6]>,
}

impl Ladder {
    pub(super) fn new<K>(wanted: &Wanted<K>) -> Self {
        let mut ladder = Self { steps: SmallVec::new() };
        if wanted.withheld.is_none() {
            for candidate in &wanted.layers[..large_enough(wanted)] {
                ladder.add(candidate);
            }
        }
        ladder
    }

    fn add(&mut self, candidate: &Candidate) {
        let Some(full) = candidate.rates.last() else { return };
        let below = self.steps.last().map(|step| step.rate);
        if let (Sending::Stalled, Some(rate)) = (candidate.sending, below) {
            self.steps.push(Step { target: Target { layer: candidate.layer, temporal: None }, rate });
            return;
        }
        // Better and not dearer: nobody needs the lower steps.
        while self.steps.last().is_some_and(|step| step.rate >= full.0) {
            self.steps.pop();
        }
        // Less than half of the frames only where there is nothing smaller.
        let first = if self.steps.is_empty() { 0 } else { candidate.rates.len().saturating_sub(2) };
        for (temporal, rate) in (0u8..).zip(&candidate.rates).skip(first) {
            let all = usize::from(temporal) + 1 == candidate.rates.len();
            if self.steps.last().is_none_or(|step| step.rate < rate.0) {
                let target = Target { layer: candidate.layer, temporal: (!all).then_some(temporal) };
                self.steps.push(Step { target, rate: rate.0 });
            }
        }
    }

    pub(super) fn top(&self) -> usize {
        self.steps.len()
    }

    /// In bits per second.
    pub(super) fn rate(&self, level: usize) -> u64 {
        self.step(level).map_or(0, |step| step.rate)
    }

    fn step(&self, level: usize) -> Option<&Step> {
        self.steps.get(level.checked_sub(1)?)
    }

    /// The highest level that is not better than what was chosen before, if there is one.
    pub(super) fn level(&self, target: Target) -> usize {
        let worth = |target: Target| (target.layer, target.temporal.unwrap_or(u8::MAX));
        let not_better = self.steps.iter().take_while(|step| worth(step.target) <= worth(target)).count();
        not_better.max(1).min(self.top())
    }

    pub(super) fn decision<K: Copy>(&self, wanted: &Wanted<K>, level: usize) -> Decision<K> {
        let step = self.step(level);
        let layer = step.and_then(|step| wanted.layers.iter().find(|candidate| candidate.layer == step.target.layer));
        Decision {
            key: wanted.key,
            target: step.map(|step| step.target),
            height: layer.and_then(|layer| layer.height),
            rate: BitsPerSecond(self.rate(level)),
            reason: self.reason(wanted, level, layer),
        }
    }

    fn reason<K>(&self, wanted: &Wanted<K>, level: usize, chosen: Option<&Candidate>) -> DeliveryReason {
        if let Some(withheld) = wanted.withheld {
            return withheld;
        }
        if level < self.top() {
            return DeliveryReason::Bandwidth;
        }
        let largest = wanted.layers.last().map(|candidate| candidate.layer);
        match chosen {
            None => DeliveryReason::Publisher,
            Some(chosen) if chosen.sending != Sending::Live => DeliveryReason::Publisher,
            Some(chosen) if largest > Some::<LayerId>(chosen.layer) => DeliveryReason::Size,
            Some(_) => DeliveryReason::Best,
        }
    }
}

/// How many of the layers, from the smallest, are of use at the size wanted.
fn large_enough<K>(wanted: &Wanted<K>) -> usize {
    let fits = |candidate: &Candidate| match (wanted.height, candidate.height) {
        (Some(place), Some(height)) => u64::from(height) * 100 >= u64::from(place) * LARGE_ENOUGH_PERCENT,
        _ => false,
    };
    wanted.layers.iter().position(fits).map_or(wanted.layers.len(), |place| place + 1)
}
