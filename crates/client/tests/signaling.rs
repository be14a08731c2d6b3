//! Signaling in virtual time, against a server whose every word stands in the test.

use std::time::{Duration, Instant};

use madang_client::signaling::{End, Event, Input, Output, Settings, Signaling};
use madang_protocol::{
    Bye, ByeAction, Change, ChatEvent, ClientFrame, ClientMessage, ErrorCode, Failure, Limits, LinkEvent, LinkId, Mute,
    Offerer, OpenLink, ParticipantEvent, ParticipantInfo, Pong, Presence, PublishTrack, RequestId, Resumed, Role,
    RoomInfo, RoomName, Seq, ServerFrame, ServerMessage, Topology, TrackInfo, TrackKind, TrackSource, Welcome,
};

fn participant(id: &str, tracks: &[&str]) -> ParticipantInfo {
    let track = |id: &&str| TrackInfo {
        id: (*id).into(),
        cid: format!("cid of {id}"),
        kind: TrackKind::Audio,
        source: TrackSource::Microphone,
        muted: false,
        simulcast: false,
        width: None,
        height: None,
    };
    ParticipantInfo {
        id: id.into(),
        identity: id.into(),
        name: id.into(),
        role: Role::Participant,
        presence: Presence::Present,
        hand: false,
        order: 1,
        tracks: tracks.iter().map(track).collect(),
    }
}

fn link(id: &str) -> OpenLink {
    OpenLink { link: id.into(), epoch: Default::default(), kind: Topology::Sfu, peer: None, offerer: Offerer::Peer }
}

fn room() -> RoomInfo {
    RoomInfo { name: "yard".into(), locked: false, codecs: Default::default(), max_send_bps: None }
}

fn welcome(session: &str, others: Vec<ParticipantInfo>, links: &[&str], last_s: u64) -> ServerMessage {
    ServerMessage::Welcome(Box::new(Welcome {
        version: 1,
        session: session.into(),
        secret: format!("secret of {session}"),
        last_s: Seq(last_s),
        me: participant("p_me", &["t_mine"]),
        room: room(),
        participants: others,
        topology: Topology::Sfu,
        epoch: Default::default(),
        links: links.iter().map(|id| link(id)).collect(),
        mix: None,
        ice_servers: vec![],
        limits: Limits::default(),
        ping_interval_ms: 15_000,
        resume_grace_ms: 60_000,
    }))
}

fn chat(text: &str) -> ServerMessage {
    ServerMessage::Chat(ChatEvent { from: "p_a".into(), text: text.into(), at_ms: 0, private: false })
}

/// The client, and what it said last.
struct Client {
    signaling: Signaling,
    now: Instant,
    connects: usize,
    hung_up: usize,
    sent: Vec<ClientFrame>,
    events: Vec<Event>,
    timeout: Option<Instant>,
}

impl Client {
    fn new() -> Self {
        let settings = Settings {
            room: Some(RoomName("yard".into())),
            name: "Mina".into(),
            tracks: vec![PublishTrack {
                cid: "cid of t_mine".into(),
                kind: TrackKind::Audio,
                source: TrackSource::Microphone,
                muted: false,
                simulcast: false,
                codecs: vec![],
                width: None,
                height: None,
            }],
            ..Settings::default()
        };
        let mut client = Self {
            signaling: Signaling::new(settings),
            now: Instant::now(),
            connects: 0,
            hung_up: 0,
            sent: vec![],
            events: vec![],
            timeout: None,
        };
        client.input(Input::Timeout);
        client
    }

    /// Inside, with `Ann` there already.
    fn inside() -> Self {
        let mut client = Self::new();
        client.input(Input::Connected);
        client.hears(None, welcome("s_1", vec![participant("p_a", &["t_a"])], &["l_1"], 10));
        client.forget();
        client
    }

    fn input(&mut self, input: Input<'_>) {
        self.signaling.handle_input(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.signaling.poll_output() {
                Output::Connect => self.connects += 1,
                Output::Send(text) => self.sent.push(serde_json::from_str(&text).expect("a client's frame")),
                Output::Disconnect => self.hung_up += 1,
                Output::Event(event) => self.events.push(event),
                Output::Timeout(at) => return self.timeout = at,
            }
        }
    }

    fn hears(&mut self, s: Option<u64>, message: ServerMessage) {
        self.hears_reply(None, s, message);
    }

    fn hears_reply(&mut self, re: Option<u64>, s: Option<u64>, message: ServerMessage) {
        let frame = ServerFrame { re: re.map(RequestId), s: s.map(Seq), message };
        self.input(Input::Message(&serde_json::to_string(&frame).expect("JSON")));
    }

    /// Lets time pass, firing each time-out when it is due.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.timeout.filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.input(Input::Timeout);
        }
        self.now = end;
    }

    fn forget(&mut self) {
        self.sent.clear();
        self.events.clear();
        (self.connects, self.hung_up) = (0, 0);
    }

    fn hello(&self) -> &madang_protocol::Hello {
        let Some(ClientMessage::Hello(hello)) = self.sent.last().map(|frame| &frame.message) else {
            unreachable!("{:?}", self.sent)
        };
        hello
    }
}

#[test]
fn a_client_says_hello_with_its_tracks_and_learns_who_and_what_is_there() {
    let mut client = Client::new();
    assert_eq!(client.connects, 1);
    client.input(Input::Connected);
    assert_eq!((client.hello().tracks.len(), client.hello().resume.is_none()), (1, true));

    let ann = participant("p_a", &["t_a"]);
    client.hears(None, welcome("s_1", vec![ann.clone()], &["l_1"], 0));
    let me = participant("p_me", &["t_mine"]);
    let track = |of: &ParticipantInfo| Event::TrackAdded(of.id.clone(), of.tracks[0].clone());
    assert_eq!(
        client.events,
        [
            Event::Joined { me: me.clone(), room: room(), ice_servers: vec![] },
            Event::ParticipantJoined(ann.clone()),
            track(&ann),
            track(&me),
            Event::LinkOpened(link("l_1")),
        ]
    );
    assert_eq!(client.signaling.roster().own_track("cid of t_mine").map(|track| track.id.as_str()), Some("t_mine"));
}

#[test]
fn a_lost_connection_is_resumed_after_the_last_event_that_came() {
    let mut client = Client::inside();
    client.hears(Some(11), chat("one"));
    client.forget();
    client.input(Input::Disconnected);
    assert_eq!(client.events, [Event::Reconnecting]);
    client.pass(Duration::from_millis(400));
    assert_eq!(client.connects, 1);
    client.input(Input::Connected);
    let resume = client.hello().resume.clone().expect("it resumes");
    assert_eq!((resume.session.as_str(), resume.last_s), ("s_1", Some(Seq(11))));
    assert_eq!(resume.secret, "secret of s_1");

    client.forget();
    client.hears(None, ServerMessage::Resumed(Resumed { secret: "next".into(), replay: true, last_id: None }));
    client.hears(Some(12), chat("two"));
    assert!(matches!(&client.events[..], [Event::Resumed, Event::Chat(chat)] if chat.text == "two"));
    client.input(Input::Disconnected);
    client.pass(Duration::from_secs(1));
    client.input(Input::Connected);
    assert_eq!(client.hello().resume.as_ref().map(|resume| resume.secret.as_str()), Some("next"));
}

#[test]
fn requests_that_the_server_never_had_are_sent_again_and_those_it_had_are_not() {
    let mut client = Client::inside();
    let mute = |muted| ClientMessage::Mute(Mute { track: "t_mine".into(), muted });
    let ids: Vec<_> = [true, false].into_iter().map(|muted| client.signaling.request(mute(muted))).collect();
    client.drain();
    assert_eq!(client.sent.len(), 2);
    client.input(Input::Disconnected);
    let third = client.signaling.request(mute(true));
    client.pass(Duration::from_secs(1));
    client.input(Input::Connected);
    client.forget();
    client.hears(None, ServerMessage::Resumed(Resumed { secret: "next".into(), replay: true, last_id: ids[0] }));
    assert_eq!(client.sent.iter().map(|frame| frame.id).collect::<Vec<_>>(), [ids[1], third]);
}

#[test]
fn a_missing_event_makes_the_client_resume_and_one_that_comes_twice_is_left_out() {
    let mut client = Client::inside();
    client.hears(Some(11), chat("one"));
    client.hears(Some(11), chat("one"));
    assert_eq!((client.events.len(), client.hung_up), (1, 0));
    client.hears(Some(13), chat("three"));
    assert_eq!(client.events[1..], [Event::Reconnecting]);
    assert_eq!(client.hung_up, 1);
}

#[test]
fn an_unknown_message_is_left_out_but_counts() {
    let mut client = Client::inside();
    client.input(Input::Message(r#"{"t":"lobby","s":11,"who":"Juno"}"#));
    client.hears(Some(12), chat("after it"));
    assert_eq!((client.events.len(), client.hung_up), (1, 0));
}

#[test]
fn what_is_no_json_ends_it() {
    let mut client = Client::inside();
    client.input(Input::Message("hello?"));
    assert!(matches!(&client.events[..], [Event::Ended(End::Protocol(_))]));
}

#[test]
fn the_client_pings_and_takes_a_server_that_does_not_answer_for_dead() {
    let mut client = Client::inside();
    client.pass(Duration::from_secs(15));
    assert!(matches!(&client.sent[..], [ClientFrame { message: ClientMessage::Ping(_), .. }]));
    client.hears(None, ServerMessage::Pong(Pong {}));
    client.pass(Duration::from_secs(24));
    assert_eq!((client.sent.len(), client.hung_up), (2, 0));
    client.pass(Duration::from_secs(1));
    assert_eq!((client.hung_up, &client.events[..]), (1, &[Event::Reconnecting][..]));
}

#[test]
fn events_are_acknowledged_after_a_second_or_32() {
    let mut client = Client::inside();
    client.hears(Some(11), chat("one"));
    client.pass(Duration::from_millis(1000));
    assert!(matches!(&client.sent[..], [ClientFrame { message: ClientMessage::Ack(ack), .. }] if ack.s == Seq(11)));
    client.forget();
    for s in 12..44 {
        client.hears(Some(s), chat("more"));
    }
    assert!(matches!(&client.sent[..], [ClientFrame { message: ClientMessage::Ack(ack), .. }] if ack.s == Seq(43)));
}

#[test]
fn a_snapshot_after_a_resume_tells_what_changed_meanwhile() {
    let mut client = Client::inside();
    client.input(Input::Disconnected);
    client.pass(Duration::from_secs(1));
    client.input(Input::Connected);
    client.forget();
    client.hears(None, ServerMessage::Resumed(Resumed { secret: "next".into(), replay: false, last_id: None }));
    client.hears(None, welcome("s_1", vec![participant("p_b", &[])], &["l_2"], 90));
    assert!(matches!(&client.events[..2], [Event::Resumed, Event::Joined { .. }]));
    assert_eq!(
        client.events[2..],
        [
            Event::ParticipantJoined(participant("p_b", &[])),
            Event::ParticipantLeft(participant("p_a", &["t_a"]), None),
            Event::LinkClosed(LinkId("l_1".into())),
            Event::LinkOpened(link("l_2")),
        ]
    );
    client.hears(Some(91), chat("goes on"));
    assert_eq!(client.hung_up, 0);
}

#[test]
fn a_wrong_secret_makes_a_fresh_join() {
    let mut client = Client::inside();
    client.input(Input::Disconnected);
    client.pass(Duration::from_secs(1));
    client.input(Input::Connected);
    let hello = client.sent.last().and_then(|frame| frame.id).expect("a request");
    let code = ErrorCode::Unauthorized;
    let failure = Failure { code, message: "no".into(), retry_after_ms: None, fatal: true };
    client.hears_reply(Some(hello.0), None, ServerMessage::Error(failure));
    client.pass(Duration::from_secs(2));
    client.input(Input::Connected);
    assert_eq!(client.hello().resume, None);
}

#[test]
fn a_refused_hello_and_an_unreachable_server_end_it() {
    let mut client = Client::new();
    client.input(Input::Connected);
    let failure = Failure { code: ErrorCode::RoomLocked, message: "no".into(), retry_after_ms: None, fatal: true };
    client.hears(None, ServerMessage::Error(failure.clone()));
    assert_eq!(client.events, [Event::Ended(End::Refused(failure))]);

    let mut client = Client::new();
    client.input(Input::Disconnected);
    assert_eq!(client.events, [Event::Ended(End::Unreachable)]);

    let mut client = Client::inside();
    client.input(Input::Disconnected);
    for _ in 0..200 {
        client.pass(Duration::from_secs(1));
        client.input(Input::Disconnected);
    }
    assert_eq!(client.events, [Event::Reconnecting, Event::Ended(End::Unreachable)]);
}

#[test]
fn bye_says_what_to_do() {
    let bye =
        |action| ServerMessage::Bye(Bye { action, code: None, message: "bye".into(), retry_after_ms: Some(5000) });
    let mut client = Client::inside();
    client.hears(None, bye(ByeAction::Stop));
    assert!(matches!(&client.events[..], [Event::Ended(End::Bye { .. })]));

    for (action, resumes) in [(ByeAction::Resume, true), (ByeAction::Rejoin, false)] {
        let mut client = Client::inside();
        client.hears(None, bye(action));
        client.pass(Duration::from_millis(4999));
        assert_eq!(client.connects, 0, "not before its time");
        client.pass(Duration::from_millis(1));
        assert_eq!(client.connects, 1);
        client.input(Input::Connected);
        assert_eq!(client.hello().resume.is_some(), resumes);
    }
}

#[test]
fn after_leave_the_end_of_the_connection_is_the_end() {
    let mut client = Client::inside();
    client.signaling.leave();
    client.drain();
    assert!(matches!(client.sent.last(), Some(ClientFrame { message: ClientMessage::Leave(_), .. })));
    client.input(Input::Disconnected);
    assert!(matches!(&client.events[..], [Event::Ended(End::Bye { .. })]));
}

#[test]
fn people_and_links_that_come_and_go_are_told() {
    let mut client = Client::inside();
    let ben = participant("p_b", &["t_b"]);
    let event =
        |change| ServerMessage::Participant(ParticipantEvent { change, participant: ben.clone(), reason: None });
    client.hears(Some(11), event(Change::Added));
    client.hears(Some(12), event(Change::Removed));
    let close = LinkEvent::Close { link: "l_1".into(), epoch: Default::default() };
    client.hears(Some(13), ServerMessage::Link(close));
    assert_eq!(
        client.events,
        [
            Event::ParticipantJoined(ben.clone()),
            Event::TrackAdded(ben.id.clone(), ben.tracks[0].clone()),
            Event::ParticipantLeft(ben.clone(), None),
            Event::LinkClosed("l_1".into()),
        ]
    );
}
