//! Opus, there and back.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::f32::consts::TAU;

use madang_codec::opus::{OpusDecoder, OpusEncoder, OpusSettings};
use madang_mixer::codec::{CodecError, SoundDecoder, SoundEncoder};

/// 20 ms.
const FRAME: usize = 960;

fn tone(frequency: f32, amplitude: f32, from: usize, count: usize) -> Vec<f32> {
    (from..from + count).map(|at| amplitude * (TAU * frequency * at as f32 / 48_000.0).sin()).collect()
}

/// Something like speech: a buzz of many harmonics whose pitch and level wander.
fn voice(count: usize) -> Vec<f32> {
    let mut phase = 0.0_f32;
    (0..count)
        .map(|at| {
            let time = at as f32 / 48_000.0;
            phase = (phase + (140.0 + 30.0 * (TAU * 1.7 * time).sin()) / 48_000.0).fract();
            let level = 0.12 * (0.6 + 0.4 * (TAU * 3.1 * time).sin());
            let formant = |harmonic: f32| 1.0 / (1.0 + ((harmonic * 140.0 - 700.0) / 300.0).powi(2));
            level * (1..20).map(|n| formant(n as f32) * (TAU * phase * n as f32).sin()).sum::<f32>()
        })
        .collect()
}

fn level(samples: &[f32]) -> f32 {
    (samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len() as f32).sqrt()
}

/// How much of that frequency there is: the amplitude of the sine.
fn amplitude(samples: &[f32], frequency: f32) -> f32 {
    let (sine, cosine) = samples.iter().enumerate().fold((0.0_f32, 0.0_f32), |(sine, cosine), (at, sample)| {
        let (s, c) = (TAU * frequency * at as f32 / 48_000.0).sin_cos();
        (sine + sample * s, cosine + sample * c)
    });
    2.0 * sine.hypot(cosine) / samples.len() as f32
}

fn encode(encoder: &mut OpusEncoder, samples: &[f32]) -> Vec<Vec<u8>> {
    let step = FRAME * encoder.channels();
    samples
        .chunks_exact(step)
        .map(|frame| {
            let mut packet = vec![7];
            encoder.encode(frame, &mut packet).unwrap();
            packet.split_off(1)
        })
        .collect()
}

fn decode(decoder: &mut OpusDecoder, packets: &[Vec<u8>]) -> Vec<f32> {
    let mut out = vec![0.0; FRAME * decoder.channels()];
    packets
        .iter()
        .flat_map(|packet| {
            assert_eq!(decoder.decode(packet, &mut out).unwrap(), FRAME);
            out.clone()
        })
        .collect()
}

#[test]
fn a_tone_keeps_its_frequency_and_level() {
    for frequency in [440.0, 1500.0] {
        let mut encoder = OpusEncoder::new(OpusSettings::voice()).unwrap();
        let packets = encode(&mut encoder, &tone(frequency, 0.4, 0, 48_000));
        let out = decode(&mut OpusDecoder::new(1).unwrap(), &packets);
        let late = &out[24_000..];
        assert!((amplitude(late, frequency) - 0.4).abs() < 0.05, "{}", amplitude(late, frequency));
        assert!(amplitude(late, frequency * 1.3) < 0.02);
        assert!((level(late) - 0.4 / 2.0_f32.sqrt()).abs() < 0.04);
    }
}

#[test]
fn stereo_keeps_its_sides_apart_and_mono_becomes_both() {
    let (left, right) = (tone(440.0, 0.4, 0, 48_000), tone(1500.0, 0.4, 0, 48_000));
    let both: Vec<f32> = left.iter().zip(&right).flat_map(|(left, right)| [*left, *right]).collect();
    let packets = encode(&mut OpusEncoder::new(OpusSettings::stereo()).unwrap(), &both);
    let side = |out: &[f32], side| out.chunks_exact(2).skip(24_000).map(|both| both[side]).collect::<Vec<f32>>();
    let out = decode(&mut OpusDecoder::new(2).unwrap(), &packets);
    for (own, own_tone, other_tone) in [(0, 440.0, 1500.0), (1, 1500.0, 440.0)] {
        let (own, other) = (amplitude(&side(&out, own), own_tone), amplitude(&side(&out, own), other_tone));
        assert!(own > 0.3 && other < 0.06, "{own_tone} Hz: {own}, {other_tone} Hz: {other}");
    }
    let mono = encode(&mut OpusEncoder::new(OpusSettings::voice()).unwrap(), &left);
    let out = decode(&mut OpusDecoder::new(2).unwrap(), &mono);
    assert_eq!(side(&out, 0), side(&out, 1));
}

/// How well what stands for lost packets fits, in decibels: every fifth is lost.
fn repaired(packets: &[Vec<u8>], fec: bool) -> f32 {
    let whole = decode(&mut OpusDecoder::new(1).unwrap(), packets);
    let mut decoder = OpusDecoder::new(1).unwrap();
    let mut out = vec![0.0; FRAME];
    let (mut signal, mut noise) = (0.0_f32, 0.0_f32);
    for at in 0..packets.len() - 1 {
        if at % 5 != 4 {
            decoder.decode(&packets[at], &mut out).unwrap();
            continue;
        }
        let filled = if fec { decoder.decode_fec(&packets[at + 1], &mut out) } else { decoder.conceal(&mut out) };
        assert_eq!(filled.unwrap(), FRAME);
        for (sample, right) in out.iter().zip(&whole[at * FRAME..]) {
            signal += right * right;
            noise += (sample - right).powi(2);
        }
    }
    10.0 * (signal / noise).log10()
}

#[test]
fn what_the_next_packet_has_of_a_lost_one_is_better_than_concealment() {
    let settings = OpusSettings { expected_loss: 20, bitrate: 24_000, ..OpusSettings::voice() };
    let packets = encode(&mut OpusEncoder::new(settings).unwrap(), &voice(3 * 48_000));
    let (fec, concealed) = (repaired(&packets, true), repaired(&packets, false));
    assert!(fec > concealed + 3.0, "FEC {fec} dB, concealment {concealed} dB");
}

#[test]
fn concealment_goes_on_and_then_decays() {
    let packets = encode(&mut OpusEncoder::new(OpusSettings::voice()).unwrap(), &tone(300.0, 0.4, 0, 24_000));
    let mut decoder = OpusDecoder::new(1).unwrap();
    decode(&mut decoder, &packets);
    let mut out = vec![0.0; FRAME];
    let mut levels = Vec::new();
    for _ in 0..50 {
        assert_eq!(decoder.conceal(&mut out).unwrap(), FRAME);
        levels.push(level(&out));
    }
    assert!(levels[0] > 0.1, "{levels:?}");
    assert!(levels[49] < 0.01, "{levels:?}");
}

#[test]
fn silence_costs_nearly_nothing_where_that_is_asked_for() {
    let sizes = |dtx| {
        let mut encoder = OpusEncoder::new(OpusSettings { dtx, ..OpusSettings::voice() }).unwrap();
        let packets = encode(&mut encoder, &vec![0.0; 48_000]);
        packets[25..].iter().filter(|packet| packet.len() <= 2).count()
    };
    assert!(sizes(true) > 20);
    assert_eq!(sizes(false), 0);
}

#[test]
fn the_bit_rate_is_kept_before_and_after_a_change() {
    let mut encoder = OpusEncoder::new(OpusSettings::voice()).unwrap();
    let mut rate = || encode(&mut encoder, &voice(48_000)).iter().map(|packet| packet.len() * 8).sum::<usize>();
    let before = rate();
    assert!((22_000..40_000).contains(&before), "{before}");
    encoder.set_bitrate(12_000).unwrap();
    let mut rate = || encode(&mut encoder, &voice(48_000)).iter().map(|packet| packet.len() * 8).sum::<usize>();
    let after = rate();
    assert!((8_000..16_000).contains(&after), "{after}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let unfit = |result: Result<usize, CodecError>| matches!(result, Err(CodecError::Unfit(_)));
    assert!(matches!(OpusDecoder::new(3), Err(CodecError::Unfit(_))));
    assert!(OpusEncoder::new(OpusSettings { bitrate: 1, ..OpusSettings::voice() }).is_err());
    let mut encoder = OpusEncoder::new(OpusSettings::voice()).unwrap();
    let mut packet = Vec::new();
    assert!(matches!(encoder.encode(&[0.0; 959], &mut packet), Err(CodecError::Unfit(_))));
    assert!(matches!(encoder.set_expected_loss(101), Err(CodecError::Unfit(_))));
    encoder.encode(&[0.0; FRAME], &mut packet).unwrap();
    let mut decoder = OpusDecoder::new(1).unwrap();
    assert!(unfit(decoder.decode(&packet, &mut [0.0; FRAME - 1])));
    assert!(unfit(decoder.conceal(&mut [0.0; 100])) && unfit(decoder.conceal(&mut [])));
    assert!(unfit(decoder.decode_fec(&packet, &mut [0.0; 100])));
    assert!(matches!(decoder.decode(&[], &mut [0.0; FRAME]), Err(CodecError::Frame(_))));
}
