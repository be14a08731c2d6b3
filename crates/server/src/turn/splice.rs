//! A client's connection and a peer's, each carrying what comes on the other: RFC 6062 §5.4.

use std::{
    io,
    pin::pin,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use futures_util::future::{Either, select};
use madang_turn::{Allowance, ConnectionId};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    time::{sleep, timeout},
};

use crate::shard::{Command, ShardSender, TcpRelayCommand};

/// What is read at once. A side is read again when the other has taken it, so this is all that
/// waits in this process.
const BUFFER: usize = 32 * 1024;

/// A side that takes nothing for this long has gone.
const STALLED: Duration = Duration::from_secs(120);

/// A connection that is silent for this long in both directions is forgotten.
const IDLE: Duration = Duration::from_secs(2 * 3600);

/// When one side has ended, the other may finish within this. Both are closed then.
const LINGER: Duration = Duration::from_secs(10);

/// How often the shard is told what has passed. What passes between the last time and the end of
/// the allocation is missing in its books.
const REPORT: Duration = Duration::from_secs(2);

/// A peer's connection on its way to the client's task.
#[derive(Debug)]
pub(crate) struct Splice {
    pub(crate) connection: ConnectionId,
    pub(crate) peer: TcpStream,
    /// How fast data may go.
    pub(crate) allowance: Allowance,
    /// Where the connection lives.
    pub(crate) shard: ShardSender,
    /// The shard lets go of the other end when the connection has to end.
    pub(crate) ended: oneshot::Receiver<()>,
}

impl Splice {
    /// Carries data until either side or the shard has had enough. `first` is what has been read
    /// of the client already.
    pub(crate) async fn run(self, reader: impl AsyncRead + Unpin, writer: impl AsyncWrite + Unpin, first: Vec<u8>) {
        let Self { connection, peer, allowance, shard, ended } = self;
        let passed = Passed::default();
        tokio::select! {
            () = carry_both((reader, writer, first), peer, (&passed, &allowance), LINGER) => {}
            () = report(&shard, connection, &passed) => {}
            _ = ended => {}
        }
        passed.tell(&shard, connection).await;
        shard.send(Command::TcpRelay(TcpRelayCommand::Closed { connection })).await;
    }

    /// There is no client to carry it.
    pub(crate) async fn give_up(self) {
        let Self { connection, peer, shard, .. } = self;
        drop(peer);
        shard.send(Command::TcpRelay(TcpRelayCommand::Closed { connection })).await;
    }
}

/// Bytes that the shard has not been told of.
#[derive(Default)]
struct Passed {
    to_peer: AtomicU64,
    to_client: AtomicU64,
}

impl Passed {
    /// Says whether there was anything to tell.
    async fn tell(&self, shard: &ShardSender, connection: ConnectionId) -> bool {
        let [to_peer, to_client] = [&self.to_peer, &self.to_client].map(|bytes| bytes.load(Ordering::Relaxed));
        if to_peer == 0 && to_client == 0 {
            return false;
        }
        let spliced = TcpRelayCommand::Spliced { connection, to_peer, to_client };
        // Taken off when it is told, for this may be given up while it waits for the shard.
        if shard.send(Command::TcpRelay(spliced)).await {
            self.to_peer.fetch_sub(to_peer, Ordering::Relaxed);
            self.to_client.fetch_sub(to_client, Ordering::Relaxed);
        }
        true
    }
}

/// Tells the shard now and then what has passed; ends when nothing has for too long.
async fn report(shard: &ShardSender, connection: ConnectionId, passed: &Passed) {
    let mut silence = Duration::ZERO;
    while silence < IDLE {
        sleep(REPORT).await;
        silence = if passed.tell(shard, connection).await { Duration::ZERO } else { silence + REPORT };
    }
}

/// RFC 6062 §5.5: when one connection ends the other does. What was sent before arrives.
async fn carry_both(
    (reader, writer, first): (impl AsyncRead + Unpin, impl AsyncWrite + Unpin, Vec<u8>),
    peer: TcpStream,
    (passed, allowance): (&Passed, &Allowance),
    linger: Duration,
) {
    let (peer_reader, peer_writer) = peer.into_split();
    let to_peer = pin!(carry(first, reader, peer_writer, (&passed.to_peer, allowance)));
    let to_client = pin!(carry(Vec::new(), peer_reader, writer, (&passed.to_client, allowance)));
    let lingered = match select(to_peer, to_client).await {
        Either::Left((Ok(()), to_client)) => timeout(linger, to_client).await,
        Either::Right((Ok(()), to_peer)) => timeout(linger, to_peer).await,
        Either::Left((broken, _)) | Either::Right((broken, _)) => Ok(broken),
    };
    tracing::debug!(?lingered, "a spliced connection has ended");
}

/// Carries one direction to its end, and hands the end on.
async fn carry(
    mut bytes: Vec<u8>,
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    (passed, allowance): (&AtomicU64, &Allowance),
) -> io::Result<()> {
    let mut length = bytes.len();
    bytes.resize(length.max(BUFFER), 0);
    loop {
        let mut rest = &bytes[..length];
        while !rest.is_empty() {
            let written = timeout(STALLED, to.write(rest)).await??;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            passed.fetch_add(written as u64, Ordering::Relaxed);
            rest = &rest[written..];
        }
        timeout(STALLED, to.flush()).await??;
        let wait = allowance.charge(Instant::now(), length);
        if !wait.is_zero() {
            sleep(wait).await;
        }
        length = from.read(&mut bytes).await?;
        if length == 0 {
            return timeout(STALLED, to.shutdown()).await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use madang_turn::Bandwidth;

    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let near = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("it listens");
        (near, listener.accept().await.expect("it connects").0)
    }

    fn free() -> Allowance {
        Allowance::apart(Bandwidth::default(), Instant::now())
    }

    #[tokio::test]
    async fn what_is_limited_takes_its_time_and_nothing_is_lost() {
        let ((mut peer, ours), (mut client, server)) = (pair().await, pair().await);
        let passed = Passed::default();
        let (reader, writer) = tokio::io::split(server);
        let bandwidth = Bandwidth { per_allocation: 200_000, ..Bandwidth::default() };
        let allowance = Allowance::apart(bandwidth, Instant::now());
        let carried = carry_both((reader, writer, Vec::new()), ours, (&passed, &allowance), LINGER);
        let both = async {
            let begin = Instant::now();
            peer.write_all(&[7; 300_000]).await.expect("it takes all");
            peer.shutdown().await.expect("open");
            let mut received = Vec::new();
            client.read_to_end(&mut received).await.expect("an orderly end");
            assert_eq!(received.len(), 300_000);
            // A second's worth may come at once; the last read is waited for before the end is seen.
            assert!(begin.elapsed() >= Duration::from_millis(490), "{:?}", begin.elapsed());
            client.shutdown().await.expect("open");
        };
        tokio::join!(carried, both);
    }

    #[tokio::test]
    async fn what_was_sent_before_the_end_arrives_and_both_are_closed() {
        let ((mut peer, ours), (mut client, server)) = (pair().await, pair().await);
        let (passed, free) = (Passed::default(), free());
        let (reader, writer) = tokio::io::split(server);
        let carried = carry_both((reader, writer, b"first".to_vec()), ours, (&passed, &free), LINGER);
        let both = async {
            peer.read_exact(&mut [0; 5]).await.expect("what was read before");
            peer.write_all(&[7; 300_000]).await.expect("it takes all");
            peer.shutdown().await.expect("open");
            assert_eq!(client.write_all(b"still").await.ok(), Some(()), "while the peer reads");
            let mut received = Vec::new();
            client.read_to_end(&mut received).await.expect("an orderly end");
            assert_eq!(received.len(), 300_000);
            client.shutdown().await.expect("open");
            let mut received = Vec::new();
            peer.read_to_end(&mut received).await.expect("an orderly end");
            assert_eq!(received, b"still");
        };
        tokio::join!(carried, both);
        assert_eq!(passed.to_peer.into_inner(), 10);
        assert_eq!(passed.to_client.into_inner(), 300_000);
    }

    #[tokio::test]
    async fn a_side_that_does_not_end_is_closed_after_a_while() {
        let ((peer, ours), (mut client, server)) = (pair().await, pair().await);
        let passed = Passed::default();
        let (reader, writer) = tokio::io::split(server);
        drop(peer);
        carry_both((reader, writer, Vec::new()), ours, (&passed, &free()), Duration::from_millis(50)).await;
        assert_eq!(client.read(&mut [0; 1]).await.ok(), Some(0));
    }
}
