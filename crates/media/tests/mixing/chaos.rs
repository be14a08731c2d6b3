//! Whatever happens, and in which order: in the end everybody sees and hears everybody.

use madang_lab::seeds;
use madang_media::mcu::JobKind;
use madang_protocol::{MediaCommand, Mix, MixLayout, Person, Subscribe, TrackId};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{
    room::{MS, Room, SECOND, auto, link, mix},
    yard::{Newcomer, Yard},
};

fn any_mix(random: &mut StdRng) -> Option<Mix> {
    let layouts = [MixLayout::Auto, MixLayout::Grid, MixLayout::Speaker, MixLayout::PictureInPicture];
    let layout = layouts[random.random_range(0..4)].clone();
    (random.random_range(0..4) > 0).then(|| mix(layout, random.random()))
}

fn slow(room: &mut Room, random: &mut StdRng) {
    let [sound, decode, picture] = [120, 300, 60].map(|most| random.random_range(1..most));
    room.yard.jobs_take = Box::new(move |job| match job.kind() {
        JobKind::Sound => sound * MS,
        JobKind::Decode => decode * MS,
        JobKind::Picture => picture * MS,
    });
}

/// Something happens to somebody.
fn step(room: &mut Room, random: &mut StdRng, newest: &mut u32) {
    let place = random.random_range(0..room.people.len());
    let name = room.people[place].name.clone();
    match random.random_range(0..11) {
        0 | 1 if room.people.len() < 7 => {
            *newest += 1;
            let newcomer = Newcomer { mix: any_mix(random), simulcast: random.random(), ..Newcomer::default() };
            let simulcast = newcomer.simulcast;
            room.come_as(&format!("n{newest}"), newcomer);
            let person = room.people.last_mut().expect("somebody");
            (person.on_demand, person.obeys) = (random.random(), true);
            if !simulcast {
                person.layers = vec![(640, 360)];
            }
        }
        2 if room.people.len() > 2 => room.part(&name),
        3 | 4 => {
            let mix = any_mix(random);
            room.mix(&name, mix);
        }
        5 | 6 => {
            let track = if random.random() { &room.people[place].picture } else { &room.people[place].sound };
            let track = track.clone().expect("a track");
            room.mute(&track, random.random());
        }
        7 => slow(room, random),
        8 => {
            let (width, height) = [(320, 180), (640, 360), (1280, 720)][random.random_range(0..3)];
            let track = TrackId("t_mix_picture".into());
            let (width, height, on) = (Some(width), Some(height), random.random_range(0..4) > 0);
            let wish = Subscribe { track, on, width, height, fps: None, priority: 0 };
            room.command(MediaCommand::Watch { link: link(&name), wish });
        }
        9 => {
            let person = Person { name: format!("{name} again"), is_shown: random.random() };
            room.command(MediaCommand::Describe { link: link(&name), person });
        }
        _ => {
            let person = &mut room.people[place];
            (person.dark, person.silent) = (random.random(), random.random());
        }
    }
}

#[test]
fn whatever_happened_everybody_sees_and_hears_everybody_in_the_end() {
    for seed in seeds(1..3) {
        let mut random = StdRng::seed_from_u64(seed);
        let mut room = Room::on(Yard::mixing_at((640, 384)));
        ["a", "b"].into_iter().for_each(|name| room.come(name, auto()));
        let mut newest = 0;
        for _ in 0..120 {
            step(&mut room, &mut random, &mut newest);
            room.run(random.random_range(1..120) * MS);
        }
        room.yard.jobs_take = Box::new(|_| 4 * MS);
        let wish = Subscribe {
            track: TrackId("t_mix_picture".into()),
            on: true,
            width: None,
            height: None,
            fps: None,
            priority: 0,
        };
        let names: Vec<String> = room.people.iter().map(|person| person.name.clone()).collect();
        for (place, name) in (0..).zip(&names) {
            let person = room.person(name);
            (person.dark, person.silent, person.tone, person.luma) =
                (false, false, usize::from(place), 60 + 25 * place);
            let tracks = [person.picture.clone(), person.sound.clone()];
            tracks.iter().flatten().for_each(|track| room.mute(track, false));
            room.command(MediaCommand::Describe {
                link: link(name),
                person: Person { name: name.clone(), is_shown: true },
            });
            room.mix(name, auto());
            room.command(MediaCommand::Watch { link: link(name), wish: wish.clone() });
        }
        room.run(8 * SECOND);
        let mut sorted: Vec<&str> = names.iter().map(String::as_str).collect();
        sorted.sort_unstable();
        for (place, name) in names.iter().enumerate() {
            room.assert_places(name, &sorted);
            let heard = room.heard(name);
            // Five at most are mixed at once.
            let others = (0..names.len()).filter(|tone| *tone != place && heard[*tone] > 10).count();
            assert!(others >= (names.len() - 1).min(4), "{name} hears {heard:?}");
            assert!(heard[place] <= 2, "{name} hears itself: {heard:?}");
        }
        let counters = room.yard.sfu.counters();
        let count = names.len() as u64;
        assert_eq!((counters.links, counters.mixing.viewers, counters.mixing.people), (count, count, count));
        assert_eq!((counters.mixing.sources, counters.mixing.pictures), (2 * count, 1));
        assert_eq!(counters.tracks, 2 * count + 1);
    }
}
