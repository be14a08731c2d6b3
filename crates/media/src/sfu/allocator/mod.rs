//! Divides what can be sent to a receiver over the tracks that it watches.
//!
//! Sound comes first, whatever the estimate says. Then the screen and the active speaker, then
//! the others: within each of these two classes everyone gets the lowest step before anyone gets
//! a better one, by priority and size on screen. What does not fit is paused.
//!
//! What a receiver has is kept as long as it fits; to rise takes some headroom, and time after a
//! fall, which grows when rises are followed by falls.

mod divide;
mod ladder;

use std::{
    cmp::Reverse,
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

use madang_protocol::{BitsPerSecond, DeliveryReason};
use smallvec::SmallVec;

use self::{
    divide::{Order, Share},
    ladder::Ladder,
};
use super::select::Target;
use crate::session::LayerId;

/// How long nothing rises after a fall, at least and at most.
const HOLD: Duration = Duration::from_secs(1);
const LONGEST_HOLD: Duration = Duration::from_secs(16);
/// A fall so soon after a rise was caused by it.
const FLAPPING: Duration = Duration::from_secs(10);
/// After so long without a fall the hold is short again.
const CALM: Duration = Duration::from_secs(30);
/// An estimate that is this little too small, in percent, for this time, changes nothing.
const SLACK_PERCENT: u64 = 10;
const SLACK: Duration = Duration::from_millis(500);
/// How long a fall takes to become one in the queues.
const FALLING: Duration = Duration::from_millis(500);

/// How much a picture matters. The first two are one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// A shared screen.
    Screen,
    /// The camera of somebody who speaks.
    Speaker,
    /// Another camera.
    Other,
}

/// Whether a publisher sends a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    /// It does.
    Live,
    /// Not at present, but would if somebody needed it: its bit rate is an old one, or a guess.
    Asleep,
    /// Not for some seconds though somebody needs it: its own uplink or processor is too weak. It
    /// costs no more than the layer below, which is sent in its place.
    Stalled,
}

/// A layer of a track that could be forwarded.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Which.
    pub layer: LayerId,
    /// Whether it is sent.
    pub sending: Sending,
    /// Its height in pixels, where known.
    pub height: Option<u32>,
    /// What it takes with temporal layers up to each, the last being all of it; at least one.
    pub rates: SmallVec<[BitsPerSecond; 3]>,
}

/// A picture that could be forwarded to a receiver.
#[derive(Clone, Debug)]
pub struct Wanted<K> {
    /// Which track.
    pub key: K,
    /// How much it matters.
    pub rank: Rank,
    /// The receiver's own wish; higher is served first.
    pub priority: u8,
    /// Its height on the receiver's screen in device pixels; `None` for as large as it is.
    pub height: Option<u32>,
    /// Why it is not forwarded at all: not watched, not speaking, muted.
    pub withheld: Option<DeliveryReason>,
    /// From the smallest layer.
    pub layers: SmallVec<[Candidate; 3]>,
}

/// What is decided about a track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision<K> {
    /// Which.
    pub key: K,
    /// What to forward; `None` pauses it.
    pub target: Option<Target>,
    /// Its height in pixels, where known.
    pub height: Option<u32>,
    /// What it takes.
    pub rate: BitsPerSecond,
    /// Why not more.
    pub reason: DeliveryReason,
}

/// What is decided about a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocation<K> {
    /// In the order in which the tracks were given.
    pub decisions: Vec<Decision<K>>,
    /// What all takes together, sound included.
    pub total: BitsPerSecond,
    /// What it would take if there were no limit: what to probe for.
    pub desired: BitsPerSecond,
    /// What the lowest step of every picture would take, sound included.
    pub least: BitsPerSecond,
    /// Something was just taken away for want of bandwidth, and the queues are still full of it.
    pub falling: bool,
}

impl<K> Allocation<K> {
    /// What is lacking for want of bandwidth.
    #[must_use]
    pub fn shortage(&self) -> Shortage {
        let mut short =
            self.decisions.iter().filter(|decision| decision.reason == DeliveryReason::Bandwidth).peekable();
        match short.peek() {
            None => Shortage::None,
            Some(_) if self.decisions.iter().all(|decision| decision.target.is_none()) => Shortage::All,
            Some(_) => Shortage::Part,
        }
    }
}

/// What a receiver lacks for want of bandwidth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// Nothing.
    None,
    /// It sees something, but less than it wants.
    Part,
    /// It sees nothing of what it wants to see.
    All,
}

/// Divides for one receiver, and remembers what it has. `K` names a track.
#[derive(Debug)]
pub struct Allocator<K> {
    /// What each track had that could be forwarded; `None` where it did not fit.
    current: HashMap<K, Option<Target>>,
    hold: Duration,
    hold_until: Option<Instant>,
    fell_at: Option<Instant>,
    rose_at: Option<Instant>,
    over_since: Option<Instant>,
    held_back: bool,
}

impl<K> Default for Allocator<K> {
    fn default() -> Self {
        Self {
            current: HashMap::new(),
            hold: HOLD,
            hold_until: None,
            fell_at: None,
            rose_at: None,
            over_since: None,
            held_back: false,
        }
    }
}

impl<K: Copy + Eq + Hash> Allocator<K> {
    /// Divides `available`, the estimate for this receiver, of which no more than `limit` may be
    /// used; `None` is no limit. `sound` is what all sound that it gets takes.
    pub fn allocate(
        &mut self,
        now: Instant,
        available: Option<BitsPerSecond>,
        limit: Option<BitsPerSecond>,
        sound: BitsPerSecond,
        wanted: &[Wanted<K>],
    ) -> Allocation<K> {
        let most = available.into_iter().chain(limit).map(|rate| rate.0).min();
        let budget = most.map_or(u64::MAX, |most| most.saturating_sub(sound.0));
        let ladders: Vec<Ladder> = wanted.iter().map(|wanted| Ladder::new(wanted)).collect();
        let with_ladders = wanted.iter().zip(&ladders).enumerate();
        let mut shares: Vec<Share<'_>> =
            with_ladders.map(|(place, (wanted, ladder))| self.share(place, wanted, ladder)).collect();
        shares.sort_by_key(|share| share.order);

        let kept: u64 = shares.iter().map(|share| share.ladder.rate(share.current)).sum();
        let budget = self.with_slack(now, budget, kept);
        let may_rise = self.note_fall(now, kept > budget);
        let levels = divide::divide(budget, &shares, may_rise);
        if shares.iter().zip(&levels).any(|(share, level)| *level > share.current) {
            self.rose_at = Some(now);
        }

        let mut by_place = vec![0; wanted.len()];
        for (share, level) in shares.iter().zip(&levels) {
            by_place[share.order.place] = *level;
        }
        let decide = |((wanted, ladder), level): ((&Wanted<K>, &Ladder), &usize)| ladder.decision(wanted, *level);
        let decisions: Vec<Decision<K>> = wanted.iter().zip(&ladders).zip(&by_place).map(decide).collect();
        self.remember(wanted, &decisions);
        let used: u64 = decisions.iter().map(|decision| decision.rate.0).sum();
        let desired: u64 = ladders.iter().map(|ladder| ladder.rate(ladder.top())).sum();
        let least: u64 = ladders.iter().map(|ladder| ladder.rate(1)).sum();
        Allocation {
            least: BitsPerSecond(sound.0.saturating_add(least)),
            total: BitsPerSecond(sound.0.saturating_add(used)),
            desired: BitsPerSecond(sound.0.saturating_add(desired)),
            falling: within(now, self.fell_at, FALLING),
            decisions,
        }
    }

    /// Whether nothing rises for the time being, whatever is available.
    pub fn hold_back(&mut self, held_back: bool) {
        self.held_back = held_back;
    }

    fn share<'a>(&self, place: usize, wanted: &Wanted<K>, ladder: &'a Ladder) -> Share<'a> {
        let current = self.current.get(&wanted.key);
        Share {
            order: Order {
                rank: wanted.rank,
                priority: Reverse(wanted.priority),
                height: Reverse(wanted.height.unwrap_or(u32::MAX)),
                place,
            },
            ladder,
            current: current.copied().flatten().map_or(0, |target| ladder.level(target)),
            is_new: current.is_none(),
        }
    }

    fn with_slack(&mut self, now: Instant, budget: u64, kept: u64) -> u64 {
        if kept <= budget {
            self.over_since = None;
            return budget;
        }
        let since = *self.over_since.get_or_insert(now);
        let little = kept - budget <= budget / 100 * SLACK_PERCENT;
        if little && now.saturating_duration_since(since) < SLACK { kept } else { budget }
    }

    /// Returns whether anything may rise.
    fn note_fall(&mut self, now: Instant, falls: bool) -> bool {
        if falls {
            if within(now, self.rose_at, FLAPPING) {
                self.hold = (self.hold * 2).min(LONGEST_HOLD);
            } else if !within(now, self.fell_at, CALM) {
                self.hold = HOLD;
            }
            self.rose_at = None;
            self.fell_at = Some(now);
            self.hold_until = Some(now + self.hold);
        }
        !self.held_back && self.hold_until.is_none_or(|until| now >= until)
    }

    fn remember(&mut self, wanted: &[Wanted<K>], decisions: &[Decision<K>]) {
        let forwarded = wanted.iter().zip(decisions).filter(|(wanted, _)| wanted.withheld.is_none());
        self.current.clear();
        self.current.extend(forwarded.map(|(_, decision)| (decision.key, decision.target)));
    }
}

fn within(now: Instant, since: Option<Instant>, time: Duration) -> bool {
    since.is_some_and(|since| now.saturating_duration_since(since) < time)
}

#[cfg(test)]
mod tests;
