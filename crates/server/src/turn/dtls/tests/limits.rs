//! What strangers and crowds can do.

use std::time::Duration;

use madang_lab::LinkConfig;

use super::{
    super::DtlsLimits,
    world::{World, address, with_cookie},
};

#[test]
fn nothing_is_kept_and_less_is_sent_than_came_before_an_address_is_proven() {
    let mut world = World::new(1, DtlsLimits::default());
    let hello = world.hello();
    let (mut came, mut sent) = (0, 0);
    for number in 0..20_000 {
        came += hello.len();
        sent += world.answers(address(number), &hello).concat().len();
    }
    assert_eq!(world.listener.sessions(), (0, 0));
    assert_eq!(world.listener.counters().asked, 20_000);
    assert!(sent < came, "{sent} bytes for {came}");
}

#[test]
fn a_cookie_is_good_for_its_address_and_its_time_alone() {
    let mut world = World::new(1, DtlsLimits::default());
    let hello = world.hello();
    let asked = world.answers(address(1), &hello).concat();
    let proof = with_cookie(&hello, &asked);
    let is_asked = |answers: Vec<Vec<u8>>| answers.len() == 1 && answers[0][13] == 3;
    assert!(is_asked(world.answers(address(2), &proof)), "another address used it");
    let mut port = address(1);
    port.set_port(1);
    assert!(is_asked(world.answers(port, &proof)), "another port used it");
    let mut changed = proof.clone();
    changed[30] ^= 1;
    assert!(is_asked(world.answers(address(1), &changed)), "another attempt used it");
    world.now += Duration::from_secs(60);
    let anew = world.answers(address(1), &proof);
    assert!(is_asked(anew.clone()), "it was good for too long");
    let mut third = with_cookie(&hello, &anew.concat());
    (third[10], third[18]) = (2, 2);
    let flight = world.answers(address(1), &third);
    assert_eq!((flight[0][13], flight[0][18]), (2, 2), "a client that was asked twice is not let in");
}

#[test]
fn one_who_proves_its_address_gets_a_bounded_flight_and_no_more_for_nothing() {
    let mut world = World::new(1, DtlsLimits::default());
    let hello = world.hello();
    let asked = world.answers(address(1), &hello).concat();
    let flight = world.answers(address(1), &with_cookie(&hello, &asked)).concat().len();
    let mut sent = flight;
    for _ in 0..200 {
        world.now += Duration::from_millis(100);
        world.listener.timeout(world.now);
        sent += world.answers(address(9), &[0]).concat().len();
    }
    // dimpl repeats a flight four times; the deadline comes before the last of them.
    assert!(flight < 1200 && sent <= flight * 5, "{flight} bytes, {sent} in all");
    assert_eq!(world.listener.sessions(), (0, 0));
    assert_eq!(world.listener.counters().failed, 1);
}

#[test]
fn half_open_sessions_of_one_network_are_bounded_and_others_come_in() {
    let limits = DtlsLimits { half_open_per_network: 8, ..DtlsLimits::default() };
    let mut world = World::new(1, limits);
    let let_in = (1..=20).filter(|number| world.half_open(address(*number))).count();
    assert_eq!((let_in, world.listener.sessions()), (8, (8, 8)));
    assert_eq!(world.listener.counters().refused, 12);
    assert!(world.half_open(address(1 << 8)), "a neighbour network pays for it");
    world.run(Duration::from_secs(11));
    assert_eq!(world.listener.sessions(), (0, 0), "the deadline has passed");
    assert!(world.half_open(address(21)));
}

#[test]
fn the_oldest_half_open_session_makes_room_and_open_ones_stay() {
    let limits = DtlsLimits { half_open: 4, ..DtlsLimits::default() };
    let mut world = World::new(1, limits);
    let client = world.client(address(1), LinkConfig::default());
    assert!(world.run_until(Duration::from_secs(1), |world| world.is_connected(client)));
    for network in 1..=40 {
        world.run(Duration::from_millis(1));
        assert!(world.half_open(address(network << 8)));
        assert!(world.listener.sessions().1 <= 4);
    }
    assert_eq!(world.listener.counters().failed, 36);
    let late = world.client(address(99 << 8), LinkConfig::default());
    assert!(world.run_until(Duration::from_secs(1), |world| world.is_connected(late)), "a newcomer is kept out");
    world.send(client, &[0, 1]);
    world.run(Duration::from_millis(10));
    assert_eq!(world.echoes(client), [vec![0, 1]]);
}

#[test]
fn sessions_are_bounded_in_all_and_by_network() {
    let limits = DtlsLimits { sessions: 3, sessions_per_network: 2, ..DtlsLimits::default() };
    let mut world = World::new(1, limits);
    for number in [1, 2, 1 << 8] {
        let client = world.client(address(number), LinkConfig::default());
        assert!(world.run_until(Duration::from_secs(1), |world| world.is_connected(client)));
        if number == 2 {
            assert!(!world.half_open(address(3)), "three of one network");
        }
    }
    assert!(!world.half_open(address(2 << 8)), "four in all");
    world.leave(address(1));
    world.run(Duration::from_millis(10));
    assert!(world.half_open(address(2 << 8)), "there is room again");
}

#[test]
fn handshakes_of_one_network_have_a_pace() {
    let limits = DtlsLimits { handshakes_per_second: 2.0, ..DtlsLimits::default() };
    let mut world = World::new(1, limits);
    assert_eq!((1..=30).filter(|number| world.half_open(address(*number))).count(), 8);
    world.run(Duration::from_secs(1));
    assert_eq!((31..=60).filter(|number| world.half_open(address(*number))).count(), 2);
}

#[test]
fn a_client_that_keeps_beginning_anew_costs_one_handshake_a_second() {
    let mut world = World::new(1, DtlsLimits::default());
    let mut let_in = 0;
    for _ in 0..100 {
        let_in += u32::from(world.half_open(address(1)));
        world.now += Duration::from_millis(50);
    }
    assert_eq!(let_in, 5);
    assert_eq!(world.listener.sessions(), (1, 1));
}

#[test]
fn a_silent_client_is_let_go_and_one_with_an_allocation_later() {
    let limits = DtlsLimits::default();
    let mut world = World::new(1, limits);
    let [idle, allocated] = [1, 2].map(|number| {
        let client = world.client(address(number), LinkConfig::default());
        assert!(world.run_until(Duration::from_secs(1), |world| world.is_connected(client)));
        client
    });
    // The answer to an Allocate request, as the core would send it.
    // Allocate, class success response, with a LIFETIME of ten minutes.
    let mut success = [0x01, 0x03, 0, 8, 0x21, 0x12, 0xA4, 0x42].to_vec();
    success.extend([7; 12]);
    success.extend([0x00, 0x0D, 0, 4, 0, 0, 2, 0x58]);
    assert!(world.listener.send(world.now, allocated, &success));
    world.run(limits.idle - Duration::from_secs(1));
    assert_eq!(world.closed, []);
    world.run(Duration::from_secs(2));
    assert_eq!(world.closed, [idle]);
    assert!(world.has_heard_goodbye(idle));
    world.run(limits.idle_allocated);
    assert_eq!(world.closed, [idle, allocated]);
    assert_eq!(world.listener.sessions(), (0, 0));
}

#[test]
fn a_client_that_speaks_is_not_silent() {
    let limits = DtlsLimits::default();
    let mut world = World::new(1, limits);
    let client = world.client(address(1), LinkConfig::default());
    assert!(world.run_until(Duration::from_secs(1), |world| world.is_connected(client)));
    for _ in 0..10 {
        world.run(limits.idle / 2);
        world.send(client, &[0, 1]);
    }
    world.run(Duration::from_secs(1));
    assert_eq!((world.closed.len(), world.echoes(client).len()), (0, 10));
}
