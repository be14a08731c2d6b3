//! What a run found.

use std::fmt;

use serde::Serialize;

use super::{
    super::{cpu::Used, report::Percentiles},
    Options,
    flow::Count,
};

/// Rates per second, times in milliseconds unless named.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    direction: &'static str,
    bare: bool,
    allocations: u32,
    payload: u16,
    burst: u32,
    /// Packets that the sender merged into one message; 1: none.
    gso: u32,
    /// Whether receivers take merged packets.
    gro: bool,
    wanted_rate: u32,
    offered_rate: f64,
    delivered_rate: f64,
    seconds: f64,
    sent: u64,
    delivered: u64,
    lost: u64,
    /// Of what was sent, 0 to 1.
    loss: f64,
    /// Part of `lost`: found the buffers of the load's own sockets full.
    receiver_drops: u64,
    /// Part of `lost`: found the buffers of the server's sockets full.
    server_drops: u64,
    /// Not taken by the load's own kernel, and no part of `sent`.
    unsent: u64,
    /// Of the load's own time, 0 to 1: near 0 it could not send as fast as was wanted.
    load_idle: f64,
    /// Packets that came with a length nobody sent.
    strange: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<Cost>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_ms: Option<Percentiles>,
}

/// CPU-seconds for a million delivered packets.
#[derive(Debug, Serialize)]
struct Cost {
    seconds_per_million: f64,
    user: f64,
    system: f64,
    /// Beside it: of the kernel's thread for network work of the server's core.
    softirq: f64,
    cores: f64,
    used: Used,
}

impl Report {
    pub(super) fn new(
        options: &Options,
        count: &Count,
        used: Option<Used>,
        [receiver_drops, server_drops]: [u64; 2],
        delay_ms: Option<Percentiles>,
        merges: bool,
    ) -> Self {
        let lost = count.sent.saturating_sub(count.delivered);
        let cost = |used: Used| {
            let [user, system] = used.micros_per(count.delivered);
            Cost {
                seconds_per_million: user + system,
                user,
                system,
                softirq: used.softirq * 1e6 / count.delivered.max(1) as f64,
                cores: used.seconds / count.seconds,
                used,
            }
        };
        Self {
            direction: options.direction.name(),
            bare: options.bare,
            allocations: options.allocations,
            payload: options.payload,
            burst: options.burst,
            gso: if merges { options.gso } else { 1 },
            gro: !options.no_gro,
            wanted_rate: options.rate,
            offered_rate: count.sent as f64 / count.seconds,
            delivered_rate: count.delivered as f64 / count.seconds,
            seconds: count.seconds,
            sent: count.sent,
            delivered: count.delivered,
            lost,
            loss: lost as f64 / count.sent.max(1) as f64,
            receiver_drops,
            server_drops,
            unsent: count.unsent,
            load_idle: count.idle,
            strange: count.strange,
            server: used.map(cost),
            delay_ms,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { direction, allocations, payload, burst, gso, seconds, .. } = self;
        let target = if self.bare { ", bare forwarder" } else { "" };
        let gro = if self.gro { "merged (GRO)" } else { "one by one" };
        writeln!(f, "{direction}{target}: {allocations} × {payload} bytes for {seconds:.1} s")?;
        writeln!(f, "sent          bursts of {burst} for each flow, GSO of {gso}; received {gro}")?;
        writeln!(f, "offered       {} a second, {:.0} sent", self.wanted_rate, self.offered_rate)?;
        writeln!(f, "delivered     {}, {:.0} a second", self.delivered, self.delivered_rate)?;
        let (lost, loss) = (self.lost, self.loss * 100.0);
        let [server, own] = [self.server_drops, self.receiver_drops];
        writeln!(f, "lost          {lost} ({loss:.3} %); full buffers: {server} the server's, {own} the load's own")?;
        if let Some(Cost { seconds_per_million, user, system, softirq, cores, .. }) = &self.server {
            write!(f, "server        {seconds_per_million:.2} CPU-s per million packets ")?;
            writeln!(f, "(user {user:.2}, system {system:.2}); softirq thread {softirq:.2}; {cores:.2} cores")?;
        }
        if let Some(delay) = &self.delay_ms {
            writeln!(f, "delay         {delay}")?;
        }
        write!(
            f,
            "load          idle {:.0} %, {} unsent, {} strange",
            self.load_idle * 100.0,
            self.unsent,
            self.strange
        )
    }
}
