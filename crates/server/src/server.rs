//! A running server: everything bound, everything wired.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use madang_protocol::{BitsPerSecond, Codecs, Limits};
use madang_room::{ConnectionId, Settings};
use serde::Serialize;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_rustls::TlsAcceptor;

use crate::{
    addresses::{self, PublicAddresses},
    auth::Gate,
    config::{AlternateAddress, Change, Config, TlsMode},
    drain::Drain,
    http::{self, check::Checks},
    ice::IceServers,
    listen::{Permits, Web},
    metrics::{MediaMetrics, Metrics},
    reload::Reloader,
    shard::{self, OpenMedia},
    signaling::{arrivals::Arrivals, local::LocalRooms, rooms::Rooms},
    tls::{Tls, TlsError},
    turn::{self, TurnMetrics, TurnTls},
};

/// Connections in all whose TLS handshake isn't done: each may last as long as a handshake may.
const HALF_OPEN: u32 = 4096;

/// The same of one network, which may be a whole office that comes back after a restart.
const HALF_OPEN_PER_NETWORK: u32 = 512;

/// How long the last words to everyone may take when the server goes down.
const FAREWELL: Duration = Duration::from_secs(3);

/// When clients of a server that goes down are to come back.
const RETRY_AFTER_MS: u32 = 500;

/// The server could not start. The process ends.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address} ({key}): {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The key of the configuration that names it.
        key: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// STUN and TURN cannot be served.
    #[error(transparent)]
    Turn(#[from] turn::StartError),
    /// Media ports cannot be opened.
    #[error(transparent)]
    Media(#[from] shard::StartError),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Addresses {
    /// Base URLs of the web server.
    pub http: Vec<String>,
    /// STUN and TURN over UDP and TCP.
    pub turn: Vec<SocketAddr>,
    /// STUN and TURN over TLS.
    pub turn_tls: Vec<SocketAddr>,
    /// Media of forwarded rooms, over UDP and TCP; what clients are told.
    pub media: Vec<SocketAddr>,
}

/// What every connection shares.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) gate: Gate,
    pub(crate) rooms: Arc<dyn Rooms>,
    pub(crate) ice: IceServers,
    pub(crate) metrics: Metrics,
    pub(crate) drain: Drain,
    pub(crate) signaling_permits: Permits,
    pub(crate) arrivals: Arrivals,
    pub(crate) checks: Checks,
    connections: AtomicU64,
}

impl App {
    pub(crate) fn next_connection(&self) -> ConnectionId {
        ConnectionId(self.connections.fetch_add(1, Ordering::Relaxed))
    }
}

/// A running server.
pub struct Server {
    app: Arc<App>,
    addresses: Addresses,
    reloader: Reloader,
    tasks: Vec<JoinHandle<()>>,
}

impl Server {
    /// Binds everything, then serves. Needs a tokio runtime.
    ///
    /// # Errors
    /// When an address or a certificate cannot be used; nothing is left running then.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let listeners = bind("http.listen", &config.http.listen).await?;
        let tls = Tls::new(&config, &addresses::of_this_machine(&config.public_ip))?.map(Arc::new);
        let turn_metrics = TurnMetrics::new();
        let turn_tls = tls.as_ref().map(|tls| TurnTls { config: tls.config.clone(), identity: Some(tls.identity()) });
        let http: Vec<SocketAddr> = listeners.iter().map(|(_, address)| *address).collect();
        let media_metrics = MediaMetrics::default();
        let alternates = config.turn.alternate_addresses.iter().map(AlternateAddress::ip);
        let public = PublicAddresses::new(&config.public_ip, alternates);
        let media = OpenMedia::new(&config.media, &config.mix, &public, &http)?;
        let media_addresses = media.addresses();
        let (turn, events) =
            turn::start_with(&config.turn, &config.public_ip, turn_tls, turn_metrics.clone(), media, &media_metrics)?;
        let scheme = if config.tls.mode == TlsMode::Off { "http" } else { "https" };
        let addresses = Addresses {
            http: listeners.iter().map(|(_, address)| format!("{scheme}://{address}")).collect(),
            turn: turn.addresses().turn.clone(),
            turn_tls: turn.addresses().turn_tls.clone(),
            media: media_addresses,
        };
        let (streams, shared_port) = (turn.streams(), turn.shared_port());
        let metrics = Metrics::new();
        metrics.register(|registry| turn_metrics.register(registry));
        metrics.register(|registry| media_metrics.register(registry));
        let rooms = LocalRooms::start(room_settings(&config), config.room.topology, Arc::new(turn.rooms()));
        let carried = tokio::spawn(carry_events(events, rooms.clone()));
        let app = Arc::new(App {
            gate: Gate::new(&config.auth),
            rooms: rooms.clone(),
            ice: IceServers::new(turn, public, if tls.is_some() { http } else { Vec::new() }),
            metrics,
            drain: Drain::new(),
            signaling_permits: Permits::new(u32::MAX, config.signaling.max_connections_per_address),
            arrivals: Arrivals::new(config.signaling.max_connections_per_address, config.room.resume_grace.0),
            checks: Checks::new(),
            connections: AtomicU64::new(1),
            config,
        });
        let web = Web {
            router: http::router(app.clone()),
            tls: tls.as_ref().map(|tls| TlsAcceptor::from(tls.config.clone())),
            permits: Permits::new(app.config.http.max_connections, app.config.http.max_connections_per_address),
            half_open: Permits::by_network(HALF_OPEN, HALF_OPEN_PER_NETWORK),
            turn: streams,
            ice_tcp: shared_port,
            handshake_timeout: app.config.http.handshake_timeout.0,
        };
        let mut tasks: Vec<_> =
            listeners.into_iter().map(|(listener, _)| tokio::spawn(web.clone().accept(listener))).collect();
        tasks.extend(tls.clone().map(|tls| tokio::spawn(tls.keep_fresh())));
        tasks.push(carried);
        let reloader = Reloader::new(app.clone(), tls, web.permits);
        Ok(Self { app, addresses, reloader, tasks })
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Takes over what of a changed configuration it can without touching what lives: users,
    /// secrets, peers and limits of TURN, connection limits, certificates. Says what is another
    /// than before; what isn't [`Change::live`] needs a restart. `log.level` is the caller's.
    ///
    /// # Errors
    /// When the certificate cannot be used; nothing has changed then.
    pub fn reload(&self, config: &Config) -> Result<Vec<Change>, TlsError> {
        self.reloader.reload(config)
    }

    /// Goes down without dropping anyone: newcomers are refused from now on; after the
    /// configured grace everyone is told to come back; it ends when no relay is in use any more,
    /// or after the configured grace for that.
    pub async fn drain(self) {
        let app = &self.app;
        app.drain.begin();
        let (grace, turn_grace) = (app.config.signaling.drain.0, app.config.turn.drain.0);
        app.ice.drain(Instant::now() + grace + turn_grace);
        let nobody = || app.metrics.connections.get() == 0;
        tracing::info!(connections = app.metrics.connections.get(), "draining");
        wait_for(grace, nobody).await;
        app.rooms.drain(RETRY_AFTER_MS);
        wait_for(FAREWELL, nobody).await;
        // Others than our own participants may use the relay.
        wait_for(turn_grace, || app.ice.allocations() == 0).await;
        // Those that are left end now, with a line in the books each.
        app.ice.drain(Instant::now());
        wait_for(FAREWELL, || app.ice.allocations() == 0).await;
        self.stop().await;
    }

    /// Ends at once; every listener is closed when this returns.
    pub async fn stop(mut self) {
        for task in std::mem::take(&mut self.tasks) {
            task.abort();
            // The only result is that it was aborted.
            let _ = task.await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Brings what the media shards say to the rooms that it is about.
async fn carry_events(mut events: shard::Events, rooms: Arc<LocalRooms>) {
    while let Some((room, event)) = events.recv().await {
        rooms.media_event(room, event);
    }
}

async fn wait_for(most: Duration, done: impl Fn() -> bool) {
    let end = Instant::now() + most;
    while !done() && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn bind(key: &'static str, addresses: &[SocketAddr]) -> Result<Vec<(TcpListener, SocketAddr)>, StartError> {
    let mut listeners = Vec::new();
    for &address in addresses {
        let failed = |source| StartError::Listen { address, key, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        listeners.push((listener, bound));
    }
    Ok(listeners)
}

fn room_settings(config: &Config) -> Settings {
    let (room, signaling) = (&config.room, &config.signaling);
    Settings {
        limits: Limits {
            messages_per_second: signaling.messages_per_second,
            message_burst: signaling.message_burst,
            tracks: room.max_tracks,
            participants: room.max_participants,
            ..Limits::default()
        },
        codecs: Codecs { audio: room.audio_codecs.clone(), video: room.video_codecs.clone() },
        max_send_bps: (room.max_send_bps > 0).then_some(BitsPerSecond(room.max_send_bps)),
        max_receive_bps: (room.max_receive_bps > 0).then_some(BitsPerSecond(room.max_receive_bps)),
        resume_grace: room.resume_grace.0,
        ping_interval: signaling.ping_interval.0,
        mix: config.mix.for_rooms(),
        ..Settings::default()
    }
}

/// URLs that other machines can use, for a server that listens on every address.
#[must_use]
pub fn network_urls(addresses: &Addresses, config: &Config) -> Vec<String> {
    let ours: Vec<IpAddr> =
        addresses::of_this_machine(&config.public_ip).into_iter().filter(|ip| !ip.is_loopback()).collect();
    let mut urls = Vec::new();
    for url in &addresses.http {
        let Some((scheme, rest)) = url.split_once("://") else { continue };
        let Ok(address) = rest.parse::<SocketAddr>() else { continue };
        if !address.ip().is_unspecified() {
            continue;
        }
        let same_family = ours.iter().filter(|ip| ip.is_ipv4() == address.is_ipv4());
        urls.extend(same_family.map(|ip| format!("{scheme}://{}", SocketAddr::new(*ip, address.port()))));
    }
    urls
}
