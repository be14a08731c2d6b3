//! CreatePermission and ChannelBind: RFC 8656 §10 and §12. Which peers an allocation talks to.

use std::net::{IpAddr, SocketAddr};

use madang_wire::{
    ChannelNumber,
    stun::{Attribute, AttributeStaticType, ChannelNumberAttribute, Message, XorPeerAddress, optional},
};

use crate::{
    allocation::{Allocation, AllocationId},
    channel::BindError,
    permission::Admission,
    reply::Reply,
    server::{Refusal, Request, Server},
};

/// No client means this many peers in one request; it bounds the work of a single packet.
const MAX_PEERS: usize = 64;

impl Server {
    pub(crate) fn create_permission(&mut self, request: &Request<'_>) -> Result<Reply, Refusal> {
        let id = self.owned_allocation(request)?;
        let peers = peer_addresses(request.message)?;
        let admitted = peers.into_iter().map(|peer| self.admit(id, peer.ip())).collect::<Result<Vec<_>, _>>()?;
        self.install(request, id, &admitted)?;
        Ok(request.success())
    }

    pub(crate) fn channel_bind(&mut self, request: &Request<'_>) -> Result<Reply, Refusal> {
        let id = self.owned_allocation(request)?;
        let message = request.message;
        let number = optional::<ChannelNumberAttribute>(message)?.ok_or(Refusal::BAD_REQUEST)?;
        let number = ChannelNumber::new(number.channel()).ok_or(Refusal::BAD_REQUEST)?;
        let peer = optional::<XorPeerAddress>(message)?.ok_or(Refusal::BAD_REQUEST)?;
        let peer = peer.addr(message.transaction_id());
        // RFC 6062 §4.1: TCP allocations have no channels.
        if self.allocations.get(id).is_some_and(Allocation::is_tcp) {
            return Err(Refusal::BAD_REQUEST);
        }
        let admission = self.admit(id, peer.ip())?;
        // A binding names the port too, so among our own addresses it has to be a live relay's or
        // a media port.
        if admission.is_ours_only() && !self.is_ours(&peer) {
            self.outbox.counters.forbidden_peers += 1;
            return Err(Refusal::FORBIDDEN);
        }
        let limit = self.config.limits.channels;
        let allocation = self.allocations.get_mut(id).ok_or(Refusal::ALLOCATION_MISMATCH)?;
        allocation.channels.check(request.now, number, peer, limit).map_err(|error| match error {
            BindError::Conflict => Refusal::BAD_REQUEST,
            BindError::TooMany => Refusal::INSUFFICIENT_CAPACITY,
        })?;
        // RFC 8656 §12.2: a binding installs or refreshes the permission too.
        self.install(request, id, &[admission])?;
        if let Some(allocation) = self.allocations.get_mut(id) {
            allocation.channels.bind(request.now, number, peer);
        }
        Ok(request.success())
    }

    /// What the policy says about a peer of this allocation.
    pub(crate) fn admit(&mut self, id: AllocationId, peer: IpAddr) -> Result<Admission, Refusal> {
        let allocation = self.allocations.get(id).ok_or(Refusal::ALLOCATION_MISMATCH)?;
        let (relay, tcp) = (allocation.relay_for(peer), allocation.is_tcp());
        relay.ok_or(Refusal::PEER_FAMILY_MISMATCH)?;
        // Nothing is handed over from a TCP allocation.
        let ours_there = !tcp && self.have_something_on(peer);
        match self.config.policy.check(peer) {
            Ok(permitted) => Ok(Admission::outside(peer, permitted, ours_there)),
            Err(_) if ours_there && !self.config.policy.is_denied(peer) => Ok(Admission::ours_only(peer)),
            Err(_) => {
                self.outbox.counters.forbidden_peers += 1;
                Err(Refusal::FORBIDDEN)
            }
        }
    }

    /// Whether live relays, of this shard or another, or media ports of ours have this address.
    fn have_something_on(&self, ip: IpAddr) -> bool {
        self.allocations.relays_on(ip)
            || self.config.media.iter().any(|media| media.ip() == ip)
            || self.config.directory.as_ref().is_some_and(|directory| directory.relays_on(ip))
    }

    /// Whether this is exactly a relayed address or a media port of ours.
    fn is_ours(&self, peer: &SocketAddr) -> bool {
        self.allocations.at_relayed(peer).is_some()
            || self.config.media.contains(peer)
            || self.config.directory.as_ref().is_some_and(|directory| directory.shard_of(peer).is_some())
    }

    fn install(&mut self, request: &Request<'_>, id: AllocationId, peers: &[Admission]) -> Result<(), Refusal> {
        let limit = self.config.limits.permissions;
        let allocation = self.allocations.get_mut(id).ok_or(Refusal::ALLOCATION_MISMATCH)?;
        let room = allocation.permissions.room_for(request.now, peers, limit);
        room.map_err(|_| Refusal::INSUFFICIENT_CAPACITY)?;
        for admission in peers {
            allocation.permissions.install(request.now, *admission);
        }
        Ok(())
    }
}

/// All XOR-PEER-ADDRESS attributes of a request; at least one (RFC 8656 §10.2).
fn peer_addresses(message: &Message<'_>) -> Result<Vec<SocketAddr>, Refusal> {
    let mut peers = Vec::new();
    for (_, attribute) in message.iter_attributes() {
        if attribute.get_type() == XorPeerAddress::TYPE {
            peers.push(XorPeerAddress::try_from(&attribute)?.addr(message.transaction_id()));
        }
    }
    if peers.is_empty() || peers.len() > MAX_PEERS { Err(Refusal::BAD_REQUEST) } else { Ok(peers) }
}
