//! Packets from anywhere to a session before it is encrypted: STUN and DTLS by str0m, and
//! whatever claims to be SRTP or SRTCP.
#![no_main]

use std::{
    net::SocketAddr,
    sync::LazyLock,
    time::{Duration, Instant},
};

use libfuzzer_sys::fuzz_target;
use madang_media::session::{
    Certificate, LocalCandidate, Role, Session, SessionConfig, SessionOutput, Transport, VideoCodec,
};
use madang_protocol::TrackKind;

static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
static CERTIFICATE: LazyLock<Certificate> = LazyLock::new(|| Certificate::generate().expect("a certificate"));

fuzz_target!(|packets: Vec<(u8, &[u8])>| {
    let here = SocketAddr::from(([127, 0, 0, 1], 4000));
    let config = |role, port| SessionConfig {
        role,
        video: vec![VideoCodec::Vp8],
        certificate: Some(CERTIFICATE.clone()),
        candidates: vec![LocalCandidate { address: ([127, 0, 0, 1], port).into(), tcp: false }],
    };
    let mut now = *BEGIN;
    let mut server = Session::new(&config(Role::Server, 4000), now);
    let mut client = Session::new(&config(Role::Client, 4001), now);
    let _ = server.receive_track("t_sound".into(), TrackKind::Audio, &[]);
    let offer = server.offer().expect("a first offer");
    let (answer, _) = client.accept(&offer.sdp, &offer.tracks).expect("an unchanged offer");
    server.answer(offer.n, &answer).expect("an unchanged answer");
    for (from, bytes) in packets {
        let address = SocketAddr::from(([127, 0, 0, 1], 4000 + u16::from(from & 3)));
        let transport = if from & 4 == 0 { Transport::Udp } else { Transport::Tcp };
        server.receive(now, transport, address, here, bytes);
        now += Duration::from_millis(u64::from(from >> 3) * 20);
        server.handle_timeout(now);
        let quiet = (0..1000).any(|_| matches!(server.poll_output(), SessionOutput::Timeout(_)));
        assert!(quiet, "it has always something to say");
    }
});
