//! With the true codec.

use super::*;
use opus::{Application, Bitrate, Channels, Decoder, Encoder};

fn failed(error: opus::Error) -> CodecError {
    CodecError::Frame(error.to_string())
}

fn channels(count: usize) -> Channels {
    if count == 2 { Channels::Stereo } else { Channels::Mono }
}

struct OpusDecoder(Decoder);

impl OpusDecoder {
    fn new() -> Self {
        Self(Decoder::new(48_000, Channels::Mono).expect("a decoder"))
    }
}

impl SoundDecoder for OpusDecoder {
    fn channels(&self) -> usize {
        1
    }
    fn decode(&mut self, packet: &[u8], out: &mut [f32]) -> Result<usize, CodecError> {
        self.0.decode_float(packet, out, false).map_err(failed)
    }
    fn decode_fec(&mut self, next: &[u8], out: &mut [f32]) -> Result<usize, CodecError> {
        self.0.decode_float(next, out, true).map_err(failed)
    }
    fn conceal(&mut self, out: &mut [f32]) -> Result<usize, CodecError> {
        self.0.decode_float(&[], out, false).map_err(failed)
    }
}

struct OpusEncoder(Encoder, usize);

impl OpusEncoder {
    fn new(count: usize) -> Self {
        let mut encoder = Encoder::new(48_000, channels(count), Application::Voip).expect("an encoder");
        encoder.set_bitrate(Bitrate::Bits(32_000 * count as i32)).expect("a bit rate");
        encoder.set_inband_fec(true).expect("a switch");
        encoder.set_packet_loss_perc(10).expect("a percentage");
        Self(encoder, count)
    }

    fn packet(&mut self, samples: &[f32]) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(samples, &mut out).expect("20 ms");
        out
    }
}

impl SoundEncoder for OpusEncoder {
    fn channels(&self) -> usize {
        self.1
    }
    fn encode(&mut self, samples: &[f32], out: &mut Vec<u8>) -> Result<(), CodecError> {
        let mut room = [0; 1500];
        let length = self.0.encode_float(samples, &mut room).map_err(failed)?;
        out.extend_from_slice(&room[..length]);
        Ok(())
    }
    fn set_expected_loss(&mut self, percent: u8) -> Result<(), CodecError> {
        self.0.set_packet_loss_perc(percent.into()).map_err(failed)
    }
}

/// Frames of 20 ms of somebody's speech.
fn frames(pitch: f64, amplitude: f32, count: usize) -> Vec<Vec<f32>> {
    let mut voice = balance::speech(pitch, amplitude, 3);
    let mut at = 0;
    (0..count)
        .map(|_| {
            (0..FRAME)
                .map(|_| {
                    at += 1;
                    voice(f64::from(at) / 48_000.0)
                })
                .collect()
        })
        .collect()
}

fn plus(one: &[Vec<f32>], other: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let add = |(one, other): (&Vec<f32>, &Vec<f32>)| one.iter().zip(other).map(|(a, b)| a + b).collect();
    one.iter().zip(other).map(add).collect()
}

fn decode<'a>(packets: impl Iterator<Item = &'a Vec<u8>>) -> Vec<f32> {
    let mut decoder = OpusDecoder::new();
    let mut out = Vec::new();
    let mut room = [0.0; FRAME];
    for packet in packets {
        let count = decoder.decode(packet, &mut room).expect("a packet");
        out.extend_from_slice(&room[..count]);
    }
    out
}

/// Mean power of what differs in the 40 ms from a frame on, against that of the sound, in dB.
fn difference(one: &[f32], other: &[f32], frame: usize) -> f32 {
    let range = frame * FRAME..(frame + 2) * FRAME;
    let error: Vec<f32> = one[range.clone()].iter().zip(&other[range.clone()]).map(|(a, b)| a - b).collect();
    gain::decibels(gain::power(&error)) - gain::decibels(gain::power(&one[range]).max(1e-5))
}

fn worst_click(samples: &[f32], frame: usize) -> f32 {
    steepest(&samples[frame * FRAME - 240..frame * FRAME + FRAME])
}

#[test]
#[ignore = "prints"]
fn explore() {
    let heard = frames(130.0, 0.4, 300);
    let own = frames(210.0, 0.4, 300);
    for warm in [0, 1, 2, 3, 5, 8, 12] {
        let (mut into, mut back) = (Vec::new(), Vec::new());
        let (mut click_in, mut click_back) = (Vec::new(), Vec::new());
        let mut common = OpusEncoder::new(1);
        let reference: Vec<_> = heard.iter().map(|frame| common.packet(frame)).collect();
        let right = decode(reference.iter());
        for at in (60..240).step_by(5) {
            let mut other = OpusEncoder::new(1);
            heard[at - warm..at].iter().for_each(|frame| drop(other.packet(frame)));
            let packets: Vec<_> = heard[at..at + 4].iter().map(|frame| other.packet(frame)).collect();
            let got = decode(reference[..at].iter().chain(&packets));
            into.push(difference(&right[..got.len()], &got, at));
            click_in.push(worst_click(&got, at) / worst_click(&right, at));
            // Back: the common mix had both until `warm` frames ago.
            let mut common = OpusEncoder::new(1);
            let mix = plus(&heard, &own);
            mix[..at - warm].iter().for_each(|frame| drop(common.packet(frame)));
            heard[at - warm..at].iter().for_each(|frame| drop(common.packet(frame)));
            let packets: Vec<_> = heard[at..at + 4].iter().map(|frame| common.packet(frame)).collect();
            let got = decode(reference[..at].iter().chain(&packets));
            back.push(difference(&right[..got.len()], &got, at));
            click_back.push(worst_click(&got, at) / worst_click(&right, at));
        }
        let show = |mut list: Vec<f32>| {
            list.sort_by(f32::total_cmp);
            format!("{:.2}/{:.2}/{:.2}", list[list.len() / 2], list[list.len() * 9 / 10], list[list.len() - 1])
        };
        println!("{warm}: into {} {} back {} {}", show(into), show(click_in), show(back), show(click_back));
    }
}
