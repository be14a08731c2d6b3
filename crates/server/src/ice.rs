//! STUN and TURN servers for one participant, by the host through which it reached us.

use std::{net::SocketAddr, time::Duration};

use madang_protocol::IceServer;

use crate::{addresses::PublicAddresses, config::TurnConfig, turn::TurnHandle};

/// How long a minted credential opens new allocations. One that is open outlives it.
const TTL: Duration = Duration::from_secs(3600);

/// When a fresh credential is due: early enough for a laptop that wakes late.
const RENEW_IN: Duration = Duration::from_secs(2700);

/// Makes the ICE servers of a participant.
pub(crate) struct IceServers {
    turn: TurnHandle,
    public: PublicAddresses,
    /// HTTPS listeners, which serve TURN over TLS too.
    https: Vec<SocketAddr>,
}

impl IceServers {
    pub(crate) fn new(turn: TurnHandle, public: PublicAddresses, https: Vec<SocketAddr>) -> Self {
        Self { turn, public, https }
    }

    /// The servers for `user`, a client that reached us as `host`, and when fresh ones are due.
    pub(crate) fn mint(&self, host: &str, user: &str) -> (Vec<IceServer>, Duration) {
        (self.mint_for(host, user, TTL), RENEW_IN)
    }

    /// The same with credentials that open new allocations for `ttl`.
    pub(crate) fn mint_for(&self, host: &str, user: &str, ttl: Duration) -> Vec<IceServer> {
        let (username, credential) = self.turn.mint(user, ttl);
        let (mut stun, mut turn) = (Vec::new(), Vec::new());
        for address in &self.turn.addresses().turn {
            let at = reachable(*address, host, &self.public);
            stun.push(format!("stun:{at}"));
            turn.push(format!("turn:{at}?transport=udp"));
            turn.push(format!("turn:{at}?transport=tcp"));
        }
        for address in self.turn.addresses().turn_tls.iter().chain(&self.https) {
            // The certificate is for a name, where there is one.
            let at = if is_name(host) { at(host, address.port()) } else { reachable(*address, host, &self.public) };
            turn.push(format!("turns:{at}?transport=tcp"));
        }
        for urls in [&mut stun, &mut turn] {
            let mut seen = std::collections::HashSet::new();
            urls.retain(|url| seen.insert(url.clone()));
        }
        vec![
            IceServer { urls: stun, username: None, credential: None },
            IceServer { urls: turn, username: Some(username), credential: Some(credential) },
        ]
    }

    /// Whether STUN and TURN have ended although nobody asked for it.
    pub(crate) fn is_relay_dead(&self) -> bool {
        self.turn.is_dead()
    }

    /// Takes over users, peers and limits of TURN; what lives goes on.
    pub(crate) fn reload(&self, config: &TurnConfig) {
        self.turn.reload(config);
    }

    /// Refuses new allocations from now on; those that are left end at the deadline.
    pub(crate) fn drain(&self, deadline: std::time::Instant) {
        self.turn.drain(Some(deadline));
    }

    /// Live allocations.
    pub(crate) fn allocations(&self) -> u64 {
        self.turn.allocations()
    }
}

/// Host and port by which a client that reached us as `host` reaches a listener of ours.
fn reachable(listener: SocketAddr, host: &str, public: &PublicAddresses) -> String {
    let ip = listener.ip();
    // Loopback needs no name, and `localhost` may mean the other family.
    if ip.is_loopback() {
        return listener.to_string();
    }
    if ip.is_unspecified() && public.of_family(ip).next().is_none() {
        return at(host, listener.port());
    }
    SocketAddr::new(public.of(ip), listener.port()).to_string()
}

fn is_name(host: &str) -> bool {
    host.parse::<std::net::IpAddr>().is_err() && !host.eq_ignore_ascii_case("localhost")
}

/// RFC 7065 §3.1: an IPv6 address stands in brackets.
fn at(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_named_as_the_client_can_reach_it() {
        let public = ["203.0.113.9".parse().expect("an address")];
        for (listener, host, public, expected) in [
            ("127.0.0.1:3478", "localhost", &[][..], "127.0.0.1:3478"),
            ("[::1]:3478", "localhost", &[], "[::1]:3478"),
            ("127.0.0.1:3478", "localhost", &public, "127.0.0.1:3478"),
            ("0.0.0.0:3478", "meet.example.com", &[], "meet.example.com:3478"),
            ("0.0.0.0:3478", "198.51.100.4", &[], "198.51.100.4:3478"),
            ("[::]:3478", "2001:db8::4", &[], "[2001:db8::4]:3478"),
            ("198.51.100.5:3478", "meet.example.com", &[], "198.51.100.5:3478"),
            ("0.0.0.0:3478", "meet.example.com", &public, "203.0.113.9:3478"),
            ("[::]:3478", "meet.example.com", &public, "meet.example.com:3478"),
        ] {
            let listener = listener.parse().expect("an address");
            let public = &PublicAddresses::new(public, std::iter::empty());
            assert_eq!(reachable(listener, host, public), expected, "{listener} as {host}");
        }
    }

    #[test]
    fn only_names_that_a_certificate_could_have_are_names() {
        let names = ["meet.example.com", "localhost", "LOCALHOST", "127.0.0.1", "::1"].map(is_name);
        assert_eq!(names, [true, false, false, false, false]);
    }
}
