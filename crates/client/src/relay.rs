//! Which STUN and TURN servers a participant has, as the room's server names them.

use std::net::SocketAddr;

use madang_protocol::{IceServer, LinkPath};
pub use madang_turn::client::{Client, ClientConfig, ClientInput, ClientOutput, Failed, Wishes};
pub use madang_turn::discovery;
pub use madang_turn::mint as password_from_secret;
pub use madang_wire::Transport;

/// What a server is for.
#[derive(Clone, PartialEq, Eq)]
pub enum Service {
    /// It tells the address that packets come from.
    Stun,
    /// It relays.
    Turn {
        /// How it is reached.
        transport: Transport,
        /// The user name.
        username: String,
        /// The password.
        password: String,
    },
}

/// Secrets stay out of logs.
impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stun => f.write_str("Stun"),
            Self::Turn { transport, .. } => write!(f, "Turn({})", transport.name()),
        }
    }
}

/// A server by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerName {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What it is for.
    pub service: Service,
}

/// A server whose address was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its address.
    pub at: SocketAddr,
    /// Its name, as its certificate has it.
    pub host: String,
    /// What it is for.
    pub service: Service,
}

impl ServerName {
    /// The server at this address.
    #[must_use]
    pub fn at(self, at: SocketAddr) -> Server {
        Server { at, host: self.host, service: self.service }
    }
}

/// The servers that are named; those that can't be used (a URI that nobody knows, TURN without
/// credentials) are left out.
#[must_use]
pub fn servers(named: &[IceServer]) -> Vec<ServerName> {
    let of_entry = |entry: &IceServer| {
        let credentials = entry.username.clone().zip(entry.credential.clone());
        let each = |url: &String| {
            let Uri { host, port, relay } = parse(url)?;
            let service = match relay {
                None => Service::Stun,
                Some(transport) => {
                    let (username, password) = credentials.clone()?;
                    Service::Turn { transport, username, password }
                }
            };
            Some(ServerName { host, port, service })
        };
        entry.urls.iter().filter_map(each).collect::<Vec<_>>()
    };
    named.iter().flat_map(of_entry).collect()
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

struct Uri {
    host: String,
    port: u16,
    /// How a relay is reached; `None` where it is a STUN server.
    relay: Option<Transport>,
}

/// A `stun:` (RFC 7064 §3.1), `turn:` or `turns:` URI (RFC 7065 §3.1). STUN over TLS tells nothing
/// of UDP, so `stuns:` is left out.
fn parse(uri: &str) -> Option<Uri> {
    let (scheme, rest) = uri.split_once(':')?;
    let (authority, query) = rest.split_once('?').map_or((rest, None), |(authority, query)| (authority, Some(query)));
    let wanted = query.and_then(|query| query.strip_prefix("transport="));
    let relay = match (scheme, wanted) {
        ("stun", None) => None,
        ("turn", None | Some("udp")) => Some(Transport::Udp),
        ("turn", Some("tcp")) => Some(Transport::Tcp),
        ("turns", None | Some("tcp")) => Some(Transport::Tls),
        _ => return None,
    };
    let default = if relay == Some(Transport::Tls) { 5349 } else { 3478 };
    if let Ok(address) = authority.parse::<SocketAddr>() {
        return Some(Uri { host: address.ip().to_string(), port: address.port(), relay });
    }
    if let Some(v6) = authority.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return Some(Uri { host: v6.to_owned(), port: default, relay });
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (authority, default),
    };
    (!host.is_empty()).then(|| Uri { host: host.to_owned(), port, relay })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_read_as_rfc_7064_and_rfc_7065_write_them() {
        let parsed = |uri: &str| {
            let Uri { host, port, relay } = parse(uri)?;
            Some(format!("{host} {port} {}", relay.map_or("stun", Transport::name)))
        };
        for (uri, wanted) in [
            ("stun:example.org", "example.org 3478 stun"),
            ("stun:192.0.2.1:5000", "192.0.2.1 5000 stun"),
            ("turn:example.org", "example.org 3478 udp"),
            ("turn:example.org:8000?transport=udp", "example.org 8000 udp"),
            ("turn:192.0.2.1?transport=tcp", "192.0.2.1 3478 tcp"),
            ("turns:[2001:db8::1]:443?transport=tcp", "2001:db8::1 443 tls"),
            ("turns:[2001:db8::1]", "2001:db8::1 5349 tls"),
        ] {
            assert_eq!(parsed(uri).as_deref(), Some(wanted), "{uri}");
        }
        for uri in [
            "",
            "stuns:a",
            "stun:a?transport=tcp",
            "turn:",
            "turn:a:b",
            "turns:a?transport=udp",
            "turn:a?transport=sctp",
        ] {
            assert_eq!(parsed(uri), None, "{uri}");
        }
    }

    #[test]
    fn relays_come_with_their_credentials_and_without_them_not_at_all() {
        let named = [
            IceServer { urls: vec!["stun:s".into(), "turn:a".into()], username: None, credential: None },
            IceServer {
                urls: vec!["turn:b".into(), "turns:c".into()],
                username: Some("user".into()),
                credential: Some("secret".into()),
            },
        ];
        let found = servers(&named);
        let hosts: Vec<_> = found.iter().map(|server| server.host.as_str()).collect();
        assert_eq!(hosts, ["s", "b", "c"]);
        let relay = |transport| Service::Turn { transport, username: "user".into(), password: "secret".into() };
        assert_eq!(found[0].service, Service::Stun);
        assert_eq!(found[2].service, relay(Transport::Tls));
        assert!(!format!("{found:?}").contains("secret"));
    }
}
