//! Frames from packets, of every codec: any payloads, lost and out of order.
#![no_main]

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use libfuzzer_sys::fuzz_target;
use madang_media::frames::{Arrival, Assembler, Codec, Continuity, Packet};

static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

type Sent = (u8, u8, bool, Vec<u8>);

fuzz_target!(|input: (u8, Vec<Sent>)| {
    let (codec, packets) = input;
    let codec = Codec::ALL[usize::from(codec) % Codec::ALL.len()];
    let (mut assembler, mut continuity, mut at) = (Assembler::new(codec), Continuity::default(), *BEGIN);
    for (sequence, timestamp, is_marked, payload) in packets {
        at += Duration::from_millis(u64::from(timestamp));
        let (sequence, timestamp) = (u64::from(sequence), u32::from(timestamp));
        assembler.push(Packet { sequence, timestamp, is_marked, payload: payload.into(), at });
        assembler.handle_timeout(at);
        while let Some(arrival) = assembler.poll() {
            if let Arrival::Frame(frame) = arrival {
                let _ = codec.size(&frame.data);
                continuity.accept(frame.info, codec.is_keyframe(&frame.data));
            }
        }
    }
});
