//! Whatever an estimator is told, it does not panic, and its answers stay in their ranges.

use proptest::prelude::*;

use super::*;

/// Anything that may be done to an estimator.
#[derive(Clone, Debug)]
enum Act {
    /// Time goes on by so many microseconds, or back.
    Pass(u64),
    Back(u64),
    Sent {
        step: u64,
        count: u16,
        bytes: usize,
        probe: bool,
    },
    /// Reports on numbers from so far back, each with its arrival on the receiver's clock.
    Feedback(u64, Vec<Option<u64>>),
    /// The same of packets that arrived as they were sent, so much later and at this speed.
    Likely {
        back: u64,
        count: u16,
        later: u64,
        each: u64,
    },
    Timeout,
    Desired(u64),
    Restart(u64),
}

fn odd() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..100_000u64,
        2 => 0..10_000_000u64,
        1 => prop_oneof![Just(0), Just(1), Just(u64::MAX), Just(u64::MAX / 2), Just(86_400_000_000)],
        1 => any::<u64>(),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => odd().prop_map(|by| Act::Pass(by.min(1 << 55))),
        6 => (0..30_000u64).prop_map(Act::Pass),
        1 => odd().prop_map(|by| Act::Back(by.min(1 << 40))),
        6 => (prop_oneof![8 => Just(1u64), 1 => odd()], 0..300u16, prop_oneof![Just(1200), Just(100), 0..2000usize, any::<usize>()], any::<bool>())
            .prop_map(|(step, count, bytes, probe)| Act::Sent { step, count, bytes, probe }),
        4 => (odd(), prop::collection::vec(prop::option::of(odd()), 0..50)).prop_map(|(back, all)| Act::Feedback(back, all)),
        8 => (0..500u64, 0..300u16, odd(), prop_oneof![Just(0), 0..20_000u64])
            .prop_map(|(back, count, later, each)| Act::Likely { back, count, later, each }),
        3 => Just(Act::Timeout),
        1 => odd().prop_map(Act::Desired),
        1 => odd().prop_map(Act::Restart),
    ]
}

fn perform(initial: u64, acts: Vec<Act>) {
    let start = Instant::now();
    let mut now = start + Duration::from_secs(1 << 21);
    let mut estimator = Estimator::new(now, initial);
    let (mut seq, mut probe) = (70_000u64, None);
    for act in acts {
        match act {
            Act::Pass(by) => now += Duration::from_micros(by),
            Act::Back(by) => now -= Duration::from_micros(by),
            Act::Sent { step, count, bytes, probe: probing } => {
                probe = estimator.poll_probe().map(|probe| probe.id).or(probe);
                for _ in 0..count {
                    estimator.sent(now, seq, bytes, probe.filter(|_| probing));
                    seq = seq.wrapping_add(step);
                }
            }
            Act::Feedback(back, all) => {
                let arrival = |at: Option<u64>| at.map(Duration::from_micros);
                let numbers = (0u64..).map(|number| seq.wrapping_sub(back).wrapping_add(number));
                estimator.feedback(now, numbers.zip(all.into_iter().map(arrival)));
            }
            Act::Likely { back, count, later, each } => {
                let first = seq.wrapping_sub(back);
                let at = |number: u64| {
                    (now - start).saturating_add(Duration::from_micros(later.saturating_add(number * each)))
                };
                estimator
                    .feedback(now, (0..u64::from(count)).map(|number| (first.wrapping_add(number), Some(at(number)))));
            }
            Act::Timeout => estimator.handle_timeout(now),
            Act::Desired(rate) => estimator.set_desired(now, rate),
            Act::Restart(rate) => estimator.restart(now, rate),
        }
        assert!((LEAST_RATE..=MOST_RATE).contains(&estimator.estimate()));
        assert!(estimator.loss(now).is_none_or(|loss| (0.0..=1.0).contains(&loss)));
        assert!(estimator.round_trip().is_none_or(|trip| trip <= Duration::from_micros(END_OF_TIME)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(
        std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(200)
    ))]
    #[test]
    fn nothing_makes_it_panic(initial in odd(), acts in prop::collection::vec(act(), 0..200)) {
        perform(initial, acts);
    }
}
