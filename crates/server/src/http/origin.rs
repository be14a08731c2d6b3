//! The host by which a client reached us, and whose pages may open signaling.

use std::net::IpAddr;

use axum::http::{HeaderMap, header, uri::Authority};

/// The name or address in `Host`, without its port; IPv6 addresses without brackets.
///
/// It goes into the addresses of our relays, so it has to look like a host and nothing else.
pub(crate) fn host(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::HOST)?.to_str().ok()?;
    let host = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => text.rsplit_once(':').map_or(text, |(host, _)| host),
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':' | b'_');
    (!host.is_empty() && host.len() <= 253 && host.bytes().all(plain)).then_some(host)
}

/// Whether a request names this machine as its host. A page of somebody else's, whose name was
/// made to lead here (DNS rebinding), has the same origin as what it asks for; but that name is
/// none of ours.
pub(crate) fn names_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = host(headers) else { return !headers.contains_key(header::HOST) };
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    // RFC 6761 §6.3: what ends in `localhost` is never asked of DNS.
    name == "localhost" || name.ends_with(".localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether the page behind a request may open signaling: any client that is no browser, a
/// page of this server itself, and pages of the origins allowed. With `local`, a page of this
/// server is only what was reached by a name of this machine.
pub(crate) fn allowed(headers: &HeaderMap, origins: &[String], local: bool) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    if origins.iter().any(|allowed| allowed == "*" || allowed.trim_end_matches('/').eq_ignore_ascii_case(origin)) {
        return true;
    }
    if local && !names_this_machine(headers) {
        return false;
    }
    let own = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    match (origin.split_once("://"), own) {
        (Some((scheme, page)), Some(own)) => same(scheme, page, own),
        _ => false,
    }
}

fn same(scheme: &str, page: &str, own: &str) -> bool {
    let default = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return false,
    };
    let (Ok(page), Ok(own)) = (page.parse::<Authority>(), own.parse::<Authority>()) else { return false };
    page.host().eq_ignore_ascii_case(own.host())
        && page.port_u16().unwrap_or(default) == own.port_u16().unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: &'static str, origin: Option<&'static str>) -> HeaderMap {
        let mut headers = HeaderMap::from_iter([(header::HOST, host.parse().expect("a value"))]);
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().expect("a value"));
        }
        headers
    }

    #[test]
    fn pages_of_the_same_host_and_port_are_allowed() {
        for (host, origin, yes) in [
            ("localhost:8080", None, true),
            ("localhost:8080", Some("http://localhost:8080"), true),
            ("LocalHost:8080", Some("http://localhost:8080"), true),
            ("example.com", Some("https://example.com"), true),
            ("example.com:443", Some("https://example.com"), true),
            ("[::1]:8080", Some("http://[::1]:8080"), true),
            ("localhost:8080", Some("http://localhost:8081"), false),
            ("localhost:8080", Some("http://evil.example"), false),
            ("localhost:8080", Some("http://localhost:8080.evil.example"), false),
            ("localhost:8080", Some("null"), false),
            ("localhost:8080", Some("file://localhost:8080"), false),
        ] {
            assert_eq!(allowed(&headers(host, origin), &[], false), yes, "{host} {origin:?}");
        }
    }

    #[test]
    fn a_name_that_was_made_to_lead_here_is_no_page_of_this_machine() {
        for (host, origin, yes) in [
            ("localhost:8080", "http://localhost:8080", true),
            ("madang.localhost:8080", "http://madang.localhost:8080", true),
            ("127.0.0.1:8080", "http://127.0.0.1:8080", true),
            ("[::1]:8080", "http://[::1]:8080", true),
            ("evil.example:8080", "http://evil.example:8080", false),
            ("notlocalhost:8080", "http://notlocalhost:8080", false),
            ("192.0.2.1:8080", "http://192.0.2.1:8080", false),
        ] {
            assert_eq!(allowed(&headers(host, Some(origin)), &[], true), yes, "{host}");
        }
        let named = headers("evil.example:8080", Some("http://evil.example:8080"));
        assert!(allowed(&named, &["http://evil.example:8080".into()], true), "the operator's own list counts");
    }

    #[test]
    fn other_origins_are_allowed_by_name_or_all() {
        let request = headers("localhost:8080", Some("https://app.example.com"));
        assert!(allowed(&request, &["https://app.example.com".into()], true));
        assert!(allowed(&request, &["*".into()], false));
        assert!(!allowed(&request, &["https://other.example.com".into()], false));
    }

    #[test]
    fn a_host_is_a_name_or_an_address_and_nothing_else() {
        for (text, expected) in [
            ("localhost:8080", Some("localhost")),
            ("192.0.2.1", Some("192.0.2.1")),
            ("[2001:db8::1]:8443", Some("2001:db8::1")),
            ("a host?x=y", None),
            ("", None),
            ("[::1", None),
        ] {
            assert_eq!(host(&headers(text, None)), expected, "{text}");
        }
    }
}
