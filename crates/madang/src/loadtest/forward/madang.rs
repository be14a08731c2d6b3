//! madang's own signaling: each participant has a WebSocket and a thread that reads it.

use std::{
    collections::BTreeMap,
    io,
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use madang_media::session::ClientLine;
use madang_protocol::{
    Ack, Capabilities, ClientFrame, ClientMessage, Codecs, Description, Hello, LinkEvent, OpenLink, Ping, PublishTrack,
    RoomName, SdpType, Seq, ServerFrame, ServerMessage, Subscribe, TopologyPolicy, TrackId, TrackKind, TrackSource,
    VERSION,
};
use tokio_tungstenite::tungstenite::{
    self, Message, WebSocket,
    client::{IntoClientRequest, client},
    http::{HeaderValue, Uri},
};

use super::{
    engine::{ClientId, Engine, Failure},
    signaling::{Participant, Signaling, Track},
};

/// Time for all offers once the last participant has come.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two joins, so that handshakes don't all fall into the same moment.
const SPACING: Duration = Duration::from_millis(20);
/// Events between two acknowledgements.
const ACK_EVENTS: u64 = 32;

/// What the threads of a run share.
struct Run {
    url: String,
    address: SocketAddr,
    room: RoomName,
    stop: AtomicBool,
    /// Lines that are in use, of all participants together.
    lines: AtomicUsize,
    failure: Mutex<Option<String>>,
}

/// A room on a server.
pub(crate) struct Madang {
    run: Arc<Run>,
}

impl Madang {
    /// `url` is `ws://address:port/v1/ws`.
    pub(crate) fn new(url: &str) -> Result<Self, Failure> {
        let uri: Uri = url.parse()?;
        let address = format!("{}:{}", uri.host().ok_or("no host")?, uri.port_u16().unwrap_or(80));
        let run = Run {
            url: url.to_owned(),
            address: address.parse()?,
            room: RoomName(format!("forward-{}", std::process::id())),
            stop: AtomicBool::new(false),
            lines: AtomicUsize::new(0),
            failure: Mutex::new(None),
        };
        Ok(Self { run: Arc::new(run) })
    }

    fn check(&self) -> Result<(), Failure> {
        let failure = self.run.failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        failure.map_or(Ok(()), |why| Err(why.into()))
    }
}

impl Signaling for Madang {
    fn join(&mut self, engine: &Engine, participants: &[Participant]) -> Result<(), Failure> {
        let all: usize = participants.iter().map(|each| each.tracks.len()).sum();
        let mut expected = all;
        for participant in participants {
            if participant.receives {
                expected += all - participant.tracks.len();
            }
            let (run, engine, participant) = (self.run.clone(), engine.clone(), participant.clone());
            thread::Builder::new().name(participant.name.clone()).stack_size(256 << 10).spawn(move || {
                let done = Member::join(&run, engine, &participant).and_then(|mut member| member.stay());
                if let Err(why) = done {
                    let mut failure = run.failure.lock().unwrap_or_else(PoisonError::into_inner);
                    failure.get_or_insert(format!("{}: {why}", participant.name));
                }
            })?;
            thread::sleep(SPACING);
        }
        let begun = Instant::now();
        loop {
            self.check()?;
            let lines = self.run.lines.load(Relaxed);
            if lines >= expected {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("{lines} of {expected} tracks were negotiated within {PATIENCE:?}").into());
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn tend(&mut self) -> Result<(), Failure> {
        self.check()
    }
}

impl Drop for Madang {
    fn drop(&mut self) {
        self.run.stop.store(true, Relaxed);
    }
}

/// One participant.
struct Member<'a> {
    run: &'a Run,
    engine: Engine,
    socket: WebSocket<TcpStream>,
    participant: &'a Participant,
    /// Its own tracks by the server's names.
    own: BTreeMap<TrackId, Track>,
    link: Option<(OpenLink, ClientId)>,
    /// Tracks that are sent or received.
    in_use: Vec<TrackId>,
    last_s: Seq,
    acknowledged: Seq,
    ping_due: Instant,
}

impl<'a> Member<'a> {
    fn join(run: &'a Run, engine: Engine, participant: &'a Participant) -> Result<Self, Failure> {
        let stream = TcpStream::connect(run.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        let mut request = run.url.as_str().into_client_request()?;
        let protocol = HeaderValue::from_static(madang_protocol::SUBPROTOCOL);
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let (socket, _) = client(request, stream).map_err(|why| why.to_string())?;
        let mut member = Self {
            run,
            engine,
            socket,
            participant,
            own: BTreeMap::new(),
            link: None,
            in_use: Vec::new(),
            last_s: Seq(0),
            acknowledged: Seq(0),
            ping_due: Instant::now() + PING,
        };
        member.say(ClientMessage::Hello(hello(run, participant)))?;
        Ok(member)
    }

    fn say(&mut self, message: ClientMessage) -> Result<(), Failure> {
        let text = serde_json::to_string(&ClientFrame { id: None, message })?;
        Ok(self.socket.send(Message::text(text))?)
    }

    fn stay(&mut self) -> Result<(), Failure> {
        while !self.run.stop.load(Relaxed) {
            match self.socket.read() {
                Ok(Message::Text(text)) => self.hear(serde_json::from_str(&text)?)?,
                Ok(_) => {}
                // Only the time-out of the read, so that it looks around now and then.
                Err(tungstenite::Error::Io(why))
                    if matches!(why.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                Err(why) => return Err(why.into()),
            }
            if self.ping_due <= Instant::now() {
                self.ping_due = Instant::now() + PING;
                self.say(ClientMessage::Ping(Ping::default()))?;
            }
        }
        Ok(())
    }

    fn hear(&mut self, frame: ServerFrame) -> Result<(), Failure> {
        if let Some(s) = frame.s {
            self.last_s = s;
        }
        match frame.message {
            ServerMessage::Welcome(welcome) => {
                self.last_s = welcome.last_s;
                self.acknowledged = welcome.last_s;
                for info in welcome.me.tracks {
                    let place: usize = info.cid.parse()?;
                    let track = self.participant.tracks.get(place).ok_or("a track of nobody's")?;
                    self.own.insert(info.id, track.clone());
                }
                welcome.links.into_iter().try_for_each(|link| self.open(link))?;
            }
            ServerMessage::Link(LinkEvent::Open(link)) => self.open(link)?,
            ServerMessage::Desc(desc) if desc.kind == SdpType::Offer => self.answer(desc)?,
            ServerMessage::Ice(ice) => self.candidate(ice)?,
            ServerMessage::Error(failure) => {
                return Err(format!("{}: {}", failure.code.as_str(), failure.message).into());
            }
            ServerMessage::Bye(bye) => return Err(format!("the server says goodbye: {bye:?}").into()),
            _ => {}
        }
        if self.last_s.0 >= self.acknowledged.0 + ACK_EVENTS {
            self.acknowledged = self.last_s;
            self.say(ClientMessage::Ack(Ack { s: self.last_s }))?;
        }
        Ok(())
    }

    fn open(&mut self, link: OpenLink) -> Result<(), Failure> {
        if link.peer.is_some() {
            return Err("the room is a mesh".into());
        }
        let client = self.engine.call(|clients, now| clients.open(now))??;
        self.link = Some((link, client));
        Ok(())
    }

    fn candidate(&mut self, ice: madang_protocol::Ice) -> Result<(), Failure> {
        let Some((link, client)) = &self.link else { return Ok(()) };
        let (Some(candidate), client) = (ice.candidate, *client) else { return Ok(()) };
        if ice.link != link.link {
            return Ok(());
        }
        self.engine.call(move |clients, now| {
            clients.client(client).session.candidate(&candidate);
            clients.tend(client, now);
        })
    }

    fn answer(&mut self, desc: Description) -> Result<(), Failure> {
        let Some((_, client)) = self.link.clone().filter(|(link, _)| link.link == desc.link) else { return Ok(()) };
        let own = self.own.clone();
        let in_use = self.in_use.clone();
        let Description { link, epoch, n, sdp, tracks, .. } = desc;
        let (answer, lines) = self.engine.call(move |clients, now| -> Result<_, Failure> {
            let (answer, lines) = clients.client(client).session.accept(&sdp, &tracks)?;
            clients.tend(client, now);
            for line in lines.iter().filter(|line| line.sends) {
                let track = line.track.as_ref().filter(|track| !in_use.contains(track));
                if let Some(track) = track.and_then(|track| own.get(track)) {
                    clients.publish(client, line.line, track.first, &track.plans, now)?;
                }
            }
            Ok((answer, lines))
        })??;
        let tracks = BTreeMap::new();
        let kind = SdpType::Answer;
        self.say(ClientMessage::Desc(Description { link, epoch, n, kind, sdp: answer, tracks, from: None }))?;
        lines.into_iter().try_for_each(|line| self.use_line(line))
    }

    /// Counts a track once, and wants pictures whole.
    fn use_line(&mut self, line: ClientLine) -> Result<(), Failure> {
        let Some(track) = line.track.filter(|track| !self.in_use.contains(track)) else { return Ok(()) };
        self.in_use.push(track.clone());
        if line.sends || self.participant.receives {
            self.run.lines.fetch_add(1, Relaxed);
        }
        if line.sends || line.kind == TrackKind::Audio {
            return Ok(());
        }
        let (width, height) = (Some(1280), Some(720));
        let on = self.participant.receives;
        self.say(ClientMessage::Subscribe(Subscribe { track, on, width, height, fps: None, priority: 0 }))
    }
}

const PING: Duration = Duration::from_secs(15);

fn hello(run: &Run, participant: &Participant) -> Hello {
    let codecs = Codecs { audio: vec!["OPUS".into()], video: vec!["VP8".into()] };
    let tracks = participant.tracks.iter().enumerate().map(|(place, track)| PublishTrack {
        cid: place.to_string(),
        kind: track.kind,
        source: if track.kind == TrackKind::Audio { TrackSource::Microphone } else { TrackSource::Camera },
        muted: false,
        simulcast: track.plans.len() > 1,
        codecs: vec![],
        width: None,
        height: None,
    });
    Hello {
        versions: vec![VERSION],
        token: None,
        room: run.room.clone(),
        name: participant.name.clone(),
        capabilities: Capabilities { codecs, simulcast: true, ..Capabilities::default() },
        tracks: tracks.collect(),
        topology: Some(TopologyPolicy::Sfu),
        resume: None,
    }
}
