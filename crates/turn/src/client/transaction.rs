//! Requests on their way: what is in them, and what they were for.

use std::{net::SocketAddr, time::Instant};

use madang_wire::{
    ChannelNumber,
    stun::{
        ALLOCATE, AdditionalAddressFamily, AddressFamily, AttributeWrite, CHANNEL_BIND, CREATE_PERMISSION,
        ChannelNumberAttribute, DontFragment, Lifetime, MOBILITY_TICKET, Message, MessageClass, MessageType,
        MessageWrite, MessageWriteExt, MessageWriteVec, Method, REFRESH, RawAttribute, RequestedAddressFamily,
        RequestedTransport, TransactionId, XorPeerAddress,
    },
};

use super::{
    challenge::Challenge,
    io::{ClientConfig, Families},
};
use crate::retransmission::Retransmission;

/// UDP, in REQUESTED-TRANSPORT.
const UDP: u8 = 17;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A relay, or one of each family.
    Allocate,
    /// Its lifetime, in seconds; 0 ends it.
    Refresh(u32),
    /// The relay follows to the address that this comes from; and its lifetime.
    Move(u32),
    /// Leave for a peer's address to send to the relay.
    Permit(SocketAddr),
    /// A channel to a peer.
    Bind(SocketAddr, ChannelNumber),
}

/// What requests are made of beside their purpose.
pub(super) struct Material<'a> {
    pub(super) config: &'a ClientConfig,
    pub(super) challenge: Option<&'a Challenge>,
    pub(super) ticket: Option<&'a [u8]>,
}

impl Purpose {
    fn method(self) -> Method {
        match self {
            Self::Allocate => ALLOCATE,
            Self::Refresh(_) | Self::Move(_) => REFRESH,
            Self::Permit(_) => CREATE_PERMISSION,
            Self::Bind(..) => CHANNEL_BIND,
        }
    }

    /// The request's bytes; `None` when it can't be signed.
    pub(super) fn request(self, id: TransactionId, material: &Material<'_>) -> Option<Vec<u8>> {
        let kind = MessageType::from_class_method(MessageClass::Request, self.method());
        let mut message = Message::builder(kind, id, MessageWriteVec::new());
        let mut add = |attribute: &dyn AttributeWrite| message.add_attribute(attribute).ok();
        match self {
            Self::Allocate => wish(&material.config.wishes, &mut add)?,
            Self::Refresh(seconds) => add(&Lifetime::new(seconds))?,
            // RFC 8016 §3.2.1.
            Self::Move(seconds) => {
                add(&Lifetime::new(seconds))?;
                add(&RawAttribute::new(MOBILITY_TICKET, material.ticket?))?;
            }
            Self::Permit(peer) => add(&XorPeerAddress::new(peer, id))?,
            Self::Bind(peer, channel) => {
                add(&ChannelNumberAttribute::new(channel.get()))?;
                add(&XorPeerAddress::new(peer, id))?;
            }
        }
        if let Some(challenge) = material.challenge {
            challenge.sign(&mut message, material.config)?;
        }
        Some(message.finish())
    }
}

/// What an Allocate asks for: RFC 8656 §7.1, RFC 8016 §3.1.1.
fn wish(wishes: &super::io::Wishes, add: &mut dyn FnMut(&dyn AttributeWrite) -> Option<()>) -> Option<()> {
    add(&RequestedTransport::new(UDP))?;
    match wishes.families {
        Families::Servers => {}
        Families::Only(family) => add(&RequestedAddressFamily::new(family))?,
        // The two attributes exclude each other, and IPv6 alone may stand here.
        Families::Both => add(&AdditionalAddressFamily::new(AddressFamily::IPV6))?,
    }
    if wishes.dont_fragment {
        add(&DontFragment::new())?;
    }
    if wishes.mobility {
        add(&RawAttribute::new(MOBILITY_TICKET, &[]))?;
    }
    Some(())
}

/// A request that waits for its answer.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) id: TransactionId,
    pub(super) purpose: Purpose,
    pub(super) bytes: Vec<u8>,
    pub(super) again: Retransmission,
    /// Challenges that were answered: a second 401 means wrong credentials.
    pub(super) challenges: u32,
}

impl Transaction {
    /// A request that goes out now.
    pub(super) fn new(id: TransactionId, purpose: Purpose, bytes: Vec<u8>, is_stream: bool, now: Instant) -> Self {
        let again = if is_stream { Retransmission::stream(now) } else { Retransmission::datagram(now) };
        Self { id, purpose, bytes, again, challenges: 0 }
    }
}
