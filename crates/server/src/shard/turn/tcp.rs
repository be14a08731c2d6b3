//! TCP relays: RFC 6062. Tokio tasks listen and connect; the sockets of peers wait here, unread,
//! until they go to the tasks of the clients that bind them.

use std::{collections::HashMap, io, net::SocketAddr, time::Duration};

use madang_turn::{Allowance, ConnectionId, Input, OpenRelay, Output, RelayId};
use madang_wire::{FiveTuple, Pii};
use mio::Registry;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Handle,
    sync::oneshot,
    task::AbortHandle,
};

use super::{Origin, TurnPart, Ways};
use crate::{
    shard::{Command, ShardSender},
    turn::{PacketSender, RelaySockets, Splice, TcpRelay, connect},
};

/// What the tasks of TCP relays tell the TURN part.
#[derive(Debug)]
pub(crate) enum TcpRelayCommand {
    /// A peer has connected to a relay, the one that was opened as the `serial`th.
    PeerConnected { relay: RelayId, serial: u64, peer: SocketAddr, stream: TcpStream },
    /// A connection that was asked for is there, or can't be.
    Connected { connection: ConnectionId, stream: Option<TcpStream> },
    /// Bytes that have passed since this was last said.
    Spliced { connection: ConnectionId, to_peer: u64, to_client: u64 },
    /// The client's end or the peer's has ended.
    Closed { connection: ConnectionId },
}

/// A task that ends when it is dropped.
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Relay {
    serial: u64,
    local: SocketAddr,
    relayed: SocketAddr,
    _accepting: Task,
}

enum Connection {
    Connecting { _task: Task },
    Unbound(TcpStream),
    Spliced { _end: oneshot::Sender<()> },
}

/// See the module.
#[derive(Default)]
pub(super) struct TcpRelays {
    /// Where tasks run, and whom they tell.
    tasks: Option<(Handle, ShardSender)>,
    relays: HashMap<RelayId, Relay>,
    /// Relays so far. Their numbers are used again, and a task may tell of one that is closed.
    opened: u64,
    connections: HashMap<ConnectionId, Connection>,
    /// A peer that the core is being told of.
    arrived: Option<TcpStream>,
}

impl TcpRelays {
    /// Needs a tokio runtime.
    pub(super) fn start(&mut self, shard: ShardSender) {
        self.tasks = Some((Handle::current(), shard));
    }

    fn open(&mut self, sockets: &RelaySockets, wish: &OpenRelay) -> io::Result<SocketAddr> {
        let (runtime, shard) = self.tasks.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        let TcpRelay { listener, relayed } = sockets.listen(wish)?;
        let listener = listener.local_addr().and_then(|local| {
            let _context = runtime.enter();
            Ok((local, TcpListener::from_std(listener)?))
        });
        let (local, listener) = listener.inspect_err(|_| sockets.release(relayed))?;
        self.opened += 1;
        let serial = self.opened;
        let accepting = runtime.spawn(accept(listener, wish.relay, serial, shard.clone()));
        let relay = Relay { serial, local, relayed, _accepting: Task(accepting.abort_handle()) };
        self.relays.insert(wish.relay, relay);
        Ok(relayed)
    }

    /// Says which address is free again; `None` when it is no relay of TCP.
    pub(super) fn close(&mut self, relay: RelayId) -> Option<SocketAddr> {
        self.relays.remove(&relay).map(|relay| relay.relayed)
    }

    /// `false` when it can't be tried.
    fn connect(&mut self, connection: ConnectionId, relay: RelayId, peer: SocketAddr) -> bool {
        let (Some((runtime, shard)), Some(from)) = (&self.tasks, self.relays.get(&relay)) else { return false };
        let (from, shard) = (from.local, shard.clone());
        let task = runtime.spawn(async move {
            let connected = connect(from, peer).await;
            if let Err(why) = &connected {
                tracing::debug!(%why, peer = %Pii(peer), "a peer cannot be reached");
            }
            let stream = connected.ok();
            shard.send(Command::TcpRelay(TcpRelayCommand::Connected { connection, stream })).await;
        });
        self.connections.insert(connection, Connection::Connecting { _task: Task(task.abort_handle()) });
        true
    }

    /// Says whether there is a connection that is wanted.
    fn connected(&mut self, connection: ConnectionId, stream: Option<TcpStream>) -> bool {
        let wanted = matches!(self.connections.remove(&connection), Some(Connection::Connecting { .. }));
        let stream = stream.filter(|_| wanted);
        let established = stream.is_some();
        self.connections.extend(stream.map(|stream| (connection, Connection::Unbound(stream))));
        established
    }

    /// Hands the peer's connection to the client's task, behind what waits for the client.
    fn splice(&mut self, connection: ConnectionId, allowance: Allowance, to: &PacketSender) -> bool {
        let Some((_, shard)) = &self.tasks else { return false };
        let Some(Connection::Unbound(peer)) = self.connections.remove(&connection) else { return false };
        let (end, ended) = oneshot::channel();
        let _ = peer.set_nodelay(true);
        self.connections.insert(connection, Connection::Spliced { _end: end });
        to.splice(Splice { connection, peer, allowance, shard: shard.clone(), ended })
    }
}

/// Accepts peers until the relay is closed.
async fn accept(listener: TcpListener, relay: RelayId, serial: u64, shard: ShardSender) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let connected = TcpRelayCommand::PeerConnected { relay, serial, peer, stream };
                if !shard.send(Command::TcpRelay(connected)).await {
                    return;
                }
            }
            Err(why) => {
                // Most likely out of file descriptors; some will be free in a moment.
                tracing::warn!(%why, "a peer's connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

impl Ways {
    /// Does what the core wants of TCP relays; what comes of it at once, for the core.
    pub(super) fn serve_tcp_relay(&mut self, output: Output) -> Option<Input<'static>> {
        match output {
            Output::OpenTcpRelay(wish) => {
                let opened = self.tcp.open(self.ports.relay_sockets(), &wish);
                if let Err(why) = &opened {
                    tracing::warn!(%why, "no TCP relay can be opened");
                }
                Some(Input::RelayOpened { relay: wish.relay, relayed: opened.ok() })
            }
            Output::Connect { connection, relay, peer } => {
                let tried = self.tcp.connect(connection, relay, peer);
                (!tried).then_some(Input::Connected { connection, established: false })
            }
            Output::Accept(connection) => {
                let arrived = self.tcp.arrived.take().map(|stream| (connection, Connection::Unbound(stream)));
                self.tcp.connections.extend(arrived);
                None
            }
            Output::Splice { client, connection, allowance } => {
                let spliced = self.splice(&client, connection, allowance);
                (!spliced).then_some(Input::ConnectionClosed { connection })
            }
            Output::CloseConnection(connection) => {
                self.tcp.connections.remove(&connection);
                None
            }
            _ => None,
        }
    }

    fn splice(&mut self, client: &FiveTuple, connection: ConnectionId, allowance: Allowance) -> bool {
        let spliced = self.streams.get(client).is_some_and(|stream| self.tcp.splice(connection, allowance, &stream.to));
        if !spliced {
            self.tcp.connections.remove(&connection);
            // The client believes that it is bound; its task sees the queue end and hangs up.
            self.streams.remove(client);
        }
        spliced
    }
}

impl TurnPart {
    /// Takes what the tasks of TCP relays tell.
    pub(in crate::shard) fn tcp_relay(
        &mut self,
        now: std::time::Instant,
        registry: &Registry,
        command: TcpRelayCommand,
    ) {
        let tcp = &mut self.ways.tcp;
        let input = match command {
            TcpRelayCommand::PeerConnected { relay, serial, peer, stream } => {
                if tcp.relays.get(&relay).is_none_or(|known| known.serial != serial) {
                    return;
                }
                tcp.arrived = Some(stream);
                Input::PeerConnected { relay, peer }
            }
            TcpRelayCommand::Connected { connection, stream } => {
                Input::Connected { connection, established: tcp.connected(connection, stream) }
            }
            TcpRelayCommand::Spliced { connection, to_peer, to_client } => {
                Input::Spliced { connection, to_peer, to_client }
            }
            TcpRelayCommand::Closed { connection } => {
                tcp.connections.remove(&connection);
                Input::ConnectionClosed { connection }
            }
        };
        self.input(now, registry, input, Origin::NOWHERE);
        // Whom the core has not accepted is closed: RFC 6062 §5.3.
        self.ways.tcp.arrived = None;
    }
}
