//! Requests on their way: RFC 8489 §6.2.1 and §6.2.2.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use aws_lc_rs::hmac;
use madang_wire::{
    ChannelNumber,
    stun::{
        ALLOCATE, AttributeWrite, CHANNEL_BIND, CREATE_PERMISSION, ChannelNumberAttribute, Lifetime, Message,
        MessageClass, MessageType, MessageWrite, MessageWriteExt, MessageWriteVec, Method, REFRESH, RequestedTransport,
        TransactionId, XorPeerAddress,
    },
};

use super::{challenge::Challenge, io::ClientConfig};

/// RTO, RFC 8489 §6.2.1.
const FIRST: Duration = Duration::from_millis(500);
/// Rc, RFC 8489 §6.2.1.
const SENDS: u32 = 7;
/// Rm times RTO: how long after the last one an answer is waited for.
const LAST: Duration = Duration::from_secs(8);
/// Ti, RFC 8489 §6.2.2.
const STREAM: Duration = Duration::from_millis(39_500);

/// UDP, in REQUESTED-TRANSPORT.
const UDP: u8 = 17;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A relay of the server's family.
    Allocate,
    /// Its lifetime, in seconds; 0 ends it.
    Refresh(u32),
    /// Leave for a peer's address to send to the relay.
    Permit(SocketAddr),
    /// A channel to a peer.
    Bind(SocketAddr, ChannelNumber),
}

impl Purpose {
    fn method(self) -> Method {
        match self {
            Self::Allocate => ALLOCATE,
            Self::Refresh(_) => REFRESH,
            Self::Permit(_) => CREATE_PERMISSION,
            Self::Bind(..) => CHANNEL_BIND,
        }
    }

    /// The request's bytes; `None` when it can't be signed.
    pub(super) fn request(
        self,
        id: TransactionId,
        config: &ClientConfig,
        challenge: Option<&Challenge>,
    ) -> Option<Vec<u8>> {
        let kind = MessageType::from_class_method(MessageClass::Request, self.method());
        let mut message = Message::builder(kind, id, MessageWriteVec::new());
        let mut add = |attribute: &dyn AttributeWrite| message.add_attribute(attribute).ok();
        match self {
            Self::Allocate => add(&RequestedTransport::new(UDP))?,
            Self::Refresh(seconds) => add(&Lifetime::new(seconds))?,
            Self::Permit(peer) => add(&XorPeerAddress::new(peer, id))?,
            Self::Bind(peer, channel) => {
                add(&ChannelNumberAttribute::new(channel.get()))?;
                add(&XorPeerAddress::new(peer, id))?;
            }
        }
        if let Some(challenge) = challenge {
            challenge.sign(&mut message, config)?;
        }
        Some(message.finish())
    }
}

/// A request that waits for its answer.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) id: TransactionId,
    pub(super) purpose: Purpose,
    bytes: Vec<u8>,
    sent: u32,
    next: Instant,
    wait: Duration,
    /// Challenges that were answered: a second 401 means wrong credentials.
    pub(super) challenges: u32,
}

/// What is due of a transaction.
pub(super) enum Due {
    /// To be sent again.
    Send(Vec<u8>),
    /// No answer will come.
    GiveUp,
    Nothing,
}

impl Transaction {
    /// A request that goes out now.
    pub(super) fn new(id: TransactionId, purpose: Purpose, bytes: Vec<u8>, is_stream: bool, now: Instant) -> Self {
        let (sent, wait) = if is_stream { (SENDS, STREAM) } else { (1, FIRST) };
        Self { id, purpose, bytes, sent, next: now + wait, wait, challenges: 0 }
    }

    pub(super) fn timeout(&self) -> Instant {
        self.next
    }

    pub(super) fn poll(&mut self, now: Instant) -> Due {
        if now < self.next {
            return Due::Nothing;
        }
        if self.sent == SENDS {
            return Due::GiveUp;
        }
        self.sent += 1;
        self.wait = if self.sent == SENDS { LAST } else { self.wait * 2 };
        self.next = now + self.wait;
        Due::Send(self.bytes.clone())
    }
}

/// Transaction ids that nobody can guess.
#[derive(Debug)]
pub(super) struct Ids {
    key: hmac::Key,
    count: u64,
}

impl Ids {
    pub(super) fn new(seed: &[u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, seed), count: 0 }
    }

    pub(super) fn next(&mut self) -> TransactionId {
        self.count += 1;
        let tag = hmac::sign(&self.key, &self.count.to_be_bytes());
        let mut bytes = [0; 16];
        // 96 bits, RFC 8489 §5.
        bytes[4..].copy_from_slice(&tag.as_ref()[..12]);
        u128::from_be_bytes(bytes).into()
    }
}
