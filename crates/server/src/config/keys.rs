//! The table of keys: what each is for and what it allows.

/// One key of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its path, as in `http.listen`.
    pub path: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// What it allows.
    pub allowed: &'static str,
}

/// Tables whose keys are names of the operator's own choosing.
pub(super) const FREE_TABLES: [&str; 2] = ["auth.keys", "turn.users"];

/// Values that never appear in an error or a log.
pub(super) const SECRETS: [&str; 3] = ["auth.keys", "turn.users", "turn.secrets"];

const ADDRESSES: &str = "one ADDRESS:PORT or a list, such as \"127.0.0.1:8080\" or [\"0.0.0.0:80\", \"[::]:80\"]; \
                         port 0 takes a free one";
const SPAN: &str = "a whole number and one of ms, s, m, h, d, such as \"30s\"";
const COUNT: &str = "a whole number from 1";
const PREFIXES: &str = "one prefix or a list, such as \"10.0.0.0/8\" or [\"fd00::/8\"]";
const CODECS: &str = "a list of SDP names in upper case";

macro_rules! keys {
    ($($path:literal: $allowed:expr, $about:literal;)*) => {
        &[$(Key { path: $path, about: $about, allowed: $allowed }),*]
    };
}

/// The keys of every section but `turn`.
const GENERAL: &[Key] = keys! {
    "public_ip": "IPv4 and IPv6 addresses, one or a list; empty where clients reach this machine's own addresses",
        "The addresses by which clients reach this machine, where it cannot see them itself (behind 1:1 NAT).";
    "http.listen": ADDRESSES,
        "Where pages and signaling are served. Without auth.keys it has to be loopback, unless auth.open is true.";
    "http.allowed_origins": "a list of origins, such as [\"https://app.example.com\"], or [\"*\"] for any",
        "Web origins besides the server's own whose pages may open the signaling WebSocket.";
    "http.max_connections": COUNT,
        "TCP connections in all; further ones are closed at once.";
    "http.max_connections_per_address": COUNT,
        "TCP connections from one address; further ones are closed at once. Raise it behind a proxy.";
    "http.handshake_timeout": SPAN,
        "The longest that a TLS handshake may take, and then the head of a request.";
    "tls.mode": "\"off\", \"self-signed\" or \"files\"",
        "Encryption of HTTP, and of TURN on turn.tls_listen. Off suits localhost; browsers give a camera to other \
         pages only over HTTPS. Self-signed makes a certificate at start, and keeps it in tls.cert and tls.key \
         where these are set, so that a browser's exception for it survives a restart.";
    "tls.cert": "the path of a PEM file, the server's certificate first",
        "The certificate chain. Read again when the file changes.";
    "tls.key": "the path of a PEM file",
        "Its private key.";
    "signaling.max_connections_per_address": COUNT,
        "WebSocket connections from one address; further ones get HTTP 429. Raise it behind a proxy.";
    "signaling.hello_timeout": SPAN,
        "The longest silence before `hello`.";
    "signaling.ping_interval": SPAN,
        "How often clients are told to send `ping`.";
    "signaling.dead_after": "a span longer than signaling.ping_interval, such as \"45s\"",
        "After this much silence a connection is dead; its session can be resumed.";
    "signaling.messages_per_second": COUNT,
        "Sustained messages per second from one client.";
    "signaling.message_burst": COUNT,
        "Messages at once above that rate.";
    "signaling.send_queue_bytes": "a whole number from 65536",
        "Bytes waiting for one client before it counts as too slow and has to resume.";
    "signaling.send_queue_messages": "a whole number from 16",
        "Messages waiting for one client before it counts as too slow and has to resume.";
    "signaling.drain": SPAN,
        "How long after SIGTERM sessions go on before they are told to come back elsewhere.";
    "room.topology": "\"auto\", \"mesh\", \"sfu\" or \"mcu\"",
        "How media travels in a room whose creator wished for nothing in particular. Auto is a mesh for two, and \
         forwarded by the server (sfu) from the third on; mcu is mixed by it.";
    "room.max_participants": "a whole number from 1 to 1000",
        "Participants in one room.";
    "room.max_tracks": "a whole number from 1 to 64",
        "Tracks that one participant may publish.";
    "room.audio_codecs": CODECS,
        "Audio codecs, best first. Others are not used.";
    "room.video_codecs": CODECS,
        "Video codecs, best first. Others are not used.";
    "room.max_send_bps": "a whole number of bits per second; 0 for no limit",
        "The most that each participant may send in all.";
    "room.max_receive_bps": "a whole number of bits per second; 0 for no limit",
        "The most that the server forwards to each participant in all.";
    "room.resume_grace": SPAN,
        "How long a lost session can be resumed.";
    "auth.open": "true or false",
        "Whether anyone who can reach the server may join any room.";
    "auth.keys": "a table of key id = secret, each secret at least 16 bytes",
        "API keys that sign join tokens. With none the server is open, on loopback only.";
    "log.level": "error, warn, info, debug, trace, or filter directives such as \"info,madang_turn=debug\"",
        "What is logged.";
    "log.format": "\"text\" or \"json\"",
        "How log lines look.";
};

/// The keys of the sections `turn`, `media` and `mix`.
const TURN: &[Key] = keys! {
    "turn.listen": ADDRESSES,
        "Where STUN and TURN are served, over UDP and TCP. 0.0.0.0 and :: stand for every address that this machine \
         has at the start. Without auth.keys it has to be loopback, unless auth.open is true.";
    "turn.tls_listen": "one ADDRESS:PORT or a list; [] for none",
        "Where TURN is served over TLS, when tls.mode is not off.";
    "turn.realm": "1 to 64 bytes without quotes",
        "The realm of credentials.";
    "turn.secrets": "a list of texts",
        "Shared secrets of time-limited credentials; the first one signs those that participants get. With none, a \
         random one is made at each start.";
    "turn.users": "a table of name = password",
        "Users with a lasting password.";
    "turn.allow_peers": PREFIXES,
        "Networks whose addresses the relay may reach although they are not public.";
    "turn.deny_peers": PREFIXES,
        "Networks whose addresses the relay may not reach. Where both lists match, the longer prefix counts, and this \
         list when they are equally long.";
    "turn.relay_addresses": "IP addresses of this machine, one or a list",
        "Where relays are opened, by turns; with none, on the address that the client reached.";
    "turn.relay_ports": "two ports, the lower first, such as \"49152-65535\"",
        "The ports of relays.";
    "turn.allocations_per_user": COUNT,
        "Allocations that one user may have.";
    "turn.allocations_per_address": COUNT,
        "Allocations that one client address may have.";
    "turn.allocations": COUNT,
        "Allocations in all.";
    "turn.connections_per_address": COUNT,
        "TCP and TLS connections from one address.";
    "turn.unauthenticated_per_second": COUNT,
        "Answers per second, for each IPv4 /24 or IPv6 /56, to those who have not authenticated.";
    "turn.userhash": "true or false",
        "Whether clients are told that they may hide their name (RFC 8489). Only where all of them are in turn.users: the \
         names of participants can't be found by their hash.";
    "turn.alternate_addresses": "one address of this machine for each family, with or without a port",
        "A second address of this machine for each family, for clients that find out what NAT they are behind (RFC \
         5780). Served are both addresses on both ports: that of turn.listen and the one given here, or the next one.";
    "turn.response_port_and_padding": "true or false",
        "Whether RESPONSE-PORT and PADDING of RFC 5780 are understood. Strangers can misuse them.";
    "turn.longest_lifetime": "a span of at least 10 minutes, such as \"1h\"",
        "The longest lifetime that an allocation gets before it has to be refreshed.";
    "turn.bandwidth_per_allocation": "bytes per second; 0 for no limit",
        "Application data that one allocation may relay, both ways together. What is over it is dropped.";
    "turn.bandwidth_per_user": "bytes per second; 0 for no limit",
        "The same of one user's allocations together.";
    "turn.bandwidth": "bytes per second; 0 for no limit",
        "The same of all allocations together.";
    "turn.drain": SPAN,
        "How long allocations may go on when the server goes down and everyone was told.";
    "turn.mobility": "true or false",
        "Whether an allocation may go along when its client's address changes (RFC 8016).";
    "turn.tcp_relay": "true or false",
        "Whether clients may have TCP connections to peers (RFC 6062). Calls need none.";
    "turn.software": "a text of at most 127 characters; \"\" for none",
        "What the server calls itself in answers to clients that have authenticated.";
    "media.listen": "one ADDRESS:PORT or a list",
        "Where media of forwarded rooms is received and sent, over UDP and TCP, on this port and one more for each \
         further shard. 0.0.0.0 and :: stand for every address that this machine has at the start. Without auth.keys \
         it has to be loopback, unless auth.open is true.";
    "media.shards": "a whole number; 0 for one on each core",
        "Threads that carry media.";
    "media.last_n": COUNT,
        "In a room with more cameras than this, only those of the last speakers are forwarded.";
    "media.gather": "a span up to 20 ms, such as \"1ms\"; \"0ms\" sends at once",
        "How long a forwarded packet may wait for others to the same receiver, so that one system call serves several.";
    "mix.threads": "a whole number; 0 for one on each core",
        "Threads that decode, draw and encode for mixed rooms, after those that carry media; one more mixes sound.";
    "mix.size": "WIDTHxHEIGHT, both multiples of 8 from 128 to 1920, such as \"1280x720\"",
        "The largest rendition of a mix, in pixels; two others have a half and a quarter of its sides.";
    "mix.bitrate": "a whole number of bits per second from 100000 to 20000000",
        "What the largest rendition takes; the others take a third and a tenth of it.";
    "mix.layout": "\"auto\", \"grid\", \"speaker\", \"presentation\", \"picture_in_picture\" or \"custom\"",
        "How people are arranged for those who choose nothing else. Auto is a presentation while somebody shares a \
         screen, and a grid otherwise; custom is as mix.regions say.";
    "mix.regions": "a list of up to 25 tables, such as [{ left = 0.0, top = 0.0, width = 1.0, height = 1.0, fill = \
                    \"speaker\" }]; fill is \"speaker\", \"any_screen\" or \"next\", z (higher is in front) and fit \
                    (\"cover\" or \"contain\") may be left out",
        "The regions of the custom layout, in the order in which they are filled. Lengths are shares of the picture, \
         0 to 1; the squares of the longer sides make 4 in all at most.";
    "mix.pictures": "a whole number from 1 to 16",
        "Different pictures in one room at most: each arrangement that somebody has chosen is drawn and encoded.";
    "mix.font": "the path of a font file (TTF, OTF, TTC), or the name of an installed family; \"\" for what is found",
        "What names in the picture are written in. What it lacks comes from other fonts of the system.";
    "mix.locale": "the tag of a language, such as \"ko\", \"ja\", \"zh-CN\", \"zh-TW\" or \"zh-HK\"",
        "The language in whose manner Han characters in names are drawn.";
};

/// Every key, in the order in which `madang config` prints them.
pub(super) fn all() -> impl Iterator<Item = &'static Key> {
    GENERAL.iter().chain(TURN)
}

/// The key at `path`, or the free table or list that holds it.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    let path = path.split('[').next().unwrap_or(path);
    let holder = FREE_TABLES.iter().find(|table| path.strip_prefix(**table).is_some_and(|rest| rest.starts_with('.')));
    all().find(|key| key.path == holder.map_or(path, |table| *table))
}

/// Whether `path` is or lies within something secret.
pub(super) fn is_secret(path: &str) -> bool {
    SECRETS
        .iter()
        .any(|secret| path.strip_prefix(secret).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '['])))
}
