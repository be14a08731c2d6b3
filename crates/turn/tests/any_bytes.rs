//! Whatever comes, the server answers or is silent, and never panics; and its books stay right.

mod world;

use madang_turn::{Input, Limits, RelayId};
use madang_wire::stun::{
    ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, ChannelNumberAttribute, Lifetime, REFRESH, RequestedTransport,
    XorPeerAddress,
};
use proptest::prelude::*;
use world::{Client, PEER, World, addr, config};

/// One thing that a client, a peer or time may do.
#[derive(Clone, Debug)]
enum Step {
    Allocate(u8),
    Refresh(u8, u32),
    Permit(u8, u8),
    Bind(u8, u8, u16),
    Indicate(u8, u8, Vec<u8>),
    Channel(u8, u16, Vec<u8>),
    Disconnect(u8),
    FromPeer(u8, Vec<u8>),
    Raw(u8, Vec<u8>),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let data = || prop::collection::vec(any::<u8>(), 0..20);
    let channel = || 0x4000u16..0x4003;
    prop_oneof![
        (0u8..4).prop_map(Step::Allocate),
        (0u8..4, prop_oneof![Just(0), Just(600), any::<u32>()]).prop_map(|(who, seconds)| Step::Refresh(who, seconds)),
        (0u8..4, 0u8..6).prop_map(|(who, peer)| Step::Permit(who, peer)),
        (0u8..4, 0u8..6, channel()).prop_map(|(who, peer, number)| Step::Bind(who, peer, number)),
        (0u8..4, 0u8..6, data()).prop_map(|(who, peer, data)| Step::Indicate(who, peer, data)),
        (0u8..4, channel(), data()).prop_map(|(who, number, data)| Step::Channel(who, number, data)),
        (0u8..4).prop_map(Step::Disconnect),
        (0u8..4, data()).prop_map(|(relay, data)| Step::FromPeer(relay, data)),
        (0u8..4, prop::collection::vec(any::<u8>(), 0..100)).prop_map(|(who, data)| Step::Raw(who, data)),
        (0u64..400).prop_map(Step::Pass),
    ]
}

/// Peers: outside, forbidden, and relays of others where there are any.
fn peer(world: &World, which: u8) -> String {
    let relays: Vec<String> = world.relays.values().map(ToString::to_string).collect();
    match which {
        0 => PEER.into(),
        1 => "127.0.0.1:80".into(),
        2 => "[2600::1]:1".into(),
        other => relays.get(usize::from(other) - 3).cloned().unwrap_or_else(|| "198.51.100.1:1".into()),
    }
}

fn apply(world: &mut World, clients: &mut [Client], step: Step) {
    match step {
        Step::Allocate(who) => drop(clients[usize::from(who)].clone().allocate(world)),
        Step::Refresh(who, seconds) => drop(clients[usize::from(who)].refresh(world, seconds)),
        Step::Permit(who, which) => {
            let peer = peer(world, which);
            clients[usize::from(who)].permit(world, &[&peer]);
        }
        Step::Bind(who, which, number) => {
            let peer = peer(world, which);
            clients[usize::from(who)].bind(world, number, &peer);
        }
        Step::Indicate(who, which, data) => {
            let peer = peer(world, which);
            clients[usize::from(who)].indicate(world, &peer, &data);
        }
        Step::Channel(who, number, data) => clients[usize::from(who)].channel_data(world, number, &data),
        Step::Disconnect(who) => world.input(Input::Disconnected { client: clients[usize::from(who)].tuple }),
        Step::FromPeer(relay, data) => {
            world.input(Input::Peer { relay: RelayId(relay.into()), from: addr(PEER), data: &data })
        }
        Step::Raw(who, data) => drop(world.send(clients[usize::from(who)].tuple, &data)),
        Step::Pass(seconds) => {
            world.pass(seconds);
            clients.iter_mut().for_each(|client| drop(client.challenge(world)));
        }
    }
}

proptest! {
    #[test]
    fn relays_and_allocations_agree_after_anything(steps in prop::collection::vec(step(), 0..60)) {
        let limits = Limits { allocations: 3, permissions: 2, channels: 2, ..Limits::default() };
        let mut world = World::with(madang_turn::Config { limits, ..config() });
        let mut clients: Vec<Client> = (0..4).map(|n| Client::alice(&format!("192.0.2.1:{}", 1000 + n))).collect();
        clients.iter_mut().for_each(|client| drop(client.challenge(&mut world)));
        for step in steps {
            apply(&mut world, &mut clients, step);
            prop_assert_eq!(world.relays.len(), world.server.allocations());
            prop_assert!(world.server.allocations() <= 3);
            let forbidden = |(_, to, _): &(_, std::net::SocketAddr, _)| to.ip().is_loopback() || to.ip() == addr("198.51.100.1:0").ip();
            prop_assert!(!world.to_peers.iter().any(forbidden), "{:?}", world.to_peers);
        }
        world.pass(4000);
        prop_assert_eq!(world.server.allocations(), 0);
        prop_assert!(world.relays.is_empty());
        prop_assert_eq!(world.server.counters().allocations, [0; 4]);
    }

    #[test]
    fn a_mutated_request_never_panics_and_never_grants(
        which in 0usize..4,
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut world = World::new();
        let mut alice = Client::alice("192.0.2.1:1000");
        alice.challenge(&mut world);
        if which > 0 {
            alice.allocate(&mut world);
        }
        let peer = XorPeerAddress::new(addr(PEER), 5.into());
        let number = ChannelNumberAttribute::new(0x4000);
        let mut bytes = match which {
            0 => alice.request(ALLOCATE, 5.into(), &[&RequestedTransport::new(17)]),
            1 => alice.request(REFRESH, 5.into(), &[&Lifetime::new(0)]),
            2 => alice.request(CREATE_PERMISSION, 5.into(), &[&peer]),
            _ => alice.request(CHANNEL_BIND, 5.into(), &[&number, &peer]),
        };
        let original = bytes.clone();
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= bit;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let before = world.server.allocations();
        world.send(alice.tuple, &bytes);
        // Flips may undo each other; all else must change nothing that integrity protects.
        if bytes.get(..original.len()) != Some(&original[..]) {
            prop_assert_eq!(world.server.allocations(), before);
            alice.indicate(&mut world, PEER, b"x");
            prop_assert!(world.to_peers.is_empty());
        }
    }
}
