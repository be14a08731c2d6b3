//! What is to be diagnosed: a madang server by the address of a page, or STUN and TURN servers by
//! their URIs (RFC 7064, RFC 7065).

use std::time::{SystemTime, UNIX_EPOCH};

use madang_client::relay::{Service, Transport, password_from_secret, servers};
use madang_protocol::IceServer;

/// STUN and TURN have this port unless their URI says otherwise.
const STUN_PORT: u16 = 3478;
/// How long a credential made from a secret opens the relay, in seconds.
const TTL: u64 = 600;

/// Who may use the relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) username: String,
    pub(super) password: String,
}

impl Credentials {
    /// From the options: a name and password, or the secret that the server makes passwords from.
    pub(super) fn choose(
        username: Option<&str>,
        credential: Option<&str>,
        secret: Option<&str>,
    ) -> Result<Option<Self>, String> {
        match (username, credential, secret) {
            (None, None, None) => Ok(None),
            (Some(username), Some(password), None) => {
                Ok(Some(Self { username: username.into(), password: password.into() }))
            }
            (user, None, Some(secret)) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
                let (username, password) = password_from_secret(secret, user.unwrap_or("diagnose"), now + TTL);
                Ok(Some(Self { username, password }))
            }
            _ => Err("--username and --credential go together, or --secret alone".into()),
        }
    }
}

/// One way to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) transport: Transport,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) credentials: Option<Credentials>,
}

/// Whether it is the address of a page rather than the URI of a STUN or TURN server.
pub(super) fn is_page(text: &str) -> bool {
    text.contains("://")
}

/// ICE servers from URIs as a person types them. A `turn:` URI that names no transport means UDP
/// and TCP, for servers have both on one port.
pub(super) fn from_uris(uris: &[String], credentials: Option<&Credentials>) -> Result<Vec<IceServer>, String> {
    let mut urls = Vec::new();
    for uri in uris {
        let (scheme, rest) = uri.split_once(':').unwrap_or_default();
        let is_known = matches!(scheme, "stun" | "stuns" | "turn" | "turns") && !rest.is_empty();
        if !is_known {
            return Err(format!("{uri}: http://, https://, stun:, turn: or turns: is wanted"));
        }
        if scheme == "turn" && !rest.contains('?') {
            urls.extend(["udp", "tcp"].map(|transport| format!("{uri}?transport={transport}")));
        } else {
            urls.push(uri.clone());
        }
    }
    let (username, credential) =
        credentials.map(|credentials| (credentials.username.clone(), credentials.password.clone())).unzip();
    let servers = vec![IceServer { urls, username, credential }];
    let unread = servers[0].urls.iter().find(|url| parse(url).is_none());
    unread.map_or(Ok(servers.clone()), |url| Err(format!("{url} is no address of a STUN or TURN server")))
}

/// The STUN server that most likely is where a page is.
pub(super) fn guess(host: &str) -> Vec<IceServer> {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    vec![IceServer { urls: vec![format!("stun:{host}:{STUN_PORT}")], username: None, credential: None }]
}

/// The first way over each transport; one that leads to a relay goes before one that does not.
pub(super) fn ways(servers: &[IceServer]) -> Vec<Way> {
    let mut found: Vec<Way> = Vec::new();
    for server in servers {
        let credentials = match (&server.username, &server.credential) {
            (Some(username), Some(password)) => {
                Some(Credentials { username: username.clone(), password: password.clone() })
            }
            _ => None,
        };
        for url in &server.urls {
            let Some((transport, host, port, is_turn)) = parse(url) else { continue };
            let credentials = credentials.clone().filter(|_| is_turn);
            let way = Way { transport, host, port, credentials };
            match found.iter_mut().find(|known| known.transport == transport) {
                Some(known) if known.credentials.is_none() && way.credentials.is_some() => *known = way,
                Some(_) => {}
                None => found.push(way),
            }
        }
    }
    found.sort_by_key(|way| way.transport);
    found
}

fn parse(url: &str) -> Option<(Transport, String, u16, bool)> {
    let (scheme, rest) = url.split_once(':')?;
    // A `stun:` URI is a `turn:` one without a relay; it names no transport (RFC 7064 §3.1).
    let (as_turn, is_turn) = match scheme {
        "stun" if !rest.contains('?') => (format!("turn:{rest}"), false),
        "stuns" if !rest.contains('?') => (format!("turns:{rest}"), false),
        "turn" | "turns" => (url.to_owned(), true),
        _ => return None,
    };
    let named = [IceServer { urls: vec![as_turn], username: Some(String::new()), credential: Some(String::new()) }];
    servers(&named).into_iter().find_map(|server| match server.service {
        Service::Turn { transport, .. } => Some((transport, server.host, server.port, is_turn)),
        Service::Stun => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(servers: &[IceServer]) -> Vec<String> {
        let tell = |way: Way| {
            let relay = if way.credentials.is_some() { " relay" } else { "" };
            format!("{} {}:{}{relay}", way.transport.name(), way.host, way.port)
        };
        ways(servers).into_iter().map(tell).collect()
    }

    #[test]
    fn a_turn_uri_without_a_transport_means_udp_and_tcp() {
        let credentials = Credentials { username: "ann".into(), password: "secret".into() };
        let uris = ["turns:example.org:443?transport=tcp".to_owned(), "turn:example.org".to_owned()];
        let servers = from_uris(&uris, Some(&credentials)).expect("URIs");
        let wanted = ["udp example.org:3478 relay", "tcp example.org:3478 relay", "tls example.org:443 relay"];
        assert_eq!(told(&servers), wanted);
        assert_eq!(told(&from_uris(&["stun:[2001:db8::1]".into()], None).expect("a URI")), ["udp 2001:db8::1:3478"]);
        for wrong in ["", "example.org", "turn:", "turn:a?transport=sctp", "sip:a", "turn:a:b"] {
            assert!(from_uris(&[wrong.to_owned()], None).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_way_to_the_relay_is_preferred_to_one_that_leads_to_stun_alone() {
        let stun = IceServer { urls: vec!["stun:a".into()], username: None, credential: None };
        let turn = IceServer {
            urls: vec!["turn:b?transport=udp".into()],
            username: Some("ann".into()),
            credential: Some("secret".into()),
        };
        assert_eq!(told(&[stun.clone(), turn]), ["udp b:3478 relay"]);
        assert_eq!(told(&[stun]), ["udp a:3478"]);
    }

    #[test]
    fn options_that_do_not_fit_together_are_refused() {
        assert_eq!(Credentials::choose(None, None, None), Ok(None));
        assert!(Credentials::choose(Some("ann"), None, None).is_err());
        assert!(Credentials::choose(Some("ann"), Some("x"), Some("y")).is_err());
        let made = Credentials::choose(None, None, Some("secret")).expect("fits").expect("made");
        assert!(made.username.ends_with(":diagnose"), "{}", made.username);
    }
}
