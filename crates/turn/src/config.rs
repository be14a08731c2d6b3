//! What the server core is told at the start.

use std::{net::SocketAddr, time::Duration};

use crate::{Credentials, PeerPolicy, Rate};

/// Configuration of a [`Server`](crate::Server).
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
    /// Limits.
    pub limits: Limits,
}

/// Bounds on what clients can take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Allocations of one user.
    pub allocations_per_user: usize,
    /// Allocations of one client address (for IPv6, of its /64).
    pub allocations_per_address: usize,
    /// Allocations in all.
    pub allocations: usize,
    /// Permissions of one allocation.
    pub permissions: usize,
    /// Channels of one allocation, at most 255.
    pub channels: usize,
    /// Answers to those who have not authenticated.
    pub unauthenticated: Rate,
    /// How long a nonce is fresh.
    pub nonce_lifetime: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            allocations_per_user: 200,
            allocations_per_address: 1000,
            allocations: 10_000,
            permissions: 256,
            channels: 255,
            unauthenticated: Rate { per_second: 100.0, burst: 400.0 },
            nonce_lifetime: Duration::from_secs(600),
        }
    }
}
