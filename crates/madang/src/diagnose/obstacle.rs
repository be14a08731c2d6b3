//! What stands in the way to a server.

use std::io;

use rustls::CertificateError;
use serde::Serialize;

/// Why something can't be reached, by a name that stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Obstacle {
    NameNotFound,
    Refused,
    TimedOut,
    NoRoute,
    Closed,
    CertificateUntrusted,
    CertificateExpired,
    CertificateNotYetValid,
    CertificateWrongName,
    CertificateInvalid,
    TlsFailed,
    NotStun,
    NotHttp,
}

impl Obstacle {
    pub(super) fn of(why: &io::Error) -> Self {
        let inner = why.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(inner) = inner {
            return Self::of_tls(inner);
        }
        match why.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Self::TimedOut,
            io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::AddrNotAvailable
            | io::ErrorKind::PermissionDenied => Self::NoRoute,
            io::ErrorKind::InvalidData => Self::NotStun,
            _ => Self::Closed,
        }
    }

    fn of_tls(why: &rustls::Error) -> Self {
        let rustls::Error::InvalidCertificate(why) = why else { return Self::TlsFailed };
        match why {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::CertificateExpired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::CertificateNotYetValid,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::CertificateWrongName
            }
            CertificateError::BadEncoding | CertificateError::BadSignature | CertificateError::Revoked => {
                Self::CertificateInvalid
            }
            // A certificate that signs itself comes as an unknown issuer, or as an authority that is
            // used as a server.
            _ => Self::CertificateUntrusted,
        }
    }

    /// For people.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::NameNotFound => "the name of the server can't be found",
            Self::Refused => "refused: nothing listens there, or a firewall says no",
            Self::TimedOut => "no answer: most likely a firewall drops it",
            Self::NoRoute => "this network knows no way there",
            Self::Closed => "the connection was closed without an answer",
            Self::CertificateUntrusted => {
                "its certificate is not trusted: it is self-signed, or of an authority that this system does not know"
            }
            Self::CertificateExpired => "its certificate has expired",
            Self::CertificateNotYetValid => "its certificate is not valid yet (is the clock right?)",
            Self::CertificateWrongName => "its certificate is for another name",
            Self::CertificateInvalid => "its certificate is broken or was revoked",
            Self::TlsFailed => "no TLS: it speaks something else, or what is in between does",
            Self::NotStun => "what answers there is no STUN server",
            Self::NotHttp => "what answers there is no madang server",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_certificate_is_named() {
        let of = |why| Obstacle::of(&io::Error::other(rustls::Error::InvalidCertificate(why)));
        assert_eq!(of(CertificateError::UnknownIssuer), Obstacle::CertificateUntrusted);
        assert_eq!(of(CertificateError::Expired), Obstacle::CertificateExpired);
        assert_eq!(of(CertificateError::NotValidForName), Obstacle::CertificateWrongName);
        let json = serde_json::to_value(Obstacle::CertificateWrongName).expect("a name");
        assert_eq!(json, "certificate-wrong-name");
    }

    #[test]
    fn what_the_system_says_is_told_apart() {
        let of = |kind: io::ErrorKind| Obstacle::of(&kind.into());
        assert_eq!(of(io::ErrorKind::ConnectionRefused), Obstacle::Refused);
        assert_eq!(of(io::ErrorKind::WouldBlock), Obstacle::TimedOut);
        assert_eq!(of(io::ErrorKind::NetworkUnreachable), Obstacle::NoRoute);
        assert_eq!(of(io::ErrorKind::UnexpectedEof), Obstacle::Closed);
    }
}
