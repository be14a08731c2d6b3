//! A participant's relay: the TURN client core and the socket to its server.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, ToSocketAddrs},
    os::fd::AsRawFd,
    sync::Arc,
    time::Instant,
};

use madang_client::relay::{
    Client, ClientConfig as TurnConfig, ClientInput, ClientOutput, RelayServer, Transport, Wishes,
};
use madang_udp::{ReceiveBatch, SendBatch, UdpSocket};
use madang_wire::StreamFramer;
use mio::{Interest, Registry, Token, net::TcpStream, unix::SourceFd};
use rustls::{ClientConfig, ClientConnection, StreamOwned, pki_types::ServerName};

use super::{seat::media_socket, websocket::Stream};

/// The longest packet from the server: a Data indication with a whole datagram.
const LONGEST: usize = 66_000;
/// A stream that takes nothing may leave so much unsent; then packets are dropped, as networks do.
const UNSENT: usize = 512 * 1024;

pub(super) struct Relay {
    core: Client,
    socket: RelaySocket,
    pub(super) relayed: Option<SocketAddr>,
    pub(super) timer: Option<Instant>,
}

enum RelaySocket {
    Udp { socket: UdpSocket, server: SocketAddr },
    Stream(Box<StreamSocket>),
}

struct StreamSocket {
    stream: Stream,
    framer: StreamFramer,
    unsent: Vec<u8>,
}

/// What comes of a relay.
pub(super) enum Relayed {
    Opened(SocketAddr),
    Data { peer: SocketAddr, data: Vec<u8> },
    Failed(String),
}

impl Relay {
    /// Begins to ask for a relay; events come for `token`.
    pub(super) fn open(
        server: &RelayServer,
        tls: Option<&Arc<ClientConfig>>,
        seed: [u8; 32],
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        let mut found = (server.host.as_str(), server.port).to_socket_addrs()?;
        let at = found.next().ok_or_else(|| io::Error::other(format!("{} has no address", server.host)))?;
        let socket = if server.transport == Transport::Udp {
            let socket = media_socket(at)?;
            registry.register(&mut SourceFd(&socket.as_raw_fd()), token, Interest::READABLE)?;
            RelaySocket::Udp { socket, server: at }
        } else {
            let mut tcp = TcpStream::connect(at)?;
            registry.register(&mut tcp, token, Interest::READABLE | Interest::WRITABLE)?;
            // Media waits for no acknowledgement of what went before.
            let _ = tcp.set_nodelay(true);
            let stream = match (server.transport, tls) {
                (Transport::Tls, Some(config)) => {
                    let name = ServerName::try_from(server.host.clone()).map_err(io::Error::other)?;
                    let connection = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
                    Stream::Tls(Box::new(StreamOwned::new(connection, tcp)))
                }
                _ => Stream::Plain(tcp),
            };
            RelaySocket::Stream(Box::new(StreamSocket {
                stream,
                framer: StreamFramer::new(LONGEST),
                unsent: Vec::new(),
            }))
        };
        let (username, password) = (server.username.clone(), server.password.clone());
        let (transport, wishes) = (server.transport, Wishes::default());
        let mut core = Client::new(TurnConfig { username, password, transport, seed, server: Some(at), wishes });
        core.handle_input(Instant::now(), ClientInput::Timeout);
        Ok(Self { core, socket, relayed: None, timer: None })
    }

    /// The socket can be read or written. The core's outputs are to be drained after it.
    pub(super) fn ready(&mut self, now: Instant, batch: &mut ReceiveBatch, relayed: &mut Vec<Relayed>) {
        let Self { core, socket, .. } = self;
        match socket {
            RelaySocket::Udp { socket, .. } => {
                while batch.receive(socket).is_ok() {
                    for datagram in batch.datagrams() {
                        core.handle_input(now, ClientInput::Packet(datagram.data()));
                    }
                }
            }
            RelaySocket::Stream(stream) => {
                let read = stream.read(|packet| core.handle_input(now, ClientInput::Packet(packet)));
                if let Err(why) = read.and_then(|()| stream.flush()) {
                    relayed.push(Relayed::Failed(format!("the connection to the relay is lost: {why}")));
                }
            }
        }
    }

    pub(super) fn timeout(&mut self, now: Instant) {
        if self.timer.is_some_and(|at| at <= now) {
            self.core.handle_input(now, ClientInput::Timeout);
        }
    }

    pub(super) fn send(&mut self, now: Instant, peer: SocketAddr, data: &[u8]) {
        self.core.handle_input(now, ClientInput::Send { peer, data });
    }

    pub(super) fn close(&mut self, now: Instant) {
        self.core.handle_input(now, ClientInput::Close);
    }

    /// Does what the core wants, and gives what came.
    pub(super) fn drain(&mut self, batch: &mut SendBatch, relayed: &mut Vec<Relayed>) {
        loop {
            match self.core.poll_output() {
                ClientOutput::Transmit(bytes) => self.socket.send(&bytes, batch),
                ClientOutput::Allocated { relayed: address, .. } => {
                    self.relayed = Some(address);
                    relayed.push(Relayed::Opened(address));
                }
                ClientOutput::Data { peer, data } => relayed.push(Relayed::Data { peer, data }),
                ClientOutput::PeerRefused { code, .. } => {
                    tracing::warn!(code, "the relay does not reach the other end");
                }
                ClientOutput::Redirected { to, .. } => match &mut self.socket {
                    RelaySocket::Udp { server, .. } => *server = to,
                    RelaySocket::Stream(_) => {
                        relayed.push(Relayed::Failed("the TURN server names another one".into()));
                    }
                },
                // Not asked for; and what ICMP says of a peer, ICE finds out by itself.
                ClientOutput::FamilyRefused { .. } | ClientOutput::Moved | ClientOutput::Icmp { .. } => {}
                ClientOutput::Failed(why) => relayed.push(Relayed::Failed(why.to_string())),
                ClientOutput::Timeout(at) => {
                    self.timer = at;
                    break;
                }
            }
        }
        self.socket.flush(batch);
    }
}

impl RelaySocket {
    fn send(&mut self, bytes: &[u8], batch: &mut SendBatch) {
        match self {
            Self::Udp { socket, server } => {
                if batch.push(*server, &[bytes]).is_err() {
                    batch.flush(socket);
                    // An empty batch takes any packet.
                    let _ = batch.push(*server, &[bytes]);
                }
            }
            Self::Stream(stream) => {
                if stream.unsent.len() + bytes.len() <= UNSENT {
                    stream.unsent.extend_from_slice(bytes);
                }
            }
        }
    }

    fn flush(&mut self, batch: &mut SendBatch) {
        match self {
            Self::Udp { socket, .. } => {
                if !batch.is_empty() {
                    batch.flush(socket);
                }
            }
            // A broken stream tells so when it is read.
            Self::Stream(stream) => drop(stream.flush()),
        }
    }
}

impl StreamSocket {
    fn read(&mut self, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => self.framer.push(&buffer[..length]),
                Err(why) if matches!(why.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected) => {
                    return Ok(());
                }
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                Err(why) => return Err(why),
            }
            while let Some(packet) = self.framer.next_frame().map_err(io::Error::other)? {
                each(packet);
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut sent = 0;
        let result = loop {
            if sent == self.unsent.len() {
                break self.stream.flush();
            }
            match self.stream.write(&self.unsent[sent..]) {
                Ok(length) => sent += length,
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                Err(why) => break Err(why),
            }
        };
        self.unsent.drain(..sent);
        match result {
            Err(why) if !matches!(why.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected) => Err(why),
            _ => Ok(()),
        }
    }
}
