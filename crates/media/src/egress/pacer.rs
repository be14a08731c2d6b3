//! Spreads pictures over time on a slow path, so that sound does not wait behind them.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::StreamKey;
use crate::session::OutgoingPacket;

/// How much faster than the estimate it sends, in percent: what waits here is late as well.
const FASTER_PERCENT: u64 = 150;
/// No slower than this, in bits per second, whatever the estimate is.
const SLOWEST: u64 = 50_000;
/// More packets than this do not wait: something is wrong, and to hold back more helps nobody.
const MOST: usize = 500;
/// Packets that are due so soon leave together.
const TOGETHER: Duration = Duration::from_millis(2);

/// Packets that wait for their turn.
#[derive(Debug)]
pub(super) struct Pacer {
    holding: bool,
    queue: VecDeque<(StreamKey, OutgoingPacket)>,
    next_at: Instant,
}

impl Pacer {
    pub(super) fn new(now: Instant) -> Self {
        Self { holding: false, queue: VecDeque::new(), next_at: now }
    }

    pub(super) fn set_holding(&mut self, holding: bool) {
        self.holding = holding;
    }

    /// Whether packets have to wait for their turn.
    pub(super) fn holds(&self) -> bool {
        self.holding || !self.queue.is_empty()
    }

    pub(super) fn push(&mut self, key: StreamKey, packet: OutgoingPacket) {
        self.queue.push_back((key, packet));
    }

    /// Forgets what waits of a stream.
    pub(super) fn forget(&mut self, key: StreamKey) {
        self.queue.retain(|(waiting, _)| *waiting != key);
    }

    /// The next packet, when its time has come.
    pub(super) fn pop(&mut self, now: Instant, estimate: u64) -> Option<(StreamKey, OutgoingPacket)> {
        let is_due = !self.holding || self.queue.len() > MOST || self.next_at <= now + TOGETHER;
        let (key, packet) = self.queue.pop_front_if(|_| is_due)?;
        let rate = (estimate / 100 * FASTER_PERCENT).max(SLOWEST);
        let takes = Duration::from_micros(packet.payload.len() as u64 * 8 * 1_000_000 / rate);
        self.next_at = self.next_at.max(now) + takes;
        Some((key, packet))
    }

    /// When the next packet's time comes.
    pub(super) fn due(&self) -> Option<Instant> {
        (!self.queue.is_empty()).then_some(self.next_at - TOGETHER)
    }
}
