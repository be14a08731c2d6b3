//! What the network and clocks do.

use super::*;

fn share(part: u64, of: u64) -> f64 {
    part as f64 / of.max(1) as f64
}

/// The median delay of a source, in ms, over some time.
fn median_delay(room: &mut Room, source: u64, milliseconds: u32) -> u128 {
    let mut delays = Vec::new();
    room.run_with(milliseconds, |room| delays.push(room.statistics(source).delay.as_millis()));
    delays.sort_unstable();
    delays[delays.len() / 2]
}

#[test]
fn in_the_ordinary_case_sound_waits_forty_to_sixty_milliseconds() {
    for length in [480, 960, 1920, 2880] {
        let mut room = Room::new(5);
        room.listen(9, &[]);
        let mut sender = Sender::new(1, tone(440.0, 0.2));
        sender.length = length;
        sender.network = Box::new(|_, random| Some(30.0 + random.random_range(0.0..15.0)));
        room.send(sender);
        room.run(3000);
        let delay = median_delay(&mut room, 1, 10_000);
        assert!((38..=62).contains(&delay), "{length}: {delay} ms");
        let statistics = room.statistics(1);
        assert!(share(statistics.concealed, statistics.played) < 0.005, "{length}: {statistics:?}");
    }
}

#[test]
fn ten_percent_loss_and_200_ms_of_jitter_conceal_less_than_five_percent_and_touch_nobody_else() {
    let mut room = Room::new(6);
    room.listen(9, &[]);
    room.listen(1, &[1]);
    let mut bad = Sender::new(1, tone(440.0, 0.2));
    bad.fec = true;
    bad.network = Box::new(|_, random| (!random.random_bool(0.1)).then(|| 30.0 + random.random_range(0.0..200.0)));
    room.send(bad);
    room.send(Sender::new(2, tone(700.0, 0.2)));
    room.run(60_000);
    let (bad, good) = (room.statistics(1), room.statistics(2));
    let concealed = share(bad.concealed, bad.played);
    assert!(concealed < 0.05, "{concealed:.3}: {bad:?}");
    assert!(bad.recovered > bad.played / 20, "{bad:?}");
    assert!(bad.delay < Duration::from_millis(320), "{bad:?}");
    assert_eq!((good.concealed, good.recovered, good.late), (0, 0, 0));
    assert!(good.inserted + good.removed < 4800 && good.delay <= Duration::from_millis(62), "{good:?}");
    // Whoever sends over the bad network hears the other as if nothing were wrong.
    let heard = room.last(1, 50.0);
    assert!(steepest(heard) < std::f32::consts::TAU * 700.0 * 0.2 / 48_000.0 * 1.05);
}

#[test]
fn the_delay_comes_back_when_the_jitter_is_over() {
    let mut room = Room::new(7);
    room.listen(9, &[]);
    let mut sender = Sender::new(1, tone(440.0, 0.2));
    sender.network =
        Box::new(|packet, random| Some(30.0 + if packet < 500 { random.random_range(0.0..200.0) } else { 0.0 }));
    room.send(sender);
    room.run(10_000);
    assert!(room.statistics(1).delay > Duration::from_millis(150), "{:?}", room.statistics(1));
    room.run(20_000);
    assert!(room.statistics(1).delay <= Duration::from_millis(62), "{:?}", room.statistics(1));
}

/// Clocks off by 0.1 % for so long, in minutes.
fn clocks(minutes: u32) {
    for rate in [1.001, 0.999] {
        let mut room = Room::new(8);
        room.listen(9, &[]);
        room.record = false;
        let mut sender = Sender::new(1, tone(250.0, 0.2));
        sender.rate = rate;
        sender.network = Box::new(|_, random| Some(30.0 + random.random_range(0.0..5.0)));
        room.send(sender);
        let mut most = Duration::ZERO;
        room.run_with(minutes * 60_000, |room| most = most.max(room.statistics(1).delay));
        let statistics = room.statistics(1);
        assert!(most <= Duration::from_millis(75), "{rate}: {most:?}");
        assert!(share(statistics.concealed, statistics.played) < 0.001, "{rate}: {statistics:?}");
        let drift = f64::from(minutes) * 60.0 * 48.0;
        let stretched = statistics.removed as f64 - statistics.inserted as f64;
        let expected = drift * (rate - 1.0).signum();
        assert!((stretched - expected).abs() < 2400.0, "{rate}: {stretched} of {expected}");
    }
}

#[test]
fn a_clock_off_by_a_thousandth_is_followed() {
    clocks(3);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "an hour of sound takes minutes in a debug build")]
fn a_clock_off_by_a_thousandth_is_followed_for_an_hour() {
    clocks(60);
}

#[test]
fn the_stretched_tone_stays_smooth() {
    let mut room = Room::new(8);
    room.listen(9, &[]);
    let mut sender = Sender::new(1, tone(250.0, 0.2));
    sender.rate = 1.003;
    room.send(sender);
    room.run(1000);
    room.run(10_000);
    assert!(room.statistics(1).removed > 1000, "{:?}", room.statistics(1));
    let limit = std::f32::consts::TAU * 250.0 * 0.2 / 48_000.0;
    assert!(steepest(room.last(9, 10.0)) < limit * 1.1, "{} against {limit}", steepest(room.last(9, 10.0)));
}

#[test]
fn after_an_outage_the_delay_is_bounded_and_shrinks() {
    for outage in [100.0, 300.0, 1000.0, 5000.0] {
        let mut room = Room::new(9);
        room.listen(9, &[]);
        let mut sender = Sender::new(1, tone(440.0, 0.2));
        // All that is sent in the outage arrives at its end.
        sender.network = Box::new(move |packet, _| {
            let at = packet as f64 * 20.0;
            Some(30.0 + if (3000.0..3000.0 + outage).contains(&at) { 3000.0 + outage - at } else { 0.0 })
        });
        room.send(sender);
        let mut most = Duration::ZERO;
        room.run_with(12_000, |room| most = most.max(room.statistics(1).delay));
        let delay = room.statistics(1).delay;
        assert!(delay <= Duration::from_millis(65), "{outage}: {delay:?} after");
        assert!(loudness(room.last(9, 1.0), 440.0) > -24.0, "{outage}: it is heard again");
        assert!(room.statistics(1).waiting < 10);
    }
}

#[test]
fn sound_that_is_held_waits_as_long_and_no_longer_than_it_must() {
    let mut room = Room::new(3);
    room.listen(9, &[]);
    room.send(Sender::new(1, tone(440.0, 0.2)));
    room.run(2000);
    let delay = |room: &Room| room.statistics(1).delay.as_millis();
    assert!((37..=62).contains(&delay(&room)), "{}", delay(&room));
    for (hold, expected) in [(150, 147..=172), (100, 97..=122), (5000, 397..=422), (0, 37..=62)] {
        room.mixer.set_hold(SourceId(1), Duration::from_millis(hold));
        room.run(8000);
        assert!(expected.contains(&delay(&room)), "{} ms where {hold} ms are asked for", delay(&room));
    }
    assert_eq!((room.statistics(1).concealed, room.statistics(1).late), (0, 0));
}

#[test]
fn a_gap_of_dtx_is_no_loss() {
    let mut room = Room::new(10);
    room.listen(9, &[]);
    room.listen(1, &[1]);
    let mut sender = Sender::new(1, tone(440.0, 0.2));
    sender.length = 960;
    room.send(sender);
    for _ in 0..5 {
        room.run(1000);
        // A second passes of which nothing is sent.
        room.senders[0].network = Box::new(|_, _| None);
        let sequence = room.senders[0].sequence;
        room.run(1000);
        room.senders[0].sequence = sequence;
        room.senders[0].network = Box::new(|_, _| Some(30.0));
    }
    room.run(1000);
    let statistics = room.statistics(1);
    // At each beginning of a gap nobody can know that it is one.
    assert!(statistics.concealed <= 5 * 8640, "{statistics:?}");
    assert!(statistics.delay <= Duration::from_millis(62), "{statistics:?}");
    assert_eq!((statistics.late, statistics.restarts), (0, 0));
}

#[test]
fn a_source_that_counts_anew_is_heard_on() {
    for base in [5_u32, 3_000_000_000, u32::MAX - 40_000] {
        let mut room = Room::new(11);
        room.listen(9, &[]);
        room.send(Sender::new(1, tone(440.0, 0.2)));
        room.run(2000);
        (room.senders[0].sequence, room.senders[0].timestamp) = (7, base);
        room.run(3000);
        assert!(
            loudness(room.last(9, 0.5), 440.0) > -24.0,
            "{base}: {} {:?}",
            loudness(room.last(9, 0.5), 440.0),
            room.statistics(1)
        );
        let statistics = room.statistics(1);
        assert!(statistics.delay <= Duration::from_millis(65) && statistics.late <= 5, "{base}: {statistics:?}");
    }
}

#[test]
fn duplicates_and_packets_out_of_order_change_nothing() {
    let mut room = Room::new(12);
    room.listen(9, &[]);
    let mut sender = Sender::new(1, tone(440.0, 0.2));
    sender.network = Box::new(|packet, _| Some(if packet % 2 == 0 { 55.0 } else { 30.0 }));
    room.send(sender);
    room.run(2000);
    let before = room.statistics(1).concealed;
    room.run(5000);
    assert_eq!(room.statistics(1).concealed, before);
    assert!(steepest(room.last(9, 4.0)) < std::f32::consts::TAU * 440.0 * 0.2 / 48_000.0 * 1.1);
}

#[test]
fn a_source_that_stops_without_leaving_falls_silent_and_costs_nothing() {
    let mut room = Room::new(13);
    room.listen(9, &[]);
    room.send(Sender::new(1, tone(440.0, 0.2)));
    room.send(Sender::new(2, tone(700.0, 0.2)));
    room.run(2000);
    room.senders.remove(0);
    room.run(1000);
    let played = room.statistics(1).played;
    room.run(1000);
    assert_eq!(room.statistics(1).played, played);
    assert!(loudness(room.last(9, 0.5), 440.0) < -80.0 && loudness(room.last(9, 0.5), 700.0) > -24.0);
    assert_eq!(room.speakers, [SourceId(2)]);
}

#[test]
fn what_is_said_to_play_is_what_plays() {
    // The voice is a ramp that says its own time.
    let mut room = Room::new(14);
    room.listen(9, &[]);
    let mut sender = Sender::new(1, Box::new(|at| if (2.0..2.001).contains(&at) { 0.9 } else { 0.01 }));
    sender.timestamp = 1000;
    sender.network = Box::new(|_, random| Some(30.0 + random.random_range(0.0..25.0)));
    room.send(sender);
    let mut said = Vec::new();
    room.run_with(4000, |room| said.extend(room.output.playing().iter().copied()));
    let heard = room.last(9, 99.0);
    let at = heard.iter().position(|sample| *sample > 0.1).expect("the mark") as u64;
    let playing = said.iter().rev().find(|playing| playing.time <= at).expect("a frame");
    let mark = i64::from(playing.timestamp) + (at - playing.time) as i64;
    assert!((mark - (1000 + 2 * 48_000)).abs() <= 48, "{} ms off", (mark - 97_000) / 48);
}
