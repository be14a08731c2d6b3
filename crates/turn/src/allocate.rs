//! Allocate: RFC 8656 §7.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use madang_wire::{
    FiveTuple,
    stun::{
        ALLOCATE, AddressFamily, Attribute, AttributeStaticType, EvenPort, Lifetime, Message, RequestedAddressFamily,
        RequestedTransport, ReservationToken, TransactionId, XorMappedAddress, XorRelayedAddress, optional,
    },
};

use crate::{
    Output,
    allocation::{Allocation, Opening},
    channel::Channels,
    io::{OpenRelay, PortRequirement, RelayId},
    permission::Permissions,
    quota::{Exceeded, Lease},
    reply::Reply,
    reservation::{Reservation, Token},
    server::{Refusal, Request, Server},
    timer::Timer,
};

/// RFC 8656 §7.2 and §3.2: what a client gets that asks for nothing, or for less.
pub(crate) const DEFAULT_LIFETIME: u32 = 600;

/// RFC 8656 §7.2: "a maximum lifetime value of 3600 seconds".
pub(crate) const MAX_LIFETIME: u32 = 3600;

const UDP: u8 = 17;

/// ADDITIONAL-ADDRESS-FAMILY.
const ADDITIONAL_ADDRESS_FAMILY: u16 = 0x8000;

/// Where the relay comes from.
enum Wish {
    Fresh { family: AddressFamily, port: EvenPortWish },
    Reserved(Token),
}

#[derive(Clone, Copy)]
enum EvenPortWish {
    Any,
    Even,
    EvenAndNext,
}

impl Server {
    /// Begins an allocation. `None`: the answer comes when the relay is open.
    pub(crate) fn allocate(&mut self, request: &Request<'_>) -> Result<Option<Reply>, Refusal> {
        let opening = self.openings.values().find(|opening| opening.five_tuple == request.from && !opening.abandoned);
        if let Some(opening) = opening {
            let repeated = opening.transaction == request.message.transaction_id();
            return if repeated { Ok(None) } else { Err(Refusal::ALLOCATION_MISMATCH) };
        }
        if request.allocation.is_some() {
            return Err(Refusal::ALLOCATION_MISMATCH);
        }
        let wish = self.wish(request.message)?;
        let lifetime = lifetime(request.message)?;
        if self.draining {
            return Err(Refusal::INSUFFICIENT_CAPACITY);
        }
        match wish {
            Wish::Reserved(token) => self.allocate_reserved(request, token, lifetime).map(Some),
            Wish::Fresh { family, port } => self.allocate_fresh(request, family, port, lifetime).map(|()| None),
        }
    }

    fn wish(&self, message: &Message<'_>) -> Result<Wish, Refusal> {
        let transport = optional::<RequestedTransport>(message)?.ok_or(Refusal::BAD_REQUEST)?;
        if transport.protocol() != UDP {
            return Err(Refusal::UNSUPPORTED_TRANSPORT);
        }
        let family = requested_family(message)?;
        let even_port = optional::<EvenPort>(message)?;
        let additional = message.has_attribute(ADDITIONAL_ADDRESS_FAMILY.into());
        if let Some(token) = optional::<ReservationToken>(message)? {
            let alone = even_port.is_none() && !message.has_attribute(RequestedAddressFamily::TYPE) && !additional;
            return if alone { Ok(Wish::Reserved(Token(token.token()))) } else { Err(Refusal::BAD_REQUEST) };
        }
        if additional
            && (message.has_attribute(RequestedAddressFamily::TYPE)
                || even_port.as_ref().is_some_and(|e| e.requested()))
        {
            return Err(Refusal::BAD_REQUEST);
        }
        let available = if family == AddressFamily::IPV4 { self.config.relay_ipv4 } else { self.config.relay_ipv6 };
        if !available {
            return Err(Refusal::ADDRESS_FAMILY_NOT_SUPPORTED);
        }
        let port = match even_port {
            None => EvenPortWish::Any,
            Some(even) if even.requested() => EvenPortWish::EvenAndNext,
            Some(_) => EvenPortWish::Even,
        };
        Ok(Wish::Fresh { family, port })
    }

    fn lease(&mut self, request: &Request<'_>) -> Result<Lease, Refusal> {
        let (account, client) = (&request.client.user.account, request.from.client.ip());
        self.config.quota.acquire(&self.config.limits, account, client).map_err(|exceeded| {
            self.outbox.counters.over_quota += 1;
            match exceeded {
                Exceeded::Own => Refusal::QUOTA_REACHED,
                Exceeded::Total => Refusal::INSUFFICIENT_CAPACITY,
            }
        })
    }

    fn allocate_fresh(
        &mut self,
        request: &Request<'_>,
        family: AddressFamily,
        port: EvenPortWish,
        lifetime: u32,
    ) -> Result<(), Refusal> {
        let lease = self.lease(request)?;
        let next_lease = match port {
            EvenPortWish::Any | EvenPortWish::Even => None,
            EvenPortWish::EvenAndNext => match self.lease(request) {
                Ok(next) => Some(next),
                Err(refusal) => {
                    self.config.quota.release(&lease);
                    return Err(refusal);
                }
            },
        };
        let relay = self.new_relay();
        let next = next_lease.map(|lease| (self.new_relay(), lease));
        let port = match (port, &next) {
            (EvenPortWish::EvenAndNext, Some((next, _))) => PortRequirement::EvenAndNext(*next),
            (EvenPortWish::Even | EvenPortWish::EvenAndNext, _) => PortRequirement::Even,
            (EvenPortWish::Any, _) => PortRequirement::Any,
        };
        let opening = Opening {
            five_tuple: request.from,
            owner: request.client.clone(),
            lease,
            relay,
            transaction: request.message.transaction_id(),
            lifetime,
            next,
            abandoned: false,
        };
        self.openings.insert(relay, opening);
        let open = OpenRelay { relay, family, server: request.from.server, port };
        self.outbox.outputs.push_back(Output::OpenRelay(open));
        Ok(())
    }

    fn allocate_reserved(&mut self, request: &Request<'_>, token: Token, lifetime: u32) -> Result<Reply, Refusal> {
        let Some(Reservation { relay, relayed, expires, lease, .. }) =
            self.reservations.take(token, &request.client.user.account)
        else {
            return Err(Refusal::INSUFFICIENT_CAPACITY);
        };
        self.timers.clear(expires, Timer::ReservationExpires(token));
        let opening = Opening {
            five_tuple: request.from,
            owner: request.client.clone(),
            lease,
            relay,
            transaction: request.message.transaction_id(),
            lifetime,
            next: None,
            abandoned: false,
        };
        let reply = success(&opening, relayed, None);
        self.open(opening.into_allocation(request.now, relayed));
        Ok(reply)
    }

    /// The shell has opened the relay, or could not.
    pub(crate) fn relay_opened(&mut self, now: Instant, relay: RelayId, relayed: Option<SocketAddr>) {
        let Some(mut opening) = self.openings.remove(&relay) else {
            return;
        };
        let Some(relayed) = relayed else {
            return self.relay_failed(now, opening);
        };
        if opening.abandoned {
            let both = [Some((relay, opening.lease)), opening.next];
            for (relay, lease) in both.into_iter().flatten() {
                self.config.quota.release(&lease);
                self.close_relay(relay);
            }
            return;
        }
        let reservation = opening.next.take().map(|(next, lease)| {
            let beside = SocketAddr::new(relayed.ip(), relayed.port() | 1);
            let account = opening.owner.user.account.clone();
            let (token, expires) = self.reservations.hold(now, next, beside, account, lease);
            self.timers.set(expires, Timer::ReservationExpires(token));
            token
        });
        let bytes = success(&opening, relayed, reservation).finish_for(&opening.owner);
        let (from, transaction) = (opening.five_tuple, opening.transaction);
        self.open(opening.into_allocation(now, relayed));
        self.conclude(now, from, transaction, bytes);
    }

    fn relay_failed(&mut self, now: Instant, opening: Opening) {
        self.outbox.counters.relay_failures += 1;
        self.forget_relay(opening.relay);
        if let Some((next, lease)) = opening.next {
            self.forget_relay(next);
            self.config.quota.release(&lease);
        }
        let code = Refusal::INSUFFICIENT_CAPACITY.0;
        let bytes = Reply::error(ALLOCATE, opening.transaction, code).finish_for(&opening.owner);
        self.config.quota.release(&opening.lease);
        self.conclude(now, opening.five_tuple, opening.transaction, bytes);
    }

    fn conclude(&mut self, now: Instant, from: FiveTuple, transaction: TransactionId, bytes: Vec<u8>) {
        if !from.transport.is_stream() {
            self.replies.remember(now, from, transaction, bytes.clone());
        }
        self.outbox.answer(from, bytes);
    }
}

impl Opening {
    fn into_allocation(self, now: Instant, relayed: SocketAddr) -> Allocation {
        Allocation {
            five_tuple: self.five_tuple,
            owner: self.owner,
            lease: self.lease,
            relay: self.relay,
            relayed,
            expires: now + Duration::from_secs(self.lifetime.into()),
            permissions: Permissions::default(),
            channels: Channels::default(),
        }
    }
}

fn success(opening: &Opening, relayed: SocketAddr, reservation: Option<Token>) -> Reply {
    let transaction = opening.transaction;
    let reply = Reply::success(ALLOCATE, transaction)
        .with(&XorRelayedAddress::new(relayed, transaction))
        .with(&Lifetime::new(opening.lifetime));
    let reply = match reservation {
        Some(Token(token)) => reply.with(&ReservationToken::new(token)),
        None => reply,
    };
    reply.with(&XorMappedAddress::new(opening.five_tuple.client, transaction))
}

/// The lifetime to grant: RFC 8656 §7.2. The default for those who ask for less.
pub(crate) fn lifetime(message: &Message<'_>) -> Result<u32, Refusal> {
    let asked = optional::<Lifetime>(message)?;
    Ok(asked.map_or(DEFAULT_LIFETIME, |asked| asked.seconds().clamp(DEFAULT_LIFETIME, MAX_LIFETIME)))
}

/// The family asked for. A value that is no family at all is 440 (RFC 8656 §7.2), not 400.
pub(crate) fn requested_family(message: &Message<'_>) -> Result<AddressFamily, Refusal> {
    let Some(raw) = message.raw_attribute(RequestedAddressFamily::TYPE) else { return Ok(AddressFamily::IPV4) };
    if raw.length() != 4 {
        return Err(Refusal::BAD_REQUEST);
    }
    match message.attribute::<RequestedAddressFamily>() {
        Ok(attribute) => Ok(attribute.family()),
        Err(_) => Err(Refusal::ADDRESS_FAMILY_NOT_SUPPORTED),
    }
}
