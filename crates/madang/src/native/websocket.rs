//! A WebSocket over a non-blocking stream, for a loop that waits for many.

use std::{
    io::{self, Read, Write},
    net::SocketAddr,
    sync::Arc,
};

use mio::{Interest, Registry, Token, net::TcpStream};
use rustls::{ClientConfig, ClientConnection, StreamOwned, pki_types::ServerName};
use tokio_tungstenite::tungstenite::{
    self, ClientHandshake, HandshakeError, Message, WebSocket,
    client::IntoClientRequest,
    handshake::MidHandshake,
    http::HeaderValue,
    protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
};

use super::address::ServerAddress;

/// What a browser says when a page is closed or reloaded (RFC 6455 §7.4.1).
pub(super) const PAGE_CLOSED: CloseCode = CloseCode::Away;

/// Bytes over TCP, inside TLS or not.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    fn tcp(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => &mut stream.sock,
        }
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

enum State {
    /// The TCP connection is being made.
    Connecting(Stream),
    /// The handshake goes on.
    Shaking(MidHandshake<ClientHandshake<Stream>>),
    Open(Box<WebSocket<Stream>>),
    Closed,
}

/// One connection to a server's signaling.
pub(crate) struct Socket {
    state: State,
    url: String,
    has_unsent: bool,
}

/// What comes of a socket.
pub(crate) enum Heard {
    Opened,
    Text(String),
    Closed,
    /// Nothing more at present.
    Nothing,
}

impl Socket {
    /// Begins to connect; events come for `token`.
    pub(crate) fn connect(
        address: &ServerAddress,
        at: SocketAddr,
        tls: Option<&Arc<ClientConfig>>,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        let mut tcp = TcpStream::connect(at)?;
        registry.register(&mut tcp, token, Interest::READABLE | Interest::WRITABLE)?;
        let stream = match tls {
            Some(config) if address.is_encrypted => {
                let name = ServerName::try_from(address.host.clone()).map_err(io::Error::other)?;
                let connection = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
                Stream::Tls(Box::new(StreamOwned::new(connection, tcp)))
            }
            _ => Stream::Plain(tcp),
        };
        Ok(Self { state: State::Connecting(stream), url: address.signaling.clone(), has_unsent: false })
    }

    /// Goes on where it stopped for want of bytes or room. Call it until [`Heard::Nothing`] or
    /// [`Heard::Closed`] after each event: they come but once.
    pub(crate) fn hear(&mut self) -> Heard {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Connecting(stream) => self.begin(stream),
            State::Shaking(handshake) => self.shake(handshake.handshake()),
            State::Open(socket) => {
                self.state = State::Open(socket);
                self.read()
            }
            State::Closed => Heard::Closed,
        }
    }

    fn begin(&mut self, mut stream: Stream) -> Heard {
        let tcp = stream.tcp();
        match (tcp.take_error(), tcp.peer_addr()) {
            (Ok(None), Ok(_)) => {}
            (Ok(None), Err(why)) if why.kind() == io::ErrorKind::NotConnected => {
                self.state = State::Connecting(stream);
                return Heard::Nothing;
            }
            _ => return Heard::Closed,
        }
        // Small messages that wait for no others.
        let _ = stream.tcp().set_nodelay(true);
        let Ok(mut request) = self.url.as_str().into_client_request() else { return Heard::Closed };
        let protocol = HeaderValue::from_static(madang_protocol::SUBPROTOCOL);
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let config = WebSocketConfig::default().read_buffer_size(8192).write_buffer_size(0);
        self.shake(tungstenite::client::client_with_config(request, stream, Some(config)))
    }

    fn shake<R>(&mut self, result: Result<(WebSocket<Stream>, R), HandshakeError<ClientHandshake<Stream>>>) -> Heard {
        match result {
            Ok((socket, _)) => {
                self.state = State::Open(Box::new(socket));
                Heard::Opened
            }
            Err(HandshakeError::Interrupted(handshake)) => {
                self.state = State::Shaking(handshake);
                Heard::Nothing
            }
            Err(HandshakeError::Failure(why)) => {
                tracing::debug!(%why, "no WebSocket");
                Heard::Closed
            }
        }
    }

    fn read(&mut self) -> Heard {
        self.flush();
        let State::Open(socket) = &mut self.state else { return Heard::Closed };
        loop {
            match socket.read() {
                Ok(Message::Text(text)) => return Heard::Text(text.as_str().to_owned()),
                Ok(_) => {}
                Err(tungstenite::Error::Io(why)) if why.kind() == io::ErrorKind::WouldBlock => return Heard::Nothing,
                Err(why) => {
                    tracing::debug!(%why, "the WebSocket is gone");
                    self.state = State::Closed;
                    return Heard::Closed;
                }
            }
        }
    }

    /// Sends a text, now or when there is room.
    pub(crate) fn send(&mut self, text: String) {
        let State::Open(socket) = &mut self.state else { return };
        // A broken socket tells so when it is read.
        let _ = socket.write(Message::text(text));
        self.has_unsent = true;
        self.flush();
    }

    fn flush(&mut self) {
        if let (true, State::Open(socket)) = (self.has_unsent, &mut self.state) {
            self.has_unsent = socket.flush().is_err();
        }
    }

    /// Says goodbye, with a reason or without, and closes, as far as that goes without waiting.
    pub(crate) fn close(mut self, why: Option<CloseCode>) {
        if let State::Open(socket) = &mut self.state {
            let _ = socket.close(why.map(|code| CloseFrame { code, reason: "".into() }));
            let _ = socket.flush();
        }
    }
}
