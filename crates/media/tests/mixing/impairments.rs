//! Bad paths, clocks that are off, and senders that stop.

use std::time::{Duration, Instant};

use madang_lab::{LinkConfig, Loss, seeds};
use madang_protocol::{MediaEvent, MixLayout, TrackSource};

use super::{
    room::{MS, Room, SECOND, middle, mix},
    yard::{
        Newcomer, Yard,
        codecs::{Seen, loudness},
    },
};

#[test]
fn ten_percent_loss_and_jitter_of_200_ms_on_one_path_are_hardly_heard_and_leave_the_others_alone() {
    for seed in seeds(1..2) {
        let mut room = Room::mixed(&["a", "b", "c"]);
        for person in &mut room.people {
            (person.flicker, person.on_demand, person.obeys) = (6, true, true);
            // Whoever is not measured is silent.
            (person.silent, person.redundant) = (person.name != "b", true);
        }
        room.yard.reseed(seed);
        let path = |loss| LinkConfig { delay: 110 * MS, jitter: 100 * MS, loss, ..LinkConfig::default() };
        room.yard.set_path("b", path(Loss::Random(0.1)), path(Loss::Nothing));
        room.run(6 * SECOND);
        let (since, before) = (room.yard.now, room.yard.sfu.counters().mixing);
        room.run(20 * SECOND);
        let after = room.yard.sfu.counters().mixing;
        let (played, concealed) = (after.played_us - before.played_us, after.concealed_us - before.concealed_us);
        assert!(played > 19_000_000, "{played} µs were played");
        assert!(concealed > 0, "nothing was lost");
        assert!(concealed * 100 < played * 5, "{concealed} of {played} µs were made up");
        assert!(room.heard("a")[1] > 20);
        for viewer in ["a", "c"] {
            room.assert_sound(viewer, since, Duration::ZERO);
            assert!(room.longest_pause(viewer, since) < 80 * MS);
            assert!(room.frozen(viewer, "a", since) < 120 * MS);
        }
        let shown = room.tile("a", "b", since);
        let changes = shown.windows(2).filter(|pair| pair[0].1 != pair[1].1).count();
        // Each picture that is lost is waited for, and what comes meanwhile is shown after it.
        assert!(changes > 20 * 8, "{changes} changes of its picture in 20 s");
        assert!(room.frozen("a", "b", since) < 2 * SECOND, "{:?}", room.frozen("a", "b", since));
    }
}

#[test]
fn a_source_that_stops_without_leaving_is_an_avatar_after_a_while_and_is_shown_again_at_once() {
    let mut room = Room::mixed(&["a", "b", "c"]);
    for person in &mut room.people {
        (person.flicker, person.on_demand, person.obeys) = (6, true, true);
    }
    room.run(3 * SECOND);
    let since = room.yard.now;
    // Everything that it sends of media is lost; its checks come through.
    room.yard.silence("b", true);
    room.run(SECOND);
    let shown = room.tile("a", "b", since + SECOND / 2);
    assert!(shown.iter().all(|(_, luma)| luma.abs_diff(room.luma("b")) <= 8), "its last picture");
    room.run(7 * SECOND);
    let avatar = room.tile("a", "b", room.yard.now - SECOND).last().expect("a picture").1;
    assert!(avatar.abs_diff(room.luma("b")) > 20, "its avatar");
    let asked = room.yard.people["b"].keyframe_wishes.len();
    room.yard.silence("b", false);
    let back = room.yard.now;
    room.run(2 * SECOND);
    let luma = room.luma("b");
    let shown = room.tile("a", "b", back);
    let first = shown.iter().find(|(_, seen)| seen.abs_diff(luma) <= 8).expect("shown again").0;
    assert!(first - back < SECOND, "shown again after {:?}", first - back);
    assert!(room.yard.people["b"].keyframe_wishes.len() > asked, "a keyframe is asked for");
    assert!(room.frozen("a", "b", back + SECOND) < 120 * MS);
    assert!(room.heard("a")[1] > 20, "heard again");
    assert!(room.longest_pause("a", since) < 80 * MS);
    room.assert_sound("a", since, Duration::ZERO);
}

/// Moments of the viewer's clock, in milliseconds since some time, at which somebody's luma and tone
/// change in the mix.
struct Changes {
    pictures: Vec<f64>,
    sounds: Vec<f64>,
}

fn changes(room: &Room, viewer: &str, of: &str, tone: usize, luma: u8, since: Instant) -> Changes {
    let place = room.place(viewer, of, TrackSource::Camera);
    let is_bright = |seen: &Seen| middle(seen, &place).abs_diff(luma) <= 3;
    let mut pictures = Vec::new();
    let mut before = None;
    for (got, seen) in room.pictures_since(viewer, since) {
        let bright = is_bright(&seen);
        if before == Some(false) && bright {
            let report = got.report.expect("a report on pictures");
            pictures.push(report.moment_us(got.timestamp, 90_000) as f64 / 1000.0);
        }
        before = Some(bright);
    }
    let mut sounds = Vec::new();
    let mut before = None;
    for got in room.got(viewer, "t_mix_sound").filter(|got| got.at >= since) {
        let levels = loudness(&got.payload);
        let all: u32 = levels.iter().map(|level| u32::from(*level)).sum();
        if all < 20 {
            continue;
        }
        let sounds_so = u32::from(levels[tone]) * 2 > all;
        if before == Some(false) && sounds_so {
            let report = got.report.expect("a report on sound");
            sounds.push(report.moment_us(got.timestamp, 48_000) as f64 / 1000.0);
        }
        before = Some(sounds_so);
    }
    Changes { pictures, sounds }
}

/// While `b` changes its luma and tone at once, every two seconds: how much later its pictures are than
/// its sound, in ms.
fn offsets(room: &mut Room, seconds: u32) -> Vec<f64> {
    let Changes { pictures, sounds } = pairs(room, seconds);
    pictures.iter().zip(&sounds).map(|(picture, sound)| picture - sound).collect()
}

/// Those changes of the next seconds that were both seen and heard.
fn pairs(room: &mut Room, seconds: u32) -> Changes {
    let since = room.yard.now;
    room.run(SECOND * seconds);
    let Changes { mut pictures, mut sounds } = changes(room, "a", "b", 3, 200, since);
    assert!(pictures.len() + 1 >= seconds as usize / 4, "{} changes of the picture", pictures.len());
    // The first and the last may have only one half within.
    let near = |one: f64, others: &[f64]| others.iter().any(|other| (one - other).abs() < 1000.0);
    let all = pictures.clone();
    pictures.retain(|picture| near(*picture, &sounds));
    sounds.retain(|sound| near(*sound, &all));
    assert_eq!(pictures.len(), sounds.len(), "{pictures:?} {sounds:?}");
    Changes { pictures, sounds }
}

fn talk_between(size: (usize, usize), simulcast: bool, (sound_late, picture_late): (Duration, Duration)) -> Room {
    let mut room = Room::on(Yard::mixing_at(size));
    room.come("a", Some(mix(MixLayout::Grid, false)));
    room.come_as("b", Newcomer { simulcast, ..Newcomer::default() });
    let person = room.person("a");
    (person.silent, person.dark) = (true, true);
    let person = room.person("b");
    (person.sound_late, person.picture_late) = (sound_late, picture_late);
    person.alternates = Some([(100, 1), (200, 3)]);
    if !simulcast {
        person.layers.truncate(1);
    }
    room
}

#[test]
fn lips_move_with_the_voice_whichever_arrives_first() {
    for (sound_late, picture_late) in [(0, 0), (150, 0), (80, 0), (0, 80), (0, 150)] {
        let mut room = talk_between((640, 384), true, (sound_late * MS, picture_late * MS));
        room.run(8 * SECOND);
        let offsets = offsets(&mut room, 16);
        println!("sound {sound_late} ms late, pictures {picture_late} ms: {offsets:?}");
        let worst = offsets.iter().fold(0.0_f64, |worst, offset| worst.max(offset.abs()));
        assert!(worst <= 40.0, "sound {sound_late} ms late, pictures {picture_late} ms: {offsets:?}");
    }
}

/// How far the second moment is from a whole number of periods after the first, in ms.
fn shift(first: f64, second: f64, period: f64) -> f64 {
    let rest = (second - first).rem_euclid(period);
    if rest > period / 2.0 { rest - period } else { rest }
}

fn runs_fast(minutes: u32) {
    const CLOCK: f64 = 1.001;
    // Between two changes of the same kind, by our clock.
    const PERIOD: f64 = 2.0 * 1980.0 / CLOCK;
    let mut room = talk_between((320, 192), false, (Duration::ZERO, 20 * MS));
    room.person("b").clock = CLOCK;
    room.run(8 * SECOND);
    let mut first = None;
    for minute in 0..minutes {
        let Changes { pictures, sounds } = pairs(&mut room, 9);
        let (picture, sound) = *first.get_or_insert((pictures[0], sounds[0]));
        for (now_seen, now_heard) in pictures.iter().zip(&sounds) {
            let (seen, heard) = (shift(picture, *now_seen, PERIOD), shift(sound, *now_heard, PERIOD));
            println!("minute {minute}: seen {seen:.0} ms, heard {heard:.0} ms later than at first");
            assert!(seen.abs() <= 40.0 && heard.abs() <= 40.0);
            assert!((now_seen - now_heard).abs() <= 40.0, "{} ms apart", now_seen - now_heard);
        }
        room.run(51 * SECOND);
        room.forget();
        room.yard.events.retain(|event| matches!(event, MediaEvent::MixState { .. }));
    }
}

#[test]
fn a_clock_that_runs_fast_makes_no_delay_grow() {
    runs_fast(10);
}

#[test]
#[ignore = "an hour takes minutes"]
fn a_clock_that_runs_fast_for_an_hour_makes_no_delay_grow() {
    runs_fast(60);
}
