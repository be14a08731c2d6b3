//! One participant and its sockets.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket as StdUdpSocket},
    os::fd::AsRawFd,
    sync::Arc,
    time::Instant,
};

use madang_client::{
    participant::{Event, Input, LocalCandidate, Output, Participant, Transmit, Transport},
    relay::{RelayServer, Transport as RelayTransport, path},
    signaling,
};
use madang_protocol::IceServer;
use madang_udp::{Options, ReceiveBatch, SendBatch, UdpSocket};
use mio::{Interest, Registry, Token, unix::SourceFd};
use rustls::ClientConfig;

use super::{
    address::ServerAddress,
    relay::{Relay, Relayed},
    websocket::{Heard, PAGE_CLOSED, Socket},
};

/// Each seat has so many tokens.
pub(super) const TOKENS: usize = 3;
const SIGNALING: usize = 0;
const MEDIA: usize = 1;
const RELAY: usize = 2;

/// What happened to a participant.
#[derive(Debug)]
pub(crate) enum Happening {
    /// Something in its room or its media.
    Event(Event),
    /// It has a relay; media travels by that.
    RelayOpened(SocketAddr),
    /// It has none (any more), and can't be in the call without.
    RelayFailed(String),
}

/// Kernel buffers of one participant's socket: a second of 8 Mbit/s.
const BUFFER: usize = 1 << 20;

/// What all seats use in turn.
pub(super) struct Shared {
    pub(super) registry: Registry,
    /// Taken out while its datagrams are handed on.
    pub(super) receive: Option<ReceiveBatch>,
    pub(super) send: SendBatch,
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) happened: Vec<(usize, Happening)>,
    /// Empty between two uses.
    pub(super) relayed: Vec<Relayed>,
}

pub(super) struct Seat {
    pub(super) participant: Participant,
    place: usize,
    address: Arc<ServerAddress>,
    server: SocketAddr,
    signaling: Option<Socket>,
    media: UdpSocket,
    /// How the relay is to be reached, where one is wanted.
    relay_by: Option<RelayTransport>,
    relay: Option<Relay>,
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
        relay_by: Option<RelayTransport>,
        registry: &Registry,
    ) -> io::Result<Self> {
        let token = Token(place * TOKENS + MEDIA);
        registry.register(&mut SourceFd(&media.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self { participant, place, address, server, signaling: None, media, relay_by, relay: None, timer: None })
    }

    /// Something can be read or written.
    pub(super) fn ready(&mut self, part: usize, shared: &mut Shared) {
        let now = Instant::now();
        match part {
            MEDIA => self.receive(shared),
            RELAY => {
                if let (Some(relay), Some(batch)) = (&mut self.relay, &mut shared.receive) {
                    relay.ready(now, batch, &mut shared.relayed);
                }
            }
            _ => self.hear(shared),
        }
        self.drain(now, shared);
    }

    pub(super) fn timeout(&mut self, now: Instant, shared: &mut Shared) {
        if let Some(relay) = &mut self.relay {
            relay.timeout(now);
        }
        self.participant.handle_input(now, Input::Timeout);
        self.drain(now, shared);
    }

    /// The WebSocket is gone, and nobody said so.
    pub(super) fn cut(&mut self, now: Instant, shared: &mut Shared) {
        if self.signaling.take().is_some() {
            self.participant.handle_input(now, Input::Signaling(signaling::Input::Disconnected));
        }
        self.drain(now, shared);
    }

    /// The page goes away, and the browser says so.
    pub(super) fn close_page(&mut self) {
        if let Some(socket) = self.signaling.take() {
            socket.close(Some(PAGE_CLOSED));
        }
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

    /// Does what the participant and its relay want.
    pub(super) fn drain(&mut self, now: Instant, shared: &mut Shared) {
        loop {
            let timer = self.drain_participant(now, shared);
            let relay = self.drain_relay(now, shared);
            self.timer = [timer, relay].into_iter().flatten().min();
            if shared.relayed.is_empty() {
                break;
            }
            self.take_relayed(now, shared);
        }
        if !shared.send.is_empty() {
            shared.send.flush(&self.media);
        }
    }

    fn drain_participant(&mut self, now: Instant, shared: &mut Shared) -> Option<Instant> {
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
                        socket.close(None);
                    }
                }
                Output::Transmit(transmit) => match &mut self.relay {
                    Some(relay) => relay.send(now, transmit.to, &transmit.data),
                    None => self.transmit(&transmit, shared),
                },
                Output::Event(event) => {
                    if let Event::Signaling(signaling::Event::Joined { ice_servers, .. }) = &event {
                        self.open_relay(ice_servers, shared);
                    }
                    if let (Event::Signaling(signaling::Event::Ended(_)), Some(relay)) = (&event, &mut self.relay) {
                        relay.close(now);
                    }
                    shared.happened.push((self.place, Happening::Event(event)));
                }
                Output::Timeout(at) => return at,
            }
        }
    }

    fn drain_relay(&mut self, now: Instant, shared: &mut Shared) -> Option<Instant> {
        let relay = self.relay.as_mut()?;
        relay.drain(&mut shared.send, &mut shared.relayed);
        relay.timer.map(|at| at.max(now))
    }

    fn take_relayed(&mut self, now: Instant, shared: &mut Shared) {
        for relayed in std::mem::take(&mut shared.relayed) {
            match relayed {
                Relayed::Opened(address) => {
                    self.participant.set_candidates(now, vec![LocalCandidate { address, tcp: false }]);
                    shared.happened.push((self.place, Happening::RelayOpened(address)));
                }
                Relayed::Data { peer: from, data } => {
                    let Some(to) = self.relay.as_ref().and_then(|relay| relay.relayed) else { continue };
                    let transport = Transport::Udp;
                    self.participant.handle_input(now, Input::Receive { transport, from, to, data: &data });
                    self.drain_participant(now, shared);
                }
                Relayed::Failed(why) => {
                    self.relay = None;
                    shared.happened.push((self.place, Happening::RelayFailed(why)));
                }
            }
        }
    }

    /// Asks for a relay, once.
    fn open_relay(&mut self, ice_servers: &[IceServer], shared: &mut Shared) {
        let Some(transport) = self.relay_by else { return };
        if self.relay.is_some() {
            return;
        }
        let token = Token(self.place * TOKENS + RELAY);
        let opened = RelayServer::choose(ice_servers, transport)
            .ok_or_else(|| io::Error::other(format!("the server names no relay over {}", transport.name())))
            .and_then(|server| {
                let mut seed = [0; 32];
                aws_lc_rs::rand::fill(&mut seed).map_err(|_| io::Error::other("no randomness"))?;
                Relay::open(&server, shared.tls.as_ref(), seed, &shared.registry, token)
            });
        match opened {
            Ok(relay) => {
                self.participant.set_path(path(transport));
                self.relay = Some(relay);
            }
            Err(why) => shared.happened.push((self.place, Happening::RelayFailed(why.to_string()))),
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
