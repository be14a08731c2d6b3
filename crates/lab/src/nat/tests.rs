use std::{net::Ipv4Addr, time::Duration};

use proptest::prelude::*;

use super::*;

const OUTER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn nine() -> impl Iterator<Item = (Dependence, Dependence)> {
    Dependence::ALL
        .into_iter()
        .flat_map(|mapping| Dependence::ALL.into_iter().map(move |filtering| (mapping, filtering)))
}

/// How much two remote endpoints have in common, as a dependence sees it.
fn alike(dependence: Dependence, one: SocketAddr, other: SocketAddr) -> bool {
    match dependence {
        Dependence::EndpointIndependent => true,
        Dependence::AddressDependent => one.ip() == other.ip(),
        Dependence::AddressAndPortDependent => one == other,
    }
}

#[test]
fn mapping_depends_on_what_its_kind_says() {
    let now = Instant::now();
    let (inner, first) = (at("192.168.0.2:5000"), at("203.0.113.1:3478"));
    for (mapping, filtering) in nine() {
        let mut nat = Nat::new(NatConfig::new(mapping, filtering, OUTER), 1);
        let outer = nat.outbound(now, inner, first).expect("mapped");
        for other in ["203.0.113.1:3478", "203.0.113.1:3479", "203.0.113.2:3478"].map(at) {
            let again = nat.outbound(now, inner, other).expect("mapped");
            assert_eq!(again == outer, alike(mapping, first, other), "{mapping} to {other}");
        }
        assert_ne!(nat.outbound(now, at("192.168.0.3:5000"), first), Some(outer), "another host has another");
    }
}

#[test]
fn filtering_depends_on_what_its_kind_says() {
    let now = Instant::now();
    let (inner, first) = (at("192.168.0.2:5000"), at("203.0.113.1:3478"));
    for (mapping, filtering) in nine() {
        let mut nat = Nat::new(NatConfig::new(mapping, filtering, OUTER), 1);
        let outer = nat.outbound(now, inner, first).expect("mapped");
        for other in ["203.0.113.1:3478", "203.0.113.1:3479", "203.0.113.2:3478"].map(at) {
            let through = nat.inbound(now, other, outer);
            assert_eq!(through, alike(filtering, first, other).then_some(inner), "{filtering} from {other}");
        }
    }
}

#[test]
fn nothing_comes_in_where_nothing_went_out() {
    for (mapping, filtering) in nine() {
        let mut nat = Nat::new(NatConfig::new(mapping, filtering, OUTER), 1);
        assert_eq!(nat.inbound(Instant::now(), at("203.0.113.1:3478"), at("198.51.100.1:5000")), None);
    }
}

#[test]
fn a_mapping_lives_as_long_as_it_is_used_from_inside() {
    let start = Instant::now();
    let (inner, remote) = (at("192.168.0.2:5000"), at("203.0.113.1:3478"));
    let second = Duration::from_secs(1);
    for inbound_refresh in [false, true] {
        let config = NatConfig { inbound_refresh, lifetime: second * 30, ..NatKind::PortRestricted.config(OUTER) };
        let mut nat = Nat::new(config, 1);
        let outer = nat.outbound(start, inner, remote).expect("mapped");
        assert_eq!(nat.outbound(start + second * 20, inner, remote), Some(outer));
        assert_eq!(nat.inbound(start + second * 49, remote, outer), Some(inner), "refreshed by the second packet");
        let later = nat.inbound(start + second * 51, remote, outer);
        assert_eq!(later, inbound_refresh.then_some(inner), "what comes in refreshes only where it should");
        assert_eq!(nat.mappings(start + second * 200), 0);
    }
}

#[test]
fn a_filter_closes_for_whom_was_not_sent_to_lately_though_the_mapping_lives() {
    let start = Instant::now();
    let (inner, one, other) = (at("192.168.0.2:5000"), at("203.0.113.1:1"), at("203.0.113.2:2"));
    let mut nat = Nat::new(NatKind::PortRestricted.config(OUTER), 1);
    let outer = nat.outbound(start, inner, one).expect("mapped");
    let later = start + NatConfig::LIFETIME * 3 / 4;
    nat.outbound(later, inner, other);
    let end = start + NatConfig::LIFETIME * 5 / 4;
    assert_eq!((nat.inbound(end, one, outer), nat.inbound(end, other, outer)), (None, Some(inner)));
}

#[test]
fn hairpinning_shows_the_outer_endpoint_and_asks_the_filter() {
    let now = Instant::now();
    let (ann, bo, server) = (at("192.168.0.2:5000"), at("192.168.0.3:6000"), at("203.0.113.1:3478"));
    for hairpinning in [false, true] {
        let mut nat = Nat::new(NatConfig { hairpinning, ..NatKind::PortRestricted.config(OUTER) }, 1);
        let outer_ann = nat.outbound(now, ann, server).expect("mapped");
        let outer_bo = nat.outbound(now, bo, server).expect("mapped");
        assert_eq!(nat.from_inside(now, ann, outer_bo), None, "Bo has not sent to Ann");
        let expected = hairpinning.then_some(Way::Inside { from: outer_bo, to: ann });
        assert_eq!(nat.from_inside(now, bo, outer_ann), expected);
        let expected = hairpinning.then_some(Way::Inside { from: outer_ann, to: bo });
        assert_eq!(nat.from_inside(now, ann, outer_bo), expected);
    }
}

#[test]
fn a_reboot_forgets_and_a_block_stops_everything() {
    let now = Instant::now();
    let (inner, remote) = (at("192.168.0.2:5000"), at("203.0.113.1:3478"));
    let mut nat = Nat::new(NatKind::FullCone.config(OUTER), 1);
    let outer = nat.outbound(now, inner, remote).expect("mapped");
    nat.reboot();
    assert_eq!(nat.inbound(now, remote, outer), None);
    let mut nat = Nat::new(NatKind::UdpBlocked.config(OUTER), 1);
    assert_eq!(nat.from_inside(now, inner, remote), None);
    nat.block(false);
    assert!(nat.from_inside(now, inner, remote).is_some());
}

#[test]
fn ports_are_kept_or_random_as_configured() {
    let now = Instant::now();
    let remote = at("203.0.113.1:3478");
    let mut nat = Nat::new(NatConfig { ports: PortAllocation::Preserved, ..NatKind::FullCone.config(OUTER) }, 1);
    assert_eq!(nat.outbound(now, at("192.168.0.2:5000"), remote), Some(at("198.51.100.1:5000")));
    assert_eq!(nat.outbound(now, at("192.168.0.3:5000"), remote), Some(at("198.51.100.1:5001")));
    let mut nat = Nat::new(NatConfig { ports: PortAllocation::Random, ..NatKind::FullCone.config(OUTER) }, 1);
    let outer: Vec<_> =
        (0..50).filter_map(|host| nat.outbound(now, SocketAddr::from(([192, 168, 0, host], 5000)), remote)).collect();
    assert!(outer.windows(2).all(|two| two[0].port().abs_diff(two[1].port()) != 1), "{outer:?}");
}

#[test]
fn one_inner_address_keeps_one_outer_address_where_pooling_is_paired() {
    let now = Instant::now();
    let pool: Vec<IpAddr> = (1..=8).map(|last| Ipv4Addr::new(198, 51, 100, last).into()).collect();
    let shown = |pooling| {
        let config = NatConfig { outer: pool.clone(), pooling, ..NatKind::Symmetric.config(OUTER) };
        let mut nat = Nat::new(config, 1);
        let mut shown: Vec<IpAddr> = (1..40u16)
            .filter_map(|port| nat.outbound(now, at("192.168.0.2:5000"), SocketAddr::from(([203, 0, 113, 1], port))))
            .map(|outer| outer.ip())
            .collect();
        shown.sort();
        shown.dedup();
        shown.len()
    };
    assert_eq!(shown(Pooling::Paired), 1);
    assert!(shown(Pooling::Arbitrary) > 4);
}

/// Few enough endpoints that they meet.
fn endpoint(network: [u8; 3]) -> impl Strategy<Value = SocketAddr> {
    (1..=3u8, 1..=3u16)
        .prop_map(move |(host, port)| SocketAddr::from(([network[0], network[1], network[2], host], 4000 + port)))
}

#[derive(Clone, Debug)]
enum Step {
    Out(SocketAddr, SocketAddr),
    /// From a remote endpoint to the outer endpoint of an earlier packet.
    In(SocketAddr, usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (endpoint([192, 168, 0]), endpoint([203, 0, 113])).prop_map(|(src, dst)| Step::Out(src, dst)),
        4 => (endpoint([203, 0, 113]), any::<usize>()).prop_map(|(src, which)| Step::In(src, which)),
        1 => (1..100u64).prop_map(Step::Wait),
    ]
}

fn dependence() -> impl Strategy<Value = Dependence> {
    prop::sample::select(Dependence::ALL.to_vec())
}

proptest! {
    /// Against the definitions, on the whole history of packets: RFC 4787 §4.1, §4.3, §5.
    #[test]
    fn any_sequence_of_packets_is_translated_as_the_kinds_define(
        mapping in dependence(),
        filtering in dependence(),
        preserved in any::<bool>(),
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let ports = if preserved { PortAllocation::Preserved } else { PortAllocation::Random };
        let mut nat = Nat::new(NatConfig { ports, ..NatConfig::new(mapping, filtering, OUTER) }, 7);
        let mut now = Instant::now();
        // Every packet that went out: when, from, to, and what it looked like.
        let mut sent: Vec<(Instant, SocketAddr, SocketAddr, SocketAddr)> = Vec::new();
        for step in steps {
            match step {
                Step::Wait(seconds) => now += Duration::from_secs(seconds),
                Step::Out(src, dst) => {
                    let outer = nat.outbound(now, src, dst).expect("there are ports");
                    let mut same = sent.iter().filter(|(_, s, d, _)| *s == src && alike(mapping, *d, dst));
                    if let Some((_, _, _, before)) = same.rfind(|(at, ..)| now - *at < NatConfig::LIFETIME) {
                        prop_assert_eq!(*before, outer, "a living mapping is used again");
                    }
                    let strangers = sent.iter().filter(|(at, s, d, o)| {
                        *o == outer && now - *at < NatConfig::LIFETIME && !(*s == src && alike(mapping, *d, dst))
                    });
                    prop_assert_eq!(strangers.count(), 0, "no two mappings share an outer endpoint");
                    sent.push((now, src, dst, outer));
                }
                Step::In(src, which) if !sent.is_empty() => {
                    let outer = sent[which % sent.len()].3;
                    let lives = |at: Instant| now - at < NatConfig::LIFETIME;
                    let inner = sent.iter().rfind(|(at, _, _, o)| *o == outer && lives(*at)).map(|(_, s, ..)| *s);
                    let allowed = inner.filter(|inner| {
                        sent.iter().any(|(at, s, d, _)| s == inner && lives(*at) && alike(filtering, *d, src))
                    });
                    prop_assert_eq!(nat.inbound(now, src, outer), allowed);
                }
                Step::In(..) => {}
            }
        }
    }
}
