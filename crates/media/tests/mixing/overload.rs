//! Jobs that come back late, and what is given up for them.

use std::time::Duration;

use madang_media::mcu::JobKind;
use madang_protocol::{MediaEvent, Subscribe, TrackId};

use super::{
    room::{MS, Room, SECOND},
    yard::{Newcomer, Yard, codecs::LAST_LUMA},
};

fn trio() -> Room {
    let mut room = Room::on(Yard::mixing_at((640, 384)));
    ["a", "b", "c"].into_iter().for_each(|name| room.come(name, super::room::auto()));
    for person in &mut room.people {
        (person.on_demand, person.obeys, person.flicker) = (true, true, 6);
    }
    room.run(3 * SECOND);
    room
}

fn pictures_take(room: &mut Room, time: Duration) {
    room.yard.jobs_take = Box::new(move |job| if job.kind() == JobKind::Picture { time } else { 4 * MS });
}

/// How many pictures `a` gets in a second.
fn rate(room: &Room) -> usize {
    room.pictures_since("a", room.yard.now - SECOND).len()
}

fn full(room: &Room) -> Option<bool> {
    room.yard.events.iter().rev().find_map(|event| match event {
        MediaEvent::MixFull { why } => Some(why.is_some()),
        _ => None,
    })
}

#[test]
fn pictures_that_take_too_long_go_by_halves_then_smaller_then_to_nobody_new_and_back() {
    let mut room = trio();
    assert_eq!((room.state("a").fps, room.state("a").max_height, rate(&room)), (30, 384, 30));
    let begin = room.yard.now;

    pictures_take(&mut room, 50 * MS);
    room.run(5 * SECOND);
    let state = room.state("a");
    assert_eq!((state.fps, state.max_height), (15, 384));
    assert!(state.limited.is_some());
    assert!(rate(&room).abs_diff(15) <= 1, "{} pictures a second", rate(&room));
    let counters = room.yard.sfu.counters().mixing;
    assert_eq!((counters.limited, counters.full), (1, 0));

    let since = room.yard.now;
    pictures_take(&mut room, 100 * MS);
    room.run(2500 * MS);
    let state = room.state("a");
    assert_eq!((state.fps, state.max_height), (15, 192), "no largest rendition");
    room.run(SECOND);
    assert_eq!(full(&room), None, "not yet");
    let last = room.pictures("a").len();
    assert!(room.longest_pause("a", since) < SECOND, "{:?}", room.longest_pause("a", since));
    // What helped for a while: the smaller rendition takes less.
    pictures_take(&mut room, 40 * MS);
    room.run(4 * SECOND);
    assert!(room.pictures("a").len() > last + 40, "the next rendition flows");
    assert_eq!(room.state("a").max_height, 192);

    pictures_take(&mut room, 400 * MS);
    room.run(5 * SECOND);
    assert_eq!(full(&room), Some(true));
    assert_eq!(room.yard.sfu.counters().mixing.full, 1);
    assert!(rate(&room) >= 1, "{} pictures a second of 400 ms each", rate(&room));
    room.assert_sound("a", begin, Duration::ZERO);
    assert!(room.yard.sfu.counters().mixing.late > 0);

    let since = room.yard.now;
    pictures_take(&mut room, 5 * MS);
    room.run(15 * SECOND);
    assert_eq!(full(&room), Some(false), "new viewers are welcome again");
    room.run(25 * SECOND);
    let state = room.state("a");
    assert_eq!((state.fps, state.max_height, state.limited), (30, 384, None));
    assert_eq!(rate(&room), 30);
    assert_eq!(room.yard.layer("a", &TrackId("t_mix_picture".into())).map(|rid| rid.0), Some("h".into()));
    assert!(room.longest_pause("a", since + SECOND) < 300 * MS, "back without a freeze");
    let counters = room.yard.sfu.counters().mixing;
    assert_eq!((counters.limited, counters.full), (0, 0));
}

#[test]
fn viewers_of_a_smaller_rendition_notice_nothing_of_the_largest_s_end() {
    let mut room = trio();
    let wish = Subscribe {
        track: TrackId("t_mix_picture".into()),
        on: true,
        width: Some(320),
        height: Some(192),
        fps: None,
        priority: 0,
    };
    room.command(madang_protocol::MediaCommand::Watch { link: super::room::link("c"), wish });
    room.run(4 * SECOND);
    assert_eq!(room.yard.sfu.counters().mixing.encoding, 2);
    pictures_take(&mut room, 60 * MS);
    room.run(4 * SECOND);
    pictures_take(&mut room, 75 * MS);
    let since = room.yard.now;
    room.run(3 * SECOND);
    assert_eq!(room.state("c").max_height, 192);
    assert_eq!(room.yard.sfu.counters().mixing.encoding, 1);
    assert!(room.longest_pause("c", since) < 250 * MS);
    assert!(room.longest_pause("a", since) < SECOND);
}

#[test]
fn a_room_that_was_too_much_is_open_again_when_only_listeners_are_left() {
    let mut room = trio();
    room.watcher("ear", Newcomer { mix: super::room::auto(), mix_codec: None, ..Newcomer::default() });
    pictures_take(&mut room, 400 * MS);
    room.run(8 * SECOND);
    assert_eq!(full(&room), Some(true));
    ["a", "b", "c"].into_iter().for_each(|name| room.mix(name, None));
    room.run(12 * SECOND);
    assert_eq!(full(&room), Some(false));
    assert!(room.heard("ear")[0] > 20, "who listens goes on to hear");
    room.run(25 * SECOND);
    assert_eq!(room.yard.sfu.counters().mixing.limited, 0);
}

#[test]
fn a_decoder_that_is_slow_holds_up_nobody_else() {
    let mut room = trio();
    let slow = room.luma("b")..=room.luma("b") + 6;
    room.yard.jobs_take = Box::new(move |job| match job.kind() {
        JobKind::Decode if slow.contains(&LAST_LUMA.get()) => 470 * MS,
        _ => 4 * MS,
    });
    let since = room.yard.now;
    room.run(10 * SECOND);
    for of in ["a", "c"] {
        assert!(room.frozen("a", of, since) < 120 * MS, "{of} is held up");
    }
    let changes = room.tile("a", "b", since).windows(2).filter(|pair| pair[0].1 != pair[1].1).count();
    assert!(changes >= 8, "{changes} pictures of 470 ms each in 10 s");
    assert!(room.longest_pause("a", since) < 80 * MS);
    room.assert_sound("a", since, Duration::ZERO);
    assert_eq!(room.state("a").fps, 30, "it is not the mixer that is slow");
}

#[test]
fn sound_that_takes_long_now_and_then_has_no_hole() {
    for (take, late) in [(30, 40), (150, 160)] {
        let mut room = trio();
        let mut count = 0;
        room.yard.jobs_take = Box::new(move |job| {
            count += 1;
            if job.kind() == JobKind::Sound && count % 40 == 0 { take * MS } else { 4 * MS }
        });
        let since = room.yard.now;
        room.run(10 * SECOND);
        room.assert_sound("a", since, late * MS);
        pictures_take(&mut room, 4 * MS);
        room.run(SECOND);
        assert!(room.heard("a")[1] > 20 && room.heard("a")[2] > 20);
        assert!(room.frozen("a", "b", since) < 120 * MS);
    }
}
