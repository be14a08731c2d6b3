//! Janus's VideoRoom over its WebSocket interface: a handle for each publisher, and one for each
//! subscriber, which gets all others' tracks on one PeerConnection (Janus 1.x, multistream).

use std::{
    collections::BTreeMap,
    io,
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use madang_media::session::SessionError;
use madang_protocol::{Mid, TrackId};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{
    self, Message, WebSocket,
    client::{IntoClientRequest, client},
    http::{HeaderValue, Uri},
};

use super::{
    engine::{Engine, Failure},
    signaling::{Participant, Signaling, Track},
};

const ROOM: u64 = 1234;
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection with one session of Janus's.
pub(crate) struct Janus {
    socket: WebSocket<TcpStream>,
    session: u64,
    transactions: u64,
}

impl Janus {
    /// Connects to `ws://address:port` and makes a room for so many publishers.
    pub(crate) fn connect(url: &str, publishers: usize) -> Result<Self, Failure> {
        let uri: Uri = url.parse()?;
        let address = format!("{}:{}", uri.host().ok_or("no host")?, uri.port_u16().unwrap_or(8188));
        let stream = TcpStream::connect(address.parse::<SocketAddr>()?)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut request = url.into_client_request()?;
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("janus-protocol"));
        let (socket, _) = client(request, stream).map_err(|why| why.to_string())?;
        let mut janus = Self { socket, session: 0, transactions: 0 };
        janus.session = id(&janus.ask(json!({ "janus": "create" }))?)?;
        let handle = janus.attach()?;
        let room = json!({
            "request": "create", "room": ROOM, "publishers": publishers, "videocodec": "vp8", "audiocodec": "opus",
        });
        janus.message(handle, room, None)?;
        Ok(janus)
    }

    fn attach(&mut self) -> Result<u64, Failure> {
        id(&self.ask(json!({ "janus": "attach", "plugin": "janus.plugin.videoroom" }))?)
    }

    /// A request to the plugin, and its answer.
    fn message(&mut self, handle: u64, body: Value, jsep: Option<Value>) -> Result<Value, Failure> {
        let mut request = json!({ "janus": "message", "handle_id": handle, "body": body });
        if let Some(jsep) = jsep {
            request["jsep"] = jsep;
        }
        let answer = self.ask(request)?;
        match answer["plugindata"]["data"]["error"].as_str() {
            Some(why) => Err(format!("Janus: {why}").into()),
            None => Ok(answer),
        }
    }

    /// The same, repeated for a while: a feed is not there at once when its publisher is connected.
    fn message_again(&mut self, handle: u64, body: &Value) -> Result<Value, Failure> {
        for _ in 0..50 {
            if let Ok(answer) = self.message(handle, body.clone(), None) {
                return Ok(answer);
            }
            thread::sleep(Duration::from_millis(100));
        }
        self.message(handle, body.clone(), None)
    }

    fn ask(&mut self, mut request: Value) -> Result<Value, Failure> {
        self.transactions += 1;
        let transaction = self.transactions.to_string();
        request["transaction"] = transaction.as_str().into();
        if self.session != 0 {
            request["session_id"] = self.session.into();
        }
        self.socket.send(Message::text(request.to_string()))?;
        let begun = Instant::now();
        loop {
            let answer = self.read()?;
            let is_answer = answer["transaction"] == transaction.as_str();
            match answer["janus"].as_str() {
                Some("ack") => {}
                Some("error") if is_answer => return Err(format!("Janus: {}", answer["error"]["reason"]).into()),
                _ if is_answer => return Ok(answer),
                _ => {}
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("Janus gives no answer to {request}").into());
            }
        }
    }

    fn read(&mut self) -> Result<Value, Failure> {
        loop {
            if let Message::Text(text) = self.socket.read()? {
                return Ok(serde_json::from_str(&text)?);
            }
        }
    }

    /// Returns the feed's number.
    fn publish(&mut self, engine: &Engine, participant: &Participant) -> Result<u64, Failure> {
        let handle = self.attach()?;
        let join = json!({ "request": "join", "ptype": "publisher", "room": ROOM, "display": participant.name });
        let feed = self.message(handle, join, None)?["plugindata"]["data"]["id"].as_u64().ok_or("no feed")?;
        let tracks = participant.tracks.clone();
        let (client, offer, lines) = engine.call(move |clients, now| -> Result<_, Failure> {
            let id = clients.open(now)?;
            let session = &mut clients.client(id).session;
            let add = |track: &Track| session.send_layers(name_of(track), track.kind, track.rids());
            let lines: Vec<_> = tracks.iter().filter_map(add).collect();
            let offer = session.offer().ok_or("nothing to offer")?;
            Ok((id, offer, lines))
        })??;
        let jsep = json!({ "type": "offer", "sdp": offer.sdp });
        let answer = self.message(handle, json!({ "request": "publish" }), Some(jsep))?;
        let sdp = answer["jsep"]["sdp"].as_str().ok_or("Janus gives no answer to an offer")?.to_owned();
        let tracks = participant.tracks.clone();
        engine.call(move |clients, now| -> Result<_, Failure> {
            clients.client(client).session.answer(offer.n, &sdp)?;
            clients.tend(client, now);
            for (track, line) in tracks.iter().zip(lines) {
                clients.publish(client, line, track.first, &track.plans, now)?;
            }
            Ok(())
        })??;
        Ok(feed)
    }

    fn subscribe(&mut self, engine: &Engine, feeds: &[u64]) -> Result<(), Failure> {
        let handle = self.attach()?;
        let streams: Vec<Value> = feeds.iter().map(|feed| json!({ "feed": feed })).collect();
        let join = json!({ "request": "join", "ptype": "subscriber", "room": ROOM, "streams": streams });
        let attached = self.message_again(handle, &join)?;
        let sdp = attached["jsep"]["sdp"].as_str().ok_or("Janus makes no offer")?.to_owned();
        let answer = engine.call(move |clients, now| -> Result<_, Failure> {
            let id = clients.open(now)?;
            let answer = accept(&mut clients.client(id).session, &sdp)?;
            clients.tend(id, now);
            Ok(answer)
        })??;
        let jsep = json!({ "type": "answer", "sdp": answer });
        self.message(handle, json!({ "request": "start" }), Some(jsep))?;
        Ok(())
    }
}

/// Any names do for the tracks of another server's offer: packets are told apart by their marks.
fn accept(session: &mut madang_media::session::Session, sdp: &str) -> Result<String, SessionError> {
    let mids = sdp.lines().filter_map(|line| line.strip_prefix("a=mid:"));
    let tracks: BTreeMap<Mid, TrackId> =
        mids.map(|mid| (Mid(mid.trim().to_owned()), TrackId::from(format!("t_{}", mid.trim()).as_str()))).collect();
    session.accept(sdp, &tracks).map(|(answer, _)| answer)
}

fn name_of(track: &Track) -> TrackId {
    TrackId::from(format!("t_{}", track.first.0).as_str())
}

fn id(answer: &Value) -> Result<u64, Failure> {
    answer["data"]["id"].as_u64().ok_or_else(|| format!("Janus has no number for it: {answer}").into())
}

impl Signaling for Janus {
    fn join(&mut self, engine: &Engine, participants: &[Participant]) -> Result<(), Failure> {
        let mut feeds = Vec::new();
        for (index, participant) in participants.iter().enumerate().filter(|(_, each)| !each.tracks.is_empty()) {
            feeds.push((index, self.publish(engine, participant)?));
        }
        engine.wait_until_connected()?;
        for (index, _) in participants.iter().enumerate().filter(|(_, each)| each.receives) {
            let others: Vec<u64> = feeds.iter().filter(|(of, _)| *of != index).map(|(_, feed)| *feed).collect();
            self.subscribe(engine, &others)?;
        }
        Ok(())
    }

    fn tend(&mut self) -> Result<(), Failure> {
        self.socket.get_ref().set_nonblocking(true)?;
        let ended = loop {
            match self.socket.read() {
                Ok(_) => {}
                Err(tungstenite::Error::Io(why)) if why.kind() == io::ErrorKind::WouldBlock => break Ok(()),
                Err(why) => break Err(why),
            }
        };
        self.socket.get_ref().set_nonblocking(false)?;
        Ok(ended?)
    }
}
