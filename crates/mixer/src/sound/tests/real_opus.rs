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

fn median(mut list: Vec<f32>) -> f32 {
    list.sort_by(f32::total_cmp);
    list[list.len() / 2]
}

/// How much of what a receiver hears differs after it was moved from one encoder to another that has
/// had the same input for some frames, and other input or none before; in dB, in the median.
fn change_of_encoder(warm: usize, before: Option<&[Vec<f32>]>) -> f32 {
    let heard = frames(130.0, 0.4, 250);
    let mut first = OpusEncoder::new(1);
    let reference: Vec<_> = heard.iter().map(|frame| first.packet(frame)).collect();
    let right = decode(reference.iter());
    let changes = (60..240).step_by(9).map(|at| {
        let mut second = OpusEncoder::new(1);
        before.unwrap_or_default().iter().take(at - warm).for_each(|frame| drop(second.packet(frame)));
        heard[at - warm..at].iter().for_each(|frame| drop(second.packet(frame)));
        let packets: Vec<_> = heard[at..at + 2].iter().map(|frame| second.packet(frame)).collect();
        let got = decode(reference[..at].iter().chain(&packets));
        difference(&right[..got.len()], &got, at)
    });
    median(changes.collect())
}

#[test]
fn a_listener_is_moved_to_its_own_mix_without_a_break() {
    let (cold, warm) = (change_of_encoder(0, None), change_of_encoder(stream::WARM_UP, None));
    assert!(warm < -25.0 && warm < cold - 10.0, "cold {cold}, warm {warm}");
}

#[test]
fn a_listener_is_moved_back_to_the_common_mix_without_a_break() {
    let both = plus(&frames(130.0, 0.4, 250), &frames(210.0, 0.4, 250));
    let (cold, warm) = (change_of_encoder(0, Some(&both)), change_of_encoder(stream::WARM_UP, Some(&both)));
    assert!(warm < -25.0 && warm < cold - 10.0, "cold {cold}, warm {warm}");
}

/// How much differs in the first 40 ms of a decoder that has decoded something else long ago, and
/// then so many packets that nobody heard.
fn entry_of_decoder(packets_before: usize) -> f32 {
    let heard = frames(130.0, 0.4, 250);
    let mut encoder = OpusEncoder::new(1);
    let packets: Vec<_> = heard.iter().map(|frame| encoder.packet(frame)).collect();
    let right = decode(packets.iter());
    let entries = (60..240).step_by(9).map(|at| {
        let from = at - packets_before;
        let got = decode(packets[..40].iter().chain(&packets[from..at + 2]));
        let offset = at - (40 + packets_before);
        difference(
            &right[offset * FRAME..],
            &{
                let mut aligned = right[offset * FRAME..].to_vec();
                aligned[(40 + packets_before) * FRAME..][..2 * FRAME].copy_from_slice(&got[got.len() - 2 * FRAME..]);
                aligned
            },
            40 + packets_before,
        )
    });
    median(entries.collect())
}

#[test]
fn a_decoder_that_was_not_fed_starts_cleanly() {
    let (cold, warm) = (entry_of_decoder(0), entry_of_decoder(jitter::PLAYED));
    assert!(warm < -18.0 && warm < cold - 12.0, "cold {cold}, warm {warm}");
}

fn opus_room(seed: u64) -> Room {
    Room::with(SoundConfig { inspect: inspect_opus, ..config() }, seed)
}

fn opus_sender(source: u64, voice: Voice) -> Sender {
    let mut sender = Sender::new(source, voice);
    let mut encoder = OpusEncoder::new(1);
    encoder.set_expected_loss(20).expect("a percentage");
    sender.encode = Some(Box::new(move |samples| encoder.packet(samples)));
    sender
}

#[test]
fn with_in_band_fec_ten_percent_loss_and_200_ms_of_jitter_conceal_less_than_five_percent() {
    let mut room = opus_room(21);
    room.listen(9, &[]);
    let mut sender = opus_sender(1, balance::speech(130.0, 0.4, 5));
    sender.network = Box::new(|_, random| (!random.random_bool(0.1)).then(|| 30.0 + random.random_range(0.0..200.0)));
    room.send_to(sender, Box::new(OpusDecoder::new()));
    room.run(60_000);
    let statistics = room.statistics(1);
    let share = |part: u64| part as f64 / statistics.played as f64;
    assert!(share(statistics.concealed) < 0.05, "{statistics:?}");
    assert!(share(statistics.recovered) > 0.03, "{statistics:?}");
    assert_eq!(statistics.faults, 0);
}

#[test]
fn losses_bursts_and_the_time_scale_make_no_clicks() {
    let mut room = opus_room(22);
    room.listen(9, &[]);
    let mut sender = opus_sender(1, balance::speech(130.0, 0.4, 5));
    sender.rate = 1.002;
    sender.network = Box::new(|packet, random| {
        let burst = packet % 100 > 92;
        (!burst && !random.random_bool(0.05)).then(|| 30.0 + random.random_range(0.0..80.0))
    });
    room.send_to(sender, Box::new(OpusDecoder::new()));
    room.run(30_000);
    let mut clean = opus_room(22);
    clean.listen(9, &[]);
    clean.send_to(opus_sender(1, balance::speech(130.0, 0.4, 5)), Box::new(OpusDecoder::new()));
    clean.run(30_000);
    let (got, right) = (steepest(room.last(9, 25.0)), steepest(clean.last(9, 25.0)));
    assert!(got < right * 2.0, "{got} against {right}");
}

/// What somebody hears of another who speaks all the time, while it speaks itself now and then, or
/// never.
fn heard_while_speaking(speaks: bool) -> Vec<f32> {
    let encoder: EncoderFactory = Box::new(|channels| Ok(Box::new(OpusEncoder::new(channels))));
    let mut room = Room::with(SoundConfig { encoder, ..config() }, 1);
    let mut decoders = BTreeMap::new();
    room.decode = Some(Box::new(move |listener, payload| {
        let mut out = vec![0.0; FRAME];
        let decoder = decoders.entry(listener).or_insert_with(OpusDecoder::new);
        decoder.decode(payload, &mut out).expect("a packet");
        out
    }));
    // Somebody else listens too, so that the common mix goes on.
    room.listen(9, &[]);
    room.send(Sender::new(1, balance::speech(130.0, 0.3, 5)));
    let now_and_then = move |at: f64| speaks && (at * 0.9).fract() < 0.4;
    room.join(Sender::new(
        2,
        Box::new(move |at| if now_and_then(at) { (at * 2000.0).sin() as f32 * 0.2 } else { 0.0 }),
    ));
    room.run(12_000);
    room.heard.remove(&ListenerId(2)).expect("a listener").left
}

#[test]
fn who_speaks_now_and_then_hears_the_others_as_if_it_did_not() {
    let (quiet, speaking) = (heard_while_speaking(false), heard_while_speaking(true));
    let frames = quiet.len() / FRAME - 2;
    let mut differences: Vec<_> = (100..frames).map(|frame| difference(&quiet, &speaking, frame)).collect();
    differences.sort_by(f32::total_cmp);
    let part = |percent: usize| differences[differences.len() * percent / 100];
    assert!(part(50) < -25.0 && part(98) < -10.0, "{} {}", part(50), part(98));
}

/// Twenty-five talk at once, a hundred listen, of whom twenty-five talk.
#[test]
#[ignore = "measures: run it alone, in a release build"]
fn what_twenty_five_talkers_and_a_hundred_listeners_cost() {
    let encoder: EncoderFactory = Box::new(|channels| Ok(Box::new(OpusEncoder::new(channels))));
    let mut mixer = SoundMixer::new(SoundConfig::new(encoder));
    let mut talkers: Vec<_> = (0..25)
        .map(|id| {
            mixer.add_source(SourceId(id), SourceKind::Voice, Box::new(OpusDecoder::new()));
            let mut encoder = OpusEncoder::new(1);
            let frames = frames(100.0 + 9.0 * id as f64, 0.3, 100);
            let levels = frames.iter().map(|frame| gain::decibels(gain::power(frame)) as i8).collect::<Vec<_>>();
            (frames.iter().map(|frame| encoder.packet(frame)).collect::<Vec<_>>(), levels)
        })
        .collect();
    (0..100).for_each(|id| mixer.add_listener(ListenerId(id), &[SourceId(id)]));
    let (start, mut output) = (Instant::now(), SoundOutput::new());
    let (seconds, mut packets) = (60, 0);
    let before = Instant::now();
    for tick in 0..seconds * 50_u32 {
        let now = start + TICK * tick;
        for (id, (payloads, levels)) in talkers.iter_mut().enumerate() {
            let at = (tick as usize + id * 7) % payloads.len();
            let (payload, level) = (&payloads[at][..], Some(levels[at].min(0)));
            let packet = SoundPacket { sequence: tick as u16, timestamp: tick * 960, payload, level, voice: true };
            mixer.receive(now, SourceId(id as u64), &packet);
        }
        mixer.tick(now + Duration::from_millis(3), &mut output);
        packets += output.packets().map(|packet| packet.listeners.len()).sum::<usize>();
    }
    let share = before.elapsed().as_secs_f64() / f64::from(seconds);
    println!("{share:.4} of a core; {packets} packets, {:?}", mixer.statistics());
}
