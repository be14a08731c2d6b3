//! The server: takes inputs, finds out what they are, and hands them to the method's own file.

use std::{
    collections::{HashMap, VecDeque},
    time::Instant,
};

use madang_wire::{
    FiveTuple, Packet,
    stun::{
        ALLOCATE, Attribute, AttributeType, BINDING, CHANNEL_BIND, CREATE_PERMISSION, Message, MessageClass, REFRESH,
        SEND,
    },
};

use crate::{
    Config, Counters, Input, Output,
    allocation::{Allocation, AllocationId, Allocations, Opening},
    authentication::{Authenticated, Rejection, authenticate},
    io::{Body, Head, RelayId, Route, Transmit},
    nonce::Nonces,
    rate_limit::RateLimit,
    relay::Outbox,
    replies::Replies,
    reply::Reply,
    reservation::Reservations,
    timer::{Timer, Timers},
};

/// A STUN and TURN server for the clients of one shard.
///
/// ```
/// # use std::{sync::Arc, time::Instant};
/// # use madang_turn::{Config, Credentials, Input, Limits, Output, PeerPolicy, Quota, Server};
/// let now = Instant::now();
/// # let config = Config {
/// #     realm: "madang".into(), credentials: Credentials::default(), policy: PeerPolicy::default(),
/// #     media: Vec::new(), relay_ipv4: true, relay_ipv6: false, dont_fragment: true, tcp_relay: false,
/// #     mobility: false, alternates: Vec::new(), response_port_and_padding: false, software: None,
/// #     shard: 0, directory: None, quota: Arc::new(Quota::new(now)), limits: Limits::default(),
/// # };
/// let mut server = Server::new(config, [7; 32], now, 1_700_000_000);
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
    pub(crate) nonces: Nonces,
    pub(crate) rate_limit: RateLimit,
    pub(crate) allocations: Allocations,
    pub(crate) openings: HashMap<RelayId, Opening>,
    pub(crate) reservations: Reservations,
    pub(crate) replies: Replies,
    pub(crate) timers: Timers,
    pub(crate) outbox: Outbox,
    pub(crate) draining: bool,
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

/// The attributes with comprehension required (below 0x8000) that are understood. DONT-FRAGMENT
/// is not among them: RFC 8656 §7.2 says to treat it as unknown where it is not supported.
const UNDERSTOOD: [u16; 19] = [
    0x0001, 0x0006, 0x0008, 0x0009, 0x000A, 0x000C, 0x000D, 0x0012, 0x0013, 0x0014, 0x0015, 0x0016, 0x0017, 0x0018,
    0x0019, 0x001C, 0x001D, 0x0020, 0x0022,
];

pub(crate) fn unknown_attributes(message: &Message<'_>) -> Vec<AttributeType> {
    let kinds = message.iter_attributes().map(|(_, attribute)| attribute.get_type());
    kinds.filter(|kind| kind.comprehension_required() && !UNDERSTOOD.contains(&kind.value())).collect()
}

impl Server {
    /// A server without allocations. `seed` is secret and random, `unix_seconds` is the wall
    /// clock at `now`.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32], now: Instant, unix_seconds: u64) -> Self {
        Self {
            nonces: Nonces::new(&seed, now, config.limits.nonce_lifetime),
            rate_limit: RateLimit::new(config.limits.unauthenticated),
            reservations: Reservations::new(&seed),
            config,
            allocations: Allocations::default(),
            openings: HashMap::new(),
            replies: Replies::default(),
            timers: Timers::default(),
            outbox: Outbox::default(),
            draining: false,
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
            Input::Media { relayed, from, data } => self.media_data(now, relayed, from, data.len()),
            Input::RelayOpened { relay, relayed } => self.relay_opened(now, relay, relayed),
            Input::Disconnected { client } => self.disconnected(&client),
            Input::Clock { unix_seconds } => self.clock = UnixClock { at: now, seconds: unix_seconds },
            Input::Timeout => self.timeout(now),
            Input::Drain { .. } => self.draining = true,
            _ => {}
        }
    }

    /// The next thing to do. [`Output::Timeout`] is the last one.
    pub fn poll_output(&mut self) -> Output {
        self.outbox.outputs.pop_front().unwrap_or_else(|| Output::Timeout(self.timers.next()))
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

    /// A request that needs authentication: RFC 8656 §5.
    fn request(&mut self, now: Instant, from: FiveTuple, message: &Message<'_>) {
        let allocation = self.allocations.id_of(&from);
        let live = allocation.and_then(|id| self.allocations.get(id));
        let unix_now = self.clock.unix_seconds(now);
        let client = match authenticate(&self.config, &self.nonces, now, unix_now, from.client, message, live) {
            Ok(client) => client,
            Err(rejection) => return self.reject(now, from, message, rejection),
        };
        if let Some(answer) = self.replies.recall(now, from, message.transaction_id()) {
            return self.outbox.answer(from, answer);
        }
        let request = Request { now, from, message, client, allocation };
        let unknown = unknown_attributes(message);
        if !unknown.is_empty() {
            let reply = Reply::error(message.method(), message.transaction_id(), 420).with_unknown(&unknown);
            return self.respond(&request, Ok(reply));
        }
        let answer = match message.method() {
            ALLOCATE => match self.allocate(&request) {
                Ok(Some(reply)) => Ok(reply),
                Ok(None) => return,
                Err(refusal) => Err(refusal),
            },
            REFRESH => self.refresh(&request),
            CREATE_PERMISSION => self.create_permission(&request),
            CHANNEL_BIND => self.channel_bind(&request),
            _ => Err(Refusal::BAD_REQUEST),
        };
        self.respond(&request, answer);
    }

    pub(crate) fn respond(&mut self, request: &Request<'_>, answer: Result<Reply, Refusal>) {
        let (method, transaction) = (request.message.method(), request.message.transaction_id());
        let reply = answer.unwrap_or_else(|refusal| Reply::error(method, transaction, refusal.0));
        let bytes = reply.finish_for(&request.client);
        if !request.from.transport.is_stream() {
            self.replies.remember(request.now, request.from, transaction, bytes.clone());
        }
        self.outbox.answer(request.from, bytes);
    }

    /// Answers somebody unknown: small, and not too often, for the address may be forged.
    fn reject(&mut self, now: Instant, from: FiveTuple, message: &Message<'_>, rejection: Rejection) {
        self.outbox.counters.unauthenticated += 1;
        if !self.rate_limit.admit(now, from.client.ip()) {
            self.outbox.counters.rate_limited += 1;
            return;
        }
        let reply = Reply::error(message.method(), message.transaction_id(), rejection.code());
        let reply = match rejection {
            Rejection::BadRequest => reply,
            Rejection::Unauthorized | Rejection::StaleNonce => {
                reply.with_challenge(&self.config.realm, &self.nonces.mint(now, from.client))
            }
        };
        self.outbox.answer(from, reply.finish());
    }

    pub(crate) fn open(&mut self, allocation: Allocation) {
        let expires = allocation.expires;
        self.outbox.counters.allocations_total += 1;
        self.outbox.counters.allocations[allocation.five_tuple.transport.index()] += 1;
        let id = self.allocations.insert(allocation);
        self.timers.set(expires, Timer::AllocationExpires(id));
    }

    pub(crate) fn close(&mut self, id: AllocationId) {
        let Some(allocation) = self.allocations.remove(id) else { return };
        self.timers.clear(allocation.expires, Timer::AllocationExpires(id));
        self.outbox.counters.allocations[allocation.five_tuple.transport.index()] -= 1;
        self.config.quota.release(&allocation.lease);
        self.close_relay(allocation.relay);
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

    fn disconnected(&mut self, client: &FiveTuple) {
        if let Some(id) = self.allocations.id_of(client) {
            self.close(id);
        }
        if let Some(opening) = self.openings.values_mut().find(|opening| opening.five_tuple == *client) {
            opening.abandoned = true;
        }
    }

    fn timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::AllocationExpires(id) => self.close(id),
                Timer::ReservationExpires(token) => {
                    if let Some(reservation) = self.reservations.expire(token) {
                        self.config.quota.release(&reservation.lease);
                        self.close_relay(reservation.relay);
                    }
                }
            }
        }
    }
}

/// The error code with which a request of a known client is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) u16);

impl Refusal {
    pub(crate) const BAD_REQUEST: Self = Self(400);
    pub(crate) const FORBIDDEN: Self = Self(403);
    pub(crate) const ALLOCATION_MISMATCH: Self = Self(437);
    pub(crate) const ADDRESS_FAMILY_NOT_SUPPORTED: Self = Self(440);
    pub(crate) const WRONG_CREDENTIALS: Self = Self(441);
    pub(crate) const UNSUPPORTED_TRANSPORT: Self = Self(442);
    pub(crate) const PEER_FAMILY_MISMATCH: Self = Self(443);
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
