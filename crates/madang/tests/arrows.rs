//! The arrows between the crates: which of them may name which. A crate that is not listed
//! here has no place yet; give it one, in ARCHITECTURE.md too.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// A crate, and the local crates that it may depend on.
const ARROWS: &[(&str, &[&str])] = &[
    ("madang-wire", &[]),
    ("madang-protocol", &[]),
    ("madang-udp", &[]),
    ("madang-turn", &["madang-wire", "madang-protocol"]),
    ("madang-mixer", &[]),
    ("madang-media", &["madang-wire", "madang-protocol", "madang-mixer"]),
    ("madang-room", &["madang-wire", "madang-protocol"]),
    ("madang-codec", &["madang-mixer"]),
    ("madang-client", &["madang-wire", "madang-protocol", "madang-turn", "madang-media"]),
    (
        "madang-server",
        &[
            "madang-wire",
            "madang-protocol",
            "madang-turn",
            "madang-media",
            "madang-room",
            "madang-mixer",
            "madang-codec",
            "madang-client",
            "madang-udp",
        ],
    ),
    (
        "madang",
        &[
            "madang-server",
            "madang-client",
            "madang-codec",
            "madang-media",
            "madang-mixer",
            "madang-protocol",
            "madang-turn",
            "madang-udp",
            "madang-wire",
        ],
    ),
    ("madang-lab", &["madang-wire", "madang-protocol", "madang-turn", "madang-media", "madang-room", "madang-client"]),
];

/// Development only: may be named under `[dev-dependencies]` by anyone, and nowhere else.
const LAB: &str = "madang-lab";

struct Dependency {
    name: String,
    for_development: bool,
}

/// The workspace's crates, each with its dependencies on other crates of the workspace.
fn local_dependencies() -> BTreeMap<String, Vec<Dependency>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");

    let packages = metadata["packages"].as_array().expect("packages");
    let names: BTreeSet<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().expect("dependencies");
            let local = dependencies
                .iter()
                .filter_map(|dependency| {
                    let name = dependency["name"].as_str().filter(|name| names.contains(name))?.to_owned();
                    Some(Dependency { name, for_development: dependency["kind"] == "dev" })
                })
                .collect();
            (package["name"].as_str().expect("a name").to_owned(), local)
        })
        .collect()
}

#[test]
fn every_crate_depends_only_on_those_its_arrows_allow() {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let crates = local_dependencies();
    assert!(crates.contains_key("madang-wire"), "the workspace was not read: {:?}", crates.keys());

    let mut wrong = Vec::new();
    for (name, dependencies) in &crates {
        let Some(arrows) = allowed.get(name.as_str()) else {
            wrong.push(format!("{name} has no place in the arrows"));
            continue;
        };
        for dependency in dependencies {
            let lab_in_development = dependency.for_development && dependency.name == LAB;
            if !lab_in_development && !arrows.contains(&dependency.name.as_str()) {
                wrong.push(format!("{name} must not depend on {}", dependency.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn turn_media_and_room_never_name_each_other() {
    let cores = ["madang-turn", "madang-media", "madang-room"];
    for (name, arrows) in ARROWS {
        if cores.contains(name) {
            let named: Vec<_> = arrows.iter().filter(|arrow| cores.contains(arrow)).collect();
            assert!(named.is_empty(), "{name} names {named:?}");
        }
    }
}

#[test]
fn the_arrows_form_no_circle() {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    for (start, _) in ARROWS {
        let mut reached = BTreeSet::new();
        let mut open: Vec<&str> = allowed[start].to_vec();
        while let Some(name) = open.pop() {
            assert_ne!(name, *start, "{start} reaches itself");
            if reached.insert(name) {
                open.extend(allowed.get(name).copied().unwrap_or_default());
            }
        }
    }
}
