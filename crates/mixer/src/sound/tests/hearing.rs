//! Who hears whom.

use super::*;
use crate::sound::limiter::peak;

const TONES: [f64; 4] = [440.0, 700.0, 1130.0, 1810.0];

fn room_of(people: usize) -> Room {
    let mut room = Room::new(1);
    for (id, frequency) in (1..).zip(&TONES[..people]) {
        room.join(Sender::new(id, tone(*frequency, 0.1)));
    }
    room
}

#[test]
fn each_hears_the_others_and_never_itself() {
    let mut room = room_of(4);
    room.listen(9, &[]);
    room.run(3000);
    for listener in 1..=4 {
        let heard = room.last(listener, 1.0);
        let levels: Vec<f64> = TONES.iter().map(|tone| loudness(heard, *tone)).collect();
        let softest = (0..4).filter(|at| *at != listener as usize - 1).map(|at| levels[at]).fold(0.0, f64::min);
        assert!(softest > -23.0, "{listener}: {levels:?}");
        assert!(levels[listener as usize - 1] < softest - 60.0, "{listener}: {levels:?}");
    }
    let heard = room.last(9, 1.0);
    assert!(TONES.iter().all(|tone| loudness(heard, *tone) > -23.0));
}

#[test]
fn those_who_only_listen_share_one_encoding() {
    let mut room = room_of(3);
    (10..110).for_each(|listener| room.listen(listener, &[]));
    room.run(1000);
    let before = room.mixer.statistics().encoded;
    room.run(1000);
    assert_eq!(room.mixer.statistics().encoded - before, 50 * 4);
    room.run_with(20, |room| {
        let mut all: Vec<_> = room.output.packets().flat_map(|packet| packet.listeners.to_vec()).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 103, "each gets one packet");
        assert_eq!(room.output.packets().map(|packet| packet.listeners.len()).max(), Some(100));
    });
}

#[test]
fn nothing_is_mixed_while_nobody_listens() {
    let mut room = Room::new(1);
    room.send(Sender::new(1, tone(440.0, 0.1)));
    room.run(1000);
    assert_eq!(room.mixer.statistics().encoded, 0);
    assert_eq!(room.statistics(1).played, 0);
    room.listen(9, &[]);
    room.run(500);
    assert!(loudness(room.last(9, 0.3), 440.0) > -23.0);
    room.mixer.remove_listener(ListenerId(9));
    room.run(40);
    let played = room.statistics(1).played;
    room.run(1000);
    assert_eq!(room.statistics(1).played, played);
}

#[test]
fn who_is_alone_is_not_decoded() {
    let mut room = room_of(1);
    room.run(1000);
    assert_eq!(room.statistics(1).played, 0);
    room.listen(9, &[]);
    room.run(1000);
    assert!(room.statistics(1).played > 40_000);
}

#[test]
fn silence_stops_the_packets_but_for_one_now_and_then_and_time_goes_on() {
    let mut room = Room::new(1);
    room.join(Sender::new(
        1,
        Box::new(|at| if (2.0..6.0).contains(&at) { 0.0 } else { (at * 3000.0).sin() as f32 * 0.1 }),
    ));
    room.listen(9, &[]);
    room.run(3000);
    let before = room.heard[&ListenerId(9)].packets;
    room.run(2000);
    assert_eq!(room.heard[&ListenerId(9)].packets - before, 5, "2 s with one per 400 ms");
    room.run(3000);
    let heard = &room.heard[&ListenerId(9)];
    assert_eq!(heard.left.len(), 8 * 48_000, "time went on");
    assert!(peak(&heard.left[7 * 48_000..]) > 0.09);
    let own = room.last(1, 1.0);
    assert!(peak(own) < 1e-5, "who talks alone hears nothing");
}

#[test]
fn people_come_and_go_without_a_click() {
    let mut room = Room::new(1);
    room.listen(9, &[]);
    room.send(Sender::new(1, tone(200.0, 0.2)));
    room.run(1000);
    room.send(Sender::new(2, tone(310.0, 0.2)));
    room.run(1010);
    room.mixer.set_muted(SourceId(2), true);
    room.run(1010);
    room.mixer.set_muted(SourceId(2), false);
    room.run(1010);
    room.mixer.remove_source(SourceId(1));
    room.run(500);
    room.mixer.remove_source(SourceId(2));
    room.run(500);
    assert!(room.mixer.source_statistics(SourceId(1)).is_none());
    let heard = room.last(9, 99.0);
    // A sine of amplitude a and frequency f is no steeper than 2πfa per second; the fades add a
    // little.
    let tones = std::f32::consts::TAU * (200.0 + 310.0) * 0.2 / 48_000.0;
    assert!(steepest(heard) < tones * 1.3, "{} against {tones}", steepest(heard));
    assert!(peak(&heard[heard.len() - 9600..]) < 1e-6);
}

#[test]
fn who_begins_to_speak_and_stops_hears_no_click_in_the_mix_it_gets() {
    let mut room = Room::new(1);
    room.send(Sender::new(1, tone(200.0, 0.2)));
    let speaks = |at: f64| (at * 0.7).fract() < 0.4;
    room.join(Sender::new(2, Box::new(move |at| if speaks(at) { (at * 2000.0).sin() as f32 * 0.2 } else { 0.0 })));
    room.run(10_000);
    let heard = room.last(2, 9.0);
    let limit = std::f32::consts::TAU * 200.0 * 0.2 / 48_000.0;
    assert!(steepest(heard) < limit * 1.05, "{} against {limit}", steepest(heard));
    assert!(loudness(room.last(2, 5.0), 2000.0 / std::f64::consts::TAU) < -80.0);
}

#[test]
fn only_the_five_loudest_are_decoded() {
    let mut room = Room::new(1);
    room.listen(9, &[]);
    for id in 0..12 {
        room.send(Sender::new(id, tone(300.0 + 100.0 * id as f64, 0.01 * 1.3_f32.powi(id as i32))));
    }
    room.run(2000);
    let before: Vec<u64> = (0..12).map(|id| room.statistics(id).played).collect();
    room.run(1000);
    let decoded: Vec<u64> = (0..12).filter(|id| room.statistics(*id).played > before[*id as usize]).collect();
    assert_eq!(decoded, [7, 8, 9, 10, 11]);
    assert_eq!(room.speakers.len(), 12, "who speaks is said of all");
    assert_eq!(room.speakers[..2], [SourceId(11), SourceId(10)], "the loudest first");
}

#[test]
fn five_who_claim_to_shout_and_are_silent_do_not_keep_a_talker_out() {
    let mut room = Room::new(1);
    room.listen(9, &[]);
    for id in 0..5 {
        let mut liar = Sender::new(id, tone(300.0, 0.0001));
        liar.level = Some(Some(0));
        room.send(liar);
    }
    room.send(Sender::new(7, tone(1000.0, 0.1)));
    room.run(20_000);
    let heard = room.last(9, 16.0);
    assert!(heard.chunks(4800).all(|tenth| loudness(tenth, 1000.0) > -28.0));
}

#[test]
fn shared_screens_are_stereo_and_come_beside_the_five() {
    let mut room = Room::new(1);
    room.listen(9, &[]);
    for id in 0..6 {
        room.send(Sender::new(id, tone(300.0 + 100.0 * id as f64, 0.05)));
    }
    room.listen(20, &[20]);
    room.run(1000);
    assert!(room.output.packets().all(|packet| packet.channels == 1));
    let mut screen = Sender::new(20, tone(2000.0, 0.05));
    screen.channels = 2;
    room.send(screen);
    room.run(1500);
    assert!(room.output.packets().all(|packet| packet.channels == 2));
    let heard = &room.heard[&ListenerId(9)];
    let from = heard.left.len() - 24_000;
    for side in [&heard.left, &heard.right] {
        assert!(loudness(&side[from..], 2000.0) > -28.0);
        assert!(loudness(&side[from..], 300.0) > -28.0);
    }
    let sum: Vec<f32> = heard.left[from..].iter().zip(&heard.right[from..]).map(|(l, r)| l + r).collect();
    assert!(loudness(&sum, 2000.0) < -60.0, "the sides of the screen's sound are opposite");
    assert!(loudness(room.last(20, 0.5), 2000.0) < -80.0, "who shares does not hear it");
    assert!(steepest(room.last(9, 3.0)) < 0.12);
    room.mixer.remove_source(SourceId(20));
    room.run(2200);
    assert!(room.output.packets().all(|packet| packet.channels == 1));
}

#[test]
fn somebody_who_sends_from_the_first_sample_of_speech_on_loses_no_onset() {
    // The chosen are chosen at arrival; the sound plays later.
    let mut room = Room::new(1);
    room.listen(9, &[]);
    room.send(Sender::new(1, Box::new(|at| if at < 1.0 { 0.0 } else { 0.2 })));
    room.run(2000);
    let heard = room.last(9, 99.0);
    let onset = heard.iter().position(|sample| *sample > 0.1).expect("an onset");
    let ready = heard.iter().position(|sample| *sample > 1e-4).expect("an onset");
    assert!(onset - ready < 480, "the fade is shorter than 10 ms");
    // 20 ms of a packet, 30 of network, 60 of buffer, 5 of limiter, 7 of the tick.
    assert!(onset < 48_000 + 48 * 125, "{} ms", (onset as i64 - 48_000) / 48);
}
