//! Who sees and hears whom, and that nothing is done for nobody.

use std::time::Duration;

use madang_protocol::{MediaCommand, MediaEvent, MixLayout, Subscribe, TrackId};

use super::room::{Room, SECOND, link, mix};

#[test]
fn each_sees_everybody_and_hears_everybody_else_and_nobody_gets_anything_else() {
    let mut room = Room::mixed(&["a", "b", "c", "d"]);
    room.run(4 * SECOND);
    for (place, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
        room.assert_places(name, &["a", "b", "c", "d"]);
        let heard = room.heard(name);
        for tone in 0..4 {
            let expected = tone != place;
            assert_eq!(heard[tone] > 20, expected, "{name} hears {heard:?}");
        }
        assert!(heard[place] <= 2, "{name} hears itself: {heard:?}");
        let others = room.yard.people[name].got.iter().filter(|got| !got.track.0.starts_with("t_mix")).count();
        assert_eq!(others, 0, "{name} gets somebody's own track");
        assert_eq!(room.yard.people[name].lines.iter().filter(|line| !line.sends).count(), 2, "one sound, one picture");
    }
    let counters = room.yard.sfu.counters().mixing;
    assert_eq!((counters.rooms, counters.viewers, counters.decoding), (1, 4, 4));
    assert_eq!(counters.encoding, 1, "all look at the same");
}

#[test]
fn a_mix_runs_at_thirty_pictures_a_second_and_only_the_first_is_a_keyframe() {
    let mut room = Room::mixed(&["a", "b"]);
    room.run(3 * SECOND);
    let since = room.yard.now - SECOND;
    let pictures = room.pictures("a");
    let last: Vec<_> = pictures.iter().filter(|(got, _)| got.at > since).collect();
    // The tests' cameras have 30.3 pictures a second, all alike: what does not change is not sent.
    assert!((1..=2).contains(&last.len()), "{} pictures of what does not change", last.len());
    assert!(pictures[0].1.keyframe);
    let keyframes = pictures.iter().filter(|(_, seen)| seen.keyframe).count();
    assert!(keyframes <= 3, "{keyframes} keyframes in three seconds");
}

#[test]
fn who_comes_leaves_or_goes_dark_changes_the_picture_and_stops_it_never() {
    let mut room = Room::mixed(&["a", "b", "c"]);
    room.run(3 * SECOND);
    let since = room.yard.now;
    room.people[0].luma = 200;
    room.come("d", Some(mix(MixLayout::Auto, false)));
    room.run(2 * SECOND);
    room.assert_places("a", &["a", "b", "c", "d"]);
    assert!(room.longest_pause("a", since) <= Duration::from_millis(1100), "once a second at least");
    room.command(MediaCommand::CloseLink { link: link("b") });
    room.people.retain(|person| person.name != "b");
    room.run(SECOND);
    room.assert_places("a", &["a", "c", "d"]);
    let track = room.people[1].picture.clone().expect("a camera");
    room.mute(&track, true);
    room.run(SECOND);
    let seen = room.pictures("a").pop().expect("a picture").1;
    assert_eq!(seen.share(room.luma("c")), 0, "c has an avatar");
    assert_eq!(room.state("a").places.len(), 3, "and its place");
}

#[test]
fn one_takes_the_mix_while_the_others_keep_what_they_have_back_and_forth() {
    let mut room = Room::new();
    ["a", "b", "c"].into_iter().for_each(|name| room.come(name, None));
    room.run(2 * SECOND);
    let own = |room: &Room, name: &str, of: &str| {
        let track = format!("t_{of}_Camera");
        let from = room.yard.now - SECOND;
        room.got(name, &track).filter(|got| got.at > from).count()
    };
    assert!(own(&room, "a", "b") > 25 && own(&room, "b", "c") > 25);
    room.mix("a", Some(mix(MixLayout::Grid, false)));
    room.run(3 * SECOND);
    room.assert_places("a", &["a", "b", "c"]);
    assert!(room.heard("a")[1] > 20 && room.heard("a")[0] <= 2);
    assert_eq!((own(&room, "a", "b"), own(&room, "a", "c")), (0, 0));
    assert!(own(&room, "b", "a") > 25 && own(&room, "c", "b") > 25, "the others notice nothing");
    room.mix("a", None);
    room.run(3 * SECOND);
    assert!(own(&room, "a", "b") > 25 && own(&room, "a", "c") > 25);
    assert!(own(&room, "b", "a") > 25 && own(&room, "c", "b") > 25);
    let from = room.yard.now - SECOND;
    assert_eq!(room.got("a", "t_mix_picture").filter(|got| got.at > from).count(), 0);
    let counters = room.yard.sfu.counters().mixing;
    assert_eq!((counters.rooms, counters.viewers), (0, 0), "the mixer is gone");
    assert!(counters.encoded > 0);
}

#[test]
fn a_viewer_s_own_tile_is_left_out_on_request_and_layouts_are_each_one_s_own() {
    let mut room = Room::mixed(&["a", "b", "c"]);
    room.mix("a", Some(mix(MixLayout::Grid, true)));
    room.mix("b", Some(mix(MixLayout::Speaker, false)));
    room.run(4 * SECOND);
    room.assert_places("a", &["b", "c"]);
    room.assert_places("b", &["a", "b", "c"]);
    room.assert_places("c", &["a", "b", "c"]);
    let widths = |name| room.state(name).places.iter().map(|place| (place.width * 100.0) as u32).collect::<Vec<_>>();
    assert!(widths("b").iter().any(|width| *width > 60), "one is large: {:?}", widths("b"));
    assert!(widths("c").iter().all(|width| *width < 60), "{:?}", widths("c"));
    assert_eq!(room.yard.sfu.counters().mixing.encoding, 3);
}

#[test]
fn the_smallest_layer_that_fills_the_tile_is_decoded_and_the_smallest_rendition_sent() {
    let mut room = Room::mixed(&["a", "b", "c", "d"]);
    let small = Subscribe {
        track: TrackId("t_mix_picture".into()),
        on: true,
        width: Some(320),
        height: Some(180),
        fps: None,
        priority: 0,
    };
    for name in ["a", "b", "c", "d"] {
        room.command(MediaCommand::Watch { link: link(name), wish: small.clone() });
    }
    room.run(8 * SECOND);
    let demanded = |room: &Room| {
        let last = room.yard.events.iter().rev().find_map(|event| match event {
            MediaEvent::Demand { track, layers, .. } if track.0 == "t_a_Camera" => Some(layers.clone()),
            _ => None,
        });
        last.expect("told").map(|layers| layers.iter().map(|layer| layer.0.clone()).collect::<Vec<_>>())
    };
    assert_eq!(demanded(&room), Some(vec!["l".to_owned()]), "90 lines of a picture of 180");
    assert_eq!(room.yard.layer("a", &TrackId("t_mix_picture".into())).map(|rid| rid.0), Some("l".into()));
    let large = Subscribe { width: Some(1280), height: Some(720), ..small };
    room.command(MediaCommand::Watch { link: link("a"), wish: large });
    room.run(8 * SECOND);
    assert_eq!(room.yard.layer("a", &TrackId("t_mix_picture".into())).map(|rid| rid.0), Some("h".into()));
    assert_eq!(demanded(&room), Some(vec!["m".to_owned()]), "360 lines of a picture of 720");
    assert_eq!(room.yard.sfu.counters().mixing.encoding, 2, "one rendition each, however many look");
}

#[test]
fn nothing_is_mixed_when_nobody_watches_or_listens() {
    let mut room = Room::mixed(&["a", "b"]);
    room.run(2 * SECOND);
    for name in ["a", "b"] {
        room.mix(name, None);
    }
    room.run(4 * SECOND);
    let before = room.yard.sfu.counters().mixing;
    room.run(2 * SECOND);
    assert_eq!(room.yard.sfu.counters().mixing, before);
}
