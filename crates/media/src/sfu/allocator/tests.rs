use proptest::prelude::*;

use super::*;

const K: u64 = 1000;

/// 180p, 360p and 720p, each with three temporal layers.
fn camera(key: u32, rank: Rank, height: Option<u32>) -> Wanted<u32> {
    let layers = [(0, 180, 150 * K), (1, 360, 500 * K), (2, 720, 1700 * K)];
    let layers = layers.map(|(layer, height, full)| Candidate {
        layer: LayerId(layer),
        sending: Sending::Live,
        height: Some(height),
        rates: [full * 4 / 10, full * 6 / 10, full].map(BitsPerSecond).into_iter().collect(),
    });
    Wanted { key, rank, priority: 0, height, withheld: None, layers: layers.into_iter().collect() }
}

fn fresh(kbps: u64, wanted: &[Wanted<u32>]) -> Allocation<u32> {
    Allocator::default().allocate(Instant::now(), Some(BitsPerSecond(kbps * K)), None, BitsPerSecond(0), wanted)
}

/// Layer and temporal layer of each track; `None` for a pause.
fn targets(allocation: &Allocation<u32>) -> Vec<Option<(u8, Option<u8>)>> {
    let target = |decision: &Decision<u32>| decision.target.map(|target| (target.layer.0, target.temporal));
    allocation.decisions.iter().map(target).collect()
}

fn reasons(allocation: &Allocation<u32>) -> Vec<DeliveryReason> {
    allocation.decisions.iter().map(|decision| decision.reason).collect()
}

#[test]
fn with_enough_bandwidth_the_size_on_screen_decides() {
    let heights = [Some(100), Some(200), Some(211), Some(212), Some(425), Some(2000), None];
    let wanted: Vec<_> = (0..).zip(heights).map(|(key, height)| camera(key, Rank::Other, height)).collect();
    let allocation = fresh(100_000, &wanted);
    let layers: Vec<_> = targets(&allocation).into_iter().map(|target| target.expect("is forwarded")).collect();
    assert_eq!(layers, [0, 0, 0, 1, 2, 2, 2].map(|layer| (layer, None)));
    use DeliveryReason::{Best, Size};
    assert_eq!(reasons(&allocation), [Size, Size, Size, Size, Best, Best, Best]);
    assert_eq!(allocation.total, allocation.desired);
}

#[test]
fn temporal_layers_go_before_the_picture_gets_smaller() {
    let wanted = [camera(0, Rank::Other, None)];
    // What a step costs above the last one, it needs with headroom.
    let steps = [59, 60, 100, 160, 323, 531, 1_097, 1_099, 1_803];
    let all: Vec<_> = steps.iter().map(|kbps| targets(&fresh(*kbps, &wanted))[0]).collect();
    let expected = [
        None,
        Some((0, Some(0))),
        Some((0, Some(1))),
        Some((0, None)),
        Some((1, Some(1))),
        Some((1, None)),
        Some((1, None)),
        Some((2, Some(1))),
        Some((2, None)),
    ];
    assert_eq!(all, expected);
}

#[test]
fn sound_is_never_counted_away_and_pictures_are_paused_before_it_suffers() {
    let wanted = [camera(0, Rank::Screen, None)];
    let mut allocator = Allocator::default();
    let sound = BitsPerSecond(200 * K);
    let allocation = allocator.allocate(Instant::now(), Some(BitsPerSecond(150 * K)), None, sound, &wanted);
    assert_eq!(targets(&allocation), [None]);
    assert_eq!(reasons(&allocation), [DeliveryReason::Bandwidth]);
    assert_eq!(allocation.total, sound);
    assert_eq!(allocation.desired, BitsPerSecond(1_900 * K));
}

#[test]
fn the_screen_and_the_speaker_come_before_the_others_whatever_the_order() {
    let wanted = [
        camera(0, Rank::Other, Some(180)),
        camera(1, Rank::Speaker, Some(180)),
        camera(2, Rank::Other, Some(180)),
        camera(3, Rank::Screen, None),
    ];
    let allocation = fresh(1_000, &wanted);
    assert_eq!(targets(&allocation), [Some((0, None)), Some((0, None)), Some((0, None)), Some((1, None))]);
    let allocation = fresh(350, &wanted);
    assert_eq!(targets(&allocation), [None, Some((0, None)), None, Some((0, None))]);
}

#[test]
fn within_a_class_everyone_gets_the_lowest_before_anyone_gets_better() {
    let wanted = [0, 1, 2, 3].map(|key| camera(key, Rank::Other, None));
    let all = targets(&fresh(270, &wanted));
    assert_eq!(all, [Some((0, Some(0))); 4]);
    let mut better = wanted;
    better[3].priority = 1;
    let all =
        targets(&fresh(275, &better)).into_iter().map(|target| target.expect("is forwarded").1).collect::<Vec<_>>();
    assert_eq!(all, [Some(0), Some(0), Some(0), Some(1)], "priority first");
}

#[test]
fn a_single_large_layer_that_does_not_fit_holds_nobody_up() {
    let mut wanted = [camera(0, Rank::Other, None), camera(1, Rank::Other, None)];
    wanted[0].layers.drain(..2);
    wanted[0].layers[0].rates.drain(..2);
    assert_eq!(targets(&fresh(1_000, &wanted)), [None, Some((1, None))]);
}

#[test]
fn a_layer_that_is_larger_and_cheaper_is_taken() {
    let mut wanted = [camera(0, Rank::Screen, None)];
    wanted[0].layers[2].rates = [BitsPerSecond(100 * K)].into_iter().collect();
    let allocation = fresh(150, &wanted);
    assert_eq!(targets(&allocation), [Some((2, None))]);
    assert_eq!(allocation.total, BitsPerSecond(100 * K));
}

#[test]
fn what_is_withheld_takes_nothing_and_says_why() {
    use DeliveryReason::{Muted, NotSpeaking, NotWatched};
    let why = [NotWatched, NotSpeaking, Muted];
    let wanted = why.map(|why| Wanted { withheld: Some(why), ..camera(why as u32, Rank::Other, None) });
    let allocation = fresh(10_000, &wanted);
    assert_eq!(targets(&allocation), [None; 3]);
    assert_eq!(reasons(&allocation), why);
    assert_eq!((allocation.total, allocation.desired), (BitsPerSecond(0), BitsPerSecond(0)));
}

#[test]
fn a_publisher_that_does_not_send_a_layer_is_named_as_the_reason() {
    let mut wanted = [camera(0, Rank::Other, None), camera(1, Rank::Other, None), camera(2, Rank::Other, None)];
    wanted[0].layers[2].sending = Sending::Asleep;
    wanted[1].layers[2].sending = Sending::Stalled;
    wanted[2].layers.clear();
    let allocation = fresh(10_000, &wanted);
    assert_eq!(targets(&allocation), [Some((2, None)), Some((2, None)), None]);
    assert_eq!(reasons(&allocation), [DeliveryReason::Publisher; 3]);
    assert_eq!(allocation.decisions[0].rate, BitsPerSecond(1_700 * K), "kept free until it wakes");
    assert_eq!(allocation.decisions[1].rate, BitsPerSecond(500 * K), "the layer below is sent in its place");
}

#[test]
fn a_room_limit_counts_like_bandwidth() {
    let mut allocator = Allocator::default();
    let (limit, wanted) = (Some(BitsPerSecond(600 * K)), [camera(0, Rank::Other, None)]);
    let allocation = allocator.allocate(Instant::now(), None, limit, BitsPerSecond(0), &wanted);
    assert_eq!(targets(&allocation), [Some((1, None))]);
    assert_eq!(reasons(&allocation), [DeliveryReason::Bandwidth]);
}

/// An allocator with one camera, over time.
struct Path {
    allocator: Allocator<u32>,
    now: Instant,
    wanted: Vec<Wanted<u32>>,
}

impl Path {
    fn new() -> Self {
        Self { allocator: Allocator::default(), now: Instant::now(), wanted: vec![camera(0, Rank::Other, None)] }
    }

    /// The layer after this many milliseconds at this rate.
    fn at(&mut self, ms: u64, kbps: u64) -> Option<u8> {
        let mut layer = None;
        for _ in 0..(ms / 100).max(1) {
            self.now += Duration::from_millis(100);
            let rate = Some(BitsPerSecond(kbps * K));
            let allocation = self.allocator.allocate(self.now, rate, None, BitsPerSecond(0), &self.wanted);
            layer = targets(&allocation)[0].map(|(layer, _)| layer);
        }
        layer
    }
}

#[test]
fn what_a_receiver_has_stays_while_it_fits_and_comes_back_with_headroom() {
    let mut path = Path::new();
    assert_eq!(path.at(100, 2_000), Some(2));
    assert_eq!(path.at(1000, 1_700), Some(2), "it just fits");
    assert_eq!(path.at(600, 1_000), Some(1));
    assert_eq!(path.at(5_000, 1_050), Some(1), "half of the frames of the largest would take 1020");
    assert_eq!(path.at(5_000, 1_900), Some(2));
}

#[test]
fn a_small_dip_changes_nothing_and_a_long_one_does() {
    let mut path = Path::new();
    path.at(100, 2_000);
    assert_eq!(path.at(400, 1_600), Some(2));
    assert_eq!(path.at(100, 1_700), Some(2));
    assert_eq!(path.at(400, 1_600), Some(2));
    let mut path = Path::new();
    path.at(100, 2_000);
    path.at(700, 1_600);
    let target = path.allocator.current[&0].expect("is forwarded");
    assert_eq!((target.layer.0, target.temporal), (2, Some(1)), "temporal layers go first");
    let mut path = Path::new();
    path.at(100, 2_000);
    assert_eq!(path.at(100, 290), Some(0), "a large dip counts at once");
}

#[test]
fn the_time_before_a_rise_grows_when_rises_are_followed_by_falls() {
    let mut path = Path::new();
    path.at(100, 2_000);
    let mut waits = Vec::new();
    for _ in 0..7 {
        assert_ne!(path.at(100, 600), Some(2));
        let wait = (1..).find(|_| path.at(100, 2_500) == Some(2)).expect("it rises");
        waits.push(wait * 100);
    }
    assert_eq!(waits, [2_000, 4_000, 8_000, 16_000, 16_000, 16_000, 16_000]);
    path.at(40_000, 2_500);
    path.at(100, 600);
    let wait = (1..).find(|_| path.at(100, 2_500) == Some(2)).expect("it rises");
    assert_eq!(wait * 100, 1_000, "after calm it is short again");
}

#[test]
fn a_new_track_begins_though_others_may_not_rise() {
    let mut path = Path::new();
    path.at(100, 2_000);
    path.at(100, 600);
    path.wanted.push(camera(1, Rank::Other, None));
    let allocation =
        path.allocator.allocate(path.now, Some(BitsPerSecond(2_000 * K)), None, BitsPerSecond(0), &path.wanted);
    assert_eq!(targets(&allocation)[1], Some((0, Some(0))));
}

fn wanted() -> impl Strategy<Value = Vec<Wanted<u32>>> {
    let rates = prop::collection::vec(1u64..2_000, 1..4);
    let layer = (rates, 0u8..3, prop::option::of(90u32..1080));
    let layers = prop::collection::vec(layer, 0..4);
    let rank = prop_oneof![1 => Just(Rank::Screen), 1 => Just(Rank::Speaker), 3 => Just(Rank::Other)];
    let one = (rank, 0u8..3, prop::option::of(50u32..1200), prop::bool::weighted(0.1), layers);
    prop::collection::vec(one, 0..8).prop_map(|all| {
        let wanted = |(key, (rank, priority, height, withheld, layers)): (u32, (_, _, _, bool, Vec<_>))| Wanted {
            key,
            rank,
            priority,
            height,
            withheld: withheld.then_some(DeliveryReason::NotWatched),
            layers: (0..).zip(layers).map(|(layer, parts)| candidate(layer, parts)).collect(),
        };
        (0..).zip(all).map(wanted).collect()
    })
}

fn candidate(layer: u8, (mut rates, sending, height): (Vec<u64>, u8, Option<u32>)) -> Candidate {
    rates.sort_unstable();
    let sending = [Sending::Live, Sending::Asleep, Sending::Stalled][usize::from(sending)];
    let rates = rates.into_iter().map(|kbps| BitsPerSecond(kbps * K)).collect();
    Candidate { layer: LayerId(layer), sending, height, rates }
}

fn rate(allocation: &Allocation<u32>, place: usize) -> u64 {
    allocation.decisions[place].rate.0
}

/// The places of those that may be forwarded, first served first.
fn order(wanted: &[Wanted<u32>]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..wanted.len()).collect();
    let key = |place: &usize| {
        let wanted = &wanted[*place];
        (wanted.rank, Reverse(wanted.priority), Reverse(wanted.height.unwrap_or(u32::MAX)))
    };
    places.sort_by_key(key);
    places.retain(|place| wanted[*place].withheld.is_none() && !wanted[*place].layers.is_empty());
    places
}

proptest! {
    #[test]
    fn no_more_is_given_than_there_is_and_never_more_than_desired(wanted in wanted(), kbps in 0u64..6_000) {
        let allocation = fresh(kbps, &wanted);
        prop_assert!(allocation.total.0 <= kbps * K);
        prop_assert!(allocation.total <= allocation.desired);
        prop_assert_eq!(allocation.total.0, allocation.decisions.iter().map(|decision| decision.rate.0).sum::<u64>());
        for decision in &allocation.decisions {
            prop_assert!(decision.target.is_some() || decision.reason != DeliveryReason::Best);
        }
    }

    #[test]
    fn without_a_limit_everyone_gets_what_is_desired(wanted in wanted()) {
        let allocation = Allocator::default().allocate(Instant::now(), None, None, BitsPerSecond(7), &wanted);
        prop_assert_eq!(allocation.total, allocation.desired);
    }

    #[test]
    fn the_first_in_order_never_gets_less_when_there_is_more_unless_it_ends_a_pause(
        wanted in wanted(), kbps in 0u64..6_000, more in 0u64..3_000
    ) {
        let (before, after) = (fresh(kbps, &wanted), fresh(kbps + more, &wanted));
        let forwarded = |allocation: &Allocation<u32>| {
            allocation.decisions.iter().map(|decision| decision.target.is_some()).collect::<Vec<_>>()
        };
        if let Some(first) = order(&wanted).first()
            && forwarded(&before) == forwarded(&after)
        {
            prop_assert!(rate(&before, *first) <= rate(&after, *first));
        }
    }

    #[test]
    fn nobody_is_paused_for_what_a_later_one_has_above_its_lowest_step(wanted in wanted(), kbps in 0u64..6_000) {
        let allocation = fresh(kbps, &wanted);
        let order = order(&wanted);
        let lowest = |place: usize| Ladder::new(&wanted[place]).rate(1);
        for (index, place) in order.iter().enumerate() {
            if allocation.decisions[*place].target.is_some() {
                continue;
            }
            let class = |place: usize| wanted[place].rank == Rank::Other;
            let before: u64 = order[..index].iter().map(|other| {
                if class(*other) == class(*place) { lowest(*other).min(rate(&allocation, *other)) } else { rate(&allocation, *other) }
            }).sum();
            prop_assert!(lowest(*place) > (kbps * K).saturating_sub(before));
        }
    }

    #[test]
    fn between_what_it_takes_and_what_there_was_nothing_changes(
        wanted in wanted(), kbps in 0u64..6_000, share in 0u64..=100
    ) {
        let (mut allocator, now) = (Allocator::default(), Instant::now());
        let mut allocate = |rate: u64| allocator.allocate(now, Some(BitsPerSecond(rate)), None, BitsPerSecond(0), &wanted);
        let first = allocate(kbps * K);
        let between = first.total.0 + (kbps * K - first.total.0) * share / 100;
        prop_assert_eq!(&allocate(between).decisions, &first.decisions);
        prop_assert_eq!(&allocate(kbps * K).decisions, &first.decisions);
    }
}
