//! The long-term credential mechanism: RFC 8489 §9.2.4, as RFC 8656 §5 uses it.

use std::{net::SocketAddr, time::Instant};

use madang_wire::stun::{
    AttributeStaticType, ErrorCode, IntegrityAlgorithm, IntegrityKey, Message, MessageIntegrity,
    MessageIntegritySha256, Nonce, PasswordAlgorithm, PasswordAlgorithmValue, PasswordAlgorithms, Realm,
    StunParseError, Username, optional,
};

use crate::{
    Config,
    allocation::{Allocation, User},
    nonce::Nonces,
};

/// Proof of who sent a request, and what answers are signed with. Only [`authenticate`] makes it.
#[derive(Clone, Debug)]
pub(crate) struct Authenticated {
    pub(crate) user: User,
    pub(crate) key: IntegrityKey,
    pub(crate) algorithm: IntegrityAlgorithm,
}

/// Why a request is refused before its method is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// The parts don't fit together: 400.
    BadRequest,
    /// Nobody we know: 401 with a fresh nonce.
    Unauthorized,
    /// The nonce has aged or is not ours: 438 with a fresh one.
    StaleNonce,
}

impl Rejection {
    pub(crate) const fn code(self) -> u16 {
        match self {
            Self::BadRequest => ErrorCode::BAD_REQUEST,
            Self::Unauthorized => ErrorCode::UNAUTHORIZED,
            Self::StaleNonce => ErrorCode::STALE_NONCE,
        }
    }
}

impl From<StunParseError> for Rejection {
    fn from(_: StunParseError) -> Self {
        Self::BadRequest
    }
}

/// The password algorithms offered in every challenge, in our order of preference.
pub(crate) const ALGORITHMS: [PasswordAlgorithmValue; 2] =
    [PasswordAlgorithmValue::SHA256, PasswordAlgorithmValue::MD5];

/// Checks a request. A live allocation of the same user vouches for its own key: a time-limited
/// credential limits when allocations begin, not how long a call may last.
pub(crate) fn authenticate(
    config: &Config,
    nonces: &Nonces,
    now: Instant,
    unix_now: u64,
    client: SocketAddr,
    message: &Message<'_>,
    allocation: Option<&Allocation>,
) -> Result<Authenticated, Rejection> {
    if !message.has_attribute(MessageIntegrity::TYPE) && !message.has_attribute(MessageIntegritySha256::TYPE) {
        return Err(Rejection::Unauthorized);
    }
    let (Some(username), Some(_), Some(nonce)) =
        (optional::<Username>(message)?, optional::<Realm>(message)?, optional::<Nonce>(message)?)
    else {
        return Err(Rejection::BadRequest);
    };
    let algorithm = algorithm(message)?;
    nonces.check(now, client, nonce.nonce()).ok_or(Rejection::StaleNonce)?;
    let username = username.username();
    let known = allocation.filter(|allocation| &*allocation.owner.user.username == username);
    if let Some(owner) = known.map(|allocation| &allocation.owner)
        && message.validate_integrity_with_key(&owner.key).is_ok()
    {
        return Ok(owner.clone());
    }
    let keys = config.credentials.keys(&config.realm, username, unix_now, algorithm);
    let key = keys.into_iter().find(|key| message.validate_integrity_with_key(key).is_ok());
    let key = key.ok_or(Rejection::Unauthorized)?;
    let user = User { username: username.into(), account: config.credentials.account(username) };
    Ok(Authenticated { user, key, algorithm })
}

/// The algorithm that the client has chosen. RFC 8489 §9.2.4: naming none means MD5; naming one
/// requires that our own list comes back unchanged, else somebody on the way has weakened it.
fn algorithm(message: &Message<'_>) -> Result<IntegrityAlgorithm, Rejection> {
    match (optional::<PasswordAlgorithms>(message)?, optional::<PasswordAlgorithm>(message)?) {
        (None, None) => Ok(IntegrityAlgorithm::Sha1),
        (Some(offered), Some(chosen)) if offered.algorithms() == ALGORITHMS => Ok(chosen.algorithm().as_integrity()),
        _ => Err(Rejection::BadRequest),
    }
}
