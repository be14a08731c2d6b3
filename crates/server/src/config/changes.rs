//! What differs between two configurations, and what of it a running server takes over.

use toml::Table;

use super::{Config, TlsMode, keys, load::lookup};

/// A key whose value is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its path.
    pub key: &'static str,
    /// Whether a running server takes it over; if not, it has to be started anew.
    pub live: bool,
}

/// Keys that a running server takes over: what [`Config::take_over`] copies.
const LIVE: [&str; 18] = [
    "http.max_connections",
    "http.max_connections_per_address",
    "log.level",
    "tls.cert",
    "tls.key",
    "turn.secrets",
    "turn.users",
    "turn.allow_peers",
    "turn.deny_peers",
    "turn.allocations_per_user",
    "turn.allocations_per_address",
    "turn.allocations",
    "turn.longest_lifetime",
    "turn.bandwidth_per_allocation",
    "turn.bandwidth_per_user",
    "turn.bandwidth",
    "turn.connections_per_address",
    "turn.unauthenticated_per_second",
];

impl Config {
    /// The keys that have another value in `new`.
    #[must_use]
    pub fn changes(&self, new: &Self) -> Vec<Change> {
        let table = |config: &Self| Table::try_from(config).expect("every configuration is representable in TOML");
        let (old, newer) = (table(self), table(new));
        let same_files = self.tls.mode == TlsMode::Files && new.tls.mode == TlsMode::Files;
        let live = |key: &str| LIVE.contains(&key) && (same_files || !key.starts_with("tls."));
        keys::all()
            .filter(|key| lookup(&old, key.path) != lookup(&newer, key.path))
            .map(|key| Change { key: key.path, live: live(key.path) })
            .collect()
    }

    /// Takes over what a running server can.
    pub(crate) fn take_over(&mut self, new: &Self) {
        self.http.max_connections = new.http.max_connections;
        self.http.max_connections_per_address = new.http.max_connections_per_address;
        self.log.level.clone_from(&new.log.level);
        if self.tls.mode == TlsMode::Files && new.tls.mode == TlsMode::Files {
            self.tls = new.tls.clone();
        }
        let (turn, new) = (&mut self.turn, &new.turn);
        turn.secrets = new.secrets.clone();
        turn.users.clone_from(&new.users);
        turn.allow_peers = new.allow_peers.clone();
        turn.deny_peers = new.deny_peers.clone();
        turn.allocations_per_user = new.allocations_per_user;
        turn.allocations_per_address = new.allocations_per_address;
        turn.allocations = new.allocations;
        turn.longest_lifetime = new.longest_lifetime;
        turn.bandwidth_per_allocation = new.bandwidth_per_allocation;
        turn.bandwidth_per_user = new.bandwidth_per_user;
        turn.bandwidth = new.bandwidth;
        turn.connections_per_address = new.connections_per_address;
        turn.unauthenticated_per_second = new.unauthenticated_per_second;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHER: &str = "
        [http]
        listen = \"127.0.0.1:9\"
        max_connections = 7
        max_connections_per_address = 6
        [log]
        level = \"debug\"
        format = \"json\"
        [tls]
        mode = \"files\"
        cert = \"new.pem\"
        key = \"new.key\"
        [mix]
        bitrate = 900000
        [turn]
        realm = \"elsewhere\"
        secrets = [\"new\"]
        allow_peers = \"10.0.0.0/8\"
        deny_peers = \"10.1.0.0/16\"
        allocations_per_user = 1
        allocations_per_address = 2
        allocations = 3
        longest_lifetime = \"20m\"
        bandwidth_per_allocation = 4
        bandwidth_per_user = 5
        bandwidth = 6
        connections_per_address = 7
        unauthenticated_per_second = 8
        [turn.users]
        ada = \"lace\"";

    #[test]
    fn what_is_live_is_taken_over_and_nothing_else() {
        let mut running =
            Config::parse("a test", "tls.mode = \"files\"\ntls.cert = \"a\"\ntls.key = \"b\"").expect("valid");
        let new = Config::parse("a test", OTHER).expect("valid");
        let changes = running.changes(&new);
        let mut live: Vec<_> = changes.iter().filter(|change| change.live).map(|change| change.key).collect();
        let mut all = LIVE.to_vec();
        live.sort_unstable();
        all.sort_unstable();
        assert_eq!(live, all, "the test changes every live key");
        running.take_over(&new);
        let left: Vec<_> = running.changes(&new).into_iter().map(|change| (change.key, change.live)).collect();
        assert_eq!(
            left,
            [("http.listen", false), ("log.format", false), ("turn.realm", false), ("mix.bitrate", false)]
        );
    }

    #[test]
    fn another_kind_of_certificate_needs_a_restart() {
        let (mut running, new) = (Config::default(), Config::parse("a test", OTHER).expect("valid"));
        let tls = |changes: Vec<Change>| changes.into_iter().filter(|change| change.key.starts_with("tls.")).count();
        assert!(running.changes(&new).iter().all(|change| !change.live || !change.key.starts_with("tls.")));
        running.take_over(&new);
        assert_eq!(tls(running.changes(&new)), 3);
    }
}
