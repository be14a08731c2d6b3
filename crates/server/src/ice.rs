//! STUN and TURN servers for one participant, by the host through which it reached us.

use std::time::Duration;

use madang_protocol::IceServer;

/// Makes the ICE servers of a welcome.
pub(crate) struct IceServers;

impl IceServers {
    /// The servers for a client that reached us as `host`, and when to mint fresh credentials.
    pub(crate) fn mint(&self, _host: &str) -> (Vec<IceServer>, Option<Duration>) {
        (Vec::new(), None)
    }
}
