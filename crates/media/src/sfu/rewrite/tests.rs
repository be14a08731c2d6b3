use std::{collections::HashSet, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::payload::{Field, PictureId};

const LOW: LayerId = LayerId(0);
const HIGH: LayerId = LayerId(2);

/// A publisher's layer: VP8 with two temporal layers, `per_frame` packets a frame, 30 frames/s.
#[derive(Clone, Copy)]
struct Layer {
    id: LayerId,
    first_seq: u64,
    first_timestamp: u32,
    first_picture: u16,
    per_frame: u64,
}

#[derive(Clone, Copy)]
struct Packet {
    layer: LayerId,
    seq: u64,
    timestamp: u32,
    frame: u64,
    temporal: u8,
    info: PayloadInfo,
}

impl Layer {
    fn packet(&self, number: u64) -> Packet {
        let frame = number / self.per_frame;
        let picture_id = u16::try_from((u64::from(self.first_picture) + frame) % 0x8000).expect("15 bits");
        let tl0 = u8::try_from((u64::from(self.first_picture) + frame / 2) % 256).expect("a byte");
        Packet {
            layer: self.id,
            seq: self.first_seq + number,
            timestamp: self.first_timestamp.wrapping_add(u32::try_from(frame * 3000).expect("short")),
            frame,
            temporal: u8::try_from(frame % 2).expect("a bit"),
            info: PayloadInfo {
                picture_id: Some(PictureId { value: picture_id, long: true, offset: 2 }),
                tl0: Some(Field { value: tl0, offset: 4, mask: 0xFF }),
                key_idx: Some(Field { value: 3, offset: 5, mask: 0x1F }),
                ..PayloadInfo::default()
            },
        }
    }
}

impl Packet {
    fn incoming(&self) -> Incoming<'_> {
        Incoming { layer: self.layer, seq: self.seq, timestamp: self.timestamp, report: None, info: &self.info }
    }
}

const SMALL: Layer = Layer { id: LOW, first_seq: 1 << 16, first_timestamp: 77, first_picture: 0x7FFE, per_frame: 2 };
const LARGE: Layer =
    Layer { id: HIGH, first_seq: 40_000, first_timestamp: u32::MAX - 5, first_picture: 9, per_frame: 5 };

fn rewriter() -> Rewriter {
    Rewriter::new(65_530, 1_000, 90_000)
}

fn sent(outcome: Outcome) -> Numbers {
    let Outcome::Send(numbers) = outcome else { unreachable!("was not sent: {outcome:?}") };
    numbers
}

fn at(start: Instant, packet: &Packet) -> Instant {
    start + Duration::from_millis(packet.frame * 33)
}

#[test]
fn the_first_packet_has_the_numbers_asked_for_and_its_own_picture_numbers() {
    let (mut rewriter, packet) = (rewriter(), SMALL.packet(0));
    let numbers = sent(rewriter.begin(Instant::now(), &packet.incoming()));
    let expected =
        Numbers { seq: 65_530, timestamp: 1_000, picture_id: Some(0x7FFE), tl0: Some(0xFE), key_idx: Some(3) };
    assert_eq!(numbers, expected);
}

#[test]
fn what_the_network_lost_leaves_a_gap_and_fits_into_it_when_it_comes_late() {
    let (mut rewriter, now) = (rewriter(), Instant::now());
    sent(rewriter.begin(now, &SMALL.packet(0).incoming()));
    let numbers = sent(rewriter.forward(now, &SMALL.packet(3).incoming()));
    assert_eq!(numbers.seq, 65_533);
    for late in [2, 1] {
        assert_eq!(sent(rewriter.forward(now, &SMALL.packet(late).incoming())).seq, 65_530 + late);
    }
    for seen in 0..=3 {
        assert_eq!(rewriter.forward(now, &SMALL.packet(seen).incoming()), Outcome::Nothing, "a duplicate");
    }
}

#[test]
fn frames_left_out_leave_no_gap_in_any_number() {
    let (mut rewriter, start) = (rewriter(), Instant::now());
    let mut all = vec![sent(rewriter.begin(start, &SMALL.packet(0).incoming()))];
    for number in 1..40 {
        let packet = SMALL.packet(number);
        if packet.temporal == 0 {
            all.push(sent(rewriter.forward(at(start, &packet), &packet.incoming())));
        } else {
            assert_eq!(rewriter.leave_out(&packet.incoming()), Outcome::Nothing);
        }
    }
    for (index, numbers) in (0u16..).zip(&all) {
        assert_eq!(numbers.seq, 65_530 + u64::from(index));
        assert_eq!(numbers.picture_id, Some((0x7FFE + index / 2) % 0x8000));
        assert_eq!(numbers.timestamp, 1_000 + u32::from(index / 2) * 6_000, "the time that they took stays");
        assert_eq!(numbers.tl0, Some(((0xFE + index / 2) % 256) as u8));
    }
}

#[test]
fn a_late_packet_gets_the_number_kept_for_it_though_frames_were_left_out_since() {
    let (mut rewriter, now) = (rewriter(), Instant::now());
    // Frames 0, 2 and 4 go out, two packets each; the second of frame 2 (number 5) is late.
    for number in [0, 1, 2, 3, 4, 6, 7, 8, 9] {
        let packet = SMALL.packet(number);
        match (number, packet.temporal) {
            (0, _) => drop(sent(rewriter.begin(now, &packet.incoming()))),
            (_, 0) => drop(sent(rewriter.forward(now, &packet.incoming()))),
            _ => drop(rewriter.leave_out(&packet.incoming())),
        }
    }
    let numbers = sent(rewriter.forward(now, &SMALL.packet(5).incoming()));
    assert_eq!((numbers.seq, numbers.picture_id), (65_533, Some(0x7FFF)));
    assert_eq!(rewriter.source(65_533), Some((LOW, SMALL.first_seq + 5)));
    assert_eq!(rewriter.source(65_534), Some((LOW, SMALL.first_seq + 8)));
    assert_eq!(rewriter.source(65_529), None);
    assert_eq!(rewriter.source(65_536), None);
}

#[test]
fn an_unwanted_packet_that_comes_after_its_successor_fills_the_number_kept_for_it() {
    let (mut rewriter, now) = (rewriter(), Instant::now());
    sent(rewriter.begin(now, &SMALL.packet(0).incoming()));
    sent(rewriter.forward(now, &SMALL.packet(1).incoming()));
    // Frame 1 (numbers 2 and 3) is to be left out, but frame 2 overtakes it.
    assert_eq!(sent(rewriter.forward(now, &SMALL.packet(4).incoming())).seq, 65_534);
    let outcome = rewriter.leave_out(&SMALL.packet(2).incoming());
    assert_eq!(outcome, Outcome::Empty { seq: 65_532, timestamp: 4_000 });
    assert_eq!(rewriter.leave_out(&SMALL.packet(2).incoming()), Outcome::Nothing, "once is enough");
}

#[test]
fn what_is_missing_within_a_frame_left_out_leaves_no_gap() {
    let layer = Layer { per_frame: 4, ..SMALL };
    let (mut rewriter, now) = (rewriter(), Instant::now());
    sent(rewriter.begin(now, &layer.packet(0).incoming()));
    for number in 1..4 {
        sent(rewriter.forward(now, &layer.packet(number).incoming()));
    }
    rewriter.leave_out(&layer.packet(4).incoming());
    rewriter.leave_out(&layer.packet(7).incoming());
    let numbers = sent(rewriter.forward(now, &layer.packet(8).incoming()));
    assert_eq!(numbers.seq, 65_534);
    assert_eq!(rewriter.leave_out(&layer.packet(5).incoming()), Outcome::Nothing);
}

#[test]
fn over_a_switch_and_back_all_numbers_go_on() {
    let (mut rewriter, start) = (rewriter(), Instant::now());
    let mut all = Vec::new();
    let mut play = |layer: &Layer, frames: std::ops::Range<u64>| {
        let first = frames.start * layer.per_frame;
        for number in first..frames.end * layer.per_frame {
            let packet = layer.packet(number);
            let now = at(start, &packet);
            let outcome = if number == first {
                rewriter.begin(now, &packet.incoming())
            } else {
                rewriter.forward(now, &packet.incoming())
            };
            all.push((packet.frame, sent(outcome)));
        }
    };
    play(&SMALL, 0..10);
    play(&LARGE, 10..20);
    play(&SMALL, 20..30);
    for pair in all.windows(2) {
        let ((frame, before), (next_frame, after)) = (pair[0], pair[1]);
        assert_eq!(after.seq, before.seq + 1);
        let frames = u16::try_from(next_frame - frame).expect("0 or 1");
        assert_eq!(after.picture_id, before.picture_id.map(|id| (id + frames) & 0x7FFF));
        let ticks = after.timestamp.wrapping_sub(before.timestamp);
        assert!(ticks.abs_diff(u32::from(frames) * 3_000) <= 90, "{ticks} between {frame} and {next_frame}");
        assert!(after.tl0.expect("has one").wrapping_sub(before.tl0.expect("has one")) <= 1);
    }
    let keys: Vec<_> = all.iter().map(|(_, numbers)| numbers.key_idx.expect("has one")).collect();
    assert_eq!((keys[0], keys[20], keys[70]), (3, 4, 5), "KEYIDX grows with each keyframe");
}

#[test]
fn a_late_packet_of_the_layer_before_a_switch_fills_its_gap_and_a_new_one_goes_nowhere() {
    let (mut rewriter, now) = (rewriter(), Instant::now());
    sent(rewriter.begin(now, &SMALL.packet(0).incoming()));
    sent(rewriter.forward(now, &SMALL.packet(2).incoming()));
    assert_eq!(sent(rewriter.begin(now, &LARGE.packet(0).incoming())).seq, 65_533);
    assert_eq!(sent(rewriter.forward(now, &SMALL.packet(1).incoming())).seq, 65_531);
    assert_eq!(rewriter.forward(now, &SMALL.packet(3).incoming()), Outcome::Nothing);
    assert_eq!(sent(rewriter.forward(now, &LARGE.packet(1).incoming())).seq, 65_534);
    assert_eq!(
        rewriter.forward(now, &Packet { seq: LARGE.first_seq - 1, ..LARGE.packet(0) }.incoming()),
        Outcome::Nothing
    );
}

#[test]
fn after_a_pause_numbers_go_on_and_the_time_has_passed() {
    let (mut rewriter, start) = (rewriter(), Instant::now());
    sent(rewriter.begin(start, &SMALL.packet(0).incoming()));
    let packet = SMALL.packet(600);
    let numbers = sent(rewriter.begin(start + Duration::from_secs(10), &packet.incoming()));
    assert_eq!((numbers.seq, numbers.timestamp), (65_531, 1_000 + 900_000));
    assert_eq!(numbers.picture_id, Some(0x7FFF));
}

#[test]
fn a_jump_that_is_no_loss_leaves_no_gap() {
    let (mut rewriter, now) = (rewriter(), Instant::now());
    sent(rewriter.begin(now, &SMALL.packet(0).incoming()));
    let numbers = sent(rewriter.forward(now, &SMALL.packet(20_000).incoming()));
    assert_eq!(numbers.seq, 65_531);
    assert_eq!(rewriter.forward(now, &SMALL.packet(10_000).incoming()), Outcome::Nothing);
}

#[test]
fn sound_has_no_picture_numbers() {
    let (mut rewriter, now, info) = (Rewriter::new(1, 2, 48_000), Instant::now(), PayloadInfo::SOUND);
    let packet = Incoming { layer: LOW, seq: 9, timestamp: 9, report: None, info: &info };
    let expected = Numbers { seq: 1, timestamp: 2, picture_id: None, tl0: None, key_idx: None };
    assert_eq!(rewriter.begin(now, &packet), Outcome::Send(expected));
}

#[test]
fn a_publisher_that_begins_anew_with_lower_numbers_is_followed_from_its_keyframe() {
    let (mut rewriter, now) = (rewriter(), Instant::now());
    sent(rewriter.begin(now, &SMALL.packet(0).incoming()));
    let anew = Layer { first_seq: 7, first_timestamp: 1 << 30, ..SMALL };
    assert_eq!(rewriter.forward(now, &anew.packet(0).incoming()), Outcome::Nothing);
    let mut keyframe = anew.packet(2);
    keyframe.info.keyframe = true;
    let numbers = sent(rewriter.forward(now, &keyframe.incoming()));
    assert_eq!((numbers.seq, numbers.timestamp), (65_531, 1_001));
    assert_eq!(sent(rewriter.forward(now, &anew.packet(3).incoming())).seq, 65_532);
}

/// What happens to a frame.
#[derive(Clone, Debug)]
struct Step {
    large: bool,
    wanted: bool,
    /// A bit for each packet that is lost, and for each that comes after the next frames.
    lost: u8,
    late: u8,
    /// Late packets come now, and everything of this frame comes twice.
    flush: bool,
}

fn step() -> impl Strategy<Value = Step> {
    let bits = || prop_oneof![3 => Just(0u8), 1 => any::<u8>()];
    let flags = (prop::bool::weighted(0.1), prop::bool::weighted(0.7), prop::bool::weighted(0.2));
    (flags, bits(), bits()).prop_map(|((large, wanted, flush), lost, late)| Step { large, wanted, lost, late, flush })
}

/// A subscription that follows whatever layer there is, and all that went out: by place in the
/// order of capture, the numbers and how many packets were lost since the last one.
struct Subscription {
    rewriter: Rewriter,
    layer: Option<LayerId>,
    sent: std::collections::BTreeMap<(u64, u64), Numbers>,
    missing: HashSet<(u64, u64)>,
    used: HashSet<u64>,
}

impl Subscription {
    fn take(&mut self, now: Instant, place: (u64, u64), packet: &Packet, wanted: bool) {
        let outcome = if self.layer != Some(packet.layer) {
            self.layer = Some(packet.layer);
            self.rewriter.begin(now, &packet.incoming())
        } else if wanted {
            self.rewriter.forward(now, &packet.incoming())
        } else {
            self.rewriter.leave_out(&packet.incoming())
        };
        match outcome {
            Outcome::Send(numbers) => {
                assert!(self.used.insert(numbers.seq), "{} was used", numbers.seq);
                assert_eq!(self.rewriter.source(numbers.seq), Some((packet.layer, packet.seq)));
                self.sent.insert(place, numbers);
                self.missing.remove(&place);
            }
            Outcome::Empty { seq, .. } => {
                assert!(self.used.insert(seq), "{seq} was used");
                self.missing.insert(place);
            }
            Outcome::Nothing => {}
        }
    }
}

proptest! {
    #[test]
    fn in_the_order_of_capture_numbers_grow_time_never_runs_back_and_only_loss_leaves_gaps(
        steps in prop::collection::vec(step(), 1..200)
    ) {
        let (start, mut late) = (Instant::now(), Vec::new());
        let mut all = Subscription {
            rewriter: rewriter(), layer: None, sent: Default::default(), missing: HashSet::new(), used: HashSet::new(),
        };
        let mut layer = SMALL;
        for (frame, mut step) in (0u64..).zip(steps) {
            let now = start + Duration::from_millis(frame * 33);
            if step.large {
                layer = if layer.id == LOW { LARGE } else { SMALL };
                // A switch is made when the keyframe is there.
                (step.lost, step.late, step.wanted) = (0, 0, true);
            }
            for number in 0..layer.per_frame {
                let (place, packet) = ((frame, number), layer.packet(frame * layer.per_frame + number));
                if step.lost >> number & 1 == 1 {
                    all.missing.insert(place);
                } else if step.late >> number & 1 == 1 {
                    all.missing.insert(place);
                    late.push((place, packet, step.wanted));
                } else {
                    all.take(now, place, &packet, step.wanted);
                    if step.flush {
                        all.take(now, place, &packet, step.wanted);
                    }
                }
            }
            if step.flush {
                let current = all.layer;
                for (place, packet, wanted) in late.drain(..).filter(|(_, packet, _)| Some(packet.layer) == current) {
                    all.take(now, place, &packet, wanted);
                }
            }
        }
        for ((place, before), (next, after)) in all.sent.iter().zip(all.sent.iter().skip(1)) {
            prop_assert!(after.seq > before.seq, "{:?} {:?} {:?} {:?}", place, before, next, after);
            prop_assert!(after.timestamp.wrapping_sub(before.timestamp) < 1 << 31);
            let lost = all.missing.iter().filter(|lost| (place..next).contains(lost)).count() as u64;
            prop_assert!(after.seq - before.seq - 1 <= lost, "{} lost between {:?} and {:?}", lost, before, after);
        }
    }
}
