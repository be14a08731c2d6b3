//! Who comes, goes, is called otherwise, and what that costs the others.

use std::time::Duration;

use madang_lab::LinkConfig;
use madang_protocol::{MediaCommand, MixLayout, Person, TrackSource};

use super::{
    room::{MS, Room, SECOND, auto, link, mix},
    yard::{Newcomer, Yard, codecs::Glass},
};

fn small() -> Room {
    Room::on(Yard::mixing_at((640, 384)))
}

#[test]
fn twenty_five_people_have_a_tile_each_and_who_only_watches_has_none() {
    let mut room = small();
    let names: Vec<String> = (0..25).map(|number| format!("p{number:02}")).collect();
    room.come(&names[0], auto());
    for name in &names[1..] {
        room.come(name, Some(mix(MixLayout::Auto, false)));
    }
    for person in &mut room.people[..] {
        (person.obeys, person.on_demand) = (true, true);
    }
    let person = Some(Person { name: "nobody".into(), is_shown: false });
    room.watcher("watcher", Newcomer { person, mix: auto(), ..Newcomer::default() });
    room.run(3 * SECOND);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    room.assert_places("watcher", &names);
    room.assert_places("p07", &names);
    let counters = room.yard.sfu.counters().mixing;
    assert_eq!((counters.viewers, counters.decoding, counters.encoding), (26, 25, 1));
}

#[test]
fn one_who_watches_alone_sees_every_layout_that_they_choose() {
    let mut room = small();
    room.come("a", auto());
    room.come("b", None);
    room.run(2 * SECOND);
    for layout in [MixLayout::Speaker, MixLayout::Grid, MixLayout::PictureInPicture, MixLayout::Speaker] {
        let since = room.yard.now;
        room.mix("a", Some(mix(layout.clone(), false)));
        room.people[1].luma += 5;
        room.run(SECOND);
        assert!(!room.pictures_since("a", since).is_empty(), "no picture in {layout:?}");
        room.assert_places("a", &["a", "b"]);
    }
}

#[test]
fn who_is_not_shown_any_more_has_no_tile() {
    let mut room = small();
    room.come("a", auto());
    room.run(2 * SECOND);
    let person = Person { name: String::new(), is_shown: false };
    room.command(MediaCommand::Describe { link: link("a"), person });
    room.run(SECOND);
    assert_eq!(room.state("a").places, []);
}

#[test]
fn a_link_that_is_replaced_keeps_its_person_s_place() {
    let mut room = small();
    for name in ["a", "b", "c"] {
        room.come(name, auto());
    }
    room.run(2 * SECOND);
    let before = room.place("a", "b", TrackSource::Camera);
    // The new link is there before the old one is gone, and has other tracks.
    let newcomer = Newcomer { participant: Some("b".into()), mix: auto(), ..Newcomer::default() };
    room.come_as("b2", newcomer);
    room.person("b2").luma = 222;
    room.run(SECOND / 2);
    room.part("b");
    room.run(2 * SECOND);
    assert_eq!(room.place("a", "b", TrackSource::Camera), before);
    let shown = room.tile("a", "b", room.yard.now - SECOND - SECOND / 2);
    assert_eq!(shown.last().map(|(_, luma)| *luma), Some(222));
    assert_eq!(room.state("a").places.len(), 3);
    let heard = room.heard("a");
    assert!(heard[3] > 20 && heard[1] <= 2, "the new microphone and not the old one: {heard:?}");
}

#[test]
fn a_viewer_on_a_slow_path_gets_a_smaller_rendition_without_a_freeze() {
    let mut room = Room::on(Yard::mixing_with((1280, 720), Glass { is_heavy: true }));
    ["a", "b", "slow"].into_iter().for_each(|name| room.come(name, auto()));
    let slow = LinkConfig { rate: Some(400_000), delay: 15 * MS, ..LinkConfig::default() };
    room.yard.set_path("slow", LinkConfig { delay: 15 * MS, ..LinkConfig::default() }, slow);
    room.people.iter_mut().for_each(|person| person.flicker = 6);
    room.run(8 * SECOND);
    let since = room.yard.now;
    room.run(6 * SECOND);
    assert_ne!(room.yard.layer("slow", &"t_mix_picture".into()).map(|rid| rid.0), Some("h".into()));
    assert!(room.longest_pause("slow", since) < 250 * MS, "{:?}", room.longest_pause("slow", since));
    assert!(room.longest_pause("a", since) < 80 * MS, "another viewer is disturbed");
    room.assert_sound("a", since, Duration::ZERO);
    room.assert_sound("slow", since, 150 * MS);
}

#[test]
fn one_more_viewer_costs_no_encoding_and_ten_newcomers_one_keyframe() {
    let mut room = small();
    for name in ["a", "b"] {
        room.come(name, auto());
    }
    room.people.iter_mut().for_each(|person| person.flicker = 6);
    room.run(4 * SECOND);
    let before = room.yard.sfu.counters().mixing;
    let since = room.yard.now;
    let names: Vec<String> = (0..10).map(|number| format!("w{number}")).collect();
    for name in &names {
        let person = Some(Person { name: name.clone(), is_shown: false });
        room.watcher(name, Newcomer { person, mix: auto(), ..Newcomer::default() });
        room.run(90 * MS);
    }
    room.run(1100 * MS);
    let after = room.yard.sfu.counters().mixing;
    assert_eq!((after.encoding, after.viewers), (before.encoding, 12));
    let encoded = after.encoded - before.encoded;
    assert!(encoded <= 31 * 2, "{encoded} pictures in two seconds");
    let keyframes = after.keyframes - before.keyframes;
    assert!(keyframes <= 2, "{keyframes} keyframes in two seconds");
    for (place, name) in (0..).zip(&names) {
        let pictures = room.pictures(name);
        let (first, seen) = pictures.first().expect("a picture");
        assert!(seen.keyframe);
        let waited = first.at - since - 90 * MS * place;
        assert!(waited <= 1200 * MS, "{name} waited for {waited:?}");
    }
    assert!(room.longest_pause("a", since) <= 70 * MS);
}

#[test]
fn two_hundred_who_come_and_go_leave_nothing_behind() {
    let mut room = small();
    room.come("a", auto());
    room.run(SECOND);
    let before = room.yard.sfu.counters();
    let mut in_the_room: Vec<String> = Vec::new();
    for number in 0..200 {
        let name = format!("g{number}");
        let layout = if number % 3 == 0 { MixLayout::Speaker } else { MixLayout::Grid };
        room.come(&name, (number % 4 != 0).then(|| mix(layout, number % 5 == 0)));
        in_the_room.push(name);
        room.run(if number % 8 < 4 { 60 * MS } else { 10 * MS });
        if in_the_room.len() > 3 {
            let name = in_the_room.remove(0);
            if number % 2 == 0 {
                room.mix(&name, auto());
                room.run(5 * MS);
            }
            room.part(&name);
        }
        room.yard.events.clear();
    }
    in_the_room.iter().for_each(|name| room.part(name));
    room.run(2 * SECOND);
    let after = room.yard.sfu.counters();
    let now = |counters: madang_media::sfu::Counters| {
        let mixing = counters.mixing;
        let kept = (counters.tracks, mixing.sources, mixing.pictures, mixing.listeners, mixing.people);
        (counters.links, mixing.rooms, mixing.viewers, mixing.decoding, mixing.encoding, kept)
    };
    assert_eq!(now(after), now(before));
    room.part("a");
    room.run(SECOND);
    assert_eq!(now(room.yard.sfu.counters()), (0, 0, 0, 0, 0, (0, 0, 0, 0, 0)));
}
