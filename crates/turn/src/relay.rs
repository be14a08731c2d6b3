//! The data path: RFC 8656 §11 and §12.5 to §12.7. One hash, one array place, no copy.

use std::{collections::VecDeque, net::SocketAddr, ops::Range, time::Instant};

use madang_wire::{
    ChannelData, FiveTuple,
    stun::{self, AttributeStaticType, Data, DontFragment, Message, XorPeerAddress},
};

use crate::{
    Config, Counters, Output,
    allocation::{Allocation, Allocations},
    io::{Body, Head, RelayId, Route, Transmit},
    permission::Reach,
    request::unknown_attributes,
    server::Server,
};

/// Outputs on their way, and the counters that go with them.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) counters: Counters,
    pub(crate) indications: u64,
    /// Whether any bandwidth is limited.
    pub(crate) limited: bool,
}

/// What the way of a packet depends on.
#[derive(Clone, Copy)]
struct Ground<'a> {
    now: Instant,
    allocations: &'a Allocations,
    config: &'a Config,
}

/// A client's data on its way to a peer.
struct Outgoing {
    peer: SocketAddr,
    /// Where it lies in the input.
    range: Range<usize>,
    dont_fragment: bool,
}

impl Server {
    /// ChannelData from a client.
    #[inline]
    pub(crate) fn channel_data(&mut self, now: Instant, from: &FiveTuple, channel: ChannelData<'_>) {
        let Self { allocations, outbox, config, .. } = self;
        let Some(allocation) = allocations.of(from) else { return self.stray(now, from) };
        let Some(peer) = allocation.channels.peer(now, channel.channel) else {
            outbox.counters.unpermitted += 1;
            return;
        };
        let range = ChannelData::HEADER..ChannelData::HEADER + channel.data.len();
        let outgoing = Outgoing { peer, range, dont_fragment: false };
        outbox.send(Ground { now, allocations, config }, allocation, outgoing);
    }

    /// A Send indication: RFC 8656 §11.2. What is wrong with it is dropped without an answer.
    pub(crate) fn send_indication(&mut self, now: Instant, from: &FiveTuple, message: &Message<'_>) {
        let Self { allocations, outbox, config, .. } = self;
        let Some(allocation) = allocations.of(from) else { return self.stray(now, from) };
        let peer = stun::optional::<XorPeerAddress>(message).ok().flatten();
        let data = message.raw_attribute_and_offset(Data::TYPE);
        let understood = unknown_attributes(config, message).is_empty();
        let (Some(peer), Some((offset, data)), true) = (peer, data, understood) else {
            outbox.counters.malformed += 1;
            return;
        };
        if allocation.is_tcp() {
            // RFC 6062 §4.1: data goes by connections.
            outbox.counters.unpermitted += 1;
            return;
        }
        let begin = offset + 4;
        let outgoing = Outgoing {
            peer: peer.addr(message.transaction_id()),
            range: begin..begin + data.value.len(),
            dont_fragment: message.has_attribute(DontFragment::TYPE),
        };
        outbox.send(Ground { now, allocations, config }, allocation, outgoing);
    }

    /// What a media port of ours, or an allocation on another shard, sends to a relayed address.
    /// The receiver's permission counts, though it may be for our own addresses alone.
    pub(crate) fn data_within(&mut self, now: Instant, relayed: SocketAddr, from: SocketAddr, length: usize) {
        let Self { allocations, outbox, config, .. } = self;
        let receiver = allocations.at_relayed(&relayed);
        match receiver.filter(|receiver| receiver.permissions.reach(now, from.ip()).is_some()) {
            Some(receiver) => outbox.deliver(Ground { now, allocations, config }, receiver, from, 0..length),
            None => outbox.counters.unpermitted += 1,
        }
    }

    /// A datagram that reached a relay from outside: RFC 8656 §11.3.
    #[inline]
    pub(crate) fn peer_data(&mut self, now: Instant, relay: RelayId, from: SocketAddr, length: usize) {
        let Self { allocations, outbox, config, .. } = self;
        let Some(allocation) = allocations.at_relay(relay) else {
            outbox.counters.unpermitted += 1;
            return;
        };
        // A permission that stands for our own addresses alone lets nothing in from outside.
        match allocation.permissions.reach(now, from.ip()) {
            Some(Reach::Outside | Reach::OutsideAndOurs) => {
                outbox.deliver(Ground { now, allocations, config }, allocation, from, 0..length);
            }
            Some(Reach::OursOnly) | None => outbox.counters.unpermitted += 1,
        }
    }

    /// Data of a client that has no allocation here.
    #[cold]
    fn stray(&mut self, now: Instant, from: &FiveTuple) {
        if !self.pass_on(now, from) {
            self.outbox.counters.unpermitted += 1;
        }
    }
}

impl Outbox {
    /// Sends a client's data on to a peer, if there is a permission for it.
    #[inline]
    fn send(&mut self, ground: Ground<'_>, sender: &Allocation, outgoing: Outgoing) {
        let Outgoing { peer, range, dont_fragment } = outgoing;
        let reach = sender.permissions.reach(ground.now, peer.ip());
        // There is no permission for a family without a relay.
        let (Some(reach), Some(relay)) = (reach, sender.relay_for(peer.ip())) else {
            self.counters.unpermitted += 1;
            return;
        };
        if self.limited && !self.within_bandwidth(ground, sender, range.len()) {
            return;
        }
        if reach != Reach::Outside && self.send_within(ground, sender, relay.relayed, peer, &range) {
            return;
        }
        if reach == Reach::OursOnly {
            self.counters.unpermitted += 1;
            return;
        }
        if peer.port() == 0 {
            self.counters.malformed += 1;
            return;
        }
        self.count_to_peer(sender, range.len());
        self.outputs.push_back(Output::Transmit(Transmit {
            route: Route::Peer { relay: relay.id, to: peer },
            head: Head::EMPTY,
            body: Body::Input(range),
            padding: 0,
            dont_fragment,
        }));
    }

    /// Hands data over to whatever of ours has exactly this address: no trip through the kernel.
    fn send_within(
        &mut self,
        ground: Ground<'_>,
        sender: &Allocation,
        from: SocketAddr,
        to: SocketAddr,
        range: &Range<usize>,
    ) -> bool {
        if let Some(receiver) = ground.allocations.at_relayed(&to) {
            self.count_to_peer(sender, range.len());
            // Both ends are ours, but the receiver's permission counts.
            match receiver.permissions.reach(ground.now, from.ip()) {
                Some(_) => self.deliver(ground, receiver, from, range.clone()),
                None => self.counters.unpermitted += 1,
            }
            return true;
        }
        let route = if ground.config.media.contains(&to) {
            Route::Media { relayed: from, to }
        } else {
            let directory = ground.config.directory.as_ref();
            match directory.and_then(|directory| directory.shard_of(&to)) {
                // This shard's own are known better here: it has just ended.
                Some(shard) if shard != ground.config.shard => Route::Sibling { shard, from, to },
                _ => return false,
            }
        };
        self.count_to_peer(sender, range.len());
        let body = Body::Input(range.clone());
        let transmit = Transmit { route, head: Head::EMPTY, body, padding: 0, dont_fragment: false };
        self.outputs.push_back(Output::Transmit(transmit));
        true
    }

    /// Passes a peer's data to the client, on a channel where there is one.
    #[inline]
    fn deliver(&mut self, ground: Ground<'_>, receiver: &Allocation, peer: SocketAddr, range: Range<usize>) {
        let length = range.len();
        if self.limited && !self.within_bandwidth(ground, receiver, length) {
            return;
        }
        let stream = receiver.five_tuple.transport.is_stream();
        let (head, padding) = match receiver.channels.number(ground.now, peer) {
            Some(number) => {
                let padding = if stream { ChannelData::padding(length) } else { 0 };
                (ChannelData::header(number, length).map(Head::from), padding)
            }
            None => (self.data_indication(peer, length), ChannelData::padding(length)),
        };
        let Some(head) = head else {
            self.counters.malformed += 1;
            return;
        };
        if receiver.is_detached() {
            self.counters.unpermitted += 1;
            return;
        }
        self.counters.to_clients.count(length);
        receiver.books.count_to_client(length);
        self.outputs.push_back(Output::Transmit(Transmit {
            route: Route::Client(receiver.five_tuple),
            head,
            body: Body::Input(range),
            padding,
            dont_fragment: false,
        }));
    }

    #[inline]
    fn count_to_peer(&mut self, sender: &Allocation, bytes: usize) {
        self.counters.to_peers.count(bytes);
        sender.books.count_to_peers(bytes);
    }

    #[cold]
    fn within_bandwidth(&mut self, ground: Ground<'_>, allocation: &Allocation, bytes: usize) -> bool {
        let Config { limits, quota, .. } = ground.config;
        let own = limits.bandwidth.per_allocation;
        let within = (own == 0 || allocation.bandwidth.take(quota.epoch(), ground.now, own, bytes))
            && quota.relay(ground.now, limits, &allocation.lease.account, bytes);
        self.counters.over_rate += u64::from(!within);
        within
    }
}
