//! One participant and its sockets.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    os::fd::AsRawFd,
    sync::Arc,
    time::Instant,
};

use madang_client::{
    participant::{
        Config, Event, Input, Output, Participant, StreamId, StreamInput, StreamOutput, Transmit, Transport,
    },
    relay::{self, Server},
    signaling,
};
use madang_protocol::IceServer;
use madang_udp::{ReceiveBatch, SendBatch, UdpSocket};
use mio::{Interest, Registry, Token, unix::SourceFd};
use rustls::ClientConfig;

use super::{
    address::ServerAddress,
    hosts::{self, Interfaces},
    stream::RelayStream,
    websocket::{Heard, PAGE_CLOSED, Socket},
};

/// Each seat has so many tokens: signaling, its UDP sockets, its streams.
pub(super) const TOKENS: usize = 16;
const SIGNALING: usize = 0;
const MEDIA: usize = 1;
const STREAMS: usize = MEDIA + hosts::MOST;

/// What all seats use in turn.
pub(super) struct Shared {
    pub(super) registry: Registry,
    /// Taken out while its datagrams are handed on.
    pub(super) receive: Option<ReceiveBatch>,
    pub(super) send: SendBatch,
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) happened: Vec<(usize, Event)>,
}

pub(super) struct Seat {
    pub(super) participant: Participant,
    place: usize,
    address: Arc<ServerAddress>,
    server: SocketAddr,
    signaling: Option<Socket>,
    interfaces: Interfaces,
    /// The addresses that this machine had when the sockets were opened.
    addresses: Vec<IpAddr>,
    media: Vec<UdpSocket>,
    /// Streams to relays, by their part of the tokens.
    streams: HashMap<usize, (StreamId, RelayStream)>,
    /// Streams that could not be opened; the participant is told outside of its drain.
    refused: Vec<(StreamId, String)>,
    /// When it wants to be told of the time.
    pub(super) timer: Option<Instant>,
}

/// A socket on each address, registered.
fn open_sockets(addresses: &[IpAddr], place: usize, registry: &Registry) -> io::Result<Vec<UdpSocket>> {
    let (mut sockets, mut failed) = (Vec::new(), None);
    for address in addresses {
        match hosts::socket(*address) {
            Ok(socket) => {
                let token = Token(place * TOKENS + MEDIA + sockets.len());
                registry.register(&mut SourceFd(&socket.as_raw_fd()), token, Interest::READABLE)?;
                sockets.push(socket);
            }
            // An address that was just given up, or is not usable yet.
            Err(why) => failed = Some(why),
        }
    }
    match failed {
        Some(why) if sockets.is_empty() => Err(why),
        _ => Ok(sockets),
    }
}

impl Seat {
    pub(super) fn new(
        mut config: Config,
        place: usize,
        (address, server): (Arc<ServerAddress>, SocketAddr),
        interfaces: Interfaces,
        registry: &Registry,
        now: Instant,
    ) -> io::Result<Self> {
        let addresses = interfaces.addresses(server);
        let media = open_sockets(&addresses, place, registry)?;
        config.hosts = media.iter().map(UdpSocket::local_addr).collect();
        let participant = Participant::new(config, now);
        Ok(Self {
            participant,
            place,
            address,
            server,
            signaling: None,
            interfaces,
            addresses,
            media,
            streams: HashMap::new(),
            refused: Vec::new(),
            timer: None,
        })
    }

    /// Something can be read or written.
    pub(super) fn ready(&mut self, part: usize, shared: &mut Shared) {
        match part {
            SIGNALING => self.hear(shared),
            part if part < STREAMS => self.receive(part - MEDIA, shared),
            part => self.stream_ready(part, shared),
        }
        self.drain(Instant::now(), shared);
    }

    pub(super) fn timeout(&mut self, now: Instant, shared: &mut Shared) {
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

    /// Looks whether this machine's addresses are still those that the sockets are on.
    pub(super) fn look_for_networks(&mut self, now: Instant, shared: &mut Shared) {
        let addresses = self.interfaces.addresses(self.server);
        let is_same = addresses.len() == self.addresses.len() && addresses.iter().all(|ip| self.addresses.contains(ip));
        // Without any network there is nothing to change to.
        if is_same || addresses.is_empty() {
            return;
        }
        match open_sockets(&addresses, self.place, &shared.registry) {
            Ok(media) => {
                tracing::info!("the addresses of this machine have changed");
                (self.media, self.addresses) = (media, addresses);
                self.participant.set_hosts(now, self.media.iter().map(UdpSocket::local_addr).collect());
                self.drain(now, shared);
            }
            Err(why) => tracing::debug!(%why, "no socket on the new addresses"),
        }
    }

    fn receive(&mut self, index: usize, shared: &mut Shared) {
        let Some(mut batch) = shared.receive.take() else { return };
        // Other errors than an empty socket are those of earlier sends (ECONNREFUSED).
        while self.media.get(index).is_some_and(|socket| batch.receive(socket).is_ok()) {
            let Some(to) = self.media.get(index).map(UdpSocket::local_addr) else { break };
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

    fn stream_ready(&mut self, part: usize, shared: &mut Shared) {
        // Taken out while its frames are handed on: what comes of one may close it.
        let Some((id, mut stream)) = self.streams.remove(&part) else { return };
        let mut frames = Vec::new();
        let read = stream.read(|frame| frames.push(frame.to_vec())).and_then(|()| stream.flush());
        self.streams.insert(part, (id, stream));
        let now = Instant::now();
        for frame in frames {
            self.participant.handle_input(now, Input::Stream(id, StreamInput::Frame(&frame)));
            self.drain(now, shared);
        }
        if let Err(why) = read
            && self.streams.remove(&part).is_some()
        {
            let why = format!("the connection to the relay is lost: {why}");
            self.participant.handle_input(now, Input::Stream(id, StreamInput::Closed(&why)));
        }
    }

    /// Does what the participant wants.
    pub(super) fn drain(&mut self, now: Instant, shared: &mut Shared) {
        loop {
            self.timer = self.drain_participant(now, shared);
            for (_, stream) in self.streams.values_mut() {
                // A broken stream tells so when it is read.
                drop(stream.flush());
            }
            let Some((id, why)) = self.refused.pop() else { return };
            self.participant.handle_input(now, Input::Stream(id, StreamInput::Closed(&why)));
        }
    }

    fn drain_participant(&mut self, now: Instant, shared: &mut Shared) -> Option<Instant> {
        // The batch is of one socket at a time.
        let mut by = 0;
        let timer = loop {
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
                Output::Transmit(transmit) => self.transmit(&transmit, &mut by, shared),
                Output::Stream(id, what) => self.stream(id, what, shared),
                Output::Event(event) => {
                    if let Event::Signaling(
                        signaling::Event::Joined { ice_servers, .. } | signaling::Event::IceServers(ice_servers),
                    ) = &event
                    {
                        self.participant.set_servers(now, resolve(ice_servers));
                    }
                    shared.happened.push((self.place, event));
                }
                Output::Timeout(at) => break at,
            }
        };
        self.flush(by, shared);
        timer
    }

    fn transmit(&self, transmit: &Transmit, by: &mut usize, shared: &mut Shared) {
        // A packet from an address that is gone is lost, as it would be in the network.
        let of = |socket: &UdpSocket| socket.local_addr() == transmit.from;
        let Some(index) = self.media.iter().position(of) else { return };
        if index != *by {
            self.flush(*by, shared);
            *by = index;
        }
        if shared.send.push(transmit.to, &[&transmit.data]).is_err() {
            self.flush(index, shared);
            // An empty batch takes any packet.
            let _ = shared.send.push(transmit.to, &[&transmit.data]);
        }
    }

    fn flush(&self, by: usize, shared: &mut Shared) {
        if let (false, Some(socket)) = (shared.send.is_empty(), self.media.get(by)) {
            shared.send.flush(socket);
        }
    }

    fn stream(&mut self, id: StreamId, what: StreamOutput, shared: &Shared) {
        let part = self.streams.iter().find(|(_, (known, _))| *known == id).map(|(part, _)| *part);
        match (what, part) {
            (StreamOutput::Open { at, host, transport }, None) => {
                let free = (STREAMS..TOKENS).find(|part| !self.streams.contains_key(part));
                let opened = free.ok_or_else(|| io::Error::other("too many streams")).and_then(|part| {
                    let token = Token(self.place * TOKENS + part);
                    let tls = shared.tls.as_ref();
                    Ok((part, RelayStream::open(at, &host, transport, tls, &shared.registry, token)?))
                });
                match opened {
                    Ok((part, stream)) => drop(self.streams.insert(part, (id, stream))),
                    Err(why) => self.refused.push((id, why.to_string())),
                }
            }
            (StreamOutput::Send(bytes), Some(part)) => {
                if let Some((_, stream)) = self.streams.get_mut(&part) {
                    stream.send(&bytes);
                }
            }
            (StreamOutput::Close, Some(part)) => {
                if let Some((_, mut stream)) = self.streams.remove(&part) {
                    // The goodbye to the relay may still be in it.
                    drop(stream.flush());
                }
            }
            _ => {}
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

/// The servers' addresses, one of each family for each name. Those without one are left out.
fn resolve(ice_servers: &[IceServer]) -> Vec<Server> {
    let mut found = Vec::new();
    for named in relay::servers(ice_servers) {
        let Ok(addresses) = (named.host.as_str(), named.port).to_socket_addrs() else { continue };
        let addresses: Vec<SocketAddr> = addresses.collect();
        let first = |is_v4| addresses.iter().find(move |at| at.is_ipv4() == is_v4);
        found.extend([first(true), first(false)].into_iter().flatten().map(|at| named.clone().at(*at)));
    }
    found
}
