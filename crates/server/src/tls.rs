//! TLS for HTTP and for TURN: the certificate's origin, and its exchange while running.
//!
//! One [`rustls::ServerConfig`] serves every listener; it asks [`Certificate`] for the
//! certificate at each handshake, so a reload reaches all of them without a restart.

use std::{
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use parking_lot::{Mutex, RwLock};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use tokio::sync::watch;

use crate::config::{self, Config, TlsMode};

/// How often the files are looked at for a change.
const RELOAD_EVERY: Duration = Duration::from_secs(1);

/// TLS could not be set up. The process ends.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("tls: {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file's content cannot be used.
    #[error("tls: {}: {message}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// The self-signed certificate could not be made.
    #[error("tls: no certificate could be made: {0}")]
    SelfSigned(#[from] rcgen::Error),
    /// rustls refuses the certificate or its key.
    #[error("tls: {0}")]
    Rustls(#[from] rustls::Error),
}

/// TLS as configured, if it is on.
pub(crate) struct Tls {
    pub(crate) config: Arc<ServerConfig>,
    certificate: Arc<Certificate>,
    files: Mutex<Option<Files>>,
    /// The certificate for those who don't ask rustls.
    identity: watch::Sender<Arc<Identity>>,
}

/// A certificate with its chain, and its key, in DER.
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    pub(crate) fn key(&self) -> &[u8] {
        self.key.secret_der()
    }

    fn certified(&self) -> Result<CertifiedKey, rustls::Error> {
        CertifiedKey::from_der(self.chain.clone(), self.key.clone_key(), &aws_lc_rs::default_provider())
    }
}

/// Secrets stay out of logs.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("certificates", &self.chain.len()).finish_non_exhaustive()
    }
}

/// The certificate in use.
#[derive(Debug)]
struct Certificate(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().clone())
    }
}

#[derive(Clone, Debug)]
struct Files {
    cert: PathBuf,
    key: PathBuf,
}

impl Tls {
    /// Sets TLS up; `names` are the addresses that a self-signed certificate is made for.
    pub(crate) fn new(config: &Config, names: &[IpAddr]) -> Result<Option<Self>, TlsError> {
        let tls = &config.tls;
        let files = Files::of(tls);
        let (certified, identity) = match (tls.mode, &files) {
            (TlsMode::Off, _) | (TlsMode::Files, None) => return Ok(None),
            (TlsMode::Files, Some(files)) => files.load()?,
            (TlsMode::SelfSigned, None) => {
                let identity = self_signed(names)?.0;
                (identity.certified()?, identity)
            }
            (TlsMode::SelfSigned, Some(files)) => {
                if !files.cert.exists() && !files.key.exists() {
                    let (_, cert, key) = self_signed(names)?;
                    write_private(&files.key, &key)?;
                    write(&files.cert, &cert)?;
                }
                files.load()?
            }
        };
        let certificate = Arc::new(Certificate(RwLock::new(Arc::new(certified))));
        let identity = watch::Sender::new(Arc::new(identity));
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(certificate.clone());
        // RFC 7443: a TURN client may name its protocol; most name none.
        config.alpn_protocols = vec![b"http/1.1".to_vec(), b"stun.turn".to_vec()];
        Ok(Some(Self { config: Arc::new(config), certificate, files: Mutex::new(files), identity }))
    }

    /// The certificate now and whenever it changes, for those who don't ask rustls.
    pub(crate) fn identity(&self) -> watch::Receiver<Arc<Identity>> {
        self.identity.subscribe()
    }

    fn replace(&self, (certified, identity): (CertifiedKey, Identity)) {
        *self.certificate.0.write() = Arc::new(certified);
        self.identity.send_replace(Arc::new(identity));
    }

    /// Reads the certificate again, from where it is now. One that cannot be used changes nothing.
    pub(crate) fn reload(&self, tls: &config::Tls) -> Result<(), TlsError> {
        let Some(files) = Files::of(tls) else { return Ok(()) };
        let loaded = files.load()?;
        *self.files.lock() = Some(files);
        self.replace(loaded);
        Ok(())
    }

    /// Takes over the files' content whenever it changes. A file that cannot be used changes nothing.
    pub(crate) async fn keep_fresh(self: Arc<Self>) {
        let mut seen = self.files.lock().as_ref().map(Files::changed);
        loop {
            tokio::time::sleep(RELOAD_EVERY).await;
            let Some(files) = self.files.lock().clone() else { return };
            let now = Some(files.changed());
            if now == seen {
                continue;
            }
            seen = now;
            match files.load() {
                Ok(loaded) => {
                    self.replace(loaded);
                    tracing::info!("the certificate was read again");
                }
                Err(why) => tracing::warn!(%why, "the changed certificate cannot be used, the former stays"),
            }
        }
    }
}

impl Files {
    fn of(tls: &config::Tls) -> Option<Self> {
        (!tls.cert.is_empty()).then(|| Self { cert: PathBuf::from(&tls.cert), key: PathBuf::from(&tls.key) })
    }

    fn changed(&self) -> [Option<SystemTime>; 2] {
        [&self.cert, &self.key].map(|path| std::fs::metadata(path).and_then(|data| data.modified()).ok())
    }

    fn load(&self) -> Result<(CertifiedKey, Identity), TlsError> {
        let content = |path: &Path, message: String| TlsError::Content { path: path.to_owned(), message };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&read(&self.cert)?)
            .collect::<Result<_, _>>()
            .map_err(|why| content(&self.cert, why.to_string()))?;
        if chain.is_empty() {
            return Err(content(&self.cert, "holds no certificate in PEM".into()));
        }
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key)?)
            .map_err(|_| content(&self.key, "holds no private key in PEM".into()))?;
        let identity = Identity { chain, key };
        let certified = identity.certified().map_err(|why| content(&self.key, why.to_string()))?;
        certified.keys_match().map_err(|_| content(&self.key, "is not the key of the certificate".into()))?;
        Ok((certified, identity))
    }
}

/// A new certificate, also as PEM with its key.
fn self_signed(names: &[IpAddr]) -> Result<(Identity, String, String), TlsError> {
    let mut alternatives = vec!["localhost".to_owned()];
    alternatives.extend(names.iter().map(ToString::to_string));
    let mut params = CertificateParams::new(alternatives)?;
    params.distinguished_name.push(DnType::CommonName, "madang, signed by itself");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Apple's devices take no server certificate that lasts longer than 825 days.
    let year = this_year();
    params.not_before = rcgen::date_time_ymd(year - 1, 12, 1);
    params.not_after = rcgen::date_time_ymd(year + 2, 1, 1);
    let signing_key = KeyPair::generate()?;
    let cert = params.self_signed(&signing_key)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let identity = Identity { chain: vec![cert.der().clone()], key };
    Ok((identity, cert.pem(), signing_key.serialize_pem()))
}

/// The calendar year in UTC; on its first and last day it may be off by one.
fn this_year() -> i32 {
    const SECONDS: u64 = 31_556_952;
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    1970 + i32::try_from(since / SECONDS).unwrap_or(0)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::File { path: path.to_owned(), source })
}

fn write(path: &Path, text: &str) -> Result<(), TlsError> {
    std::fs::write(path, text).map_err(|source| TlsError::File { path: path.to_owned(), source })
}

/// Writes a file that its owner alone can read.
fn write_private(path: &Path, text: &str) -> Result<(), TlsError> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|source| TlsError::File { path: path.to_owned(), source })
}
