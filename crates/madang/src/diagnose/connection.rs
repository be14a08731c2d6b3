//! One connection to a STUN or TURN server, over any transport, that is waited for.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream, ToSocketAddrs, UdpSocket},
    sync::Arc,
    time::{Duration, Instant},
};

use madang_client::relay::Transport;
use madang_wire::StreamFramer;
use rustls::{ClientConfig, ClientConnection, StreamOwned, pki_types::ServerName};

use super::obstacle::Obstacle;

/// The longest packet from the server: a Data indication with a whole datagram.
const LONGEST: usize = 66_000;
/// The system's time-outs may not be zero.
const SHORTEST: Duration = Duration::from_millis(1);

/// Bytes over TCP, inside TLS or not.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    /// Connects, and with `tls` shakes hands, before `by`.
    pub(super) fn connect(
        at: SocketAddr,
        name: &str,
        tls: Option<&Arc<ClientConfig>>,
        by: Instant,
    ) -> Result<Self, Obstacle> {
        let tcp = TcpStream::connect_timeout(&at, left(by)).map_err(|why| Obstacle::of(&why))?;
        // Each message is waited for.
        let _ = tcp.set_nodelay(true);
        let Some(config) = tls else { return Ok(Self::Plain(tcp)) };
        let name = ServerName::try_from(name.to_owned()).map_err(|_| Obstacle::NameNotFound)?;
        let mut connection = ClientConnection::new(config.clone(), name).map_err(|_| Obstacle::TlsFailed)?;
        let mut tcp = tcp;
        while connection.is_handshaking() {
            let timed = tcp.set_read_timeout(Some(left(by))).and_then(|()| tcp.set_write_timeout(Some(left(by))));
            timed.and_then(|()| connection.complete_io(&mut tcp)).map_err(|why| Obstacle::of(&why))?;
            if Instant::now() >= by {
                return Err(Obstacle::TimedOut);
            }
        }
        Ok(Self::Tls(Box::new(StreamOwned::new(connection, tcp))))
    }

    /// How long a read or write may take from now on.
    pub(super) fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        let tcp = match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(stream) => &stream.sock,
        };
        let timeout = Some(timeout.max(SHORTEST));
        tcp.set_read_timeout(timeout).and_then(|()| tcp.set_write_timeout(timeout))
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// Packets to and from one server.
pub(super) enum Connection {
    Datagrams(UdpSocket),
    Stream(Box<Stream>, StreamFramer),
}

impl Connection {
    /// `name` is whose certificate is wanted. A socket of datagrams is connected, so that the
    /// system says when nothing listens.
    pub(super) fn open(
        transport: Transport,
        at: SocketAddr,
        name: &str,
        tls: &Arc<ClientConfig>,
        by: Instant,
    ) -> Result<Self, Obstacle> {
        if !transport.is_stream() {
            let socket = UdpSocket::bind(unspecified(at)).and_then(|socket| socket.connect(at).map(|()| socket));
            return socket.map(Self::Datagrams).map_err(|why| Obstacle::of(&why));
        }
        let tls = (transport == Transport::Tls).then_some(tls);
        let stream = Stream::connect(at, name, tls, by)?;
        Ok(Self::Stream(Box::new(stream), StreamFramer::new(LONGEST)))
    }

    pub(super) fn send(&mut self, packet: &[u8]) -> Result<(), Obstacle> {
        let sent = match self {
            Self::Datagrams(socket) => socket.send(packet).map(drop),
            Self::Stream(stream, _) => stream.write_all(packet).and_then(|()| stream.flush()),
        };
        sent.map_err(|why| Obstacle::of(&why))
    }

    /// The next packet, or `None` when none comes within `wait`.
    pub(super) fn receive(&mut self, wait: Duration) -> Result<Option<Vec<u8>>, Obstacle> {
        let by = Instant::now() + wait;
        let mut buffer = vec![0; LONGEST];
        loop {
            if let Self::Stream(_, framer) = self {
                let packet = framer.next_frame().map_err(|_| Obstacle::NotStun)?;
                if let Some(packet) = packet {
                    return Ok(Some(packet.to_vec()));
                }
            }
            let read = match self {
                Self::Datagrams(socket) => {
                    socket.set_read_timeout(Some(left(by))).and_then(|()| socket.recv(&mut buffer))
                }
                Self::Stream(stream, _) => stream.set_timeout(left(by)).and_then(|()| stream.read(&mut buffer)),
            };
            match (read, &mut *self) {
                (Ok(length), Self::Datagrams(_)) => return Ok(Some(buffer[..length].to_vec())),
                (Ok(0), Self::Stream(..)) => return Err(Obstacle::Closed),
                (Ok(length), Self::Stream(_, framer)) => framer.push(&buffer[..length]),
                (Err(why), _) if why.kind() == io::ErrorKind::Interrupted => {}
                (Err(why), _) if matches!(why.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return Ok(None);
                }
                (Err(why), _) => return Err(Obstacle::of(&why)),
            }
        }
    }
}

/// A host's first address.
pub(super) fn resolve(host: &str, port: u16) -> Result<SocketAddr, Obstacle> {
    let found = (host, port).to_socket_addrs().map_err(|_| Obstacle::NameNotFound)?;
    { found }.next().ok_or(Obstacle::NameNotFound)
}

/// Any address of this machine, of the family of another one.
pub(super) fn unspecified(like: SocketAddr) -> SocketAddr {
    if like.is_ipv4() { SocketAddr::from(([0; 4], 0)) } else { SocketAddr::from(([0_u16; 8], 0)) }
}

fn left(by: Instant) -> Duration {
    by.saturating_duration_since(Instant::now()).max(SHORTEST)
}
