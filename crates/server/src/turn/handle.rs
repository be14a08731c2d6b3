//! Starting TURN, and holding on to it.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use madang_turn::{Bandwidth, Config, Credentials, Limits, PeerPolicy, Quota, Rate, Reload, Server};
use madang_wire::stun::AddressFamily;
use parking_lot::RwLock;
use tokio::{sync::watch, task::JoinHandle};

use super::{
    addresses::interfaces,
    metrics::TurnMetrics,
    open::{open_alternates, open_dtls, open_pairs, open_tls, relay_addresses},
    relay_socket::RelaySockets,
    stream::Streams,
};
use crate::{
    addresses::PublicAddresses,
    config::{AlternateAddress, TurnConfig},
    metrics::MediaMetrics,
    shard::{
        self, Events, Listeners, LiveRelays, OpenMedia, RoomShards, ShardSender, Shards, SharedPort, TurnPart,
        unix_seconds,
    },
    tls::Identity,
};

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
    /// NAT behaviour discovery has to tell clients where the second address is.
    #[error(
        "`turn.alternate_addresses` = {0}: behind the NAT of `public_ip` it has a public address of its own; add that \
         to `public_ip`, after the one of `turn.listen`"
    )]
    AlternateBehindNat(IpAddr),
    /// The same, where several listeners could be the first one.
    #[error(
        "`turn.alternate_addresses` = {0}: behind the NAT of `public_ip` it has to be known which of this machine's \
         addresses is the first: name it in `turn.listen`, in place of one that stands for all"
    )]
    ListenerBehindNat(IpAddr),
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
    secrets: RwLock<Secrets>,
    /// Addresses of our own, which no peer may have.
    own: Vec<IpAddr>,
    shards: Shards,
    streams: Streams,
    accepting: Vec<JoinHandle<()>>,
    metrics: TurnMetrics,
}

/// Shared secrets of time-limited credentials; the first one signs.
struct Secrets {
    all: Vec<String>,
    /// The configuration names them; else there is a random one.
    are_named: bool,
}

impl Secrets {
    fn of(config: &TurnConfig) -> Self {
        let are_named = !config.secrets.is_empty();
        Self { all: if are_named { config.secrets.0.clone() } else { vec![random_secret()] }, are_named }
    }
}

/// Secrets stay out of logs.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("all", &self.all.len()).finish_non_exhaustive()
    }
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
    let tls = tls.map(|config| TurnTls { config, identity: None });
    let started = start_with(config, public_ip, tls, metrics, OpenMedia::none(), &MediaMetrics::default())?;
    Ok(started.0)
}

/// What encrypts TURN.
pub(crate) struct TurnTls {
    pub(crate) config: Arc<rustls::ServerConfig>,
    /// For DTLS: the certificate, now and whenever it changes.
    pub(crate) identity: Option<watch::Receiver<Arc<Identity>>>,
}

/// The same, with the server's media on the shards beside it.
pub(crate) fn start_with(
    config: &TurnConfig,
    public_ip: &[IpAddr],
    tls: Option<TurnTls>,
    metrics: TurnMetrics,
    media: OpenMedia,
    media_metrics: &MediaMetrics,
) -> Result<(TurnHandle, Events), StartError> {
    let interfaces = interfaces();
    let shards = media.shards();
    let (pairs, turn) = open_pairs(config, &interfaces, shards)?;
    let public = PublicAddresses::new(public_ip, config.alternate_addresses.iter().map(AlternateAddress::ip));
    let (alternate, alternates) = open_alternates(config, &pairs, &public, shards)?;
    let (tls_listeners, turn_tls) = if tls.is_some() { open_tls(config)? } else { Default::default() };
    let (tls, identity) = tls.map_or((None, None), |tls| (Some(tls.config), tls.identity));
    let encrypted = if identity.is_some() { open_dtls(&turn_tls, &pairs, &interfaces, shards)? } else { Vec::new() };
    let relays = relay_addresses(config, &pairs, &tls_listeners, &public, &interfaces)?;
    let secrets = Secrets::of(config);
    let own: Vec<IpAddr> =
        interfaces.iter().chain(&relays.listeners).chain(&relays.configured).chain(public_ip).copied().collect();
    let (now, live, seed) = (Instant::now(), LiveRelays::default(), rand::random());
    let Reload { credentials, policy, limits } = reloadable(config, secrets.all.clone(), own.clone());
    let core = Config {
        realm: config.realm.clone(),
        credentials,
        policy,
        media: media.addresses(),
        relay_ipv4: relays.has(AddressFamily::IPV4),
        relay_ipv6: relays.has(AddressFamily::IPV6),
        dont_fragment: true,
        tcp_relay: config.tcp_relay,
        mobility: config.mobility,
        alternates,
        response_port_and_padding: config.response_port_and_padding,
        software: Some(config.software.clone()).filter(|software| !software.is_empty()),
        shard: 0,
        shards: u16::try_from(shards).unwrap_or(u16::MAX),
        directory: Some(Arc::new(live.clone())),
        quota: Arc::new(Quota::new(now)),
        limits,
    };
    let (udp, tcp): (Vec<_>, Vec<_>) = pairs.into_iter().map(|pair| (pair.udp, pair.tcp)).unzip();
    let mut by_shard: Vec<Listeners> = (0..shards).map(|_| Listeners::default()).collect();
    for listener in udp.into_iter().chain(alternate) {
        by_shard.iter_mut().zip(listener).for_each(|(shard, socket)| shard.open.push(socket));
    }
    for listener in encrypted {
        by_shard.iter_mut().zip(listener).for_each(|(shard, socket)| shard.encrypted.push(socket));
    }
    let relay_sockets = RelaySockets::new(relays, config.relay_ports);
    let parts = by_shard.into_iter().zip(0..).map(|(listeners, shard)| {
        let server = Server::new(Config { shard, ..core.clone() }, seed, now, unix_seconds());
        TurnPart::new(server, listeners, relay_sockets.clone(), metrics.clone(), (shard, live.clone()))
    });
    let (shards, events) = Shards::start(parts.collect(), &live, media, media_metrics)?;
    let streams = Streams::new(shards.senders(), config.connections_per_address, config.longest_lifetime.0);
    let mut accepting = streams.accept(tcp, tls_listeners, tls).map_err(StartError::Accept)?;
    if let Some(identity) = identity {
        accepting.push(tokio::spawn(hand_on(identity, shards.senders().to_vec())));
    }
    let (addresses, secrets) = (Addresses { turn, turn_tls }, RwLock::new(secrets));
    Ok((TurnHandle { addresses, secrets, own, shards, streams, accepting, metrics }, events))
}

/// Gives each shard the certificate, now and whenever it changes.
async fn hand_on(mut identity: watch::Receiver<Arc<Identity>>, shards: Vec<ShardSender>) {
    loop {
        let now = identity.borrow_and_update().clone();
        shards.iter().for_each(|shard| shard.identity(now.clone()));
        if identity.changed().await.is_err() {
            return;
        }
    }
}

/// What may change while the server runs.
fn reloadable(config: &TurnConfig, secrets: Vec<String>, own: Vec<IpAddr>) -> Reload {
    Reload {
        credentials: Credentials {
            users: config.users.clone().into_iter().collect(),
            secrets,
            userhash: config.userhash,
        },
        policy: PeerPolicy { allow: config.allow_peers.0.clone(), deny: config.deny_peers.0.clone(), own },
        limits: limits(config),
    }
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
        let secrets = self.secrets.read();
        let secret = secrets.all.first().map_or("", String::as_str);
        madang_turn::mint(secret, user, unix_seconds().saturating_add(ttl.as_secs()))
    }

    /// Takes over users, secrets, peers and limits; what lives goes on.
    pub fn reload(&self, config: &TurnConfig) {
        let secrets = {
            let mut secrets = self.secrets.write();
            // A random one that participants hold goes on: nobody has named another.
            if secrets.are_named || !config.secrets.is_empty() {
                *secrets = Secrets::of(config);
            }
            secrets.all.clone()
        };
        self.streams.limit(config.connections_per_address);
        let reload = Arc::new(reloadable(config, secrets, self.own.clone()));
        self.shards.senders().iter().for_each(|shard| shard.reload(reload.clone()));
    }

    /// Refuses new allocations from now on; those that live go on until they end by themselves, or
    /// until the deadline.
    pub fn drain(&self, deadline: Option<Instant>) {
        self.shards.senders().iter().for_each(|shard| shard.drain(deadline));
    }

    /// Who takes TURN connections that were accepted elsewhere.
    pub(crate) fn streams(&self) -> Streams {
        self.streams.clone()
    }

    /// Who takes ICE-TCP connections that were accepted elsewhere.
    pub(crate) fn shared_port(&self) -> SharedPort {
        self.shards.shared_port()
    }

    /// Live allocations.
    #[must_use]
    pub fn allocations(&self) -> u64 {
        self.metrics.live()
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
        lifetime: u32::try_from(config.longest_lifetime.0.as_secs()).unwrap_or(u32::MAX),
        bandwidth: Bandwidth {
            per_allocation: config.bandwidth_per_allocation,
            per_user: config.bandwidth_per_user,
            total: config.bandwidth,
        },
        unauthenticated: Rate { per_second, burst: per_second * 4.0 },
        ..Limits::default()
    }
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
        handle.shards.senders()[0].stop();
        for _ in 0..500 {
            if handle.is_dead() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(handle.is_dead(), "nobody noticed");
    }
}
