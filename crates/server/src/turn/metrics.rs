//! What TURN tells `/metrics`.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use madang_turn::{Counters, EndReason};
use madang_wire::Transport;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::dtls::DtlsCounters;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByTransport {
    transport: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByDirection {
    direction: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByResult {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReason {
    reason: &'static str,
}

/// The metrics of TURN; clones share their values.
#[derive(Clone, Debug, Default)]
pub struct TurnMetrics {
    allocations: Family<ByTransport, Gauge>,
    allocations_made: Counter,
    bytes: Family<ByDirection, Counter>,
    packets: Family<ByDirection, Counter>,
    bindings: Counter,
    moves: Counter,
    refused: Family<ByReason, Counter>,
    dropped: Family<ByReason, Counter>,
    ended: Family<ByReason, Counter>,
    dtls: Family<ByResult, Counter>,
    dtls_asked: Counter,
    /// Whoever waits for the last one to end can't wait for the gauge above, which lags behind.
    live: Arc<AtomicU64>,
}

const TO_PEER: ByDirection = ByDirection { direction: "client_to_peer" };
const TO_CLIENT: ByDirection = ByDirection { direction: "peer_to_client" };

impl TurnMetrics {
    /// Metrics that are all zero.
    #[must_use]
    pub fn new() -> Self {
        let metrics = Self::default();
        for reason in EndReason::ALL {
            drop(metrics.ended.get_or_create(&ByReason { reason: reason.name() }));
        }
        metrics.publish(&Counters::default(), &Counters::default(), 0);
        metrics.publish_dtls(&DtlsCounters::default(), &DtlsCounters::default());
        metrics
    }

    /// Adds them to a registry whose prefix is `madang`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("turn_allocations", "Live allocations", self.allocations.clone());
        registry.register("turn_allocations_made", "Allocations ever made", self.allocations_made.clone());
        registry.register("turn_allocations_ended", "Allocations that have ended", self.ended.clone());
        registry.register("turn_relayed_bytes", "Application data relayed", self.bytes.clone());
        registry.register("turn_relayed_packets", "Packets relayed", self.packets.clone());
        registry.register("turn_bindings", "Binding requests answered", self.bindings.clone());
        registry.register("turn_moves", "Changes of address that an allocation has outlived", self.moves.clone());
        registry.register("turn_refused", "Requests refused", self.refused.clone());
        registry.register("turn_dtls_handshakes", "DTLS handshakes, by what became of them", self.dtls.clone());
        registry.register("turn_dtls_asked", "DTLS clients asked to prove their address", self.dtls_asked.clone());
        registry.register("turn_dropped_packets", "Packets dropped", self.dropped.clone());
    }

    /// Live allocations of all shards, at this moment.
    pub(crate) fn live(&self) -> u64 {
        self.live.load(Ordering::Acquire)
    }

    /// An allocation has begun; its client has not been told yet.
    pub(crate) fn began(&self) {
        self.live.fetch_add(1, Ordering::AcqRel);
    }

    /// An allocation has ended.
    pub(crate) fn ended(&self, reason: EndReason) {
        self.live.fetch_sub(1, Ordering::AcqRel);
        self.ended.get_or_create(&ByReason { reason: reason.name() }).inc();
    }

    /// The same of DTLS.
    pub(crate) fn publish_dtls(&self, before: &DtlsCounters, now: &DtlsCounters) {
        self.dtls_asked.inc_by(now.asked - before.asked);
        for (result, grown) in [
            ("opened", now.opened - before.opened),
            ("failed", now.failed - before.failed),
            ("refused", now.refused - before.refused),
            ("panicked", now.panicked - before.panicked),
        ] {
            self.dtls.get_or_create(&ByResult { result }).inc_by(grown);
        }
    }

    /// Takes over what has changed since `before`, and `unsent` more packets that sockets refused.
    pub(crate) fn publish(&self, before: &Counters, now: &Counters, unsent: u64) {
        for transport in Transport::ALL {
            let live = |counters: &Counters| i64::try_from(counters.allocations[transport.index()]).unwrap_or(i64::MAX);
            // Each shard tells its own share.
            let gauge = self.allocations.get_or_create(&ByTransport { transport: transport.name() });
            gauge.inc_by(live(now) - live(before));
        }
        self.allocations_made.inc_by(now.allocations_total - before.allocations_total);
        self.bindings.inc_by(now.bindings - before.bindings);
        self.moves.inc_by(now.moves - before.moves);
        for (direction, before, now) in
            [(TO_PEER, before.to_peers, now.to_peers), (TO_CLIENT, before.to_clients, now.to_clients)]
        {
            self.bytes.get_or_create(&direction).inc_by(now.bytes - before.bytes);
            self.packets.get_or_create(&direction).inc_by(now.packets - before.packets);
        }
        for (reason, grown) in [
            ("unauthenticated", now.unauthenticated - before.unauthenticated),
            ("quota", now.over_quota - before.over_quota),
            ("forbidden_peer", now.forbidden_peers - before.forbidden_peers),
            ("no_relay", now.relay_failures - before.relay_failures),
        ] {
            self.refused.get_or_create(&ByReason { reason }).inc_by(grown);
        }
        for (reason, grown) in [
            ("unpermitted", now.unpermitted - before.unpermitted),
            ("rate_limited", now.rate_limited - before.rate_limited),
            ("over_rate", now.over_rate - before.over_rate),
            ("malformed", now.malformed - before.malformed),
            ("unsent", unsent),
        ] {
            self.dropped.get_or_create(&ByReason { reason }).inc_by(grown);
        }
    }
}

#[cfg(test)]
mod tests {
    use madang_turn::Traffic;

    use super::*;

    #[test]
    fn counters_appear_under_their_names() {
        let metrics = TurnMetrics::new();
        let mut registry = Registry::with_prefix("madang");
        metrics.register(&mut registry);
        let now =
            Counters { allocations: [1, 2, 0, 0], to_peers: Traffic { packets: 3, bytes: 300 }, ..Counters::default() };
        metrics.publish(&Counters::default(), &now, 7);
        metrics.publish_dtls(&DtlsCounters::default(), &DtlsCounters { refused: 4, ..DtlsCounters::default() });
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).expect("a String takes all");
        for line in [
            "madang_turn_allocations{transport=\"tcp\"} 2",
            "madang_turn_relayed_bytes_total{direction=\"client_to_peer\"} 300",
            "madang_turn_relayed_packets_total{direction=\"peer_to_client\"} 0",
            "madang_turn_dropped_packets_total{reason=\"unsent\"} 7",
            "madang_turn_dtls_handshakes_total{result=\"refused\"} 4",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
