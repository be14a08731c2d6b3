//! Two sessions joined end to end in virtual time: the server's and a participant's.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use madang_media::session::{
    AudioLevel, DataChannel, LayerId, LocalCandidate, OutgoingPacket, Role, Session, SessionConfig, SessionEvent,
    SessionOutput, Transmit, VideoCodec,
};
use madang_protocol::{TrackId, TrackKind};

struct End {
    session: Session,
    events: Vec<SessionEvent>,
    outbox: Vec<Transmit>,
}

impl End {
    /// Empties the outputs, as has to be done after every input. What is due again at once waits for the next
    /// millisecond, after a while.
    fn drain(&mut self, now: Instant) {
        for _ in 0..100 {
            match self.session.poll_output() {
                SessionOutput::Transmit(packet) => self.outbox.push(packet),
                SessionOutput::Event(event) => self.events.push(event),
                SessionOutput::Timeout(at) if at > now => break,
                SessionOutput::Timeout(_) => self.session.handle_timeout(now),
            }
        }
    }

    fn hand_over(&mut self, now: Instant, to: &mut End) {
        self.drain(now);
        for packet in self.outbox.drain(..) {
            to.session.receive(now, packet.transport, packet.from, packet.to, &packet.data);
            to.drain(now);
        }
    }
}

/// Two ends, and a wire without delay between them.
struct Pair {
    now: Instant,
    server: End,
    client: End,
}

impl Pair {
    fn new() -> Self {
        let now = Instant::now();
        let end = |role, address: &str, video: &[VideoCodec]| {
            let address: SocketAddr = address.parse().expect("an address");
            let candidates = vec![LocalCandidate { address, tcp: false }];
            let config = SessionConfig { role, video: video.to_vec(), certificate: None, candidates };
            End { session: Session::new(&config, now), events: Vec::new(), outbox: Vec::new() }
        };
        Self {
            now,
            server: end(Role::Server, "203.0.113.1:4000", &[VideoCodec::Vp8]),
            client: end(Role::Client, "203.0.113.2:5000", &VideoCodec::ALL),
        }
    }

    fn negotiate(&mut self) -> Vec<madang_media::session::ClientLine> {
        let offer = self.server.session.offer().expect("something to offer");
        let (answer, lines) = self.client.session.accept(&offer.sdp, &offer.tracks).expect("an offer that fits");
        self.server.session.answer(offer.n, &answer).expect("an answer that fits");
        lines
    }

    /// Lets `time` pass.
    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += Duration::from_millis(1);
            let now = self.now;
            self.server.session.handle_timeout(now);
            self.client.session.handle_timeout(now);
            self.server.hand_over(now, &mut self.client);
            self.client.hand_over(now, &mut self.server);
        }
    }
}

#[test]
fn a_participant_connects_sends_sound_and_data_and_gets_sound_back() {
    let mut pair = Pair::new();
    pair.server.session.receive_track(TrackId::from("t_own"), TrackKind::Audio, &[]).expect("a line");
    let down = pair.server.session.send_track(TrackId::from("t_other"), TrackKind::Audio).expect("a line");
    let lines = pair.negotiate();
    let up = lines.iter().find(|line| line.sends).expect("a line to send on");
    assert_eq!(up.track, Some(TrackId::from("t_own")));
    let up = up.line;
    pair.run(Duration::from_secs(2));
    assert!(
        pair.server.events.iter().any(|event| matches!(event, SessionEvent::Connected)),
        "{:?}",
        pair.server.events
    );
    assert!(pair.server.session.can_send(down));

    let payload_type = pair.client.session.payload_type("opus").expect("Opus was offered");
    for seq in 0..10 {
        let packet = OutgoingPacket {
            payload_type,
            seq,
            timestamp: u32::try_from(seq).expect("small") * 960,
            at: pair.now,
            marker: false,
            payload: vec![7; 100].into(),
            patch: Default::default(),
            audio_level: Some(AudioLevel { below_full: 30, voice: true }),
            orientation: None,
            repeatable: false,
        };
        pair.client.session.write_in(up, LayerId(0), packet);
        pair.run(Duration::from_millis(20));
    }
    assert!(pair.client.session.send_data(DataChannel::Reliable, b"hello"));
    pair.run(Duration::from_millis(200));
    let packets: Vec<_> = pair
        .server
        .events
        .iter()
        .filter_map(|event| if let SessionEvent::Packet(packet) = event { Some(packet) } else { None })
        .collect();
    assert_eq!(packets.len(), 10);
    assert_eq!(packets[0].audio_level, Some(AudioLevel { below_full: 30, voice: true }));
    assert!(
        pair.server
            .events
            .iter()
            .any(|event| matches!(event, SessionEvent::Data(DataChannel::Reliable, bytes) if bytes == b"hello"))
    );
}

#[test]
fn a_camera_is_sent_in_three_layers_that_the_server_tells_apart() {
    let mut pair = Pair::new();
    pair.server.session.receive_track(TrackId::from("t_own"), TrackKind::Video, &["l", "m", "h"]).expect("a line");
    let lines = pair.negotiate();
    assert_eq!(lines[0].rids, ["l", "m", "h"]);
    pair.run(Duration::from_secs(2));
    let payload_type = pair.client.session.payload_type("VP8").expect("VP8 was offered");
    for seq in 0..30_u64 {
        for layer in 0..3 {
            let packet = OutgoingPacket {
                payload_type,
                seq,
                timestamp: u32::try_from(seq).expect("small") * 3000,
                at: pair.now,
                marker: true,
                payload: vec![0x10, layer, 0, 0, 0].into(),
                patch: Default::default(),
                audio_level: None,
                orientation: None,
                repeatable: true,
            };
            pair.client.session.write_in(lines[0].line, LayerId(layer), packet);
        }
        pair.run(Duration::from_millis(33));
    }
    let mut seen = [0; 3];
    for event in &pair.server.events {
        if let SessionEvent::Packet(packet) = event {
            assert_eq!(packet.payload[1], packet.layer.0);
            seen[usize::from(packet.layer.0)] += 1;
        }
    }
    assert_eq!(seen, [30; 3]);
}

#[test]
fn a_participant_may_offer_its_camera_in_layers_and_brings_no_data_channels_then() {
    let mut pair = Pair::new();
    let camera = TrackId::from("t_own");
    let line = pair.client.session.send_layers(camera.clone(), TrackKind::Video, &["l", "m", "h"]).expect("a line");
    let offer = pair.client.session.offer().expect("something to offer");
    assert!(offer.sdp.contains("a=simulcast:send h;m;l"), "{}", offer.sdp);
    assert!(!offer.sdp.contains("m=application"), "{}", offer.sdp);
    let (answer, lines) = pair.server.session.accept(&offer.sdp, &offer.tracks).expect("an offer that fits");
    assert_eq!((lines[0].track.as_ref(), lines[0].sends), (Some(&camera), false));
    pair.client.session.answer(offer.n, &answer).expect("an answer that fits");
    pair.run(Duration::from_secs(2));
    assert!(pair.client.session.can_send(line));
    let payload_type = pair.client.session.payload_type("VP8").expect("VP8 was offered");
    for layer in 0..3 {
        let packet = OutgoingPacket {
            payload_type,
            seq: 0,
            timestamp: 0,
            at: pair.now,
            marker: true,
            payload: vec![0x10, layer, 0, 0, 0].into(),
            patch: Default::default(),
            audio_level: None,
            orientation: None,
            repeatable: true,
        };
        pair.client.session.write_in(line, LayerId(layer), packet);
    }
    pair.run(Duration::from_millis(33));
    let layers = pair.server.events.iter().filter_map(|event| match event {
        SessionEvent::Packet(packet) => Some(packet.payload[1]),
        _ => None,
    });
    let mut layers: Vec<u8> = layers.collect();
    layers.sort_unstable();
    assert_eq!(layers, [0, 1, 2]);
}

#[test]
fn a_line_that_another_track_takes_before_the_answer_carries_nothing_until_that_track_was_offered() {
    let mut pair = Pair::new();
    let line = pair.server.session.send_track(TrackId::from("t_one"), TrackKind::Video).expect("a line");
    pair.negotiate();
    pair.run(Duration::from_secs(2));
    assert!(pair.server.session.can_send(line));
    pair.server.session.release(line);
    assert!(!pair.server.session.can_send(line));
    let offer = pair.server.session.offer().expect("the line is idle");
    let again = pair.server.session.send_track(TrackId::from("t_two"), TrackKind::Video).expect("a line");
    assert_eq!(again, line);
    let (answer, _) = pair.client.session.accept(&offer.sdp, &offer.tracks).expect("an offer that fits");
    pair.server.session.answer(offer.n, &answer).expect("an answer that fits");
    assert!(!pair.server.session.can_send(line), "the other end holds it for idle");
    pair.negotiate();
    assert!(pair.server.session.can_send(line));
}
