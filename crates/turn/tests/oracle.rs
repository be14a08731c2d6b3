//! The server as a client that nobody here wrote sees it: `turn-client-proto`.

mod world;

use std::time::Duration;

use madang_turn::{Config, Credentials};
use madang_wire::{
    FiveTuple,
    stun::{AddressFamily, IntegrityAlgorithm},
};
use turn_client_proto::{
    api::{TurnConfig, TurnEvent, TurnPollRet, TurnRecvRet},
    prelude::*,
    stun::{Instant, agent::Transmit, auth::Feature, types::TransportType},
    types::TurnCredentials,
    udp::TurnClientUdp,
};
use world::{PEER, World, addr, config};

struct Oracle {
    client: TurnClientUdp,
    tuple: FiveTuple,
    events: Vec<TurnEvent>,
    received: Vec<(std::net::SocketAddr, Vec<u8>)>,
    begin: std::time::Instant,
}

/// It waits this long between two requests, and longer for other things.
const CADENCE: Duration = Duration::from_millis(60);

fn credentials() -> TurnConfig {
    TurnConfig::new(TurnCredentials::new("alice", "wonder"))
}

impl Oracle {
    fn new(world: &World, config: TurnConfig) -> Self {
        let tuple = world::Client::alice("192.0.2.1:1000").tuple;
        let client = TurnClientUdp::allocate(tuple.client, tuple.server, config);
        Self { client, tuple, events: Vec::new(), received: Vec::new(), begin: world.now }
    }

    fn now(&self, world: &World) -> Instant {
        Instant::ZERO + (world.now - self.begin)
    }

    /// What the server has sent goes to the client.
    fn take(&mut self, world: &mut World) {
        for (to, bytes) in std::mem::take(&mut world.to_clients) {
            assert_eq!(to, self.tuple);
            let transmit = Transmit::new(bytes, TransportType::Udp, to.server, to.client);
            let now = self.now(world);
            match self.client.recv(transmit, now) {
                // It passes over a second 401, which nobody could have signed.
                TurnRecvRet::Handled | TurnRecvRet::Ignored(_) => {}
                TurnRecvRet::PeerData(data) => self.received.push((data.peer, data.data().to_vec())),
                other => unreachable!("{other:?}"),
            }
        }
    }

    /// Both talk until neither has anything to say.
    fn talk(&mut self, world: &mut World) {
        loop {
            let now = self.now(world);
            let next = self.client.poll(now);
            let sent = self.client.poll_transmit(now).map(|transmit| transmit.data.to_vec());
            self.events.extend(std::iter::from_fn(|| self.client.poll_event()));
            match (sent, next) {
                (Some(data), _) => {
                    world.send(self.tuple, &data);
                    self.take(world);
                }
                (None, TurnPollRet::WaitUntil(at)) if at > now && at <= now + CADENCE => {
                    world.now += at.duration_since(now);
                }
                (None, _) => return,
            }
        }
    }

    fn send(&mut self, world: &mut World, to: &str, data: &[u8]) {
        let now = self.now(world);
        let transmit = self.client.send_to(TransportType::Udp, addr(to), data, now);
        let transmit = transmit.expect("allowed").expect("over UDP there is something to send");
        world.send(self.tuple, &transmit.build().data);
    }

    fn relayed(&self) -> Vec<std::net::SocketAddr> {
        self.client.relayed_addresses().map(|(_, address)| address).collect()
    }
}

#[test]
fn it_allocates_permits_binds_sends_receives_refreshes_and_deletes() {
    let mut userhash = credentials();
    userhash.set_anonymous_username(Feature::Required);
    userhash.set_supported_integrity(IntegrityAlgorithm::Sha256);
    let mut sha256 = credentials();
    sha256.set_supported_integrity(IntegrityAlgorithm::Sha256);
    let mut both = credentials();
    both.add_address_family(AddressFamily::IPV6);
    for (name, wish, relays) in
        [("plain", credentials(), 1), ("SHA-256", sha256, 1), ("userhash", userhash, 1), ("dual", both, 2)]
    {
        let users = config().credentials.users;
        let credentials = Credentials { users, userhash: true, ..Credentials::default() };
        let mut world = World::with(Config { credentials, ..config() });
        let mut oracle = Oracle::new(&world, wish);
        oracle.talk(&mut world);
        assert_eq!(oracle.relayed().len(), relays, "{name}: {:?}", oracle.events);
        let relayed = *oracle.relayed().iter().find(|address| address.is_ipv4()).expect("an IPv4 one");
        assert_eq!(world.server.allocations(), 1);

        let now = oracle.now(&world);
        oracle.client.create_permission(TransportType::Udp, addr(PEER).ip(), now).expect("allowed");
        oracle.talk(&mut world);
        oracle.send(&mut world, PEER, b"by indication");
        assert_eq!(world.to_peers, [(relayed, addr(PEER), b"by indication".to_vec())], "{name}");
        world.peer_sends(relayed, addr(PEER), b"an answer");
        oracle.take(&mut world);
        let now = oracle.now(&world);
        oracle.client.bind_channel(TransportType::Udp, addr(PEER), now).expect("allowed");
        oracle.talk(&mut world);
        oracle.send(&mut world, PEER, b"on a channel");
        assert_eq!(world.to_peers, [(relayed, addr(PEER), b"on a channel".to_vec())], "{name}");
        world.peer_sends(relayed, addr(PEER), b"another");
        assert_eq!(world.to_clients[0].1.len(), 4 + 7, "on the channel");
        oracle.take(&mut world);
        let expected = [b"an answer".to_vec(), b"another".to_vec()].map(|data| (addr(PEER), data));
        assert_eq!(oracle.received, expected, "{name}");

        // It refreshes by itself, past the first nonce.
        for _ in 0..40 {
            world.pass(50);
            oracle.talk(&mut world);
        }
        assert_eq!(world.server.allocations(), 1, "{name}");
        oracle.send(&mut world, PEER, b"still");
        assert_eq!(world.to_peers.len(), 1, "{name}");
        let now = oracle.now(&world);
        oracle.client.delete(now).expect("allowed");
        oracle.talk(&mut world);
        assert_eq!((world.server.allocations(), world.relays.len()), (0, 0), "{name}");
    }
}

#[test]
fn a_forbidden_peer_and_a_wrong_password_are_understood() {
    let mut world = World::new();
    let mut oracle = Oracle::new(&world, credentials());
    oracle.talk(&mut world);
    let forbidden = addr("127.0.0.1:80").ip();
    let now = oracle.now(&world);
    oracle.client.create_permission(TransportType::Udp, forbidden, now).expect("a request");
    oracle.talk(&mut world);
    let failed = |event: &TurnEvent| matches!(event, TurnEvent::PermissionCreateFailed(_, ip) if *ip == forbidden);
    assert!(oracle.events.iter().any(failed), "{:?}", oracle.events);
    let mut world = World::new();
    let mut stranger = Oracle::new(&world, TurnConfig::new(TurnCredentials::new("alice", "guess")));
    for _ in 0..10 {
        stranger.talk(&mut world);
        world.now += Duration::from_secs(1);
    }
    assert!(stranger.relayed().is_empty());
    assert_eq!(world.server.allocations(), 0);
}
