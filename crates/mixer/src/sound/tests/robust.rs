//! Whatever comes.

use super::*;
use proptest::prelude::*;

#[test]
fn a_decoder_that_errs_conceals_and_goes_on() {
    let mut room = Room::new(1);
    room.listen(9, &[]);
    room.send(Sender::new(1, tone(440.0, 0.2)));
    room.run(1000);
    room.senders[0].network = Box::new(|_, _| None);
    let start = room.instant(room.now);
    for index in 0..20_u16 {
        // A payload that the inspection takes and the decoder does not.
        let mut payload = pcm(&[0.0; 960], 1, None);
        payload[2] = 9;
        payload.resize(3 + 960 * 2 * 9, 0);
        let sender = &room.senders[0];
        let (sequence, timestamp) = (sender.sequence + index, sender.timestamp.wrapping_add(u32::from(index) * 960));
        let packet = SoundPacket { sequence, timestamp, payload: &payload, level: Some(-20), voice: true };
        assert!(room.mixer.receive(start + TICK * u32::from(index), SourceId(1), &packet));
    }
    room.run(400);
    room.senders[0].network = Box::new(|_, _| Some(30.0));
    room.run(2000);
    let statistics = room.statistics(1);
    assert!((5..=22).contains(&statistics.faults), "{statistics:?}");
    assert!(loudness(room.last(9, 0.5), 440.0) > -24.0, "{} {statistics:?}", loudness(room.last(9, 0.5), 440.0));
}

struct Broken(CodecError);

impl SoundDecoder for Broken {
    fn channels(&self) -> usize {
        1
    }
    fn decode(&mut self, _: &[u8], _: &mut [f32]) -> Result<usize, CodecError> {
        Err(self.0.clone())
    }
    fn decode_fec(&mut self, _: &[u8], _: &mut [f32]) -> Result<usize, CodecError> {
        Err(self.0.clone())
    }
    fn conceal(&mut self, _: &mut [f32]) -> Result<usize, CodecError> {
        Err(self.0.clone())
    }
}

#[test]
fn a_decoder_that_fails_is_left_alone_until_it_is_replaced() {
    let mut room = Room::new(1);
    room.listen(9, &[]);
    room.send(Sender::new(1, tone(440.0, 0.2)));
    room.mixer.replace_decoder(SourceId(1), Box::new(Broken(CodecError::Failed("gone".into()))));
    room.run(1000);
    let statistics = room.statistics(1);
    assert!(statistics.failed && statistics.faults <= 10, "{statistics:?}");
    room.mixer.replace_decoder(SourceId(1), Box::new(PcmDecoder(1)));
    room.run(1000);
    assert!(!room.statistics(1).failed && loudness(room.last(9, 0.5), 440.0) > -24.0);
}

#[test]
fn an_encoder_that_fails_is_made_anew() {
    struct Failing(PcmEncoder, u32);
    impl SoundEncoder for Failing {
        fn channels(&self) -> usize {
            1
        }
        fn encode(&mut self, samples: &[f32], out: &mut Vec<u8>) -> Result<(), CodecError> {
            self.1 += 1;
            out.push(1);
            if self.1 == 20 { Err(CodecError::Failed("gone".into())) } else { self.0.encode(samples, out) }
        }
        fn set_expected_loss(&mut self, _: u8) -> Result<(), CodecError> {
            Ok(())
        }
    }
    let encoder: EncoderFactory = Box::new(|channels| Ok(Box::new(Failing(PcmEncoder(channels), 0))));
    let mut room = Room::with(SoundConfig { encoder, ..config() }, 1);
    room.listen(9, &[]);
    room.record = false;
    room.send(Sender::new(1, tone(440.0, 0.2)));
    room.run(2000);
    let statistics = room.mixer.statistics();
    // 3 frames to warm up, 16 that are sent, and one that fails.
    assert_eq!(statistics.encoder_faults, 100 / 17);
    assert_eq!(statistics.encoded, 100 - statistics.encoder_faults);
}

#[test]
fn ticks_that_come_late_are_caught_up_with_and_those_too_late_left_out() {
    let start = Instant::now();
    let mut mixer = SoundMixer::new(config());
    mixer.add_listener(ListenerId(1), &[]);
    let mut output = SoundOutput::new();
    let mut times = |at: u64, mixer: &mut SoundMixer| {
        mixer.tick(start + Duration::from_millis(at), &mut output);
        output.packets().map(|packet| packet.time).collect::<Vec<_>>()
    };
    assert_eq!(times(0, &mut mixer), [0]);
    assert!(times(19, &mut mixer).is_empty());
    assert_eq!(times(65, &mut mixer), [960, 1920, 2880]);
    assert_eq!(times(80, &mut mixer), [3840]);
    assert_eq!(times(1000, &mut mixer).len(), 1, "0.9 s are left out");
    assert_eq!(mixer.statistics().left_out, 45);
}

#[test]
fn a_mixer_can_be_moved_to_another_thread() {
    fn moves<T: Send>() {}
    moves::<SoundMixer>();
    moves::<SoundOutput>();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn whatever_packets_come_in_whatever_order_memory_is_bounded_and_samples_are_sound(
        packets in proptest::collection::vec(
            (0_u64..400, 0_u64..3, any::<u16>(), 0_u32..4, any::<u32>(), 0_u8..8, 0_u8..3, -128_i8..=127), 1..200),
    ) {
        let start = Instant::now();
        let mut mixer = SoundMixer::new(config());
        mixer.add_listener(ListenerId(1), &[SourceId(0)]);
        mixer.add_listener(ListenerId(2), &[]);
        for source in 0..3 {
            let kind = if source == 2 { SourceKind::Screen } else { SourceKind::Voice };
            mixer.add_source(SourceId(source), kind, Box::new(PcmDecoder(1 + usize::from(source == 2))));
        }
        let mut output = SoundOutput::new();
        let mut now = 0;
        for (wait, source, sequence, wild, timestamp, tens, copies, level) in packets {
            now += wait / 8;
            let at = start + Duration::from_millis(now);
            let timestamp = match wild {
                0 => timestamp,
                1 => (timestamp % 40) * 480,
                _ => (now as u32) * 48 + timestamp % 2000,
            };
            let channels = 1 + u8::from(source == 2);
            let mut payload = pcm(&vec![0.7; usize::from(tens) * 480 * usize::from(channels)], channels, None);
            payload[2] = copies;
            if copies == 2 {
                let copy = payload[3..].to_vec();
                payload.extend(copy);
            }
            let level = (level <= 0).then_some(level);
            mixer.receive(at, SourceId(source), &SoundPacket { sequence, timestamp, payload: &payload, level, voice: true });
            mixer.tick(at, &mut output);
            for packet in output.packets() {
                for four in packet.payload.chunks_exact(4) {
                    let sample = f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
                    prop_assert!(sample.abs() <= 0.9, "{}", sample);
                }
            }
            for source in 0..3 {
                let statistics = mixer.source_statistics(SourceId(source)).expect("a source");
                prop_assert!(statistics.waiting <= 120);
            }
        }
    }
}
