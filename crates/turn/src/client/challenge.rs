//! The client's side of long-term credentials: RFC 8489 §9.2.3 and §9.2.5.

use madang_wire::stun::{
    AttributeStaticType, IntegrityAlgorithm, IntegrityKey, LongTermKeyCredentials, Message, MessageWriteExt,
    MessageWriteVec, Nonce, PasswordAlgorithm, PasswordAlgorithmValue, PasswordAlgorithms, RawAttribute, Realm,
    Userhash, Username, optional,
};

use super::io::{ClientConfig, Failed};

/// RFC 8489 §9.2: a nonce that begins so has four characters of security features after it.
const COOKIE: &str = "obMatJos2";

/// What the server wants to see in each request, and the key that signs it.
#[derive(Clone, Debug)]
pub(super) struct Challenge {
    realm: String,
    nonce: String,
    features: Features,
    /// As the server has sent them; sent back so that nobody on the way can weaken them.
    offered: Option<Vec<u8>>,
    algorithm: IntegrityAlgorithm,
    pub(super) key: IntegrityKey,
}

impl Challenge {
    /// Reads a 401 or 438.
    pub(super) fn read(message: &Message<'_>, config: &ClientConfig, former: Option<&Self>) -> Result<Self, Failed> {
        let nonce = optional::<Nonce>(message).map_err(|_| Failed::Malformed)?.ok_or(Failed::Malformed)?;
        let nonce = nonce.nonce().to_owned();
        let realm = match (optional::<Realm>(message).map_err(|_| Failed::Malformed)?, former) {
            (Some(realm), _) => realm.realm().to_owned(),
            (None, Some(former)) => former.realm.clone(),
            (None, None) => return Err(Failed::Malformed),
        };
        let features = Features::read(&nonce);
        let offered = message.raw_attribute(PasswordAlgorithms::TYPE).map(|raw| raw.value.to_vec());
        // RFC 8489 §9.2.5: the nonce, which is checked later, says that they were offered.
        if features.password_algorithms && offered.is_none() {
            return Err(Failed::Weakened);
        }
        // A later challenge takes back what an earlier one has offered: nobody but a stranger does.
        if former.is_some_and(|former| former.features.password_algorithms && !features.password_algorithms) {
            return Err(Failed::Weakened);
        }
        let algorithm = match &offered {
            None => IntegrityAlgorithm::Sha1,
            Some(offered) => strongest(offered).ok_or(Failed::Malformed)?,
        };
        let credentials = LongTermKeyCredentials::new(config.username.clone(), config.password.clone(), realm.clone());
        Ok(Self { key: credentials.make_key(algorithm), realm, nonce, features, offered, algorithm })
    }

    /// Adds the credentials and signs. `None` when the server's realm or nonce is too long to be
    /// sent back.
    pub(super) fn sign(&self, message: &mut MessageWriteVec, config: &ClientConfig) -> Option<()> {
        // RFC 8489 §9.2.3: where the server can do with a hash of the name, nobody else learns it.
        if self.features.username_anonymity {
            message.add_attribute(&Userhash::new(Userhash::compute(&config.username, &self.realm))).ok()?;
        } else {
            message.add_attribute(&Username::new(&config.username).ok()?).ok()?;
        }
        message.add_attribute(&Realm::new(&self.realm).ok()?).ok()?;
        message.add_attribute(&Nonce::new(&self.nonce).ok()?).ok()?;
        if let Some(offered) = &self.offered {
            let chosen = match self.algorithm {
                IntegrityAlgorithm::Sha256 => PasswordAlgorithmValue::SHA256,
                IntegrityAlgorithm::Sha1 => PasswordAlgorithmValue::MD5,
            };
            message.add_attribute(&RawAttribute::new(PasswordAlgorithms::TYPE, offered)).ok()?;
            message.add_attribute(&PasswordAlgorithm::new(chosen)).ok()?;
        }
        message.add_message_integrity_with_key(&self.key, self.algorithm).ok()
    }

    /// Whether the server has signed with the same key.
    pub(super) fn has_signed(&self, message: &Message<'_>) -> bool {
        message.validate_integrity_with_key(&self.key).is_ok()
    }
}

/// The security features that a nonce tells of: RFC 8489 §9.2 and §18.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Features {
    /// Bit 0, the topmost of 24.
    password_algorithms: bool,
    /// Bit 1.
    username_anonymity: bool,
}

impl Features {
    fn read(nonce: &str) -> Self {
        // The four characters are base64 of three bytes: the first six bits are in the first.
        let first = nonce.strip_prefix(COOKIE).filter(|rest| rest.len() >= 4).and_then(|rest| rest.bytes().next());
        let six = match first {
            Some(letter @ b'A'..=b'Z') => letter - b'A',
            Some(letter @ b'a'..=b'z') => letter - b'a' + 26,
            Some(digit @ b'0'..=b'9') => digit - b'0' + 52,
            Some(b'+' | b'-') => 62,
            Some(b'/' | b'_') => 63,
            _ => 0,
        };
        Self { password_algorithms: six & 0b10_0000 != 0, username_anonymity: six & 0b01_0000 != 0 }
    }
}

/// The best of the algorithms in a PASSWORD-ALGORITHMS that we know; others are passed over (RFC
/// 8489 §14.11: each is a number, a length and parameters, padded to four).
fn strongest(offered: &[u8]) -> Option<IntegrityAlgorithm> {
    let (mut rest, mut best) = (offered, None);
    while let [n0, n1, l0, l1, more @ ..] = rest {
        match u16::from_be_bytes([*n0, *n1]) {
            2 => return Some(IntegrityAlgorithm::Sha256),
            1 => best = Some(IntegrityAlgorithm::Sha1),
            _ => {}
        }
        let length = usize::from(u16::from_be_bytes([*l0, *l1])).next_multiple_of(4);
        rest = more.get(length..)?;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_tells_of_features_only_behind_the_cookie() {
        let features = |nonce| {
            let Features { password_algorithms, username_anonymity } = Features::read(nonce);
            (password_algorithms, username_anonymity)
        };
        assert_eq!(features("obMatJos2gAAAxyz"), (true, false));
        assert_eq!(features("obMatJos2wAAAxyz"), (true, true));
        assert_eq!(features("obMatJos2QAAAxyz"), (false, true));
        // The vector of RFC 5769bis in RFC 8489, appendix B.1.
        assert_eq!(features("obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA"), (false, false));
        for nonce in ["", "gAAAobMatJos2", "obMatJos2", "obMatJos2gA", "obMatJos2é"] {
            assert_eq!(features(nonce), (false, false), "{nonce}");
        }
    }

    #[test]
    fn the_best_algorithm_that_is_known_is_taken() {
        assert_eq!(strongest(&[0, 1, 0, 0, 0, 2, 0, 0]), Some(IntegrityAlgorithm::Sha256));
        assert_eq!(strongest(&[0, 9, 0, 3, 7, 7, 7, 0, 0, 1, 0, 0]), Some(IntegrityAlgorithm::Sha1));
        assert_eq!(strongest(&[0, 9, 0, 0]), None);
        assert_eq!(strongest(&[0, 1, 0, 9]), None, "cut short");
    }
}
