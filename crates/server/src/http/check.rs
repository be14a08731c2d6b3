//! `/v1/check`: what the page `/check` needs from us to try a network: STUN, and the relay for a
//! few minutes.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use madang_protocol::{ErrorCode, IceServer};
use serde::Serialize;
use serde_json::json;

use super::origin;
use crate::{
    auth::Refusal,
    config::TlsMode,
    listen::{Peer, prefix},
    server::App,
    signaling::arrivals::Arrivals,
};

/// How long the credentials of a check open the relay. A check takes half a minute.
const TTL: Duration = Duration::from_secs(300);

/// One address may ask twenty times at once, and so often again within five minutes: people of
/// one office share an address.
const AT_ONCE: u32 = 5;

/// Who checks, and how often.
pub(crate) struct Checks {
    arrivals: Arrivals,
    accounts: RandomState,
}

impl Checks {
    pub(crate) fn new() -> Self {
        Self { arrivals: Arrivals::new(AT_ONCE, TTL), accounts: RandomState::new() }
    }

    /// Whom TURN's quotas count: one account for all checks from an address, so that asking again
    /// brings no fresh quota. Hashed, for the name is seen by whoever sees the packets.
    fn account(&self, address: IpAddr) -> String {
        format!("check-{:016x}", self.accounts.hash_one(prefix(address)))
    }
}

#[derive(Debug, Serialize)]
struct Answer {
    ice_servers: Vec<IceServer>,
    /// How long the credentials are good, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<u64>,
    /// Why there are no credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<ErrorCode>,
    certificate: Certificate,
}

/// Whose word our certificate is. A browser that does not trust it says the same as of a server
/// that cannot be reached, so a page has to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Certificate {
    None,
    SelfSigned,
    Configured,
}

impl From<TlsMode> for Certificate {
    fn from(mode: TlsMode) -> Self {
        match mode {
            TlsMode::Off => Self::None,
            TlsMode::SelfSigned => Self::SelfSigned,
            TlsMode::Files => Self::Configured,
        }
    }
}

/// Short-lived ICE servers for whoever could join a room here; for others the same servers without
/// credentials, which is enough to see whether they can be reached.
pub(super) async fn servers(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Response {
    if !is_own_page(&headers, app.gate.is_for_this_machine()) {
        return refuse(StatusCode::FORBIDDEN, ErrorCode::Forbidden, "Only this server's own page may check here.");
    }
    let address = peer.address.ip();
    if !app.checks.arrivals.admit(Instant::now(), address) {
        let message = "Too many checks from this address. Wait a minute and try again.";
        return refuse(StatusCode::TOO_MANY_REQUESTS, ErrorCode::RateLimited, message);
    }
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let host = origin::host(&headers).map_or_else(|| peer.local.ip().to_string(), str::to_owned);
    let mut ice_servers = app.ice.mint_for(&host, &app.checks.account(address), TTL);
    let refused = app.gate.admit_anywhere(token).err().map(|Refusal { code, .. }| code);
    if refused.is_some() {
        for server in &mut ice_servers {
            (server.username, server.credential) = (None, None);
        }
    }
    let expires_in = refused.is_none().then_some(TTL.as_secs());
    let certificate = app.config.tls.mode.into();
    // What is not said otherwise is `no-store`: see `headers::harden`.
    Json(Answer { ice_servers, expires_in, refused, certificate }).into_response()
}

/// Browsers say from which site a request comes (W3C Fetch Metadata); an `Origin` comes only with
/// some. Clients that are no browsers say neither, and are held back by the rate alone.
fn is_own_page(headers: &HeaderMap, local: bool) -> bool {
    let site = headers.get("sec-fetch-site").map(|site| site.as_bytes());
    let is_near = site.is_none_or(|site| matches!(site, b"same-origin" | b"none"));
    is_near && origin::allowed(headers, &[], local) && (!local || origin::names_this_machine(headers))
}

fn refuse(status: StatusCode, code: ErrorCode, message: &str) -> Response {
    (status, Json(json!({ "code": code, "message": message }))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            let name = axum::http::HeaderName::from_static(name);
            (name, value.parse().expect("a value"))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn only_a_page_of_this_server_may_ask() {
        let host = ("host", "meet.example.com");
        for (sent, yes) in [
            (&[host][..], true),
            (&[host, ("sec-fetch-site", "same-origin")], true),
            (&[host, ("sec-fetch-site", "none")], true),
            (&[host, ("sec-fetch-site", "same-site")], false),
            (&[host, ("sec-fetch-site", "cross-site")], false),
            (&[host, ("origin", "https://meet.example.com")], true),
            (&[host, ("origin", "https://evil.example")], false),
        ] {
            assert_eq!(is_own_page(&headers(sent), false), yes, "{sent:?}");
        }
        assert!(!is_own_page(&headers(&[host]), true), "a server for its own machine is asked by no other name");
        assert!(is_own_page(&headers(&[("host", "localhost:8080")]), true));
    }

    #[test]
    fn all_checks_from_one_address_count_for_one_account() {
        let checks = Checks::new();
        let account = |text: &str| checks.account(text.parse().expect("an address"));
        assert_eq!(account("192.0.2.1"), account("192.0.2.1"));
        assert_eq!(account("2001:db8::1"), account("2001:db8::2"), "who has a /64 has all of it");
        assert_ne!(account("192.0.2.1"), account("192.0.2.2"));
        assert!(!account("192.0.2.1").contains("192"), "the name tells no address");
    }
}
