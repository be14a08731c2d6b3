use std::{net::SocketAddr, sync::Arc};

use smallvec::smallvec;

use super::*;
use crate::{payload::Patch, session::Transport};

const SSRC: u32 = 7;
const REPEATS: u32 = 8;

/// An egress with one video stream that can send, and what it has sent.
struct Bench {
    now: Instant,
    egress: Egress,
    stream: StreamKey,
    out: Packets,
    next: u64,
}

impl Bench {
    fn new() -> Self {
        let now = Instant::now();
        let mut egress = Egress::new(now, 1_000_000);
        egress.set_key(&MasterKey::from_dtls(Profile::Aes128Gcm, &[7; 56], false).expect("long enough"));
        let address = |port| SocketAddr::from(([203, 0, 113, 1], port));
        egress.set_way(now, Way { transport: Transport::Udp, from: address(1), to: address(2) });
        let stream = egress.stream(StreamConfig {
            ssrc: SSRC,
            repeats: Some(REPEATS),
            repeated_types: smallvec![(96, 97)],
            name: Name::default(),
            extensions: Extensions { transport_cc: Some(3), ..Extensions::default() },
            clock_rate: 90_000,
            is_sound: false,
        });
        Self { now, egress, stream, out: Packets::default(), next: 1 }
    }

    fn write(&mut self, bytes: usize) {
        let packet = OutgoingPacket {
            payload_type: 96,
            seq: self.next,
            timestamp: 0,
            at: self.now,
            marker: true,
            payload: Arc::from(vec![1; bytes]),
            patch: Patch::default(),
            audio_level: None,
            orientation: None,
            repeatable: true,
        };
        self.next += 1;
        self.egress.write(self.now, self.stream, packet, &mut self.out);
    }

    /// The numbers and lengths of what was sent on a stream, in order.
    fn sent(&self, ssrc: u32) -> Vec<(u16, usize)> {
        let of = |data: &&[u8]| data[8..12] == ssrc.to_be_bytes();
        let packets = self.out.iter().map(|(_, data)| data).filter(of);
        packets.map(|data| (u16::from_be_bytes([data[2], data[3]]), data.len())).collect()
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.egress.handle_timeout(self.now, &mut self.out);
    }
}

#[test]
fn what_is_held_back_leaves_in_order_and_before_what_comes_after() {
    let mut bench = Bench::new();
    bench.egress.set_paced(bench.now, true, &mut bench.out);
    (0..20).for_each(|_| bench.write(1200));
    assert!(bench.sent(SSRC).len() < 5, "the rest waits");
    assert!(bench.egress.is_holding());
    bench.pass(Duration::from_millis(10));
    bench.egress.set_paced(bench.now, false, &mut bench.out);
    bench.write(1200);
    let numbers: Vec<u16> = bench.sent(SSRC).iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=21).collect::<Vec<_>>());
    assert!(!bench.egress.is_holding());
}

#[test]
fn what_is_asked_for_is_sent_again_once_in_a_while_and_twice_where_that_is_wanted() {
    let mut bench = Bench::new();
    (0..10).for_each(|_| bench.write(100));
    let ask = |bench: &mut Bench| bench.egress.missing(bench.now, SSRC, [3, 4, 99].into_iter(), &mut bench.out);
    ask(&mut bench);
    ask(&mut bench);
    assert_eq!(bench.sent(REPEATS).len(), 2, "not again at once, and not what was never sent");
    bench.pass(REPEAT_PAUSE);
    bench.egress.repeat_twice(true);
    ask(&mut bench);
    let sent = bench.sent(REPEATS);
    assert_eq!(sent.len(), 6);
    assert_eq!((sent[2], sent[4]), (sent[3], sent[5]), "each is the same datagram twice");
}

#[test]
fn repetitions_twice_or_not_are_three_tenths_of_all_at_most_and_one_refused_can_be_asked_for_again() {
    for twice in [false, true] {
        let mut bench = Bench::new();
        bench.egress.repeat_twice(twice);
        for number in 1..=3000 {
            bench.write(1000);
            bench.pass(Duration::from_millis(5));
            bench.egress.missing(bench.now, SSRC, std::iter::once(number), &mut bench.out);
        }
        let (all, again) = (bench.sent(SSRC).len(), bench.sent(REPEATS).len());
        let share = again as f64 / (all + again) as f64;
        assert!((0.25..0.33).contains(&share), "{share}");
        let last = bench.sent(REPEATS).len();
        for _ in 0..10 {
            bench.write(1000);
        }
        bench.egress.missing(bench.now, SSRC, 2990..=3000, &mut bench.out);
        assert!(bench.sent(REPEATS).len() > last, "what was refused is not taken for sent");
    }
}

#[test]
fn a_probe_is_made_of_large_packets_or_of_padding_and_never_of_crumbs() {
    for (size, least) in [(1200, 1200), (40, usize::from(PADDING))] {
        let mut bench = Bench::new();
        bench.egress.set_desired(bench.now, 5_000_000);
        bench.write(size);
        for _ in 0..3000 {
            bench.pass(Duration::from_millis(1));
        }
        let probes = bench.sent(REPEATS);
        assert!(probes.len() >= 5, "nothing was tried");
        assert!(probes.iter().all(|(_, length)| *length >= least), "{probes:?}");
    }
}

#[test]
fn another_track_goes_on_with_the_numbers_of_a_stream() {
    let mut bench = Bench::new();
    (0..5).for_each(|_| bench.write(100));
    bench.egress.renew(bench.stream);
    bench.next = 1;
    (0..5).for_each(|_| bench.write(100));
    bench.egress.missing(bench.now, SSRC, 1..=5, &mut bench.out);
    let numbers: Vec<u16> = bench.sent(SSRC).iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 14, 15, 16, 17, 18]);
    assert!(bench.sent(REPEATS).is_empty(), "nothing of the former track is sent again");
}

#[test]
fn transport_wide_numbers_leave_room_below() {
    let bench = Bench::new();
    assert!(bench.egress.newest_transport_cc() >= u64::from(u16::MAX));
}
