//! What goes to peers and comes from them: RFC 8656 §11 and §12.

use std::{net::SocketAddr, time::Instant};

use madang_wire::{
    ChannelData, ChannelNumber,
    stun::{
        Data, DontFragment, IcmpAttribute, Message, MessageClass, MessageType, MessageWrite, MessageWriteExt,
        MessageWriteVec, SEND, XorPeerAddress, optional,
    },
};

use super::{
    Client, ClientOutput, State,
    peer::{Peer, Way},
    transaction::Purpose,
};

/// Peers at most; packets to more are dropped.
const PEERS: usize = 64;

impl Client {
    pub(super) fn send(&mut self, now: Instant, address: SocketAddr, data: &[u8]) {
        if !matches!(self.state, State::Allocated { .. }) {
            return;
        }
        let way = match self.peers.iter_mut().find(|peer| peer.address == address) {
            Some(peer) => peer.way(data),
            None => {
                let number = u16::try_from(self.peers.len()).ok().map(|place| ChannelNumber::MIN.get() + place);
                let Some(channel) = number.and_then(ChannelNumber::new).filter(|_| self.peers.len() < PEERS) else {
                    return;
                };
                let mut peer = Peer::new(address, channel);
                let way = peer.way(data);
                self.peers.push(peer);
                self.request(now, Purpose::Permit(address), 0);
                way
            }
        };
        match way {
            Way::None => {}
            Way::Indication => self.indicate(address, data),
            Way::Channel(channel) => {
                let Some(header) = ChannelData::header(channel, data.len()) else { return };
                let mut bytes = Vec::with_capacity(data.len() + 8);
                bytes.extend_from_slice(&header);
                bytes.extend_from_slice(data);
                if self.config.transport.is_stream() {
                    bytes.resize(bytes.len() + ChannelData::padding(data.len()), 0);
                }
                self.outputs.push_back(ClientOutput::Transmit(bytes));
            }
        }
    }

    pub(super) fn indicate(&mut self, peer: SocketAddr, data: &[u8]) {
        let id = self.ids.next();
        let kind = MessageType::from_class_method(MessageClass::Indication, SEND);
        let mut message = Message::builder(kind, id, MessageWriteVec::new());
        let mut written = message
            .add_attribute(&XorPeerAddress::new(peer, id))
            .and_then(|()| message.add_attribute(&Data::new(data)));
        if self.config.wishes.dont_fragment {
            written = written.and_then(|()| message.add_attribute(&DontFragment::new()));
        }
        if written.is_ok() {
            self.outputs.push_back(ClientOutput::Transmit(message.finish()));
        }
    }

    pub(super) fn channel_data(&mut self, data: ChannelData<'_>) {
        if let Some(peer) = self.peers.iter().find(|peer| peer.channel == data.channel) {
            let (peer, data) = (peer.address, data.data.to_vec());
            self.outputs.push_back(ClientOutput::Data { peer, data });
        }
    }

    /// RFC 8656 §11.4: from whom nothing is wanted, nothing comes.
    pub(super) fn indication(&mut self, message: &Message<'_>) {
        let Ok(Some(peer)) = optional::<XorPeerAddress>(message) else { return };
        let peer = peer.addr(message.transaction_id());
        if !self.peers.iter().any(|known| known.address.ip() == peer.ip()) {
            return;
        }
        match (optional::<Data<'_>>(message), optional::<IcmpAttribute>(message)) {
            (Ok(Some(data)), _) => self.outputs.push_back(ClientOutput::Data { peer, data: data.data().to_vec() }),
            // RFC 8656 §11.6.
            (Ok(None), Ok(Some(icmp))) => {
                let (kind, code, data) = (icmp.icmp_type(), icmp.code(), icmp.data());
                self.outputs.push_back(ClientOutput::Icmp { peer, kind, code, data });
            }
            _ => {}
        }
    }
}
