//! One server of several shards.

mod world;

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
};

use madang_turn::{Config, Directory, Input, Limits, Output, Shard};
use madang_wire::stun::{EvenPort, ReservationToken};
use world::{Answer, Client, World, addr, config, indication};

/// What all shards know, told by the tests.
#[derive(Debug, Default)]
struct Known(Mutex<Vec<(SocketAddr, Shard)>>);

impl Directory for Known {
    fn shard_of(&self, relayed: &SocketAddr) -> Option<Shard> {
        let known = self.0.lock().expect("no panic while it is held");
        known.iter().find(|(address, _)| address == relayed).map(|(_, shard)| *shard)
    }

    fn relays_on(&self, ip: IpAddr) -> bool {
        self.0.lock().expect("no panic while it is held").iter().any(|(address, _)| address.ip() == ip)
    }
}

fn shards(limits: Limits) -> ([World; 2], Arc<Known>) {
    let known = Arc::new(Known::default());
    let config = Config { directory: Some(known.clone()), limits, ..config() };
    let first = World::with(config.clone());
    let mut second = World::at(Config { shard: 1, ..config }, first.now);
    // Ports are of one machine.
    second.skip_ports(1000);
    ([first, second], known)
}

fn allocated(world: &mut World, address: &str, known: &Known, shard: Shard) -> (Client, SocketAddr) {
    let mut client = Client::alice(address);
    let relayed = client.allocate(world).relayed();
    known.0.lock().expect("no panic while it is held").push((relayed, shard));
    (client, relayed)
}

#[test]
fn allocations_of_two_shards_meet_without_the_network() {
    let ([mut first, mut second], known) = shards(Limits::default());
    let (alice, at_alice) = allocated(&mut first, "192.0.2.1:1000", &known, 0);
    let (carol, at_carol) = allocated(&mut second, "192.0.2.9:1000", &known, 1);
    // The address is the server's own, and out of reach but for this.
    assert_eq!(alice.bind(&mut first, 0x4000, &at_carol.to_string()).code(), 0);
    assert_eq!(alice.bind(&mut first, 0x4001, "198.51.100.1:22").code(), 403);
    alice.channel_data(&mut first, 0x4000, b"hello");
    assert!(first.to_peers.is_empty());
    assert_eq!(first.to_siblings, [(1, at_alice, at_carol, b"hello".to_vec())]);
    second.clear();
    second.input(Input::Sibling { to: at_carol, from: at_alice, data: b"hello" });
    assert!(second.to_clients.is_empty(), "the receiver's permission counts");
    assert_eq!(carol.permit(&mut second, &[&at_alice.to_string()]).code(), 0);
    second.clear();
    second.input(Input::Sibling { to: at_carol, from: at_alice, data: b"hello" });
    assert_eq!(indication(&second.to_clients[0].1), (at_alice, b"hello".to_vec()));
    second.peer_sends(at_carol, at_alice, b"from outside");
    assert!(second.to_clients.is_empty(), "nothing of ours comes by the network");
    // What has ended is nowhere.
    known.0.lock().expect("no panic while it is held").retain(|(_, shard)| *shard == 0);
    alice.channel_data(&mut first, 0x4000, b"gone");
    assert!(first.to_peers.is_empty() && first.to_siblings.is_empty());
}

#[test]
fn outside_peers_are_not_looked_up() {
    let ([mut first, _], known) = shards(Limits::default());
    let (alice, relayed) = allocated(&mut first, "192.0.2.1:1000", &known, 0);
    alice.bind(&mut first, 0x4000, world::PEER);
    // Held, so that a look-up would never come back.
    let _held = known.0.lock().expect("no panic while it is held");
    alice.channel_data(&mut first, 0x4000, b"hello");
    assert_eq!(first.to_peers, [(relayed, addr(world::PEER), b"hello".to_vec())]);
}

#[test]
fn quotas_hold_over_all_shards() {
    let limits = Limits { allocations_per_user: 2, ..Limits::default() };
    let ([mut first, mut second], _) = shards(limits);
    let mut alice = Client::alice("192.0.2.1:1000");
    assert_eq!(alice.allocate(&mut first).code(), 0);
    assert_eq!(Client::alice("192.0.2.2:1000").allocate(&mut second).code(), 0);
    assert_eq!(Client::alice("192.0.2.3:1000").allocate(&mut second).code(), 486);
    assert_eq!(Client::alice("192.0.2.3:1001").allocate(&mut first).code(), 486);
    alice.refresh(&mut first, 0);
    assert_eq!(Client::alice("192.0.2.3:1002").allocate(&mut second).code(), 0);
}

#[test]
fn a_reserved_port_of_another_shard_is_taken_there() {
    let ([mut first, mut second], _) = shards(Limits::default());
    let mut alice = Client::alice("192.0.2.1:1000");
    let answer = alice.allocate_with(&mut second, &[&EvenPort::new(true)]);
    let token = answer.message().attribute::<ReservationToken>().expect("a token").token();
    let mut next = Client::alice("192.0.2.1:1001");
    next.challenge(&mut first);
    let udp = madang_wire::stun::RequestedTransport::new(17);
    let request = next.request(madang_wire::stun::ALLOCATE, 70.into(), &[&udp, &ReservationToken::new(token)]);
    assert!(first.send(next.tuple, &request).is_empty());
    assert!(matches!(first.others[..], [Output::PassOn { shard: 1 }]));
    let taken = Answer(second.send(next.tuple, &request).remove(0));
    assert_eq!(taken.relayed().port(), answer.relayed().port() + 1);
    // From then on all of it goes there.
    first.send(next.tuple, b"\x40\x00\x00\x02hi");
    assert!(matches!(first.others[..], [Output::PassOn { shard: 1 }]));
    assert_eq!(first.server.allocations(), 0);
}
