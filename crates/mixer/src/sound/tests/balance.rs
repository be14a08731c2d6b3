//! How loud it is.

use super::*;
use crate::sound::limiter::peak;

/// Four syllables a second of a buzz that has harmonics, and pauses with a little noise.
pub(super) fn speech(pitch: f64, amplitude: f32, seed: u64) -> Voice {
    let mut random = SmallRng::seed_from_u64(seed);
    Box::new(move |at| {
        let envelope = ((at * 4.0).fract() * std::f64::consts::PI).sin().powi(2) as f32;
        let pause = if (at * 0.6).fract() < 0.8 { 1.0 } else { 0.0 };
        let phase = at * pitch * std::f64::consts::TAU;
        let buzz = (phase.sin() + 0.5 * (2.0 * phase).sin() + 0.3 * (3.0 * phase).sin()) as f32 / 1.5;
        amplitude * envelope * pause * buzz + random.random_range(-0.00005..0.00005)
    })
}

#[test]
fn twenty_five_at_full_scale_never_pass_full_scale() {
    let mut room = Room::new(1);
    room.listen(9, &[]);
    for id in 100..125 {
        let frequency = 150.0 + 37.0 * id as f64;
        room.join(Sender::new(
            id,
            Box::new(move |at| ((at * frequency * std::f64::consts::TAU).sin() * 9.0).clamp(-1.0, 1.0) as f32),
        ));
    }
    room.run(2000);
    for (listener, heard) in &room.heard {
        assert!(peak(&heard.left) <= 0.9, "{listener:?}: {}", peak(&heard.left));
        assert!(peak(&heard.left) > 0.5, "{listener:?} hears them");
    }
}

#[test]
fn a_whisperer_and_a_shouter_come_out_within_three_decibels() {
    let mut room = Room::new(1);
    room.listen(9, &[]);
    room.send(Sender::new(1, speech(120.0, 0.025, 1)));
    room.send(Sender::new(2, speech(310.0, 0.8, 2)));
    room.run(20_000);
    let heard = room.last(9, 5.0);
    let (whisper, shout) = (loudness(heard, 120.0), loudness(heard, 310.0));
    assert!((whisper - shout).abs() < 3.0, "{whisper} and {shout}, 30 dB apart when sent");
}

#[test]
fn the_balance_does_not_raise_noise() {
    let mut room = Room::new(1);
    room.listen(9, &[]);
    let mut random = SmallRng::seed_from_u64(4);
    room.send(Sender::new(1, Box::new(move |_| random.random_range(-0.004..0.004))));
    room.run(10_000);
    assert!(room.statistics(1).gain < 0.5, "{}", room.statistics(1).gain);
    assert!(peak(room.last(9, 2.0)) < 0.0045);
}
