//! NAT behaviour discovery: RFC 5780.

mod world;

use std::net::{IpAddr, SocketAddr};

use madang_turn::{Address, Alternates, Config};
use madang_wire::{
    FiveTuple, Transport,
    stun::{
        AttributeWrite, BINDING, CHANGE_REQUEST, Fingerprint, Message, MessageClass, MessageType, MessageWrite,
        MessageWriteExt, MessageWriteVec, OTHER_ADDRESS, PADDING, RESPONSE_ORIGIN, RESPONSE_PORT, RawAttribute,
        UnknownAttributes, XorMappedAddress, read_plain_address,
    },
};
use world::{Answer, World, addr, config};

const CLIENT: &str = "192.0.2.1:1000";

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn alternates() -> Vec<Alternates> {
    let natted = Address { local: ip("10.0.0.2"), public: ip("198.51.100.2") };
    vec![
        Alternates { addresses: [ip("198.51.100.1").into(), natted], ports: [3478, 3479] },
        Alternates { addresses: [ip("2001:db8::1").into(), ip("2001:db8::2").into()], ports: [3478, 3479] },
    ]
}

fn with_alternates() -> World {
    World::with(Config { alternates: alternates(), ..config() })
}

fn udp(client: &str, server: &str) -> FiveTuple {
    FiveTuple { client: addr(client), server: addr(server), transport: Transport::Udp }
}

fn binding(attributes: &[&dyn AttributeWrite]) -> Vec<u8> {
    let kind = MessageType::from_class_method(MessageClass::Request, BINDING);
    let mut message = Message::builder(kind, 5.into(), MessageWriteVec::new());
    attributes.iter().for_each(|attribute| message.add_attribute(*attribute).expect("room"));
    message.finish()
}

fn change(address: bool, port: bool) -> RawAttribute<'static> {
    let flags = u8::from(address) << 2 | u8::from(port) << 1;
    RawAttribute::new(CHANGE_REQUEST, &[0, 0, 0, flags]).into_owned()
}

/// The one answer, and the way that it takes.
fn ask(world: &mut World, from: FiveTuple, request: &[u8]) -> (FiveTuple, Answer) {
    world.send(from, request);
    assert_eq!(world.to_clients.len(), 1);
    let (way, bytes) = world.to_clients.remove(0);
    (way, Answer(bytes))
}

fn address(answer: &Answer, kind: madang_wire::stun::AttributeType) -> Option<SocketAddr> {
    answer.message().raw_attribute(kind).map(|raw| read_plain_address(&raw).expect("an address"))
}

#[test]
fn an_answer_comes_from_where_it_is_asked_to() {
    let mut world = with_alternates();
    for (ask_address, ask_port, from, origin) in [
        (false, false, "198.51.100.1:3478", "198.51.100.1:3478"),
        (false, true, "198.51.100.1:3479", "198.51.100.1:3479"),
        (true, false, "10.0.0.2:3478", "198.51.100.2:3478"),
        (true, true, "10.0.0.2:3479", "198.51.100.2:3479"),
    ] {
        let to = udp(CLIENT, "198.51.100.1:3478");
        let (way, answer) = ask(&mut world, to, &binding(&[&change(ask_address, ask_port)]));
        assert_eq!(way, udp(CLIENT, from));
        assert_eq!(address(&answer, RESPONSE_ORIGIN), Some(addr(origin)));
        assert_eq!(address(&answer, OTHER_ADDRESS), Some(addr("198.51.100.2:3479")), "as seen from where it came to");
        let mapped = answer.message().attribute::<XorMappedAddress>().expect("an address").addr(5.into());
        assert_eq!(mapped, addr(CLIENT));
    }
    let (way, answer) = ask(&mut world, udp(CLIENT, "10.0.0.2:3479"), &binding(&[&change(true, false)]));
    assert_eq!(way, udp(CLIENT, "198.51.100.1:3479"));
    // Clients in use take it for the second address, wherever they have come to.
    assert_eq!(address(&answer, OTHER_ADDRESS), Some(addr("198.51.100.2:3478")));
}

#[test]
fn answers_stay_within_a_hundred_bytes_with_ipv6_and_a_fingerprint() {
    let mut world = with_alternates();
    let kind = MessageType::from_class_method(MessageClass::Request, BINDING);
    let mut message = Message::builder(kind, 5.into(), MessageWriteVec::new());
    message.add_fingerprint().expect("room");
    let from = udp("[2001:db8:7::1]:1000", "[2001:db8::1]:3478");
    let (_, answer) = ask(&mut world, from, &message.finish());
    assert!(address(&answer, OTHER_ADDRESS).is_some());
    assert!(answer.message().attribute::<Fingerprint>().is_ok(), "the request had one");
    assert!(answer.0.len() <= 100, "{} bytes", answer.0.len());
}

#[test]
fn without_alternates_nothing_of_it_is_known() {
    let unknown = |world: &mut World, from: FiveTuple, attribute: &RawAttribute<'_>| {
        let (way, answer) = ask(world, from, &binding(&[attribute]));
        assert_eq!((way, answer.code()), (from, 420));
        let list = answer.message().attribute::<UnknownAttributes>().map(|list| format!("{list:?}"));
        assert!(list.is_ok());
    };
    let (mut plain, mut with) = (World::new(), with_alternates());
    let tcp = FiveTuple { transport: Transport::Tcp, ..udp(CLIENT, "198.51.100.1:3478") };
    unknown(&mut plain, udp(CLIENT, "198.51.100.1:3478"), &change(true, true));
    unknown(&mut with, udp(CLIENT, "198.51.100.1:5349"), &change(true, true));
    unknown(&mut with, tcp, &change(true, true));
    for kind in [RESPONSE_PORT, PADDING] {
        unknown(&mut with, udp(CLIENT, "198.51.100.1:3478"), &RawAttribute::new(kind, &[3, 232, 0, 0]));
    }
    let (_, answer) = ask(&mut plain, udp(CLIENT, "198.51.100.1:3478"), &binding(&[]));
    assert_eq!((address(&answer, RESPONSE_ORIGIN), address(&answer, OTHER_ADDRESS)), (None, None));
    let (_, answer) = ask(&mut with, tcp, &binding(&[]));
    assert_eq!((address(&answer, RESPONSE_ORIGIN), address(&answer, OTHER_ADDRESS)), (None, None));
}

#[test]
fn response_port_and_padding_work_where_they_are_switched_on() {
    let on = Config { alternates: alternates(), response_port_and_padding: true, ..config() };
    let mut world = World::with(on);
    let from = udp(CLIENT, "198.51.100.1:3478");
    let port = RawAttribute::new(RESPONSE_PORT, &[7, 208, 0, 0]);
    let (way, _) = ask(&mut world, from, &binding(&[&port]));
    assert_eq!(way, udp("192.0.2.1:2000", "198.51.100.1:3478"));
    let padding = RawAttribute::new(PADDING, &[0; 1500]);
    let request = binding(&[&padding]);
    let (_, answer) = ask(&mut world, from, &request);
    assert_eq!(answer.message().raw_attribute(PADDING).expect("padding").value.len(), 1500);
    assert!(answer.0.len() <= request.len() + 60, "no more than was sent, and addresses");
    assert_eq!(ask(&mut world, from, &binding(&[&padding, &port])).1.code(), 400);
    assert_eq!(ask(&mut world, from, &binding(&[&RawAttribute::new(CHANGE_REQUEST, &[6])])).1.code(), 400);
}

#[test]
fn changed_answers_count_for_the_rate_limit_too() {
    let mut world = with_alternates();
    let request = binding(&[&change(true, true)]);
    let from = udp(CLIENT, "198.51.100.1:3478");
    (0..1000).for_each(|_| drop(world.send(from, &request)));
    assert_eq!(world.server.counters().rate_limited, 600);
}
