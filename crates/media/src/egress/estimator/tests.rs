//! What an estimator makes of paths of many kinds.

use madang_lab::{LinkConfig, Loss, seeds};

use super::{
    simulation::{DESIRED, Media, Sim, Sloth, ms, path},
    *,
};

/// A picture that is sent whatever is estimated, and one that takes no more than that.
const PICTURE: Media = Media { rate: 2_500_000, adapts: false };
const ADAPTING: Media = Media { rate: 2_500_000, adapts: true };
const SMALL: Media = Media { rate: 150_000, adapts: true };
const SILENCE: Media = Media { rate: 0, adapts: false };
const OPEN: u64 = 100_000_000;
const ROOM: u64 = 2_500_000;
/// How often receivers send feedback, in milliseconds.
const INTERVALS: [u64; 3] = [50, 75, 100];

fn least(estimates: &[u64]) -> u64 {
    estimates.iter().copied().min().unwrap_or(0)
}

/// From which millisecond on there is room for the picture for good.
fn back(estimates: &[u64]) -> usize {
    estimates.iter().rposition(|estimate| *estimate < ROOM).map_or(0, |last| last + 1)
}

/// Runs with many seeds and intervals of feedback, and shows what came of the worst.
fn all(config: LinkConfig, media: Media, name: &str, mut run: impl FnMut(&mut Sim) -> u64) -> Vec<u64> {
    let mut results = Vec::new();
    for seed in seeds(1..4) {
        for interval in INTERVALS {
            let mut sim = Sim::new(config, media, seed);
            sim.interval = ms(interval);
            results.push(run(&mut sim));
        }
    }
    results.sort_unstable();
    println!("{name}: {} to {}", results[0], results[results.len() - 1]);
    results
}

#[test]
fn an_open_path_never_seems_too_narrow() {
    let estimates = all(path(OPEN, 20), PICTURE, "least", |sim| least(&sim.run(ms(30_000))));
    assert!(estimates[0] >= ROOM);
}

#[test]
fn a_path_that_gets_narrow_is_noticed_in_time() {
    for media in [PICTURE, ADAPTING] {
        let when = all(path(OPEN, 20), media, "ms", |sim| {
            sim.run(ms(5000));
            sim.link.configure(path(300_000, 20));
            sim.run(ms(5000)).iter().position(|estimate| *estimate < 320_000).map_or(u64::MAX, |at| at as u64)
        });
        assert!(when.iter().all(|when| *when < 1500));
    }
}

#[test]
fn a_path_that_opens_again_is_found_though_little_is_sent() {
    for narrow in [100_000, 300_000, 1_000_000] {
        let when = all(path(OPEN, 40), PICTURE, "ms", |sim| {
            sim.run(ms(5000));
            sim.link.configure(path(narrow, 40));
            sim.run(ms(1500));
            sim.media = SMALL;
            sim.run(ms(20_000));
            sim.link.configure(path(OPEN, 40));
            back(&sim.run(ms(15_000))) as u64
        });
        assert!(when.iter().all(|when| *when < 8000));
    }
}

#[test]
fn a_narrow_path_is_used_and_its_queue_kept_short() {
    for (rate, frame) in [(300_000, 33), (1_000_000, 33), (1_000_000, 10), (2_000_000, 33)] {
        let waits = all(path(rate, 20), ADAPTING, "95 of 100 wait less than ms", |sim| {
            sim.frame = ms(frame);
            sim.run(ms(10_000));
            sim.waits.clear();
            let estimates = sim.run(ms(60_000));
            let mean = estimates.iter().sum::<u64>() / estimates.len() as u64;
            assert!((rate / 10 * 7..rate / 10 * 11).contains(&mean), "{mean}");
            sim.waits.sort_unstable();
            sim.waits[sim.waits.len() / 20 * 19].as_millis() as u64
        });
        assert!(waits.iter().all(|wait| *wait < 200));
    }
}

#[test]
fn a_queue_without_end_is_emptied() {
    let waits = all(path(OPEN, 20), ADAPTING, "ms", |sim| {
        sim.run(ms(5000));
        sim.link.configure(LinkConfig { queue: ms(3000), ..path(500_000, 20) });
        sim.run(ms(10_000));
        sim.waits.clear();
        sim.run(ms(20_000));
        sim.waits.sort_unstable();
        sim.waits[sim.waits.len() / 2].as_millis() as u64
    });
    assert!(waits.iter().all(|wait| *wait < 200));
}

#[test]
fn jitter_and_a_little_loss_leave_room_for_a_picture() {
    let jitter = LinkConfig { jitter: ms(30), loss: Loss::Random(0.05), ..path(OPEN, 100) };
    for frame in [33, 4] {
        let permille = all(jitter, PICTURE, "permille", |sim| {
            sim.frame = ms(frame);
            let estimates = sim.run(ms(60_000));
            let enough = estimates.iter().filter(|estimate| **estimate >= ROOM).count();
            enough as u64 * 1000 / estimates.len() as u64
        });
        assert!(permille[0] >= 900);
    }
}

#[test]
fn a_burst_of_loss_is_soon_forgotten() {
    for media in [PICTURE, ADAPTING] {
        let when = all(path(OPEN, 20), media, "ms", |sim| {
            sim.run(ms(5000));
            sim.link.configure(LinkConfig { loss: Loss::Random(0.3), ..path(OPEN, 20) });
            sim.run(ms(2000));
            sim.link.configure(path(OPEN, 20));
            back(&sim.run(ms(10_000))) as u64
        });
        assert!(when.iter().all(|when| *when < 3000));
    }
}

#[test]
fn loss_that_stays_does_not_end_the_picture() {
    for (loss, enough) in [(0.15, 2_000_000), (0.3, 200_000)] {
        let config = LinkConfig { loss: Loss::Random(loss), ..path(OPEN, 20) };
        let means = all(config, ADAPTING, "mean", |sim| {
            let estimates = sim.run(ms(60_000));
            estimates.iter().sum::<u64>() / estimates.len() as u64
        });
        assert!(means[0] > enough);
    }
}

#[test]
fn sound_alone_does_not_lower_the_estimate_and_pictures_may_follow() {
    let estimates = all(path(OPEN, 20), SILENCE, "least", |sim| {
        let sound = least(&sim.run(ms(20_000)));
        sim.media = PICTURE;
        sound.min(least(&sim.run(ms(5000))))
    });
    assert!(estimates[0] >= ROOM);
}

#[test]
fn batches_and_late_wake_ups_are_no_congestion() {
    for (stale, stall) in [(0, 0), (8, 0), (8, 100)] {
        for (media, frame) in [(PICTURE, 33), (PICTURE, 4), (SILENCE, 33)] {
            let estimates = all(path(OPEN, 20), media, "least", |sim| {
                sim.frame = ms(frame);
                sim.sloth = Sloth { late: ms(8), stale: ms(stale), batch: ms(10), stall: ms(stall) };
                least(&sim.run(ms(60_000)))
            });
            assert!(estimates[0] >= ROOM);
        }
    }
}

#[test]
fn more_is_found_where_more_is_wanted() {
    for stale in [0, 8] {
        let estimates = all(path(20_000_000, 40), PICTURE, "estimate", |sim| {
            sim.sloth = Sloth { late: ms(stale), stale: ms(stale), batch: ms(stale), ..Sloth::default() };
            sim.run(ms(3000));
            sim.estimator.set_desired(sim.now, 8_000_000);
            *sim.run(ms(5000)).last().expect("some time passed")
        });
        assert!(estimates[0] >= 7_000_000);
    }
}

#[test]
fn a_path_that_was_dead_is_found_again() {
    let when = all(path(OPEN, 20), ADAPTING, "ms", |sim| {
        sim.run(ms(3000));
        sim.link.configure(LinkConfig { loss: Loss::Random(1.0), ..path(OPEN, 20) });
        sim.run(ms(10_000));
        assert!(sim.estimator.estimate() < 1_000_000, "nobody says that anything arrives");
        sim.link.configure(path(OPEN, 20));
        back(&sim.run(ms(15_000))) as u64
    });
    assert!(when.iter().all(|when| *when < 8000));
}

#[test]
fn nothing_is_probed_where_enough_is_known() {
    let probes = all(path(OPEN, 20), PICTURE, "probes", |sim| {
        sim.run(ms(20_000));
        sim.probes as u64
    });
    assert_eq!(probes.last(), Some(&0));
}

#[test]
fn loss_and_round_trip_are_those_of_the_path() {
    let mut sim = Sim::new(LinkConfig { loss: Loss::Random(0.05), ..path(OPEN, 60) }, PICTURE, 1);
    assert_eq!((sim.estimator.loss(sim.now), sim.estimator.round_trip()), (None, None));
    sim.run(ms(10_000));
    let (loss, trip) = (sim.estimator.loss(sim.now).expect("told"), sim.estimator.round_trip().expect("told"));
    assert!((0.02..0.09).contains(&loss), "{loss}");
    // The way back takes 20 ms, and feedback waits for its turn.
    assert!((ms(80)..ms(80) + ms(60)).contains(&trip), "{trip:?}");
    assert_eq!(sim.estimator.loss(sim.now + ms(3000)), None);
}

#[test]
fn a_restart_forgets_what_was_and_probes_at_once() {
    let mut sim = Sim::new(path(300_000, 20), ADAPTING, 1);
    sim.run(ms(5000));
    sim.link.configure(path(OPEN, 20));
    sim.estimator.restart(sim.now, 500_000);
    assert_eq!(sim.estimator.estimate(), 500_000);
    assert!(back(&sim.run(ms(3000))) < 1500);
}

#[test]
fn an_estimate_begins_as_asked_within_its_range() {
    let now = Instant::now();
    for (asked, begins) in [(0, LEAST_RATE), (DESIRED, DESIRED), (u64::MAX, MOST_RATE)] {
        assert_eq!(Estimator::new(now, asked).estimate(), begins);
    }
}
