//! The TURN part of a shard: the core, the sockets of listeners and relays, and the way to TCP and
//! TLS clients.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use madang_turn::{Body, Counters, Head, Input, OpenRelay, Output, PortRequirement, RelayId, Route, Server, Transmit};
use madang_wire::{FiveTuple, Transport};
use mio::{Interest, Registry, Token, net::UdpSocket};

use super::{FromRelay, Source, live_relays::LiveRelays, tokens};
use crate::turn::{Opened, PacketSender, RelaySockets, TurnMetrics};

/// Packets taken from one socket before the others get their turn.
const BURST: usize = 64;

/// Room in front of what is received, for the header that goes there before it is sent on.
const HEADROOM: usize = Head::MAX;

/// The largest datagram, and room for padding after it.
const LARGEST: usize = 65_536 + 4;

/// How often the core is told the wall clock.
const CLOCK: Duration = Duration::from_secs(30);

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

struct Socket {
    socket: UdpSocket,
    local: SocketAddr,
    /// Of a relay: what its peers are told.
    relayed: Option<SocketAddr>,
    /// It stands in the queue of those that have more to read.
    queued: bool,
}

struct Stream {
    connection: u64,
    to: PacketSender,
}

/// See the module.
pub(crate) struct TurnPart {
    core: Server,
    listeners: Vec<Socket>,
    relays: Vec<Option<Socket>>,
    relay_sockets: RelaySockets,
    streams: HashMap<FiveTuple, Stream>,
    buffer: Box<[u8]>,
    metrics: TurnMetrics,
    published: Counters,
    unsent: u64,
    clock_due: Instant,
    /// What was sent to media ports of ours since this was last taken.
    to_media: Vec<FromRelay>,
    live: LiveRelays,
}

impl TurnPart {
    /// The listeners are watched once [`Self::register`] has been called.
    pub(crate) fn new(
        core: Server,
        listeners: Vec<std::net::UdpSocket>,
        relay_sockets: RelaySockets,
        metrics: TurnMetrics,
        live: LiveRelays,
    ) -> io::Result<Self> {
        let socket = |socket: std::net::UdpSocket| {
            let local = socket.local_addr()?;
            Ok(Socket { socket: UdpSocket::from_std(socket), local, relayed: None, queued: false })
        };
        Ok(Self {
            core,
            listeners: listeners.into_iter().map(socket).collect::<io::Result<_>>()?,
            relays: Vec::new(),
            relay_sockets,
            streams: HashMap::new(),
            buffer: vec![0; HEADROOM + LARGEST].into_boxed_slice(),
            metrics,
            published: Counters::default(),
            unsent: 0,
            clock_due: Instant::now() + CLOCK,
            to_media: Vec::new(),
            live,
        })
    }

    pub(super) fn register(&mut self, registry: &Registry) -> io::Result<()> {
        for (index, listener) in self.listeners.iter_mut().enumerate() {
            registry.register(&mut listener.socket, tokens::listener(index), Interest::READABLE)?;
        }
        Ok(())
    }

    /// Refuses new allocations from now on.
    pub(super) fn drain(&mut self, registry: &Registry) {
        self.input(Instant::now(), registry, Input::Drain { deadline: None });
    }

    /// Lets time pass; says when it wants to be called again.
    pub(super) fn timeout(&mut self, now: Instant, registry: &Registry) -> Instant {
        if now >= self.clock_due {
            self.clock_due = now + CLOCK;
            self.input(now, registry, Input::Clock { unix_seconds: unix_seconds() });
        }
        let next = self.input(now, registry, Input::Timeout);
        self.publish();
        next.map_or(self.clock_due, |next| next.min(self.clock_due))
    }

    /// What clients sent to media ports of ours.
    pub(super) fn take_for_media(&mut self) -> Vec<FromRelay> {
        std::mem::take(&mut self.to_media)
    }

    /// Takes what a media port of ours sends to a relay of ours.
    pub(super) fn take_from_media(&mut self, now: Instant, registry: &Registry, packet: &FromRelay) {
        let length = packet.data.len().min(LARGEST - 4);
        self.buffer[HEADROOM..HEADROOM + length].copy_from_slice(&packet.data[..length]);
        let data = &self.buffer[HEADROOM..HEADROOM + length];
        self.core.handle_input(now, Input::Media { relayed: packet.relayed, from: packet.media, data });
        self.flush(now, registry);
    }

    /// Marks a socket as ready; `false` when it was already, or is gone.
    pub(super) fn queue(&mut self, source: Source) -> bool {
        self.socket(source).is_some_and(|socket| !std::mem::replace(&mut socket.queued, true))
    }

    /// Reads a burst; says whether there may be more.
    pub(super) fn read(&mut self, registry: &Registry, source: Source) -> bool {
        let more = self.read_burst(registry, source);
        if let Some(socket) = self.socket(source) {
            socket.queued = more;
        }
        more
    }

    fn socket(&mut self, source: Source) -> Option<&mut Socket> {
        match source {
            Source::Listener(index) => self.listeners.get_mut(index),
            Source::Relay(index) => self.relays.get_mut(index)?.as_mut(),
            Source::Media(_) => None,
        }
    }

    fn read_burst(&mut self, registry: &Registry, source: Source) -> bool {
        let now = Instant::now();
        for _ in 0..BURST {
            let received = match source {
                Source::Listener(index) => self.listeners.get(index).map(|socket| (&socket.socket, socket.local)),
                Source::Relay(index) => {
                    self.relays.get(index).and_then(Option::as_ref).map(|socket| (&socket.socket, socket.local))
                }
                Source::Media(_) => None,
            };
            let Some((socket, local)) = received else { return false };
            let room = self.buffer.len() - 4;
            match socket.recv_from(&mut self.buffer[HEADROOM..room]) {
                Ok((length, from)) => self.received(now, registry, source, local, from, length),
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => return false,
                // ICMP errors of earlier packets show up here; they end nothing.
                Err(_) => {}
            }
        }
        true
    }

    fn received(
        &mut self,
        now: Instant,
        registry: &Registry,
        source: Source,
        local: SocketAddr,
        from: SocketAddr,
        length: usize,
    ) {
        let data = &self.buffer[HEADROOM..HEADROOM + length];
        let input = match source {
            Source::Listener(_) => {
                let from = FiveTuple { client: from, server: local, transport: Transport::Udp };
                Input::Client { from, data }
            }
            Source::Relay(index) => {
                Input::Peer { relay: RelayId(u32::try_from(index).unwrap_or(u32::MAX)), from, data }
            }
            Source::Media(_) => return,
        };
        self.core.handle_input(now, input);
        self.flush(now, registry);
    }

    /// Gives the core an input without data; says when it wants to be called again.
    fn input(&mut self, now: Instant, registry: &Registry, input: Input<'_>) -> Option<Instant> {
        self.core.handle_input(now, input);
        self.flush(now, registry)
    }

    pub(super) fn stream(&mut self, now: Instant, registry: &Registry, command: StreamCommand) {
        match command {
            StreamCommand::Opened { client, connection, to } => {
                if self.streams.insert(client, Stream { connection, to }).is_some() {
                    self.input(now, registry, Input::Disconnected { client });
                }
            }
            StreamCommand::Frame { client, data } => {
                let length = data.len().min(LARGEST - 4);
                self.buffer[HEADROOM..HEADROOM + length].copy_from_slice(&data[..length]);
                let data = &self.buffer[HEADROOM..HEADROOM + length];
                self.core.handle_input(now, Input::Client { from: client, data });
                self.flush(now, registry);
            }
            StreamCommand::Closed { client, connection } => {
                // Unless the same five-tuple has come back meanwhile, which is another's allocation.
                if self.streams.get(&client).is_none_or(|stream| stream.connection == connection) {
                    self.streams.remove(&client);
                    self.input(now, registry, Input::Disconnected { client });
                }
            }
        }
    }

    /// Does what the core wants done.
    fn flush(&mut self, now: Instant, registry: &Registry) -> Option<Instant> {
        loop {
            match self.core.poll_output() {
                Output::Transmit(transmit) => self.transmit(&transmit),
                Output::OpenRelay(wish) => self.open_relay(now, registry, &wish),
                Output::CloseRelay(relay) => self.close_relay(registry, relay),
                // What the core is not configured for: TCP relays, other shards.
                Output::OpenTcpRelay(wish) => {
                    self.core.handle_input(now, Input::RelayOpened { relay: wish.relay, relayed: None });
                }
                Output::Connect { connection, .. } => {
                    self.core.handle_input(now, Input::Connected { connection, established: false });
                }
                Output::Accept(_)
                | Output::Splice { .. }
                | Output::CloseConnection(_)
                | Output::PassOn { .. }
                | Output::Event(_) => {}
                Output::Timeout(next) => return next,
            }
        }
    }

    fn transmit(&mut self, transmit: &Transmit) {
        let packet = assemble(&mut self.buffer, transmit);
        let sent = match transmit.route {
            Route::Peer { relay, to } => {
                let relay = self.relays.get(relay.0 as usize).and_then(Option::as_ref);
                relay.is_some_and(|relay| relay.socket.send_to(packet, to).is_ok())
            }
            Route::Media { relayed, to } => {
                self.to_media.push(FromRelay { relayed, media: to, data: Bytes::copy_from_slice(packet) });
                true
            }
            // There is one shard with TURN.
            Route::Sibling { .. } => false,
            Route::Client(client) if client.transport.is_stream() => {
                let sent = self.streams.get(&client).is_some_and(|stream| stream.to.send(packet));
                if !sent && !transmit.is_data() {
                    // Without its answer the client is lost; its task sees the queue end and hangs up.
                    self.streams.remove(&client);
                }
                sent
            }
            Route::Client(client) => {
                let listener = self.listeners.iter().find(|listener| listener.local == client.server);
                listener.is_some_and(|listener| listener.socket.send_to(packet, client.client).is_ok())
            }
        };
        // A full socket buffer loses this packet, as a network would; it ends nothing.
        self.unsent += u64::from(!sent);
    }

    fn open_relay(&mut self, now: Instant, registry: &Registry, wish: &OpenRelay) {
        let relayed = match self.relay_sockets.open(wish) {
            Ok((first, second)) => {
                let relayed = first.relayed;
                let next = match wish.port {
                    PortRequirement::EvenAndNext(next) => second.map(|second| (next, second)),
                    PortRequirement::Any | PortRequirement::Even => None,
                };
                let ids = [Some(wish.relay), next.as_ref().map(|(next, _)| *next)];
                let all = [Some((wish.relay, first)), next].into_iter().flatten();
                // Every one of them, even after a failure, so that each is known or released.
                let failed =
                    all.map(|(relay, opened)| self.register_relay(registry, relay, opened)).filter(|done| !done);
                if failed.count() > 0 {
                    ids.into_iter().flatten().for_each(|relay| self.close_relay(registry, relay));
                    None
                } else {
                    tracing::debug!(%relayed, "a relay is open");
                    Some(relayed)
                }
            }
            Err(why) => {
                tracing::warn!(%why, "no relay can be opened");
                None
            }
        };
        self.core.handle_input(now, Input::RelayOpened { relay: wish.relay, relayed });
    }

    fn register_relay(&mut self, registry: &Registry, relay: RelayId, opened: Opened) -> bool {
        let index = relay.0 as usize;
        let Opened { mut socket, local, relayed } = opened;
        let token: Token = tokens::relay(index);
        if registry.register(&mut socket, token, Interest::READABLE).is_err() {
            self.relay_sockets.release(local);
            return false;
        }
        if self.relays.len() <= index {
            self.relays.resize_with(index + 1, || None);
        }
        self.live.insert(relayed);
        self.relays[index] = Some(Socket { socket, local, relayed: Some(relayed), queued: false });
        true
    }

    fn close_relay(&mut self, registry: &Registry, relay: RelayId) {
        let Some(mut socket) = self.relays.get_mut(relay.0 as usize).and_then(Option::take) else { return };
        let _ = registry.deregister(&mut socket.socket);
        self.relay_sockets.release(socket.local);
        if let Some(relayed) = &socket.relayed {
            self.live.remove(relayed);
        }
        tracing::debug!(local = %socket.local, "a relay is closed");
    }

    fn publish(&mut self) {
        let now = self.core.counters();
        if *now != self.published || self.unsent > 0 {
            self.metrics.publish(&self.published, now, self.unsent);
            self.published = now.clone();
            self.unsent = 0;
        }
    }
}

/// The packet's bytes in one piece: relayed data stays where it was received, and its header is
/// written into the room in front of it.
fn assemble<'a>(buffer: &'a mut [u8], transmit: &'a Transmit) -> &'a [u8] {
    let range = match &transmit.body {
        Body::Own(bytes) => return bytes,
        Body::Input(range) => range,
    };
    let (start, end) = (HEADROOM + range.start, HEADROOM + range.end);
    let head = transmit.head.as_slice();
    let begin = start - head.len();
    buffer[begin..start].copy_from_slice(head);
    buffer[end..end + transmit.padding].fill(0);
    &buffer[begin..end + transmit.padding]
}

/// The wall clock.
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
