//! Connections between TCP relays and peers: RFC 6062 §5.
//!
//! The core knows which there are and for whom; their data passes through the shell alone.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use madang_wire::{
    FiveTuple,
    stun::{CONNECT, CONNECTION_ATTEMPT, ConnectionIdAttribute, Message, TransactionId, XorPeerAddress, optional},
};

use crate::{
    Allowance, Output,
    allocation::AllocationId,
    authentication::Authenticated,
    bucket::Bucket,
    io::{ConnectionId, RelayId, Shard},
    reply::Reply,
    server::{Refusal, Request, Server},
    timer::Timer,
};

/// RFC 6062 §5.2: how long a peer has to answer; §5.3 and §5.4: how long a client has to bind.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bits of a connection's number that count; those above name the shard.
const COUNT_BITS: u32 = 22;

/// A connection with a peer.
#[derive(Debug)]
pub(crate) struct Connection {
    allocation: AllocationId,
    peer: SocketAddr,
    state: State,
    /// What its allocation carries by TCP.
    bandwidth: Arc<Bucket>,
}

#[derive(Debug)]
enum State {
    /// The peer has not answered.
    Connecting { client: Authenticated, transaction: TransactionId, until: Instant },
    /// The client has not bound it.
    Unbound { until: Instant },
    /// It carries data.
    Spliced,
}

/// All connections of a shard.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    by_id: HashMap<ConnectionId, Connection>,
    made: u32,
}

impl Connections {
    fn new_id(&mut self, shard: Shard) -> ConnectionId {
        loop {
            self.made = self.made.wrapping_add(1) & ((1 << COUNT_BITS) - 1);
            let id = ConnectionId(u32::from(shard) << COUNT_BITS | self.made);
            if !self.by_id.contains_key(&id) {
                return id;
            }
        }
    }
}

impl ConnectionId {
    /// Where the connection lives. There are fewer than 1024 shards.
    const fn shard(self) -> Shard {
        (self.0 >> COUNT_BITS) as Shard
    }
}

/// The connection that a ConnectionBind names.
pub(crate) fn named_connection(message: &Message<'_>) -> Result<ConnectionId, Refusal> {
    let id = optional::<ConnectionIdAttribute>(message)?.ok_or(Refusal::BAD_REQUEST)?;
    Ok(ConnectionId(id.id()))
}

/// The shard that a ConnectionBind is for, if it is another.
pub(crate) fn other_shard(message: &Message<'_>, own: Shard) -> Option<Shard> {
    let shard = named_connection(message).ok()?.shard();
    (shard != own).then_some(shard)
}

impl Server {
    /// Connect: RFC 6062 §5.2. `None`: the answer comes when the peer has answered.
    pub(crate) fn connect(&mut self, request: &Request<'_>) -> Result<Option<Reply>, Refusal> {
        let id = self.owned_allocation(request)?;
        let message = request.message;
        let peer = optional::<XorPeerAddress>(message)?.ok_or(Refusal::BAD_REQUEST)?.addr(message.transaction_id());
        if !self.allocations.get(id).is_some_and(|allocation| allocation.is_tcp()) || peer.port() == 0 {
            return Err(Refusal::BAD_REQUEST);
        }
        self.admit(id, peer.ip())?;
        if self.connection_to(id, peer) {
            return Err(Refusal::CONNECTION_EXISTS);
        }
        let state = State::Connecting {
            client: request.client.clone(),
            transaction: message.transaction_id(),
            until: request.now + PATIENCE,
        };
        let (connection, relay) = self.add_connection(id, peer, state).ok_or(Refusal::INSUFFICIENT_CAPACITY)?;
        self.outbox.outputs.push_back(Output::Connect { connection, relay, peer });
        Ok(None)
    }

    /// Whether there is, or soon may be, a connection with this peer.
    fn connection_to(&mut self, id: AllocationId, peer: SocketAddr) -> bool {
        let Self { allocations, connections, .. } = self;
        let of_allocation = allocations.get_mut(id).and_then(|allocation| allocation.connections());
        of_allocation.is_some_and(|ids| {
            ids.iter().any(|id| connections.by_id.get(id).is_some_and(|connection| connection.peer == peer))
        })
    }

    fn add_connection(&mut self, id: AllocationId, peer: SocketAddr, state: State) -> Option<(ConnectionId, RelayId)> {
        let (limit, shard) = (self.config.limits.connections, self.config.shard);
        let allocation = self.allocations.get_mut(id)?;
        let relay = allocation.relay.id;
        let ids = allocation.connections()?;
        if ids.len() >= limit {
            return None;
        }
        let connection = self.connections.new_id(shard);
        let sibling = ids.first().and_then(|id| self.connections.by_id.get(id));
        let bandwidth = sibling.map(|sibling| sibling.bandwidth.clone()).unwrap_or_default();
        ids.push(connection);
        if let State::Connecting { until, .. } | State::Unbound { until } = state {
            self.timers.set(until, Timer::ConnectionExpires(connection));
        }
        self.connections.by_id.insert(connection, Connection { allocation: id, peer, state, bandwidth });
        self.outbox.counters.connections += 1;
        Some((connection, relay))
    }

    /// The peer has answered, or can't be reached.
    pub(crate) fn connected(&mut self, now: Instant, id: ConnectionId, established: bool) {
        let Some(connection) = self.connections.by_id.get_mut(&id) else { return };
        let State::Connecting { client, transaction, until } = &connection.state else { return };
        let (client, transaction, before) = (client.clone(), *transaction, *until);
        let Some(to) = self.allocations.get(connection.allocation).map(|allocation| allocation.five_tuple) else {
            return;
        };
        let reply = if established {
            let until = now + PATIENCE;
            connection.state = State::Unbound { until };
            self.timers.clear(before, Timer::ConnectionExpires(id));
            self.timers.set(until, Timer::ConnectionExpires(id));
            Reply::success(CONNECT, transaction).with(&ConnectionIdAttribute::new(id.0))
        } else {
            self.remove_connection(id);
            Reply::error(CONNECT, transaction, Refusal::CONNECTION_FAILED.0)
        };
        self.answer_signed(to, reply, &client);
    }

    /// A peer connects to a relay: RFC 6062 §5.3.
    pub(crate) fn peer_connected(&mut self, now: Instant, relay: RelayId, peer: SocketAddr) {
        let Some(id) = self.allocations.id_at_relay(relay) else { return };
        let allocation = self.allocations.get(id).filter(|allocation| allocation.is_tcp());
        let permitted = allocation.filter(|allocation| allocation.permissions.reach(now, peer.ip()).is_some());
        let Some(client) = permitted.map(|allocation| allocation.five_tuple) else {
            self.outbox.counters.unpermitted += 1;
            return;
        };
        let state = State::Unbound { until: now + PATIENCE };
        let Some((connection, _)) = self.add_connection(id, peer, state) else { return };
        self.outbox.outputs.push_back(Output::Accept(connection));
        let transaction = self.outbox.indication_transaction();
        let attempt = Reply::indication(CONNECTION_ATTEMPT, transaction)
            .with(&ConnectionIdAttribute::new(connection.0))
            .with(&XorPeerAddress::new(peer, transaction));
        self.outbox.answer(client, attempt.finish(false));
    }

    /// ConnectionBind: RFC 6062 §5.4. The request comes on a connection of its own, which carries
    /// nothing but data once it is answered.
    pub(crate) fn connection_bind(&mut self, request: &Request<'_>) -> Result<ConnectionId, Refusal> {
        let id = named_connection(request.message)?;
        if !request.from.transport.is_stream() || request.allocation.is_some() {
            return Err(Refusal::BAD_REQUEST);
        }
        let connection = self.connections.by_id.get_mut(&id).ok_or(Refusal::BAD_REQUEST)?;
        let State::Unbound { until } = connection.state else { return Err(Refusal::BAD_REQUEST) };
        let owner = self.allocations.get(connection.allocation).map(|allocation| &allocation.owner.username);
        if owner != Some(&request.client.identity.username) {
            return Err(Refusal::WRONG_CREDENTIALS);
        }
        connection.state = State::Spliced;
        self.timers.clear(until, Timer::ConnectionExpires(id));
        Ok(id)
    }

    pub(crate) fn splice(&mut self, client: FiveTuple, connection: ConnectionId) {
        let Some(of_peer) = self.connections.by_id.get(&connection) else { return };
        let Some(allocation) = self.allocations.get(of_peer.allocation) else { return };
        let allowance = Allowance {
            bandwidth: self.config.limits.bandwidth,
            quota: self.config.quota.clone(),
            account: allocation.lease.account.clone(),
            own: of_peer.bandwidth.clone(),
        };
        self.outbox.outputs.push_back(Output::Splice { client, connection, allowance });
    }

    /// Bytes that the shell has passed through a connection.
    pub(crate) fn spliced(&mut self, id: ConnectionId, to_peer: u64, to_client: u64) {
        let Some(connection) = self.connections.by_id.get(&id) else { return };
        self.outbox.counters.to_peers.bytes += to_peer;
        self.outbox.counters.to_clients.bytes += to_client;
        if let Some(allocation) = self.allocations.get(connection.allocation) {
            allocation.books.add_bytes(to_peer, to_client);
        }
    }

    /// Nobody came, or the peer did not answer.
    pub(crate) fn connection_expires(&mut self, id: ConnectionId) {
        let Some(connection) = self.remove_connection(id) else { return };
        self.outbox.outputs.push_back(Output::CloseConnection(id));
        if let State::Connecting { client, transaction, .. } = connection.state
            && let Some(allocation) = self.allocations.get(connection.allocation)
        {
            let reply = Reply::error(CONNECT, transaction, Refusal::CONNECTION_FAILED.0);
            self.answer_signed(allocation.five_tuple, reply, &client);
        }
    }

    /// A connection is over: the shell has closed it.
    pub(crate) fn remove_connection(&mut self, id: ConnectionId) -> Option<Connection> {
        let connection = self.connections.by_id.remove(&id)?;
        if let State::Connecting { until, .. } | State::Unbound { until } = connection.state {
            self.timers.clear(until, Timer::ConnectionExpires(id));
        }
        let ids = self.allocations.get_mut(connection.allocation).and_then(|allocation| allocation.connections());
        if let Some(ids) = ids {
            ids.retain(|other| *other != id);
        }
        self.outbox.counters.connections -= 1;
        Some(connection)
    }

    /// The connections of an allocation end with it.
    pub(crate) fn close_connections(&mut self, ids: &[ConnectionId]) {
        for id in ids {
            if self.remove_connection(*id).is_some() {
                self.outbox.outputs.push_back(Output::CloseConnection(*id));
            }
        }
    }
}
