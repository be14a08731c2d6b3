//! RTP payloads of a picture as they come from anyone: descriptors, frames, sizes. The first byte of
//! each chunk says which codec, how far the sequence leaps, and how much time passes.
#![no_main]

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use libfuzzer_sys::fuzz_target;
use madang_client::{
    clip::Codec,
    receive::{Packet, Reception},
    stamp::Clock,
};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

fuzz_target!(|packets: Vec<(u8, u8, Vec<u8>)>| {
    let clock = Clock::new(*START, Duration::ZERO);
    let codec = if packets.first().is_some_and(|(kind, ..)| kind & 1 == 1) { Codec::Vp9 } else { Codec::Vp8 };
    let mut reception = Reception::new(codec, clock, *START);
    let (mut at, mut sequence, mut timestamp) = (*START, 5000u64, 0u32);
    for (kind, leap, payload) in packets {
        at += Duration::from_millis(u64::from(kind >> 3) * 10);
        sequence = (sequence + u64::from(leap)).saturating_sub(100);
        timestamp = timestamp.wrapping_add(u32::from(kind & 4) * 750);
        let is_marked = kind & 2 == 2;
        reception.push(Packet { sequence, timestamp, is_marked, payload: payload.into(), at });
        reception.handle_timeout(at);
        while reception.poll().is_some() {}
        reception.wants_keyframe(at);
    }
    let figures = reception.figures(at);
    assert!(figures.shown <= figures.frames);
});
