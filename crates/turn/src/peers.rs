//! CreatePermission and ChannelBind: RFC 8656 §10 and §12. Which peers an allocation talks to.

use std::net::{IpAddr, SocketAddr};

use madang_wire::{
    ChannelNumber,
    stun::{Attribute, AttributeStaticType, ChannelNumberAttribute, Message, XorPeerAddress, family, optional},
};

use crate::{
    allocation::AllocationId,
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
        let admitted = peers
            .into_iter()
            .map(|peer| self.admit(id, peer.ip()).map(|admission| (peer.ip(), admission)))
            .collect::<Result<Vec<_>, _>>()?;
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
        let admission = self.admit(id, peer.ip())?;
        // A binding names the port too, so among our own addresses it has to be a live relay's or
        // a media port.
        let ours = self.allocations.at_relayed(&peer).is_some() || self.config.media.contains(&peer);
        if admission == Admission::OursOnly && !ours {
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
        self.install(request, id, &[(peer.ip(), admission)])?;
        if let Some(allocation) = self.allocations.get_mut(id) {
            allocation.channels.bind(request.now, number, peer);
        }
        Ok(request.success())
    }

    /// What the policy says about a peer of this allocation.
    fn admit(&mut self, id: AllocationId, peer: IpAddr) -> Result<Admission, Refusal> {
        let allocation = self.allocations.get(id).ok_or(Refusal::ALLOCATION_MISMATCH)?;
        if allocation.relayed.is_ipv4() != peer.is_ipv4() {
            return Err(Refusal::PEER_FAMILY_MISMATCH);
        }
        debug_assert_eq!(family(allocation.relayed.ip()), family(peer));
        match self.config.policy.check(peer) {
            Ok(permitted) => Ok(Admission::Outside(permitted)),
            Err(_) if self.is_ours(peer) && !self.config.policy.is_denied(peer) => Ok(Admission::OursOnly),
            Err(_) => {
                self.outbox.counters.forbidden_peers += 1;
                Err(Refusal::FORBIDDEN)
            }
        }
    }

    /// Whether live relays or media ports of ours have this address.
    fn is_ours(&self, ip: IpAddr) -> bool {
        self.allocations.relays_on(ip) || self.config.media.iter().any(|media| media.ip() == ip)
    }

    fn install(
        &mut self,
        request: &Request<'_>,
        id: AllocationId,
        peers: &[(IpAddr, Admission)],
    ) -> Result<(), Refusal> {
        let limit = self.config.limits.permissions;
        let allocation = self.allocations.get_mut(id).ok_or(Refusal::ALLOCATION_MISMATCH)?;
        let room = allocation.permissions.room_for(request.now, peers, limit);
        room.map_err(|_| Refusal::INSUFFICIENT_CAPACITY)?;
        for (peer, admission) in peers {
            allocation.permissions.install(request.now, *peer, *admission);
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
