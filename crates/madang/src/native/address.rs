//! The address of a room: that of its page, or of a server's signaling.

use std::net::{SocketAddr, ToSocketAddrs};

use madang_protocol::RoomName;
use tokio_tungstenite::tungstenite::http::Uri;

/// Where a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerAddress {
    /// `ws://…/v1/ws` or `wss://…/v1/ws`.
    pub(crate) signaling: String,
    /// The host's name, as a certificate has it.
    pub(crate) host: String,
    port: u16,
    /// Whether it is reached over TLS.
    pub(crate) is_encrypted: bool,
}

impl ServerAddress {
    /// Reads a page's address or a signaling address; also gives the path.
    fn parse(text: &str) -> Result<(Self, String), String> {
        let uri: Uri = text.parse().map_err(|_| format!("{text} is no address"))?;
        let is_encrypted = match uri.scheme_str() {
            Some("http" | "ws") => false,
            Some("https" | "wss") => true,
            _ => return Err(format!("{text}: http://, https://, ws:// or wss:// is wanted")),
        };
        let authority = uri.authority().ok_or_else(|| format!("{text} names no host"))?;
        let scheme = if is_encrypted { "wss" } else { "ws" };
        let address = Self {
            signaling: format!("{scheme}://{authority}/v1/ws"),
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(if is_encrypted { 443 } else { 80 }),
            is_encrypted,
        };
        Ok((address, uri.path().to_owned()))
    }

    /// A server, by any address on it.
    pub(crate) fn of_server(text: &str) -> Result<Self, String> {
        Self::parse(text).map(|(address, _)| address)
    }

    /// A room's page: `http(s)://host/r/room`.
    pub(crate) fn of_room(text: &str) -> Result<(Self, RoomName), String> {
        let (address, path) = Self::parse(text)?;
        let room = path.strip_prefix("/r/").map(|room| room.trim_end_matches('/')).unwrap_or_default();
        if room.is_empty() || room.contains('/') {
            return Err(format!("{text}: a room's address ends in /r/NAME"));
        }
        Ok((address, RoomName(room.to_owned())))
    }

    /// The host's first address.
    pub(crate) fn resolve(&self) -> std::io::Result<SocketAddr> {
        let mut found = (self.host.as_str(), self.port).to_socket_addrs()?;
        found.next().ok_or_else(|| std::io::Error::other(format!("{} has no address", self.host)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rooms_page_tells_the_servers_signaling_and_the_room() {
        let (address, room) = ServerAddress::of_room("https://example.org/r/yard?name=Mina").expect("a room");
        assert_eq!((address.signaling.as_str(), room.as_str()), ("wss://example.org/v1/ws", "yard"));
        assert_eq!((address.host.as_str(), address.port, address.is_encrypted), ("example.org", 443, true));
        let (address, _) = ServerAddress::of_room("http://[::1]:8080/r/yard/").expect("a room");
        assert_eq!((address.signaling.as_str(), address.host.as_str()), ("ws://[::1]:8080/v1/ws", "::1"));
    }

    #[test]
    fn what_names_no_room_is_refused() {
        for text in ["", "yard", "ftp://a/r/yard", "http://a/", "http://a/r/", "http://a/r/x/y", "http:///r/yard"] {
            assert!(ServerAddress::of_room(text).is_err(), "{text}");
        }
    }
}
