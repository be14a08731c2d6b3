//! The listeners: TCP, on it TLS where it is on, on it HTTP/1.1.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, body::Body};
use hyper::{Request, body::Incoming, server::conn::http1};
use hyper_util::rt::{TokioIo, TokioTimer};
use madang_wire::{FiveTuple, Transport};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    time::{Sleep, sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::{one_port::Beginning, shard::SharedPort, turn::Streams};

/// How large the head of a request may be; nothing that a page of ours sends comes near.
const HEAD_BYTES: usize = 16 * 1024;

/// A write of which nothing gets through for this long is to somebody who has gone.
const STALLED: Duration = Duration::from_secs(30);

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    /// Its address.
    pub(crate) address: SocketAddr,
    /// The address of ours that it reached.
    pub(crate) local: SocketAddr,
}

/// How many connections there may be, in all and from one address.
#[derive(Clone, Debug)]
pub(crate) struct Permits(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    /// What counts as one address.
    place: fn(IpAddr) -> IpAddr,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    most: u32,
    most_per_address: u32,
    all: u32,
    by_address: HashMap<IpAddr, u32>,
}

/// One connection's right to exist, until dropped.
pub(crate) struct Permit {
    counts: Arc<Counts>,
    address: IpAddr,
}

impl Permits {
    pub(crate) fn new(most: u32, most_per_address: u32) -> Self {
        Self::by(prefix, most, most_per_address)
    }

    /// The same for whole networks, a /24 or a /56, in place of addresses.
    pub(crate) fn by_network(most: u32, most_per_network: u32) -> Self {
        Self::by(network, most, most_per_network)
    }

    fn by(place: fn(IpAddr) -> IpAddr, most: u32, most_per_address: u32) -> Self {
        let held = Held { most, most_per_address, all: 0, by_address: HashMap::new() };
        Self(Arc::new(Counts { place, held: Mutex::new(held) }))
    }

    /// Other limits from now on. Whoever is over them already stays.
    pub(crate) fn limit(&self, most: u32, most_per_address: u32) {
        let mut held = self.0.held.lock();
        (held.most, held.most_per_address) = (most, most_per_address);
    }

    pub(crate) fn acquire(&self, address: IpAddr) -> Option<Permit> {
        let address = (self.0.place)(address);
        let mut held = self.0.held.lock();
        let mine = held.by_address.get(&address).copied().unwrap_or(0);
        if held.all >= held.most || mine >= held.most_per_address {
            return None;
        }
        held.all += 1;
        held.by_address.insert(address, mine + 1);
        Some(Permit { counts: self.0.clone(), address })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut held = self.counts.held.lock();
        held.all -= 1;
        if let Some(mine) = held.by_address.get_mut(&self.address) {
            *mine -= 1;
            if *mine == 0 {
                held.by_address.remove(&self.address);
            }
        }
    }
}

/// One host may have a whole IPv6 /64, so that counts as one address.
pub(crate) fn prefix(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

/// The network that is held responsible for an address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & 0xFFFF_FF00)),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 72 << 72)),
    }
}

/// What every listener of HTTP shares.
#[derive(Clone)]
pub(crate) struct Web {
    pub(crate) router: Router,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) permits: Permits,
    /// Of connections whose TLS handshake isn't done.
    pub(crate) half_open: Permits,
    /// Who takes the connections of TURN clients on the same port.
    pub(crate) turn: Streams,
    /// Who takes those of ICE-TCP.
    pub(crate) ice_tcp: SharedPort,
    pub(crate) handshake_timeout: Duration,
}

impl Web {
    /// Accepts for ever.
    pub(crate) async fn accept(self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, address)) => {
                    // Closed at once: an answer would cost more than the attempt did.
                    let Some(permit) = self.permits.acquire(address.ip()) else { continue };
                    tokio::spawn(self.clone().serve(stream, address, permit));
                }
                Err(why) => {
                    // Most likely out of file descriptors; some will be free in a moment.
                    tracing::warn!(%why, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn serve(self, stream: TcpStream, address: SocketAddr, permit: Permit) {
        let _ = stream.set_nodelay(true);
        let Ok(local) = stream.local_addr() else { return };
        let peer = Peer { address, local };
        let Some(half_open) = self.half_open.acquire(address.ip()) else { return };
        let Ok(Ok(beginning)) = timeout(self.handshake_timeout, Beginning::peek(&stream)).await else { return };
        match (beginning, self.tls.clone()) {
            // They have limits of their own, for those who have shown nothing yet.
            (Beginning::IceTcp, _) => {
                drop(half_open);
                self.ice_tcp.take(stream, address, local).await;
            }
            (Beginning::Turn, None) => {
                drop(half_open);
                self.turn.take(stream, five_tuple(peer, Transport::Tcp)).await;
            }
            (_, None) => {
                drop(half_open);
                self.speak(Counted::new(stream, permit), peer).await;
            }
            (Beginning::Tls, Some(tls)) => {
                let stream = Counted::new(stream, permit);
                let began = timeout(self.handshake_timeout, async {
                    let stream = tls.accept(stream).await?;
                    Beginning::read(stream).await
                });
                let began = began.await;
                drop(half_open);
                match began {
                    Ok(Ok((Beginning::Turn, stream))) => {
                        self.turn.take(stream, five_tuple(peer, Transport::Tls)).await;
                    }
                    Ok(Ok((_, stream))) => self.speak(stream, peer).await,
                    Ok(Err(why)) => tracing::debug!(%why, "a TLS handshake failed"),
                    Err(_) => tracing::debug!("a TLS handshake took too long"),
                }
            }
            // TLS is on, so nothing else is spoken in the clear.
            (Beginning::Turn | Beginning::Http, Some(_)) => tracing::debug!("a connection without TLS was closed"),
        }
    }

    /// Speaks HTTP on a connection, encrypted or not.
    async fn speak(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, peer: Peer) {
        let router = self.router;
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(peer);
            router.clone().oneshot(request)
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.handshake_timeout)
            .max_buf_size(HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
            .await;
        if let Err(why) = served {
            tracing::debug!(%why, "an HTTP connection ended early");
        }
    }
}

const fn five_tuple(peer: Peer, transport: Transport) -> FiveTuple {
    FiveTuple { client: peer.address, server: peer.local, transport }
}

/// A stream that holds its permit for as long as it lives, upgraded or not, and that breaks when
/// the other end takes nothing of what is written for too long.
struct Counted {
    stream: TcpStream,
    _permit: Permit,
    patience: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Counted {
    fn new(stream: TcpStream, permit: Permit) -> Self {
        Self { stream, _permit: permit, patience: STALLED, stalled: None }
    }

    /// Passes the outcome of a write on, and gives up on a write that waits for too long.
    fn watch(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(patience)));
        stalled.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watch(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_are_counted_in_all_and_by_address_and_given_back() {
        let permits = Permits::new(3, 2);
        let [a, b]: [IpAddr; 2] = [[192, 0, 2, 1].into(), [192, 0, 2, 2].into()];
        let first = permits.acquire(a);
        let second = permits.acquire(a);
        assert!(first.is_some() && second.is_some());
        assert!(permits.acquire(a).is_none(), "two from one address");
        let third = permits.acquire(b);
        assert!(third.is_some());
        assert!(permits.acquire(b).is_none(), "three in all");
        drop(first);
        assert!(permits.acquire(a).is_some());
        drop((second, third));
        assert!(permits.0.held.lock().by_address.is_empty());
    }

    #[tokio::test]
    async fn who_takes_nothing_of_an_answer_is_cut_off() {
        use tokio::io::AsyncWriteExt;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let client = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connects");
        let (stream, address) = listener.accept().await.expect("accepts");
        let permit = Permits::new(1, 1).acquire(address.ip()).expect("the first");
        let mut counted = Counted { patience: Duration::from_millis(50), ..Counted::new(stream, permit) };
        let written = async { while counted.write_all(&[0; 65_536]).await.is_ok() {} };
        timeout(STALLED, written).await.expect("the write is given up");
        drop(client);
    }

    #[test]
    fn limits_that_change_count_from_now_on_and_end_nothing() {
        let (permits, address) = (Permits::new(2, 2), IpAddr::from([192, 0, 2, 1]));
        let held = [permits.acquire(address), permits.acquire(address)];
        assert!(held.iter().all(Option::is_some));
        permits.limit(1, 1);
        assert!(permits.acquire(address).is_none());
        permits.limit(3, 3);
        assert!(permits.acquire(address).is_some());
    }

    #[test]
    fn neighbours_share_what_a_network_may_have() {
        let permits = Permits::by_network(3, 1);
        let acquire = |text: &str| permits.acquire(text.parse().expect("an address"));
        let held = acquire("192.0.2.1");
        assert!(held.is_some() && acquire("192.0.2.200").is_none());
        let other = acquire("2001:db8:0:1::1");
        assert!(other.is_some() && acquire("2001:db8:0:2::1").is_none());
        assert!(acquire("2001:db8:0:100::1").is_some());
    }

    #[test]
    fn a_whole_ipv6_network_counts_as_one_address() {
        let permits = Permits::new(10, 1);
        let held = permits.acquire("2001:db8::1".parse().expect("an address"));
        assert!(held.is_some());
        assert!(permits.acquire("2001:db8::2".parse().expect("an address")).is_none());
        assert!(permits.acquire("2001:db8:0:1::1".parse().expect("an address")).is_some());
        let mapped = permits.acquire("::ffff:192.0.2.1".parse().expect("an address"));
        assert!(mapped.is_some() && permits.acquire([192, 0, 2, 1].into()).is_none());
    }
}
