//! The client's side of the signaling protocol (docs/protocol.md): joins, keeps the connection
//! alive, resumes the session when it was lost, and turns what the server says into events.
//!
//! Give it what happens by [`Signaling::handle_input`], then drain [`Signaling::poll_output`]
//! until it returns [`Output::Timeout`].

mod backoff;
mod io;
mod requests;
mod roster;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use madang_protocol::{
    Ack, Bye, ByeAction, ClientFrame, ClientMessage, ErrorCode, Failure, Hello, Leave, Ping, Publish, PublishTrack,
    RequestId, Resume, Resumed, RoomName, Seq, ServerFrame, ServerMessage, SessionId, VERSION, Welcome,
};

pub use io::{End, Event, Input, Output, Settings};
pub use roster::Roster;

use backoff::Backoff;
use requests::Requests;

/// The server closes a connection without `hello` after 5 s, so an answer to it comes sooner.
const GREETING: Duration = Duration::from_secs(10);
/// A server that has not answered a ping for so long is taken for dead.
const PONG: Duration = Duration::from_secs(10);
/// Events are acknowledged after so long, or so many.
const ACK: Duration = Duration::from_secs(1);
const ACK_EVENTS: u64 = 32;
/// Attempts to come back end after so long.
const GIVE_UP: Duration = Duration::from_secs(120);

/// See the module.
#[derive(Debug)]
pub struct Signaling {
    settings: Settings,
    state: State,
    session: Option<Session>,
    roster: Roster,
    requests: Requests,
    backoff: Backoff,
    /// `leave` was said: the end of the connection is the end.
    is_leaving: bool,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum State {
    /// Not begun.
    Idle,
    /// The next attempt to connect comes at that time.
    Waiting { until: Instant, give_up: Instant },
    /// The shell is connecting.
    Connecting { give_up: Instant },
    /// `hello` was said.
    Greeting { until: Instant, give_up: Instant, hello: RequestId },
    /// Inside.
    Inside(Inside),
    /// Over.
    Ended,
}

#[derive(Debug)]
struct Inside {
    ping_interval: Duration,
    ping_at: Instant,
    pong_by: Option<Instant>,
    acknowledged: Seq,
    ack_at: Option<Instant>,
}

/// What a resume needs.
#[derive(Debug)]
struct Session {
    id: SessionId,
    secret: String,
    last_s: Seq,
    ping_interval: Duration,
}

impl Signaling {
    /// Signaling that has not begun: the first [`Input::Timeout`] makes it connect.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            backoff: Backoff::new(settings.seed),
            settings,
            state: State::Idle,
            session: None,
            roster: Roster::default(),
            requests: Requests::default(),
            is_leaving: false,
            outputs: VecDeque::new(),
        }
    }

    /// The picture of the room.
    #[must_use]
    pub const fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Takes what happened.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Connected => self.greet(now),
            Input::Message(text) => self.hear(now, text),
            Input::Disconnected => self.lost(now),
            Input::Timeout => self.timeout(now),
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| Output::Timeout(self.next_timeout()))
    }

    /// Sends a request: its refusal comes as [`Event::Refused`] with this number. One that is
    /// made while the connection is lost is sent when the session is resumed.
    pub fn request(&mut self, message: ClientMessage) -> Option<RequestId> {
        let frame = self.requests.add(message);
        let (id, text) = (frame.id, to_text(frame));
        if matches!(self.state, State::Inside(_)) {
            self.outputs.push_back(Output::Send(text));
        }
        id
    }

    /// Sends a message that nobody has to answer; lost when there is no connection.
    pub fn tell(&mut self, message: ClientMessage) {
        if matches!(self.state, State::Inside(_)) {
            self.outputs.push_back(Output::Send(to_text(&ClientFrame { id: None, message })));
        }
    }

    /// Leaves the room. [`Event::Ended`] follows.
    pub fn leave(&mut self) {
        let id = self.requests.number();
        match self.state {
            State::Inside(_) => {
                self.is_leaving = true;
                let leave = ClientFrame { id: Some(id), message: ClientMessage::Leave(Leave {}) };
                self.outputs.push_back(Output::Send(to_text(&leave)));
            }
            State::Ended => {}
            _ => self.end(End::left()),
        }
    }

    /// Publishes a track. [`Event::TrackAdded`] brings its id.
    pub fn publish(&mut self, track: PublishTrack) -> Option<RequestId> {
        self.settings.tracks.push(track.clone());
        self.request(ClientMessage::Publish(Publish { track }))
    }

    fn timeout(&mut self, now: Instant) {
        match &mut self.state {
            State::Idle => {
                self.state = State::Connecting { give_up: now + GIVE_UP };
                self.outputs.push_back(Output::Connect);
            }
            State::Waiting { until, give_up } if *until <= now => {
                self.state = State::Connecting { give_up: *give_up };
                self.outputs.push_back(Output::Connect);
            }
            State::Greeting { until, .. } if *until <= now => self.hang_up(now),
            State::Inside(inside) => {
                if inside.pong_by.is_some_and(|by| by <= now) {
                    return self.hang_up(now);
                }
                if inside.ping_at <= now {
                    inside.ping_at = now + inside.ping_interval;
                    inside.pong_by.get_or_insert(now + PONG);
                    self.tell(ClientMessage::Ping(Ping {}));
                }
                self.acknowledge(now, false);
            }
            _ => {}
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Waiting { until, .. } | State::Greeting { until, .. } => Some(*until),
            State::Inside(inside) => [Some(inside.ping_at), inside.pong_by, inside.ack_at].into_iter().flatten().min(),
            State::Idle | State::Connecting { .. } | State::Ended => None,
        }
    }

    fn greet(&mut self, now: Instant) {
        let State::Connecting { give_up } = self.state else { return };
        let id = self.requests.number();
        let resume = self.session.as_ref().map(|session| Resume {
            session: session.id.clone(),
            secret: session.secret.clone(),
            last_s: Some(session.last_s),
        });
        let settings = &self.settings;
        let hello = Hello {
            versions: vec![VERSION],
            token: settings.token.clone(),
            room: settings.room.clone().unwrap_or(RoomName(String::new())),
            name: settings.name.clone(),
            capabilities: settings.capabilities.clone(),
            tracks: settings.tracks.clone(),
            topology: settings.topology,
            resume,
        };
        let frame = ClientFrame { id: Some(id), message: ClientMessage::Hello(hello) };
        self.outputs.push_back(Output::Send(to_text(&frame)));
        self.state = State::Greeting { until: now + GREETING, give_up, hello: id };
    }

    fn hear(&mut self, now: Instant, text: &str) {
        let frame: ServerFrame = match serde_json::from_str(text) {
            Ok(frame) => frame,
            Err(why) => return self.not_understood(now, text, &why),
        };
        if let (Some(id), ServerMessage::Ok(_) | ServerMessage::Error(_)) = (frame.re, &frame.message) {
            self.requests.answered(id);
        }
        if frame.s.is_some_and(|s| !self.count(now, s)) {
            return;
        }
        match frame.message {
            ServerMessage::Welcome(welcome) => self.welcome(now, &welcome),
            ServerMessage::Resumed(resumed) => self.resumed(now, resumed),
            ServerMessage::Error(failure) => self.refused(now, frame.re, failure),
            ServerMessage::Bye(bye) => self.bye(now, bye),
            ServerMessage::Pong(_) => {
                if let State::Inside(inside) = &mut self.state {
                    inside.pong_by = None;
                }
            }
            message => self.event(message),
        }
        self.acknowledge(now, true);
    }

    /// A message of a kind that we do not know still counts; anything else that can't be read is
    /// the server's fault, and a new connection starts from what we have.
    fn not_understood(&mut self, now: Instant, text: &str, why: &serde_json::Error) {
        tracing::debug!(%why, "a message of the server was not understood");
        let Ok(serde_json::Value::Object(frame)) = serde_json::from_str(text) else {
            return self.end(End::Protocol(why.to_string()));
        };
        if let Some(s) = frame.get("s").and_then(serde_json::Value::as_u64) {
            self.count(now, Seq(s));
        }
    }

    /// Counts an event. `false` when it came before, or when one is missing: then the session is
    /// resumed from the last that came.
    fn count(&mut self, now: Instant, s: Seq) -> bool {
        let Some(session) = &mut self.session else { return true };
        if s.0 == session.last_s.0 + 1 {
            session.last_s = s;
            return true;
        }
        if s > session.last_s {
            self.hang_up(now);
        }
        false
    }

    fn acknowledge(&mut self, now: Instant, only_if_many: bool) {
        let (State::Inside(inside), Some(session)) = (&mut self.state, &self.session) else { return };
        let waiting = session.last_s.0.saturating_sub(inside.acknowledged.0);
        if waiting == 0 {
            return;
        }
        let is_due = inside.ack_at.is_some_and(|at| at <= now);
        if waiting >= ACK_EVENTS || (is_due && !only_if_many) {
            inside.acknowledged = session.last_s;
            inside.ack_at = None;
            let s = session.last_s;
            self.tell(ClientMessage::Ack(Ack { s }));
        } else {
            inside.ack_at.get_or_insert(now + ACK);
        }
    }

    fn welcome(&mut self, now: Instant, welcome: &Welcome) {
        let ping_interval = Duration::from_millis(u64::from(welcome.ping_interval_ms.max(1000)));
        let is_same = self.session.as_ref().is_some_and(|session| session.id == welcome.session);
        if !is_same {
            self.requests.forget();
        }
        self.session = Some(Session {
            id: welcome.session.clone(),
            secret: welcome.secret.clone(),
            last_s: welcome.last_s,
            ping_interval,
        });
        self.come_inside(now);
        let mut events = vec![Event::Joined {
            me: welcome.me.clone(),
            room: welcome.room.clone(),
            ice_servers: welcome.ice_servers.clone(),
        }];
        if welcome.mix.is_some() {
            events.push(Event::Mix(welcome.mix.clone()));
        }
        self.roster.welcome(welcome, &mut events);
        self.outputs.extend(events.into_iter().map(Output::Event));
    }

    fn resumed(&mut self, now: Instant, resumed: Resumed) {
        let Some(session) = &mut self.session else { return };
        session.secret = resumed.secret;
        self.come_inside(now);
        self.outputs.push_back(Output::Event(Event::Resumed));
        let again = self.requests.after(resumed.last_id).map(|frame| Output::Send(to_text(frame)));
        self.outputs.extend(again);
    }

    fn come_inside(&mut self, now: Instant) {
        let Some(session) = &self.session else { return };
        self.backoff.reset();
        self.state = State::Inside(Inside {
            ping_interval: session.ping_interval,
            ping_at: now + session.ping_interval,
            pong_by: None,
            acknowledged: session.last_s,
            ack_at: None,
        });
    }

    fn refused(&mut self, now: Instant, re: Option<RequestId>, failure: Failure) {
        let is_greeting = matches!(self.state, State::Greeting { hello, .. } if re.is_none_or(|re| re == hello));
        if !is_greeting {
            self.outputs.push_back(Output::Event(Event::Refused(re, failure)));
        } else if self.session.is_some() && failure.code == ErrorCode::Unauthorized {
            // Our secret is not (or no longer) the right one: join without it.
            self.session = None;
            self.hang_up(now);
        } else {
            self.end(End::Refused(failure));
        }
    }

    fn bye(&mut self, now: Instant, bye: Bye) {
        let Bye { action, code, message, retry_after_ms, .. } = bye;
        if action == ByeAction::Stop {
            return self.end(End::Bye { code, message });
        }
        if action == ByeAction::Rejoin {
            self.session = None;
        }
        self.outputs.push_back(Output::Disconnect);
        let pause = Duration::from_millis(u64::from(retry_after_ms.unwrap_or(0))).max(self.backoff.next());
        self.wait(now, now + pause);
    }

    /// Gives the connection up, and tries another.
    fn hang_up(&mut self, now: Instant) {
        self.outputs.push_back(Output::Disconnect);
        self.lost(now);
    }

    fn lost(&mut self, now: Instant) {
        match self.state {
            State::Ended | State::Waiting { .. } | State::Idle => return,
            _ if self.is_leaving => return self.end(End::left()),
            // The very first attempt: whoever asked for it wants to know.
            State::Connecting { .. } | State::Greeting { .. } if self.roster.me().is_none() => {
                return self.end(End::Unreachable);
            }
            _ => {}
        }
        let pause = self.backoff.next();
        self.wait(now, now + pause);
    }

    fn wait(&mut self, now: Instant, until: Instant) {
        let give_up = match self.state {
            State::Waiting { give_up, .. } | State::Connecting { give_up } | State::Greeting { give_up, .. } => give_up,
            State::Idle | State::Inside(_) | State::Ended => {
                self.outputs.push_back(Output::Event(Event::Reconnecting));
                now + GIVE_UP
            }
        };
        if until > give_up {
            return self.end(End::Unreachable);
        }
        self.state = State::Waiting { until, give_up };
    }

    fn end(&mut self, why: End) {
        self.state = State::Ended;
        self.outputs.push_back(Output::Disconnect);
        self.outputs.push_back(Output::Event(Event::Ended(why)));
    }

    fn event(&mut self, message: ServerMessage) {
        let mut events = Vec::new();
        match message {
            ServerMessage::Participant(event) => self.roster.participant(event, &mut events),
            ServerMessage::Track(event) => self.roster.track_event(event, &mut events),
            ServerMessage::Link(event) => self.roster.link_event(event, &mut events),
            ServerMessage::Negotiate(negotiate) => events.push(Event::Negotiate(negotiate)),
            ServerMessage::Desc(description) => events.push(Event::Description(description)),
            ServerMessage::Ice(ice) => events.push(Event::Candidate(ice)),
            ServerMessage::Bitrate(bitrate) => events.push(Event::Bitrate(bitrate)),
            ServerMessage::Delivery(delivery) => events.push(Event::Delivery(delivery)),
            ServerMessage::Mix(event) => events.push(Event::Mix(event.mix)),
            ServerMessage::MixState(state) => events.push(Event::MixState(state)),
            ServerMessage::Speakers(speakers) => events.push(Event::Speakers(speakers)),
            ServerMessage::Quality(quality) => events.push(Event::Quality(quality)),
            ServerMessage::Chat(chat) => events.push(Event::Chat(chat)),
            ServerMessage::Data(data) => events.push(Event::Data(data)),
            ServerMessage::Room(room) => events.push(Event::Room(room)),
            ServerMessage::Topology(topology) => events.push(Event::Topology(topology)),
            ServerMessage::IceServers(servers) => events.push(Event::IceServers(servers.ice_servers)),
            ServerMessage::Token(fresh) => self.settings.token = Some(fresh.token),
            ServerMessage::Ok(_)
            | ServerMessage::Welcome(_)
            | ServerMessage::Resumed(_)
            | ServerMessage::Error(_)
            | ServerMessage::Bye(_)
            | ServerMessage::Pong(_) => {}
        }
        self.outputs.extend(events.into_iter().map(Output::Event));
    }
}

fn to_text(frame: &ClientFrame) -> String {
    serde_json::to_string(frame).expect("a message has string keys and no failing serialisers")
}
