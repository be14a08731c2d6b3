//! The shard: a thread that owns the core and every UDP socket, and waits in one place.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use madang_turn::{Body, Counters, Head, Input, OpenRelay, Output, PortRequirement, RelayId, Route, Server, Transmit};
use madang_wire::{FiveTuple, Transport};
use mio::{Events, Interest, Poll, Token, Waker, net::UdpSocket};
use tokio::sync::mpsc;

use super::{
    metrics::TurnMetrics,
    relay_socket::{Opened, RelaySockets},
    stream::PacketSender,
};

const WAKE: Token = Token(0);
const FIRST_LISTENER: usize = 1;
const FIRST_RELAY: usize = 1 << 16;

/// Packets taken from one socket before the others get their turn.
const BURST: usize = 64;

/// Commands taken before sockets get their turn.
const COMMANDS: usize = 256;

/// Room in front of what is received, for the header that goes there before it is sent on.
const HEADROOM: usize = Head::MAX;

/// The largest datagram, and room for padding after it.
const LARGEST: usize = 65_536 + 4;

/// How often the core is told the wall clock.
const CLOCK: Duration = Duration::from_secs(30);

/// What the control plane asks of a shard.
#[derive(Debug)]
pub(super) enum Command {
    /// A TCP or TLS connection begins; packets for it go to `to`.
    Opened { client: FiveTuple, connection: u64, to: PacketSender },
    /// A message came on it.
    Frame { client: FiveTuple, data: Bytes },
    /// It has ended.
    Closed { client: FiveTuple, connection: u64 },
}

/// What may never be lost to a full queue.
#[derive(Debug, Default)]
struct Asked {
    /// No new allocations.
    drain: AtomicBool,
    /// End the thread.
    stop: AtomicBool,
}

/// The way to a shard.
#[derive(Clone, Debug)]
pub(super) struct ShardSender {
    commands: mpsc::Sender<Command>,
    asked: Arc<Asked>,
    waker: Arc<Waker>,
}

impl ShardSender {
    /// Waits for room in the queue, so that a fast TCP client is slowed down and not cut off.
    /// `false` when the shard has ended.
    pub(super) async fn send(&self, command: Command) -> bool {
        let sent = self.commands.send(command).await.is_ok();
        self.wake();
        sent
    }

    /// No new allocations from its next round on.
    pub(super) fn drain(&self) {
        self.asked.drain.store(true, Ordering::Release);
        self.wake();
    }

    /// Ends the thread within its next round.
    pub(super) fn stop(&self) {
        self.asked.stop.store(true, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        // Fails only when the event queue is gone, and with it the shard.
        let _ = self.waker.wake();
    }
}

struct Socket {
    socket: UdpSocket,
    local: SocketAddr,
    /// It stands in the queue of those that have more to read.
    queued: bool,
}

struct Stream {
    connection: u64,
    to: PacketSender,
}

#[derive(Clone, Copy, Debug)]
enum Source {
    Listener(usize),
    Relay(usize),
}

/// See the module.
pub(super) struct Shard {
    poll: Poll,
    core: Server,
    listeners: Vec<Socket>,
    relays: Vec<Option<Socket>>,
    relay_sockets: RelaySockets,
    streams: HashMap<FiveTuple, Stream>,
    commands: mpsc::Receiver<Command>,
    asked: Arc<Asked>,
    drained: bool,
    buffer: Box<[u8]>,
    ready: VecDeque<Source>,
    metrics: TurnMetrics,
    published: Counters,
    unsent: u64,
    clock_due: Instant,
}

impl Shard {
    /// A shard that is ready to [`Shard::run`], and the way to it.
    pub(super) fn new(
        core: Server,
        listeners: Vec<std::net::UdpSocket>,
        relay_sockets: RelaySockets,
        metrics: TurnMetrics,
    ) -> io::Result<(Self, ShardSender)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let (sender, commands) = mpsc::channel(1024);
        let mut sockets = Vec::new();
        for (index, socket) in listeners.into_iter().enumerate() {
            let local = socket.local_addr()?;
            let mut socket = UdpSocket::from_std(socket);
            poll.registry().register(&mut socket, Token(FIRST_LISTENER + index), Interest::READABLE)?;
            sockets.push(Socket { socket, local, queued: false });
        }
        let shard = Self {
            poll,
            core,
            listeners: sockets,
            relays: Vec::new(),
            relay_sockets,
            streams: HashMap::new(),
            commands,
            asked: Arc::default(),
            drained: false,
            buffer: vec![0; HEADROOM + LARGEST].into_boxed_slice(),
            ready: VecDeque::new(),
            metrics,
            published: Counters::default(),
            unsent: 0,
            clock_due: Instant::now() + CLOCK,
        };
        let asked = shard.asked.clone();
        Ok((shard, ShardSender { commands: sender, asked, waker }))
    }

    /// Serves until told to stop.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(1024);
        let (mut next, mut busy) = (None, false);
        while !self.asked.stop.load(Ordering::Acquire) {
            let timeout = if busy { Duration::ZERO } else { self.timeout(next) };
            if let Err(why) = self.poll.poll(&mut events, Some(timeout))
                && why.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%why, "the TURN shard cannot wait for packets");
                return;
            }
            for event in &events {
                self.is_ready(event.token());
            }
            if !self.drained && self.asked.drain.load(Ordering::Acquire) {
                self.drained = true;
                self.input(Instant::now(), Input::Drain);
            }
            let commands_left = self.take_commands();
            self.read_ready();
            busy = commands_left || !self.ready.is_empty();
            let now = Instant::now();
            if now >= self.clock_due {
                self.clock_due = now + CLOCK;
                self.input(now, Input::Clock { unix_seconds: unix_seconds() });
            }
            next = self.input(now, Input::Timeout);
            self.publish();
        }
    }

    fn timeout(&self, next: Option<Instant>) -> Duration {
        let until = next.map_or(self.clock_due, |next| next.min(self.clock_due));
        // Rounded up, for waking a moment too early would mean waking twice.
        until.saturating_duration_since(Instant::now()) + Duration::from_millis(1)
    }

    fn is_ready(&mut self, token: Token) {
        let source = match token.0 {
            0 => return,
            index if index < FIRST_RELAY => Source::Listener(index - FIRST_LISTENER),
            index => Source::Relay(index - FIRST_RELAY),
        };
        if let Some(socket) = self.socket(source)
            && !socket.queued
        {
            socket.queued = true;
            self.ready.push_back(source);
        }
    }

    fn socket(&mut self, source: Source) -> Option<&mut Socket> {
        match source {
            Source::Listener(index) => self.listeners.get_mut(index),
            Source::Relay(index) => self.relays.get_mut(index)?.as_mut(),
        }
    }

    /// Reads from each ready socket once around; those with more stay in the queue.
    fn read_ready(&mut self) {
        for _ in 0..self.ready.len() {
            let Some(source) = self.ready.pop_front() else { return };
            let more = self.read_burst(source);
            let Some(socket) = self.socket(source) else { continue };
            socket.queued = more;
            if more {
                self.ready.push_back(source);
            }
        }
    }

    fn read_burst(&mut self, source: Source) -> bool {
        let now = Instant::now();
        for _ in 0..BURST {
            let received = match source {
                Source::Listener(index) => self.listeners.get(index).map(|socket| (&socket.socket, socket.local)),
                Source::Relay(index) => {
                    self.relays.get(index).and_then(Option::as_ref).map(|socket| (&socket.socket, socket.local))
                }
            };
            let Some((socket, local)) = received else { return false };
            let room = self.buffer.len() - 4;
            match socket.recv_from(&mut self.buffer[HEADROOM..room]) {
                Ok((length, from)) => self.received(now, source, local, from, length),
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => return false,
                // ICMP errors of earlier packets show up here; they end nothing.
                Err(_) => {}
            }
        }
        true
    }

    fn received(&mut self, now: Instant, source: Source, local: SocketAddr, from: SocketAddr, length: usize) {
        let data = &self.buffer[HEADROOM..HEADROOM + length];
        let input = match source {
            Source::Listener(_) => {
                let from = FiveTuple { client: from, server: local, transport: Transport::Udp };
                Input::Client { from, data }
            }
            Source::Relay(index) => {
                Input::Peer { relay: RelayId(u32::try_from(index).unwrap_or(u32::MAX)), from, data }
            }
        };
        self.core.handle_input(now, input);
        self.flush(now);
    }

    /// Gives the core an input without data; says when it wants to be called again.
    fn input(&mut self, now: Instant, input: Input<'_>) -> Option<Instant> {
        self.core.handle_input(now, input);
        self.flush(now)
    }

    /// Says whether there may be more, for which no further wake-up comes.
    fn take_commands(&mut self) -> bool {
        for _ in 0..COMMANDS {
            let Ok(command) = self.commands.try_recv() else { return false };
            let now = Instant::now();
            match command {
                Command::Opened { client, connection, to } => {
                    if self.streams.insert(client, Stream { connection, to }).is_some() {
                        self.input(now, Input::Disconnected { client });
                    }
                }
                Command::Frame { client, data } => {
                    let length = data.len().min(LARGEST - 4);
                    self.buffer[HEADROOM..HEADROOM + length].copy_from_slice(&data[..length]);
                    let data = &self.buffer[HEADROOM..HEADROOM + length];
                    self.core.handle_input(now, Input::Client { from: client, data });
                    self.flush(now);
                }
                Command::Closed { client, connection } => {
                    // Unless the same five-tuple has come back meanwhile, which is another's allocation.
                    if self.streams.get(&client).is_none_or(|stream| stream.connection == connection) {
                        self.streams.remove(&client);
                        self.input(now, Input::Disconnected { client });
                    }
                }
            }
        }
        true
    }

    /// Does what the core wants done.
    fn flush(&mut self, now: Instant) -> Option<Instant> {
        loop {
            match self.core.poll_output() {
                Output::Transmit(transmit) => self.transmit(&transmit),
                Output::OpenRelay(wish) => self.open_relay(now, &wish),
                Output::CloseRelay(relay) => self.close_relay(relay),
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

    fn open_relay(&mut self, now: Instant, wish: &OpenRelay) {
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
                let failed = all.map(|(relay, opened)| self.register(relay, opened)).filter(|done| !done);
                if failed.count() > 0 {
                    ids.into_iter().flatten().for_each(|relay| self.close_relay(relay));
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

    fn register(&mut self, relay: RelayId, opened: Opened) -> bool {
        let index = relay.0 as usize;
        let Opened { mut socket, local, .. } = opened;
        let token = Token(FIRST_RELAY + index);
        if self.poll.registry().register(&mut socket, token, Interest::READABLE).is_err() {
            self.relay_sockets.release(local);
            return false;
        }
        if self.relays.len() <= index {
            self.relays.resize_with(index + 1, || None);
        }
        self.relays[index] = Some(Socket { socket, local, queued: false });
        true
    }

    fn close_relay(&mut self, relay: RelayId) {
        let Some(mut socket) = self.relays.get_mut(relay.0 as usize).and_then(Option::take) else { return };
        let _ = self.poll.registry().deregister(&mut socket.socket);
        self.relay_sockets.release(socket.local);
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
pub(super) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
