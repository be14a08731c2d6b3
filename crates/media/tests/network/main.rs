//! Calls over bad networks, in virtual time: real sessions at both ends, the real forwarder, and
//! a seeded network between. A test that fails ends with `MADANG_LAB_SEED=…`: set it for the same
//! network again. The sessions' own randomness (keys, ICE, SSRCs) has no seed, so that runs differ
//! a little.

mod bandwidth;
mod loss;
mod person;
mod picture;
mod world;

use std::time::{Duration, Instant};

use madang_lab::{LinkConfig, seeds};
use madang_media::session::LayerId;
use madang_protocol::{MediaCommand, TrackKind};
use world::{World, good};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

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

#[test]
fn media_follows_a_watcher_whose_address_changes() {
    for seed in seeds(1..2) {
        let mut world = call(seed, good(), &[("bo", good()), ("cy", good())]);
        world.run(s(10));
        let change = world.now;
        world.rebind("bo", good());
        world.run(s(1));
        let link = world.person("bo").link.clone();
        world.command(MediaCommand::RestartIce { link });
        world.run(s(10));
        let picture = world.people["bo"].picture();
        let again = picture.between(change, world.now).next().expect("seen again").at - change;
        assert!(again < s(5), "seen again after {again:?}");
        let shown = picture.between(change + s(5), world.now).count();
        assert!(shown > 6 * 25, "{shown} frames");
        assert_eq!(picture.disorder, 0);
        assert_eq!(world.people["cy"].picture().frozen(change, world.now), Duration::ZERO, "another is disturbed");
    }
}

#[test]
fn two_hundred_watchers_who_need_a_keyframe_at_once_give_one_request() {
    for seed in seeds(1..2) {
        let mut world = World::new(seed);
        world.join("ada", good());
        world.camera("ada");
        let names: Vec<String> = (0..200).map(|number| format!("w{number}")).collect();
        for name in &names {
            world.join(name, good());
            world.watch(name, Some(180));
        }
        world.run(ms(2500));
        let before = world.people["ada"].keyframes_asked.len();
        let wanted = world.sfu.counters().keyframes_wanted;
        for name in &names {
            assert!(world.people[name].picture().between(world.now - s(1), world.now).count() > 20, "{name} sees");
            let person = world.person(name);
            let line = person.lines.iter().find(|line| line.kind == TrackKind::Video).expect("sees somebody").line;
            person.session.request_keyframe(line, LayerId(0));
        }
        world.run(ms(400));
        assert_eq!(world.sfu.counters().keyframes_wanted - wanted, 200, "all of them ask");
        assert_eq!(world.people["ada"].keyframes_asked.len() - before, 1);
    }
}
