//! A byte stream to a relay, which carries whole frames for the participant's TURN client.

use std::{
    io::{self, Read, Write},
    net::SocketAddr,
    sync::Arc,
};

use madang_client::relay::Transport;
use madang_wire::StreamFramer;
use mio::{Interest, Registry, Token, net::TcpStream};
use rustls::{ClientConfig, ClientConnection, StreamOwned, pki_types::ServerName};

use super::websocket::Stream;

/// The longest packet from the server: a Data indication with a whole datagram.
const LONGEST: usize = 66_000;
/// A stream that takes nothing may leave so much unsent; then packets are dropped, as networks do.
const UNSENT: usize = 512 * 1024;

pub(super) struct RelayStream {
    stream: Stream,
    framer: StreamFramer,
    unsent: Vec<u8>,
}

impl RelayStream {
    /// Begins to connect; events come for `token`.
    pub(super) fn open(
        at: SocketAddr,
        host: &str,
        transport: Transport,
        tls: Option<&Arc<ClientConfig>>,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        let mut tcp = TcpStream::connect(at)?;
        registry.register(&mut tcp, token, Interest::READABLE | Interest::WRITABLE)?;
        // Media waits for no acknowledgement of what went before.
        let _ = tcp.set_nodelay(true);
        let stream = match (transport, tls) {
            (Transport::Tls, Some(config)) => {
                let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
                let connection = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
                Stream::Tls(Box::new(StreamOwned::new(connection, tcp)))
            }
            (Transport::Tls, None) => return Err(io::Error::other("TLS is not set up")),
            _ => Stream::Plain(tcp),
        };
        Ok(Self { stream, framer: StreamFramer::new(LONGEST), unsent: Vec::new() })
    }

    /// Queues bytes; [`Self::flush`] sends them.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        if self.unsent.len() + bytes.len() <= UNSENT {
            self.unsent.extend_from_slice(bytes);
        }
    }

    /// Reads what is there, frame by frame.
    pub(super) fn read(&mut self, mut each: impl FnMut(&[u8])) -> io::Result<()> {
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

    /// Sends what the kernel takes.
    pub(super) fn flush(&mut self) -> io::Result<()> {
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
