//! A burst that tries a rate.

use std::time::{Duration, Instant};

use super::estimator::{Probe, ProbeId};

/// Follows one burst.
#[derive(Debug)]
pub(super) struct Probing {
    probe: Probe,
    start: Instant,
    bytes: usize,
    packets: usize,
}

impl Probing {
    pub(super) fn new(now: Instant, probe: Probe) -> Self {
        Self { probe, start: now, bytes: 0, packets: 0 }
    }

    pub(super) fn id(&self) -> ProbeId {
        self.probe.id
    }

    /// When its next packet is to be sent.
    pub(super) fn due(&self) -> Instant {
        let rate = self.probe.rate.max(1);
        self.start + Duration::from_micros(self.bytes as u64 * 8 * 1_000_000 / rate)
    }

    /// A packet of so many bytes is sent; whether it was the last.
    pub(super) fn sent(&mut self, bytes: usize) -> bool {
        self.bytes += bytes;
        self.packets += 1;
        self.bytes >= self.probe.bytes && self.packets >= self.probe.packets
    }
}
