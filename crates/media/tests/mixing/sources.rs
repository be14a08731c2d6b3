//! Sources that change, or send what no decoder likes.

use std::time::Duration;

use madang_lab::seeds;
use madang_media::mcu::JobKind;
use madang_protocol::{MediaCommand, MixLayout, TrackSource};

use super::{
    room::{MS, Room, SECOND, auto, middle, mix},
    yard::{
        Newcomer,
        codecs::{LAST_LUMA, second_channel},
    },
};

/// `a` and `b`, whose cameras send keyframes when they are asked and layers when they are needed.
fn pair() -> Room {
    let mut room = Room::mixed(&["a", "b"]);
    for person in &mut room.people {
        (person.on_demand, person.obeys, person.flicker) = (true, true, 6);
    }
    room
}

#[test]
fn a_source_that_changes_its_size_is_shown_on_within_a_second() {
    let mut room = pair();
    room.run(3 * SECOND);
    for layers in [vec![(180, 320), (360, 640), (720, 1280)], vec![(320, 240), (640, 480), (960, 720)]] {
        let since = room.yard.now;
        // An encoder of another size begins with a keyframe.
        let person = room.person("b");
        (person.layers, person.luma) = (layers, person.luma + 40);
        person.want_keyframes();
        let luma = person.luma;
        room.run(2 * SECOND);
        let shown = room.tile("a", "b", since);
        let first = shown.iter().find(|(_, seen)| seen.abs_diff(luma) <= 8).expect("shown again").0;
        assert!(first - since < SECOND, "{:?}", first - since);
        assert!(room.frozen("a", "b", room.yard.now - SECOND) < 120 * MS);
        assert!(room.frozen("a", "a", since) < 120 * MS, "another is disturbed");
        // Nothing of the former size is left at the tile's sides, nor stretched over it.
        let place = room.place("a", "b", TrackSource::Camera);
        let (_, seen) = room.pictures("a").pop().expect("a picture");
        for x in [0.2, 0.5, 0.8] {
            let at = seen.at(place.left + place.width * x, place.top + place.height / 2.0);
            assert!(at.abs_diff(luma) <= 8 || at < 50, "{at} at {x}");
        }
    }
}

#[test]
fn a_source_that_goes_over_to_another_codec_is_shown_on_within_a_second() {
    let mut room = Room::mixed(&["a"]);
    room.come_as("b", Newcomer { mix: auto(), codec: "H264", ..Newcomer::default() });
    for person in &mut room.people {
        (person.on_demand, person.obeys, person.flicker) = (true, true, 6);
    }
    room.person("b").codec = "VP8";
    // What is in a decoder when the codec changes comes back late.
    room.yard.jobs_take = Box::new(|job| if job.kind() == JobKind::Decode { 60 * MS } else { 4 * MS });
    room.run(3 * SECOND);
    for codec in ["H264", "VP8", "H264"] {
        let since = room.yard.now;
        let person = room.person("b");
        (person.codec, person.luma) = (codec, person.luma + 30);
        person.want_keyframes();
        let luma = person.luma;
        room.run(2 * SECOND);
        let shown = room.tile("a", "b", since);
        let first = shown.iter().find(|(_, seen)| seen.abs_diff(luma) <= 8).expect("shown again").0;
        assert!(first - since < SECOND, "{codec}: {:?}", first - since);
        let after = shown.iter().filter(|(at, _)| *at >= first).all(|(_, seen)| seen.abs_diff(luma) <= 8);
        assert!(after, "a picture of before came after");
        assert!(room.frozen("a", "b", room.yard.now - SECOND) < 200 * MS);
    }
    assert_eq!(room.yard.sfu.counters().mixing.decoder_faults, 0);
}

#[test]
fn a_source_whose_tile_grows_and_shrinks_is_never_missing() {
    let mut room = pair();
    room.come("c", auto());
    room.come("d", auto());
    for person in &mut room.people {
        (person.on_demand, person.obeys, person.flicker) = (true, true, 6);
    }
    room.run(8 * SECOND);
    // Of four each has the middle layer; one speaker alone has the largest.
    for layout in [MixLayout::Speaker, MixLayout::Grid, MixLayout::Speaker] {
        let since = room.yard.now;
        for name in ["a", "b", "c", "d"] {
            room.mix(name, Some(mix(layout.clone(), false)));
        }
        room.run(8 * SECOND);
        for of in ["a", "b", "c", "d"] {
            let frozen = room.frozen("a", of, since + SECOND);
            assert!(frozen < 150 * MS, "{of} stood still for {frozen:?} in {layout:?}");
        }
        assert!(room.longest_pause("a", since) < 150 * MS);
    }
}

#[test]
fn what_a_decoder_brings_late_of_somebody_who_left_is_not_shown_as_somebody_else_s() {
    let mut room = Room::mixed(&["a"]);
    room.run(2 * SECOND);
    room.come("b", auto());
    room.person("b").luma = 90;
    room.run(2 * SECOND);
    room.yard.jobs_take = Box::new(|job| match job.kind() {
        JobKind::Decode if LAST_LUMA.get() == 90 => 1400 * MS,
        _ => 4 * MS,
    });
    room.run(200 * MS);
    let since = room.yard.now;
    // So that the newcomer's tracks get the places of those that are gone.
    let track = room.person("b").picture.take().expect("a camera");
    room.command(MediaCommand::RemoveTrack { track });
    room.part("b");
    room.come("c", auto());
    room.person("c").luma = 200;
    room.run(700 * MS);
    room.assert_places("a", &["a", "c"]);
    room.person("c").dark = true;
    room.run(SECOND);
    room.assert_places("a", &["a", "c"]);
    let late = room.tile("a", "c", since + 100 * MS);
    assert!(late.iter().all(|(_, luma)| luma.abs_diff(90) > 2), "somebody else's picture: {late:?}");
}

#[test]
fn garbage_harms_only_who_sends_it_and_is_answered_by_few_requests_for_keyframes() {
    for seed in seeds(1..3) {
        let mut room = pair();
        room.come("c", auto());
        room.person("c").flicker = 6;
        room.run(3 * SECOND);
        let (since, faults) = (room.yard.now, room.yard.sfu.counters().mixing.decoder_faults);
        let asked = room.yard.people["b"].keyframe_wishes.len();
        room.person("b").garble(seed);
        room.run(10 * SECOND);
        for of in ["a", "c"] {
            assert!(room.frozen("a", of, since) < 120 * MS, "{of} is disturbed");
        }
        room.assert_sound("a", since, Duration::ZERO);
        assert!(room.longest_pause("a", since) < 80 * MS);
        assert!(room.yard.sfu.counters().mixing.decoder_faults > faults, "it was no garbage");
        let asked = room.yard.people["b"].keyframe_wishes.len() - asked;
        assert!(asked <= 2 * 10 * 3 + 2, "{asked} requests in ten seconds");
        assert!(room.heard("a")[2] > 20, "c is heard: {:?}", room.heard("a"));
        room.person("b").garble = None;
        let since = room.yard.now;
        room.run(2 * SECOND);
        assert!(room.frozen("a", "b", since + SECOND) < 120 * MS, "shown again");
        assert!(room.heard("c")[1] > 20, "heard again: {:?}", room.heard("c"));
    }
}

#[test]
fn a_decoder_that_fails_at_everything_asks_for_two_keyframes_a_second_at_most() {
    let mut room = pair();
    room.run(3 * SECOND);
    let (since, asked) = (room.yard.now, room.yard.people["b"].keyframe_wishes.len());
    // Frames of the right shape with a size that no decoder takes.
    let person = room.person("b");
    person.layers = vec![(0, 0); 3];
    person.want_keyframes();
    room.run(10 * SECOND);
    let wishes = &room.yard.people["b"].keyframe_wishes[asked..];
    assert!((5..=21).contains(&wishes.len()), "{} requests in ten seconds", wishes.len());
    assert!(room.frozen("a", "a", since) < 120 * MS);
    let shown = room.tile("a", "b", room.yard.now - SECOND);
    let avatar = shown.last().expect("a picture").1;
    assert!(avatar.abs_diff(room.luma("b")) > 10, "an avatar by now");
}

#[test]
fn a_screen_makes_a_presentation_and_sounds_in_two_channels() {
    let mut room = Room::mixed(&["a", "b", "c"]);
    room.run(2 * SECOND);
    room.share("b");
    let screen = room.people.len() - 1;
    (room.people[screen].luma, room.people[screen].tone) = (230, 5);
    room.run(3 * SECOND);
    let place = room.place("a", "b", TrackSource::Screen);
    assert!(place.width * place.height > 0.5, "large: {place:?}");
    let (_, seen) = room.pictures("a").pop().expect("a picture");
    assert!(middle(&seen, &place).abs_diff(230) <= 2);
    room.place("a", "b", TrackSource::Camera);
    let last = |room: &Room, name: &str| room.got(name, "t_mix_sound").last().expect("sound").payload.clone();
    assert!(room.heard("a")[5] > 20, "{:?}", room.heard("a"));
    let second = second_channel(&last(&room, "a")).expect("two channels");
    assert!(second[6] > 20 && second[5] <= 2, "its second channel is another: {second:?}");
    assert!(room.heard("b")[5] <= 2, "one's own screen is not heard: {:?}", room.heard("b"));
    let tracks: Vec<_> =
        room.people[screen].picture.take().into_iter().chain(room.people[screen].sound.take()).collect();
    for track in tracks {
        room.command(MediaCommand::RemoveTrack { track });
    }
    room.run(4 * SECOND);
    let state = room.state("a");
    assert!(state.places.iter().all(|place| place.source == TrackSource::Camera && place.width * place.height < 0.5));
    assert_eq!(second_channel(&last(&room, "a")), None, "one channel again");
}
