//! Why a session refuses something.

use str0m::RtcError;

/// A session refuses something; it lives on unless it says so by
/// [`SessionEvent::Ended`](super::SessionEvent::Ended).
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The answer belongs to no offer that is out (the other end's fault, or a late message).
    #[error("this answers no open offer")]
    Stale,
    /// The description is longer than any that a browser makes (the other end's fault).
    #[error("the SDP has more than {lines} lines or {bytes} bytes")]
    TooLarge {
        /// The most lines.
        lines: usize,
        /// The most bytes.
        bytes: usize,
    },
    /// The description can't be read (the other end's fault).
    #[error("the SDP can't be read: {0}")]
    Sdp(String),
    /// The description can be read and does not fit (the other end's fault).
    #[error("the SDP does not fit: {0}")]
    Refused(String),
}

impl From<RtcError> for SessionError {
    fn from(why: RtcError) -> Self {
        Self::Refused(why.to_string())
    }
}
