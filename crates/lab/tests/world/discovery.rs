//! The algorithms of RFC 5780 §4.3 and §4.4 find out what was built.

use std::net::{Ipv4Addr, SocketAddr};

use madang_lab::{
    Node,
    nat::{Dependence, NatConfig},
};
use proptest::prelude::*;

use super::endpoint::{LINK, Stage, server};

const OUTER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);

/// RFC 5780 §4.3.
fn mapping(stage: &mut Stage, host: Node, own: SocketAddr) -> Option<Dependence> {
    let first = stage.ask(host, own, server(0, 0), (false, false))?;
    if stage.ask(host, own, server(1, 0), (false, false))? == first {
        return Some(Dependence::EndpointIndependent);
    }
    let second = stage.ask(host, own, server(1, 0), (false, false))?;
    Some(match stage.ask(host, own, server(1, 1), (false, false))? == second {
        true => Dependence::AddressDependent,
        false => Dependence::AddressAndPortDependent,
    })
}

/// RFC 5780 §4.4.
fn filtering(stage: &mut Stage, host: Node, own: SocketAddr) -> Option<Dependence> {
    stage.ask(host, own, server(0, 0), (false, false))?;
    Some(if stage.ask(host, own, server(0, 0), (true, true)).is_some() {
        Dependence::EndpointIndependent
    } else if stage.ask(host, own, server(0, 0), (false, true)).is_some() {
        Dependence::AddressDependent
    } else {
        Dependence::AddressAndPortDependent
    })
}

fn found(layers: &[(Dependence, Dependence)], seed: u64) -> Option<(Dependence, Dependence)> {
    let mut stage = Stage::new(seed);
    let mut above = Node::INTERNET;
    for (layer, (mapping, filtering)) in layers.iter().enumerate() {
        // Behind the outermost one comes a carrier's own network.
        let outer = if layer == 0 { OUTER } else { Ipv4Addr::new(100, 64, layer as u8, 1) };
        above = stage.world.nat(above, NatConfig::new(*mapping, *filtering, outer), LINK, LINK);
    }
    let host = stage.host(above, [192, 168, 0, 2]);
    let own = |port| SocketAddr::from(([192, 168, 0, 2], port));
    Some((mapping(&mut stage, host, own(5000))?, filtering(&mut stage, host, own(5001))?))
}

#[test]
fn each_of_the_nine_kinds_is_found_out() {
    for mapping in Dependence::ALL {
        for filtering in Dependence::ALL {
            assert_eq!(found(&[(mapping, filtering)], 1), Some((mapping, filtering)));
        }
    }
}

#[test]
fn behind_udp_that_is_blocked_nothing_is_found_out() {
    let mut stage = Stage::new(1);
    let config = madang_lab::nat::NatKind::UdpBlocked.config(OUTER);
    let nat = stage.world.nat(Node::INTERNET, config, LINK, LINK);
    let host = stage.host(nat, [192, 168, 0, 2]);
    assert_eq!(mapping(&mut stage, host, "192.168.0.2:5000".parse().expect("an address")), None);
}

proptest! {
    /// A chain is as strict as its strictest part.
    #[test]
    fn two_nats_look_like_the_stricter_of_each_kind(
        outer in prop::sample::select(Dependence::ALL.to_vec()),
        outer_filter in prop::sample::select(Dependence::ALL.to_vec()),
        inner in prop::sample::select(Dependence::ALL.to_vec()),
        inner_filter in prop::sample::select(Dependence::ALL.to_vec()),
        seed in any::<u64>(),
    ) {
        let seen = found(&[(outer, outer_filter), (inner, inner_filter)], seed);
        prop_assert_eq!(seen, Some((outer.max(inner), outer_filter.max(inner_filter))));
    }
}
