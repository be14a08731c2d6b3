//! TCP and TLS connections: tokio tasks that exchange whole messages with the shard.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use madang_wire::{FiveTuple, Pii, StreamFramer, Transport, stun::granted_lifetime};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    listen::{Permit, Permits},
    shard::{Command, ShardSender, StreamCommand},
    turn::splice::Splice,
};

/// A connection has this long for its TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A connection without an allocation is closed after this silence.
const IDLE: Duration = Duration::from_secs(60);

/// How much longer than the longest lifetime a connection with an allocation may be silent.
const GRACE: Duration = Duration::from_secs(60);

/// The longest message of a client: a datagram's worth of data and its header.
const LONGEST: usize = 65_536;

/// The same of one without an allocation: requests are short.
const LONGEST_OF_STRANGER: usize = 2048;

/// Packets that wait for one client before data is dropped.
const QUEUE: usize = 1024;

/// Bytes that wait for one client before data is dropped: more than a second of good video.
const QUEUE_BYTES: usize = 512 * 1024;

/// A write that takes longer than this is to a client that has gone.
const STALLED: Duration = Duration::from_secs(30);

/// TCP connections in all, over TCP and TLS.
const CONNECTIONS: u32 = 50_000;

/// Connections in all that hold no allocation: an allocation has shown who it is, these haven't.
const STRANGERS: u32 = 8192;

/// The same of one network, a /24 or a /56.
const STRANGERS_PER_NETWORK: u32 = 256;

/// What the connections share.
#[derive(Clone, Debug)]
pub(crate) struct Streams {
    shards: Arc<[ShardSender]>,
    permits: Permits,
    /// Of connections without an allocation, handshake or not.
    strangers: Permits,
    connections: Arc<AtomicU64>,
    /// Of an allocation.
    longest_lifetime: Duration,
}

impl Streams {
    pub(super) fn new(shards: &[ShardSender], per_address: usize, longest_lifetime: Duration) -> Self {
        let per_address = u32::try_from(per_address).unwrap_or(u32::MAX);
        Self {
            shards: shards.into(),
            permits: Permits::new(CONNECTIONS, per_address),
            strangers: Permits::by_network(STRANGERS, STRANGERS_PER_NETWORK),
            connections: Arc::default(),
            longest_lifetime,
        }
    }

    /// Connections of one address from now on. Those that live go on.
    pub(super) fn limit(&self, per_address: usize) {
        self.permits.limit(CONNECTIONS, u32::try_from(per_address).unwrap_or(u32::MAX));
    }

    /// Accepts on all listeners, in tasks of their own.
    pub(super) fn accept(
        &self,
        tcp: Vec<std::net::TcpListener>,
        tls: Vec<std::net::TcpListener>,
        config: Option<Arc<rustls::ServerConfig>>,
    ) -> io::Result<Vec<JoinHandle<()>>> {
        let acceptor = config.map(TlsAcceptor::from);
        let plain = tcp.into_iter().map(|listener| (listener, None));
        let encrypted = tls.into_iter().map(|listener| (listener, acceptor.clone()));
        plain
            .chain(encrypted)
            .map(|(listener, tls)| Ok(tokio::spawn(self.clone().listen(TcpListener::from_std(listener)?, tls))))
            .collect()
    }

    async fn listen(self, listener: TcpListener, tls: Option<TlsAcceptor>) {
        loop {
            match listener.accept().await {
                Ok((stream, client)) => {
                    let Some(permit) = self.permits.acquire(client.ip()) else { continue };
                    let Some(stranger) = self.strangers.acquire(client.ip()) else { continue };
                    tokio::spawn(self.clone().serve(stream, client, tls.clone(), [permit, stranger]));
                }
                Err(why) => {
                    // Most likely out of file descriptors; some will be free in a moment.
                    tracing::warn!(%why, "a TURN connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn serve(self, stream: TcpStream, client: SocketAddr, tls: Option<TlsAcceptor>, permits: [Permit; 2]) {
        let _ = stream.set_nodelay(true);
        let Ok(server) = stream.local_addr() else { return };
        let [permit, stranger] = permits;
        let tuple = |transport| FiveTuple { client, server, transport };
        match tls {
            None => self.exchange(stream, tuple(Transport::Tcp), stranger).await,
            Some(tls) => match timeout(HANDSHAKE, tls.accept(stream)).await {
                Ok(Ok(stream)) => self.exchange(stream, tuple(Transport::Tls), stranger).await,
                Ok(Err(why)) => tracing::debug!(%why, client = %Pii(client), "a TLS handshake for TURN failed"),
                Err(_) => tracing::debug!(client = %Pii(client), "a TLS handshake for TURN took too long"),
            },
        }
        drop(permit);
    }

    /// Takes over a connection that was accepted elsewhere.
    pub(crate) async fn take(&self, stream: impl AsyncRead + AsyncWrite, client: FiveTuple) {
        let address = client.client.ip();
        let (Some(permit), Some(stranger)) = (self.permits.acquire(address), self.strangers.acquire(address)) else {
            return;
        };
        self.exchange(stream, client, stranger).await;
        drop(permit);
    }

    /// Speaks TURN on a stream until either side has had enough.
    async fn exchange(&self, stream: impl AsyncRead + AsyncWrite, client: FiveTuple, stranger: Permit) {
        let connection = self.connections.fetch_add(1, Ordering::Relaxed);
        // Connections go to the shards in turn.
        let Some(shard) = self.shards.get(connection as usize % self.shards.len().max(1)) else { return };
        let (to, mut packets) = packet_queue();
        if !shard.send(Command::Stream(StreamCommand::Opened { client, connection, to })).await {
            return;
        }
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut framer = StreamFramer::new(LONGEST_OF_STRANGER);
        let (answers, answered) = watch::channel(Answers::default());
        let ended = tokio::select! {
            ended = write(&mut writer, &mut packets, answers, stranger) => ended,
            ended = read(&mut reader, &mut framer, shard, client, self.longest_lifetime, answered) => ended,
        };
        if let Some(splice) = packets.take_splice().await {
            match ended {
                Ended::Spliced => Box::pin(splice.run(reader, writer, framer.take_rest())).await,
                _ => splice.give_up().await,
            }
        }
        tracing::debug!(?client, ?ended, "a TURN connection has ended");
        shard.send(Command::Stream(StreamCommand::Closed { client, connection })).await;
    }
}

/// Cuts what the client sends into messages, until it stops.
async fn read(
    mut reader: impl AsyncRead + Unpin,
    framer: &mut StreamFramer,
    shard: &ShardSender,
    client: FiveTuple,
    longest_lifetime: Duration,
    mut answered: watch::Receiver<Answers>,
) -> Ended {
    let mut bytes = vec![0; 16 * 1024];
    let mut binds = 0;
    loop {
        let is_allocated = answered.borrow_and_update().allocated;
        let idle = if is_allocated { longest_lifetime + GRACE } else { IDLE };
        framer.limit(if is_allocated { LONGEST } else { LONGEST_OF_STRANGER });
        let received = tokio::select! {
            received = reader.read(&mut bytes) => received,
            () = sleep(idle) => return Ended::Idle,
            Ok(()) = answered.changed() => continue,
        };
        match received {
            Ok(0) => return Ended::ByClient,
            Ok(length) => framer.push(&bytes[..length]),
            Err(_) => return Ended::Broken,
        }
        loop {
            let data = match framer.next_frame() {
                Ok(Some(frame)) => Bytes::copy_from_slice(frame),
                Ok(None) => break,
                Err(_) => return Ended::NotStun,
            };
            let is_bind = data.starts_with(&CONNECTION_BIND);
            if !shard.send(Command::Stream(StreamCommand::Frame { client, data })).await {
                return Ended::ByShard;
            }
            if is_bind {
                binds += 1;
                // What follows is the peer's unless this is refused: RFC 6062 §5.4.
                let refused = answered.wait_for(|answers| answers.refused_binds >= binds);
                if !timeout(IDLE, refused).await.is_ok_and(|refused| refused.is_ok()) {
                    return Ended::Idle;
                }
            }
        }
    }
}

/// Sends what the shard has for the client, until the shard hangs up or has a peer for it.
async fn write(
    mut writer: impl AsyncWrite + Unpin,
    packets: &mut PacketReceiver,
    answers: watch::Sender<Answers>,
    stranger: Permit,
) -> Ended {
    let mut stranger = Some(stranger);
    while let Some(packet) = packets.next().await {
        if answers.send_if_modified(|answers| answers.follow(&packet)) && answers.borrow().allocated {
            drop(stranger.take());
        }
        let written = timeout(STALLED, async {
            writer.write_all(&packet).await?;
            if packets.is_empty() { writer.flush().await } else { Ok(()) }
        });
        match written.await {
            Ok(Ok(())) => packets.written(packet.len()),
            Ok(Err(_)) => return Ended::Broken,
            Err(_) => return Ended::Stalled,
        }
    }
    if packets.splice.is_some() { Ended::Spliced } else { Ended::ByShard }
}

/// A bounded queue of packets for one client.
pub(crate) fn packet_queue() -> (PacketSender, PacketReceiver) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let queued = Arc::new(AtomicUsize::new(0));
    (
        PacketSender { packets: sender, queued: queued.clone() },
        PacketReceiver { packets: receiver, queued, splice: None },
    )
}

enum Queued {
    Packet(Bytes),
    /// The last thing that comes.
    Splice(Box<Splice>),
}

/// The shard's end of a connection's queue.
#[derive(Clone, Debug)]
pub(crate) struct PacketSender {
    packets: mpsc::Sender<Queued>,
    queued: Arc<AtomicUsize>,
}

impl PacketSender {
    /// `false` when the client does not read fast enough, or has gone.
    pub(crate) fn send(&self, parts: &[&[u8]]) -> bool {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if self.queued.load(Ordering::Relaxed) + length > QUEUE_BYTES {
            return false;
        }
        let packet: Vec<u8> = parts.concat();
        // Counted before it is sent, for the connection may have written it by then.
        self.queued.fetch_add(length, Ordering::Relaxed);
        let sent = self.packets.try_send(Queued::Packet(packet.into())).is_ok();
        if !sent {
            self.queued.fetch_sub(length, Ordering::Relaxed);
        }
        sent
    }

    /// After all that waits, the client gets what a peer sends. `false` as above.
    pub(crate) fn splice(&self, splice: Splice) -> bool {
        self.packets.try_send(Queued::Splice(Box::new(splice))).is_ok()
    }
}

/// The connection's end.
pub(crate) struct PacketReceiver {
    packets: mpsc::Receiver<Queued>,
    queued: Arc<AtomicUsize>,
    splice: Option<Box<Splice>>,
}

impl PacketReceiver {
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        match self.packets.recv().await? {
            Queued::Packet(packet) => Some(packet),
            Queued::Splice(splice) => {
                self.splice = Some(splice);
                None
            }
        }
    }

    /// Closes the queue, and takes the peer that came or is on its way.
    async fn take_splice(&mut self) -> Option<Box<Splice>> {
        self.packets.close();
        while self.splice.is_none() {
            match self.packets.recv().await? {
                Queued::Packet(_) => {}
                Queued::Splice(splice) => self.splice = Some(splice),
            }
        }
        self.splice.take()
    }

    fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    pub(crate) fn written(&self, bytes: usize) {
        self.queued.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Why a connection is over.
#[derive(Clone, Copy, Debug)]
enum Ended {
    ByClient,
    ByShard,
    Broken,
    Idle,
    NotStun,
    Spliced,
    Stalled,
}

/// The type of a ConnectionBind request: RFC 6062 §6.1 and RFC 8489 §5.
const CONNECTION_BIND: [u8; 2] = [0x00, 0x0B];

/// What the answers that have passed say of the client.
#[derive(Clone, Copy, Debug, Default)]
struct Answers {
    /// It holds an allocation.
    allocated: bool,
    /// ConnectionBind requests that were refused.
    refused_binds: u32,
}

impl Answers {
    /// Says whether this answer changes anything.
    fn follow(&mut self, packet: &[u8]) -> bool {
        /// ConnectionBind, class error response.
        const CONNECTION_BIND_ERROR: [u8; 2] = [0x01, 0x1B];
        let holds = granted_lifetime(packet).map_or(self.allocated, |seconds| seconds > 0);
        let changes = std::mem::replace(&mut self.allocated, holds) != holds;
        let refused = packet.starts_with(&CONNECTION_BIND_ERROR);
        self.refused_binds += u32::from(refused);
        changes || refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_is_a_stranger_until_it_holds_an_allocation() {
        let strangers = Permits::by_network(1, 1);
        let address = [192, 0, 2, 1].into();
        let stranger = strangers.acquire(address).expect("the first");
        let (sender, mut packets) = packet_queue();
        let (ours, mut theirs) = tokio::io::duplex(1024);
        let writing = tokio::spawn(async move { write(ours, &mut packets, watch::Sender::default(), stranger).await });
        // A Binding success, then the success of a Refresh, for one who has come along.
        for (kind, still) in [([0x01, 0x01], true), ([0x01, 0x04], false)] {
            let mut answer = [kind[0], kind[1], 0, 8, 0x21, 0x12, 0xA4, 0x42].to_vec();
            answer.extend([7; 12]);
            answer.extend([0x00, 0x0D, 0, 4, 0, 0, 2, 0x58]);
            assert!(sender.send(&[&answer]));
            theirs.read_exact(&mut [0; 28]).await.expect("sent");
            assert_eq!(strangers.acquire(address).is_none(), still, "{kind:?}");
        }
        drop(sender);
        writing.await.expect("it ends");
    }
}
