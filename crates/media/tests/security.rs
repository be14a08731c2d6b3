//! What somebody on the network, or at the other end of a link, can't do.

mod yard;

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use madang_media::session::{DataChannel, LayerId};
use madang_protocol::{LinkId, MediaCommand, MediaEvent, TrackId, TrackKind};
use yard::{Frame, ROOM, Yard};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn stranger() -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 66], 6666))
}

/// RFC 7983 §7 and RFC 5761 §4: what is neither RTCP nor of another protocol.
fn is_rtp(data: &[u8]) -> bool {
    matches!(data, [128..=191, kind, ..] if !(64..96).contains(&(kind & 0x7f)))
}

fn is_dtls(data: &[u8]) -> bool {
    matches!(data, [20..=63, ..])
}

/// A Binding request (RFC 8489 §5).
fn is_check(data: &[u8]) -> bool {
    data.starts_with(&[0, 1])
}

/// Ada speaks, bo and cy hear.
struct Call {
    yard: Yard,
    track: TrackId,
    /// Packets that ada has sent.
    sent: u32,
}

impl Call {
    fn new() -> Self {
        let mut yard = Yard::new();
        for name in ["ada", "bo", "cy"] {
            yard.join(name);
        }
        let track = yard.publish("ada", TrackKind::Audio);
        yard.run(ms(2000));
        assert!(yard.people.values().all(|person| person.connected));
        Self { yard, track, sent: 0 }
    }

    fn speak(&mut self, packets: u32) {
        for _ in 0..packets {
            self.yard.send("ada", &self.track, LayerId(0), Frame::sound(self.sent * 960));
            self.sent += 1;
            self.yard.run(ms(20));
        }
    }

    fn heard(&self, name: &str) -> usize {
        self.yard.people[name].got.iter().filter(|got| got.track == self.track).count()
    }

    /// What may not change by a forged packet.
    fn state(&self) -> (u64, u64, usize, usize) {
        let counters = self.yard.sfu.counters();
        (counters.received, counters.forwarded, self.heard("bo"), self.yard.events.len())
    }

    fn address(&self, name: &str) -> SocketAddr {
        self.yard.people[name].address
    }

    /// Packets of media that ada sends, and that get no further than the tap.
    fn withhold(&mut self, packets: u32) -> Vec<Vec<u8>> {
        self.yard.tap = Some(Vec::new());
        self.yard.withhold = is_rtp;
        self.speak(packets);
        self.yard.withhold = |_| false;
        let ada = self.address("ada");
        let tapped = self.yard.tap.take().unwrap_or_default().into_iter();
        tapped.filter(|(from, data)| *from == ada && is_rtp(data)).map(|(_, data)| data).collect()
    }

    fn assert_alive(&mut self) {
        let before = (self.heard("bo"), self.heard("cy"));
        self.speak(50);
        assert_eq!((self.heard("bo"), self.heard("cy")), (before.0 + 50, before.1 + 50), "the call suffers");
        assert_eq!(self.yard.sfu.counters().failed, 0);
    }
}

/// A ClientHello as a participant sends it, and variations that are none.
fn hellos() -> Vec<Vec<u8>> {
    let mut yard = Yard::new();
    yard.tap = Some(Vec::new());
    yard.join("eve");
    yard.run(ms(500));
    let tapped = yard.tap.take().unwrap_or_default();
    let hello = tapped.into_iter().map(|(_, data)| data).find(|data| is_dtls(data)).expect("a ClientHello");
    let mut all = vec![hello.clone(), hello[..20].to_vec(), vec![22, 254, 253], vec![20; 1400]];
    for place in 0..hello.len() {
        let mut bad = hello.clone();
        bad[place] ^= 0xff;
        all.push(bad);
    }
    all
}

#[test]
fn dtls_from_an_address_that_passed_no_check_is_dropped_without_an_answer() {
    let mut call = Call::new();
    let hellos = hellos();
    let before = call.yard.sfu.counters().unknown;
    for hello in &hellos {
        call.yard.inject(stranger(), hello);
    }
    assert_eq!(call.yard.sfu.counters().unknown - before, hellos.len() as u64);
    assert_eq!(call.yard.astray, []);
    call.assert_alive();
}

#[test]
fn a_participant_that_withholds_its_checks_gets_no_handshake() {
    let mut yard = Yard::new();
    yard.withhold = |data| data.first().is_some_and(|first| *first < 4);
    yard.join("eve");
    yard.run(ms(500));
    let eve = yard.people["eve"].address;
    for hello in hellos() {
        yard.inject(eve, &hello);
    }
    yard.run(ms(3000));
    assert!(!yard.people["eve"].connected);
    yard.withhold = |_| false;
    yard.run(ms(5000));
    assert!(yard.people["eve"].connected, "with checks it does");
}

#[test]
fn a_sprayer_of_bad_client_hellos_leaves_a_running_call_alive() {
    let mut call = Call::new();
    let (ada, bo) = (call.address("ada"), call.address("bo"));
    for (place, hello) in hellos().iter().enumerate() {
        for from in [stranger(), ada, bo] {
            call.yard.inject(from, hello);
        }
        if place % 10 == 0 {
            call.speak(1);
        }
    }
    assert_eq!(call.heard("bo"), call.sent as usize, "media flows meanwhile");
    call.assert_alive();
    let bo = &mut call.yard.people.get_mut("bo").expect("bo").session;
    assert!(bo.send_data(DataChannel::Reliable, b"\0\0x"));
    call.yard.run(ms(200));
    assert_eq!(call.yard.people["cy"].data, [b"\x04p_bo\0x".to_vec()], "so do data");
}

#[test]
fn a_packet_passes_once_and_its_replay_changes_nothing_be_it_new_or_old() {
    let mut call = Call::new();
    call.speak(10);
    let packets = call.withhold(3);
    assert_eq!(packets.len(), 3);
    let (ada, before) = (call.address("ada"), call.state());
    for packet in &packets {
        call.yard.inject(ada, packet);
    }
    call.yard.run(ms(50));
    let passed = call.state();
    assert_eq!((passed.0, passed.2), (before.0 + 3, before.2 + 3), "each passes for the first time");
    for packet in packets.iter().chain(&packets) {
        call.yard.inject(ada, packet);
    }
    call.yard.run(ms(50));
    assert_eq!(call.state(), passed);

    call.speak(300);
    let later = call.state();
    for packet in &packets {
        call.yard.inject(ada, packet);
    }
    call.yard.run(ms(50));
    assert_eq!(call.state(), later, "behind every window");
    call.assert_alive();
}

#[test]
fn a_packet_with_a_flipped_bit_changes_nothing_and_the_true_one_still_passes() {
    let mut call = Call::new();
    call.speak(10);
    let packets = call.withhold(1);
    let (ada, before) = (call.address("ada"), call.state());
    for place in 0..packets[0].len() {
        let mut forged = packets[0].clone();
        forged[place] ^= 1;
        call.yard.inject(ada, &forged);
    }
    call.yard.run(ms(50));
    assert_eq!(call.state(), before);
    call.yard.inject(ada, &packets[0]);
    call.yard.run(ms(50));
    assert_eq!(call.state().2, before.2 + 1);
    call.assert_alive();
}

#[test]
fn media_of_another_session_from_a_proved_address_changes_nothing() {
    let mut call = Call::new();
    call.speak(10);
    let packets = call.withhold(5);
    let before = call.state();
    for from in [call.address("bo"), call.address("cy"), stranger()] {
        for packet in &packets {
            call.yard.inject(from, packet);
        }
    }
    call.yard.run(ms(50));
    assert_eq!(call.state(), before);
    let ada = call.address("ada");
    packets.iter().for_each(|packet| call.yard.inject(ada, packet));
    call.yard.run(ms(50));
    assert_eq!(call.state().2, before.2 + 5, "from its own they pass");
    call.assert_alive();
}

#[test]
fn a_check_that_was_seen_and_is_sent_again_from_many_addresses_does_not_push_its_sender_out() {
    let mut call = Call::new();
    call.yard.tap = Some(Vec::new());
    call.speak(500);
    let ada = call.address("ada");
    let tapped = call.yard.tap.take().unwrap_or_default().into_iter();
    let checks: Vec<_> = tapped.filter(|(from, data)| *from == ada && is_check(data)).map(|(_, data)| data).collect();
    assert!(!checks.is_empty());
    let (before, unknown) = (call.heard("bo"), call.yard.sfu.counters().unknown);
    for round in 0..50 {
        for port in 0..400 {
            let stranger = SocketAddr::from(([198, 51, 100, 66], 7000 + port));
            call.yard.inject(stranger, &checks[round % checks.len()]);
        }
        call.speak(1);
    }
    assert_eq!(call.heard("bo") - before, 50, "media goes on meanwhile");
    // Checks are answered, wherever they come from, but not from everywhere.
    let answered: BTreeSet<_> = call.yard.astray.iter().collect();
    assert!((1..100).contains(&answered.len()), "{}", answered.len());
    assert!(call.yard.sfu.counters().unknown - unknown > 300 * 50);
    call.yard.astray.clear();
    call.assert_alive();
    assert_eq!(call.yard.astray, [], "nothing but answers goes to strangers");
}

/// Another fingerprint than that of the certificate (RFC 8122 §5).
fn other_fingerprint(name: &str, answer: String) -> String {
    if name != "eve" {
        return answer;
    }
    let begin = answer.find("a=fingerprint:sha-256 ").expect("a fingerprint") + "a=fingerprint:sha-256 ".len();
    let first = if &answer[begin..begin + 1] == "0" { "1" } else { "0" };
    let fingerprint = answer[begin..].lines().next().unwrap_or_default().to_owned();
    answer.replace(&fingerprint, &format!("{first}{}", &fingerprint[1..]))
}

#[test]
fn a_wrong_fingerprint_never_yields_media_or_data() {
    for (tamper, connects) in [(other_fingerprint as fn(&str, String) -> String, false), (|_, answer| answer, true)] {
        let mut call = Call::new();
        call.yard.tamper = tamper;
        call.yard.join("eve");
        let track = call.yard.publish("eve", TrackKind::Audio);
        for step in 0..200 {
            call.yard.send("eve", &track, LayerId(0), Frame::sound(step * 960));
            let eve = &mut call.yard.people.get_mut("eve").expect("eve").session;
            eve.send_data(DataChannel::Reliable, b"\0\0x");
            call.speak(1);
        }
        let connected = MediaEvent::Connected { link: LinkId("l_eve".into()) };
        assert_eq!(call.yard.events.contains(&connected), connects);
        let bo = &call.yard.people["bo"];
        assert_eq!(bo.got.iter().any(|got| got.track == track), connects, "media of hers");
        assert_eq!(!bo.data.is_empty(), connects, "data of hers");
        assert_eq!(!call.yard.people["eve"].got.is_empty(), connects, "media to her");
        assert_eq!(call.heard("bo"), 200, "the others notice nothing");
    }
}

#[test]
fn a_description_of_a_thousand_lines_is_refused_and_a_good_answer_still_taken() {
    let mut yard = Yard::new();
    yard.tamper = |_, answer| {
        let line = format!("a=x:{}\r\n", "y".repeat(58));
        format!("{answer}{}", line.repeat(1000))
    };
    yard.join("ada");
    yard.run(ms(100));
    let refused: Vec<_> = yard
        .events
        .iter()
        .filter_map(|event| match event {
            MediaEvent::AnswerRefused { link, n, .. } => Some((link.clone(), *n)),
            _ => None,
        })
        .collect();
    assert_eq!(refused.len(), 1, "refused: {refused:?}");
    let (link, n) = &refused[0];
    assert_eq!(*link, LinkId("l_ada".into()));
    for junk in ["", "v=0", &"v=0\r\n".repeat(13_000), &"\0".repeat(65_536)] {
        let answer = MediaCommand::Answer { link: link.clone(), n: *n, sdp: junk.into() };
        yard.command(answer);
    }
    yard.run(ms(100));
    let count = yard.events.iter().filter(|event| matches!(event, MediaEvent::AnswerRefused { .. })).count();
    assert_eq!(count, 5);
    let answer = yard.people["ada"].answer.clone().expect("a good one");
    yard.command(MediaCommand::Answer { link: link.clone(), n: *n, sdp: answer });
    yard.run(ms(2000));
    assert!(yard.people["ada"].connected);
    assert_eq!(yard.sfu.counters().failed, 0);
}

#[test]
fn the_end_of_one_session_by_an_alert_a_fault_or_silence_ends_no_other() {
    let mut call = Call::new();
    call.yard.tamper = other_fingerprint;
    for name in ["eve", "dot", "fay"] {
        call.yard.join(name);
    }
    call.yard.run(ms(2000));
    assert!(call.yard.people["dot"].connected && call.yard.people["fay"].connected);
    // Dot hangs up with an alert, fay falls silent, and eve's handshake has failed or will.
    call.yard.people.get_mut("dot").expect("dot").session.close();
    call.speak(50);
    let fay = call.yard.people.remove("fay").expect("fay");
    for junk in [vec![22; 300], vec![128; 300], vec![200; 300], vec![0; 300], vec![255; 1500], Vec::new()] {
        call.yard.inject(fay.address, &junk);
        let (ada, bo) = (call.address("ada"), call.address("bo"));
        call.yard.inject(ada, &junk);
        call.yard.inject(bo, &junk);
    }
    call.speak(2000);
    let failed: Vec<&str> = call
        .yard
        .events
        .iter()
        .filter_map(|event| match event {
            MediaEvent::Failed { link, .. } => Some(link.0.as_str()),
            _ => None,
        })
        .collect();
    let mut ended = failed.clone();
    ended.sort_unstable();
    assert_eq!(ended, ["l_dot", "l_eve", "l_fay"]);
    assert_eq!((call.heard("bo"), call.heard("cy")), (2050, 2050));
    call.yard.command(MediaCommand::End);
    assert_eq!(call.yard.sfu.counters().links, 0, "of room {ROOM:?}");
}
