//! The media part of a shard: the forwarder, its UDP sockets, and the way to ICE-TCP clients.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::SocketAddr,
    os::fd::AsRawFd,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use madang_media::{
    egress::Way,
    mcu::Job,
    session::{Transmit, Transport},
    sfu::{Counters, Input, Output, RoomKey, Sfu},
};
use madang_protocol::{MediaCommand, MediaEvent};
use madang_turn::Directory;
use madang_udp::{ReceiveBatch, SendBatch, UdpSocket};
use mio::{Interest, Registry, unix::SourceFd};
use tokio::sync::mpsc;

use super::{FromRelay, live_relays::LiveRelays, tokens};
use crate::{metrics::MediaMetrics, mixing::JobSender, turn::PacketSender};

/// Messages taken by one call. With merging (UDP_GRO) each may hold dozens of datagrams.
const MESSAGES: usize = 32;

/// Calls to one socket before the others get their turn.
const BURSTS: usize = 4;

/// What waits for one call: about what a keyframe is for two hundred receivers.
const SEND_BYTES: usize = 1 << 20;
const SEND_PACKETS: usize = 1024;

/// How often counters are brought to the metrics while there is anything to do.
const PUBLISH: Duration = Duration::from_millis(250);

/// Events of rooms on their way to the control plane.
pub(super) type EventSender = mpsc::Sender<(RoomKey, MediaEvent)>;

/// Which media port is on which shard.
#[derive(Clone, Debug, Default)]
pub(super) struct MediaPorts(pub(super) Arc<HashMap<SocketAddr, usize>>);

impl MediaPorts {
    pub(super) fn shard_of(&self, media: &SocketAddr) -> Option<usize> {
        self.0.get(media).copied()
    }
}

/// A UDP port for media.
pub(super) struct MediaSocket {
    socket: UdpSocket,
    out: SendBatch,
    /// What the other ends are told: differs from where it is bound behind a 1:1 NAT.
    pub(super) advertised: SocketAddr,
    queued: bool,
}

impl MediaSocket {
    pub(super) fn new(socket: UdpSocket, advertised: SocketAddr) -> Self {
        Self { socket, out: SendBatch::new(SEND_BYTES, SEND_PACKETS), advertised, queued: false }
    }

    /// Queues a packet; says how many were lost to a full socket buffer, as a network would lose
    /// them.
    fn push(&mut self, to: SocketAddr, data: &[u8]) -> u64 {
        if self.out.push(to, &[data]).is_ok() {
            return 0;
        }
        let lost = self.flush();
        lost + u64::from(self.out.push(to, &[data]).is_err())
    }

    fn flush(&mut self) -> u64 {
        if self.out.is_empty() { 0 } else { self.out.flush(&self.socket).dropped }
    }
}

struct TcpPeer {
    connection: u64,
    to: PacketSender,
}

/// The ways out: UDP ports, connections of ICE-TCP clients, relays of ours.
struct Ways {
    sockets: Vec<MediaSocket>,
    peers: HashMap<(SocketAddr, SocketAddr), TcpPeer>,
    relays: LiveRelays,
    for_relays: Vec<FromRelay>,
    /// Packets that found no room.
    unsent: u64,
}

impl Ways {
    fn send(&mut self, way: Way, data: &[u8]) {
        match way.transport {
            Transport::Tcp => {
                let peer = self.peers.get(&(way.to, way.from));
                self.unsent += u64::from(!peer.is_some_and(|peer| peer.to.send(&[data])));
            }
            Transport::Udp if self.relays.shard_of(&way.to).is_some() => {
                self.for_relays.push(FromRelay {
                    relayed: way.to,
                    media: way.from,
                    data: Bytes::copy_from_slice(data),
                });
            }
            Transport::Udp => {
                let socket = self.sockets.iter_mut().find(|socket| socket.advertised == way.from);
                self.unsent += socket.map_or(1, |socket| socket.push(way.to, data));
            }
        }
    }

    fn flush(&mut self) {
        for socket in &mut self.sockets {
            self.unsent += socket.flush();
        }
    }
}

/// See the module.
pub(super) struct MediaPart {
    sfu: Sfu,
    ways: Ways,
    events: EventSender,
    /// Events that found no room in the queue.
    waiting: VecDeque<(RoomKey, MediaEvent)>,
    /// What mixers want done elsewhere, and the way there; without it no room is mixed.
    #[expect(clippy::vec_box, reason = "as the forwarder gives and takes them")]
    jobs: Vec<Box<Job>>,
    pool: Option<JobSender<Job>>,
    received: ReceiveBatch,
    metrics: MediaMetrics,
    published: Counters,
    publish_at: Instant,
}

impl MediaPart {
    pub(super) fn new(
        sfu: Sfu,
        sockets: Vec<MediaSocket>,
        relays: LiveRelays,
        events: EventSender,
        metrics: MediaMetrics,
    ) -> Self {
        Self {
            sfu,
            ways: Ways { sockets, peers: HashMap::new(), relays, for_relays: Vec::new(), unsent: 0 },
            events,
            waiting: VecDeque::new(),
            jobs: Vec::new(),
            pool: None,
            received: ReceiveBatch::new(MESSAGES, 0),
            metrics,
            published: Counters::default(),
            publish_at: Instant::now(),
        }
    }

    /// Who runs the jobs of mixers; they come back by [`Self::done`].
    pub(super) fn run_jobs_on(&mut self, pool: JobSender<Job>) {
        self.pool = Some(pool);
    }

    pub(super) fn register(&mut self, registry: &Registry) -> io::Result<()> {
        for (index, socket) in self.ways.sockets.iter().enumerate() {
            let descriptor = socket.socket.as_raw_fd();
            registry.register(&mut SourceFd(&descriptor), tokens::media(index), Interest::READABLE)?;
        }
        Ok(())
    }

    /// Marks a socket as ready; `false` when it was already.
    pub(super) fn queue(&mut self, index: usize) -> bool {
        self.ways.sockets.get_mut(index).is_some_and(|socket| !std::mem::replace(&mut socket.queued, true))
    }

    pub(super) fn command(&mut self, now: Instant, room: RoomKey, command: MediaCommand) {
        self.sfu.handle_input(now, Input::Command { room, command });
    }

    /// A job of a mixer has been run.
    pub(super) fn done(&mut self, now: Instant, job: Box<Job>) {
        self.sfu.handle_input(now, Input::Done(job));
    }

    /// Reads a burst; says whether there may be more.
    pub(super) fn read(&mut self, index: usize) -> bool {
        let now = Instant::now();
        for _ in 0..BURSTS {
            let Self { sfu, ways, received, .. } = self;
            let Some(socket) = ways.sockets.get_mut(index) else { return false };
            match received.receive(&socket.socket) {
                Ok(_) => {
                    let to = socket.advertised;
                    for datagram in received.datagrams() {
                        let (from, data) = (datagram.from, datagram.data());
                        sfu.handle_input(now, Input::Packet { transport: Transport::Udp, from, to, data });
                        if sfu.is_full() {
                            sfu.drain_packets(|way, data| ways.send(way, data));
                        }
                    }
                }
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => {
                    socket.queued = false;
                    return false;
                }
                // ICMP errors of earlier packets show up here; they end nothing.
                Err(_) => {}
            }
        }
        true
    }

    /// A client's packet for a media port, by a relay of ours.
    pub(super) fn take_from_relay(&mut self, now: Instant, packet: &FromRelay) {
        let (from, to, data) = (packet.relayed, packet.media, &packet.data[..]);
        self.sfu.handle_input(now, Input::Packet { transport: Transport::Udp, from, to, data });
    }

    pub(super) fn opened(&mut self, from: SocketAddr, media: SocketAddr, connection: u64, to: PacketSender) {
        self.ways.peers.insert((from, media), TcpPeer { connection, to });
    }

    pub(super) fn frame(&mut self, now: Instant, from: SocketAddr, to: SocketAddr, data: &[u8]) {
        self.sfu.handle_input(now, Input::Packet { transport: Transport::Tcp, from, to, data });
    }

    pub(super) fn closed(&mut self, from: SocketAddr, media: SocketAddr, connection: u64) {
        // Unless the same addresses have come back meanwhile.
        if self.ways.peers.get(&(from, media)).is_some_and(|peer| peer.connection == connection) {
            self.ways.peers.remove(&(from, media));
        }
    }

    /// Lets time pass and sends what is due. Says when it wants to be called again.
    pub(super) fn settle(&mut self, now: Instant) -> Option<Instant> {
        self.sfu.handle_input(now, Input::Timeout);
        let Self { sfu, ways, .. } = self;
        let due = loop {
            match sfu.poll_output() {
                Output::Transmit(Transmit { transport, from, to, data }) => {
                    ways.send(Way { transport, from, to }, &data);
                }
                Output::Job(job) => self.jobs.push(job),
                Output::Event { room, event } => self.waiting.push_back((room, event)),
                Output::Timeout(due) => break due,
            }
        };
        sfu.drain_packets(|way, data| ways.send(way, data));
        ways.flush();
        // After the packets: what is to be sent does not wait for what is to be mixed.
        if let Some(pool) = &self.pool {
            pool.send(&mut self.jobs);
        }
        self.tell();
        [due, self.publish(now)].into_iter().flatten().min()
    }

    /// Brings the counters to the metrics, once in a while. Says when the next time is, as long as
    /// there may be news: the last link's end is news too, though nothing happens after it.
    fn publish(&mut self, now: Instant) -> Option<Instant> {
        if now < self.publish_at {
            return Some(self.publish_at);
        }
        self.publish_at = now + PUBLISH;
        let counters = self.sfu.counters();
        self.metrics.publish(&self.published, &counters, std::mem::take(&mut self.ways.unsent));
        let has_news = std::mem::replace(&mut self.published, counters) != counters;
        has_news.then_some(self.publish_at)
    }

    pub(super) fn take_for_relays(&mut self) -> Vec<FromRelay> {
        std::mem::take(&mut self.ways.for_relays)
    }

    /// Passes events on, in their order, as far as the queue takes them.
    fn tell(&mut self) {
        while let Some(event) = self.waiting.pop_front() {
            if let Err(why) = self.events.try_send(event) {
                if let mpsc::error::TrySendError::Full(event) = why {
                    self.waiting.push_front(event);
                }
                return;
            }
        }
    }
}
