//! Calls over bad networks, in virtual time: real sessions at both ends, the real forwarder, and
//! a seeded network between. A test that fails ends with `MADANG_LAB_SEED=…`: set it for the same
//! network again. The sessions' own randomness (keys, ICE, SSRCs) has no seed, so that runs differ
//! a little.

mod person;
mod picture;
mod world;

use std::time::{Duration, Instant};

use madang_lab::{LinkConfig, Loss, seeds};
use madang_protocol::MediaCommand;
use world::{World, good};

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// `ada` speaks and is seen; the others watch, each over its line.
fn call(seed: u64, ada: LinkConfig, watchers: &[(&str, LinkConfig)]) -> World {
    let mut world = World::new(seed);
    world.join("ada", ada);
    for (name, line) in watchers {
        world.join(name, *line);
    }
    world.microphone("ada");
    world.camera("ada");
    world
}

/// The share of sound that arrived between two moments, in percent.
fn heard_percent(world: &World, name: &str, from: Instant, to: Instant) -> usize {
    let heard = world.people[name].sounds.values().next().expect("somebody is heard");
    let count = heard.packets.values().filter(|at| (from..to).contains(*at)).count();
    count * 100 / ((to - from).as_millis() as usize / 20)
}

#[test]
fn a_burst_of_loss_is_over_three_seconds_after_its_end() {
    for seed in seeds(1..2) {
        let mut world = call(seed, good(), &[("bo", good())]);
        world.run(s(15));
        world.set_down("bo", LinkConfig { loss: Loss::Random(0.3), ..good() });
        world.run(s(2));
        let end = world.now;
        world.set_down("bo", good());
        world.run(s(13));
        let picture = world.people["bo"].picture();
        assert_eq!(picture.frozen(end + s(3), world.now), Duration::ZERO);
        let late = picture.between(end + s(3), end + s(6)).count();
        assert!(late >= 3 * 14, "{late} frames in three seconds");
        assert!(heard_percent(&world, "bo", end, world.now) >= 99);
        assert_eq!(picture.disorder, 0);
    }
}

#[test]
fn a_publisher_whose_address_changes_restarts_ice_and_its_session_goes_on() {
    for seed in seeds(1..2) {
        let mut world = call(seed, good(), &[("bo", good())]);
        world.run(s(10));
        let change = world.now;
        world.rebind("ada", good());
        world.run(s(1));
        let link = world.person("ada").link.clone();
        world.command(MediaCommand::RestartIce { link });
        world.run(s(10));
        let shown = world.people["bo"].picture().between(change + s(4), world.now).count();
        assert!(shown > 6 * 25, "{shown} frames");
        assert_eq!(world.people["bo"].picture().disorder, 0);
        assert_eq!(world.sfu.counters().failed, 0, "the session was lost");
    }
}
