//! How the keys of SRTP come to this side of str0m.
//!
//! str0m keeps its keys to itself, but its cryptography is a parameter. Ours is str0m's own with
//! two differences. Keying material that the DTLS handshake exports is laid aside, for the session
//! whose handshake it was to take: a session is driven by one thread, so what lies there after a
//! call to str0m is of that call. And what str0m would encrypt for SRTP stays as it is, for it is
//! sealed by the session's own egress with the same keys, under one sequence of indices.

use std::{
    cell::RefCell,
    fmt,
    sync::{Arc, LazyLock},
    time::Instant,
};

use str0m::crypto::{
    AeadAes128Gcm, AeadAes128GcmCipher, AeadAes256Gcm, AeadAes256GcmCipher, Aes128CmSha1_80, Aes128CmSha1_80Cipher,
    CryptoError, CryptoProvider, SrtpProvider, SupportedAeadAes128Gcm, SupportedAeadAes256Gcm,
    SupportedAes128CmSha1_80,
    dtls::{
        DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion, ProtocolVersion, SrtpProfile,
    },
};

use crate::egress::{MasterKey, Profile};

thread_local! {
    static EXPORTED: RefCell<Option<MasterKey>> = const { RefCell::new(None) };
}

static INNER: LazyLock<CryptoProvider> = LazyLock::new(str0m::crypto::from_feature_flags);

/// str0m's cryptography with the differences above.
pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        Arc::new(CryptoProvider { srtp_provider: &Plain, dtls_provider: &Exporting, ..INNER.clone() })
    });
    PROVIDER.clone()
}

/// The keys that this end writes with, if the last call to str0m has ended a handshake.
pub(super) fn take() -> Option<MasterKey> {
    EXPORTED.take()
}

/// How many bytes str0m's sealing of RTCP leaves behind the plain text, by profile.
pub(super) fn trailer(profile: Profile) -> usize {
    const INDEX: usize = 4;
    INDEX
        + match profile {
            Profile::Aes128CmSha1 => Aes128CmSha1_80::HMAC_TAG_LEN,
            Profile::Aes128Gcm => AeadAes128Gcm::TAG_LEN,
            Profile::Aes256Gcm => AeadAes256Gcm::TAG_LEN,
        }
}

#[derive(Debug)]
struct Exporting;

impl DtlsProvider for Exporting {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        INNER.dtls_provider.generate_certificate()
    }

    fn new_dtls(
        &self,
        cert: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let inner = INNER.dtls_provider.new_dtls(cert, now, version, mtu)?;
        Ok(Box::new(Handshake(inner)))
    }

    fn is_test(&self) -> bool {
        INNER.dtls_provider.is_test()
    }
}

struct Handshake(Box<dyn DtlsInstance>);

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handshake")
    }
}

impl DtlsInstance for Handshake {
    fn set_active(&mut self, active: bool) {
        self.0.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.0.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> DtlsOutput<'a> {
        let output = self.0.poll_output(buffer);
        if let DtlsOutput::KeyingMaterial(material, profile) = &output {
            let profile = match profile {
                SrtpProfile::AES128_CM_SHA1_80 => Profile::Aes128CmSha1,
                SrtpProfile::AEAD_AES_128_GCM => Profile::Aes128Gcm,
                SrtpProfile::AEAD_AES_256_GCM => Profile::Aes256Gcm,
                // str0m has no other.
                _ => return output,
            };
            EXPORTED.set(MasterKey::from_dtls(profile, material.as_ref(), self.0.is_active()));
        }
        output
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.0.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.0.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.0.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.0.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.0.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.0.close()
    }
}

/// Deciphers as ever, and enciphers nothing.
#[derive(Debug)]
struct Plain;

impl SrtpProvider for Plain {
    fn aes_128_cm_sha1_80(&self) -> &'static dyn SupportedAes128CmSha1_80 {
        &Self
    }

    fn aead_aes_128_gcm(&self) -> &'static dyn SupportedAeadAes128Gcm {
        &Self
    }

    fn aead_aes_256_gcm(&self) -> &'static dyn SupportedAeadAes256Gcm {
        &Self
    }

    fn srtp_aes_128_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        INNER.srtp_provider.srtp_aes_128_ecb_round(key, input, output);
    }

    fn srtp_aes_256_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        INNER.srtp_provider.srtp_aes_256_ecb_round(key, input, output);
    }
}

impl SupportedAes128CmSha1_80 for Plain {
    fn create_cipher(&self, key: [u8; 16], encrypt: bool) -> Box<dyn Aes128CmSha1_80Cipher> {
        if encrypt { Box::new(Self) } else { INNER.srtp_provider.aes_128_cm_sha1_80().create_cipher(key, encrypt) }
    }
}

impl SupportedAeadAes128Gcm for Plain {
    fn create_cipher(&self, key: [u8; 16], encrypt: bool) -> Box<dyn AeadAes128GcmCipher> {
        if encrypt { Box::new(Self) } else { INNER.srtp_provider.aead_aes_128_gcm().create_cipher(key, encrypt) }
    }
}

impl SupportedAeadAes256Gcm for Plain {
    fn create_cipher(&self, key: [u8; 32], encrypt: bool) -> Box<dyn AeadAes256GcmCipher> {
        if encrypt { Box::new(Self) } else { INNER.srtp_provider.aead_aes_256_gcm().create_cipher(key, encrypt) }
    }
}

fn copy(input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
    let place = output.get_mut(..input.len()).ok_or_else(|| CryptoError::Other("no room".into()))?;
    place.copy_from_slice(input);
    Ok(())
}

/// Deciphering has a cipher of str0m's own.
fn never<T>() -> Result<T, CryptoError> {
    Err(CryptoError::Other("this cipher is for one direction".into()))
}

impl Aes128CmSha1_80Cipher for Plain {
    fn encrypt(&mut self, _: &[u8; 16], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        copy(input, output)
    }

    fn decrypt(&mut self, _: &[u8; 16], _: &[u8], _: &mut [u8]) -> Result<(), CryptoError> {
        never()
    }
}

impl AeadAes128GcmCipher for Plain {
    fn encrypt(&mut self, _: &[u8; 12], _: &[u8], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        copy(input, output)
    }

    fn decrypt(&mut self, _: &[u8; 12], _: &[&[u8]], _: &[u8], _: &mut [u8]) -> Result<usize, CryptoError> {
        never()
    }
}

impl AeadAes256GcmCipher for Plain {
    fn encrypt(&mut self, _: &[u8; 12], _: &[u8], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        copy(input, output)
    }

    fn decrypt(&mut self, _: &[u8; 12], _: &[&[u8]], _: &[u8], _: &mut [u8]) -> Result<usize, CryptoError> {
        never()
    }
}
