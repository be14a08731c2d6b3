//! Parts that fail, and what people do in the wrong order.

use std::{cell::Cell, rc::Rc, time::Duration};

use madang_media::{mcu::JobKind, session::LayerId};
use madang_protocol::{MediaCommand, MixLayout, TrackId, TrackInfo, TrackKind, TrackSource};

use super::{
    room::{Room, SECOND, link, mix},
    yard::{
        Sent,
        codecs::{camera_frame, loudness},
    },
};

/// Three people of whom each is seen and heard.
fn assert_all_is_well(room: &Room) {
    for (place, name) in ["a", "b", "c"].into_iter().enumerate() {
        room.assert_places(name, &["a", "b", "c"]);
        let heard = room.heard(name);
        for (tone, level) in heard.iter().take(3).enumerate() {
            assert_eq!(*level > 20, tone != place, "{name} hears {heard:?}");
        }
    }
}

#[test]
fn a_part_that_panics_is_replaced_and_everybody_is_seen_and_heard_again() {
    for kind in JobKind::ALL {
        let mut room = Room::mixed(&["a", "b", "c"]);
        room.run(3 * SECOND);
        assert_all_is_well(&room);
        let left = Rc::new(Cell::new(2));
        let count = Rc::clone(&left);
        room.yard.jobs_fail = Box::new(move |job| {
            let fails = job.kind() == kind && count.get() > 0;
            count.set(count.get() - u32::from(fails));
            fails
        });
        room.run(2 * SECOND);
        assert_eq!(left.get(), 0, "{kind:?}");
        assert_all_is_well(&room);
        // Its time goes on where it was.
        let times: Vec<u32> = room.got("a", "t_mix_sound").map(|got| got.timestamp).collect();
        assert!(times.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) < 48_000), "{kind:?}");
    }
}

#[test]
fn who_withdraws_a_microphone_does_not_hear_it_fade_out() {
    let mut room = Room::mixed(&["a", "b"]);
    room.run(3 * SECOND);
    let (since, track) = (room.yard.now, room.people[0].sound.clone().expect("a microphone"));
    room.people[0].silent = true;
    room.command(MediaCommand::RemoveTrack { track });
    room.run(SECOND / 2);
    let own: Vec<u8> =
        room.got("a", "t_mix_sound").filter(|got| got.at >= since).map(|got| loudness(&got.payload)[0]).collect();
    assert!(own.len() > 20 && own.iter().all(|level| *level <= 2), "{own:?}");
}

#[test]
fn on_the_way_back_from_the_mix_there_is_no_silence_and_nobody_is_forgotten() {
    let mut room = Room::new();
    ["a", "b"].into_iter().for_each(|name| room.come(name, None));
    room.run(2 * SECOND);
    room.yard.answers_take = Duration::from_millis(400);
    room.mix("a", Some(mix(MixLayout::Grid, false)));
    room.run(Duration::from_millis(100));
    // Somebody comes while the mix is on its way, and that is given up again at once.
    room.come("c", None);
    room.run(Duration::from_millis(100));
    room.mix("a", None);
    room.run(4 * SECOND);
    let from = room.yard.now - SECOND;
    for track in ["t_b_Camera", "t_b_Microphone", "t_c_Camera", "t_c_Microphone"] {
        assert!(room.got("a", track).filter(|got| got.at > from).count() > 20, "{track}");
    }
    room.mix("a", Some(mix(MixLayout::Grid, false)));
    room.run(3 * SECOND);
    assert!(room.heard("a")[1] > 20);
    let since = room.yard.now;
    room.mix("a", None);
    room.run(2 * SECOND);
    let mut times: Vec<_> = ["t_mix_sound", "t_b_Microphone"]
        .into_iter()
        .flat_map(|track| room.got("a", track))
        .map(|got| got.at)
        .filter(|at| *at >= since)
        .collect();
    times.sort();
    let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max().expect("sound");
    assert!(longest < Duration::from_millis(150), "{longest:?} of silence");
}

#[test]
fn of_two_cameras_of_somebody_the_newer_one_is_seen_and_the_other_when_that_is_muted() {
    let mut room = Room::mixed(&["a", "b"]);
    room.people[0].flicker = 0;
    room.run(2 * SECOND);
    let second = TrackId("t_a_second".into());
    let info = TrackInfo {
        id: second.clone(),
        cid: "second".into(),
        kind: TrackKind::Video,
        source: TrackSource::Camera,
        muted: false,
        simulcast: false,
        width: Some(640),
        height: Some(360),
    };
    room.command(MediaCommand::AddTrack { link: link("a"), track: info });
    let show = |room: &mut Room, seconds: u32| {
        for number in 0..seconds * 30 {
            room.run(Duration::from_millis(33));
            let mut payload = vec![0x90, 0xE0, 0x80, number as u8, number as u8, 0x20];
            payload.extend(camera_frame(number % 10 == 0, (640, 360), 230));
            let at = room.yard.now;
            let sent = Sent { timestamp: number * 2970, payload, at, marker: true, codec: "VP8" };
            room.yard.send_packet("a", &second, LayerId(0), sent);
        }
    };
    show(&mut room, 3);
    let tile = |room: &Room| room.tile("b", "a", room.yard.now - 2 * SECOND).last().expect("a picture").1;
    assert_eq!(tile(&room), 230);
    assert_eq!(room.yard.sfu.counters().mixing.decoding, 2, "of each one camera");
    room.mute(&second, true);
    show(&mut room, 3);
    assert!(tile(&room).abs_diff(room.luma("a")) <= 2, "{}", tile(&room));
}
