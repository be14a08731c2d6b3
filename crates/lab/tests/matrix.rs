//! The ICE matrix: two people behind every pair of NATs, in network namespaces, with real clients
//! and a real server. Who can be direct is, and with TURN everybody sees everybody; whether a
//! relay carried it is the server's word.
//!
//! A subset of it runs always, all of it with `NATLAB_FULL=1`, which writes
//! `target/natlab/ice-*.md`.
#![cfg(target_os = "linux")]

mod lab;

use std::{
    fmt::Write,
    sync::{Mutex, PoisonError},
};

use lab::{
    Madang,
    cell::{Outcome, Servers, meet},
    client::Program,
};
use madang_lab::{
    matrix::{Access, pairs},
    nat::NatKind,
    yard::{Yard, skip},
};

const FULL: Access = Access::Behind(NatKind::FullCone);
const ADDRESS: Access = Access::Behind(NatKind::AddressRestricted);
const PORT: Access = Access::Behind(NatKind::PortRestricted);
const SYMMETRIC: Access = Access::Behind(NatKind::Symmetric);
const BLOCKED: Access = Access::Behind(NatKind::UdpBlocked);

type Cell = ((Access, Access), Servers);

/// One cell for each thing that can be different.
const SMOKE: [Cell; 7] = [
    ((PORT, PORT), Servers::Stun),
    ((ADDRESS, SYMMETRIC), Servers::Stun),
    ((PORT, SYMMETRIC), Servers::Stun),
    ((FULL, Access::Double), Servers::Stun),
    ((PORT, Access::Double), Servers::Turn),
    ((SYMMETRIC, SYMMETRIC), Servers::Turn),
    ((FULL, BLOCKED), Servers::Turn),
];

/// How many cells are tried at once, each lane with an internet and a server of its own, so that
/// the server's bytes are those of one cell.
const LANES: usize = 2;

fn wanted() -> Vec<Cell> {
    if std::env::var("NATLAB_FULL").is_ok_and(|value| value == "1") {
        let both = |servers| pairs().into_iter().map(move |pair| (pair, servers));
        both(Servers::Stun).chain(both(Servers::Turn)).collect()
    } else {
        SMOKE.to_vec()
    }
}

/// Tries the cells that are wanted; `None` where that can't be done here.
fn run(program: Program) -> Option<Vec<(Cell, Outcome)>> {
    let needs = program.needs();
    let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
    let yards: Option<Vec<Yard>> = (0..LANES).map(|_| lab::yard(&needs)).collect();
    let (yards, cells) = (yards?, wanted());
    let (next, outcomes) = (Mutex::new(cells.iter().copied()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for mut yard in yards {
            let (next, outcomes) = (&next, &outcomes);
            scope.spawn(move || {
                let server = Madang::start(&yard);
                let take = || next.lock().unwrap_or_else(PoisonError::into_inner).next();
                while let Some((pair, servers)) = take() {
                    let outcome = meet(&mut yard, &server, program, pair, servers);
                    println!("{program}, {servers:?}: {} and {}: {outcome:?}", pair.0, pair.1);
                    outcomes.lock().unwrap_or_else(PoisonError::into_inner).push(((pair, servers), outcome));
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(outcomes.len(), cells.len(), "every cell was tried");
    Some(outcomes)
}

fn everyone_meets_as_expected(program: Program) {
    let Some(outcomes) = run(program) else { return };
    let folder = lab::root().join("target/natlab");
    std::fs::create_dir_all(&folder).expect("a folder");
    let name = format!("ice-{}.md", program.to_string().replace(' ', "-"));
    std::fs::write(folder.join(name), table(&outcomes)).expect("a file");
    let faults: Vec<String> = outcomes
        .iter()
        .filter_map(|(((one, other), servers), outcome)| outcome.fault(*one, *other, *servers))
        .collect();
    assert!(faults.is_empty(), "{} of {} cells:\n{}", faults.len(), outcomes.len(), faults.join("\n"));
}

/// In each place: what came of it with STUN alone, and with TURN.
fn table(outcomes: &[(Cell, Outcome)]) -> String {
    let mut text = String::from("| STUN alone / with TURN |");
    for access in Access::ALL {
        let _ = write!(text, " {access} |");
    }
    text += "\n| --- |";
    text += &" --- |".repeat(Access::ALL.len());
    for (row, one) in Access::ALL.iter().enumerate() {
        let _ = write!(text, "\n| {one} |");
        for (column, other) in Access::ALL.iter().enumerate() {
            let pair = if row <= column { (*one, *other) } else { (*other, *one) };
            let word = |servers| {
                let found = outcomes.iter().find(|(cell, _)| *cell == (pair, servers));
                found.map_or("", |(_, outcome)| outcome.word())
            };
            let _ = write!(text, " {} / {} |", word(Servers::Stun), word(Servers::Turn));
        }
    }
    text + "\n"
}

#[test]
fn two_aiortc_clients_meet_wherever_they_can_and_by_the_relay_everywhere() {
    everyone_meets_as_expected(Program::Aiortc);
}

#[test]
fn two_native_participants_meet_wherever_they_can_and_by_the_relay_everywhere() {
    if !lab::knows("join", "--ice") {
        return skip("this madang's join has no links between participants");
    }
    everyone_meets_as_expected(Program::Join);
}
