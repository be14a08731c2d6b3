//! What the server core is told at the start, and what may change while it runs.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{Alternates, Credentials, PeerPolicy, Quota, Rate, io::Shard};

/// Configuration of a [`Server`](crate::Server).
///
/// The shards of one server get the same but for `shard`.
#[derive(Clone, Debug)]
pub struct Config {
    /// The realm of long-term credentials, at most 64 bytes: it is in every answer to a stranger.
    pub realm: String,
    /// Who may allocate.
    pub credentials: Credentials,
    /// Which peers may be reached.
    pub policy: PeerPolicy,
    /// The media ports of this very server. Clients may have them as peers, and what they send
    /// there is handed over in process ([`Route::Media`](crate::Route::Media)).
    pub media: Vec<SocketAddr>,
    /// Whether the shell can open relays with IPv4 addresses.
    pub relay_ipv4: bool,
    /// Whether the shell can open relays with IPv6 addresses.
    pub relay_ipv6: bool,
    /// Whether the shell can send datagrams with the DF bit set. If not, DONT-FRAGMENT is an
    /// unknown attribute (RFC 8656 §7.2).
    pub dont_fragment: bool,
    /// Whether clients may have TCP relays (RFC 6062).
    pub tcp_relay: bool,
    /// Whether allocations may move with their clients (RFC 8016).
    pub mobility: bool,
    /// The second addresses and ports of listeners, for the discovery of NAT behaviour (RFC 5780):
    /// one entry for each family that has them, none to do without.
    pub alternates: Vec<Alternates>,
    /// Whether RESPONSE-PORT and PADDING (RFC 5780 §7.5, §7.6) are understood. They let a stranger
    /// send answers to ports that did not ask, and large ones, so they are better left off.
    pub response_port_and_padding: bool,
    /// The value of SOFTWARE in answers to clients who have authenticated. Better left out: it
    /// tells those who look for weak servers what they have found.
    pub software: Option<String>,
    /// Which shard this is, of fewer than 1024. Tickets, reservations and connections are named by it.
    pub shard: Shard,
    /// How many shards there are: what names another one is of no server of ours.
    pub shards: Shard,
    /// Where to find the relays of the server's other shards.
    pub directory: Option<Arc<dyn Directory>>,
    /// The places of all shards.
    pub quota: Arc<Quota>,
    /// Limits.
    pub limits: Limits,
}

impl Config {
    /// One shard that relays over IPv4 between public addresses, with nothing switched on that is
    /// off by default, and nobody who may use it yet.
    #[must_use]
    pub fn new(realm: &str, now: Instant) -> Self {
        Self {
            realm: realm.to_owned(),
            credentials: Credentials::default(),
            policy: PeerPolicy::default(),
            media: Vec::new(),
            relay_ipv4: true,
            relay_ipv6: false,
            dont_fragment: true,
            tcp_relay: false,
            mobility: false,
            alternates: Vec::new(),
            response_port_and_padding: false,
            software: None,
            shard: 0,
            shards: 1,
            directory: None,
            quota: Arc::new(Quota::new(now)),
            limits: Limits::default(),
        }
    }
}

/// What one shard knows of the relays of others.
///
/// Asked when permissions are made, and for each packet to an address that had relays then; so it
/// should answer fast.
pub trait Directory: fmt::Debug + Send + Sync {
    /// The shard on which a live allocation has exactly this relayed address.
    fn shard_of(&self, relayed: &SocketAddr) -> Option<Shard>;

    /// Whether any live allocation of any shard has a relayed address on `ip`.
    fn relays_on(&self, ip: IpAddr) -> bool;
}

/// What [`Input::Reload`](crate::Input::Reload) replaces.
#[derive(Clone, Debug)]
pub struct Reload {
    /// Who may allocate.
    pub credentials: Credentials,
    /// Which peers may be reached, from the next permission on.
    pub policy: PeerPolicy,
    /// Limits. What is over a new one already stays. [`Limits::nonce_lifetime`] and
    /// [`Limits::unauthenticated`] count from now on, as do the bandwidths.
    pub limits: Limits,
}

/// Bounds on what clients can take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Allocations of one user, on all shards together. One with an address of each family counts
    /// as one.
    pub allocations_per_user: usize,
    /// Allocations of one client address (for IPv6, of its /64), on all shards together.
    pub allocations_per_address: usize,
    /// Allocations in all, on all shards together.
    pub allocations: usize,
    /// Permissions of one allocation.
    pub permissions: usize,
    /// Channels of one allocation, at most 255.
    pub channels: usize,
    /// TCP connections with peers of one allocation (RFC 6062).
    pub connections: usize,
    /// How much may be relayed.
    pub bandwidth: Bandwidth,
    /// The longest lifetime that an allocation gets at once, in seconds. RFC 8656 §7.2 recommends
    /// 3600; less than the 600 that is the least there is counts as 600.
    pub lifetime: u32,
    /// Clients of other shards whose packets are passed on; the ones that were silent longest are
    /// forgotten first.
    pub passed_on: usize,
    /// Answers to those who have not authenticated.
    pub unauthenticated: Rate,
    /// How long a nonce is fresh.
    pub nonce_lifetime: Duration,
}

/// Bytes of application data per second, of both directions together; 0 for no limit. What is over
/// it is dropped ([`Counters::over_rate`](crate::Counters::over_rate)). A second's worth may come at
/// once. Data of TCP relays does not pass the core and is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bandwidth {
    /// Of one allocation.
    pub per_allocation: u64,
    /// Of one user's allocations together, on all shards.
    pub per_user: u64,
    /// Of all allocations together, on all shards.
    pub total: u64,
}

impl Bandwidth {
    pub(crate) const fn is_limited(&self) -> bool {
        self.per_allocation > 0 || self.per_user > 0 || self.total > 0
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            allocations_per_user: 200,
            allocations_per_address: 1000,
            allocations: 10_000,
            permissions: 256,
            channels: 255,
            connections: 64,
            bandwidth: Bandwidth::default(),
            lifetime: 3600,
            passed_on: 65_536,
            unauthenticated: Rate { per_second: 100.0, burst: 400.0 },
            nonce_lifetime: Duration::from_secs(600),
        }
    }
}
