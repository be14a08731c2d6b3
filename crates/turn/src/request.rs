//! Requests: who they are from, which shard they are for, and which file answers them.

use std::time::Instant;

use madang_wire::{
    FiveTuple,
    stun::{
        ALLOCATE, Attribute, AttributeStaticType, AttributeType, CHANNEL_BIND, CONNECT, CONNECTION_BIND,
        CREATE_PERMISSION, DontFragment, Fingerprint, Message, Nonce, REFRESH, ReservationToken, optional,
    },
};

use crate::{
    Config, Output, Shard,
    allocation::{Allocation, AllocationId},
    authentication::{Authenticated, Authenticator, Rejection},
    connection::other_shard,
    integrity::append_fingerprint,
    mobility::ticket_bytes,
    reply::Reply,
    reservation::Token,
    server::{Refusal, Request, Server},
};

/// The attributes with comprehension required (below 0x8000) that are always understood.
const UNDERSTOOD: [u16; 21] = [
    0x0001, 0x0006, 0x0008, 0x0009, 0x000A, 0x000C, 0x000D, 0x0012, 0x0013, 0x0014, 0x0015, 0x0016, 0x0017, 0x0018,
    0x0019, 0x001C, 0x001D, 0x001E, 0x0020, 0x0022, 0x002A,
];

/// What is not understood. RFC 8656 §7.2: DONT-FRAGMENT is not where it can't be done.
pub(crate) fn unknown_attributes(config: &Config, message: &Message<'_>) -> Vec<AttributeType> {
    let understood = |kind: &AttributeType| {
        UNDERSTOOD.contains(&kind.value()) || (*kind == DontFragment::TYPE && config.dont_fragment)
    };
    let kinds = message.iter_attributes().map(|(_, attribute)| attribute.get_type());
    kinds.filter(|kind| kind.comprehension_required() && !understood(kind)).collect()
}

/// The most that somebody unknown gets, other than by Binding.
const MAX_REJECTION: usize = 160;

const FINGERPRINT: usize = 8;

impl Server {
    /// A request that needs authentication: RFC 8656 §5.
    pub(crate) fn request(&mut self, now: Instant, from: FiveTuple, message: &Message<'_>) {
        let allocation = self.allocations.id_of(&from);
        let moving = self.moving_allocation(message);
        if allocation.is_none() && moving.is_none() && self.pass_on_request(now, &from, message) {
            return;
        }
        let client = match self.authenticate(now, &from, message, allocation.or(moving)) {
            Ok(client) => client,
            Err(rejection) => return self.reject(now, from, message, rejection),
        };
        if let Some(answer) = self.replies.recall(now, from, message.transaction_id()) {
            return self.outbox.answer(from, answer);
        }
        let request = Request { now, from, message, client, allocation };
        let unknown = unknown_attributes(&self.config, message);
        if !unknown.is_empty() {
            let reply = Reply::error(message.method(), message.transaction_id(), 420).with_unknown(&unknown);
            return self.respond(&request, Ok(reply));
        }
        if allocation.is_none() && self.pass_on_named(&request) {
            return;
        }
        self.answer_request(&request);
    }

    fn answer_request(&mut self, request: &Request<'_>) {
        let later = |answer: Result<Option<Reply>, Refusal>| answer.transpose();
        let answer = match request.message.method() {
            ALLOCATE => later(self.allocate(request)),
            REFRESH => Some(self.refresh(request)),
            CREATE_PERMISSION => Some(self.create_permission(request)),
            CHANNEL_BIND => Some(self.channel_bind(request)),
            CONNECT if self.config.tcp_relay => later(self.connect(request)),
            CONNECTION_BIND if self.config.tcp_relay => {
                let bound = self.connection_bind(request);
                self.respond(request, bound.map(|_| request.success()));
                return bound.into_iter().for_each(|connection| self.splice(request.from, connection));
            }
            _ => Some(Err(Refusal::BAD_REQUEST)),
        };
        if let Some(answer) = answer {
            self.respond(request, answer);
        }
    }

    fn authenticate(
        &self,
        now: Instant,
        from: &FiveTuple,
        message: &Message<'_>,
        about: Option<AllocationId>,
    ) -> Result<Authenticated, Rejection> {
        let owner = about.and_then(|id| self.allocations.get(id)).map(|allocation: &Allocation| &allocation.owner);
        let authenticator = Authenticator {
            realm: &self.config.realm,
            credentials: &self.config.credentials,
            userhashes: &self.userhashes,
            nonces: &self.nonces,
            now,
            unix_now: self.unix_seconds(now),
            owner,
        };
        authenticator.authenticate(from.client, message)
    }

    /// The allocation of this shard that a Refresh has a ticket for.
    fn moving_allocation(&self, message: &Message<'_>) -> Option<AllocationId> {
        if !self.config.mobility || message.method() != REFRESH {
            return None;
        }
        self.allocation_of(&self.tickets.read(&ticket_bytes(message)?)?)
    }

    /// Passes a request on to the shard that its ticket names, or that its client is known to
    /// belong to.
    fn pass_on_request(&mut self, now: Instant, from: &FiveTuple, message: &Message<'_>) -> bool {
        let ticket = match message.method() {
            REFRESH if self.config.mobility => ticket_bytes(message).and_then(|bytes| self.tickets.read(&bytes)),
            _ => None,
        };
        let Some(ticket) = ticket else { return self.pass_on(now, from) };
        if ticket.shard == self.config.shard || ticket.shard >= self.config.shards {
            return false;
        }
        // A ticket of ours, and a nonce that proves where the client is: enough to remember him.
        // Who he is that shard will find out, which has the key.
        let nonce = optional::<Nonce>(message).ok().flatten();
        let fresh = nonce.is_some_and(|nonce| self.nonces.check(now, from.client.ip(), nonce.nonce()).is_some());
        if fresh {
            self.remember_elsewhere(now, *from, ticket.shard);
            return self.pass_on(now, from);
        }
        false
    }

    /// Passes on what a known client wants of another shard by name.
    fn pass_on_named(&mut self, request: &Request<'_>) -> bool {
        let shard: Option<Shard> = match request.message.method() {
            ALLOCATE => {
                let token = optional::<ReservationToken>(request.message).ok().flatten();
                let shard = token.map(|token| Token(token.token()).shard());
                shard.filter(|shard| *shard != self.config.shard)
            }
            CONNECTION_BIND if self.config.tcp_relay => other_shard(request.message, self.config.shard),
            _ => None,
        };
        let Some(shard) = shard.filter(|shard| *shard < self.config.shards) else { return false };
        if request.message.method() == ALLOCATE {
            self.remember_elsewhere(request.now, request.from, shard);
        }
        self.outbox.counters.passed_on += 1;
        self.outbox.outputs.push_back(Output::PassOn { shard });
        true
    }

    pub(crate) fn respond(&mut self, request: &Request<'_>, answer: Result<Reply, Refusal>) {
        let (method, transaction) = (request.message.method(), request.message.transaction_id());
        let reply = answer.unwrap_or_else(|refusal| Reply::error(method, transaction, refusal.0));
        let bytes = reply.with_software(self.config.software.as_deref()).finish_for(&request.client);
        if !request.from.transport.is_stream() {
            self.replies.remember(request.now, request.from, transaction, bytes.clone());
        }
        self.outbox.answer(request.from, bytes);
    }

    /// An answer on a stream, where none is asked for twice.
    pub(crate) fn answer_signed(&mut self, to: FiveTuple, reply: Reply, client: &Authenticated) {
        let bytes = reply.with_software(self.config.software.as_deref()).finish_for(client);
        self.outbox.answer(to, bytes);
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
                reply.with_challenge(&self.config.realm, &self.nonces.mint(now, from.client.ip()))
            }
        };
        let mut bytes = reply.finish(false);
        // A long realm leaves no room for it.
        if message.has_attribute(Fingerprint::TYPE) && bytes.len() + FINGERPRINT <= MAX_REJECTION {
            append_fingerprint(&mut bytes);
        }
        self.outbox.answer(from, bytes);
    }
}
