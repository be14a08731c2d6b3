//! Packets that are lost, and what is seen of it.

use std::time::Duration;

use madang_lab::{LinkConfig, Loss, seeds};

use super::{call, heard_percent, ms, s, world::good};

#[test]
fn with_five_percent_loss_and_jitter_the_picture_stands_still_for_less_than_a_hundredth_of_the_time() {
    for seed in seeds(1..2) {
        let bad = LinkConfig {
            delay: ms(100),
            jitter: ms(30),
            loss: Loss::Random(0.05),
            rate: Some(20_000_000),
            ..LinkConfig::default()
        };
        let mut world = call(seed, good(), &[("bo", good())]);
        world.set_down("bo", bad);
        world.run(s(10));
        let begin = world.now;
        world.run(s(60));
        let picture = world.people["bo"].picture();
        let frozen = picture.frozen(begin, world.now);
        assert!(frozen < (world.now - begin) / 100, "{frozen:?} of a minute");
        // The estimate may leave only the lowest temporal layer, a quarter of the frames.
        assert!(picture.between(begin, world.now).count() > 60 * 7);
        assert_eq!(picture.disorder, 0);
    }
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
