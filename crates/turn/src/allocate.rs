//! Allocate: RFC 8656 §7, and RFC 6062 §5.1 for TCP.

use madang_wire::stun::{
    AdditionalAddressFamily, AddressFamily, Attribute, AttributeStaticType, DontFragment, EvenPort, Message,
    RequestedAddressFamily, RequestedTransport, ReservationToken, optional,
};

use crate::{
    Output,
    io::{OpenRelay, PortRequirement},
    opening::{Awaited, AwaitedState, Opening},
    quota::{Exceeded, Lease},
    reply::Reply,
    reservation::{Reservation, Token},
    server::{Refusal, Request, Server},
    timer::Timer,
};

const TCP: u8 = 6;
const UDP: u8 = 17;

/// What a client wants.
struct Wish {
    source: Source,
    tcp: bool,
    mobile: bool,
    lifetime: u32,
}

/// Where the relay comes from.
enum Source {
    Fresh { families: Families, port: PortWish },
    Reserved(Token),
}

#[derive(Clone, Copy)]
enum Families {
    One(AddressFamily),
    /// ADDITIONAL-ADDRESS-FAMILY: IPv4, and IPv6 beside it.
    Both,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PortWish {
    Any,
    Even,
    EvenAndNext,
}

impl Server {
    /// Begins an allocation. `None`: the answer comes when the relays are open.
    pub(crate) fn allocate(&mut self, request: &Request<'_>) -> Result<Option<Reply>, Refusal> {
        let opening = self.openings.iter().find(|opening| opening.five_tuple == request.from && !opening.abandoned);
        if let Some(opening) = opening {
            let repeated = opening.transaction == request.message.transaction_id();
            return if repeated { Ok(None) } else { Err(Refusal::ALLOCATION_MISMATCH) };
        }
        if request.allocation.is_some() {
            return Err(Refusal::ALLOCATION_MISMATCH);
        }
        let wish = self.wish(request)?;
        if self.draining {
            return Err(Refusal::INSUFFICIENT_CAPACITY);
        }
        match wish.source {
            Source::Reserved(token) => self.allocate_reserved(request, token, &wish).map(Some),
            Source::Fresh { families, port } => self.allocate_fresh(request, families, port, &wish).map(|()| None),
        }
    }

    fn wish(&self, request: &Request<'_>) -> Result<Wish, Refusal> {
        let message = request.message;
        let transport = optional::<RequestedTransport>(message)?.ok_or(Refusal::BAD_REQUEST)?;
        let tcp = match transport.protocol() {
            UDP => false,
            TCP if self.config.tcp_relay => true,
            _ => return Err(Refusal::UNSUPPORTED_TRANSPORT),
        };
        let source = if tcp { self.tcp_source(request)? } else { self.udp_source(message)? };
        let mobile = !tcp && self.wants_mobility(message)?;
        Ok(Wish { source, tcp, mobile, lifetime: self.lifetime(message)? })
    }

    /// RFC 8656 §7.2.
    fn udp_source(&self, message: &Message<'_>) -> Result<Source, Refusal> {
        let family = requested_family(message)?;
        let named = message.has_attribute(RequestedAddressFamily::TYPE);
        let even_port = optional::<EvenPort>(message)?;
        let both = additional_family(message)?;
        if let Some(token) = optional::<ReservationToken>(message)? {
            let alone = even_port.is_none() && !named && !both;
            return if alone { Ok(Source::Reserved(Token(token.token()))) } else { Err(Refusal::BAD_REQUEST) };
        }
        let port = match even_port.map(|even| even.requested()) {
            None => PortWish::Any,
            Some(true) => PortWish::EvenAndNext,
            Some(false) => PortWish::Even,
        };
        if both && (named || port == PortWish::EvenAndNext) {
            return Err(Refusal::BAD_REQUEST);
        }
        if !both && !self.has(family) {
            return Err(Refusal::ADDRESS_FAMILY_NOT_SUPPORTED);
        }
        Ok(Source::Fresh { families: if both { Families::Both } else { Families::One(family) }, port })
    }

    /// RFC 6062 §5.1. ADDITIONAL-ADDRESS-FAMILY came later and need not be understood.
    fn tcp_source(&self, request: &Request<'_>) -> Result<Source, Refusal> {
        let has = |kind| request.message.has_attribute(kind);
        let udp_only = has(DontFragment::TYPE) || has(EvenPort::TYPE) || has(ReservationToken::TYPE);
        if udp_only || !request.from.transport.is_stream() {
            return Err(Refusal::BAD_REQUEST);
        }
        let family = requested_family(request.message)?;
        if !self.has(family) {
            return Err(Refusal::ADDRESS_FAMILY_NOT_SUPPORTED);
        }
        Ok(Source::Fresh { families: Families::One(family), port: PortWish::Any })
    }

    fn has(&self, family: AddressFamily) -> bool {
        if family == AddressFamily::IPV4 { self.config.relay_ipv4 } else { self.config.relay_ipv6 }
    }

    fn lease(&mut self, request: &Request<'_>) -> Result<Lease, Refusal> {
        let account = self.config.credentials.account(&request.client.identity.username);
        self.config.quota.acquire(&self.config.limits, &account, request.from.client.ip()).map_err(|exceeded| {
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
        families: Families,
        port: PortWish,
        wish: &Wish,
    ) -> Result<(), Refusal> {
        let lease = self.lease(request)?;
        let next = match port {
            PortWish::Any | PortWish::Even => None,
            PortWish::EvenAndNext => match self.lease(request) {
                Ok(next) => Some((self.new_relay(), next)),
                Err(refusal) => {
                    self.config.quota.release(&lease);
                    return Err(refusal);
                }
            },
        };
        let (first, second) = match families {
            Families::One(family) => (self.await_relay(family), None),
            Families::Both => (self.await_relay(AddressFamily::IPV4), Some(self.await_relay(AddressFamily::IPV6))),
        };
        let opening = Opening { next, second, ..opening(request, lease, first, wish) };
        let port = match (port, &opening.next) {
            (PortWish::EvenAndNext, Some((next, _))) => PortRequirement::EvenAndNext(*next),
            (PortWish::Even | PortWish::EvenAndNext, _) => PortRequirement::Even,
            (PortWish::Any, _) => PortRequirement::Any,
        };
        let mut asked = false;
        for awaited in opening.both().filter(|awaited| awaited.state == AwaitedState::Opening) {
            let open = OpenRelay { relay: awaited.relay, family: awaited.family, server: request.from.server, port };
            let output = if wish.tcp { Output::OpenTcpRelay(open) } else { Output::OpenRelay(open) };
            self.outbox.outputs.push_back(output);
            asked = true;
        }
        if asked {
            self.openings.push(opening);
        } else {
            self.settle(request.now, opening);
        }
        Ok(())
    }

    fn await_relay(&mut self, family: AddressFamily) -> Awaited {
        let state = match self.has(family) {
            true => AwaitedState::Opening,
            false => AwaitedState::Failed(Refusal::ADDRESS_FAMILY_NOT_SUPPORTED),
        };
        Awaited { relay: self.new_relay(), family, state }
    }

    fn allocate_reserved(&mut self, request: &Request<'_>, token: Token, wish: &Wish) -> Result<Reply, Refusal> {
        let account = self.config.credentials.account(&request.client.identity.username);
        let Some(Reservation { relay, relayed, expires, lease, .. }) = self.reservations.take(token, &account) else {
            return Err(Refusal::INSUFFICIENT_CAPACITY);
        };
        self.timers.clear(expires, Timer::ReservationExpires(token));
        let family = madang_wire::stun::family(relayed.ip());
        let first = Awaited { relay, family, state: AwaitedState::Open(relayed) };
        Ok(self.begin(request.now, opening(request, lease, first, wish)))
    }
}

fn opening(request: &Request<'_>, lease: Lease, first: Awaited, wish: &Wish) -> Opening {
    Opening {
        five_tuple: request.from,
        client: request.client.clone(),
        lease,
        transaction: request.message.transaction_id(),
        lifetime: wish.lifetime,
        first,
        second: None,
        next: None,
        tcp: wish.tcp,
        mobile: wish.mobile,
        abandoned: false,
    }
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

/// Whether an IPv6 address is wanted beside the IPv4 one. RFC 8656 §7.2: IPv4 as the additional
/// family is 400, and so is what is no family.
fn additional_family(message: &Message<'_>) -> Result<bool, Refusal> {
    Ok(optional::<AdditionalAddressFamily>(message)?.is_some())
}
