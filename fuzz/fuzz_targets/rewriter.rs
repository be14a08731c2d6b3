//! Packets of any layers with any numbers: no sequence number is given twice, and each leads
//! back to the packet that got it.
#![no_main]

use std::{
    collections::HashSet,
    sync::LazyLock,
    time::{Duration, Instant},
};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use madang_media::{
    payload::PayloadInfo,
    session::{LayerId, SenderReport, VideoCodec},
    sfu::{
        layers::LayerSet,
        rewrite::{Incoming, Outcome, Rewriter},
        select::{LayerSelector, Target, Verdict},
    },
};

static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

#[derive(Arbitrary, Debug)]
struct Packet<'a> {
    layer: u8,
    /// Beyond the newest of its layer, or before it.
    step: i16,
    ticks: i32,
    ms: u8,
    report: Option<(u64, u32)>,
    payload: &'a [u8],
    target: Option<Option<(u8, Option<u8>)>>,
    live: u8,
}

fuzz_target!(|packets: Vec<Packet<'_>>| {
    let mut now = *BEGIN;
    let (mut rewriter, mut selector) = (Rewriter::new(u16::MAX, 0, 90_000), LayerSelector::default());
    let (mut newest, mut timestamp) = ([1u64 << 20; 256], [0u32; 256]);
    let mut used = HashSet::new();
    for packet in packets {
        let place = usize::from(packet.layer);
        newest[place] = newest[place].saturating_add_signed(packet.step.into());
        timestamp[place] = timestamp[place].wrapping_add_signed(packet.ticks);
        now += Duration::from_millis(packet.ms.into());
        if let Some(target) = packet.target {
            selector.set_target(target.map(|(layer, temporal)| Target { layer: LayerId(layer), temporal }));
        }
        let info = PayloadInfo::parse(VideoCodec::Vp8, packet.payload).unwrap_or_default();
        let layer = LayerId(packet.layer);
        let incoming = Incoming {
            layer,
            seq: newest[place],
            timestamp: timestamp[place],
            report: packet.report.map(|(at_us, timestamp)| SenderReport { at_us, timestamp }),
            info: &info,
        };
        let live: LayerSet = (0..8).filter(|bit| packet.live >> bit & 1 == 1).map(LayerId).collect();
        let outcome = match selector.packet(layer, incoming.timestamp, &info, live) {
            Verdict::Begin => rewriter.begin(now, &incoming),
            Verdict::Forward => rewriter.forward(now, &incoming),
            Verdict::LeaveOut => rewriter.leave_out(&incoming),
            Verdict::Ignore => continue,
        };
        match outcome {
            Outcome::Send(numbers) => {
                assert!(used.insert(numbers.seq), "{} twice", numbers.seq);
                assert_eq!(rewriter.source(numbers.seq), Some((layer, incoming.seq)));
                assert_eq!(numbers.picture_id.is_some(), info.picture_id.is_some());
            }
            Outcome::Empty { seq, .. } => assert!(used.insert(seq), "{seq} twice"),
            Outcome::Nothing => {}
        }
    }
});
