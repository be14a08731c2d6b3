//! ICE-TCP (RFC 6544): connections to media ports, with a length of two bytes before each packet
//! (RFC 4571). Tokio tasks that exchange whole packets with the shard.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{FutureExt, future::select_ok};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp},
    task::JoinHandle,
    time::timeout,
};

use super::{Command, ShardSender};
use crate::{
    listen::{Permit, Permits},
    turn::{PacketReceiver, packet_queue},
};

/// Connections to all media ports, and from one address.
const CONNECTIONS: u32 = 20_000;
const PER_ADDRESS: u32 = 256;

/// A peer checks every few seconds; one that is silent for longer has gone.
const SILENCE: Duration = Duration::from_secs(30);

/// A write that takes longer than this is to a client that has gone.
const STALLED: Duration = Duration::from_secs(15);

/// A shard answers a check of its own within this; the others say nothing.
const ANSWER: Duration = Duration::from_secs(2);

/// The longest packet: what the largest datagram can hold.
const LONGEST: usize = 9 * 1024;

/// What the connections share.
#[derive(Clone, Debug)]
pub(super) struct MediaStreams {
    permits: Permits,
    connections: Arc<AtomicU64>,
}

impl MediaStreams {
    pub(super) fn new() -> Self {
        Self { permits: Permits::new(CONNECTIONS, PER_ADDRESS), connections: Arc::default() }
    }

    /// Accepts in a task of its own. `media` is the candidate that clients were told.
    pub(super) fn accept(
        &self,
        listener: std::net::TcpListener,
        media: SocketAddr,
        shard: ShardSender,
    ) -> io::Result<JoinHandle<()>> {
        let listener = TcpListener::from_std(listener)?;
        Ok(tokio::spawn(self.clone().listen(listener, media, shard)))
    }

    async fn listen(self, listener: TcpListener, media: SocketAddr, shard: ShardSender) {
        loop {
            match listener.accept().await {
                Ok((stream, from)) => {
                    let Some(permit) = self.permits.acquire(from.ip()) else { continue };
                    tokio::spawn(self.clone().serve(stream, from, media, shard.clone(), permit));
                }
                Err(why) => {
                    // Most likely out of file descriptors; some will be free in a moment.
                    tracing::warn!(%why, "an ICE-TCP connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn serve(self, stream: TcpStream, from: SocketAddr, media: SocketAddr, shard: ShardSender, permit: Permit) {
        let _ = stream.set_nodelay(true);
        let connection = self.connections.fetch_add(1, Ordering::Relaxed);
        let (to, packets) = packet_queue();
        if shard.send(Command::MediaOpened { from, media, connection, to }).await {
            let (reader, writer) = stream.into_split();
            tokio::select! {
                () = read(reader, BytesMut::with_capacity(16 * 1024), from, media, &shard) => {}
                () = write(writer, packets) => {}
            }
            shard.send(Command::MediaClosed { from, media, connection }).await;
        }
        drop(permit);
    }
}

/// ICE-TCP on a port that is HTTP's too, and all shards'.
#[derive(Clone, Debug)]
pub(crate) struct SharedPort {
    streams: MediaStreams,
    shards: Arc<[ShardSender]>,
    /// What clients are told, by what they reach. One that is missing here is the same.
    advertised: Arc<HashMap<SocketAddr, SocketAddr>>,
}

impl SharedPort {
    pub(super) fn new(
        streams: MediaStreams,
        shards: &[ShardSender],
        advertised: HashMap<SocketAddr, SocketAddr>,
    ) -> Self {
        Self { streams, shards: shards.into(), advertised: Arc::new(advertised) }
    }

    /// Takes over a connection. It is the shard's that answers its first check.
    pub(crate) async fn take(&self, stream: TcpStream, from: SocketAddr, local: SocketAddr) {
        let Some(permit) = self.streams.permits.acquire(from.ip()) else { return };
        let media = self.advertised.get(&local).copied().unwrap_or(local);
        let (mut reader, mut writer) = stream.into_split();
        let mut bytes = BytesMut::with_capacity(16 * 1024);
        let Ok(Some(first)) = timeout(SILENCE, first_packet(&mut reader, &mut bytes)).await else { return };
        let connection = self.streams.connections.fetch_add(1, Ordering::Relaxed);
        let Some((shard, packets)) = self.ask(from, media, connection, &first, &mut writer).await else { return };
        tokio::select! {
            () = read(reader, bytes, from, media, shard) => {}
            () = write(writer, packets) => {}
        }
        shard.send(Command::MediaClosed { from, media, connection }).await;
        drop(permit);
    }

    /// Shows the first check to all shards, and sends the answer of the one whose it is: only one
    /// has a session of that name.
    async fn ask(
        &self,
        from: SocketAddr,
        media: SocketAddr,
        connection: u64,
        check: &Bytes,
        writer: &mut tcp::OwnedWriteHalf,
    ) -> Option<(&ShardSender, PacketReceiver)> {
        let mut asked = Vec::new();
        for shard in self.shards.iter() {
            let (to, packets) = packet_queue();
            let data = check.clone();
            if !shard.send(Command::MediaOpened { from, media, connection, to }).await
                || !shard.send(Command::MediaFrame { from, media, data }).await
            {
                return None;
            }
            asked.push((shard, packets));
        }
        let answers = asked
            .iter_mut()
            .enumerate()
            .map(|(place, (_, packets))| Box::pin(async move { packets.next().await.map(|answer| (place, answer)) }));
        let answered = timeout(ANSWER, select_ok(answers.map(|answer| answer.map(|found| found.ok_or(()))))).await;
        let answered = answered.ok().and_then(Result::ok).map(|((place, answer), _)| (place, answer));
        let mut owner = None;
        for (place, (shard, packets)) in asked.into_iter().enumerate() {
            if answered.as_ref().is_some_and(|(answering, _)| *answering == place) {
                owner = Some((shard, packets));
            } else {
                shard.send(Command::MediaClosed { from, media, connection }).await;
            }
        }
        let (owner, (_, answer)) = (owner?, answered?);
        owner.1.written(answer.len());
        let length = u16::try_from(answer.len()).ok()?;
        writer.write_all(&length.to_be_bytes()).await.ok()?;
        writer.write_all(&answer).await.ok()?;
        Some(owner)
    }
}

async fn first_packet(reader: &mut tcp::OwnedReadHalf, bytes: &mut BytesMut) -> Option<Bytes> {
    loop {
        match next_packet(bytes) {
            Ok(Some(packet)) => return Some(packet),
            Ok(None) => {}
            Err(TooLong) => return None,
        }
        bytes.reserve(2 + LONGEST);
        if !matches!(reader.read_buf(bytes).await, Ok(1..)) {
            return None;
        }
    }
}

/// Cuts what the client sends into packets, until it stops or sends nonsense.
async fn read(
    mut reader: tcp::OwnedReadHalf,
    mut bytes: BytesMut,
    from: SocketAddr,
    media: SocketAddr,
    shard: &ShardSender,
) {
    loop {
        loop {
            match next_packet(&mut bytes) {
                Ok(Some(data)) => {
                    if !shard.send(Command::MediaFrame { from, media, data }).await {
                        return;
                    }
                }
                Ok(None) => break,
                Err(TooLong) => return,
            }
        }
        bytes.reserve(2 + LONGEST);
        if !matches!(timeout(SILENCE, reader.read_buf(&mut bytes)).await, Ok(Ok(1..))) {
            return;
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct TooLong;

/// Takes the first packet off, when it is there whole.
fn next_packet(bytes: &mut BytesMut) -> Result<Option<Bytes>, TooLong> {
    let Some(length) = bytes.first_chunk::<2>().map(|length| usize::from(u16::from_be_bytes(*length))) else {
        return Ok(None);
    };
    if length > LONGEST {
        return Err(TooLong);
    }
    if bytes.len() < 2 + length {
        return Ok(None);
    }
    bytes.advance(2);
    Ok(Some(bytes.split_to(length).freeze()))
}

/// Sends what the shard has for the client, until the shard hangs up.
async fn write(mut writer: tcp::OwnedWriteHalf, mut packets: PacketReceiver) {
    let mut framed = BytesMut::new();
    while let Some(packet) = packets.next().await {
        let Ok(length) = u16::try_from(packet.len()) else { continue };
        framed.clear();
        framed.extend_from_slice(&length.to_be_bytes());
        framed.extend_from_slice(&packet);
        if !matches!(timeout(STALLED, writer.write_all(&framed)).await, Ok(Ok(()))) {
            return;
        }
        packets.written(packet.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_cut_out_of_the_stream_wherever_it_is_torn() {
        let stream = [0, 3, 1, 2, 3, 0, 0, 0, 1, 9];
        for torn in 0..stream.len() {
            let mut bytes = BytesMut::from(&stream[..torn]);
            let mut packets = Vec::new();
            while let Ok(Some(packet)) = next_packet(&mut bytes) {
                packets.push(packet.to_vec());
            }
            bytes.extend_from_slice(&stream[torn..]);
            while let Ok(Some(packet)) = next_packet(&mut bytes) {
                packets.push(packet.to_vec());
            }
            assert_eq!(packets, [vec![1, 2, 3], vec![], vec![9]], "torn at {torn}");
        }
    }

    #[test]
    fn a_length_beyond_any_packet_ends_the_connection() {
        assert_eq!(next_packet(&mut BytesMut::from(&[0x30, 0][..])), Err(TooLong));
    }
}
