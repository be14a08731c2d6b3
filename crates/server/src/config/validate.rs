//! What the types of the values cannot say.

use std::{net::SocketAddr, time::Duration};

use super::{Config, Many, TlsMode};

/// Something wrong with values that are well-formed.
pub(super) enum Flaw {
    /// One value is out of range.
    Value {
        /// Its key.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// Several values do not go together.
    Conflict(String),
}

pub(super) fn out_of_range<T>(path: &str, message: &str) -> Result<T, Flaw> {
    Err(Flaw::Value { path: path.into(), message: message.into() })
}

/// The shortest secret of an API key: RFC 7518 §3.2 asks HS256 for 32 bytes of key; people
/// bring shorter ones in development.
const SECRET_BYTES: usize = 16;

const MOST_SHARDS: usize = 256;

pub(super) fn check(config: &Config) -> Result<(), Flaw> {
    counts(config)?;
    spans(config)?;
    let room = &config.room;
    for (path, codecs) in [("room.audio_codecs", &room.audio_codecs), ("room.video_codecs", &room.video_codecs)] {
        if codecs.iter().any(|name| {
            name.is_empty() || name.bytes().any(|byte| !byte.is_ascii_uppercase() && !byte.is_ascii_digit())
        }) {
            return out_of_range(path, "not the name of a codec");
        }
    }
    for origin in &config.http.allowed_origins {
        let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        if origin != "*" && host.is_none_or(|host| host.is_empty() || host.contains('/')) {
            return out_of_range("http.allowed_origins", "not an origin (scheme, host and port, no path)");
        }
    }
    if config.http.listen.is_empty() {
        return out_of_range("http.listen", "no address");
    }
    if config.media.listen.is_empty() {
        return out_of_range("media.listen", "no address");
    }
    if config.media.shards > MOST_SHARDS {
        return out_of_range("media.shards", "too many");
    }
    if config.media.last_n == 0 {
        return out_of_range("media.last_n", "out of range");
    }
    if config.media.gather.0 > Duration::from_millis(20) {
        return out_of_range("media.gather", "too long");
    }
    for (id, secret) in &config.auth.keys {
        if id.is_empty() || secret.len() < SECRET_BYTES {
            return out_of_range(&format!("auth.keys.{id}"), "too short");
        }
    }
    config.mix.check()?;
    config.turn.check().map_err(|why| Flaw::Value { path: why.key.into(), message: "out of range".into() })?;
    tls(config)?;
    loopback(config)
}

fn counts(config: &Config) -> Result<(), Flaw> {
    let (http, signaling, room) = (&config.http, &config.signaling, &config.room);
    for (path, value, least, most) in [
        ("http.max_connections", http.max_connections, 1, u32::MAX),
        ("http.max_connections_per_address", http.max_connections_per_address, 1, u32::MAX),
        ("signaling.max_connections_per_address", signaling.max_connections_per_address, 1, u32::MAX),
        ("signaling.messages_per_second", signaling.messages_per_second, 1, u32::MAX),
        ("signaling.message_burst", signaling.message_burst, 1, u32::MAX),
        ("room.max_participants", room.max_participants, 1, 1000),
        ("room.max_tracks", room.max_tracks, 1, 64),
    ] {
        if !(least..=most).contains(&value) {
            return out_of_range(path, "out of range");
        }
    }
    if signaling.send_queue_bytes < 65_536 {
        return out_of_range("signaling.send_queue_bytes", "out of range");
    }
    if signaling.send_queue_messages < 16 {
        return out_of_range("signaling.send_queue_messages", "out of range");
    }
    Ok(())
}

fn spans(config: &Config) -> Result<(), Flaw> {
    let signaling = &config.signaling;
    for (path, span) in [
        ("http.handshake_timeout", config.http.handshake_timeout),
        ("signaling.hello_timeout", signaling.hello_timeout),
        ("signaling.ping_interval", signaling.ping_interval),
    ] {
        if span.0.is_zero() {
            return out_of_range(path, "too short");
        }
    }
    if signaling.dead_after <= signaling.ping_interval {
        return out_of_range("signaling.dead_after", "not longer than signaling.ping_interval");
    }
    Ok(())
}

fn tls(config: &Config) -> Result<(), Flaw> {
    let tls = &config.tls;
    match tls.mode {
        TlsMode::Files if tls.cert.is_empty() || tls.key.is_empty() => {
            Err(Flaw::Conflict("tls.mode = \"files\" needs both tls.cert and tls.key".into()))
        }
        TlsMode::SelfSigned if tls.cert.is_empty() != tls.key.is_empty() => Err(Flaw::Conflict(
            "tls.mode = \"self-signed\" keeps its certificate when both tls.cert and tls.key are set, and makes a new \
             one at each start when neither is"
                .into(),
        )),
        _ => Ok(()),
    }
}

/// Without keys anyone may join, so nobody but this machine may reach the server, unless the operator says so.
fn loopback(config: &Config) -> Result<(), Flaw> {
    if config.auth.open || !config.auth.keys.is_empty() {
        return Ok(());
    }
    let on = |key, addresses: &'_ Many<SocketAddr>| addresses.0.clone().into_iter().map(move |address| (key, address));
    let tls = if config.tls.mode == TlsMode::Off { &Many::default() } else { &config.turn.tls_listen };
    let listeners = on("http.listen", &config.http.listen)
        .chain(on("turn.listen", &config.turn.listen))
        .chain(on("turn.tls_listen", tls))
        .chain(on("media.listen", &config.media.listen));
    let mut public = listeners.filter(|(_, address)| !address.ip().is_loopback());
    match public.next() {
        None => Ok(()),
        Some((key, address)) => Err(Flaw::Conflict(format!(
            "`{key}` = {address} is open to the network, but no join tokens are asked for. Set a key in [auth.keys], \
             or auth.open = true if anyone who can reach the server may join, or listen on 127.0.0.1"
        ))),
    }
}
