//! What was found, for machines; `docs/diagnose.md` says what each field means.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use madang_client::relay::{
    Transport,
    discovery::{self, Behaviour},
};
use serde::Serialize;

use super::{obstacle::Obstacle, transport::Outcome, web::Web};

/// The transports that are tried, in the order in which a call would take them.
pub(super) const TRANSPORTS: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) servers: Vec<String>,
    pub(super) public_address: Option<IpAddr>,
    pub(super) nat: Nat,
    pub(super) transports: BTreeMap<&'static str, TransportReport>,
    pub(super) web: Option<WebReport>,
    pub(super) verdict: Verdict,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Nat {
    pub(super) mapping: &'static str,
    pub(super) filtering: &'static str,
    pub(super) hairpinning: Option<bool>,
    /// Why one of them is unknown.
    pub(super) why: Option<String>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TransportReport {
    /// Whether the server has it at all.
    pub(super) offered: bool,
    pub(super) server: Option<String>,
    pub(super) reachable: bool,
    pub(super) why: Option<Obstacle>,
    pub(super) round_trip_ms: Option<f64>,
    /// Whether the relay works over it; `null` where that was not tried.
    pub(super) relay: Option<bool>,
    pub(super) relay_why: Option<String>,
    /// The same, for people.
    #[serde(skip)]
    pub(super) relay_words: Option<String>,
    pub(super) relay_round_trip_ms: Option<f64>,
    pub(super) relay_lost: Option<u32>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WebReport {
    pub(super) url: String,
    pub(super) http: bool,
    pub(super) http_why: Option<Obstacle>,
    pub(super) web_socket: bool,
    pub(super) web_socket_why: Option<Obstacle>,
    /// Why the server names no STUN and TURN servers.
    pub(super) servers_why: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Verdict {
    pub(super) calls_work: bool,
    /// `direct`, `relay-udp`, `relay-tcp`, `relay-tls`, `unknown` or `none`.
    pub(super) path: &'static str,
    /// One or two sentences.
    pub(super) text: String,
}

impl Report {
    pub(super) fn new(web: Option<&Web>, nat: Option<&discovery::Report>, outcomes: &[Outcome]) -> Self {
        let mapped = nat.and_then(|nat| nat.mapped);
        let seen = outcomes.iter().find_map(|outcome| outcome.binding.ok()).map(|(mapped, _)| mapped);
        let found = |transport| outcomes.iter().find(|outcome| outcome.way.transport == transport);
        let transports = TRANSPORTS
            .map(|transport| (transport.name(), found(transport).map(TransportReport::of).unwrap_or_default()));
        let mut servers: Vec<String> = outcomes.iter().map(server).collect();
        servers.dedup();
        Self {
            servers,
            public_address: mapped.or(seen).map(|address| address.ip()),
            nat: Nat::of(nat),
            transports: transports.into_iter().collect(),
            web: web.map(WebReport::of),
            verdict: verdict(
                web.map(|web| web.web_socket.is_ok()),
                web.is_some_and(|web| web.servers.is_err()),
                nat.map(|nat| nat.mapping),
                outcomes,
            ),
        }
    }
}

impl Nat {
    fn of(found: Option<&discovery::Report>) -> Self {
        let Some(found) = found else {
            let why = Some("no STUN server is reached over UDP".to_owned());
            return Self { mapping: "unknown", filtering: "unknown", hairpinning: None, why };
        };
        let why = [found.mapping, found.filtering].into_iter().find_map(|behaviour| match behaviour {
            Behaviour::Unknown(why) => Some(why.to_string()),
            _ => None,
        });
        let (mapping, filtering) = (found.mapping.name(), found.filtering.name());
        Self { mapping, filtering, hairpinning: found.hairpinning, why }
    }
}

impl TransportReport {
    fn of(outcome: &Outcome) -> Self {
        let (measured, trouble) = match &outcome.relay {
            None => (None, None),
            Some(Ok(measured)) => (Some(measured), None),
            Some(Err(trouble)) => (None, Some(trouble)),
        };
        Self {
            offered: true,
            server: Some(server(outcome)),
            reachable: outcome.binding.is_ok(),
            why: outcome.binding.err(),
            round_trip_ms: outcome.binding.ok().map(|(_, took)| millis(took)),
            relay: outcome.relay.as_ref().map(|_| outcome.relays()),
            relay_why: trouble.map(super::relay::Trouble::code),
            relay_words: trouble.map(super::relay::Trouble::words),
            relay_round_trip_ms: measured.map(|measured| millis(measured.median)),
            relay_lost: measured.map(|measured| measured.lost),
        }
    }
}

impl WebReport {
    fn of(web: &Web) -> Self {
        Self {
            url: web.url.clone(),
            http: web.http.is_ok(),
            http_why: web.http.err(),
            web_socket: web.web_socket.is_ok(),
            web_socket_why: web.web_socket.err(),
            servers_why: web.servers.as_ref().err().copied(),
        }
    }
}

fn server(outcome: &Outcome) -> String {
    let (host, port) = (&outcome.way.host, outcome.way.port);
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Milliseconds, to a hundredth.
fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 100_000.0).round() / 100.0
}

/// Whether calls will work from here, and how. A relay that was tried and does not work counts
/// against it even where direct ways are open: whoever is behind a symmetric NAT needs it.
fn verdict(web: Option<bool>, guessed: bool, mapping: Option<Behaviour>, outcomes: &[Outcome]) -> Verdict {
    let reaches = |transport| outcomes.iter().any(|o| o.way.transport == transport && o.binding.is_ok());
    let relay = TRANSPORTS.into_iter().find(|t| outcomes.iter().any(|o| o.way.transport == *t && o.relays()));
    let was_tried = outcomes.iter().any(|outcome| outcome.relay.is_some());
    let is_direct =
        reaches(Transport::Udp) && matches!(mapping, Some(Behaviour::None | Behaviour::EndpointIndependent));
    let say = |calls_work, path, text: &str| Verdict { calls_work, path, text: text.to_owned() };
    if web == Some(false) {
        return say(false, "none", "The server's signaling can't be reached from here, so no call can begin.");
    }
    match (is_direct, relay) {
        (true, Some(_)) => say(
            true,
            "direct",
            "Calls will work: directly where the other side's network allows it, and through the relay elsewhere.",
        ),
        (true, None) if was_tried => say(
            false,
            "direct",
            "The relay does not work. Calls will work with people whose network lets them through, and fail with \
             those behind a symmetric NAT or a strict firewall.",
        ),
        (true, None) => say(
            true,
            "direct",
            "Calls will work with people whose network lets them through. No credentials for a relay were given, so \
             it was not tried.",
        ),
        (false, Some(Transport::Udp)) => {
            let why = match mapping {
                Some(Behaviour::Unknown(_)) | None => "How the NAT behaves is not known, but the relay works over UDP.",
                _ => "The network hides you behind a symmetric NAT, so most calls go through the relay.",
            };
            say(true, "relay-udp", &format!("Calls will work. {why}"))
        }
        (false, Some(transport)) => {
            let path = if transport == Transport::Tcp { "relay-tcp" } else { "relay-tls" };
            say(
                true,
                path,
                &format!(
                    "Calls will work, through the relay over {}. UDP does not get through, so pictures and sound may \
                     stutter where the network is busy.",
                    transport.name().to_uppercase()
                ),
            )
        }
        // The server's own word is missing, and a guess that was wrong tells nothing.
        (false, None) if guessed && !was_tried => say(
            false,
            "unknown",
            "Whether calls will work can't be told: the server does not say which STUN and TURN servers it has.",
        ),
        (false, None) if outcomes.iter().all(|outcome| outcome.binding.is_err()) => {
            say(false, "none", "Calls will not work: the server is reached over no transport.")
        }
        (false, None) if was_tried => {
            say(false, "none", "Calls will not work with most people: no direct way is sure, and no relay works.")
        }
        (false, None) => say(
            false,
            "unknown",
            "Whether calls will work can't be told: no direct way is sure, and no credentials for a relay were given.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use madang_client::relay::discovery::Unknown;

    use super::*;
    use crate::diagnose::{
        relay::{Measured, Trouble},
        target::Way,
    };

    fn outcome(transport: Transport, reached: bool, relay: Option<bool>) -> Outcome {
        let way = Way { transport, host: "example.org".into(), port: 3478, credentials: None };
        let seen = (SocketAddr::from(([203, 0, 113, 5], 4000)), Duration::from_millis(7));
        let relay = relay.map(|works| {
            let measured = Measured { median: Duration::from_micros(12_345), lost: 0 };
            if works { Ok(measured) } else { Err(Trouble::Credentials) }
        });
        Outcome { way, binding: if reached { Ok(seen) } else { Err(Obstacle::TimedOut) }, relay }
    }

    fn told(mapping: Behaviour, outcomes: &[Outcome]) -> (bool, &'static str) {
        let verdict = verdict(None, false, Some(mapping), outcomes);
        (verdict.calls_work, verdict.path)
    }

    #[test]
    fn the_verdict_follows_from_the_nat_and_the_relay() {
        let (easy, hard) = (Behaviour::EndpointIndependent, Behaviour::AddressAndPortDependent);
        let unknown = Behaviour::Unknown(Unknown::NoOtherAddress);
        let udp = |relay| [outcome(Transport::Udp, true, relay)];
        assert_eq!(told(easy, &udp(Some(true))), (true, "direct"));
        assert_eq!(told(easy, &udp(None)), (true, "direct"));
        assert_eq!(told(easy, &udp(Some(false))), (false, "direct"));
        assert_eq!(told(hard, &udp(Some(true))), (true, "relay-udp"));
        assert_eq!(told(hard, &udp(None)), (false, "unknown"));
        assert_eq!(told(hard, &udp(Some(false))), (false, "none"));
        assert_eq!(told(unknown, &udp(Some(true))), (true, "relay-udp"));
        let blocked = [outcome(Transport::Udp, false, None), outcome(Transport::Tls, true, Some(true))];
        assert_eq!(told(unknown, &blocked), (true, "relay-tls"));
        assert_eq!(told(unknown, &[outcome(Transport::Udp, false, None)]), (false, "none"));
        assert!(!verdict(Some(false), false, Some(easy), &udp(Some(true))).calls_work, "no signaling, no call");
        let guess = verdict(Some(true), true, None, &[outcome(Transport::Udp, false, None)]);
        assert_eq!((guess.calls_work, guess.path), (false, "unknown"));
    }

    #[test]
    fn the_fields_are_named_as_the_documentation_says() {
        let report = Report::new(None, None, &[outcome(Transport::Udp, true, Some(true))]);
        let json = serde_json::to_value(&report).expect("JSON");
        assert_eq!(json["publicAddress"], "203.0.113.5");
        assert_eq!(json["nat"]["mapping"], "unknown");
        assert_eq!(json["transports"]["udp"]["relayRoundTripMs"], 12.35);
        assert_eq!(json["transports"]["udp"]["roundTripMs"], 7.0);
        assert_eq!(json["transports"]["tls"]["offered"], false);
        assert_eq!(json["verdict"]["callsWork"], true);
    }
}
