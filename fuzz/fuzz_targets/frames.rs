//! Frames from packets, of every codec: any payloads, lost and out of order.
#![no_main]

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use libfuzzer_sys::fuzz_target;
use madang_media::frames::{Arrival, Assembler, Codec, Continuity, Packet};

static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Steps of sequence number and time stamp, marker, payload.
type Sent = (i16, u16, bool, Vec<u8>);

fuzz_target!(|input: (u8, Vec<Sent>)| {
    let (codec, packets) = input;
    let codec = Codec::ALL[usize::from(codec) % Codec::ALL.len()];
    let (mut assembler, mut continuity, mut at) = (Assembler::new(codec), Continuity::default(), *BEGIN);
    let (mut sequence, mut timestamp) = (100_000u64, 0u32);
    for (step, ticks, is_marked, payload) in packets {
        at += Duration::from_millis(u64::from(ticks) / 16);
        sequence = sequence.saturating_add_signed(i64::from(step) / 8);
        timestamp = timestamp.wrapping_add(u32::from(ticks / 256));
        assembler.push(Packet { sequence, timestamp, is_marked, payload: payload.into(), at });
        assembler.handle_timeout(at);
        while let Some(arrival) = assembler.poll() {
            match arrival {
                Arrival::Lost(_) => continuity.lose(),
                Arrival::Frame(frame) => {
                    let _ = codec.size(&frame.data);
                    continuity.accept(frame.info, codec.is_keyframe(&frame.data));
                }
            }
        }
    }
});
