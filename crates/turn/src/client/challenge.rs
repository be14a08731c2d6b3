//! The client's side of long-term credentials: RFC 8489 §9.2.3 and §9.2.5.

use madang_wire::stun::{
    IntegrityAlgorithm, IntegrityKey, LongTermKeyCredentials, Message, MessageWriteExt, MessageWriteVec, Nonce,
    PasswordAlgorithm, PasswordAlgorithmValue, PasswordAlgorithms, Realm, Username, optional,
};

use super::io::ClientConfig;

/// What the server wants to see in each request, and the key that signs it.
#[derive(Clone, Debug)]
pub(super) struct Challenge {
    realm: String,
    nonce: String,
    /// As the server has sent them; sent back so that nobody on the way can weaken them.
    offered: Option<Vec<PasswordAlgorithmValue>>,
    algorithm: IntegrityAlgorithm,
    pub(super) key: IntegrityKey,
}

impl Challenge {
    /// Reads a 401 or 438. `None` when it lacks what it must have.
    pub(super) fn read(message: &Message<'_>, config: &ClientConfig, former: Option<&Self>) -> Option<Self> {
        let nonce = optional::<Nonce>(message).ok()??.nonce().to_owned();
        let realm = match optional::<Realm>(message).ok()? {
            Some(realm) => realm.realm().to_owned(),
            None => former?.realm.clone(),
        };
        let offered = optional::<PasswordAlgorithms>(message).ok()?.map(|offered| offered.algorithms().to_vec());
        let knows_sha256 = offered.as_ref().is_some_and(|offered| offered.contains(&PasswordAlgorithmValue::SHA256));
        let algorithm = if knows_sha256 { IntegrityAlgorithm::Sha256 } else { IntegrityAlgorithm::Sha1 };
        let credentials = LongTermKeyCredentials::new(config.username.clone(), config.password.clone(), realm.clone());
        Some(Self { key: credentials.make_key(algorithm), realm, nonce, offered, algorithm })
    }

    /// Adds the credentials and signs. `None` when the server's realm or nonce is too long to be
    /// sent back.
    pub(super) fn sign(&self, message: &mut MessageWriteVec, config: &ClientConfig) -> Option<()> {
        message.add_attribute(&Username::new(&config.username).ok()?).ok()?;
        message.add_attribute(&Realm::new(&self.realm).ok()?).ok()?;
        message.add_attribute(&Nonce::new(&self.nonce).ok()?).ok()?;
        if let Some(offered) = &self.offered {
            let chosen = match self.algorithm {
                IntegrityAlgorithm::Sha256 => PasswordAlgorithmValue::SHA256,
                IntegrityAlgorithm::Sha1 => PasswordAlgorithmValue::MD5,
            };
            message.add_attribute(&PasswordAlgorithms::new(offered)).ok()?;
            message.add_attribute(&PasswordAlgorithm::new(chosen)).ok()?;
        }
        message.add_message_integrity_with_key(&self.key, self.algorithm).ok()
    }

    /// Whether the server has signed with the same key.
    pub(super) fn has_signed(&self, message: &Message<'_>) -> bool {
        message.validate_integrity_with_key(&self.key).is_ok()
    }
}
