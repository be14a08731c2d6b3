//! The links between hosts and NATs count, hairpinning stays inside, and a reboot is felt.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use madang_lab::{
    LinkConfig, Loss, Node,
    nat::{NatConfig, NatKind},
    seeds,
};

use super::endpoint::{LINK, Stage, Word, server};

const OUTER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

#[test]
fn a_round_trip_takes_every_link_twice() {
    let mut stage = Stage::new(1);
    let carrier = stage.world.nat(Node::INTERNET, NatKind::Symmetric.config(OUTER), LINK, LINK);
    let home = NatKind::PortRestricted.config(Ipv4Addr::new(100, 64, 0, 1));
    let home = stage.world.nat(carrier, home, LINK, LINK);
    let host = stage.host(home, [192, 168, 0, 2]);
    let start = stage.now;
    stage.say(host, at("192.168.0.2:5000"), server(0, 0), Word::Who { change_address: false, change_port: false });
    let (_, datagram) = stage.hear(start + Duration::from_secs(1)).expect("an answer");
    assert_eq!(stage.now - start, LINK.delay * 8);
    assert!(matches!(datagram.payload, Word::YouAre(outer) if outer.ip() == OUTER));
}

#[test]
fn loss_of_each_link_on_the_way_adds_up() {
    for seed in seeds(1..4) {
        let mut stage = Stage::new(seed);
        let lossy = LinkConfig { loss: Loss::Random(0.1), ..LINK };
        let nat = stage.world.nat(Node::INTERNET, NatKind::FullCone.config(OUTER), lossy, LINK);
        let host = stage.world.host(nat, at("192.168.0.2:0").ip(), lossy, LINK);
        let heard = (0..2000)
            .filter(|_| {
                stage.say(
                    host,
                    at("192.168.0.2:5000"),
                    server(0, 0),
                    Word::Who { change_address: false, change_port: false },
                );
                let end = stage.now + Duration::from_millis(200);
                stage.hear(end).is_some()
            })
            .count();
        assert!((1540..1700).contains(&heard), "0.9 x 0.9 of 2000: {heard}");
    }
}

#[test]
fn neighbours_reach_each_other_by_their_outer_endpoints_only_with_hairpinning() {
    for hairpinning in [false, true] {
        let mut stage = Stage::new(1);
        let config = NatConfig { hairpinning, ..NatKind::FullCone.config(OUTER) };
        let nat = stage.world.nat(Node::INTERNET, config, LINK, LINK);
        let (ann, bo) = (stage.host(nat, [192, 168, 0, 2]), stage.host(nat, [192, 168, 0, 3]));
        let outer = stage.ask(bo, at("192.168.0.3:6000"), server(0, 0), (false, false)).expect("an answer");
        stage.say(ann, at("192.168.0.2:5000"), outer, Word::Check);
        let end = stage.now + Duration::from_secs(1);
        let heard = stage.hear(end).map(|(host, datagram)| (host, datagram.src.ip()));
        assert_eq!(heard, hairpinning.then_some((bo, OUTER.into())));
        stage.say(ann, at("192.168.0.2:5000"), at("192.168.0.3:6000"), Word::Check);
        let end = stage.now + Duration::from_secs(1);
        assert_eq!(stage.hear(end).map(|(host, datagram)| (host, datagram.src)), Some((bo, at("192.168.0.2:5000"))));
    }
}

#[test]
fn after_a_reboot_a_host_has_to_speak_first_and_looks_different() {
    let mut stage = Stage::new(1);
    let nat = stage.world.nat(Node::INTERNET, NatKind::Symmetric.config(OUTER), LINK, LINK);
    let host = stage.host(nat, [192, 168, 0, 2]);
    let (own, peer) = (at("192.168.0.2:5000"), at("203.0.113.9:7000"));
    let peer_host = stage.host(Node::INTERNET, [203, 0, 113, 9]);
    stage.say(host, own, peer, Word::Check);
    let end = stage.now + Duration::from_secs(1);
    let (_, before) = stage.hear(end).expect("the peer hears it");
    stage.world.nat_mut(nat).expect("a NAT").reboot();
    stage.say(peer_host, peer, before.src, Word::Answer);
    let end = stage.now + Duration::from_secs(1);
    assert_eq!(stage.hear(end), None);
    stage.say(host, own, peer, Word::Check);
    let end = stage.now + Duration::from_secs(1);
    let (_, after) = stage.hear(end).expect("the peer hears it");
    assert_ne!(after.src, before.src);
}
