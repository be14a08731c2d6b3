//! Join tokens: JWTs (RFC 7519) signed with HS256, the key named by `kid`.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, errors::ErrorKind};
use madang_protocol::{BitsPerSecond, ErrorCode, Role, RoomName};
use madang_room::Grant;
use serde::{Deserialize, Serialize};

use super::Refusal;

/// How far the clocks of whoever signs and of this machine may be apart, in seconds.
const LEEWAY: u64 = 10;

/// A connection that lasts this long, in seconds, gets a fresh token whenever its own ends.
const LATEST_RENEWAL: u64 = 30 * 86_400;

/// What a join token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The identity; one participant at a time has it in a room.
    pub sub: String,
    /// The only room that it opens.
    pub room: RoomName,
    /// The name to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What its bearer may do.
    #[serde(default = "participant")]
    pub role: Role,
    /// When it was signed, in seconds since 1970.
    #[serde(default)]
    pub iat: u64,
    /// Until when it opens the room, in seconds since 1970.
    pub exp: u64,
    /// From when on, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    /// The most that its bearer may send in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_send_bps: Option<BitsPerSecond>,
}

fn participant() -> Role {
    Role::Participant
}

impl Claims {
    /// Claims that hold from now on for `ttl`.
    #[must_use]
    pub fn new(identity: &str, room: &str, role: Role, ttl: Duration) -> Self {
        let iat = unix_seconds();
        let exp = iat.saturating_add(ttl.as_secs());
        Self { sub: identity.into(), room: room.into(), name: None, role, iat, exp, nbf: None, max_send_bps: None }
    }

    /// How long from its signature on it is good, in seconds.
    fn lifetime(&self) -> u64 {
        self.exp.saturating_sub(if self.iat == 0 { unix_seconds() } else { self.iat })
    }

    pub(super) fn grant(&self) -> Grant {
        Grant {
            identity: Some(self.sub.clone()),
            name: self.name.clone(),
            role: Some(self.role),
            max_send_bps: self.max_send_bps,
        }
    }
}

/// A token could not be signed.
#[derive(Debug, thiserror::Error)]
#[error("the token could not be signed: {0}")]
pub struct TokenError(#[from] jsonwebtoken::errors::Error);

/// Signs `claims` with the key `id`.
///
/// # Errors
/// When the claims cannot be encoded.
pub fn sign(claims: &Claims, id: &str, secret: &str) -> Result<String, TokenError> {
    let header = Header { kid: Some(id.to_owned()), ..Header::new(Algorithm::HS256) };
    Ok(jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(secret.as_bytes()))?)
}

/// A token whose signature, time and room were found right.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    pub(super) claims: Claims,
    key: String,
}

impl Checked {
    /// How long before its end, from now, a fresh one is due: a fifth of its life is left then.
    /// Bounded, for an `exp` may be any number and has to stay one that clocks can hold.
    pub(crate) fn renew_in(&self) -> Duration {
        let left = self.claims.exp.saturating_sub(unix_seconds());
        Duration::from_secs(left.saturating_sub(self.claims.lifetime() / 5).clamp(1, LATEST_RENEWAL))
    }
}

/// The API keys.
pub(super) struct Keys(BTreeMap<String, String>);

impl Keys {
    pub(super) fn new(keys: &BTreeMap<String, String>) -> Self {
        Self(keys.clone())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn check(&self, token: &str, room: &RoomName) -> Result<Checked, Refusal> {
        let checked = self.check_any(token)?;
        if checked.claims.room != *room {
            let message = "The join token is for another room.";
            return Err(Refusal { code: ErrorCode::Unauthorized, message });
        }
        Ok(checked)
    }

    /// Whatever room it is for.
    pub(super) fn check_any(&self, token: &str) -> Result<Checked, Refusal> {
        let refuse = |message| Refusal { code: ErrorCode::Unauthorized, message };
        let header = jsonwebtoken::decode_header(token).map_err(|_| refuse("The join token is not a JWT."))?;
        let key = header.kid.ok_or_else(|| refuse("The join token does not name its key."))?;
        let secret = self.0.get(&key).ok_or_else(|| refuse("The join token is not signed by a known key."))?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.validate_aud = false;
        validation.set_required_spec_claims(&["exp", "sub"]);
        let decoding = DecodingKey::from_secret(secret.as_bytes());
        let claims = jsonwebtoken::decode::<Claims>(token, &decoding, &validation)
            .map_err(|why| match why.kind() {
                ErrorKind::ExpiredSignature => {
                    Refusal { code: ErrorCode::TokenExpired, message: "The join token has expired. Ask for a new one." }
                }
                ErrorKind::ImmatureSignature => refuse("The join token is not valid yet."),
                ErrorKind::Json(_) | ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) => {
                    refuse("The join token lacks a claim that is needed: sub, room, exp.")
                }
                _ => refuse("The join token is not signed by a known key."),
            })?
            .claims;
        Ok(Checked { claims, key })
    }

    pub(super) fn renew(&self, checked: &Checked) -> Option<(String, Checked)> {
        let secret = self.0.get(&checked.key)?;
        let now = unix_seconds();
        let mut claims = checked.claims.clone();
        claims.exp = now.saturating_add(checked.claims.lifetime());
        claims.iat = now;
        claims.nbf = None;
        let token = sign(&claims, &checked.key, secret).ok()?;
        Some((token, Checked { claims, key: checked.key.clone() }))
    }
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "a secret of the tests";

    fn keys() -> Keys {
        Keys(BTreeMap::from([("web".into(), SECRET.into())]))
    }

    fn code(token: &str, room: &str) -> Option<ErrorCode> {
        keys().check(token, &room.into()).err().map(|refusal| refusal.code)
    }

    fn claims() -> Claims {
        Claims::new("ada", "yard", Role::Host, Duration::from_secs(60))
    }

    #[test]
    fn a_token_opens_its_room_and_no_other() {
        let token = sign(&claims(), "web", SECRET).expect("signs");
        let checked = keys().check(&token, &"yard".into()).expect("is right");
        assert_eq!(checked.claims, claims());
        assert_eq!(code(&token, "cellar"), Some(ErrorCode::Unauthorized));
    }

    #[test]
    fn another_key_another_secret_and_no_key_are_refused() {
        for (id, secret) in [("other", SECRET), ("web", "another secret altogether"), ("", SECRET)] {
            let token = sign(&claims(), id, secret).expect("signs");
            assert_eq!(code(&token, "yard"), Some(ErrorCode::Unauthorized), "{id}");
        }
        assert_eq!(code("not a token", "yard"), Some(ErrorCode::Unauthorized));
    }

    #[test]
    fn the_algorithm_is_fixed_whatever_the_header_says() {
        let token = sign(&claims(), "web", SECRET).expect("signs");
        let (_, rest) = token.split_once('.').expect("has a header");
        for header in [r#"{"alg":"none","kid":"web"}"#, r#"{"alg":"HS512","kid":"web"}"#] {
            use base64::Engine as _;
            let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(header);
            assert_eq!(code(&format!("{header}.{rest}"), "yard"), Some(ErrorCode::Unauthorized));
        }
    }

    #[test]
    fn time_is_checked_at_both_ends() {
        let now = unix_seconds();
        let late = Claims { exp: now - 60, ..claims() };
        assert_eq!(code(&sign(&late, "web", SECRET).expect("signs"), "yard"), Some(ErrorCode::TokenExpired));
        let early = Claims { nbf: Some(now + 600), ..claims() };
        assert_eq!(code(&sign(&early, "web", SECRET).expect("signs"), "yard"), Some(ErrorCode::Unauthorized));
    }

    #[test]
    fn a_token_for_ever_overflows_no_clock() {
        let endless = Claims { exp: u64::MAX, iat: 0, ..claims() };
        let token = sign(&endless, "web", SECRET).expect("signs");
        if let Ok(checked) = keys().check(&token, &"yard".into()) {
            assert!(std::time::Instant::now().checked_add(checked.renew_in()).is_some());
        }
        let checked = Checked { claims: endless, key: "web".into() };
        assert_eq!(checked.renew_in(), Duration::from_secs(LATEST_RENEWAL));
    }

    #[test]
    fn a_renewed_token_gives_the_same_rights_for_as_long_again() {
        let old = keys().check(&sign(&claims(), "web", SECRET).expect("signs"), &"yard".into()).expect("is right");
        let (token, _) = keys().renew(&old).expect("renews");
        let new = keys().check(&token, &"yard".into()).expect("is right");
        assert_eq!(new.claims.grant().role, Some(Role::Host));
        assert!(new.claims.exp >= old.claims.exp);
        assert_eq!(new.claims.lifetime(), 60);
    }
}
