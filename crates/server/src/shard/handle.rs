//! Opening media ports, starting shards, and holding on to them.

use std::{collections::HashMap, io, net::SocketAddr, sync::Arc, thread, time::Instant};

use madang_media::{
    mcu::{Job, MixerConfig},
    session::{Certificate, LocalCandidate},
    sfu::{RoomKey, Sfu, SfuConfig},
};
use madang_protocol::{MediaCommand, MediaEvent};
use madang_udp::{Options, UdpSocket};
use tokio::{sync::mpsc, task::JoinHandle};

use super::{
    ShardSender, TurnPart,
    live_relays::LiveRelays,
    media::{MediaPart, MediaPorts, MediaSocket},
    run::Shard,
    tcp::{MediaStreams, SharedPort},
};
use crate::{
    addresses::PublicAddresses,
    config::{Media, Mix},
    metrics::MediaMetrics,
    mixing::{Pool, mixer_config, warn_of_fonts},
    shard::plane::MediaPlane,
    turn::{expand, interfaces, open_tcp},
};

/// Events of rooms that wait for the control plane, from each shard.
const EVENTS: usize = 4096;

/// The data plane could not start. The process ends.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A media port cannot be used.
    #[error("`media.listen` = {address}: cannot be opened: {source}")]
    Open {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A thread or its event queue cannot be made.
    #[error("a data plane thread cannot start: {0}")]
    Thread(io::Error),
}

/// One shard's media ports: UDP, and TCP on the same number.
struct ShardPorts {
    sockets: Vec<MediaSocket>,
    tcp: Vec<(std::net::TcpListener, SocketAddr)>,
}

/// Open media ports, before the shards that will own them.
pub(crate) struct OpenMedia {
    shards: Vec<ShardPorts>,
    last_n: usize,
    gather: std::time::Duration,
    /// What clients are told of HTTP's ports, where ICE-TCP is served too, by what they reach.
    shared: HashMap<SocketAddr, SocketAddr>,
    mixing: Option<Mixing>,
}

/// How rooms are mixed, and on how many threads.
struct Mixing {
    config: MixerConfig,
    threads: usize,
}

impl OpenMedia {
    /// Opens the ports of `media.listen`: the first shard gets the port that is configured, and
    /// each further one the next. Port 0 takes free ones.
    pub(crate) fn new(
        config: &Media,
        mix: &Mix,
        public: &PublicAddresses,
        http: &[SocketAddr],
    ) -> Result<Self, StartError> {
        let count = match config.shards {
            0 => thread::available_parallelism().map_or(1, usize::from),
            count => count,
        };
        let interfaces = interfaces();
        let mut shards = Vec::new();
        for shard in 0..count {
            let mut ports = ShardPorts { sockets: Vec::new(), tcp: Vec::new() };
            for &listen in config.listen.iter() {
                for mut address in expand(listen, &interfaces) {
                    let offset = u16::try_from(shard).unwrap_or(u16::MAX);
                    if address.port() != 0 {
                        address.set_port(address.port().saturating_add(offset));
                    }
                    ports.open(address, public)?;
                }
            }
            shards.push(ports);
        }
        let shared = http.iter().flat_map(|listen| expand(*listen, &interfaces));
        let shared = shared.map(|address| (address, advertised(address, public))).collect();
        let mixing = Some(Mixing { config: mixer_config(mix), threads: mix.threads });
        Ok(Self { shards, last_n: config.last_n, gather: config.gather.0, shared, mixing })
    }

    /// No media ports: one shard, for TURN alone.
    pub(crate) fn none() -> Self {
        let shards = vec![ShardPorts { sockets: Vec::new(), tcp: Vec::new() }];
        Self { shards, last_n: usize::MAX, gather: std::time::Duration::ZERO, shared: HashMap::new(), mixing: None }
    }

    /// How many shards there are going to be.
    pub(crate) fn shards(&self) -> usize {
        self.shards.len()
    }

    /// What clients are told.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.shards.iter().flat_map(|shard| &shard.sockets).map(|socket| socket.advertised).collect()
    }
}

impl ShardPorts {
    fn open(&mut self, address: SocketAddr, public: &PublicAddresses) -> Result<(), StartError> {
        let (udp, tcp) = open_pair(address).map_err(|source| StartError::Open { address, source })?;
        let address = udp.local_addr();
        let advertised = advertised(address, public);
        self.sockets.push(MediaSocket::new(udp, advertised));
        self.tcp.push((tcp, advertised));
        Ok(())
    }
}

/// What clients are told of an address of ours.
fn advertised(address: SocketAddr, public: &PublicAddresses) -> SocketAddr {
    SocketAddr::new(public.of(address.ip()), address.port())
}

/// The running shards. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Shards {
    senders: Vec<ShardSender>,
    threads: Vec<thread::JoinHandle<()>>,
    accepting: Vec<JoinHandle<()>>,
    shared_port: SharedPort,
    /// What runs the mixers' jobs. It ends after the threads that wait for them.
    pool: Option<Pool<Job>>,
}

/// Events of all shards, for the rooms.
pub(crate) type Events = mpsc::Receiver<(RoomKey, MediaEvent)>;

impl Shards {
    /// Starts a thread for each set of ports, with a TURN part each. Needs a tokio runtime.
    pub(crate) fn start(
        turn: Vec<TurnPart>,
        relays: &LiveRelays,
        media: OpenMedia,
        metrics: &MediaMetrics,
    ) -> Result<(Self, Events), StartError> {
        let (events, receiver) = mpsc::channel(EVENTS * media.shards.len());
        let certificate = Certificate::generate();
        let mut by_address = HashMap::new();
        for (index, shard) in media.shards.iter().enumerate() {
            by_address.extend(shard.sockets.iter().map(|socket| (socket.advertised, index)));
        }
        let ports = MediaPorts(Arc::new(by_address));
        let streams = MediaStreams::new();
        let pool = media.mixing.as_ref().map(|mixing| Pool::start(mixing.threads, metrics.mix.pool()));
        let pool = pool.transpose().map_err(StartError::Thread)?;
        let shared = media.shared.values().map(|address| LocalCandidate { address: *address, tcp: true });
        let shared: Vec<LocalCandidate> = shared.collect();
        let (mut shards, mut senders, mut accepting) = (Vec::new(), Vec::new(), Vec::new());
        for (index, (opened, turn)) in media.shards.into_iter().zip(turn).enumerate() {
            let udp = opened.sockets.iter().map(|socket| LocalCandidate { address: socket.advertised, tcp: false });
            let tcp = opened.tcp.iter().map(|(_, address)| LocalCandidate { address: *address, tcp: true });
            let config = SfuConfig {
                candidates: udp.chain(tcp).chain(shared.clone()).collect(),
                certificate: certificate.clone(),
                last_n: media.last_n,
                mixer: media.mixing.as_ref().map(|mixing| mixing.config.clone()),
                gather: media.gather,
            };
            let sfu = Sfu::new(config, Instant::now());
            let part = MediaPart::new(sfu, opened.sockets, relays.clone(), events.clone(), metrics.clone());
            let known = (ports.clone(), relays.clone());
            let (mut shard, sender) = Shard::new(index, turn, part, known).map_err(StartError::Thread)?;
            if let Some(pool) = &pool {
                let back = sender.clone();
                shard.run_jobs_on(pool.sender(move |job| back.done(job)));
            }
            for (listener, address) in opened.tcp {
                let task = streams.accept(listener, address, sender.clone());
                accepting.push(task.map_err(|source| StartError::Open { address, source })?);
            }
            shards.push(shard);
            senders.push(sender);
        }
        let mut threads = Vec::new();
        for (index, shard) in shards.into_iter().enumerate() {
            let others = senders.clone();
            let thread = thread::Builder::new().name(format!("shard-{index}"));
            threads.push(thread.spawn(move || shard.run(&others)).map_err(StartError::Thread)?);
        }
        let shared_port = SharedPort::new(streams, &senders, media.shared);
        if let Some(mixing) = media.mixing {
            warn_of_fonts(mixing.config.fonts);
        }
        Ok((Self { senders, threads, accepting, shared_port, pool }, receiver))
    }

    /// Who takes ICE-TCP connections on HTTP's ports.
    pub(crate) fn shared_port(&self) -> SharedPort {
        self.shared_port.clone()
    }

    /// The ways to all of them.
    pub(crate) fn senders(&self) -> &[ShardSender] {
        &self.senders
    }

    /// The way to the shard of each room.
    pub(crate) fn rooms(&self) -> RoomShards {
        RoomShards(self.senders.clone().into())
    }

    /// Whether a thread has ended by itself, by a fault: its rooms and relays are served no more.
    pub(crate) fn is_dead(&self) -> bool {
        self.threads.iter().any(thread::JoinHandle::is_finished)
    }

    /// Ends everything, and waits for it.
    pub(crate) async fn stop(mut self) {
        self.end();
        for thread in std::mem::take(&mut self.threads) {
            // The thread answers within one round of its loop; a panic in it has been reported.
            let _ = tokio::task::spawn_blocking(|| thread.join()).await;
        }
        let pool = self.pool.take();
        // It waits for jobs of milliseconds.
        let _ = tokio::task::spawn_blocking(|| drop(pool)).await;
    }

    fn end(&self) {
        for task in &self.accepting {
            task.abort();
        }
        for sender in &self.senders {
            sender.stop();
        }
        if let Some(pool) = &self.pool {
            pool.close();
        }
    }
}

impl Drop for Shards {
    fn drop(&mut self) {
        self.end();
    }
}

/// Brings each room's commands to its shard.
#[derive(Clone, Debug)]
pub(crate) struct RoomShards(Arc<[ShardSender]>);

impl MediaPlane for RoomShards {
    fn command(&self, room: RoomKey, command: MediaCommand) {
        let shard = &self.0[(room.0 % self.0.len() as u64) as usize];
        if !shard.room(room, command) {
            tracing::error!(room = room.0, "a shard takes no more commands: it is stuck or has ended");
        }
    }
}

/// How often port 0 is tried until the port that TCP got is free for UDP too.
const TRIES: usize = 16;

/// What a burst of media may need while the shard is busy elsewhere. The kernel may grant less.
const BUFFER: usize = 4 << 20;

/// UDP and TCP on the same port; port 0 takes one that is free for both.
fn open_pair(address: SocketAddr) -> io::Result<(UdpSocket, std::net::TcpListener)> {
    let options = Options { receive_buffer: BUFFER, send_buffer: BUFFER, ..Options::default() };
    let tries = if address.port() == 0 { TRIES } else { 1 };
    let mut failure = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..tries {
        let tcp = open_tcp(address)?;
        match UdpSocket::bind(tcp.local_addr()?, options) {
            Ok(udp) => return Ok((udp, tcp)),
            Err(why) => failure = why,
        }
    }
    Err(failure)
}
