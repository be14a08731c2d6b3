//! An offer and its answer with lines changed on the way: each end takes or refuses them, and
//! goes on. What can't be read at all is known before there are sessions, which take long to make.
#![no_main]

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use madang_media::session::{
    Certificate, LocalCandidate, Offer, Role, Session, SessionConfig, SessionOutput, VideoCodec,
};
use madang_protocol::TrackKind;
use str0m::change::{SdpAnswer, SdpOffer};

static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
static CERTIFICATE: LazyLock<Certificate> = LazyLock::new(|| Certificate::generate().expect("a certificate"));

/// An offer and its answer as they are.
static UNCHANGED: LazyLock<(String, String)> = LazyLock::new(|| {
    let (_, client, offer) = ends();
    let answer = { client }.accept(&offer.sdp, &offer.tracks).expect("an unchanged offer").0;
    (offer.sdp, answer)
});

#[derive(Arbitrary, Debug)]
enum Edit<'a> {
    Replace(u8, &'a str),
    Insert(u8, &'a str),
    Remove(u8),
    Repeat(u8, u8),
    /// The line as it is with something else from a byte on.
    Cut(u8, u8, &'a str),
}

fn edited(sdp: &str, edits: &[Edit<'_>]) -> String {
    let mut lines: Vec<String> = sdp.lines().map(str::to_owned).collect();
    for edit in edits {
        let (Edit::Replace(at, _) | Edit::Insert(at, _) | Edit::Remove(at) | Edit::Repeat(at, _) | Edit::Cut(at, ..)) =
            edit;
        let at = usize::from(*at) % lines.len().max(1);
        if lines.is_empty() {
            break;
        }
        match edit {
            Edit::Replace(_, text) => lines[at] = (*text).to_owned(),
            Edit::Insert(_, text) => lines.insert(at, (*text).to_owned()),
            Edit::Remove(_) => drop(lines.remove(at)),
            Edit::Repeat(_, to) => {
                let line = lines[at].clone();
                lines.insert(usize::from(*to) % lines.len(), line);
            }
            Edit::Cut(_, from, text) => {
                let kept = lines[at].chars().take(usize::from(*from)).collect::<String>();
                lines[at] = kept + text;
            }
        }
    }
    lines.join("\r\n") + "\r\n"
}

fn session(role: Role, port: u16) -> Session {
    let config = SessionConfig {
        role,
        video: VideoCodec::ALL.to_vec(),
        certificate: Some(CERTIFICATE.clone()),
        candidates: vec![LocalCandidate { address: ([127, 0, 0, 1], port).into(), tcp: false }],
    };
    Session::new(&config, *BEGIN)
}

/// A server with tracks of each kind, its offer, and a client.
fn ends() -> (Session, Session, Offer) {
    let (mut server, client) = (session(Role::Server, 4000), session(Role::Client, 4001));
    let _ = server.receive_track("t_camera".into(), TrackKind::Video, &["l", "m", "h"]);
    let _ = server.receive_track("t_sound".into(), TrackKind::Audio, &[]);
    let _ = server.send_track("t_other".into(), TrackKind::Video);
    let offer = server.offer().expect("a first offer");
    (server, client, offer)
}

fn drain(session: &mut Session, now: Instant) {
    session.handle_timeout(now);
    for _ in 0..1000 {
        if matches!(session.poll_output(), SessionOutput::Timeout(_)) {
            return;
        }
    }
    panic!("it has always something to say");
}

fuzz_target!(|input: (Vec<Edit<'_>>, Vec<Edit<'_>>, bool)| {
    let (offer_edits, answer_edits, again) = input;
    let readable = SdpOffer::from_sdp_string(&edited(&UNCHANGED.0, &offer_edits)).is_ok()
        && SdpAnswer::from_sdp_string(&edited(&UNCHANGED.1, &answer_edits)).is_ok();
    if !readable || (offer_edits.is_empty() && answer_edits.is_empty()) {
        return;
    }
    let (mut server, mut client, offer) = ends();
    let answer = client.accept(&edited(&offer.sdp, &offer_edits), &offer.tracks);
    drain(&mut client, *BEGIN);
    let answer = match answer {
        Ok((answer, _)) => answer,
        // The server is to see an answer all the same.
        Err(_) => session(Role::Client, 4001).accept(&offer.sdp, &offer.tracks).expect("an unchanged offer").0,
    };
    let _ = server.answer(offer.n, &edited(&answer, &answer_edits));
    drain(&mut server, *BEGIN);
    if again {
        let _ = server.send_track("t_more".into(), TrackKind::Audio);
        server.restart_ice();
        let _ = server.offer();
        drain(&mut server, *BEGIN + Duration::from_secs(1));
    }
});
