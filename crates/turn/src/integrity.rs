//! Keys of long-term credentials, and what is signed with them: RFC 8489 §9.2, §14.5, §14.6.
//!
//! Of our own because the codec's keys are tied to one of two pairs (MD5 with SHA-1, SHA-256 with
//! SHA-256), while RFC 8489 §9.2.3 lets a client choose the password's algorithm and the
//! message's apart, and because one of its keys holds half a kilobyte for as long as an allocation
//! lives.

use aws_lc_rs::{constant_time, digest, hmac};
use madang_wire::stun::{
    AttributeStaticType, AttributeType, AttributeWrite, Fingerprint, Message, MessageIntegrity, MessageIntegritySha256,
    PasswordAlgorithmValue, RawAttribute,
};
use md5::{Digest, Md5};

/// The bytes of an attribute's type and length.
const ATTRIBUTE_HEADER: usize = 4;

/// The key that a user name, a realm and a password make: RFC 8489 §18.5.1.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key {
    bytes: [u8; 32],
    length: u8,
}

/// Keys stay out of logs.
impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    pub(crate) fn new(username: &str, realm: &str, password: &str, algorithm: PasswordAlgorithmValue) -> Self {
        let parts = [username, ":", realm, ":", password];
        let mut bytes = [0; 32];
        let length = match algorithm {
            PasswordAlgorithmValue::MD5 => {
                let mut context = Md5::new();
                parts.iter().for_each(|part| context.update(part));
                bytes[..16].copy_from_slice(&context.finalize());
                16
            }
            PasswordAlgorithmValue::SHA256 => {
                let mut context = digest::Context::new(&digest::SHA256);
                parts.iter().for_each(|part| context.update(part.as_bytes()));
                bytes.copy_from_slice(context.finish().as_ref());
                32
            }
        };
        Self { bytes, length }
    }

    fn sign(&self, with: Integrity, parts: [&[u8]; 3]) -> hmac::Tag {
        let algorithm = match with {
            Integrity::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Integrity::Sha256 => hmac::HMAC_SHA256,
        };
        let key = hmac::Key::new(algorithm, &self.bytes[..usize::from(self.length)]);
        let mut context = hmac::Context::with_key(&key);
        parts.iter().for_each(|part| context.update(part));
        context.sign()
    }
}

/// What a message is signed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Integrity {
    /// MESSAGE-INTEGRITY.
    Sha1,
    /// MESSAGE-INTEGRITY-SHA256.
    Sha256,
}

impl Integrity {
    /// What counts in a message: the stronger one where both are (RFC 8489 §9.2.4).
    pub(crate) fn of(message: &Message<'_>) -> Option<Self> {
        let has = |with: Self| message.has_attribute(with.attribute()).then_some(with);
        has(Self::Sha256).or_else(|| has(Self::Sha1))
    }

    const fn attribute(self) -> AttributeType {
        match self {
            Self::Sha1 => MessageIntegrity::TYPE,
            Self::Sha256 => MessageIntegritySha256::TYPE,
        }
    }

    const fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// Whether a value may have this length: RFC 8489 §14.6 lets SHA-256 be cut short.
    fn allows(self, length: usize) -> bool {
        match self {
            Self::Sha1 => length == 20,
            Self::Sha256 => (16..=32).contains(&length) && length.is_multiple_of(4),
        }
    }

    /// Whether `key` has signed the message in this way.
    pub(crate) fn holds(self, message: &Message<'_>, key: &Key) -> bool {
        let Some((offset, attribute)) = message.raw_attribute_and_offset(self.attribute()) else { return false };
        let value: &[u8] = &attribute.value;
        let bytes = message.as_bytes();
        let (true, Some(before)) = (self.allows(value.len()), bytes.get(ATTRIBUTE_HEADER..offset)) else {
            return false;
        };
        // The length counts up to the end of this attribute, whatever follows it.
        let Some(length) = u16::try_from(offset + ATTRIBUTE_HEADER + value.len() - HEADER).ok() else { return false };
        let tag = key.sign(self, [&bytes[..2], &length.to_be_bytes(), before]);
        constant_time::verify_slices_are_equal(value, &tag.as_ref()[..value.len()]).is_ok()
    }

    /// Appends the attribute to a finished message.
    pub(crate) fn append(self, message: &mut Vec<u8>, key: &Key) {
        let length = message.len() + ATTRIBUTE_HEADER + self.length() - HEADER;
        set_length(message, length);
        let tag = key.sign(self, [message, &[], &[]]);
        message.extend_from_slice(&RawAttribute::new(self.attribute(), tag.as_ref()).to_bytes());
    }
}

const HEADER: usize = madang_wire::stun::HEADER;

/// Appends FINGERPRINT (RFC 8489 §14.7), the last of all attributes.
pub(crate) fn append_fingerprint(message: &mut Vec<u8>) {
    let length = message.len() + 8 - HEADER;
    set_length(message, length);
    let fingerprint = Fingerprint::new(Fingerprint::compute(&[message]));
    message.extend_from_slice(&fingerprint.to_raw().to_bytes());
}

fn set_length(message: &mut [u8], length: usize) {
    // A message of ours has a few hundred bytes.
    let length = u16::try_from(length).unwrap_or(u16::MAX);
    message[2..4].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use madang_wire::stun::{BINDING, MessageClass, MessageType, MessageWrite, MessageWriteVec};

    use super::*;

    fn message() -> Vec<u8> {
        let kind = MessageType::from_class_method(MessageClass::Request, BINDING);
        Message::builder(kind, 7.into(), MessageWriteVec::new()).finish()
    }

    fn signed(with: &[Integrity], key: &Key) -> Vec<u8> {
        let mut bytes = message();
        with.iter().for_each(|with| with.append(&mut bytes, key));
        append_fingerprint(&mut bytes);
        bytes
    }

    #[test]
    fn every_password_algorithm_signs_by_every_hash() {
        for algorithm in [PasswordAlgorithmValue::MD5, PasswordAlgorithmValue::SHA256] {
            let key = Key::new("user", "realm", "password", algorithm);
            let other = Key::new("user", "realm", "passwort", algorithm);
            for with in [Integrity::Sha1, Integrity::Sha256] {
                let bytes = signed(&[with], &key);
                let message = Message::from_bytes(&bytes).expect("well-formed, with a good fingerprint");
                assert_eq!(Integrity::of(&message), Some(with));
                assert!(with.holds(&message, &key));
                assert!(!with.holds(&message, &other));
            }
        }
    }

    /// RFC 8489 appendix B.1 as erratum 6268 has it, with the password after its preparation.
    #[test]
    fn the_sample_request_of_rfc_8489_b_1() {
        let hex = "00010090 2112a442 78ad3433c6ad72c029da412e 001e0020 4a3cf38fef6992bda952c6780417da0f \
                   24819415569e60b205c46e41407f1704 00150029 6f624d61744a6f7332414141 43662f2f3439396b \
                   39353464364f4c33 346f4c3946535476 7936347341000000 0014000b 6578616d706c652e6f726700 \
                   001d0004 00020000 001c0020 b5c7bf005b6c52a21c51c5e892f81924 136296cb927c43149309278cc6518e65";
        let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
        let bytes: Vec<u8> = digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect();
        let message = Message::from_bytes(&bytes).expect("well-formed");
        let name = "\u{30DE}\u{30C8}\u{30EA}\u{30C3}\u{30AF}\u{30B9}";
        let hash = message.attribute::<madang_wire::stun::Userhash>().expect("a hash");
        assert_eq!(*hash.hash(), madang_wire::stun::Userhash::compute(name, "example.org"));
        let key = |password| Key::new(name, "example.org", password, PasswordAlgorithmValue::SHA256);
        assert!(Integrity::Sha256.holds(&message, &key("TheMatrIX")));
        assert!(!Integrity::Sha256.holds(&message, &key("TheMatrix")));
    }

    #[test]
    fn both_attributes_can_stand_one_after_the_other() {
        let key = Key::new("user", "realm", "password", PasswordAlgorithmValue::MD5);
        let bytes = signed(&[Integrity::Sha1, Integrity::Sha256], &key);
        let message = Message::from_bytes(&bytes).expect("well-formed");
        assert_eq!(Integrity::of(&message), Some(Integrity::Sha256), "the stronger one counts");
        assert!(Integrity::Sha1.holds(&message, &key) && Integrity::Sha256.holds(&message, &key));
    }

    #[test]
    fn sha_256_may_be_cut_to_sixteen_bytes_and_no_shorter() {
        let key = Key::new("user", "realm", "password", PasswordAlgorithmValue::SHA256);
        for (length, good) in [(12, false), (16, true), (28, true)] {
            let mut bytes = message();
            set_length(&mut bytes, ATTRIBUTE_HEADER + length);
            let tag = key.sign(Integrity::Sha256, [&bytes, &[], &[]]);
            let cut = RawAttribute::new(MessageIntegritySha256::TYPE, &tag.as_ref()[..length]).to_bytes();
            bytes.extend_from_slice(&cut);
            let message = Message::from_bytes(&bytes).expect("well-formed");
            assert_eq!(Integrity::Sha256.holds(&message, &key), good, "{length}");
        }
    }
}
