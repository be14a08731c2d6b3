//! One participant and its sockets.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket as StdUdpSocket},
    os::fd::AsRawFd,
    sync::Arc,
    time::Instant,
};

use madang_client::{
    participant::{Event, Input, Output, Participant, Transmit, Transport},
    signaling,
};
use madang_udp::{Options, ReceiveBatch, SendBatch, UdpSocket};
use mio::{Interest, Registry, Token, unix::SourceFd};
use rustls::ClientConfig;

use super::{
    address::ServerAddress,
    websocket::{Heard, Socket},
};

/// Each seat has so many tokens.
pub(super) const TOKENS: usize = 2;
const SIGNALING: usize = 0;
const MEDIA: usize = 1;

/// Kernel buffers of one participant's socket: a second of 8 Mbit/s.
const BUFFER: usize = 1 << 20;

/// What all seats use in turn.
pub(super) struct Shared {
    pub(super) registry: Registry,
    /// Taken out while its datagrams are handed on.
    pub(super) receive: Option<ReceiveBatch>,
    pub(super) send: SendBatch,
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) events: Vec<(usize, Event)>,
}

pub(super) struct Seat {
    pub(super) participant: Participant,
    place: usize,
    address: Arc<ServerAddress>,
    server: SocketAddr,
    signaling: Option<Socket>,
    media: UdpSocket,
    /// When it wants to be told of the time.
    pub(super) timer: Option<Instant>,
}

/// A socket on the local address from which the server is reached.
pub(super) fn media_socket(server: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr =
        if server.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    // Connecting a UDP socket sends nothing; it finds the route.
    let probe = StdUdpSocket::bind(any)?;
    probe.connect(server)?;
    let local = SocketAddr::new(probe.local_addr()?.ip(), 0);
    UdpSocket::bind(local, Options { receive_buffer: BUFFER, send_buffer: BUFFER, ..Options::default() })
}

impl Seat {
    pub(super) fn new(
        participant: Participant,
        place: usize,
        address: Arc<ServerAddress>,
        server: SocketAddr,
        media: UdpSocket,
        registry: &Registry,
    ) -> io::Result<Self> {
        let token = Token(place * TOKENS + MEDIA);
        registry.register(&mut SourceFd(&media.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self { participant, place, address, server, signaling: None, media, timer: None })
    }

    /// Something can be read or written.
    pub(super) fn ready(&mut self, part: usize, shared: &mut Shared) {
        if part == MEDIA {
            self.receive(shared);
        } else {
            self.hear(shared);
        }
        self.drain(Instant::now(), shared);
    }

    pub(super) fn timeout(&mut self, now: Instant, shared: &mut Shared) {
        self.participant.handle_input(now, Input::Timeout);
        self.drain(now, shared);
    }

    fn receive(&mut self, shared: &mut Shared) {
        let to = self.media.local_addr();
        let Some(mut batch) = shared.receive.take() else { return };
        // Other errors than an empty socket are those of earlier sends (ECONNREFUSED).
        while batch.receive(&self.media).is_ok() {
            let now = Instant::now();
            for datagram in batch.datagrams() {
                let (from, data, transport) = (datagram.from, datagram.data(), Transport::Udp);
                self.participant.handle_input(now, Input::Receive { transport, from, to, data });
                self.drain(now, shared);
            }
        }
        shared.receive = Some(batch);
    }

    fn hear(&mut self, shared: &mut Shared) {
        while let Some(socket) = &mut self.signaling {
            let heard = socket.hear();
            let input = match &heard {
                Heard::Opened => signaling::Input::Connected,
                Heard::Text(text) => signaling::Input::Message(text),
                Heard::Closed => {
                    self.signaling = None;
                    signaling::Input::Disconnected
                }
                Heard::Nothing => return,
            };
            let now = Instant::now();
            self.participant.handle_input(now, Input::Signaling(input));
            self.drain(now, shared);
        }
    }

    /// Does what the participant wants.
    pub(super) fn drain(&mut self, now: Instant, shared: &mut Shared) {
        loop {
            match self.participant.poll_output() {
                Output::Connect => self.connect(now, shared),
                Output::Send(text) => {
                    if let Some(socket) = &mut self.signaling {
                        socket.send(text);
                    }
                }
                Output::Disconnect => {
                    if let Some(socket) = self.signaling.take() {
                        socket.close();
                    }
                }
                Output::Transmit(transmit) => self.transmit(&transmit, shared),
                Output::Event(event) => shared.events.push((self.place, event)),
                Output::Timeout(at) => {
                    self.timer = at;
                    break;
                }
            }
        }
        if !shared.send.is_empty() {
            shared.send.flush(&self.media);
        }
    }

    fn transmit(&mut self, transmit: &Transmit, shared: &mut Shared) {
        if shared.send.push(transmit.to, &[&transmit.data]).is_err() {
            shared.send.flush(&self.media);
            // An empty batch takes any packet.
            let _ = shared.send.push(transmit.to, &[&transmit.data]);
        }
    }

    fn connect(&mut self, now: Instant, shared: &Shared) {
        let token = Token(self.place * TOKENS + SIGNALING);
        match Socket::connect(&self.address, self.server, shared.tls.as_ref(), &shared.registry, token) {
            Ok(socket) => self.signaling = Some(socket),
            Err(why) => {
                tracing::debug!(%why, "no connection");
                self.participant.handle_input(now, Input::Signaling(signaling::Input::Disconnected));
            }
        }
    }
}
