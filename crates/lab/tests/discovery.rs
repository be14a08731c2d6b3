//! From behind each kind of NAT, in network namespaces, other people's clients find out which it
//! is: with our server, and with coturn's as a cross-check.
#![cfg(target_os = "linux")]

mod lab;

use std::time::Duration;

use lab::{Madang, coturn::Coturn};
use madang_lab::{
    LinkConfig,
    nat::{Dependence, NatConfig},
    yard::{Home, Layer, Masquerade, Yard, finish, skip},
};
use serde_json::Value;

const MOST: Duration = Duration::from_secs(60);

/// What `turnutils_natdiscovery` prints.
fn words(what: &str, kind: Dependence) -> String {
    let kind = match kind {
        Dependence::EndpointIndependent => "Endpoint Independent",
        Dependence::AddressDependent => "Address Dependent",
        Dependence::AddressAndPortDependent => "Address and Port Dependent",
    };
    format!("NAT with {kind} {what}!")
}

/// Asks from a home: mapping first, then filtering.
fn discover(home: &Home, server: &str) -> Vec<String> {
    let mut command = home.host().command("turnutils_natdiscovery");
    let done = finish(command.args(["-m", "-f", server]), MOST).expect("it starts");
    done.stdout.lines().map(str::trim).filter(|line| line.starts_with("NAT with")).map(str::to_owned).collect()
}

/// A home behind each of the nine kinds, all at once, each with what should be found there.
fn nine(yard: &mut Yard) -> Vec<(Home, Vec<String>)> {
    let mut homes = Vec::new();
    for mapping in Dependence::ALL {
        for filtering in Dependence::ALL {
            let nat = NatConfig::new(mapping, filtering, [0, 0, 0, 0]);
            let home = yard.home(&[Layer::Lab(nat, LinkConfig::default())]).expect("a home");
            homes.push((home, vec![words("Mapping", mapping), words("Filtering", filtering)]));
        }
    }
    homes
}

fn everyone_finds_out(homes: &[(Home, Vec<String>)], discover: impl Fn(&Home) -> Vec<String> + Sync) {
    let discover = &discover;
    std::thread::scope(|scope| {
        let asking: Vec<_> =
            homes.iter().map(|(home, expected)| (scope.spawn(move || discover(home)), expected)).collect();
        for (asking, expected) in asking {
            assert_eq!(&asking.join().expect("no panic"), expected);
        }
    });
}

#[test]
fn natdiscovery_finds_each_of_the_nine_kinds_with_coturns_server() {
    let Some(mut yard) = lab::yard(&["turnutils_natdiscovery", "turnserver"]) else { return };
    let server = Coturn::start(yard.internet());
    let homes = nine(&mut yard);
    everyone_finds_out(&homes, |home| discover(home, &server.address.ip().to_string()));
}

#[test]
fn natdiscovery_finds_each_of_the_nine_kinds_with_our_server() {
    let Some(mut yard) = lab::yard(&["turnutils_natdiscovery", "turnserver"]) else { return };
    let server = Madang::start(&yard);
    let homes = nine(&mut yard);
    everyone_finds_out(&homes, |home| discover(home, &server.turn.ip().to_string()));
}

#[test]
fn natdiscovery_finds_what_the_kernels_own_nat_is_like() {
    let Some(mut yard) = lab::yard(&["turnutils_natdiscovery", "turnserver", "nft"]) else { return };
    let server = Coturn::start(yard.internet());
    let strict = Dependence::AddressAndPortDependent;
    let kinds = [
        (Masquerade::Preserving, Dependence::EndpointIndependent),
        (Masquerade::FullyRandom, Dependence::AddressAndPortDependent),
    ];
    let homes: Vec<_> = kinds
        .into_iter()
        .map(|(kind, mapping)| {
            let home = yard.home(&[Layer::Kernel(kind)]).expect("a home");
            (home, vec![words("Mapping", mapping), words("Filtering", strict)])
        })
        .collect();
    everyone_finds_out(&homes, |home| discover(home, &server.address.ip().to_string()));
}

/// What `madang diagnose` says of mapping and filtering, in the words of [`words`].
fn diagnose(home: &Home, server: &Madang) -> Vec<String> {
    let mut command = home.host().command(lab::program());
    let done =
        finish(command.args(["diagnose", &format!("http://{}", server.http), "--json"]), MOST).expect("it starts");
    let said: Value = serde_json::from_str(&done.stdout).unwrap_or_default();
    let kind = |field: &str| said["nat"][field].as_str().and_then(|text| text.parse::<Dependence>().ok());
    match (kind("mapping"), kind("filtering")) {
        (Some(mapping), Some(filtering)) => vec![words("Mapping", mapping), words("Filtering", filtering)],
        _ => vec![format!("{done:?}")],
    }
}

#[test]
fn madang_diagnose_finds_each_of_the_nine_kinds() {
    if !lab::knows("diagnose", "--json") {
        return skip("this madang has no diagnose");
    }
    let Some(mut yard) = lab::yard(&[]) else { return };
    let server = Madang::start(&yard);
    let homes = nine(&mut yard);
    everyone_finds_out(&homes, |home| diagnose(home, &server));
}
