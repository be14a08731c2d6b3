//! The path of a link, in the words of reports.

use madang_media::session::{self, CandidateKind};
use madang_protocol::LinkPath;

use crate::relay::{self, Transport};

/// Between which candidates a link's media goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// This end's.
    pub local: CandidateKind,
    /// The other's.
    pub remote: CandidateKind,
    /// How the relay's server is reached, where this end's is relayed.
    pub relay: Option<Transport>,
}

impl Path {
    pub(super) fn new(path: session::Path, relay: Option<Transport>) -> Self {
        let relay = relay.filter(|_| path.local == CandidateKind::Relayed);
        Self { local: path.local, remote: path.remote, relay }
    }

    /// As the protocol names it.
    #[must_use]
    pub fn link_path(&self) -> LinkPath {
        match (self.local, self.remote) {
            (CandidateKind::Relayed, _) => relay::path(self.relay.unwrap_or(Transport::Udp)),
            (_, CandidateKind::Relayed) => LinkPath::RelayRemote,
            _ => LinkPath::Direct,
        }
    }

    /// In one word: how a relay is reached, or of a direct path the kind of the candidate that
    /// took more to find.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match (self.link_path(), self.local.max(self.remote)) {
            (LinkPath::RelayUdp, _) => "relay_udp",
            (LinkPath::RelayTcp, _) => "relay_tcp",
            (LinkPath::RelayTls, _) => "relay_tls",
            (LinkPath::RelayRemote, _) => "relay_remote",
            (LinkPath::Direct, kind) => kind_name(kind),
        }
    }
}

/// A kind of candidates, as SDP names it (RFC 8839 §5.1).
#[must_use]
pub const fn kind_name(kind: CandidateKind) -> &'static str {
    match kind {
        CandidateKind::Host => "host",
        CandidateKind::ServerReflexive => "srflx",
        CandidateKind::PeerReflexive => "prflx",
        CandidateKind::Relayed => "relay",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_named_by_its_relay_or_by_the_end_that_is_harder_to_reach() {
        use CandidateKind::{Host, PeerReflexive, Relayed, ServerReflexive};
        let name = |local, remote, relay| Path { local, remote, relay }.name();
        assert_eq!(name(Host, Host, None), "host");
        assert_eq!(name(ServerReflexive, Host, None), "srflx");
        assert_eq!(name(ServerReflexive, PeerReflexive, None), "prflx");
        assert_eq!(name(Relayed, Relayed, Some(Transport::Tls)), "relay_tls");
        assert_eq!(name(Host, Relayed, None), "relay_remote");
    }
}
