//! Allocate requests that wait for their relays to open.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use madang_wire::{
    FiveTuple,
    stun::{
        ALLOCATE, AddressErrorCode, AddressFamily, ErrorCode, Lifetime, ReservationToken, TransactionId,
        XorMappedAddress, XorRelayedAddress,
    },
};

use crate::{
    allocation::{Allocation, Books, Rare, Relay},
    authentication::Authenticated,
    bucket::Bucket,
    channel::Channels,
    io::RelayId,
    permission::Permissions,
    quota::Lease,
    reply::{Reply, reason},
    server::{Refusal, Server},
    timer::Timer,
};

/// An Allocate request whose answer is yet to come.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) five_tuple: FiveTuple,
    pub(crate) client: Authenticated,
    pub(crate) lease: Lease,
    pub(crate) transaction: TransactionId,
    pub(crate) lifetime: u32,
    pub(crate) first: Awaited,
    /// ADDITIONAL-ADDRESS-FAMILY.
    pub(crate) second: Option<Awaited>,
    /// The second relay of EVEN-PORT, and its own place in the quota: it is held without an
    /// allocation, so it would count nowhere else.
    pub(crate) next: Option<(RelayId, Lease)>,
    pub(crate) tcp: bool,
    pub(crate) mobile: bool,
    /// The client has gone meanwhile.
    pub(crate) abandoned: bool,
}

/// A relay that was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Awaited {
    pub(crate) relay: RelayId,
    pub(crate) family: AddressFamily,
    pub(crate) state: AwaitedState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AwaitedState {
    /// The shell has been asked.
    Opening,
    /// It is open.
    Open(SocketAddr),
    /// There is none, for the reason that this code tells.
    Failed(Refusal),
}

impl Opening {
    fn awaited(&mut self, relay: RelayId) -> Option<&mut Awaited> {
        [Some(&mut self.first), self.second.as_mut()].into_iter().flatten().find(|awaited| awaited.relay == relay)
    }

    pub(crate) fn both(&self) -> impl Iterator<Item = Awaited> + use<> {
        [Some(self.first), self.second].into_iter().flatten()
    }

    fn is_settled(&self) -> bool {
        self.both().all(|awaited| awaited.state != AwaitedState::Opening)
    }
}

impl Server {
    /// The shell has opened a relay, or could not.
    pub(crate) fn relay_opened(&mut self, now: Instant, relay: RelayId, relayed: Option<SocketAddr>) {
        let Some(place) = self.openings.iter_mut().position(|opening| opening.awaited(relay).is_some()) else {
            return;
        };
        if let Some(awaited) = self.openings[place].awaited(relay) {
            awaited.state = match relayed {
                Some(relayed) => AwaitedState::Open(relayed),
                None => AwaitedState::Failed(Refusal::INSUFFICIENT_CAPACITY),
            };
        }
        self.outbox.counters.relay_failures += u64::from(relayed.is_none());
        if self.openings[place].is_settled() {
            let opening = self.openings.swap_remove(place);
            self.settle(now, opening);
        }
    }

    /// All that an Allocate has asked for is there or is known not to come.
    pub(crate) fn settle(&mut self, now: Instant, opening: Opening) {
        let open = |awaited: &Awaited| matches!(awaited.state, AwaitedState::Open(_));
        if opening.abandoned || !opening.both().any(|awaited| open(&awaited)) {
            return self.give_up(now, opening);
        }
        for awaited in opening.both().filter(|awaited| !open(awaited)) {
            self.forget_relay(awaited.relay);
        }
        let (from, transaction, client) = (opening.five_tuple, opening.transaction, opening.client.clone());
        let reply = self.begin(now, opening);
        let bytes = reply.with_software(self.config.software.as_deref()).finish_for(&client);
        self.conclude(now, from, transaction, bytes);
    }

    fn give_up(&mut self, now: Instant, opening: Opening) {
        let mut refusal = Refusal::ADDRESS_FAMILY_NOT_SUPPORTED;
        let mut opened = false;
        for awaited in opening.both() {
            match awaited.state {
                AwaitedState::Open(_) => {
                    opened = true;
                    self.close_relay(awaited.relay);
                }
                AwaitedState::Failed(Refusal::ADDRESS_FAMILY_NOT_SUPPORTED) => self.forget_relay(awaited.relay),
                AwaitedState::Opening | AwaitedState::Failed(_) => {
                    refusal = Refusal::INSUFFICIENT_CAPACITY;
                    self.forget_relay(awaited.relay);
                }
            }
        }
        self.config.quota.release(&opening.lease);
        if let Some((next, lease)) = &opening.next {
            if opened {
                self.close_relay(*next)
            } else {
                self.forget_relay(*next)
            }
            self.config.quota.release(lease);
        }
        if !opening.abandoned {
            let reply = Reply::error(ALLOCATE, opening.transaction, refusal.0);
            let bytes = reply.with_software(self.config.software.as_deref()).finish_for(&opening.client);
            self.conclude(now, opening.five_tuple, opening.transaction, bytes);
        }
    }

    /// Makes an allocation of an opening of which at least one relay is open, and its answer.
    pub(crate) fn begin(&mut self, now: Instant, mut opening: Opening) -> Reply {
        let (from, transaction, lifetime) = (opening.five_tuple, opening.transaction, opening.lifetime);
        let expires = now + Duration::from_secs(lifetime.into());
        let mut relays = opening.both().filter_map(|awaited| match awaited.state {
            AwaitedState::Open(relayed) => Some(Relay { id: awaited.relay, relayed, expires }),
            AwaitedState::Opening | AwaitedState::Failed(_) => None,
        });
        let (first, second) = (relays.next(), relays.next());
        let mut reply = Reply::success(ALLOCATE, transaction);
        for relay in [first, second].into_iter().flatten() {
            reply = reply.with(&XorRelayedAddress::new(relay.relayed, transaction));
        }
        for awaited in opening.both() {
            if let AwaitedState::Failed(Refusal(code)) = awaited.state
                && let Ok(error) = ErrorCode::new(code, reason(code))
            {
                reply = reply.with(&AddressErrorCode::new(awaited.family, error));
            }
        }
        reply = reply.with(&Lifetime::new(lifetime));
        if let (Some((next, lease)), Some(first)) = (opening.next.take(), first) {
            let beside = SocketAddr::new(first.relayed.ip(), first.relayed.port() | 1);
            let account = opening.lease.account.name.clone();
            let (token, expires) = self.reservations.hold(now, next, beside, account, lease);
            self.timers.set(expires, Timer::ReservationExpires(token));
            reply = reply.with(&ReservationToken::new(token.0));
        }
        reply = reply.with(&XorMappedAddress::new(from.client, transaction));
        let Some(relay) = first else { return reply };
        let serial = self.serial();
        let id = self.open(now, opening.into_allocation(now, serial, relay, second));
        self.with_ticket(reply, id)
    }

    fn conclude(&mut self, now: Instant, from: FiveTuple, transaction: TransactionId, bytes: Vec<u8>) {
        if !from.transport.is_stream() {
            self.replies.remember(now, from, transaction, bytes.clone());
        }
        self.outbox.answer(from, bytes);
    }
}

impl Opening {
    fn into_allocation(self, now: Instant, serial: u64, relay: Relay, second: Option<Relay>) -> Allocation {
        let rare = (second.is_some() || self.tcp || self.mobile).then(|| {
            let mut rare = Rare { second, connections: self.tcp.then(Vec::new), ..Rare::default() };
            if self.mobile {
                rare.set_mobile();
            }
            Box::new(rare)
        });
        Allocation {
            five_tuple: self.five_tuple,
            owner: self.client.identity,
            lease: self.lease,
            relay,
            permissions: Permissions::default(),
            channels: Channels::default(),
            books: Books { serial, began: now, to_peers: Default::default(), to_client: Default::default() },
            bandwidth: Bucket::default(),
            rare,
        }
    }
}
