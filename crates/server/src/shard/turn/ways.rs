//! The ways out: what the core wants sent goes to a socket, a stream, a DTLS session, a media port of
//! ours or another shard.

use std::{collections::HashMap, net::SocketAddr, time::Instant};

use bytes::Bytes;
use madang_turn::{Body, OpenRelay, RelayId, Route, Shard, Transmit};
use madang_udp::{Place, SendBatch};
use madang_wire::{FiveTuple, Transport};
use mio::Registry;

use super::{
    super::FromRelay, FromSibling, SEND_BYTES, SEND_PACKETS, books::Books, dtls::Dtls, ports::Ports, tcp::TcpRelays,
};
use crate::turn::{PacketSender, TurnMetrics};

/// A client on a stream.
pub(super) struct Stream {
    pub(super) connection: u64,
    pub(super) to: PacketSender,
    /// The shard on which its allocation lives, when that is another one.
    pub(super) lives_on: Option<Shard>,
}

/// The input that is being handled: whose, and where its bytes are.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) client: Option<FiveTuple>,
    pub(super) bytes: Whereabouts<'a>,
}

/// Where they are.
#[derive(Clone, Copy)]
pub(super) enum Whereabouts<'a> {
    /// They were received, and stay until the batch is sent.
    Received(Place),
    /// They go when the input has been handled.
    Passing(&'a [u8]),
    /// There are none: the client has gone.
    Ended,
}

impl<'a> Origin<'a> {
    /// Of an input without bytes.
    pub(super) const NOWHERE: Self = Self::passing(&[]);

    pub(super) const fn passing(data: &'a [u8]) -> Self {
        Self { client: None, bytes: Whereabouts::Passing(data) }
    }

    /// The bytes; `received` is what places are in.
    pub(super) fn data<'b>(&self, received: &'b [u8]) -> &'b [u8]
    where
        'a: 'b,
    {
        match self.bytes {
            Whereabouts::Received(place) => place.of(received),
            Whereabouts::Passing(data) => data,
            Whereabouts::Ended => &[],
        }
    }
}

/// See the module.
pub(super) struct Ways {
    pub(super) ports: Ports,
    pub(super) streams: HashMap<FiveTuple, Stream>,
    pub(super) dtls: Dtls,
    /// Clients over DTLS whose allocations live here and whose sessions are on another shard.
    pub(super) dtls_elsewhere: HashMap<FiveTuple, Shard>,
    pub(super) tcp: TcpRelays,
    pub(super) out: SendBatch,
    /// What was sent to media ports of ours since this was last taken.
    pub(super) to_media: Vec<FromRelay>,
    /// What other shards are to get.
    pub(super) to_siblings: Vec<(Shard, FromSibling)>,
    pub(super) shard: Shard,
    pub(super) books: Books,
    /// Packets that found no room.
    pub(super) unsent: u64,
}

impl Ways {
    pub(super) fn new(ports: Ports, shard: Shard, metrics: &TurnMetrics) -> Self {
        Self {
            ports,
            streams: HashMap::new(),
            dtls: Dtls::default(),
            dtls_elsewhere: HashMap::new(),
            tcp: TcpRelays::default(),
            out: SendBatch::new(SEND_BYTES, SEND_PACKETS),
            to_media: Vec::new(),
            to_siblings: Vec::new(),
            shard,
            books: Books::new(metrics.clone()),
            unsent: 0,
        }
    }

    pub(super) fn transmit(&mut self, now: Instant, transmit: &Transmit, received: &[u8], origin: Origin<'_>) {
        match transmit.route {
            Route::Peer { relay, to } if transmit.dont_fragment => {
                self.send_whole(relay, to, transmit, received, origin);
            }
            Route::Peer { relay, to } => {
                self.push(Ports::number_of_relay(relay), to, transmit, received, origin);
            }
            Route::Client(client) if client.transport.is_stream() => {
                let sent = self.streams.get(&client).is_some_and(|stream| {
                    stream.to.send(&[transmit.head.as_slice(), body(transmit, received, origin), padding(transmit)])
                });
                if !sent && !transmit.is_data() {
                    // Without its answer the client is lost; its task sees the queue end and hangs up.
                    self.streams.remove(&client);
                }
                self.unsent += u64::from(!sent);
            }
            Route::Client(client) if client.transport == Transport::Dtls => {
                let packet = [transmit.head.as_slice(), body(transmit, received, origin), padding(transmit)].concat();
                match self.dtls_elsewhere.get(&client) {
                    Some(&shard) => {
                        let to_dtls = FromSibling::ToDtls { client, data: packet.into() };
                        self.to_siblings.push((shard, to_dtls));
                    }
                    None => self.unsent += u64::from(!self.send_dtls(now, &client, &packet, received)),
                }
            }
            Route::Client(client) => match self.ports.number_of_listener(client.server) {
                Some(listener) => self.push(listener, client.client, transmit, received, origin),
                None => self.unsent += 1,
            },
            Route::Media { relayed, to } => {
                let data = Bytes::copy_from_slice(body(transmit, received, origin));
                self.to_media.push(FromRelay { relayed, media: to, data });
            }
            Route::Sibling { shard, from, to } => {
                let data = Bytes::copy_from_slice(body(transmit, received, origin));
                self.to_siblings.push((shard, FromSibling::Data { from, to, data }));
            }
        }
    }

    /// Sends a packet that must not be fragmented: by itself, for the socket is told so meanwhile.
    fn send_whole(&mut self, relay: RelayId, to: SocketAddr, transmit: &Transmit, received: &[u8], origin: Origin<'_>) {
        self.flush(received);
        let dont =
            |ways: &Self, dont| ways.ports.relay(relay).is_some_and(|socket| socket.set_dont_fragment(dont).is_ok());
        if !dont(self, true) {
            self.unsent += 1;
            return;
        }
        self.push(Ports::number_of_relay(relay), to, transmit, received, origin);
        self.flush(received);
        dont(self, false);
    }

    /// Another shard has what this input is about.
    pub(super) fn pass_on(&mut self, shard: Shard, received: &[u8], origin: Origin<'_>) {
        let Some(client) = origin.client else { return };
        let data = Bytes::copy_from_slice(origin.data(received));
        let passed = match self.streams.get_mut(&client) {
            Some(stream) if client.transport.is_stream() => {
                let (connection, to) = (stream.connection, stream.to.clone());
                let former = stream.lives_on.replace(shard).filter(|former| *former != shard);
                if let Some(former) = former {
                    self.to_siblings.push((former, FromSibling::Closed { client, connection }));
                }
                FromSibling::Frame { client, connection, to, data }
            }
            _ if client.transport == Transport::Dtls => match origin.bytes {
                Whereabouts::Ended => FromSibling::DtlsClosed { client },
                _ => FromSibling::DtlsPacket { client, session: self.shard, data },
            },
            _ => FromSibling::Packet { from: client, data },
        };
        self.to_siblings.push((shard, passed));
    }

    pub(super) fn tell_closed(&mut self, client: FiveTuple, stream: &Stream) {
        if let Some(shard) = stream.lives_on {
            let closed = FromSibling::Closed { client, connection: stream.connection };
            self.to_siblings.push((shard, closed));
        }
    }

    fn push(&mut self, socket: u32, to: SocketAddr, transmit: &Transmit, received: &[u8], origin: Origin<'_>) {
        let head = transmit.head.as_slice();
        let (own, place): (&[u8], Place) = match (&transmit.body, origin.bytes) {
            (Body::Input(range), Whereabouts::Received(place)) => (&[], place.part(range.clone())),
            _ => (body(transmit, received, origin), Place::NOWHERE),
        };
        if self.out.push_by(socket, to, &[head, own], place, transmit.padding).is_ok() {
            return;
        }
        self.flush(received);
        self.unsent += u64::from(self.out.push_by(socket, to, &[head, own], place, transmit.padding).is_err());
    }

    pub(super) fn receive_dtls(
        &mut self,
        now: Instant,
        listener: usize,
        from: SocketAddr,
        datagram: &[u8],
        received: &[u8],
    ) {
        let Self { dtls, out, ports, unsent, .. } = self;
        let number = u32::try_from(listener).unwrap_or(u32::MAX);
        dtls.receive(now, listener, from, datagram, |to, datagram| {
            *unsent += push_copy(out, ports, received, number, to, datagram);
        });
    }

    pub(super) fn send_dtls(&mut self, now: Instant, client: &FiveTuple, packet: &[u8], received: &[u8]) -> bool {
        let Some(number) = self.ports.number_of_listener(client.server) else { return false };
        let Self { dtls, out, ports, unsent, .. } = self;
        dtls.send(now, number as usize, client.client, packet, |to, datagram| {
            *unsent += push_copy(out, ports, received, number, to, datagram);
        })
    }

    pub(super) fn pass_time_in_dtls(&mut self, now: Instant, received: &[u8]) {
        let Self { dtls, out, ports, unsent, .. } = self;
        dtls.timeout(now, |listener, to, datagram| {
            let number = u32::try_from(listener).unwrap_or(u32::MAX);
            *unsent += push_copy(out, ports, received, number, to, datagram);
        });
    }

    /// A full socket buffer loses packets, as a network would; it ends nothing.
    pub(super) fn flush(&mut self, received: &[u8]) {
        if !self.out.is_empty() {
            let Self { out, ports, .. } = self;
            self.unsent += out.flush_all(received, |number| ports.socket(number)).dropped;
        }
    }

    pub(super) fn open_relay(&mut self, registry: &Registry, received: &[u8], wish: &OpenRelay) -> Option<SocketAddr> {
        // What waits may be for a relay that had the same number.
        self.flush(received);
        match self.ports.open(registry, wish) {
            Ok(relayed) => {
                tracing::debug!(%relayed, "a relay is open");
                Some(relayed)
            }
            Err(why) => {
                tracing::warn!(%why, "no relay can be opened");
                None
            }
        }
    }

    pub(super) fn close_relay(&mut self, received: &[u8], relay: RelayId) {
        if let Some(relayed) = self.tcp.close(relay) {
            self.ports.relay_sockets().release(relayed);
            return;
        }
        self.flush(received);
        self.ports.close(relay);
    }
}

/// Puts a copy of a packet behind the others; says how many were lost for want of room.
fn push_copy(out: &mut SendBatch, ports: &Ports, received: &[u8], listener: u32, to: SocketAddr, packet: &[u8]) -> u64 {
    if out.push_by(listener, to, &[packet], Place::NOWHERE, 0).is_ok() {
        return 0;
    }
    let lost = out.flush_all(received, |number| ports.socket(number)).dropped;
    lost + u64::from(out.push_by(listener, to, &[packet], Place::NOWHERE, 0).is_err())
}

/// The bytes between a packet's head and its padding.
fn body<'a>(transmit: &'a Transmit, received: &'a [u8], origin: Origin<'a>) -> &'a [u8] {
    transmit.body(origin.data(received))
}

fn padding(transmit: &Transmit) -> &'static [u8] {
    &[0; 4][..transmit.padding.min(4)]
}
