//! How a session is set up.

use std::{
    fmt,
    net::SocketAddr,
    time::{Duration, Instant},
};

use str0m::{
    RtcConfig,
    crypto::dtls::{DtlsCert, DtlsVersion},
};

/// What bandwidth estimation begins with, in bits per second; probes raise it within a second.
pub const INITIAL_ESTIMATE: u64 = 3_000_000;

/// Between two participants: the longest pause between two checks of a candidate pair (RFC 7675
/// §5.1 asks for one every 5 s), and how many without an answer end the pair.
const CHECK_PAUSE: Duration = Duration::from_millis(1500);
const CHECKS: usize = 7;

/// Which end of a link a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The server: ICE-lite (RFC 8445 §2.5), always the DTLS server, on DTLS 1.2, whose
    /// handshake prefers AES-GCM.
    Server,
    /// A participant without a browser: full ICE, the DTLS client.
    Client,
    /// The same, on a link to another participant: either may offer and be either end of DTLS,
    /// which is 1.2 for the same reason.
    Peer,
}

/// A video codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// RFC 6386, RFC 7741.
    Vp8,
    /// RFC 9628.
    Vp9,
    /// RFC 6184.
    H264,
    /// AV1, RTP payload format of the Alliance for Open Media.
    Av1,
}

impl VideoCodec {
    /// All of them, in the order in which a client offers its own.
    pub const ALL: [Self; 4] = [Self::Vp8, Self::Vp9, Self::H264, Self::Av1];

    /// By its name in SDP, in any case (RFC 8851 names are upper case here).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name))
    }

    /// Its name in SDP.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Vp8 => "VP8",
            Self::Vp9 => "VP9",
            Self::H264 => "H264",
            Self::Av1 => "AV1",
        }
    }
}

/// A DTLS certificate. A server's sessions share one, for making one costs more than a handshake.
#[derive(Clone)]
pub struct Certificate(pub(super) DtlsCert);

impl Certificate {
    /// A fresh self-signed certificate; `None` when the system's random source fails.
    #[must_use]
    pub fn generate() -> Option<Self> {
        str0m::crypto::from_feature_flags().dtls_provider.generate_certificate().map(Self)
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate")
    }
}

/// A local address that media can come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LocalCandidate {
    /// What the other end is told.
    pub address: SocketAddr,
    /// Whether it is a TCP port, on which the other end connects (RFC 6544 "passive").
    pub tcp: bool,
}

/// How a session is set up.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// Which end it is.
    pub role: Role,
    /// Video codecs; a server's session has the one of its room.
    pub video: Vec<VideoCodec>,
    /// The certificate; `None` makes one.
    pub certificate: Option<Certificate>,
    /// Local candidates.
    pub candidates: Vec<LocalCandidate>,
}

impl SessionConfig {
    pub(super) fn build(&self, now: Instant) -> str0m::Rtc {
        let mut config = RtcConfig::new()
            .clear_codecs()
            .set_rtp_mode(true)
            .set_ice_lite(self.role == Role::Server)
            .enable_opus(true, false)
            // For the reports on what the session's egress sends.
            .enable_raw_packets(true)
            .set_crypto_provider(super::keys::provider());
        if self.role != Role::Client {
            config = config.set_dtls_version(DtlsVersion::Dtls12);
        }
        if self.role == Role::Peer {
            config.set_max_stun_rto(CHECK_PAUSE);
            config.set_max_stun_retransmits(CHECKS);
        }
        for codec in &self.video {
            config = match codec {
                VideoCodec::Vp8 => config.enable_vp8(true),
                VideoCodec::Vp9 => config.enable_vp9(true),
                VideoCodec::H264 => config.enable_h264(true),
                VideoCodec::Av1 => config.enable_av1(true),
            };
        }
        if let Some(certificate) = &self.certificate {
            config = config.set_dtls_cert(certificate.0.clone());
        }
        config.build(now)
    }
}
