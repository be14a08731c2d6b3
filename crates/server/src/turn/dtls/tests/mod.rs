//! Clients of dimpl against the listener, in virtual time.

mod limits;
mod world;

use std::{net::SocketAddr, time::Duration};

use madang_lab::{LinkConfig, Loss, seeds};

use self::world::{Certificate, World, address};
use super::{DtlsError, DtlsLimits, DtlsListener, DtlsOutput};

const LOSSY: LinkConfig = LinkConfig {
    rate: None,
    queue: Duration::ZERO,
    delay: Duration::from_millis(40),
    jitter: Duration::from_millis(10),
    loss: Loss::Random(0.15),
    reordered: 0.2,
    duplicated: 0.1,
};

#[test]
fn a_client_shakes_hands_through_loss_and_disorder_and_its_packets_come_one_by_one() {
    for seed in seeds(0..24) {
        let mut world = World::new(seed, DtlsLimits::default());
        let client = world.client(address(1), LOSSY);
        let connected = world.run_until(Duration::from_secs(30), |world| world.is_connected(client));
        assert!(connected, "no handshake: {:?}", world.listener.counters());
        for number in 0..40_u8 {
            world.send(client, &[0, number, 7]);
            world.run(Duration::from_millis(20));
        }
        world.run(Duration::from_secs(1));
        let echoed = world.echoes(client);
        assert!(echoed.len() > 15, "{} of 40 came back", echoed.len());
        assert!(echoed.iter().all(|packet| matches!(packet[..], [0, 0..40, 7])), "packets are not cut as they were");
        assert_eq!(world.listener.sessions(), (1, 0));
    }
}

#[test]
fn a_client_that_offers_1_3_too_gets_1_2() {
    let mut world = World::new(1, DtlsLimits::default());
    let client = world.auto_client(address(1));
    assert!(world.run_until(Duration::from_secs(1), |world| world.is_connected(client)));
    assert_eq!(world.version(client), Some(dimpl::ProtocolVersion::DTLS1_2));
}

#[test]
fn a_client_is_asked_for_no_certificate_and_sees_that_of_the_server() {
    let mut world = World::new(1, DtlsLimits::default());
    let client = world.client(address(1), LinkConfig::default());
    assert!(world.run_until(Duration::from_secs(1), |world| world.is_connected(client)));
    assert_eq!(world.certificate(client), world.own_certificate());
    assert!(!world.was_asked_for_a_certificate());
}

#[test]
fn a_certificate_that_is_reloaded_is_for_those_who_come_after() {
    let mut world = World::new(1, DtlsLimits::default());
    let first = world.client(address(1), LinkConfig::default());
    assert!(world.run_until(Duration::from_secs(1), |world| world.is_connected(first)));
    let new = Certificate::new();
    world.listener.reload(&[&new.der], &new.key).expect("an ECDSA key");
    let second = world.client(address(2), LinkConfig::default());
    assert!(world.run_until(Duration::from_secs(1), |world| world.is_connected(second)));
    assert_eq!(world.certificate(second), new.der);
    assert_ne!(world.certificate(first), new.der);
    world.send(first, &[0, 1]);
    world.run(Duration::from_millis(10));
    assert_eq!(world.echoes(first), [vec![0, 1]]);
}

#[test]
fn a_key_that_cannot_be_used_is_refused_and_the_former_certificate_stays() {
    let rsa = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).expect("a key").serialize_der();
    let mut world = World::new(1, DtlsLimits::default());
    assert!(matches!(world.listener.reload(&[&[1][..]], &rsa), Err(DtlsError::Key)));
    assert!(matches!(world.listener.reload(&[] as &[&[u8]], &rsa), Err(DtlsError::NoCertificate)));
    let made = DtlsListener::new(&[&[1][..]], &rsa, DtlsLimits::default(), &[1; 32], world.now);
    assert!(matches!(made, Err(DtlsError::Key)));
    let client = world.client(address(1), LinkConfig::default());
    assert!(world.run_until(Duration::from_secs(1), |world| world.is_connected(client)));
}

#[test]
fn a_client_that_leaves_is_told_of_and_forgotten() {
    let mut world = World::new(1, DtlsLimits::default());
    let client = world.client(address(1), LinkConfig::default());
    assert!(world.run_until(Duration::from_secs(1), |world| world.is_connected(client)));
    world.leave(client);
    world.run(Duration::from_millis(10));
    assert_eq!(world.closed, [client]);
    assert_eq!(world.listener.sessions(), (0, 0));
    assert!(!world.listener.send(world.now, client, &[0]));
}

#[test]
fn a_client_that_is_closed_hears_so() {
    let mut world = World::new(1, DtlsLimits::default());
    let client = world.client(address(1), LinkConfig::default());
    assert!(world.run_until(Duration::from_secs(1), |world| world.is_connected(client)));
    world.listener.close(world.now, client);
    assert!(world.run_until(Duration::from_secs(1), |world| world.has_heard_goodbye(client)));
    assert_eq!(world.closed, [] as [SocketAddr; 0], "the caller knows that already");
}

#[test]
fn a_client_that_begins_anew_at_the_same_address_ends_what_it_had() {
    let mut world = World::new(1, DtlsLimits::default());
    let client = world.client(address(1), LinkConfig::default());
    assert!(world.run_until(Duration::from_secs(1), |world| world.is_connected(client)));
    let again = world.client(client, LinkConfig::default());
    assert!(world.run_until(Duration::from_secs(1), |world| world.is_connected(again)));
    assert_eq!(world.closed, [client]);
    world.send(again, &[0, 9]);
    world.run(Duration::from_millis(10));
    assert_eq!(world.echoes(again), [vec![0, 9]]);
    assert_eq!(world.listener.sessions(), (1, 0));
}

#[test]
fn a_hello_in_the_name_of_a_client_does_not_end_its_session() {
    let mut world = World::new(1, DtlsLimits::default());
    let client = world.client(address(1), LinkConfig::default());
    assert!(world.run_until(Duration::from_secs(1), |world| world.is_connected(client)));
    for hello in [world.hello(), vec![22; 100], vec![21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40]] {
        world.listener.receive(world.now, client, &hello);
        world.drain();
    }
    world.send(client, &[0, 5]);
    world.run(Duration::from_millis(10));
    assert_eq!(world.echoes(client), [vec![0, 5]]);
    assert_eq!(world.closed, [] as [SocketAddr; 0]);
}

#[test]
fn the_first_flight_goes_on_from_the_number_of_the_hello() {
    let mut world = World::new(1, DtlsLimits::default());
    let client = address(1);
    // As if three hellos before had been lost.
    let mut hello = world.hello();
    hello[10] = 3;
    let [asked] = &world.answers(client, &hello)[..] else { unreachable!("one answer") };
    assert_eq!(asked[10], 3);
    let mut second = world::with_cookie(&hello, asked);
    second[10] = 4;
    let flight = world.answers(client, &second);
    assert_eq!((flight[0][0], flight[0][10], flight[0][13], flight[0][18]), (22, 4, 2, 1), "no ServerHello");
}

#[test]
fn what_is_no_dtls_is_left_alone() {
    let mut world = World::new(1, DtlsLimits::default());
    for (first, is) in [(0, false), (1, false), (19, false), (20, true), (22, true), (63, true), (64, false)] {
        assert_eq!(DtlsListener::is_dtls(&[first]), is);
    }
    world.listener.receive(world.now, address(1), &[0; 40]);
    world.listener.receive(world.now, address(1), &[22; 40]);
    assert_eq!(world.listener.poll(), DtlsOutput::Timeout(None));
}
