//! Who is let in, and what strangers get: RFC 8489 §9.2.

mod world;

use madang_turn::{Config, Limits, Rate};
use madang_wire::stun::{
    ALLOCATE, BINDING, IntegrityAlgorithm, Message, MessageClass, MessageType, MessageWrite, MessageWriteExt,
    MessageWriteVec, Nonce, PasswordAlgorithms, Realm, RequestedTransport, XorMappedAddress,
};
use world::{Answer, Client, REALM, UNIX, World, addr, config};

fn binding() -> Vec<u8> {
    let kind = MessageType::from_class_method(MessageClass::Request, BINDING);
    Message::builder(kind, 5.into(), MessageWriteVec::new()).finish()
}

#[test]
fn binding_tells_anybody_their_address_in_a_hundred_bytes() {
    let mut world = World::new();
    for client in ["192.0.2.1:1000", "[2001:db8::2]:1000"] {
        let client = Client::alice(client).tuple;
        let answer = Answer(world.send(client, &binding()).remove(0));
        let message = answer.message();
        let mapped = message.attribute::<XorMappedAddress>().expect("an address").addr(5.into());
        assert_eq!(mapped, client.client);
        assert!(answer.0.len() <= 100, "{} bytes", answer.0.len());
    }
}

#[test]
fn a_stranger_gets_a_challenge_of_at_most_160_bytes() {
    for realm in ["madang", &"r".repeat(64)] {
        let mut world = World::with(Config { realm: realm.into(), ..config() });
        let answer = Client::alice("[2001:db8::2]:1000").challenge(&mut world);
        assert_eq!(answer.code(), 401);
        assert!(answer.0.len() <= 160, "{} bytes", answer.0.len());
        let message = answer.message();
        assert_eq!(message.attribute::<Realm>().expect("a realm").realm(), realm);
        assert!(message.attribute::<Nonce>().expect("a nonce").nonce().starts_with("obMatJos2"));
        assert_eq!(message.attribute::<PasswordAlgorithms>().expect("a list").algorithms().len(), 2);
    }
}

#[test]
fn a_wrong_password_an_unknown_user_and_an_expired_one_get_401() {
    let mut world = World::new();
    let (expired, word) = madang_turn::mint("secret", "eve", UNIX);
    let (forged, _) = madang_turn::mint("secret", "eve", UNIX + 60);
    let (foreign, foreign_word) = madang_turn::mint("not ours", "eve", UNIX + 60);
    for (user, password) in
        [("alice", "guess"), ("mallory", "x"), (&*expired, &*word), (&*forged, &*word), (&*foreign, &*foreign_word)]
    {
        let answer = Client::new("192.0.2.1:1000", user, password).allocate(&mut world);
        assert_eq!(answer.code(), 401, "{user}");
        assert!(answer.0.len() <= 160);
    }
}

#[test]
fn time_limited_credentials_of_every_secret_are_good() {
    let mut world = World::new();
    for (port, secret) in [(1, "old secret"), (2, "secret")] {
        let (user, password) = madang_turn::mint(secret, "eve", UNIX + 60);
        assert_eq!(Client::new(&format!("192.0.2.1:{port}"), &user, &password).allocate(&mut world).code(), 0);
    }
}

#[test]
fn a_call_outlives_the_credential_it_began_with() {
    let mut world = World::new();
    let (user, password) = madang_turn::mint("secret", "eve", UNIX + 60);
    let mut eve = Client::new("192.0.2.1:1000", &user, &password);
    eve.allocate(&mut world);
    world.pass(100);
    assert_eq!(eve.refresh(&mut world, 600).code(), 0);
    assert_eq!(Client::new("192.0.2.1:1001", &user, &password).allocate(&mut world).code(), 401);
}

#[test]
fn the_wall_clock_can_be_set() {
    let mut world = World::new();
    let (user, password) = madang_turn::mint("secret", "eve", UNIX + 60);
    world.input(madang_turn::Input::Clock { unix_seconds: UNIX + 61 });
    assert_eq!(Client::new("192.0.2.1:1000", &user, &password).allocate(&mut world).code(), 401);
}

#[test]
fn a_stale_nonce_gets_438_and_a_fresh_one() {
    let mut world = World::new();
    let mut alice = Client::alice("192.0.2.1:1000");
    alice.allocate(&mut world);
    world.pass(500);
    alice.refresh(&mut world, 600);
    world.pass(101);
    let stale = alice.refresh(&mut world, 600);
    assert_eq!(stale.code(), 438);
    assert!(stale.0.len() <= 160);
    alice.nonce = stale.message().attribute::<Nonce>().expect("a fresh one").nonce().into();
    assert_eq!(alice.refresh(&mut world, 600).code(), 0);
}

#[test]
fn a_nonce_of_another_client_is_stale() {
    let mut world = World::new();
    let mut alice = Client::alice("192.0.2.1:1000");
    alice.challenge(&mut world);
    alice.tuple.client = addr("192.0.2.2:1000");
    assert_eq!(alice.allocate(&mut world).code(), 438);
}

#[test]
fn integrity_without_the_rest_gets_400() {
    let mut world = World::new();
    let alice = Client::alice("192.0.2.1:1000");
    let kind = MessageType::from_class_method(MessageClass::Request, ALLOCATE);
    let mut message = Message::builder(kind, 5.into(), MessageWriteVec::new());
    message.add_message_integrity_with_key(&alice.key(), IntegrityAlgorithm::Sha1).expect("room");
    assert_eq!(Answer(world.send(alice.tuple, &message.finish()).remove(0)).code(), 400);
}

#[test]
fn sha_256_is_used_by_those_who_choose_it() {
    let mut world = World::new();
    let mut alice = Client::alice("192.0.2.1:1000");
    alice.algorithm = IntegrityAlgorithm::Sha256;
    assert_eq!(alice.allocate(&mut world).code(), 0);
    assert_eq!(alice.refresh(&mut world, 600).code(), 0);
}

#[test]
fn a_changed_list_of_algorithms_gets_400() {
    let mut world = World::new();
    let mut alice = Client::alice("192.0.2.1:1000");
    alice.challenge(&mut world);
    let weakened = PasswordAlgorithms::new(&[madang_wire::stun::PasswordAlgorithmValue::MD5]);
    let chosen = madang_wire::stun::PasswordAlgorithm::new(madang_wire::stun::PasswordAlgorithmValue::MD5);
    let udp = RequestedTransport::new(17);
    assert_eq!(alice.ask(&mut world, ALLOCATE, &[&udp, &weakened, &chosen]).code(), 400);
}

#[test]
fn a_tampered_request_gets_401() {
    let mut world = World::new();
    let mut alice = Client::alice("192.0.2.1:1000");
    alice.challenge(&mut world);
    let mut request = alice.request(ALLOCATE, 5.into(), &[&RequestedTransport::new(17)]);
    request[27] ^= 1;
    assert_eq!(Answer(world.send(alice.tuple, &request).remove(0)).code(), 401);
}

#[test]
fn strangers_are_answered_at_a_limited_rate() {
    let limits = Limits { unauthenticated: Rate { per_second: 1.0, burst: 10.0 }, ..Limits::default() };
    let mut world = World::with(Config { limits, ..config() });
    let alice = Client::alice("192.0.2.1:1000");
    let kind = MessageType::from_class_method(MessageClass::Request, ALLOCATE);
    let allocate = Message::builder(kind, 5.into(), MessageWriteVec::new()).finish();
    let answers: usize =
        (0..10).map(|_| world.send(alice.tuple, &binding()).len() + world.send(alice.tuple, &allocate).len()).sum();
    assert_eq!(answers, 10);
    assert_eq!(world.server.counters().rate_limited, 10);
    world.pass(2);
    assert_eq!(world.send(alice.tuple, &binding()).len(), 1);
    assert_eq!(world.send(Client::alice("192.0.3.1:1").tuple, &binding()).len(), 1, "another network");
}

#[test]
fn the_realm_is_the_servers_own() {
    let mut world = World::with(Config { realm: "elsewhere".into(), ..config() });
    assert_ne!(REALM, "elsewhere");
    assert_eq!(Client::alice("192.0.2.1:1000").allocate(&mut world).code(), 401, "keyed with another realm");
}
