//! One direction of a path: a queue before a bottleneck, then delay and chance.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::Loss;

/// What a link is like. Shares are from 0 to 1. The default is a perfect one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LinkConfig {
    /// What it carries, in bits per second; `None` for any amount.
    pub rate: Option<u64>,
    /// How long a packet may wait for the bottleneck; one that would wait longer is lost. Zero
    /// stands for 200 ms, what a home router's queue holds.
    pub queue: Duration,
    /// How long a packet travels.
    pub delay: Duration,
    /// How much more or less it may be. Packets don't overtake each other by it.
    pub jitter: Duration,
    /// What is lost on the way.
    pub loss: Loss,
    /// The share of packets that those behind them overtake.
    pub reordered: f64,
    /// The share of packets that arrive twice.
    pub duplicated: f64,
}

/// How much later a packet arrives that is overtaken.
const OVERTAKEN_BY: Duration = Duration::from_millis(15);
const QUEUE: Duration = Duration::from_millis(200);

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives then, if nothing is sent to forget.
    Arrives(Instant),
    /// There was no room in the queue.
    Overflow,
    /// It is lost on the way.
    Lost,
}

/// What a link has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounters {
    /// Packets given to it.
    pub sent: u64,
    /// Packets that it carries or has carried, without duplicates.
    pub carried: u64,
    /// Bytes of these.
    pub carried_bytes: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Lost for want of room.
    pub overflowed: u64,
}

/// A packet that is on its way. Those due at one time arrive as they were sent.
#[derive(Debug)]
struct Travelling<T> {
    due: (Instant, u64),
    packet: T,
}

impl<T> PartialEq for Travelling<T> {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl<T> Eq for Travelling<T> {}

impl<T> PartialOrd for Travelling<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Travelling<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due.cmp(&other.due)
    }
}

/// One direction of a path.
#[derive(Debug)]
pub struct Link<T> {
    config: LinkConfig,
    random: StdRng,
    in_burst: bool,
    /// When the bottleneck is done with what it was given.
    free_at: Option<Instant>,
    /// When the last packet in order arrives.
    last_due: Option<Instant>,
    travelling: BinaryHeap<Reverse<Travelling<T>>>,
    counters: LinkCounters,
}

impl<T: Clone> Link<T> {
    /// An empty link whose chance comes from `seed`.
    #[must_use]
    pub fn new(config: LinkConfig, seed: u64) -> Self {
        Self {
            config,
            random: StdRng::seed_from_u64(seed),
            in_burst: false,
            free_at: None,
            last_due: None,
            travelling: BinaryHeap::new(),
            counters: LinkCounters::default(),
        }
    }

    /// Changes what the link is like for what is sent from now on.
    pub fn configure(&mut self, config: LinkConfig) {
        self.config = config;
    }

    /// What it is like.
    #[must_use]
    pub fn config(&self) -> LinkConfig {
        self.config
    }

    /// What it has done.
    #[must_use]
    pub fn counters(&self) -> LinkCounters {
        self.counters
    }

    /// Sends a packet of this many bytes, headers included.
    pub fn send(&mut self, now: Instant, bytes: usize, packet: T) -> Fate {
        self.counters.sent += 1;
        let Some(through) = self.through_bottleneck(now, bytes) else {
            self.counters.overflowed += 1;
            return Fate::Overflow;
        };
        if self.config.loss.takes(&mut self.random, &mut self.in_burst) {
            self.counters.lost += 1;
            return Fate::Lost;
        }
        self.counters.carried += 1;
        self.counters.carried_bytes += bytes as u64;
        let due = self.due(through);
        if self.chance(self.config.duplicated) {
            self.travel(due, packet.clone());
        }
        self.travel(due, packet);
        Fate::Arrives(due)
    }

    /// When the bottleneck has let it through; `None` when it would wait too long for it.
    fn through_bottleneck(&mut self, now: Instant, bytes: usize) -> Option<Instant> {
        let Some(rate) = self.config.rate else { return Some(now) };
        let begins = self.free_at.map_or(now, |free| free.max(now));
        let most = if self.config.queue.is_zero() { QUEUE } else { self.config.queue };
        if begins - now > most {
            return None;
        }
        let through = begins + Duration::from_nanos(bytes as u64 * 8 * 1_000_000_000 / rate.max(1));
        self.free_at = Some(through);
        Some(through)
    }

    fn due(&mut self, through: Instant) -> Instant {
        let jitter = self.config.jitter.as_secs_f64();
        let delay = self.config.delay.as_secs_f64();
        let delay = if jitter > 0.0 { self.random.random_range(delay - jitter..=delay + jitter) } else { delay };
        let due = through + Duration::from_secs_f64(delay.max(0.0));
        if self.chance(self.config.reordered) {
            return due + OVERTAKEN_BY;
        }
        let due = self.last_due.map_or(due, |last| last.max(due));
        self.last_due = Some(due);
        due
    }

    fn chance(&mut self, share: f64) -> bool {
        share > 0.0 && self.random.random_bool(share.min(1.0))
    }

    fn travel(&mut self, due: Instant, packet: T) {
        self.travelling.push(Reverse(Travelling { due: (due, self.counters.sent), packet }));
    }

    /// The next packet that has arrived. Call it until it returns `None`.
    pub fn poll(&mut self, now: Instant) -> Option<T> {
        if self.timeout()? > now {
            return None;
        }
        self.travelling.pop().map(|Reverse(travelling)| travelling.packet)
    }

    /// When the next packet arrives.
    #[must_use]
    pub fn timeout(&self) -> Option<Instant> {
        self.travelling.peek().map(|Reverse(next)| next.due.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Sends numbered packets of 1250 bytes, one each `every`; returns when each arrived, in the
    /// order of arrival.
    fn run(config: LinkConfig, count: u32, every: Duration) -> (Vec<(u32, Duration)>, LinkCounters) {
        let (mut link, start) = (Link::new(config, 7), Instant::now());
        for number in 0..count {
            link.send(start + every * number, 1250, number);
        }
        let mut arrived = Vec::new();
        while let Some(at) = link.timeout() {
            assert!(link.poll(at - Duration::from_nanos(1)).is_none());
            arrived.push((link.poll(at).expect("is due"), at - start));
        }
        (arrived, link.counters())
    }

    #[test]
    fn a_perfect_link_delivers_everything_at_once() {
        let (arrived, counters) = run(LinkConfig::default(), 3, ms(10));
        assert_eq!(arrived, [(0, ms(0)), (1, ms(10)), (2, ms(20))]);
        assert_eq!((counters.sent, counters.carried, counters.carried_bytes), (3, 3, 3750));
    }

    #[test]
    fn packets_wait_for_each_other_at_the_bottleneck_and_are_lost_when_the_queue_is_full() {
        // 10 ms each.
        let config = LinkConfig { rate: Some(1_000_000), queue: ms(25), delay: ms(100), ..LinkConfig::default() };
        let (arrived, counters) = run(config, 6, ms(0));
        assert_eq!(arrived, [(0, ms(110)), (1, ms(120)), (2, ms(130))]);
        assert_eq!(counters.overflowed, 3);
    }

    #[test]
    fn no_more_than_the_rate_comes_through() {
        let config = LinkConfig { rate: Some(500_000), ..LinkConfig::default() };
        let (arrived, _) = run(config, 1000, ms(10));
        let (_, last) = arrived.last().expect("something came");
        let rate = arrived.len() as f64 * 1250.0 * 8.0 / last.as_secs_f64();
        assert!((490_000.0..500_001.0).contains(&rate), "{rate}");
    }

    #[test]
    fn jitter_moves_packets_and_does_not_mix_them() {
        let config = LinkConfig { delay: ms(100), jitter: ms(30), ..LinkConfig::default() };
        let (arrived, _) = run(config, 500, ms(5));
        assert!(arrived.iter().map(|(number, _)| *number).eq(0..500));
        let delays: Vec<Duration> = arrived.iter().map(|(number, at)| *at - ms(5) * *number).collect();
        assert!(delays.iter().all(|delay| (ms(70)..=ms(130)).contains(delay)));
        assert!(delays.iter().any(|delay| *delay < ms(85)) && delays.iter().any(|delay| *delay > ms(120)));
    }

    #[test]
    fn packets_are_overtaken_and_doubled_as_often_as_asked_for() {
        let config = LinkConfig { reordered: 0.1, duplicated: 0.1, ..LinkConfig::default() };
        let (arrived, _) = run(config, 2000, ms(5));
        let doubled = arrived.len() - 2000;
        assert!((150..250).contains(&doubled), "{doubled}");
        let overtaken = arrived.windows(2).filter(|pair| pair[1].0 < pair[0].0).count();
        assert!((120..280).contains(&overtaken), "{overtaken}");
    }

    #[test]
    fn one_seed_gives_one_run_and_another_gives_another() {
        let config = LinkConfig { delay: ms(50), jitter: ms(20), loss: Loss::Random(0.2), ..LinkConfig::default() };
        let run = |seed| {
            let (mut link, start) = (Link::new(config, seed), Instant::now());
            (0..100).map(|number| matches!(link.send(start, 10, number), Fate::Lost)).collect::<Vec<_>>()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }
}
