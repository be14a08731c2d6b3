//! The UDP sockets of TURN: listeners, which clients reach, and relays, which peers reach.

use std::{io, net::SocketAddr, os::fd::AsRawFd};

use madang_turn::{OpenRelay, PortRequirement, RelayId, Shard};
use madang_udp::UdpSocket;
use mio::{Interest, Registry, unix::SourceFd};

use super::{
    super::{Source, live_relays::LiveRelays, tokens},
    Listeners,
};
use crate::turn::{Opened, RelaySockets};

/// Relays are numbered behind all listeners there can be.
const FIRST_RELAY: u32 = 1 << 15;

/// Messages first asked of a relay's socket: most have one packet at a time.
const FEW: u8 = 4;

/// A socket.
pub(super) struct Port {
    pub(super) socket: UdpSocket,
    /// Of a relay: what its peers are told.
    relayed: Option<SocketAddr>,
    /// It stands in the queue of those that have more to read.
    queued: bool,
    /// How many messages it is asked for, after what it had the last time.
    ask: u8,
}

impl Port {
    /// How many messages to ask for.
    pub(super) fn ask(&self) -> usize {
        usize::from(self.ask)
    }

    /// It had so many; says whether it may have more.
    pub(super) fn had(&mut self, messages: usize) -> bool {
        let asked = self.ask();
        if messages >= asked {
            self.ask = self.ask.saturating_mul(2);
        } else if self.relayed.is_some() && messages * 4 < asked {
            self.ask = (self.ask / 2).max(FEW);
        }
        messages >= asked
    }
}

/// See the module.
pub(super) struct Ports {
    listeners: Vec<Port>,
    /// From this one on, listeners serve DTLS alone.
    first_encrypted: usize,
    relays: Vec<Option<Box<Port>>>,
    relay_sockets: RelaySockets,
    shard: Shard,
    live: LiveRelays,
}

impl Ports {
    pub(super) fn new(listeners: Listeners, relay_sockets: RelaySockets, shard: Shard, live: LiveRelays) -> Self {
        let listener = |socket| Port { socket, relayed: None, queued: false, ask: u8::MAX };
        let first_encrypted = listeners.open.len();
        let listeners = listeners.open.into_iter().chain(listeners.encrypted).map(listener).collect();
        Self { listeners, first_encrypted, relays: Vec::new(), relay_sockets, shard, live }
    }

    pub(super) fn register(&self, registry: &Registry) -> io::Result<()> {
        for (index, listener) in self.listeners.iter().enumerate() {
            let descriptor = listener.socket.as_raw_fd();
            registry.register(&mut SourceFd(&descriptor), tokens::listener(index), Interest::READABLE)?;
        }
        Ok(())
    }

    /// Who opens relays, of TCP too.
    pub(super) fn relay_sockets(&self) -> &RelaySockets {
        &self.relay_sockets
    }

    /// How many listeners there are.
    pub(super) fn listeners(&self) -> usize {
        self.listeners.len()
    }

    /// Whether a listener serves DTLS alone.
    pub(super) fn is_encrypted(&self, listener: usize) -> bool {
        listener >= self.first_encrypted
    }

    /// Marks a socket as ready; `false` when it was already, or is gone.
    pub(super) fn queue(&mut self, source: Source) -> bool {
        self.of(source).is_some_and(|port| !std::mem::replace(&mut port.queued, true))
    }

    /// Everything that waited has been read.
    pub(super) fn is_read(&mut self, source: Source) {
        if let Some(port) = self.of(source) {
            port.queued = false;
        }
    }

    pub(super) fn of(&mut self, source: Source) -> Option<&mut Port> {
        match source {
            Source::Listener(index) => self.listeners.get_mut(index),
            Source::Relay(index) => self.relays.get_mut(index)?.as_deref_mut(),
            Source::Media(_) => None,
        }
    }

    /// The relay of a source.
    pub(super) fn relay(&self, relay: RelayId) -> Option<&UdpSocket> {
        Some(&self.relays.get(relay.0 as usize)?.as_deref()?.socket)
    }

    /// The number of a relay in a batch.
    pub(super) fn number_of_relay(relay: RelayId) -> u32 {
        FIRST_RELAY.saturating_add(relay.0)
    }

    /// The number of the listener at an address.
    pub(super) fn number_of_listener(&self, address: SocketAddr) -> Option<u32> {
        let index = self.listeners.iter().position(|listener| listener.socket.local_addr() == address)?;
        u32::try_from(index).ok()
    }

    /// The socket of a number.
    pub(super) fn socket(&self, number: u32) -> Option<&UdpSocket> {
        let port = match number.checked_sub(FIRST_RELAY) {
            Some(relay) => self.relays.get(relay as usize)?.as_deref()?,
            None => self.listeners.get(number as usize)?,
        };
        Some(&port.socket)
    }

    /// Opens the relay, or two neighbours; says at which address.
    pub(super) fn open(&mut self, registry: &Registry, wish: &OpenRelay) -> io::Result<SocketAddr> {
        let (first, second) = self.relay_sockets.open(wish)?;
        let relayed = first.relayed;
        let next = match wish.port {
            PortRequirement::EvenAndNext(next) => second.map(|second| (next, second)),
            PortRequirement::Any | PortRequirement::Even => None,
        };
        let ids = [Some(wish.relay), next.as_ref().map(|(next, _)| *next)];
        let mut result = Ok(relayed);
        // Every one of them, even after a failure, so that each is known or released.
        for (relay, opened) in [Some((wish.relay, first)), next].into_iter().flatten() {
            if let Err(why) = self.add(registry, relay, opened) {
                result = Err(why);
            }
        }
        if result.is_err() {
            ids.into_iter().flatten().for_each(|relay| self.close(relay));
        }
        result
    }

    fn add(&mut self, registry: &Registry, relay: RelayId, opened: Opened) -> io::Result<()> {
        let index = relay.0 as usize;
        let Opened { socket, relayed } = opened;
        let descriptor = socket.as_raw_fd();
        if let Err(why) = registry.register(&mut SourceFd(&descriptor), tokens::relay(index), Interest::READABLE) {
            self.relay_sockets.release(relayed);
            return Err(why);
        }
        if self.relays.len() <= index {
            self.relays.resize_with(index + 1, || None);
        }
        self.live.insert(relayed, self.shard);
        self.relays[index] = Some(Box::new(Port { socket, relayed: Some(relayed), queued: false, ask: FEW }));
        Ok(())
    }

    /// Closes a relay. The poll loop forgets a socket that is closed.
    pub(super) fn close(&mut self, relay: RelayId) {
        let Some(port) = self.relays.get_mut(relay.0 as usize).and_then(Option::take) else { return };
        if let Some(relayed) = port.relayed {
            self.live.remove(&relayed);
            self.relay_sockets.release(relayed);
        }
        tracing::debug!(local = %port.socket.local_addr(), "a relay is closed");
    }
}
