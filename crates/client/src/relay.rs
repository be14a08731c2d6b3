//! Which relay a participant uses: a TURN server from those that the room's server names, over
//! the transport that is wanted.

use std::net::SocketAddr;

use madang_protocol::{IceServer, LinkPath};
pub use madang_turn::client::{Client, ClientConfig, ClientInput, ClientOutput, Failed, Wishes};
pub use madang_turn::discovery;
pub use madang_turn::mint as password_from_secret;
pub use madang_wire::Transport;

/// A TURN server and the credentials for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayServer {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How it is reached.
    pub transport: Transport,
    /// The user name.
    pub username: String,
    /// The password.
    pub password: String,
}

impl RelayServer {
    /// The first TURN server that can be reached over `transport`.
    #[must_use]
    pub fn choose(servers: &[IceServer], transport: Transport) -> Option<Self> {
        servers.iter().find_map(|server| {
            let (username, password) = (server.username.clone()?, server.credential.clone()?);
            let uris = server.urls.iter().filter_map(|url| parse(url));
            let (host, port, _) = { uris }.find(|(.., offered)| *offered == transport)?;
            Some(Self { host, port, transport, username, password })
        })
    }
}

/// How media travels by a relay, as reports name it.
#[must_use]
pub const fn path(transport: Transport) -> LinkPath {
    match transport {
        Transport::Udp | Transport::Dtls => LinkPath::RelayUdp,
        Transport::Tcp => LinkPath::RelayTcp,
        Transport::Tls => LinkPath::RelayTls,
    }
}

/// A `turn:` or `turns:` URI, RFC 7065 §3.1.
fn parse(uri: &str) -> Option<(String, u16, Transport)> {
    let (scheme, rest) = uri.split_once(':')?;
    let (authority, query) = rest.split_once('?').map_or((rest, None), |(authority, query)| (authority, Some(query)));
    let wanted = query.and_then(|query| query.strip_prefix("transport="));
    let transport = match (scheme, wanted) {
        ("turn", None | Some("udp")) => Transport::Udp,
        ("turn", Some("tcp")) => Transport::Tcp,
        ("turns", None | Some("tcp")) => Transport::Tls,
        _ => return None,
    };
    let default = if transport == Transport::Tls { 5349 } else { 3478 };
    if let Ok(address) = authority.parse::<SocketAddr>() {
        return Some((address.ip().to_string(), address.port(), transport));
    }
    if let Some(v6) = authority.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return Some((v6.to_owned(), default, transport));
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (authority, default),
    };
    (!host.is_empty()).then(|| (host.to_owned(), port, transport))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_read_as_rfc_7065_writes_them() {
        let parsed =
            |uri: &str| parse(uri).map(|(host, port, transport)| format!("{host} {port} {}", transport.name()));
        for (uri, wanted) in [
            ("turn:example.org", "example.org 3478 udp"),
            ("turn:example.org:8000?transport=udp", "example.org 8000 udp"),
            ("turn:192.0.2.1?transport=tcp", "192.0.2.1 3478 tcp"),
            ("turns:[2001:db8::1]:443?transport=tcp", "2001:db8::1 443 tls"),
            ("turns:[2001:db8::1]", "2001:db8::1 5349 tls"),
        ] {
            assert_eq!(parsed(uri).as_deref(), Some(wanted), "{uri}");
        }
        for uri in ["", "stun:example.org", "turn:", "turn:a:b", "turns:a?transport=udp", "turn:a?transport=sctp"] {
            assert_eq!(parsed(uri), None, "{uri}");
        }
    }

    #[test]
    fn the_server_for_the_transport_is_chosen_with_its_credentials() {
        let servers = [
            IceServer { urls: vec!["turn:a".into()], username: None, credential: None },
            IceServer {
                urls: vec!["turn:b".into(), "turns:c".into()],
                username: Some("user".into()),
                credential: Some("secret".into()),
            },
        ];
        let host = |transport| RelayServer::choose(&servers, transport).map(|server| server.host);
        assert_eq!(host(Transport::Udp).as_deref(), Some("b"));
        assert_eq!(host(Transport::Tls).as_deref(), Some("c"));
        assert_eq!(host(Transport::Tcp), None);
    }
}
