//! The server: takes inputs, finds out what they are, and hands them to the method's own file.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use madang_wire::{
    FiveTuple, Packet,
    stun::{BINDING, Message, MessageClass, SEND},
};

use crate::{
    AllocationChange, AllocationEvent, Config, Counters, Input, Output, Reload,
    allocation::{Allocation, AllocationId, Allocations},
    authentication::Authenticated,
    connection::Connections,
    credential::Userhashes,
    elsewhere::Elsewhere,
    event::EndReason,
    io::{Body, Head, RelayId, Route, Transmit},
    mobility::TicketKey,
    nonce::Nonces,
    opening::Opening,
    rate_limit::RateLimit,
    refresh::next_expiry,
    relay::Outbox,
    replies::Replies,
    reply::Reply,
    reservation::Reservations,
    timer::{Timer, Timers},
};

/// A STUN and TURN server for the clients of one shard.
///
/// ```
/// # use std::time::Instant;
/// # use madang_turn::{Config, Input, Output, Server};
/// let now = Instant::now();
/// let mut server = Server::new(Config::new("madang", now), [7; 32], now, 1_700_000_000);
/// server.handle_input(now, Input::Timeout);
/// loop {
///     match server.poll_output() {
///         Output::Timeout(next) => break assert_eq!(next, None),
///         _ => {}
///     }
/// }
/// ```
pub struct Server {
    pub(crate) config: Config,
    pub(crate) userhashes: Userhashes,
    pub(crate) nonces: Nonces,
    pub(crate) tickets: TicketKey,
    pub(crate) rate_limit: RateLimit,
    pub(crate) allocations: Allocations,
    pub(crate) openings: Vec<Opening>,
    pub(crate) reservations: Reservations,
    pub(crate) connections: Connections,
    pub(crate) elsewhere: Elsewhere,
    pub(crate) replies: Replies,
    pub(crate) timers: Timers,
    pub(crate) outbox: Outbox,
    pub(crate) draining: bool,
    drain_ends: Option<Instant>,
    serials: u64,
    relay_ids: RelayIds,
    clock: UnixClock,
}

/// A request whose sender is known.
pub(crate) struct Request<'a> {
    pub(crate) now: Instant,
    pub(crate) from: FiveTuple,
    pub(crate) message: &'a Message<'a>,
    pub(crate) client: Authenticated,
    pub(crate) allocation: Option<AllocationId>,
}

impl Request<'_> {
    pub(crate) fn success(&self) -> Reply {
        Reply::success(self.message.method(), self.message.transaction_id())
    }
}

impl Server {
    /// A server without allocations. `seed` is secret and random, `unix_seconds` is the wall
    /// clock at `now`. The shards of one server are given the same three, so that each knows the
    /// nonces and tickets of the others.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32], now: Instant, unix_seconds: u64) -> Self {
        Self {
            userhashes: Userhashes::new(&config.credentials, &config.realm),
            nonces: Nonces::new(&seed, now, config.limits.nonce_lifetime, config.credentials.userhash),
            tickets: TicketKey::new(&seed),
            rate_limit: RateLimit::new(config.limits.unauthenticated),
            allocations: Allocations::default(),
            openings: Vec::new(),
            reservations: Reservations::new(&seed, config.shard),
            connections: Connections::default(),
            elsewhere: Elsewhere::new(now),
            replies: Replies::default(),
            timers: Timers::default(),
            outbox: Outbox { limited: config.limits.bandwidth.is_limited(), ..Outbox::default() },
            config,
            draining: false,
            drain_ends: None,
            serials: 0,
            relay_ids: RelayIds::default(),
            clock: UnixClock { at: now, seconds: unix_seconds },
        }
    }

    /// Takes one input. Drain [`Server::poll_output`] before the next.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Client { from, data } => match Packet::classify(data) {
                Some(Packet::Channel(channel)) => self.channel_data(now, &from, channel),
                Some(Packet::Stun(bytes)) => self.stun(now, from, bytes),
                None => self.outbox.counters.malformed += 1,
            },
            Input::Peer { relay, from, data } => self.peer_data(now, relay, from, data.len()),
            Input::Media { relayed, from, data } => self.data_within(now, relayed, from, data.len()),
            Input::Sibling { to, from, data } => self.data_within(now, to, from, data.len()),
            input => self.handle_rare(now, input),
        }
    }

    /// Whatever carries no data.
    fn handle_rare(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Client { .. } | Input::Peer { .. } | Input::Media { .. } | Input::Sibling { .. } => {}
            Input::PeerError { relay, peer, icmp } => self.peer_error(now, relay, peer, icmp),
            Input::RelayOpened { relay, relayed } => self.relay_opened(now, relay, relayed),
            Input::Connected { connection, established } => self.connected(now, connection, established),
            Input::PeerConnected { relay, peer } => self.peer_connected(now, relay, peer),
            Input::Spliced { connection, to_peer, to_client } => self.spliced(connection, to_peer, to_client),
            Input::ConnectionClosed { connection } => drop(self.remove_connection(connection)),
            Input::Disconnected { client } => self.disconnected(now, &client),
            Input::Clock { unix_seconds } => self.clock = UnixClock { at: now, seconds: unix_seconds },
            Input::Timeout => self.timeout(now),
            Input::Reload(reload) => self.reload(reload),
            Input::Drain { deadline } => self.drain(deadline),
        }
    }

    /// The next thing to do. [`Output::Timeout`] is the last one.
    pub fn poll_output(&mut self) -> Output {
        // No closure: it would cost one more copy of every packet's description.
        match self.outbox.outputs.pop_front() {
            Some(output) => output,
            None => Output::Timeout(self.timers.next()),
        }
    }

    /// What has happened so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.outbox.counters
    }

    /// Live allocations.
    #[must_use]
    pub fn allocations(&self) -> usize {
        self.allocations.len()
    }

    pub(crate) fn unix_seconds(&self, now: Instant) -> u64 {
        self.clock.unix_seconds(now)
    }

    fn stun(&mut self, now: Instant, from: FiveTuple, bytes: &[u8]) {
        let Ok(message) = Message::from_bytes(bytes) else {
            self.outbox.counters.malformed += 1;
            return;
        };
        match (message.class(), message.method()) {
            (MessageClass::Request, BINDING) => self.binding(now, from, &message),
            (MessageClass::Request, _) => self.request(now, from, &message),
            (MessageClass::Indication, SEND) => self.send_indication(now, &from, &message),
            // A Binding indication keeps a NAT's mapping alive (RFC 8489 §3) and wants nothing.
            _ => {}
        }
    }

    fn reload(&mut self, reload: &Reload) {
        let Reload { credentials, policy, limits } = reload.clone();
        self.userhashes = Userhashes::new(&credentials, &self.config.realm);
        self.nonces.lifetime = limits.nonce_lifetime;
        self.nonces.userhash = credentials.userhash;
        self.rate_limit.set_rate(limits.unauthenticated);
        self.outbox.limited = limits.bandwidth.is_limited();
        self.config.credentials = credentials;
        self.config.policy = policy;
        self.config.limits = limits;
    }

    fn drain(&mut self, deadline: Option<Instant>) {
        self.draining = true;
        if let Some(before) = self.drain_ends {
            self.timers.clear(before, Timer::DrainEnds);
        }
        self.drain_ends = deadline;
        if let Some(deadline) = deadline {
            self.timers.set(deadline, Timer::DrainEnds);
        }
    }

    /// A number for an allocation, which no other one of this shard has.
    pub(crate) fn serial(&mut self) -> u64 {
        self.serials += 1;
        self.serials
    }

    pub(crate) fn open(&mut self, now: Instant, allocation: Allocation) -> AllocationId {
        let expires = next_expiry(&allocation);
        self.outbox.counters.allocations_total += 1;
        self.outbox.counters.allocations[allocation.five_tuple.transport.index()] += 1;
        self.tell(&allocation, AllocationChange::Began);
        self.elsewhere.remove(&allocation.five_tuple);
        let id = self.allocations.insert(allocation);
        self.timers.set(expires, Timer::RelayExpires(id));
        debug_assert!(expires >= now);
        id
    }

    pub(crate) fn close(&mut self, now: Instant, id: AllocationId, reason: EndReason) {
        if let Some(connections) = self.allocations.get_mut(id).and_then(Allocation::connections) {
            let connections = std::mem::take(connections);
            self.close_connections(&connections);
        }
        let Some(allocation) = self.allocations.remove(id) else { return };
        self.timers.clear(next_expiry(&allocation), Timer::RelayExpires(id));
        self.outbox.counters.allocations[allocation.five_tuple.transport.index()] -= 1;
        self.config.quota.release(&allocation.lease);
        for relay in allocation.relays() {
            self.close_relay(relay.id);
        }
        let books = &allocation.books;
        let (to_peers, to_client) = (books.to_peers.get(), books.to_client.get());
        let lasted = now.saturating_duration_since(books.began);
        self.tell(&allocation, AllocationChange::Ended { reason, lasted, to_peers, to_client });
    }

    fn tell(&mut self, allocation: &Allocation, what: AllocationChange) {
        let event = AllocationEvent {
            allocation: u64::from(self.config.shard) << 48 | allocation.books.serial,
            account: allocation.lease.account.name.clone(),
            client: allocation.five_tuple,
            relayed: allocation.relays().map(|relay| relay.relayed).collect(),
            tcp: allocation.is_tcp(),
            what,
        };
        self.outbox.outputs.push_back(Output::Event(Box::new(event)));
    }

    pub(crate) fn new_relay(&mut self) -> RelayId {
        self.relay_ids.take()
    }

    pub(crate) fn close_relay(&mut self, relay: RelayId) {
        self.outbox.outputs.push_back(Output::CloseRelay(relay));
        self.relay_ids.give_back(relay);
    }

    /// A relay that never opened needs no closing.
    pub(crate) fn forget_relay(&mut self, relay: RelayId) {
        self.relay_ids.give_back(relay);
    }

    fn disconnected(&mut self, now: Instant, client: &FiveTuple) {
        match self.allocations.id_of(client) {
            // RFC 8016: a client that loses its network loses its connection too.
            Some(id) if self.allocations.get_mut(id).is_some_and(|allocation| allocation.tickets().is_some()) => {
                self.allocations.detach(id);
            }
            Some(id) => self.close(now, id, EndReason::Disconnected),
            None => {
                self.pass_on(now, client);
                self.elsewhere.remove(client);
            }
        }
        if let Some(opening) = self.openings.iter_mut().find(|opening| opening.five_tuple == *client) {
            opening.abandoned = true;
        }
    }

    fn timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::RelayExpires(id) => self.expire(now, id),
                Timer::ReservationExpires(token) => {
                    if let Some(reservation) = self.reservations.expire(token) {
                        self.config.quota.release(&reservation.lease);
                        self.close_relay(reservation.relay);
                    }
                }
                Timer::ConnectionExpires(connection) => self.connection_expires(connection),
                Timer::DrainEnds => {
                    for id in self.allocations.ids() {
                        self.close(now, id, EndReason::Drained);
                    }
                }
            }
        }
    }

    /// Whether a client's packets belong to another shard; this one is passed on then.
    pub(crate) fn pass_on(&mut self, now: Instant, client: &FiveTuple) -> bool {
        let Some(shard) = self.elsewhere.shard_of(client) else { return false };
        if self.elsewhere.is_old(client) {
            self.remember_elsewhere(now, *client, shard);
        }
        self.outbox.counters.passed_on += 1;
        self.outbox.outputs.push_back(Output::PassOn { shard });
        true
    }

    pub(crate) fn remember_elsewhere(&mut self, now: Instant, client: FiveTuple, shard: crate::Shard) {
        let limits = &self.config.limits;
        // A client that lives gives a sign at least this often.
        let idle = Duration::from_secs(u64::from(limits.lifetime.max(crate::refresh::DEFAULT_LIFETIME)));
        self.elsewhere.insert(now, client, shard, limits.passed_on, idle);
    }
}

/// The error code with which a request of a known client is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) u16);

impl Refusal {
    pub(crate) const BAD_REQUEST: Self = Self(400);
    pub(crate) const MOBILITY_FORBIDDEN: Self = Self(405);
    pub(crate) const FORBIDDEN: Self = Self(403);
    pub(crate) const ALLOCATION_MISMATCH: Self = Self(437);
    pub(crate) const ADDRESS_FAMILY_NOT_SUPPORTED: Self = Self(440);
    pub(crate) const WRONG_CREDENTIALS: Self = Self(441);
    pub(crate) const UNSUPPORTED_TRANSPORT: Self = Self(442);
    pub(crate) const PEER_FAMILY_MISMATCH: Self = Self(443);
    pub(crate) const CONNECTION_EXISTS: Self = Self(446);
    pub(crate) const CONNECTION_FAILED: Self = Self(447);
    pub(crate) const QUOTA_REACHED: Self = Self(486);
    pub(crate) const INSUFFICIENT_CAPACITY: Self = Self(508);
}

impl From<madang_wire::stun::StunParseError> for Refusal {
    fn from(_: madang_wire::stun::StunParseError) -> Self {
        Self::BAD_REQUEST
    }
}

impl Outbox {
    /// Sends a STUN message to a client.
    pub(crate) fn answer(&mut self, to: FiveTuple, bytes: Vec<u8>) {
        let transmit = Transmit {
            route: Route::Client(to),
            head: Head::EMPTY,
            body: Body::Own(bytes),
            padding: 0,
            dont_fragment: false,
        };
        self.outputs.push_back(Output::Transmit(transmit));
    }
}

/// Numbers of relays, used again when free so that they stay small.
#[derive(Debug, Default)]
struct RelayIds {
    next: u32,
    free: VecDeque<RelayId>,
}

impl RelayIds {
    fn take(&mut self) -> RelayId {
        self.free.pop_front().unwrap_or_else(|| {
            self.next += 1;
            RelayId(self.next - 1)
        })
    }

    fn give_back(&mut self, relay: RelayId) {
        self.free.push_back(relay);
    }
}

/// The wall clock as last told.
#[derive(Clone, Copy, Debug)]
struct UnixClock {
    at: Instant,
    seconds: u64,
}

impl UnixClock {
    fn unix_seconds(self, now: Instant) -> u64 {
        self.seconds.saturating_add(now.saturating_duration_since(self.at).as_secs())
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use madang_wire::{
        Transport,
        stun::{ALLOCATE, MessageType, MessageWrite, MessageWriteExt, MessageWriteVec, Nonce, Realm, Username},
    };

    use super::*;
    use crate::Credentials;

    fn server(now: Instant) -> Server {
        let users = [("alice".to_owned(), "wonder".to_owned())].into();
        let config = Config {
            credentials: Credentials { users, ..Credentials::default() },
            relay_ipv6: true,
            tcp_relay: true,
            mobility: true,
            response_port_and_padding: true,
            ..Config::new("madang", now)
        };
        Server::new(config, [7; 32], now, 1_700_000_000)
    }

    #[test]
    fn a_hundred_thousand_spoofed_allocates_leave_nothing_behind() {
        let now = Instant::now();
        let mut server = server(now);
        let bare = Message::builder(
            MessageType::from_class_method(MessageClass::Request, ALLOCATE),
            5.into(),
            MessageWriteVec::new(),
        );
        let bare = bare.finish();
        let mut signed = Message::builder(
            MessageType::from_class_method(MessageClass::Request, ALLOCATE),
            5.into(),
            MessageWriteVec::new(),
        );
        signed.add_attribute(&Username::new("alice").expect("short")).expect("room");
        signed.add_attribute(&Realm::new("madang").expect("short")).expect("room");
        signed.add_attribute(&Nonce::new("obMatJos2gAAAAAAAAAAAAAAAAAAAAAAAAA").expect("short")).expect("room");
        let mut signed = signed.finish();
        crate::integrity::Integrity::Sha1.append(
            &mut signed,
            &crate::integrity::Key::new("alice", "madang", "guess", madang_wire::stun::PasswordAlgorithmValue::MD5),
        );
        let mut answered = 0;
        for n in 0..100_000u32 {
            let [a, b, c, d] = n.to_be_bytes();
            let from = FiveTuple {
                client: SocketAddr::from(([11 + a, b, c, d], 1000)),
                server: SocketAddr::from(([198, 51, 100, 1], 3478)),
                transport: Transport::Udp,
            };
            server.handle_input(now, Input::Client { from, data: if n % 2 == 0 { &bare } else { &signed } });
            while let Output::Transmit(_) = server.poll_output() {
                answered += 1;
            }
        }
        // All but those whose network shares its bucket with too many others.
        assert!(answered > 90_000, "{answered}");
        assert_eq!((server.allocations.len(), server.openings.len(), server.config.quota.taken()), (0, 0, 0));
        assert_eq!((server.replies.len(), server.reservations.len(), server.elsewhere.len()), (0, 0, 0));
        assert_eq!((server.timers.next(), server.relay_ids.next), (None, 0));
    }
}
