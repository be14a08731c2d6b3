//! The same behind the kernel's own NAT, which this crate's NATs are a model of.
#![cfg(target_os = "linux")]

mod lab;

use lab::{
    Madang,
    cell::try_it,
    client::{Program, Via},
};
use madang_lab::{
    LinkConfig,
    nat::NatKind,
    yard::{Layer, Masquerade},
};

/// Whether two aiortc clients meet without a relay, behind such routers.
fn meet(layers: [Layer; 2], expected: bool) -> Option<bool> {
    let python = lab::python().display().to_string();
    let mut yard = lab::yard(&["nft", &python])?;
    let server = Madang::start(&yard);
    let homes = layers.map(|layer| yard.home(&[layer]).expect("a home"));
    let outcome = try_it(&yard, &server, Program::Aiortc, &homes, [Via::Stun; 2], expected);
    println!("{outcome:?}");
    Some(outcome.met)
}

const PRESERVING: Layer = Layer::Kernel(Masquerade::Preserving);
const RANDOM: Layer = Layer::Kernel(Masquerade::FullyRandom);

#[test]
fn holes_are_punched_through_two_masquerading_routers_that_preserve_ports() {
    assert_ne!(meet([PRESERVING, PRESERVING], true), Some(false));
}

#[test]
fn no_hole_is_punched_where_one_of_them_takes_random_ports() {
    assert_ne!(meet([PRESERVING, RANDOM], false), Some(true));
}

#[test]
fn a_router_that_takes_random_ports_meets_an_address_restricted_one() {
    let restricted = Layer::Lab(NatKind::AddressRestricted.config([0, 0, 0, 0].into()), LinkConfig::default());
    assert_ne!(meet([RANDOM, restricted], true), Some(false));
}
