//! A cell of the ICE matrix: two people, each behind something, who want to see each other.

use std::{
    thread,
    time::{Duration, Instant},
};

use madang_lab::{
    matrix::{Access, can_be_direct},
    yard::{Home, Yard},
};

use super::{
    Madang,
    client::{Client, Program, Via},
};

/// Which servers they may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Servers {
    /// None but STUN.
    Stun,
    /// TURN too.
    Turn,
}

/// How long two may take that should see each other, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(45);
/// How long those who should not are given, after both are in the room. Those who do see each
/// other need less than half of it.
const ENOUGH: Duration = Duration::from_secs(10);
/// In a second media takes more than this, and checks take less, in bytes.
const MEDIA: f64 = 4000.0;
/// How long a path may take to settle: clients begin with what works first.
const SETTLES: Duration = Duration::from_secs(15);

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) met: bool,
    /// Each one's own word.
    pub(crate) said_relayed: [Option<bool>; 2],
    /// The server's: whether its relays carry media at the end, and all bytes that they carried.
    pub(crate) carried: bool,
    pub(crate) relayed: f64,
    /// From both being in the room to both seeing.
    pub(crate) after: Duration,
}

impl Outcome {
    /// What it is in a table.
    pub(crate) fn word(&self) -> &'static str {
        match (self.met, self.carried) {
            (false, _) => "–",
            (true, false) => "direct",
            (true, true) => "relay",
        }
    }

    /// What is wrong with it, if anything is.
    pub(crate) fn fault(&self, one: Access, other: Access, servers: Servers) -> Option<String> {
        let direct = can_be_direct(one, other);
        let wrong = if servers == Servers::Stun {
            // Without relays there is nothing but what is direct.
            self.met != direct || self.relayed > 0.0
        } else {
            // Who has no relay of their own may see the other's as an address like any.
            let word = self.said_relayed.contains(&Some(true)) == self.carried;
            !self.met || !word || (!direct && !self.carried)
        };
        wrong.then(|| format!("{one} and {other} with {servers:?}: {self:?}"))
    }
}

fn via(access: Access, servers: Servers) -> Via {
    match servers {
        Servers::Stun => Via::Stun,
        Servers::Turn if access.has_udp() => Via::Udp,
        Servers::Turn => Via::Tcp,
    }
}

/// Tries it.
pub(crate) fn meet(
    yard: &mut Yard,
    server: &Madang,
    program: Program,
    (one, other): (Access, Access),
    servers: Servers,
) -> Outcome {
    let homes = [one, other].map(|access| yard.home_with(access).expect("a home"));
    let ways = [via(one, servers), via(other, servers)];
    let expected = servers == Servers::Turn || can_be_direct(one, other);
    try_it(yard, server, program, &homes, ways, expected)
}

/// The same for homes that are there.
pub(crate) fn try_it(
    yard: &Yard,
    server: &Madang,
    program: Program,
    homes: &[Home; 2],
    ways: [Via; 2],
    expected: bool,
) -> Outcome {
    let before = server.relayed(yard.internet());
    let room = format!("lab-{}", homes[0].outer().octets()[3]);
    let start = |place: usize, name| Client::start(program, &homes[place], server, &room, name, ways[place]);
    let clients = [start(0, "One"), start(1, "Two")];
    let within = |most: Duration, done: &dyn Fn() -> bool| {
        let end = Instant::now() + most;
        while !done() && Instant::now() < end {
            thread::sleep(Duration::from_millis(50));
        }
        done()
    };
    let are_in = within(PATIENCE, &|| clients.iter().all(Client::is_in));
    assert!(are_in, "not both came in: {}", clients.each_ref().map(Client::said).concat());
    let began = Instant::now();
    let met = within(if expected { PATIENCE } else { ENOUGH }, &|| clients.iter().all(Client::sees));
    let after = began.elapsed();
    if met != expected {
        eprintln!("{}", clients.each_ref().map(Client::said).concat());
    }
    let said = || clients.each_ref().map(Client::says_relayed);
    let mut carried = false;
    let end = Instant::now() + SETTLES;
    while met && Instant::now() < end {
        let so_far = server.relayed(yard.internet());
        thread::sleep(Duration::from_secs(1));
        carried = server.relayed(yard.internet()) - so_far > MEDIA;
        if carried == said().contains(&Some(true)) {
            break;
        }
    }
    Outcome { met, said_relayed: said(), carried, relayed: server.relayed(yard.internet()) - before, after }
}
