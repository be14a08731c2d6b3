//! STUN (RFC 8489) and TURN (RFC 8656) messages: the codec of `stun-types` and `turn-types`.

pub use stun_types::{
    AddressFamily,
    attribute::{
        AlternateDomain, AlternateServer, AttributeType, ErrorCode, Fingerprint, MappedSocketAddr, MessageIntegrity,
        MessageIntegritySha256, Nonce, PasswordAlgorithm, PasswordAlgorithmValue, PasswordAlgorithms, RawAttribute,
        Realm, Software, UnknownAttributes, Userhash, Username, XorMappedAddress,
    },
    message::{
        BINDING, IntegrityAlgorithm, IntegrityKey, LongTermKeyCredentials, MAGIC_COOKIE, Message, MessageClass,
        MessageIntegrityCredentials, MessageType, MessageWriteVec, Method, ShortTermCredentials, StunParseError,
        StunWriteError, TransactionId,
    },
    prelude::{Attribute, AttributeFromRaw, AttributeStaticType, AttributeWrite, MessageWrite, MessageWriteExt},
};
pub use turn_types::{
    attribute::{
        AdditionalAddressFamily, AddressErrorCode, ChannelNumber as ChannelNumberAttribute,
        ConnectionId as ConnectionIdAttribute, Data, DontFragment, EvenPort, Icmp as IcmpAttribute, Lifetime,
        RequestedAddressFamily, RequestedTransport, ReservationToken, XorPeerAddress, XorRelayedAddress,
    },
    message::{
        ALLOCATE, CHANNEL_BIND, CONNECT, CONNECTION_ATTEMPT, CONNECTION_BIND, CREATE_PERMISSION, DATA, REFRESH, SEND,
    },
};

/// CHANGE-REQUEST: RFC 5780 §7.2.
pub const CHANGE_REQUEST: AttributeType = AttributeType::new(0x0003);
/// PADDING: RFC 5780 §7.6.
pub const PADDING: AttributeType = AttributeType::new(0x0026);
/// RESPONSE-PORT: RFC 5780 §7.5.
pub const RESPONSE_PORT: AttributeType = AttributeType::new(0x0027);
/// RESPONSE-ORIGIN: RFC 5780 §7.3.
pub const RESPONSE_ORIGIN: AttributeType = AttributeType::new(0x802B);
/// OTHER-ADDRESS: RFC 5780 §7.4.
pub const OTHER_ADDRESS: AttributeType = AttributeType::new(0x802C);
/// MOBILITY-TICKET: RFC 8016 §3.3.
pub const MOBILITY_TICKET: AttributeType = AttributeType::new(0x8030);

/// The bytes of the STUN header.
pub const HEADER: usize = 20;

/// The whole length of the STUN message that `bytes` begins with, whether it is all there or not.
///
/// `None` when `bytes` is shorter than a header or is no STUN message: the two top bits, the
/// cookie, and a length that is no multiple of four (RFC 8489 §5) tell.
#[must_use]
pub fn message_length(bytes: &[u8]) -> Option<usize> {
    let header: &[u8; HEADER] = bytes.first_chunk()?;
    let length = u16::from_be_bytes([header[2], header[3]]);
    let plausible = header[0] & 0xC0 == 0 && header[4..8] == MAGIC_COOKIE.to_be_bytes() && length.is_multiple_of(4);
    plausible.then(|| HEADER + usize::from(length))
}

/// The first attribute of type `A`: absent, present, or malformed.
///
/// # Errors
/// When it is there but its value is not what its type allows; a request with such an attribute
/// is answered with 400.
pub fn optional<'m, A>(message: &'m Message<'m>) -> Result<Option<A>, StunParseError>
where
    A: AttributeFromRaw<'m> + AttributeStaticType,
{
    match message.attribute::<A>() {
        Ok(attribute) => Ok(Some(attribute)),
        Err(StunParseError::MissingAttribute(_)) => Ok(None),
        Err(malformed) => Err(malformed),
    }
}

/// The attribute of a type that holds an address as it is: RESPONSE-ORIGIN, OTHER-ADDRESS.
#[must_use]
pub fn plain_address(kind: AttributeType, address: std::net::SocketAddr) -> RawAttribute<'static> {
    MappedSocketAddr::new(address).to_raw(kind).into_owned()
}

/// What an attribute of a type like that holds.
///
/// # Errors
/// When the value is no address.
pub fn read_plain_address(raw: &RawAttribute<'_>) -> Result<std::net::SocketAddr, StunParseError> {
    MappedSocketAddr::from_raw(raw).map(|address| address.addr())
}

/// For how long an answer says that its client holds an allocation, in seconds: 0 for no longer.
/// `None` when it is no success response to Allocate or Refresh (RFC 8656 §17, RFC 8489 §5). A
/// Refresh answers those too who have come along from another address (RFC 8016).
#[must_use]
pub fn granted_lifetime(packet: &[u8]) -> Option<u32> {
    if !matches!(packet, [0x01, 0x03 | 0x04, ..]) {
        return None;
    }
    let message = Message::from_bytes(packet).ok()?;
    optional::<Lifetime>(&message).ok().flatten().map(|lifetime| lifetime.seconds())
}

/// The family of an address, as attributes name it.
#[must_use]
pub const fn family(ip: std::net::IpAddr) -> AddressFamily {
    if ip.is_ipv4() { AddressFamily::IPV4 } else { AddressFamily::IPV6 }
}
