//! Data indications: RFC 8656 §11.4 for data, §11.5 for what ICMP says.

use std::{
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use madang_wire::{
    ChannelData,
    stun::{
        self, AttributeStaticType, AttributeType, DATA, Data, IcmpAttribute, RawAttribute, TransactionId,
        XorPeerAddress,
    },
};

use crate::{
    io::{Head, Icmp, RelayId},
    relay::Outbox,
    reply::Reply,
    server::Server,
};

/// Data, class indication: RFC 8656 §17 and RFC 8489 §5.
const DATA_INDICATION: u16 = 0x0017;

impl Outbox {
    /// What goes in front of the data in a Data indication: written here and not by the message
    /// builder, so that the data need not be copied into a message.
    pub(crate) fn data_indication(&mut self, peer: SocketAddr, length: usize) -> Option<Head> {
        let id = self.indication_id();
        let address_length: u16 = if peer.is_ipv4() { 8 } else { 20 };
        let total = 4 + usize::from(address_length) + 4 + length + ChannelData::padding(length);
        let mut head = Head::EMPTY;
        head.push(&words(DATA_INDICATION, u16::try_from(total).ok()?));
        head.push(&id);
        head.push(&words(XorPeerAddress::TYPE.value(), address_length));
        push_xor_address(&mut head, peer, &id);
        head.push(&words(Data::TYPE.value(), u16::try_from(length).ok()?));
        Some(head)
    }

    /// The cookie and a transaction id that no other indication has.
    fn indication_id(&mut self) -> [u8; 16] {
        self.indications += 1;
        let mut id = [0u8; 16];
        id[..4].copy_from_slice(&stun::MAGIC_COOKIE.to_be_bytes());
        id[8..].copy_from_slice(&self.indications.to_be_bytes());
        id
    }

    pub(crate) fn indication_transaction(&mut self) -> TransactionId {
        u128::from_be_bytes(self.indication_id()).into()
    }
}

const fn words(first: u16, second: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (first.to_be_bytes(), second.to_be_bytes());
    [a, b, c, d]
}

/// The value of an XOR address attribute: RFC 8489 §14.2.
fn push_xor_address(head: &mut Head, address: SocketAddr, id: &[u8; 16]) {
    let key = u128::from_be_bytes(*id);
    let port = address.port() ^ (key >> 112) as u16;
    match address.ip() {
        IpAddr::V4(ip) => {
            head.push(&words(0x0001, port));
            head.push(&(ip.to_bits() ^ (key >> 96) as u32).to_be_bytes());
        }
        IpAddr::V6(ip) => {
            head.push(&words(0x0002, port));
            head.push(&(ip.to_bits() ^ key).to_be_bytes());
        }
    }
}

impl Server {
    /// What ICMP says about a datagram of a relay: RFC 8656 §11.5. The permission that counts is
    /// for whom the datagram was, not for the router that complains.
    #[cold]
    pub(crate) fn peer_error(&mut self, now: Instant, relay: RelayId, peer: SocketAddr, icmp: Icmp) {
        let client = self
            .allocations
            .at_relay(relay)
            .filter(|allocation| !allocation.is_detached() && allocation.permissions.reach(now, peer.ip()).is_some());
        let Some(client) = client.map(|allocation| allocation.five_tuple) else {
            self.outbox.counters.unpermitted += 1;
            return;
        };
        let Some(attribute) = attribute(peer.ip(), icmp) else { return };
        let transaction = self.outbox.indication_transaction();
        let indication =
            Reply::indication(DATA, transaction).with(&XorPeerAddress::new(peer, transaction)).with(&attribute);
        self.outbox.counters.icmp += 1;
        self.outbox.answer(client, indication.finish(false));
    }
}

/// The ICMP attribute (RFC 8656 §18.13), if the message is one that clients are told of: in IPv4
/// "destination unreachable" and "time exceeded", in IPv6 these and "packet too big".
fn attribute(peer: IpAddr, icmp: Icmp) -> Option<RawAttribute<'static>> {
    const KIND: AttributeType = IcmpAttribute::TYPE;
    let known = if peer.is_ipv4() { matches!(icmp.kind, 3 | 11) } else { matches!(icmp.kind, 1..=3) };
    // The MTU, of those two messages that tell one; "MUST be set to zero" for all others.
    let too_big = if peer.is_ipv4() { (icmp.kind, icmp.code) == (3, 4) } else { icmp.kind == 2 };
    let data = if too_big { icmp.data } else { 0 };
    // Seven bits of type and nine of code, as the figure has them: not two bytes.
    let kind_and_code = u16::from(icmp.kind) << 9 | u16::from(icmp.code);
    let mut value = [0; 8];
    value[2..4].copy_from_slice(&kind_and_code.to_be_bytes());
    value[4..].copy_from_slice(&data.to_be_bytes());
    known.then(|| RawAttribute::new(KIND, &value).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const V6: IpAddr = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);

    fn value(peer: IpAddr, kind: u8, code: u8, data: u32) -> Option<Vec<u8>> {
        attribute(peer, Icmp { kind, code, data }).map(|raw| raw.value.to_vec())
    }

    #[test]
    fn type_and_code_have_seven_and_nine_bits_and_only_too_big_has_data() {
        assert_eq!(value(V4, 3, 4, 1400), Some(vec![0, 0, 6, 4, 0, 0, 5, 120]));
        assert_eq!(value(V4, 3, 3, 1400), Some(vec![0, 0, 6, 3, 0, 0, 0, 0]));
        assert_eq!(value(V6, 2, 0, 1280), Some(vec![0, 0, 4, 0, 0, 0, 5, 0]));
    }

    #[test]
    fn other_messages_are_nobody_s_business() {
        for (peer, kind) in [(V4, 0), (V4, 5), (V4, 8), (V6, 4), (V6, 129), (V6, 135)] {
            assert_eq!(value(peer, kind, 0, 0), None, "{kind}");
        }
    }
}
