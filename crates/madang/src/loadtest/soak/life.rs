//! What one participant of a soak does from its coming to its going. All of it hangs on the seed
//! and on the participant's number, none of it on what the server or the machine do.

use std::time::Duration;

use madang_client::{participant::DataChannel, relay::Transport};
use rand::{RngExt, SeedableRng, rngs::SmallRng};

/// Somebody by a relay over UDP stays at least so long: its relay is there by then, and can be
/// given back. One that is left behind lives for ten minutes, as RFC 8656 §7.2 wants.
const RELAYED: Duration = Duration::from_secs(3);
const LONGEST: Duration = Duration::from_secs(90);

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Life {
    /// Time since the one before came, as a share of the usual one.
    pub(super) gap: f64,
    /// Which of the rooms.
    pub(super) room: u32,
    pub(super) has_camera: bool,
    pub(super) has_microphone: bool,
    pub(super) relay: Option<Transport>,
    /// From the first try to connect.
    pub(super) stay: Duration,
    /// What is done, and how long after the coming; in order.
    pub(super) acts: Vec<(Duration, Act)>,
    pub(super) end: End,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Act {
    Chat,
    Data(DataChannel, usize),
    /// The others' pictures are of this height on the screen; 0 is out of sight.
    Watch(u32),
    /// The WebSocket breaks; the session is resumed.
    LoseConnection,
}

/// How it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Says so.
    Leave,
    /// Closes the page: the WebSocket says so, the media stop.
    ClosePage,
    /// All sockets are closed without a word.
    Vanish,
    /// All sockets stay open, and nothing comes any more.
    Silence,
}

impl Life {
    /// The life of participant `number`; `stay` is the mean.
    pub(super) fn new(seed: u64, number: u64, rooms: u32, stay: Duration) -> Self {
        // An odd factor keeps the streams of neighbours apart.
        let mut chance = SmallRng::seed_from_u64(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let relay = match chance.random_range(0..8) {
            0 => Some(Transport::Udp),
            1 => Some(Transport::Tcp),
            _ => None,
        };
        let end = match chance.random_range(0..20) {
            _ if relay == Some(Transport::Udp) => End::Leave,
            0..9 => End::Leave,
            9..13 => End::ClosePage,
            13..17 => End::Vanish,
            _ => End::Silence,
        };
        let least = if relay == Some(Transport::Udp) { RELAYED } else { Duration::ZERO };
        let stay = exponential(&mut chance, stay).clamp(least, LONGEST);
        let mut life = Self {
            gap: exponential(&mut chance, Duration::from_secs(1)).as_secs_f64(),
            room: chance.random_range(0..rooms.max(1)),
            has_camera: chance.random_bool(0.5),
            has_microphone: chance.random_bool(0.7),
            relay,
            stay,
            acts: Vec::new(),
            end,
        };
        let mut at = Duration::ZERO;
        loop {
            at += exponential(&mut chance, Duration::from_millis(1500));
            if at >= stay {
                return life;
            }
            life.acts.push((at, Act::new(&mut chance)));
        }
    }
}

impl Act {
    fn new(chance: &mut SmallRng) -> Self {
        match chance.random_range(0..10) {
            0..2 => Self::Chat,
            2..4 => Self::Data(DataChannel::Reliable, chance.random_range(0..16_000)),
            4..6 => Self::Data(DataChannel::Lossy, chance.random_range(0..1_000)),
            6..9 => Self::Watch([0, 90, 180, 360, 720][chance.random_range(0..5)]),
            _ => Self::LoseConnection,
        }
    }
}

/// A time with that mean: many short ones, some long ones.
fn exponential(chance: &mut SmallRng, mean: Duration) -> Duration {
    // In 0 to 1, without 0, so that the logarithm is finite.
    let share: f64 = 1.0 - chance.random::<f64>();
    mean.mul_f64(-share.ln())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAY: Duration = Duration::from_secs(8);

    fn lives(seed: u64) -> Vec<Life> {
        (0..2000).map(|number| Life::new(seed, number, 4, STAY)).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_lives_and_another_gives_others() {
        assert_eq!(lives(7), lives(7));
        assert_ne!(lives(7), lives(8));
    }

    #[test]
    fn every_way_to_come_to_act_and_to_go_occurs() {
        let lives = lives(1);
        for end in [End::Leave, End::ClosePage, End::Vanish, End::Silence] {
            assert!(lives.iter().filter(|life| life.end == end).count() > 100, "{end:?}");
        }
        for relay in [None, Some(Transport::Udp), Some(Transport::Tcp)] {
            assert!(lives.iter().filter(|life| life.relay == relay).count() > 100, "{relay:?}");
        }
        assert!((0..4).all(|room| lives.iter().any(|life| life.room == room)));
        let acts: Vec<Act> = lives.iter().flat_map(|life| &life.acts).map(|(_, act)| *act).collect();
        assert!(acts.contains(&Act::Chat) && acts.contains(&Act::LoseConnection) && acts.contains(&Act::Watch(0)));
    }

    #[test]
    fn stays_are_of_the_wanted_length_and_acts_fall_into_them_in_order() {
        let lives = lives(3);
        let mean = lives.iter().map(|life| life.stay.as_secs_f64()).sum::<f64>() / lives.len() as f64;
        assert!((7.0..9.5).contains(&mean), "{mean}");
        for life in &lives {
            assert!(life.acts.is_sorted_by_key(|(at, _)| *at));
            assert!(life.acts.last().is_none_or(|(at, _)| *at < life.stay));
        }
    }

    #[test]
    fn nobody_leaves_a_relay_over_udp_behind() {
        let lives = lives(5);
        let mut relayed = lives.iter().filter(|life| life.relay == Some(Transport::Udp));
        assert!(relayed.all(|life| life.end == End::Leave && life.stay >= RELAYED));
    }
}
