//! SRTP and SRTCP as they are sent (RFC 3711, RFC 7714): encrypted in place.

use std::fmt;

use aws_lc_rs::{
    aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey},
    cipher::{self, EncryptingKey, EncryptionContext, UnboundCipherKey},
    hmac,
    iv::FixedLength,
};

/// The longest thing that sealing adds, in bytes: a tag, and SRTCP's index.
const OVERHEAD: usize = GCM_TAG + INDEX;

const GCM_TAG: usize = 16;
const GCM_SALT: usize = 12;
/// HMAC-SHA1-80.
const MAC_TAG: usize = 10;
const MAC_KEY: usize = 20;
const CM_SALT: usize = 14;
/// SRTCP's index with its flag of encryption.
const INDEX: usize = 4;
const ENCRYPTED: u32 = 1 << 31;
/// What RTCP shows in clear: its first header and SSRC.
const RTCP_CLEAR: usize = 8;

/// RFC 3711 §4.3.1.
#[derive(Clone, Copy)]
enum Label {
    RtpKey = 0,
    RtpMac = 1,
    RtpSalt = 2,
    RtcpKey = 3,
    RtcpMac = 4,
    RtcpSalt = 5,
}

/// A protection profile (RFC 5764 §4.1.2, RFC 7714 §14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// `SRTP_AES128_CM_HMAC_SHA1_80`.
    Aes128CmSha1,
    /// `SRTP_AEAD_AES_128_GCM`.
    Aes128Gcm,
    /// `SRTP_AEAD_AES_256_GCM`.
    Aes256Gcm,
}

impl Profile {
    fn key(self) -> usize {
        if self == Self::Aes256Gcm { 32 } else { 16 }
    }

    fn salt(self) -> usize {
        if self == Self::Aes128CmSha1 { CM_SALT } else { GCM_SALT }
    }
}

/// The master key and salt of one direction.
pub struct MasterKey {
    profile: Profile,
    key: [u8; 32],
    salt: [u8; CM_SALT],
}

impl MasterKey {
    /// What the DTLS client writes with, or the server, from the exported keying material
    /// (RFC 5764 §4.2). `None` where it is too short.
    #[must_use]
    pub fn from_dtls(profile: Profile, material: &[u8], is_client: bool) -> Option<Self> {
        let (key_length, salt_length, side) = (profile.key(), profile.salt(), usize::from(!is_client));
        let (mut key, mut salt) = ([0; 32], [0; CM_SALT]);
        key[..key_length].copy_from_slice(material.get(side * key_length..(side + 1) * key_length)?);
        let salts = material.get(2 * key_length..)?;
        salt[..salt_length].copy_from_slice(salts.get(side * salt_length..(side + 1) * salt_length)?);
        Some(Self { profile, key, salt })
    }

    /// For which profile it is.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// A session key: the key stream of AES in counter mode (RFC 3711 §4.3.3).
    fn derive<const N: usize>(&self, label: Label) -> Option<[u8; N]> {
        let mut counter = [0; 16];
        counter[..CM_SALT].copy_from_slice(&self.salt);
        counter[7] ^= label as u8;
        let mut out = [0; N];
        counter_mode(&self.key[..self.profile.key()])?
            .less_safe_encrypt(&mut out, EncryptionContext::Iv128(FixedLength::from(counter)))
            .ok()?;
        Some(out)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({:?})", self.profile)
    }
}

fn counter_mode(key: &[u8]) -> Option<EncryptingKey> {
    let algorithm = if key.len() == 32 { &cipher::AES_256 } else { &cipher::AES_128 };
    EncryptingKey::ctr(UnboundCipherKey::new(algorithm, key).ok()?).ok()
}

/// Seals what one end sends.
pub(super) struct Sealer {
    keys: Keys,
    /// Of the next SRTCP packet.
    index: u32,
}

enum Keys {
    Gcm { rtp: Gcm, rtcp: Gcm },
    Cm { rtp: Box<Cm>, rtcp: Box<Cm> },
}

struct Gcm {
    key: LessSafeKey,
    salt: [u8; GCM_SALT],
}

struct Cm {
    key: EncryptingKey,
    mac: hmac::Key,
    salt: [u8; CM_SALT],
}

impl Sealer {
    /// `None` when the library refuses the keys.
    #[must_use]
    pub(super) fn new(master: &MasterKey) -> Option<Self> {
        let keys = match master.profile {
            Profile::Aes128CmSha1 => Keys::Cm {
                rtp: Box::new(Cm::new(master, [Label::RtpKey, Label::RtpMac, Label::RtpSalt])?),
                rtcp: Box::new(Cm::new(master, [Label::RtcpKey, Label::RtcpMac, Label::RtcpSalt])?),
            },
            Profile::Aes128Gcm | Profile::Aes256Gcm => Keys::Gcm {
                rtp: Gcm::new(master, Label::RtpKey, Label::RtpSalt)?,
                rtcp: Gcm::new(master, Label::RtcpKey, Label::RtcpSalt)?,
            },
        };
        Some(Self { keys, index: 0 })
    }

    /// Seals the RTP packet that `bytes` has from `start` on, whose header takes `header` bytes.
    /// `index` is its sequence number, extended over wraps. `None`, and nothing to send, when the
    /// library refuses.
    #[must_use]
    pub(super) fn rtp(&self, bytes: &mut Vec<u8>, start: usize, header: usize, ssrc: u32, index: u64) -> Option<()> {
        #[expect(clippy::cast_possible_truncation, reason = "the roll-over counter, RFC 3711 §3.3.1")]
        let roll_over = (index >> 16) as u32;
        match &self.keys {
            Keys::Gcm { rtp, .. } => {
                // RFC 7714 §8.1.
                let mut nonce = [0; GCM_SALT];
                nonce[2..6].copy_from_slice(&ssrc.to_be_bytes());
                nonce[4 + 2..].copy_from_slice(&index.to_be_bytes()[2..]);
                let (clear, payload) = bytes.get_mut(start..)?.split_at_mut_checked(header)?;
                let tag = rtp.seal(nonce, clear, payload)?;
                bytes.extend_from_slice(&tag);
            }
            Keys::Cm { rtp, .. } => {
                rtp.encrypt(bytes.get_mut(start + header..)?, ssrc, index)?;
                let tag = rtp.tag(&[bytes.get(start..)?, &roll_over.to_be_bytes()]);
                bytes.extend_from_slice(&tag);
            }
        }
        Some(())
    }

    /// Seals a compound RTCP packet. `None` for what is none, or when the library refuses.
    #[must_use]
    pub(super) fn rtcp(&mut self, plain: &[u8]) -> Option<Vec<u8>> {
        let ssrc = u32::from_be_bytes(plain.get(4..RTCP_CLEAR)?.try_into().ok()?);
        let index = self.index;
        self.index = (self.index + 1) & !ENCRYPTED;
        let marked = (index | ENCRYPTED).to_be_bytes();
        let mut bytes = Vec::with_capacity(plain.len() + OVERHEAD);
        bytes.extend_from_slice(plain);
        match &self.keys {
            Keys::Gcm { rtcp, .. } => {
                // RFC 7714 §9.1, §9.2.
                let mut nonce = [0; GCM_SALT];
                nonce[2..6].copy_from_slice(&ssrc.to_be_bytes());
                nonce[8..].copy_from_slice(&index.to_be_bytes());
                let mut clear = [0; RTCP_CLEAR + INDEX];
                clear[..RTCP_CLEAR].copy_from_slice(&plain[..RTCP_CLEAR]);
                clear[RTCP_CLEAR..].copy_from_slice(&marked);
                let tag = rtcp.seal(nonce, &clear, &mut bytes[RTCP_CLEAR..])?;
                bytes.extend_from_slice(&tag);
                bytes.extend_from_slice(&marked);
            }
            Keys::Cm { rtcp, .. } => {
                rtcp.encrypt(&mut bytes[RTCP_CLEAR..], ssrc, u64::from(index))?;
                bytes.extend_from_slice(&marked);
                let tag = rtcp.tag(&[&bytes]);
                bytes.extend_from_slice(&tag);
            }
        }
        Some(bytes)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer")
    }
}

impl Gcm {
    fn new(master: &MasterKey, key: Label, salt: Label) -> Option<Self> {
        let (algorithm, key): (&'static Algorithm, Vec<u8>) = match master.profile {
            Profile::Aes256Gcm => (&AES_256_GCM, master.derive::<32>(key)?.to_vec()),
            _ => (&AES_128_GCM, master.derive::<16>(key)?.to_vec()),
        };
        let key = LessSafeKey::new(UnboundKey::new(algorithm, &key).ok()?);
        Some(Self { key, salt: master.derive(salt)? })
    }

    fn seal(&self, mut nonce: [u8; GCM_SALT], clear: &[u8], payload: &mut [u8]) -> Option<[u8; GCM_TAG]> {
        for (byte, salt) in nonce.iter_mut().zip(&self.salt) {
            *byte ^= salt;
        }
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.key.seal_in_place_separate_tag(nonce, Aad::from(clear), payload).ok()?.as_ref().try_into().ok()
    }
}

impl Cm {
    fn new(master: &MasterKey, [key, mac, salt]: [Label; 3]) -> Option<Self> {
        let mac = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &master.derive::<MAC_KEY>(mac)?);
        Some(Self { key: counter_mode(&master.derive::<16>(key)?)?, mac, salt: master.derive(salt)? })
    }

    /// RFC 3711 §4.1.1.
    fn encrypt(&self, payload: &mut [u8], ssrc: u32, index: u64) -> Option<()> {
        let mut counter = [0; 16];
        counter[4..8].copy_from_slice(&ssrc.to_be_bytes());
        for (byte, index) in counter[6..CM_SALT].iter_mut().zip(index.to_be_bytes()) {
            *byte ^= index;
        }
        for (byte, salt) in counter.iter_mut().zip(&self.salt) {
            *byte ^= salt;
        }
        self.key.less_safe_encrypt(payload, EncryptionContext::Iv128(FixedLength::from(counter))).ok().map(|_| ())
    }

    fn tag(&self, parts: &[&[u8]]) -> [u8; MAC_TAG] {
        let mut context = hmac::Context::with_key(&self.mac);
        for part in parts {
            context.update(part);
        }
        let mut tag = [0; MAC_TAG];
        tag.copy_from_slice(&context.sign().as_ref()[..MAC_TAG]);
        tag
    }
}

#[cfg(test)]
mod tests;
