//! The discovery of NAT behaviour, in virtual time: a small model of a server with two addresses
//! (RFC 5780 §6) and of NATs of all kinds (RFC 4787 §4 and §5).
#![allow(clippy::panic, reason = "a test fails where it has to")]

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use madang_turn::discovery::{Behaviour, Config, Discovery, Input, Output, Report, Socket, Unknown};
use madang_wire::stun::{
    CHANGE_REQUEST, ErrorCode, Message, MessageWrite, MessageWriteExt, MessageWriteVec, OTHER_ADDRESS,
    XorMappedAddress, plain_address,
};
use proptest::prelude::*;

const SERVERS: [&str; 2] = ["198.51.100.1", "198.51.100.2"];
const PORTS: [u16; 2] = [3478, 3479];
const DELAY: Duration = Duration::from_millis(20);

fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// What matters of the other end.
type Part = (Option<IpAddr>, Option<u16>);

/// On what of the other end something depends.
fn part(behaviour: Behaviour, other: SocketAddr) -> Part {
    match behaviour {
        Behaviour::AddressDependent => (Some(other.ip()), None),
        Behaviour::AddressAndPortDependent => (Some(other.ip()), Some(other.port())),
        _ => (None, None),
    }
}

/// A NAT, as RFC 4787 describes them.
struct Nat {
    mapping: Behaviour,
    filtering: Behaviour,
    hairpins: bool,
    mapped: HashMap<(SocketAddr, Part), SocketAddr>,
    inner: HashMap<SocketAddr, SocketAddr>,
    /// To whom each outer address has sent.
    contacts: HashSet<(SocketAddr, Part)>,
}

impl Nat {
    fn new(mapping: Behaviour, filtering: Behaviour, hairpins: bool) -> Self {
        let (mapped, inner, contacts) = (HashMap::new(), HashMap::new(), HashSet::new());
        Self { mapping, filtering, hairpins, mapped, inner, contacts }
    }

    fn is_outer(&self, address: SocketAddr) -> bool {
        self.mapping != Behaviour::None && address.ip() == addr("203.0.113.1:0").ip()
    }

    /// What leaves: its new source.
    fn out(&mut self, from: SocketAddr, to: SocketAddr) -> SocketAddr {
        let mapped = match self.mapping {
            Behaviour::None => from,
            mapping => {
                let port = 40_000 + u16::try_from(self.mapped.len()).expect("few");
                *self
                    .mapped
                    .entry((from, part(mapping, to)))
                    .or_insert(SocketAddr::new(addr("203.0.113.1:0").ip(), port))
            }
        };
        self.inner.insert(mapped, from);
        self.contacts.insert((mapped, part(self.filtering, to)));
        mapped
    }

    /// What arrives: to whom inside it goes.
    fn enter(&self, from: SocketAddr, to: SocketAddr) -> Option<SocketAddr> {
        let is_let_in = self.contacts.contains(&(to, part(self.filtering, from)));
        self.inner.get(&to).copied().filter(|_| is_let_in)
    }
}

/// What the server does not do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Server {
    Whole,
    /// It has one address only.
    Single,
    /// It names another one, which is not there.
    Dead,
    /// It answers CHANGE-REQUEST from where it was asked.
    Ignorant,
    /// It refuses CHANGE-REQUEST.
    Refusing,
    /// Nothing gets to it.
    Blocked,
}

struct World {
    server: Server,
    nat: Nat,
    discovery: Discovery,
    now: Instant,
    begin: Instant,
    /// On the way to inside: when, to whom, from whom, what.
    flying: BTreeMap<(Instant, usize), (SocketAddr, SocketAddr, Vec<u8>)>,
    count: usize,
    /// Every so many'th packet is lost; 0 for none.
    loses: usize,
    report: Option<Report>,
}

const LOCAL: [&str; 2] = ["10.0.0.7:5000", "10.0.0.7:5001"];

impl World {
    fn new(server: Server, nat: Nat) -> Self {
        let config = Config {
            server: SocketAddr::new(SERVERS[0].parse().expect("an address"), PORTS[0]),
            local: Some(addr(LOCAL[0])),
            sends: 4,
            seed: [9; 32],
        };
        let begin = Instant::now();
        let discovery = Discovery::new(config);
        let flying = BTreeMap::new();
        Self { server, nat, discovery, now: begin, begin, flying, count: 0, loses: 0, report: None }
    }

    fn run(&mut self) -> Report {
        self.input(Input::Timeout);
        for _ in 0..1000 {
            if let Some(report) = self.report.take() {
                return report;
            }
            let next = self.flying.keys().next().copied();
            let due = self.drain();
            match (next, due) {
                (Some(key), due) if due.is_none_or(|due| key.0 <= due) => {
                    self.now = key.0;
                    let (to, from, data) = self.flying.remove(&key).expect("it flies");
                    let at = if to == addr(LOCAL[0]) { Socket::First } else { Socket::Second };
                    self.input(Input::Packet { at, from, data: &data });
                }
                (_, Some(due)) => {
                    self.now = due;
                    self.input(Input::Timeout);
                }
                (_, None) => panic!("nothing to wait for, and no report"),
            }
        }
        panic!("it does not end")
    }

    fn input(&mut self, input: Input<'_>) {
        self.discovery.handle_input(self.now, input);
        self.drain();
    }

    fn drain(&mut self) -> Option<Instant> {
        loop {
            match self.discovery.poll_output() {
                Output::Timeout(at) => return at,
                Output::Done(report) => self.report = Some(report),
                Output::Transmit { by, to, data } => {
                    let local = addr(LOCAL[usize::from(by == Socket::Second)]);
                    self.transmit(local, to, data);
                }
            }
        }
    }

    fn transmit(&mut self, local: SocketAddr, to: SocketAddr, data: Vec<u8>) {
        self.count += 1;
        let seen = self.nat.out(local, to);
        if self.server == Server::Blocked || (self.loses > 0 && self.count.is_multiple_of(self.loses)) {
            return;
        }
        if self.nat.is_outer(to) {
            if self.nat.hairpins
                && let Some(inner) = self.nat.enter(seen, to)
            {
                self.flying.insert((self.now + DELAY, self.count), (inner, seen, data));
            }
            return;
        }
        if let Some((from, answer)) = self.serve(seen, to, &data)
            && let Some(inner) = self.nat.enter(from, seen)
        {
            self.flying.insert((self.now + DELAY, self.count), (inner, from, answer));
        }
    }

    fn serve(&self, client: SocketAddr, at: SocketAddr, data: &[u8]) -> Option<(SocketAddr, Vec<u8>)> {
        let ip = SERVERS.iter().position(|ip| at.ip().to_string() == *ip)?;
        let port = PORTS.iter().position(|port| at.port() == *port)?;
        if self.server == Server::Dead && (ip, port) != (0, 0) {
            return None;
        }
        let request = Message::from_bytes(data).expect("a request");
        let flags = request.raw_attribute(CHANGE_REQUEST).map_or(0, |raw| raw.value[3]);
        if flags != 0 && self.server == Server::Refusing {
            let mut error = Message::builder_error(&request, MessageWriteVec::new());
            error.add_attribute(&ErrorCode::new(420, "no").expect("a code")).expect("room");
            return Some((at, error.finish()));
        }
        let (mut from_ip, mut from_port) = (ip, port);
        if self.server == Server::Dead && flags != 0 {
            return None;
        }
        if self.server != Server::Ignorant {
            from_ip ^= usize::from(flags & 4 != 0);
            from_port ^= usize::from(flags & 2 != 0);
        }
        let place = |ip: usize, port: usize| SocketAddr::new(SERVERS[ip].parse().expect("an address"), PORTS[port]);
        let mut answer = Message::builder_success(&request, MessageWriteVec::new());
        answer.add_attribute(&XorMappedAddress::new(client, request.transaction_id())).expect("room");
        if self.server != Server::Single {
            answer.add_attribute(&plain_address(OTHER_ADDRESS, place(ip ^ 1, port ^ 1))).expect("room");
        }
        Some((place(from_ip, from_port), answer.finish()))
    }
}

const KINDS: [Behaviour; 3] =
    [Behaviour::EndpointIndependent, Behaviour::AddressDependent, Behaviour::AddressAndPortDependent];

#[test]
fn each_of_the_nine_kinds_of_nat_is_named_as_what_it_is() {
    for mapping in KINDS {
        for filtering in KINDS {
            for hairpins in [false, true] {
                let mut world = World::new(Server::Whole, Nat::new(mapping, filtering, hairpins));
                let report = world.run();
                assert_eq!((report.mapping, report.filtering), (mapping, filtering));
                assert_eq!(report.mapped.map(|mapped| mapped.ip()), Some(addr("203.0.113.1:0").ip()));
                assert_eq!(report.round_trip, Some(DELAY));
                let took = world.now.duration_since(world.begin);
                assert!(took < Duration::from_secs(10), "{mapping} {filtering}: {took:?}");
                if mapping == Behaviour::EndpointIndependent {
                    assert_eq!(report.hairpinning, Some(hairpins), "{filtering}");
                }
            }
        }
    }
}

#[test]
fn without_a_nat_there_is_none_and_a_firewall_still_shows() {
    let mut world = World::new(Server::Whole, Nat::new(Behaviour::None, Behaviour::EndpointIndependent, false));
    let report = world.run();
    assert_eq!((report.mapping, report.filtering), (Behaviour::None, Behaviour::None));
    assert_eq!((report.mapped, report.hairpinning), (Some(addr(LOCAL[0])), None));
    let mut world = World::new(Server::Whole, Nat::new(Behaviour::None, Behaviour::AddressAndPortDependent, false));
    let report = world.run();
    assert_eq!((report.mapping, report.filtering), (Behaviour::None, Behaviour::AddressAndPortDependent));
}

#[test]
fn what_a_server_can_not_help_to_find_out_is_unknown_with_its_reason() {
    let run = |server| {
        let nat = Nat::new(Behaviour::EndpointIndependent, Behaviour::AddressAndPortDependent, false);
        World::new(server, nat).run()
    };
    let unknown = Behaviour::Unknown;
    let single = run(Server::Single);
    assert_eq!(
        (single.mapping, single.filtering),
        (unknown(Unknown::NoOtherAddress), unknown(Unknown::NoOtherAddress))
    );
    assert!(single.mapped.is_some());
    let dead = run(Server::Dead);
    assert_eq!((dead.mapping, dead.filtering), (unknown(Unknown::OtherSilent), unknown(Unknown::OtherSilent)));
    let ignorant = run(Server::Ignorant);
    assert_eq!((ignorant.mapping, ignorant.filtering), (Behaviour::EndpointIndependent, unknown(Unknown::Malformed)));
    assert_eq!(run(Server::Refusing).filtering, unknown(Unknown::Refused(420)));
    let blocked = run(Server::Blocked);
    assert_eq!((blocked.mapped, blocked.mapping), (None, unknown(Unknown::NoAnswer)));
}

#[test]
fn lost_packets_change_nothing() {
    for mapping in KINDS {
        for filtering in KINDS {
            for loses in [3, 5, 7] {
                let mut world = World::new(Server::Whole, Nat::new(mapping, filtering, false));
                world.loses = loses;
                let report = world.run();
                assert_eq!((report.mapping, report.filtering), (mapping, filtering), "one of {loses} lost");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_taken(packets in proptest::collection::vec((any::<bool>(), any::<Vec<u8>>()), 0..20)) {
        let mut world = World::new(Server::Whole, Nat::new(Behaviour::None, Behaviour::None, false));
        world.input(Input::Timeout);
        let from = addr("198.51.100.1:3478");
        for (second, data) in &packets {
            let at = if *second { Socket::Second } else { Socket::First };
            world.input(Input::Packet { at, from, data });
        }
        prop_assert!(world.report.is_none());
    }
}
