//! The TURN part of a shard: the core, the sockets of listeners and relays, and the way to TCP and
//! TLS clients.
//!
//! What several sockets received stays where it is until all that came of it is sent, so relayed
//! data is not copied, and few system calls serve many allocations.

mod books;
mod dtls;
mod pace;
mod ports;
mod tcp;
mod ways;

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use madang_turn::{Counters, Icmp, Input, Output, RelayId, Reload, Server, Shard};
use madang_udp::{ReceiveBatch, UdpSocket};
use madang_wire::{FiveTuple, Transport};
use mio::Registry;

use super::{FromRelay, ShardSender, Source, live_relays::LiveRelays, relay_id};
use crate::{
    tls::Identity,
    turn::{PacketSender, RelaySockets, TurnMetrics, dtls::DtlsCounters},
};
use dtls::News;
use pace::Pace;
use ports::Ports;
pub(crate) use tcp::TcpRelayCommand;
use ways::{Origin, Stream, Ways, Whereabouts};

/// Messages that are received before all that came of them is sent. With merging (UDP_GRO) each
/// may hold dozens of datagrams.
const MESSAGES: usize = 64;

/// No socket is read with room for fewer.
const LEAST: usize = 4;

/// What waits to be sent: answers, headers, and data of streams; relayed datagrams take no room.
const SEND_BYTES: usize = 1 << 19;
const SEND_PACKETS: usize = 4096;

/// How often the core is told the wall clock.
const CLOCK: Duration = Duration::from_secs(30);

/// How often counters are brought to the metrics while there is anything to do.
const PUBLISH: Duration = Duration::from_millis(250);

/// Errors taken from one socket before others get their turn.
const ERRORS: usize = 64;

/// What another shard's TURN part has for this one.
#[derive(Debug)]
pub(crate) enum FromSibling {
    /// A client's packet: what it is about lives here.
    Packet { from: FiveTuple, data: Bytes },
    /// The same, of a client on a stream.
    Frame { client: FiveTuple, connection: u64, to: PacketSender, data: Bytes },
    /// That client's stream has ended.
    Closed { client: FiveTuple, connection: u64 },
    /// A packet of a client over DTLS, whose session stays where it is.
    DtlsPacket { client: FiveTuple, session: Shard, data: Bytes },
    /// An answer to such a client, for the shard that has its session.
    ToDtls { client: FiveTuple, data: Bytes },
    /// That client's session has ended.
    DtlsClosed { client: FiveTuple },
    /// Data from one relayed address to another.
    Data { from: SocketAddr, to: SocketAddr, data: Bytes },
}

/// What the control plane's tasks for TCP and TLS tell the TURN part.
#[derive(Debug)]
pub(crate) enum StreamCommand {
    /// A connection begins; packets for it go to `to`.
    Opened { client: FiveTuple, connection: u64, to: PacketSender },
    /// A message came on it.
    Frame { client: FiveTuple, data: Bytes },
    /// It has ended.
    Closed { client: FiveTuple, connection: u64 },
}

/// The UDP sockets that clients reach.
#[derive(Default)]
pub(crate) struct Listeners {
    /// For STUN and TURN, in the clear or inside DTLS.
    pub(crate) open: Vec<UdpSocket>,
    /// Inside DTLS alone.
    pub(crate) encrypted: Vec<UdpSocket>,
}

/// See the module.
pub(crate) struct TurnPart {
    core: Server,
    received: ReceiveBatch,
    ways: Ways,
    metrics: TurnMetrics,
    published: Counters,
    published_dtls: DtlsCounters,
    publish_at: Instant,
    clock_due: Instant,
    pace: Pace,
}

impl TurnPart {
    /// The listeners are watched once [`Self::register`] has been called.
    pub(crate) fn new(
        core: Server,
        listeners: Listeners,
        relay_sockets: RelaySockets,
        metrics: TurnMetrics,
        (shard, live): (Shard, LiveRelays),
    ) -> Self {
        Self {
            core,
            received: ReceiveBatch::new(MESSAGES, 0),
            ways: Ways::new(Ports::new(listeners, relay_sockets, shard, live), shard, &metrics),
            metrics,
            published: Counters::default(),
            published_dtls: DtlsCounters::default(),
            publish_at: Instant::now(),
            clock_due: Instant::now() + CLOCK,
            pace: Pace::new(Instant::now()),
        }
    }

    /// `shard` is the way to the shard that has this part. Needs a tokio runtime.
    pub(super) fn register(&mut self, registry: &Registry, shard: ShardSender) -> io::Result<()> {
        self.ways.tcp.start(shard);
        self.ways.ports.register(registry)
    }

    /// Refuses new allocations from now on, and ends those that are left at the deadline.
    pub(super) fn drain(&mut self, registry: &Registry, deadline: Option<Instant>) {
        self.input(Instant::now(), registry, Input::Drain { deadline }, Origin::NOWHERE);
    }

    /// New users, policy and limits; what lives goes on.
    pub(super) fn reload(&mut self, registry: &Registry, reload: &Reload) {
        self.input(Instant::now(), registry, Input::Reload(reload), Origin::NOWHERE);
    }

    /// Lets time pass; says when it wants to be called again.
    pub(super) fn timeout(&mut self, now: Instant, registry: &Registry) -> Instant {
        if now >= self.clock_due {
            self.clock_due = now + CLOCK;
            self.input(now, registry, Input::Clock { unix_seconds: unix_seconds() }, Origin::NOWHERE);
        }
        self.pace.pass_time(now);
        self.ways.pass_time_in_dtls(now, self.received.bytes());
        self.take_from_dtls(now, registry);
        let next = self.input(now, registry, Input::Timeout, Origin::NOWHERE);
        self.flush();
        let publish = self.publish(now);
        [next, self.ways.dtls.due(), publish].into_iter().flatten().fold(self.clock_due, Instant::min)
    }

    /// What clients sent to media ports of ours.
    pub(super) fn take_for_media(&mut self) -> Vec<FromRelay> {
        std::mem::take(&mut self.ways.to_media)
    }

    /// What other shards are to get.
    pub(super) fn take_for_siblings(&mut self) -> Vec<(Shard, FromSibling)> {
        std::mem::take(&mut self.ways.to_siblings)
    }

    /// Takes what another shard's TURN part has.
    pub(super) fn take_from_sibling(&mut self, now: Instant, registry: &Registry, from: FromSibling) {
        match from {
            FromSibling::Packet { from, data } => {
                let origin = Origin { client: None, bytes: Whereabouts::Passing(&data) };
                self.input(now, registry, Input::Client { from, data: &data }, origin);
            }
            FromSibling::Frame { client, connection, to, data } => {
                self.ways.streams.insert(client, Stream { connection, to, lives_on: None });
                self.input(now, registry, Input::Client { from: client, data: &data }, Origin::passing(&data));
            }
            FromSibling::Closed { client, connection } => self.closed(now, registry, client, connection),
            FromSibling::DtlsPacket { client, session, data } => {
                self.ways.dtls_elsewhere.insert(client, session);
                self.input(now, registry, Input::Client { from: client, data: &data }, Origin::passing(&data));
            }
            FromSibling::ToDtls { client, data } => {
                let sent = self.ways.send_dtls(now, &client, &data, self.received.bytes());
                self.ways.unsent += u64::from(!sent);
            }
            FromSibling::DtlsClosed { client } => {
                self.ways.dtls_elsewhere.remove(&client);
                self.input(now, registry, Input::Disconnected { client }, Origin::NOWHERE);
            }
            FromSibling::Data { from, to, data } => {
                self.input(now, registry, Input::Sibling { to, from, data: &data }, Origin::passing(&data));
            }
        }
    }

    /// Takes what a media port of ours sends to a relay of ours.
    pub(super) fn take_from_media(&mut self, now: Instant, registry: &Registry, packet: &FromRelay) {
        let input = Input::Media { relayed: packet.relayed, from: packet.media, data: &packet.data };
        self.input(now, registry, input, Origin::passing(&packet.data));
    }

    /// Marks a socket as ready; `false` when it was already, or is gone.
    pub(super) fn queue(&mut self, source: Source) -> bool {
        self.ways.ports.queue(source)
    }

    /// Reads a burst; says whether there may be more. What comes of it waits for
    /// [`Self::flush`].
    pub(super) fn read(&mut self, now: Instant, registry: &Registry, source: Source) -> bool {
        let more = self.read_burst(now, registry, source);
        if !more {
            self.ways.ports.is_read(source);
        }
        more
    }

    /// Tells clients what of their data did not arrive: RFC 8656 §11.5.
    pub(super) fn read_errors(&mut self, now: Instant, registry: &Registry, relay: RelayId) {
        for _ in 0..ERRORS {
            let Some(lost) = self.ways.ports.relay(relay).and_then(UdpSocket::take_error) else { return };
            let icmp = Icmp { kind: lost.kind, code: lost.code, data: lost.mtu };
            self.input(now, registry, Input::PeerError { relay, peer: lost.to, icmp }, Origin::NOWHERE);
        }
    }

    fn read_burst(&mut self, now: Instant, registry: &Registry, source: Source) -> bool {
        if self.received.free() < LEAST {
            self.flush();
        }
        let Some(port) = self.ways.ports.of(source) else { return false };
        let (first, room) = (self.received.capacity() - self.received.free(), self.received.free());
        let (more, local) = match self.received.receive_more(&port.socket, port.ask()) {
            Ok(count) => (port.had(count) || count == room, port.socket.local_addr()),
            Err(why) if why.kind() == io::ErrorKind::WouldBlock => return false,
            // ICMP errors of earlier packets show up here; they end nothing.
            Err(_) => return true,
        };
        let Self { core, received, ways, pace, .. } = self;
        let bytes = received.bytes();
        for (from, place) in received.places(first) {
            pace.count();
            let data = place.of(bytes);
            let mut origin = Origin { client: None, bytes: Whereabouts::Received(place) };
            let input = match source {
                Source::Listener(index) if ways.dtls.takes(index, data) => {
                    ways.receive_dtls(now, index, from, data, bytes);
                    continue;
                }
                Source::Listener(index) if ways.ports.is_encrypted(index) => continue,
                Source::Listener(_) => {
                    let from = FiveTuple { client: from, server: local, transport: Transport::Udp };
                    origin.client = Some(from);
                    Input::Client { from, data }
                }
                Source::Relay(index) => Input::Peer { relay: relay_id(index), from, data },
                Source::Media(_) => return false,
            };
            core.handle_input(now, input);
            settle(core, ways, now, registry, bytes, origin);
        }
        self.take_from_dtls(now, registry);
        more
    }

    /// What clients have said inside their DTLS sessions.
    fn take_from_dtls(&mut self, now: Instant, registry: &Registry) {
        while let Some(news) = self.ways.dtls.next() {
            let (listener, client) = match &news {
                News::Packet { listener, from, .. } => (*listener, *from),
                News::Closed { listener, client } => (*listener, *client),
            };
            let Some(server) = self.ways.ports.of(Source::Listener(listener)).map(|port| port.socket.local_addr())
            else {
                continue;
            };
            let client = FiveTuple { client, server, transport: Transport::Dtls };
            match news {
                News::Packet { packet, .. } => {
                    let origin = Origin { client: Some(client), bytes: Whereabouts::Passing(&packet) };
                    self.input(now, registry, Input::Client { from: client, data: &packet }, origin);
                }
                News::Closed { .. } => {
                    let origin = Origin { client: Some(client), bytes: Whereabouts::Ended };
                    self.input(now, registry, Input::Disconnected { client }, origin);
                }
            }
        }
    }

    /// A certificate for DTLS, the first one or a new one.
    pub(super) fn identity(&mut self, identity: &Identity) {
        self.ways.dtls.take_over(Instant::now(), self.ways.ports.listeners(), identity);
    }

    /// Sends everything that waits.
    pub(super) fn flush(&mut self) {
        self.ways.flush(self.received.bytes());
        self.received.clear();
    }

    /// Gives the core an input; says when it wants to be called again.
    fn input(&mut self, now: Instant, registry: &Registry, input: Input<'_>, origin: Origin<'_>) -> Option<Instant> {
        self.core.handle_input(now, input);
        settle(&mut self.core, &mut self.ways, now, registry, self.received.bytes(), origin)
    }

    pub(super) fn stream(&mut self, now: Instant, registry: &Registry, command: StreamCommand) {
        match command {
            StreamCommand::Opened { client, connection, to } => {
                let former = self.ways.streams.insert(client, Stream { connection, to, lives_on: None });
                if let Some(former) = former {
                    self.ways.tell_closed(client, &former);
                    self.input(now, registry, Input::Disconnected { client }, Origin::NOWHERE);
                }
            }
            StreamCommand::Frame { client, data } => {
                let origin = Origin { client: Some(client), bytes: Whereabouts::Passing(&data) };
                self.input(now, registry, Input::Client { from: client, data: &data }, origin);
            }
            StreamCommand::Closed { client, connection } => self.closed(now, registry, client, connection),
        }
    }

    fn closed(&mut self, now: Instant, registry: &Registry, client: FiveTuple, connection: u64) {
        // Unless the same five-tuple has come back meanwhile, which is another's allocation.
        if self.ways.streams.get(&client).is_none_or(|stream| stream.connection == connection) {
            if let Some(stream) = self.ways.streams.remove(&client) {
                self.ways.tell_closed(client, &stream);
            }
            self.input(now, registry, Input::Disconnected { client }, Origin::NOWHERE);
        }
    }

    /// How long to wait before sockets are looked at again, so that one round serves more packets.
    pub(super) fn pause(&self) -> Option<Duration> {
        self.pace.pause()
    }

    /// Brings the counters to the metrics, once in a while. Says when the next time is, as long as
    /// there may be news.
    fn publish(&mut self, now: Instant) -> Option<Instant> {
        if now < self.publish_at {
            return Some(self.publish_at);
        }
        self.publish_at = now + PUBLISH;
        let dtls = self.ways.dtls.counters();
        self.metrics.publish_dtls(&self.published_dtls, &dtls);
        let dtls_had_news = std::mem::replace(&mut self.published_dtls, dtls) != dtls;
        let counters = self.core.counters();
        if *counters == self.published && self.ways.unsent == 0 {
            return dtls_had_news.then_some(self.publish_at);
        }
        self.metrics.publish(&self.published, counters, std::mem::take(&mut self.ways.unsent));
        self.published = counters.clone();
        Some(self.publish_at)
    }
}

/// Does what the core wants done after an input; says when it wants to be called again.
fn settle(
    core: &mut Server,
    ways: &mut Ways,
    now: Instant,
    registry: &Registry,
    received: &[u8],
    origin: Origin<'_>,
) -> Option<Instant> {
    loop {
        match core.poll_output() {
            Output::Transmit(transmit) => ways.transmit(now, &transmit, received, origin),
            Output::OpenRelay(wish) => {
                let relayed = ways.open_relay(registry, received, &wish);
                core.handle_input(now, Input::RelayOpened { relay: wish.relay, relayed });
            }
            Output::CloseRelay(relay) => ways.close_relay(received, relay),
            Output::PassOn { shard } => ways.pass_on(shard, received, origin),
            Output::Event(event) => ways.books.enter(&event),
            Output::Timeout(next) => return next,
            output @ (Output::OpenTcpRelay(_)
            | Output::Connect { .. }
            | Output::Accept(_)
            | Output::Splice { .. }
            | Output::CloseConnection(_)) => {
                if let Some(input) = ways.serve_tcp_relay(output) {
                    core.handle_input(now, input);
                }
            }
        }
    }
}

/// The wall clock.
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
