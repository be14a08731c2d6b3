//! The long-term credential mechanism: RFC 8489 §9.2.4, as RFC 8656 §5 uses it.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use madang_wire::stun::{
    AttributeStaticType, ErrorCode, Fingerprint, Message, Nonce, PasswordAlgorithm, PasswordAlgorithmValue,
    PasswordAlgorithms, Realm, StunParseError, Userhash, Username, optional,
};

use crate::{
    Credentials,
    credential::Userhashes,
    integrity::{Integrity, Key},
    nonce::Nonces,
};

/// Who somebody is: the name that requests must repeat, and the key that both sign with. Only [`Authenticator::authenticate`] makes it.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) username: Box<str>,
    algorithm: PasswordAlgorithmValue,
    key: Key,
}

/// Proof of who sent a request, and how answers to it are signed. Only
/// [`Authenticator::authenticate`] makes it.
#[derive(Clone, Debug)]
pub(crate) struct Authenticated {
    pub(crate) identity: Arc<Identity>,
    integrity: Integrity,
    /// The request had a FINGERPRINT, so its answer gets one too.
    fingerprint: bool,
}

impl Authenticated {
    /// Signs a finished message in the way of the request.
    pub(crate) fn sign(&self, message: &mut Vec<u8>) {
        self.integrity.append(message, &self.identity.key);
        if self.fingerprint {
            crate::integrity::append_fingerprint(message);
        }
    }
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

/// What checks need beside the request.
pub(crate) struct Authenticator<'a> {
    pub(crate) realm: &'a str,
    pub(crate) credentials: &'a Credentials,
    pub(crate) userhashes: &'a Userhashes,
    pub(crate) nonces: &'a Nonces,
    pub(crate) now: Instant,
    pub(crate) unix_now: u64,
    /// The owner of the allocation that the request is about, if there is one. He vouches for his
    /// own key: a time-limited credential limits when allocations begin, not how long a call may
    /// last.
    pub(crate) owner: Option<&'a Arc<Identity>>,
}

impl Authenticator<'_> {
    pub(crate) fn authenticate(&self, client: SocketAddr, message: &Message<'_>) -> Result<Authenticated, Rejection> {
        let integrity = Integrity::of(message).ok_or(Rejection::Unauthorized)?;
        let fingerprint = message.has_attribute(Fingerprint::TYPE);
        let authenticated = |identity| Authenticated { identity, integrity, fingerprint };
        let (name, hash) = (optional::<Username>(message)?, optional::<Userhash>(message)?);
        let (Some(_), Some(nonce)) = (optional::<Realm>(message)?, optional::<Nonce>(message)?) else {
            return Err(Rejection::BadRequest);
        };
        let algorithm = algorithm(message)?;
        self.nonces.check(self.now, client.ip(), nonce.nonce()).ok_or(Rejection::StaleNonce)?;
        let username = match (&name, &hash) {
            (Some(name), _) => name.username(),
            (None, Some(hash)) => self.named_by(hash).ok_or(Rejection::Unauthorized)?,
            (None, None) => return Err(Rejection::BadRequest),
        };
        if let Some(owner) = self.owner.filter(|owner| &*owner.username == username)
            && owner.algorithm == algorithm
            && integrity.holds(message, &owner.key)
        {
            return Ok(authenticated(owner.clone()));
        }
        let keys = self.credentials.keys(self.realm, username, self.unix_now, algorithm);
        let key = keys.into_iter().find(|key| integrity.holds(message, key)).ok_or(Rejection::Unauthorized)?;
        Ok(authenticated(Arc::new(Identity { username: username.into(), algorithm, key })))
    }

    /// RFC 8489 §9.2.4: whose hash this is.
    fn named_by(&self, hash: &Userhash) -> Option<&str> {
        let owner = || {
            let owner = &self.owner?.username;
            (Userhash::compute(owner, self.realm) == *hash.hash()).then_some(&**owner)
        };
        self.userhashes.name(hash.hash()).or_else(owner)
    }
}

/// The algorithm that the client has chosen. RFC 8489 §9.2.4: naming none means MD5; naming one
/// requires that our own list comes back unchanged, else somebody on the way has weakened it.
fn algorithm(message: &Message<'_>) -> Result<PasswordAlgorithmValue, Rejection> {
    match (optional::<PasswordAlgorithms>(message)?, optional::<PasswordAlgorithm>(message)?) {
        (None, None) => Ok(PasswordAlgorithmValue::MD5),
        (Some(offered), Some(chosen)) if offered.algorithms() == ALGORITHMS => Ok(chosen.algorithm()),
        _ => Err(Rejection::BadRequest),
    }
}
