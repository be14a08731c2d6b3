//! Lifetimes, permissions and channels against a model that is too simple to be wrong.

mod world;

use std::collections::HashMap;

use madang_wire::ChannelData;
use proptest::prelude::*;
use world::{Client, World, addr, channel};

#[derive(Clone, Debug)]
enum Step {
    Allocate,
    Refresh(u32),
    Permit(u8),
    Bind(u16, u8),
    Indicate(u8),
    Channel(u16),
    FromPeer(u8, u16),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let number = || 0x4000u16..0x4004;
    prop_oneof![
        1 => Just(Step::Allocate),
        1 => prop_oneof![Just(0u32), 1u32..5000].prop_map(Step::Refresh),
        3 => (0u8..3).prop_map(Step::Permit),
        3 => (number(), 0u8..3).prop_map(|(number, peer)| Step::Bind(number, peer)),
        3 => (0u8..3).prop_map(Step::Indicate),
        3 => number().prop_map(Step::Channel),
        3 => (0u8..3, 5000u16..5002).prop_map(|(peer, port)| Step::FromPeer(peer, port)),
        3 => prop_oneof![1u64..10, 100u64..400].prop_map(Step::Pass),
    ]
}

fn peer(number: u8) -> String {
    format!("9.9.9.{number}:5000")
}

/// When each thing ends, in seconds since the beginning.
#[derive(Default)]
struct Model {
    now: u64,
    allocation: u64,
    permissions: HashMap<u8, u64>,
    channels: HashMap<u16, (u8, u64)>,
}

impl Model {
    fn allocated(&self) -> bool {
        self.allocation > self.now
    }

    fn permitted(&self, peer: u8) -> bool {
        self.allocated() && self.permissions.get(&peer).is_some_and(|end| *end > self.now)
    }

    fn peer_of(&self, number: u16) -> Option<u8> {
        self.channels.get(&number).filter(|(_, end)| *end > self.now).map(|(peer, _)| *peer)
    }

    fn number_of(&self, peer: u8) -> Option<u16> {
        self.channels.keys().copied().find(|number| self.peer_of(*number) == Some(peer))
    }

    fn granted(asked: u32) -> u64 {
        u64::from(asked.clamp(600, 3600))
    }

    fn end(&mut self) {
        *self = Self { now: self.now, ..Self::default() };
    }
}

fn apply(world: &mut World, alice: &mut Client, model: &mut Model, step: &Step) -> Result<(), TestCaseError> {
    match *step {
        Step::Allocate => {
            let code = alice.allocate(world).code();
            prop_assert_eq!(code, if model.allocated() { 437 } else { 0 });
            if code == 0 {
                model.end();
                model.allocation = model.now + 600;
            }
        }
        Step::Refresh(seconds) => {
            let code = alice.refresh(world, seconds).code();
            prop_assert_eq!(code, if model.allocated() { 0 } else { 437 });
            match (code, seconds) {
                (0, 0) => model.end(),
                (0, _) => model.allocation = model.now + Model::granted(seconds),
                _ => {}
            }
        }
        Step::Permit(number) => {
            let code = alice.permit(world, &[&peer(number)]).code();
            prop_assert_eq!(code, if model.allocated() { 0 } else { 437 });
            if code == 0 {
                model.permissions.insert(number, model.now + 300);
            }
        }
        Step::Bind(number, to) => {
            let code = alice.bind(world, number, &peer(to)).code();
            let free = match (model.peer_of(number), model.number_of(to)) {
                (None, None) => true,
                (bound, by) => bound == Some(to) && by == Some(number),
            };
            prop_assert_eq!(
                code,
                if !model.allocated() {
                    437
                } else if free {
                    0
                } else {
                    400
                }
            );
            if code == 0 {
                model.channels.insert(number, (to, model.now + 600));
                model.permissions.insert(to, model.now + 300);
            }
        }
        Step::Indicate(to) => {
            alice.indicate(world, &peer(to), b"data");
            prop_assert_eq!(world.to_peers.len(), usize::from(model.permitted(to)));
        }
        Step::Channel(number) => {
            alice.channel_data(world, number, b"data");
            let to = model.peer_of(number).filter(|to| model.permitted(*to));
            let sent: Vec<_> = world.to_peers.iter().map(|(_, to, _)| to.to_string()).collect();
            prop_assert_eq!(sent, to.map(peer).into_iter().collect::<Vec<_>>());
        }
        Step::FromPeer(from, port) if model.allocated() => {
            let relayed = *world.relays.values().next().expect("there is one while it lives");
            world.peer_sends(relayed, addr(&format!("9.9.9.{from}:{port}")), b"data");
            prop_assert_eq!(world.to_clients.len(), usize::from(model.permitted(from)));
            if let Some((_, bytes)) = world.to_clients.first() {
                let on = ChannelData::parse(bytes).ok().map(|data| data.channel);
                let expected = model.number_of(from).filter(|_| port == 5000).map(channel);
                prop_assert_eq!(on, expected);
            }
        }
        Step::FromPeer(..) => prop_assert!(world.relays.is_empty()),
        Step::Pass(seconds) => {
            world.pass(seconds);
            model.now += seconds;
            alice.challenge(world);
        }
    }
    prop_assert_eq!(world.server.allocations(), usize::from(model.allocated()));
    prop_assert_eq!(world.relays.len(), usize::from(model.allocated()));
    Ok(())
}

proptest! {
    #[test]
    fn lifetimes_permissions_and_channels_are_as_in_the_model(steps in prop::collection::vec(step(), 1..80)) {
        let (mut world, mut model) = (World::new(), Model::default());
        let mut alice = Client::alice("192.0.2.1:1000");
        alice.challenge(&mut world);
        for step in steps {
            apply(&mut world, &mut alice, &mut model, &step)?;
        }
    }
}
