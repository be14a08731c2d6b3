//! What `/metrics` tells (OpenMetrics text): `madang_<part>_<thing>_<unit>`, no user or room in a label.

use madang_protocol::Topology;
use parking_lot::Mutex;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByTopology {
    topology: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByDirection {
    /// `in` is from clients, `out` to clients.
    direction: &'static str,
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
