//! The data path: RFC 8656 §11 and §12.5 to §12.7. One hash, one array place, no copy.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    ops::Range,
    time::Instant,
};

use madang_wire::{
    ChannelData, FiveTuple, Transport,
    stun::{self, AttributeStaticType, Data, Message, XorPeerAddress},
};

use crate::{
    Output,
    allocation::{Allocation, Allocations},
    io::{Body, Head, RelayId, Route, Transmit},
    permission::Admission,
    server::{Server, unknown_attributes},
};

/// Packets and their bytes, headers of TURN not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Packets.
    pub packets: u64,
    /// Bytes of application data.
    pub bytes: u64,
}

impl Traffic {
    fn count(&mut self, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
    }
}

/// What has happened since the server began. All but `allocations` only grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Live allocations, by [`Transport::index`] of their clients.
    pub allocations: [u64; Transport::ALL.len()],
    /// Allocations ever made.
    pub allocations_total: u64,
    /// Data of clients that went on to peers.
    pub to_peers: Traffic,
    /// Data of peers that went on to clients.
    pub to_clients: Traffic,
    /// Data for which there was no allocation, permission or channel.
    pub unpermitted: u64,
    /// Binding requests answered.
    pub bindings: u64,
    /// Requests whose sender did not prove who they are, the first ones of every client included.
    pub unauthenticated: u64,
    /// Requests left without an answer, because their network asked too often.
    pub rate_limited: u64,
    /// Allocations refused because of a quota.
    pub over_quota: u64,
    /// Peers refused by the policy.
    pub forbidden_peers: u64,
    /// Relays that could not be opened.
    pub relay_failures: u64,
    /// Data over a limit of bandwidth.
    pub over_rate: u64,
    /// Packets that are neither STUN nor ChannelData.
    pub malformed: u64,
}

/// Outputs on their way, and the counters that go with them.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) counters: Counters,
    indications: u64,
}

/// What is reached within this process.
#[derive(Clone, Copy)]
struct Inside<'a> {
    allocations: &'a Allocations,
    /// The media ports.
    media: &'a [SocketAddr],
}

/// Data and where it lies in the input.
struct Payload {
    range: Range<usize>,
}

impl Server {
    /// ChannelData from a client.
    #[inline]
    pub(crate) fn channel_data(&mut self, now: Instant, from: &FiveTuple, channel: ChannelData<'_>) {
        let Self { allocations, outbox, config, .. } = self;
        let found = allocations.id_of(from).and_then(|id| allocations.get(id));
        let found = found.and_then(|allocation| Some((allocation, allocation.channels.peer(now, channel.channel)?)));
        let Some((allocation, peer)) = found else {
            outbox.counters.unpermitted += 1;
            return;
        };
        let payload = Payload { range: ChannelData::HEADER..ChannelData::HEADER + channel.data.len() };
        outbox.send(now, Inside { allocations, media: &config.media }, allocation, peer, payload);
    }

    /// A Send indication: RFC 8656 §11.2. What is wrong with it is dropped without an answer.
    pub(crate) fn send_indication(&mut self, now: Instant, from: &FiveTuple, message: &Message<'_>) {
        let Self { allocations, outbox, config, .. } = self;
        let Some(allocation) = allocations.id_of(from).and_then(|id| allocations.get(id)) else {
            outbox.counters.unpermitted += 1;
            return;
        };
        let peer = stun::optional::<XorPeerAddress>(message).ok().flatten();
        let data = message.raw_attribute_and_offset(Data::TYPE);
        let (Some(peer), Some((offset, data)), true) = (peer, data, unknown_attributes(message).is_empty()) else {
            outbox.counters.malformed += 1;
            return;
        };
        let begin = offset + 4;
        let payload = Payload { range: begin..begin + data.value.len() };
        let inside = Inside { allocations, media: &config.media };
        outbox.send(now, inside, allocation, peer.addr(message.transaction_id()), payload);
    }

    /// What a media port of ours sends to a relayed address. The receiver's permission counts.
    pub(crate) fn media_data(&mut self, now: Instant, relayed: SocketAddr, from: SocketAddr, length: usize) {
        let Self { allocations, outbox, .. } = self;
        let receiver = allocations.at_relayed(&relayed);
        match receiver.filter(|receiver| receiver.permissions.admission(now, from.ip()).is_some()) {
            Some(receiver) => outbox.deliver(now, receiver, from, Payload { range: 0..length }),
            None => outbox.counters.unpermitted += 1,
        }
    }

    /// A datagram that reached a relay from outside: RFC 8656 §11.3.
    #[inline]
    pub(crate) fn peer_data(&mut self, now: Instant, relay: RelayId, from: SocketAddr, length: usize) {
        let Self { allocations, outbox, .. } = self;
        let Some(allocation) = allocations.at_relay(relay) else {
            outbox.counters.unpermitted += 1;
            return;
        };
        // A permission that stands for our own addresses alone lets nothing in from outside.
        match allocation.permissions.admission(now, from.ip()) {
            Some(Admission::Outside(_)) => outbox.deliver(now, allocation, from, Payload { range: 0..length }),
            Some(Admission::OursOnly) | None => outbox.counters.unpermitted += 1,
        }
    }
}

impl Outbox {
    /// Sends a client's data on to a peer, if there is a permission for it.
    #[inline]
    fn send(&mut self, now: Instant, ours: Inside<'_>, sender: &Allocation, peer: SocketAddr, payload: Payload) {
        let Some(admission) = sender.permissions.admission(now, peer.ip()) else {
            self.counters.unpermitted += 1;
            return;
        };
        let Inside { allocations, media } = ours;
        let inside = if allocations.relays_on(peer.ip()) { allocations.at_relayed(&peer) } else { None };
        if let Some(receiver) = inside {
            self.counters.to_peers.count(payload.range.len());
            return self.hand_over(now, sender, receiver, payload);
        }
        if media.contains(&peer) {
            self.counters.to_peers.count(payload.range.len());
            return self.outputs.push_back(Output::Transmit(Transmit {
                route: Route::Media { relayed: sender.relayed, to: peer },
                head: Head::EMPTY,
                body: Body::Input(payload.range),
                padding: 0,
                dont_fragment: false,
            }));
        }
        let Admission::Outside(_) = admission else {
            self.counters.unpermitted += 1;
            return;
        };
        if peer.port() == 0 {
            self.counters.malformed += 1;
            return;
        }
        self.counters.to_peers.count(payload.range.len());
        self.outputs.push_back(Output::Transmit(Transmit {
            route: Route::Peer { relay: sender.relay, to: peer },
            head: Head::EMPTY,
            body: Body::Input(payload.range),
            padding: 0,
            dont_fragment: false,
        }));
    }

    /// Both ends are ours: no trip through the kernel, but the receiver's permission counts.
    fn hand_over(&mut self, now: Instant, sender: &Allocation, receiver: &Allocation, payload: Payload) {
        match receiver.permissions.admission(now, sender.relayed.ip()) {
            Some(_) => self.deliver(now, receiver, sender.relayed, payload),
            None => self.counters.unpermitted += 1,
        }
    }

    /// Passes a peer's data to the client, on a channel where there is one.
    #[inline]
    fn deliver(&mut self, now: Instant, receiver: &Allocation, peer: SocketAddr, payload: Payload) {
        let length = payload.range.len();
        let stream = receiver.five_tuple.transport.is_stream();
        let (head, padding) = match receiver.channels.number(now, peer) {
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
        self.counters.to_clients.count(length);
        self.outputs.push_back(Output::Transmit(Transmit {
            route: Route::Client(receiver.five_tuple),
            head,
            body: Body::Input(payload.range),
            padding,
            dont_fragment: false,
        }));
    }

    /// What goes in front of the data in a Data indication (RFC 8656 §11.4): written here and not
    /// by the message builder, so that the data need not be copied into a message.
    fn data_indication(&mut self, peer: SocketAddr, length: usize) -> Option<Head> {
        /// Data, class indication: RFC 8656 §17 and RFC 8489 §5.
        const DATA_INDICATION: u16 = 0x0017;
        self.indications += 1;
        let mut id = [0u8; 16];
        id[..4].copy_from_slice(&stun::MAGIC_COOKIE.to_be_bytes());
        id[8..].copy_from_slice(&self.indications.to_be_bytes());
        let address_length = if peer.is_ipv4() { 8 } else { 20 };
        let total = 4 + address_length + 4 + length + ChannelData::padding(length);
        let mut head = Head::EMPTY;
        head.push(&DATA_INDICATION.to_be_bytes());
        head.push(&u16::try_from(total).ok()?.to_be_bytes());
        head.push(&id);
        head.push(&XorPeerAddress::TYPE.value().to_be_bytes());
        head.push(&(address_length as u16).to_be_bytes());
        push_xor_address(&mut head, peer, &id);
        head.push(&Data::TYPE.value().to_be_bytes());
        head.push(&u16::try_from(length).ok()?.to_be_bytes());
        Some(head)
    }
}

/// The value of an XOR address attribute: RFC 8489 §14.2.
fn push_xor_address(head: &mut Head, address: SocketAddr, id: &[u8; 16]) {
    let [p0, p1] = address.port().to_be_bytes();
    let family = if address.is_ipv4() { 1 } else { 2 };
    head.push(&[0, family, p0 ^ id[0], p1 ^ id[1]]);
    match address.ip() {
        IpAddr::V4(ip) => ip.octets().iter().zip(id).for_each(|(a, b)| head.push(&[a ^ b])),
        IpAddr::V6(ip) => ip.octets().iter().zip(id).for_each(|(a, b)| head.push(&[a ^ b])),
    }
}
