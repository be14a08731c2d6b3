//! What `/metrics` tells (OpenMetrics text): `madang_<part>_<thing>_<unit>`, no user or room in a label.

use madang_media::sfu::Counters;
use madang_protocol::Topology;
use parking_lot::Mutex;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::mixing::MixMetrics;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByTopology {
    topology: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByDirection {
    /// `in` is from clients, `out` to clients.
    direction: &'static str,
}

/// What the shards' forwarders tell; clones share their values.
#[derive(Clone, Debug, Default)]
pub(crate) struct MediaMetrics {
    received: Counter,
    forwarded: Counter,
    forwarded_bytes: Counter,
    dropped: Family<ByReason, Counter>,
    keyframes: Family<ByDirection, Counter>,
    failed: Counter,
    links: Gauge,
    deliveries: Family<ByReason, Gauge>,
    pub(crate) mix: MixMetrics,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReason {
    reason: &'static str,
}

/// In the order of [`madang_protocol::DeliveryReason`].
const DELIVERY_REASONS: [&str; 7] = ["best", "size", "bandwidth", "publisher", "not_watched", "not_speaking", "muted"];

impl MediaMetrics {
    /// Adds them to a registry whose prefix is `madang`.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("media_received_packets", "Media packets from publishers", self.received.clone());
        registry.register("media_forwarded_packets", "Media packets handed to receivers", self.forwarded.clone());
        registry.register("media_forwarded_bytes", "Their payloads", self.forwarded_bytes.clone());
        registry.register("media_dropped_packets", "Packets dropped", self.dropped.clone());
        registry.register(
            "media_keyframe_requests",
            "Keyframes that receivers asked for (in), and that publishers were asked for (out)",
            self.keyframes.clone(),
        );
        registry.register("media_failed_links", "Links that ended by a fault", self.failed.clone());
        registry.register("media_links", "Open links to the server", self.links.clone());
        registry.register(
            "media_deliveries",
            "Tracks forwarded to receivers, by why in that layer",
            self.deliveries.clone(),
        );
        self.mix.register(registry);
    }

    /// Takes over what one shard's forwarder has counted since `before`.
    pub(crate) fn publish(&self, before: &Counters, now: &Counters, unsent: u64) {
        self.received.inc_by(now.received - before.received);
        self.forwarded.inc_by(now.forwarded - before.forwarded);
        self.forwarded_bytes.inc_by(now.forwarded_bytes - before.forwarded_bytes);
        for (reason, grown) in [
            ("unknown", now.unknown - before.unknown),
            ("data_refused", now.data_refused - before.data_refused),
            ("unsent", unsent),
        ] {
            self.dropped.get_or_create(&ByReason { reason }).inc_by(grown);
        }
        for (direction, grown) in [
            ("in", now.keyframes_wanted - before.keyframes_wanted),
            ("out", now.keyframes_asked - before.keyframes_asked),
        ] {
            self.keyframes.get_or_create(&ByDirection { direction }).inc_by(grown);
        }
        self.failed.inc_by(now.failed - before.failed);
        let difference = |now: u64, before: u64| i64::try_from(now).unwrap_or(0) - i64::try_from(before).unwrap_or(0);
        self.links.inc_by(difference(now.links, before.links));
        for (place, reason) in DELIVERY_REASONS.into_iter().enumerate() {
            let change = difference(now.deliveries[place], before.deliveries[place]);
            self.deliveries.get_or_create(&ByReason { reason }).inc_by(change);
        }
        self.mix.publish(&before.mixing, &now.mixing);
    }
}

/// What the rooms of a server hold, by topology.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RoomCounts {
    /// Rooms.
    pub(crate) rooms: u64,
    /// Participants, those in their resume grace too.
    pub(crate) participants: u64,
    /// Links.
    pub(crate) links: u64,
}

/// The server's own metrics.
pub(crate) struct Metrics {
    registry: Mutex<Registry>,
    rooms: Family<ByTopology, Gauge>,
    participants: Family<ByTopology, Gauge>,
    links: Family<ByTopology, Gauge>,
    pub(crate) connections: Gauge,
    pub(crate) messages_in: Counter,
    pub(crate) messages_out: Counter,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("madang");
        let (rooms, participants, links) = (Family::default(), Family::default(), Family::default());
        registry.register("room_rooms", "Rooms", Family::clone(&rooms));
        registry.register("room_participants", "Participants in rooms", Family::clone(&participants));
        registry.register("room_links", "Links between participants, or to the server", Family::clone(&links));
        let connections = Gauge::default();
        registry.register("signaling_connections", "Open signaling connections", connections.clone());
        let messages: Family<ByDirection, Counter> = Family::default();
        registry.register("signaling_messages", "Signaling messages", messages.clone());
        let counter = |direction| messages.get_or_create_owned(&ByDirection { direction });
        let (messages_in, messages_out) = (counter("in"), counter("out"));
        Self { registry: Mutex::new(registry), rooms, participants, links, connections, messages_in, messages_out }
    }

    /// Lets another part of the server add its metrics.
    pub(crate) fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry.lock());
    }

    /// The text, after the rooms were counted.
    pub(crate) fn text(&self, counts: [(Topology, RoomCounts); 3]) -> String {
        for (topology, count) in counts {
            let topology = match topology {
                Topology::Mesh => "mesh",
                Topology::Sfu => "sfu",
                Topology::Mcu => "mcu",
            };
            let label = ByTopology { topology };
            let whole = |value| i64::try_from(value).unwrap_or(i64::MAX);
            self.rooms.get_or_create(&label).set(whole(count.rooms));
            self.participants.get_or_create(&label).set(whole(count.participants));
            self.links.get_or_create(&label).set(whole(count.links));
        }
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry.lock());
        text
    }
}
