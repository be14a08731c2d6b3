//! What a run found, as a table or as JSON.

use std::fmt;

use serde::Serialize;

/// Sizes in bytes, times in milliseconds unless named, rates per second. Absent: not measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Report {
    pub(crate) room_size: u32,
    pub(crate) idle: Idle,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) relay: Option<Relay>,
    /// Errors that the server gave.
    pub(crate) errors: u64,
    pub(crate) connections_lost: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Idle {
    pub(crate) participants: u32,
    /// From the start of the first connection to the last `welcome`.
    pub(crate) join_seconds: f64,
    /// From a connection's start to its `welcome`.
    pub(crate) join_ms: Percentiles,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory: Option<Memory>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Memory {
    /// Before the first connection.
    pub(crate) empty: u64,
    /// With everyone inside, after the idle time.
    pub(crate) idle: u64,
    pub(crate) per_participant: u64,
    /// Processor time per second while everyone was idle.
    pub(crate) idle_cores: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Relay {
    pub(crate) participants: u32,
    pub(crate) kind: &'static str,
    pub(crate) seconds: f64,
    pub(crate) wanted_rate: u32,
    pub(crate) sent: u64,
    pub(crate) sent_rate: f64,
    pub(crate) delivered: u64,
    pub(crate) delivered_rate: f64,
    pub(crate) latency_ms: Percentiles,
    /// Processor time of the server per second; 1 is one core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server_cores: Option<f64>,
    /// Processor time of the server per message delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server_cpu_us_per_message: Option<f64>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, value: String| writeln!(f, "{name:<28} {value}");
        let Idle { participants, join_seconds, join_ms, memory } = &self.idle;
        row(
            "idle participants",
            format!("{participants} in rooms of {}, joined in {join_seconds:.1} s", self.room_size),
        )?;
        row("connect to welcome", join_ms.to_string())?;
        if let Some(memory) = memory {
            let (idle, empty) = (mega(memory.idle), mega(memory.empty));
            row("resident memory", format!("{idle:.1} MB; {empty:.1} MB with nobody inside"))?;
            row("for each participant", format!("{:.1} KB", memory.per_participant as f64 / 1e3))?;
            row("server's CPU, idle", format!("{:.3} cores", memory.idle_cores))?;
        }
        if let Some(relay) = &self.relay {
            let Relay { participants, kind, wanted_rate, .. } = relay;
            row("active participants", format!("{participants}; `{kind}`, {wanted_rate} a second wanted"))?;
            row("messages sent", format!("{}; {:.0} a second", relay.sent, relay.sent_rate))?;
            row("messages relayed", format!("{}; {:.0} a second", relay.delivered, relay.delivered_rate))?;
            row("delay", relay.latency_ms.to_string())?;
            if let (Some(cores), Some(micros)) = (relay.server_cores, relay.server_cpu_us_per_message) {
                row("server's CPU", format!("{cores:.2} cores; {micros:.1} µs a relayed message"))?;
            }
        }
        row("errors", self.errors.to_string())?;
        row("connections lost", self.connections_lost.to_string())
    }
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms", self.p50, self.p99, self.max)
    }
}

fn mega(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
