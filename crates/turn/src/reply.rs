//! Answers to clients.

use madang_wire::stun::{
    AttributeType, AttributeWrite, ErrorCode, Message, MessageClass, MessageType, MessageWrite, MessageWriteExt,
    MessageWriteVec, Method, Nonce, PasswordAlgorithms, Realm, Software, TransactionId, UnknownAttributes,
};

use crate::{
    authentication::{ALGORITHMS, Authenticated},
    integrity::append_fingerprint,
};

/// UNKNOWN-ATTRIBUTES lists no more than this many, so that a 420 stays small.
const MAX_UNKNOWN: usize = 8;

/// RFC 8016 §3.4.
pub(crate) const MOBILITY_FORBIDDEN: u16 = 405;

/// A response under construction.
pub(crate) struct Reply {
    message: MessageWriteVec,
}

impl Reply {
    pub(crate) fn success(method: Method, transaction: TransactionId) -> Self {
        Self::new(MessageClass::Success, method, transaction)
    }

    /// An error response. The reason is short: the answer may go to a forged address.
    pub(crate) fn error(method: Method, transaction: TransactionId, code: u16) -> Self {
        let reply = Self::new(MessageClass::Error, method, transaction);
        match ErrorCode::new(code, reason(code)) {
            Ok(code) => reply.with(&code),
            Err(_) => reply,
        }
    }

    pub(crate) fn indication(method: Method, transaction: TransactionId) -> Self {
        Self::new(MessageClass::Indication, method, transaction)
    }

    fn new(class: MessageClass, method: Method, transaction: TransactionId) -> Self {
        let kind = MessageType::from_class_method(class, method);
        Self { message: Message::builder(kind, transaction, MessageWriteVec::with_capacity(128)) }
    }

    /// Adds an attribute.
    pub(crate) fn with(mut self, attribute: &dyn AttributeWrite) -> Self {
        // Fails only after an integrity attribute, and those are added by the methods that finish.
        let added = self.message.add_attribute(attribute);
        debug_assert!(added.is_ok(), "{added:?}");
        self
    }

    /// Says which attributes were not understood.
    pub(crate) fn with_unknown(self, unknown: &[AttributeType]) -> Self {
        self.with(&UnknownAttributes::new(&unknown[..unknown.len().min(MAX_UNKNOWN)]))
    }

    /// Asks the client to authenticate: RFC 8489 §9.2.4.
    pub(crate) fn with_challenge(self, realm: &str, nonce: &str) -> Self {
        let (Ok(realm), Ok(nonce)) = (Realm::new(realm), Nonce::new(nonce)) else { return self };
        self.with(&realm).with(&nonce).with(&PasswordAlgorithms::new(&ALGORITHMS))
    }

    /// Names the program, where the operator wants that: RFC 8489 §14.14.
    pub(crate) fn with_software(self, software: Option<&str>) -> Self {
        match software.map(Software::new) {
            Some(Ok(software)) => self.with(&software),
            _ => self,
        }
    }

    /// The bytes, without integrity; with a fingerprint, if the request had one.
    pub(crate) fn finish(self, fingerprint: bool) -> Vec<u8> {
        let mut bytes = self.message.finish();
        if fingerprint {
            append_fingerprint(&mut bytes);
        }
        bytes
    }

    /// The bytes, signed as the request was.
    pub(crate) fn finish_for(self, client: &Authenticated) -> Vec<u8> {
        let mut bytes = self.message.finish();
        client.sign(&mut bytes);
        bytes
    }
}

/// Reason phrases: RFC 8489 §14.8, RFC 8656 §19, RFC 6062 §6.3, RFC 8016 §3.4.
pub(crate) const fn reason(code: u16) -> &'static str {
    match code {
        ErrorCode::BAD_REQUEST => "Bad Request",
        ErrorCode::UNAUTHORIZED => "Unauthorized",
        ErrorCode::FORBIDDEN => "Forbidden",
        MOBILITY_FORBIDDEN => "Mobility Forbidden",
        ErrorCode::CONNECTION_ALREADY_EXISTS => "Connection Already Exists",
        ErrorCode::CONNECTION_TIMEOUT_OR_FAILURE => "Connection Timeout or Failure",
        ErrorCode::UNKNOWN_ATTRIBUTE => "Unknown Attribute",
        ErrorCode::ALLOCATION_MISMATCH => "Allocation Mismatch",
        ErrorCode::STALE_NONCE => "Stale Nonce",
        ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED => "Address Family not Supported",
        ErrorCode::WRONG_CREDENTIALS => "Wrong Credentials",
        ErrorCode::UNSUPPORTED_TRANSPORT_PROTOCOL => "Unsupported Transport Protocol",
        ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH => "Peer Address Family Mismatch",
        ErrorCode::ALLOCATION_QUOTA_REACHED => "Allocation Quota Reached",
        ErrorCode::INSUFFICIENT_CAPACITY => "Insufficient Capacity",
        _ => "Server Error",
    }
}
