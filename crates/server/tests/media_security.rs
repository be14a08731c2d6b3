//! A call on a running server, and strangers who would like it to end. What the forwarder does with
//! each packet stands in `crates/media/tests/security.rs`, in virtual time; this is the whole of
//! it, with sockets, batches and the kernel.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod media_support;
mod support;

use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use madang_server::Server;
use madang_wire::stun::{
    BINDING, IntegrityAlgorithm, Message, MessageClass, MessageIntegrityCredentials, MessageType, MessageWrite,
    MessageWriteExt, MessageWriteVec, ShortTermCredentials, TransactionId, Username,
};
use media_support::{Kept, Person, Stalls, socket};
use rand::{Rng, RngExt, SeedableRng, rngs::SmallRng};
use serde_json::json;
use support::{Client, hello, metric, start};
use tokio::net::UdpSocket;

/// One media port, so that whoever sits on the wire knows where to send.
const ONE_PORT: &str = "media.shards = 1";
/// Nobody may see a picture stand still for longer.
const GAP: Duration = Duration::from_millis(500);
const ATTACK: Duration = Duration::from_secs(4);
/// Between two rounds, each a packet of every kind from everywhere.
const ROUND: Duration = Duration::from_millis(3);

const UNKNOWN: &str = "madang_media_dropped_packets_total{reason=\"unknown\"}";
const RECEIVED: &str = "madang_media_received_packets_total";
const FAILED: &str = "madang_media_failed_links_total";

/// Ada and Bo in a room, each of whom sees and hears the other.
async fn call(server: &Server) -> [Person; 2] {
    let people = [Person::join(server, "yard", "Ada").await, Person::join(server, "yard", "Bo").await];
    for person in &people {
        person.watches(2).await;
    }
    // What estimation and layers do in the beginning is theirs.
    tokio::time::sleep(Duration::from_secs(2)).await;
    people
}

/// Checks that nobody noticed anything since `begin`.
fn assert_undisturbed(people: &[Person], stalls: &Stalls) {
    for person in people {
        assert_eq!(person.faults(), [""; 0]);
        let (gap, stall) = (person.longest_gap(), stalls.longest());
        assert!(gap <= GAP + stall, "nothing came for {gap:?}; the machine itself stood still for {stall:?}");
    }
}

/// Packets that are nobody's, or not what they seem.
struct Bad {
    chance: SmallRng,
    kept: Kept,
}

impl Bad {
    /// A ClientHello that was seen on the wire, with a byte changed or its end cut off.
    fn client_hello(&mut self) -> Vec<u8> {
        let mut hello = self.kept.dtls[0].clone();
        let place = self.chance.random_range(1..hello.len());
        if self.chance.random_bool(0.5) {
            hello[place] ^= 1 << self.chance.random_range(0..8);
        } else {
            hello.truncate(place);
        }
        hello
    }

    fn random(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; self.chance.random_range(1..1400)];
        self.chance.fill_bytes(&mut bytes);
        bytes
    }

    /// A check for the right session, by somebody who doesn't know its password.
    fn check(&mut self) -> Vec<u8> {
        let seen = Message::from_bytes(&self.kept.checks[0]).unwrap();
        let user = seen.attribute::<Username>().unwrap();
        let kind = MessageType::from_class_method(MessageClass::Request, BINDING);
        let mut check = Message::builder(kind, TransactionId::generate(), MessageWriteVec::new());
        check.add_attribute(&user).unwrap();
        let password = format!("{:022}", self.chance.random::<u32>());
        let wrong = MessageIntegrityCredentials::ShortTerm(ShortTermCredentials::new(password));
        check.add_message_integrity(&wrong, IntegrityAlgorithm::Sha1).unwrap();
        check.add_fingerprint().unwrap();
        check.finish()
    }

    fn replay(&mut self) -> Vec<u8> {
        self.kept.media[self.chance.random_range(0..self.kept.media.len())].clone()
    }

    /// A DTLS alert, "fatal, handshake failure", that nobody sealed (RFC 6347 §4.1, RFC 5246 §7.2).
    fn alert() -> Vec<u8> {
        vec![21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40]
    }

    /// A check that was good when its sender sent it.
    fn old_check(&mut self) -> Vec<u8> {
        self.kept.checks[self.chance.random_range(0..self.kept.checks.len())].clone()
    }

    fn one_of_each(&mut self) -> [Vec<u8>; 6] {
        [self.client_hello(), self.random(), self.check(), self.old_check(), self.replay(), Self::alert()]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_lives_on_under_sprayers_and_replays_and_they_are_counted() {
    let server = start(ONE_PORT).await;
    let people = call(&server).await;
    let stranger = socket().await;
    let seed: u64 = rand::random::<u32>().into();
    println!("seed {seed}");
    let mut bad: Vec<Bad> = Vec::new();
    for (place, person) in people.iter().enumerate() {
        bad.push(Bad { chance: SmallRng::seed_from_u64(seed + place as u64), kept: person.wire.kept() });
    }
    let unknown = metric(&server, UNKNOWN).await;
    let media = || people.iter().map(|person| person.wire.media.load(Relaxed)).sum::<u64>();
    let (sent, received) = (media(), metric(&server, RECEIVED).await);

    let stalls = Stalls::watch();
    people.iter().for_each(Person::begin);
    let began = Instant::now();
    let (mut rounds, mut heard) = (0, [0; 2000]);
    while began.elapsed() < ATTACK {
        for (bad, person) in bad.iter_mut().zip(&people) {
            spray(&stranger, bad, person).await;
            // From the right address: whoever is on the way between two ends can do that.
            spray(&person.wire.outside, bad, person).await;
        }
        rounds += 1;
        while let Ok((length, _)) = stranger.try_recv_from(&mut heard) {
            assert!(length > 0 && heard[0] < 4, "a stranger hears answers to checks alone, not {:?}", &heard[..8]);
        }
        tokio::time::sleep(ROUND).await;
    }
    tokio::time::sleep(GAP).await;
    assert_undisturbed(&people, &stalls);

    let (received, sent) = (metric(&server, RECEIVED).await - received, media() - sent);
    let replays = 4 * rounds;
    assert!(replays > 1000, "{replays}");
    // What was in flight at the first reading counts too; a replay never.
    assert!(received <= sent + 600, "{received} packets taken of {sent} that were sent, and {replays} replays");
    // Of a stranger everything is unknown but the checks, which name a session. The kernel may drop some.
    let strange = 8 * rounds;
    let unknown = metric(&server, UNKNOWN).await - unknown;
    assert!(unknown >= strange / 2, "{unknown} of {strange} were counted");
    assert_eq!(metric(&server, FAILED).await, 0);
    assert_undisturbed(&people, &stalls);
}

async fn spray(from: &UdpSocket, bad: &mut Bad, person: &Person) {
    for packet in bad.one_of_each() {
        // A full buffer loses it, as a network would.
        let _ = from.send_to(&packet, person.wire.server).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_monstrous_answer_is_refused_by_its_code_and_the_others_call_lives() {
    let server = start(ONE_PORT).await;
    let people = call(&server).await;
    let stalls = Stalls::watch();
    people.iter().for_each(Person::begin);

    // (bytes of the SDP, the code, whether that is the end of the connection)
    for (bytes, code, is_fatal) in
        [(59 * 1024, "bad_request", false), (61 * 1024, "too_large", false), (64 * 1024, "too_large", true)]
    {
        let mut eve = Client::connect(&server).await;
        let mut message = hello("yard", "Eve");
        message["capabilities"] = json!({ "codecs": { "audio": ["OPUS"], "video": ["VP8"] }, "topologies": ["sfu"] });
        eve.say(message).await;
        let offer = eve.hear("desc").await;
        assert_eq!(offer["kind"], "offer");
        let answer = json!({
            "t": "desc", "id": 7, "link": offer["link"], "epoch": offer["epoch"], "n": offer["n"],
            "kind": "answer", "sdp": thousand_lines(bytes), "tracks": {}
        });
        eve.say(answer).await;
        let error = eve.hear("error").await;
        assert_eq!(
            (error["code"].as_str(), error["fatal"].as_bool()),
            (Some(code), Some(is_fatal)),
            "{bytes}: {error}"
        );
        if is_fatal {
            assert_eq!(eve.close_code().await, Some(1009));
        } else {
            eve.say(json!({ "t": "ping", "id": 8 })).await;
            assert_eq!(eve.hear("pong").await["re"], 8, "her session goes on");
        }
    }
    tokio::time::sleep(GAP).await;
    assert_undisturbed(&people, &stalls);
    assert_eq!(metric(&server, FAILED).await, 0);
}

/// A description of so many bytes in a thousand lines.
fn thousand_lines(bytes: usize) -> String {
    let begin = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";
    let mut sdp = String::from(begin);
    for left in (1..=996).rev() {
        let length = (bytes - sdp.len()) / left;
        sdp += &format!("a=x:{}\r\n", "y".repeat(length - 6));
    }
    assert_eq!((sdp.len(), sdp.lines().count()), (bytes, 1000));
    sdp
}
