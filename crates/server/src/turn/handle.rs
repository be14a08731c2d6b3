//! Starting TURN, and holding on to it.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use madang_turn::{Config, Credentials, Limits, PeerPolicy, Quota, Rate, Server};
use madang_wire::stun::AddressFamily;
use tokio::task::JoinHandle;

use super::{
    addresses::{RelayAddresses, expand, interfaces},
    listener::{Pair, open_pair, open_tcp},
    metrics::TurnMetrics,
    relay_socket::{RelaySockets, is_local},
    stream::Streams,
};
use crate::{
    config::TurnConfig,
    metrics::MediaMetrics,
    shard::{self, Events, OpenMedia, RoomShards, Shards, TurnPart, unix_seconds},
};

/// How often port 0 is tried.
const TRIES: usize = 8;

/// TURN could not start. The process ends.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be used.
    #[error("`{key}` = {address}: cannot be opened: {source}")]
    Open {
        /// The key of the configuration that names it.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// An unspecified address stands for none, because the machine has none of that family.
    #[error("`{key}` = {address}: this machine has no address of that family")]
    NoAddress {
        /// The key of the configuration that names it.
        key: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// The tasks that accept TCP connections cannot be made.
    #[error("TURN over TCP cannot start: {0}")]
    Accept(io::Error),
    /// The data plane cannot start.
    #[error(transparent)]
    Shard(#[from] shard::StartError),
}

/// Where TURN listens, real ports in place of 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// Over UDP and TCP, one for each entry of `turn.listen`.
    pub turn: Vec<SocketAddr>,
    /// Over TLS, one for each entry of `turn.tls_listen`.
    pub turn_tls: Vec<SocketAddr>,
}

/// A running STUN and TURN server. Dropping it ends it.
#[derive(Debug)]
pub struct TurnHandle {
    addresses: Addresses,
    secret: String,
    shards: Shards,
    accepting: Vec<JoinHandle<()>>,
}

/// Opens every socket, then serves STUN and TURN alone. Needs a tokio runtime. `public_ip` is what
/// a 1:1 NAT in front of this machine shows to the world; without `tls` nothing listens on
/// `turn.tls_listen`.
///
/// # Errors
/// When an address cannot be opened; nothing is left running then.
pub fn start(
    config: &TurnConfig,
    public_ip: &[IpAddr],
    tls: Option<Arc<rustls::ServerConfig>>,
    metrics: TurnMetrics,
) -> Result<TurnHandle, StartError> {
    let started = start_with(config, public_ip, tls, metrics, OpenMedia::none(), &MediaMetrics::default())?;
    Ok(started.0)
}

/// The same, with the server's media on the shards beside it.
pub(crate) fn start_with(
    config: &TurnConfig,
    public_ip: &[IpAddr],
    tls: Option<Arc<rustls::ServerConfig>>,
    metrics: TurnMetrics,
    media: OpenMedia,
    media_metrics: &MediaMetrics,
) -> Result<(TurnHandle, Events), StartError> {
    let interfaces = interfaces();
    let (pairs, turn) = open_pairs(config, &interfaces)?;
    let (tls_listeners, turn_tls) = if tls.is_some() { open_tls(config)? } else { Default::default() };
    let relays = relay_addresses(config, &pairs, &tls_listeners, public_ip, &interfaces)?;
    let secrets = if config.secrets.is_empty() { vec![random_secret()] } else { config.secrets.0.clone() };
    let secret = secrets[0].clone();
    let own = interfaces.iter().chain(&relays.listeners).chain(&relays.configured).chain(public_ip);
    let policy = PeerPolicy {
        allow: config.allow_peers.0.clone(),
        deny: config.deny_peers.0.clone(),
        own: own.copied().collect(),
    };
    let now = Instant::now();
    let core = Config {
        realm: config.realm.clone(),
        credentials: Credentials { users: config.users.clone().into_iter().collect(), secrets, userhash: false },
        policy,
        media: media.addresses(),
        relay_ipv4: relays.has(AddressFamily::IPV4),
        relay_ipv6: relays.has(AddressFamily::IPV6),
        dont_fragment: false,
        tcp_relay: false,
        mobility: false,
        alternates: Vec::new(),
        response_port_and_padding: false,
        software: None,
        shard: 0,
        directory: None,
        quota: Arc::new(Quota::new(now)),
        limits: limits(config),
    };
    let core = Server::new(core, rand::random(), now, unix_seconds());
    let relay_sockets = RelaySockets::new(relays, config.relay_ports);
    let (udp, tcp): (Vec<_>, Vec<_>) = pairs.into_iter().map(|pair| (pair.udp, pair.tcp)).unzip();
    let part = |live| TurnPart::new(core, udp, relay_sockets, metrics, live);
    let (shards, events) = Shards::start(part, media, media_metrics)?;
    let streams = Streams::new(shards.first().clone(), config.connections_per_address);
    let accepting = streams.accept(tcp, tls_listeners, tls).map_err(StartError::Accept)?;
    Ok((TurnHandle { addresses: Addresses { turn, turn_tls }, secret, shards, accepting }, events))
}

impl TurnHandle {
    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// A user name and credential for `user`, good for `ttl` from now.
    #[must_use]
    pub fn mint(&self, user: &str, ttl: Duration) -> (String, String) {
        madang_turn::mint(&self.secret, user, unix_seconds().saturating_add(ttl.as_secs()))
    }

    /// Refuses new allocations from now on; those that live go on.
    pub fn drain(&self) {
        self.shards.first().drain();
    }

    /// Whether a thread has ended by itself, by a fault: its people are served no more.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.shards.is_dead()
    }

    /// The way to the rooms' media.
    pub(crate) fn rooms(&self) -> RoomShards {
        self.shards.rooms()
    }

    /// Ends everything, and waits for it.
    pub async fn stop(self) {
        for task in &self.accepting {
            task.abort();
        }
        self.shards.stop().await;
    }
}

fn limits(config: &TurnConfig) -> Limits {
    #[expect(clippy::cast_precision_loss, reason = "a rate need not be exact")]
    let per_second = config.unauthenticated_per_second as f32;
    Limits {
        allocations_per_user: config.allocations_per_user,
        allocations_per_address: config.allocations_per_address,
        allocations: config.allocations,
        unauthenticated: Rate { per_second, burst: per_second * 4.0 },
        ..Limits::default()
    }
}

/// Opens UDP and TCP on each entry of `turn.listen`.
fn open_pairs(config: &TurnConfig, interfaces: &[IpAddr]) -> Result<(Vec<Pair>, Vec<SocketAddr>), StartError> {
    let (mut pairs, mut bound) = (Vec::new(), Vec::new());
    for &listen in config.listen.iter() {
        // Port 0 has to become one port that is free on every address, which may take a few tries.
        let tries = if listen.port() == 0 { TRIES } else { 1 };
        let mut opened = open_entry(listen, interfaces);
        for _ in 1..tries {
            if opened.is_ok() {
                break;
            }
            opened = open_entry(listen, interfaces);
        }
        let opened = opened?;
        bound.extend(opened.first().map(|pair| SocketAddr::new(listen.ip(), pair.address.port())));
        pairs.extend(opened);
    }
    Ok((pairs, bound))
}

/// Opens one entry of `turn.listen`, on the same port of every address that it stands for.
fn open_entry(listen: SocketAddr, interfaces: &[IpAddr]) -> Result<Vec<Pair>, StartError> {
    let key = "turn.listen";
    let addresses = expand(listen, interfaces);
    if addresses.is_empty() {
        return Err(StartError::NoAddress { key, address: listen });
    }
    let mut pairs: Vec<Pair> = Vec::new();
    for mut address in addresses {
        address.set_port(pairs.first().map_or(listen.port(), |first| first.address.port()));
        pairs.push(open_pair(address).map_err(|source| StartError::Open { key, address, source })?);
    }
    Ok(pairs)
}

type TlsListeners = (Vec<std::net::TcpListener>, Vec<SocketAddr>);

fn open_tls(config: &TurnConfig) -> Result<TlsListeners, StartError> {
    let (mut listeners, mut bound) = (Vec::new(), Vec::new());
    for &address in config.tls_listen.iter() {
        let open = |source| StartError::Open { key: "turn.tls_listen", address, source };
        let listener = open_tcp(address).map_err(open)?;
        bound.push(listener.local_addr().map_err(open)?);
        listeners.push(listener);
    }
    Ok((listeners, bound))
}

fn relay_addresses(
    config: &TurnConfig,
    pairs: &[Pair],
    tls: &[std::net::TcpListener],
    public_ip: &[IpAddr],
    interfaces: &[IpAddr],
) -> Result<RelayAddresses, StartError> {
    let configured = config.relay_addresses.0.clone();
    for &ip in &configured {
        let address = SocketAddr::new(ip, 0);
        is_local(ip).map_err(|source| StartError::Open { key: "turn.relay_addresses", address, source })?;
    }
    let mut listeners: Vec<IpAddr> = pairs.iter().map(|pair| pair.address.ip()).collect();
    for address in tls.iter().filter_map(|listener| listener.local_addr().ok()) {
        listeners.extend(expand(address, interfaces).iter().map(SocketAddr::ip));
    }
    Ok(RelayAddresses { configured, listeners, public: public_ip.to_vec() })
}

fn random_secret() -> String {
    STANDARD_NO_PAD.encode(rand::random::<[u8; 32]>())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::config::Many;

    #[tokio::test]
    async fn a_thread_that_has_ended_by_itself_is_noticed() {
        let listen = Many(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))]);
        let config = TurnConfig { listen, ..TurnConfig::default() };
        let handle = start(&config, &[], None, TurnMetrics::new()).expect("free ports on loopback");
        assert!(!handle.is_dead());
        handle.shards.first().stop();
        for _ in 0..500 {
            if handle.is_dead() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(handle.is_dead(), "nobody noticed");
    }
}
