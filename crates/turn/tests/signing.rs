//! Names, keys and signatures in every combination that RFC 8489 §9.2 allows.

mod world;

use aws_lc_rs::{digest, hmac};
use madang_turn::{Config, Credentials, Input, Reload};
use madang_wire::stun::{
    ALLOCATE, AttributeStaticType, AttributeWrite, Fingerprint, Message, MessageClass, MessageIntegrity,
    MessageIntegritySha256, MessageType, MessageWrite, MessageWriteExt, MessageWriteVec, Nonce, PasswordAlgorithm,
    PasswordAlgorithmValue, PasswordAlgorithms, RawAttribute, Realm, RequestedTransport, Software, Userhash, Username,
};
use md5::Digest;
use world::{Answer, Client, REALM, World, config};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Hash {
    Sha1,
    Sha256,
}

/// How a request is made; written apart from the server's own code.
struct Recipe {
    userhash: bool,
    algorithm: Option<PasswordAlgorithmValue>,
    signed: Vec<Hash>,
    fingerprint: bool,
}

const PLAIN: Recipe = Recipe { userhash: false, algorithm: None, signed: Vec::new(), fingerprint: false };

fn key(client: &Client, algorithm: Option<PasswordAlgorithmValue>) -> Vec<u8> {
    let text = format!("{}:{REALM}:{}", client.username, client.password);
    match algorithm {
        Some(PasswordAlgorithmValue::SHA256) => digest::digest(&digest::SHA256, text.as_bytes()).as_ref().to_vec(),
        _ => md5::Md5::digest(text).to_vec(),
    }
}

fn tag(hash: Hash, key: &[u8], bytes: &[u8]) -> Vec<u8> {
    let algorithm = if hash == Hash::Sha1 { hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY } else { hmac::HMAC_SHA256 };
    hmac::sign(&hmac::Key::new(algorithm, key), bytes).as_ref().to_vec()
}

fn sign(message: &mut Vec<u8>, hash: Hash, key: &[u8]) {
    let (kind, length) = match hash {
        Hash::Sha1 => (MessageIntegrity::TYPE, 20),
        Hash::Sha256 => (MessageIntegritySha256::TYPE, 32),
    };
    let total = u16::try_from(message.len() - 20 + 4 + length).expect("short");
    message[2..4].copy_from_slice(&total.to_be_bytes());
    let tag = tag(hash, key, message);
    message.extend_from_slice(&RawAttribute::new(kind, &tag).to_bytes());
}

fn request(client: &Client, recipe: &Recipe) -> Vec<u8> {
    let kind = MessageType::from_class_method(MessageClass::Request, ALLOCATE);
    let mut message = Message::builder(kind, 70.into(), MessageWriteVec::new());
    let name: &dyn AttributeWrite = match recipe.userhash {
        true => &Userhash::new(Userhash::compute(&client.username, REALM)),
        false => &Username::new(&client.username).expect("short"),
    };
    message.add_attribute(&RequestedTransport::new(17)).expect("room");
    message.add_attribute(name).expect("room");
    message.add_attribute(&Realm::new(REALM).expect("short")).expect("room");
    message.add_attribute(&Nonce::new(&client.nonce).expect("short")).expect("room");
    if let Some(algorithm) = recipe.algorithm {
        let offered = [PasswordAlgorithmValue::SHA256, PasswordAlgorithmValue::MD5];
        message.add_attribute(&PasswordAlgorithms::new(&offered)).expect("room");
        message.add_attribute(&PasswordAlgorithm::new(algorithm)).expect("room");
    }
    let mut bytes = message.finish();
    recipe.signed.iter().for_each(|hash| sign(&mut bytes, *hash, &key(client, recipe.algorithm)));
    if recipe.fingerprint {
        let total = u16::try_from(bytes.len() - 20 + 8).expect("short");
        bytes[2..4].copy_from_slice(&total.to_be_bytes());
        let fingerprint = Fingerprint::new(Fingerprint::compute(&[&bytes]));
        bytes.extend_from_slice(&fingerprint.to_raw().to_bytes());
    }
    bytes
}

/// Asks, and says by what the answer is signed, if it is right.
fn ask(world: &mut World, client: &Client, recipe: &Recipe) -> (u16, Option<Hash>) {
    let answer = Answer(world.send(client.tuple, &request(client, recipe)).remove(0));
    let message = answer.message();
    let signed = [(Hash::Sha1, MessageIntegrity::TYPE), (Hash::Sha256, MessageIntegritySha256::TYPE)];
    let hash = signed.into_iter().find(|(_, kind)| message.has_attribute(*kind)).map(|(hash, kind)| {
        let (offset, value) = message.raw_attribute_and_offset(kind).expect("found");
        let mut before = answer.0[..offset].to_vec();
        let total = u16::try_from(offset - 20 + 4 + value.value.len()).expect("short");
        before[2..4].copy_from_slice(&total.to_be_bytes());
        assert_eq!(&value.value[..], &tag(hash, &key(client, recipe.algorithm), &before)[..]);
        hash
    });
    assert_eq!(message.has_attribute(Fingerprint::TYPE), recipe.fingerprint);
    (answer.code(), hash)
}

fn challenged(world: &mut World, port: u16) -> Client {
    let mut alice = Client::alice(&format!("192.0.2.1:{port}"));
    alice.challenge(world);
    alice
}

#[test]
fn every_password_algorithm_goes_with_every_signature() {
    let mut world = World::new();
    let mut port = 1000;
    for algorithm in [None, Some(PasswordAlgorithmValue::MD5), Some(PasswordAlgorithmValue::SHA256)] {
        for userhash in [false, true] {
            for hash in [Hash::Sha1, Hash::Sha256] {
                port += 1;
                let alice = challenged(&mut world, port);
                let recipe = Recipe { userhash, algorithm, signed: vec![hash], fingerprint: userhash };
                assert_eq!(ask(&mut world, &alice, &recipe), (0, Some(hash)), "{algorithm:?} {userhash} {hash:?}");
            }
        }
    }
}

#[test]
fn of_two_signatures_the_stronger_one_counts() {
    let mut world = World::new();
    let alice = challenged(&mut world, 1000);
    let both = Recipe { signed: vec![Hash::Sha1, Hash::Sha256], ..PLAIN };
    assert_eq!(ask(&mut world, &alice, &both), (0, Some(Hash::Sha256)));
    let alice = challenged(&mut world, 1001);
    let mut forged = request(&alice, &both);
    let last = forged.len() - 1;
    forged[last] ^= 1;
    assert_eq!(Answer(world.send(alice.tuple, &forged).remove(0)).code(), 401, "though the weaker one is right");
}

#[test]
fn a_hash_that_leads_to_nobody_gets_401() {
    let mut world = World::new();
    let mut alice = challenged(&mut world, 1000);
    alice.username = "mallory".into();
    let hashed = Recipe { userhash: true, signed: vec![Hash::Sha256], ..PLAIN };
    assert_eq!(ask(&mut world, &alice, &hashed), (401, None));
    let (user, password) = madang_turn::mint("secret", "eve", world::UNIX + 60);
    let eve = Client { username: user, password, ..alice };
    assert_eq!(ask(&mut world, &eve, &hashed), (401, None), "a time-limited name can't be guessed");
}

#[test]
fn the_owner_of_an_allocation_is_known_by_hash_even_when_the_name_is_time_limited() {
    let mut world = World::new();
    let (user, password) = madang_turn::mint("secret", "eve", world::UNIX + 60);
    let mut eve = Client::new("192.0.2.1:1000", &user, &password);
    eve.allocate(&mut world);
    let hashed = Recipe { userhash: true, signed: vec![Hash::Sha1], ..PLAIN };
    assert_eq!(ask(&mut world, &eve, &hashed), (437, Some(Hash::Sha1)), "he has one, and is who he says");
}

#[test]
fn nonces_say_that_hashes_are_understood_where_the_operator_says_so() {
    let users = config().credentials.users;
    let credentials = Credentials { users, userhash: true, ..Credentials::default() };
    let mut world = World::with(Config { credentials: credentials.clone(), ..config() });
    let alice = challenged(&mut world, 1000);
    // Bits 0 and 1 of 24, in base64.
    assert!(alice.nonce.starts_with("obMatJos2wAAA"), "{}", alice.nonce);
    let hashed = Recipe { userhash: true, signed: vec![Hash::Sha256], ..PLAIN };
    assert_eq!(ask(&mut world, &alice, &hashed), (0, Some(Hash::Sha256)));
    // Somebody on the way takes a bit away.
    let mut weakened = challenged(&mut world, 1001);
    weakened.nonce = weakened.nonce.replace("wAAA", "gAAA");
    assert_eq!(ask(&mut world, &weakened, &hashed).0, 438);

    let mut world = World::new();
    let before = challenged(&mut world, 1000);
    assert!(before.nonce.starts_with("obMatJos2gAAA"), "{}", before.nonce);
    let Config { policy, limits, .. } = config();
    world.input(Input::Reload(&Reload { credentials, policy, limits }));
    assert!(challenged(&mut world, 1001).nonce.starts_with("obMatJos2wAAA"));
    assert_eq!(before.clone().allocate(&mut world).code(), 0, "nonces from before are good");
}

#[test]
fn the_program_is_named_to_those_who_have_authenticated_where_the_operator_wants_it() {
    let mut world = World::with(Config { software: Some("madang".into()), ..config() });
    let mut alice = Client::alice("192.0.2.1:1000");
    assert!(!alice.challenge(&mut world).message().has_attribute(Software::TYPE));
    let answer = alice.allocate(&mut world);
    assert_eq!(answer.message().attribute::<Software>().expect("a name").software(), "madang");
    let mut world = World::new();
    assert!(!Client::alice("192.0.2.1:1000").allocate(&mut world).message().has_attribute(Software::TYPE));
}

#[test]
fn a_challenge_with_a_fingerprint_stays_within_160_bytes() {
    for length in [1, 50, 56, 57, 60, 64] {
        let mut world = World::with(Config { realm: "r".repeat(length), ..config() });
        let kind = MessageType::from_class_method(MessageClass::Request, ALLOCATE);
        let mut message = Message::builder(kind, 5.into(), MessageWriteVec::new());
        message.add_fingerprint().expect("room");
        let answer = world.send(Client::alice("[2001:db8::2]:1000").tuple, &message.finish()).remove(0);
        assert!(answer.len() <= 160, "{} bytes", answer.len());
        let answer = Answer(answer);
        assert_eq!(answer.message().has_attribute(Fingerprint::TYPE), length <= 56);
    }
}
