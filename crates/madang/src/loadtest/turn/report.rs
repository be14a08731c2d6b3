//! What a run found: a row of a table, or JSON.

use std::fmt;

use serde::Serialize;

use super::{Direction, Options, flow::Outcome};

/// Of [`Row`] as text.
pub(super) const HEADING: &str = "\
| relay | allocations | bytes | offered/s | burst | GSO | CPU-s per million | user | system | delivered/s | lost | p50 ms | p99 ms |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |";

/// Times in seconds of processor time per million delivered packets, delays in milliseconds.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    relay: &'static str,
    direction: Direction,
    allocations: u32,
    size: u16,
    offered_per_second: u32,
    sent_per_second: f64,
    burst: u32,
    gso: u32,
    sent: u64,
    delivered: u64,
    /// Share of what was sent, 0 to 1, without what the load's own sockets lost.
    lost: f64,
    overrun: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<f64>,
    /// Beside it: the kernel's thread for network work on the server's core.
    #[serde(skip_serializing_if = "Option::is_none")]
    softirq: Option<f64>,
    p50_ms: f64,
    p99_ms: f64,
}

impl Row {
    pub(super) fn new(options: &Options, relay: &'static str, outcome: &Outcome) -> Self {
        let Outcome { sent, delivered, overrun, seconds, used, latency } = outcome;
        // Microseconds for each packet are seconds for a million.
        let per_million = used.map(|used| used.micros_per(*delivered));
        let lost = sent.saturating_sub(*delivered + *overrun) as f64 / (*sent).max(1) as f64;
        let ms = |share| latency.percentile(share).as_secs_f64() * 1e3;
        Self {
            relay,
            direction: options.direction,
            allocations: options.allocations,
            size: options.size,
            offered_per_second: options.rate,
            sent_per_second: *sent as f64 / seconds,
            burst: options.burst,
            gso: options.gso,
            sent: *sent,
            delivered: *delivered,
            lost,
            overrun: *overrun,
            user: per_million.map(|[user, _]| user),
            system: per_million.map(|[_, system]| system),
            softirq: used.map(|used| used.softirq * 1e6 / (*delivered).max(1) as f64),
            p50_ms: ms(0.5),
            p99_ms: ms(0.99),
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { relay, allocations, size, offered_per_second, burst, gso, p50_ms, p99_ms, .. } = self;
        let direction = match self.direction {
            Direction::ClientToPeer => "client → peer",
            Direction::PeerToClient => "peer → client",
            Direction::ClientToClient => "client → client",
        };
        write!(f, "| {relay}, {direction} | {allocations} | {size} | {offered_per_second} | {burst} | {gso} |")?;
        match (self.user, self.system) {
            (Some(user), Some(system)) => write!(f, " {:.2} | {user:.2} | {system:.2} |", user + system)?,
            _ => write!(f, " | | |")?,
        }
        let delivered = self.sent_per_second * self.delivered as f64 / self.sent.max(1) as f64;
        write!(f, " {delivered:.0} | {:.3} % | {p50_ms:.2} | {p99_ms:.2} |", self.lost * 100.0)?;
        if self.overrun > 0 {
            write!(f, " ({} more were lost at the load's own sockets)", self.overrun)?;
        }
        Ok(())
    }
}
