//! Bandwidth that falls and comes back.

use std::time::{Duration, Instant};

use madang_lab::{LinkConfig, seeds};
use madang_protocol::DeliveryReason;

use super::{
    call, heard_percent, ms, s,
    world::{World, good},
};

/// The largest hole in what somebody heard between two moments.
fn longest_silence(world: &World, name: &str, from: Instant, to: Instant) -> Duration {
    let heard = world.people[name].sounds.values().next().expect("somebody is heard");
    let mut times: Vec<Instant> = heard.packets.values().copied().filter(|at| (from..to).contains(at)).collect();
    times.push(to);
    let before = std::iter::once(from).chain(times.iter().copied());
    before.zip(&times).map(|(before, after)| after.saturating_duration_since(before)).max().unwrap_or_default()
}

/// When a layer was first shown again without another in between for a second, after a moment.
fn settled_on(world: &World, name: &str, layer: u8, from: Instant) -> Option<Duration> {
    let shown: Vec<_> = world.people[name].picture().between(from, world.now).collect();
    let good = |place: usize| {
        let start = shown[place].at;
        let rest = shown[place..].iter().take_while(|shown| shown.at < start + s(1));
        rest.take(25).all(|shown| shown.layer == layer)
    };
    (0..shown.len()).find(|place| good(*place)).map(|place| shown[place].at - from)
}

#[test]
fn a_watcher_whose_bandwidth_falls_gets_a_smaller_picture_and_the_larger_again_when_it_recovers() {
    for seed in seeds(1..2) {
        let mut world = call(seed, good(), &[("bo", good()), ("cy", good())]);
        world.run(s(15));
        let fall = world.now;
        let before: Vec<u8> =
            world.people["bo"].picture().between(fall - s(2), fall).map(|shown| shown.layer).collect();
        assert!(before.iter().all(|layer| *layer == 2) && before.len() > 50, "{before:?}");

        world.set_down("bo", LinkConfig { rate: Some(300_000), ..good() });
        world.run(s(15));
        let recovery = world.now;
        let down = settled_on(&world, "bo", 0, fall).expect("the smallest layer fits");
        assert!(down <= s(2), "down after {down:?}");
        assert!(longest_silence(&world, "bo", fall + s(2), recovery) < ms(200), "sound suffers");
        assert!(heard_percent(&world, "bo", fall, recovery) >= 92, "sound suffers");
        let seen = world.people["bo"].picture().between(fall + s(5), recovery).count();
        assert!(seen > 10 * 20, "{seen} frames over a path that carries all of the smallest layer");

        world.set_down("bo", good());
        world.run(s(15));
        let up = settled_on(&world, "bo", 2, recovery).expect("the largest layer comes back");
        assert!(up <= s(10), "up after {up:?}");

        let frozen = world.people["cy"].picture().frozen(fall, world.now);
        assert_eq!(frozen, Duration::ZERO, "another watcher is disturbed");
        let others: Vec<u8> = world.people["cy"].picture().between(fall, world.now).map(|shown| shown.layer).collect();
        assert!(others.iter().all(|layer| *layer == 2), "another watcher's layer changed");
        for name in ["bo", "cy"] {
            assert_eq!(world.people[name].picture().disorder, 0, "{name}");
        }
        let reasons = world.deliveries("bo").map(|(_, delivery)| delivery.reason);
        assert!(reasons.into_iter().any(|reason| reason == DeliveryReason::Bandwidth), "the page was told why");
    }
}

/// 20 Mbit/s.
fn decent() -> LinkConfig {
    LinkConfig { rate: Some(20_000_000), ..good() }
}

#[test]
fn a_picture_in_one_layer_begins_at_once_and_comes_back_after_a_squeeze_that_paused_it() {
    for seed in seeds(1..2) {
        let mut world = World::new(seed);
        let watchers = ["bo", "cy", "di", "el", "fe"];
        world.join("ada", good());
        for name in watchers {
            world.join(name, decent());
        }
        let begin = world.now;
        world.plain_camera("ada");
        world.run(s(8));
        for name in watchers {
            let first = world.people[name].pictures.values().next().and_then(|picture| picture.shown.first());
            let first = first.expect("something is seen").at - begin;
            assert!(first <= s(2), "{name} sees something after {first:?}");
            let frozen = world.people[name].picture().frozen(begin + s(2), world.now);
            assert_eq!(frozen, Duration::ZERO, "{name}");
        }

        for name in watchers {
            world.set_down(name, LinkConfig { rate: Some(200_000), ..good() });
        }
        world.run(s(3));
        let recovery = world.now;
        for name in watchers {
            let paused = world.deliveries(name).last().is_some_and(|(_, delivery)| delivery.paused);
            assert!(paused, "{name} gets 2.5 Mbit/s over 200 kbit/s");
            world.set_down(name, decent());
        }
        world.run(s(15));
        for name in watchers {
            let back = world.people[name].picture().between(recovery + s(1), world.now).next().expect("comes back").at;
            assert!(back - recovery <= s(10), "{name} sees something again after {:?}", back - recovery);
            let frozen = world.people[name].picture().frozen(recovery + s(10), world.now);
            assert_eq!(frozen, Duration::ZERO, "{name} sees it, and it stops again");
        }
    }
}
