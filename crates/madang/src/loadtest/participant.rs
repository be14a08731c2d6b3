//! One simulated participant: it joins, stays, pings, acknowledges and, if it is an active one, relays
//! messages to the participant at the other end of its first link.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use madang_protocol::{
    Ack, Capabilities, ClientFrame, ClientMessage, Codecs, DataMessage, Description, Failure, Hello, Ice, IceCandidate,
    LinkEvent, Negotiation, Offerer, OpenLink, Ping, RoomName, SdpType, Seq, ServerFrame, ServerMessage,
    TopologyPolicy, VERSION,
};
use tokio::{
    net::{TcpSocket, TcpStream},
    sync::watch,
    time::{Interval, MissedTickBehavior, interval_at},
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{self, Message, client::IntoClientRequest, http::HeaderValue, protocol::WebSocketConfig},
};

use super::{histogram::Histogram, signal::Kind};

/// Events between two acknowledgements.
const ACK_EVENTS: u64 = 32;
/// A join that takes longer has failed.
const JOIN: Duration = Duration::from_secs(30);
/// Marks when a relayed message was sent, in nanoseconds of the run.
const STAMP: &str = " sent=";

/// What all participants of a run share.
pub(crate) struct Run {
    pub(crate) url: String,
    pub(crate) address: SocketAddr,
    /// Loopback addresses to come from; 0 leaves it to the system.
    pub(crate) sources: u32,
    pub(crate) start: Instant,
    /// Tells rooms of this run from those of others.
    pub(crate) name: u32,
    pub(crate) room_size: usize,
    pub(crate) token: Option<String>,
    pub(crate) kind: Kind,
    /// Between two messages of one active participant.
    pub(crate) period: Duration,
    /// Whether messages are to be relayed now.
    pub(crate) relaying: watch::Sender<bool>,
    pub(crate) joins: Histogram,
    pub(crate) latencies: Histogram,
    pub(crate) inside: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) delivered: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) lost: AtomicU64,
}

impl Run {
    fn note_error(&self, failure: &Failure) {
        if self.errors.fetch_add(1, Relaxed) == 0 {
            eprintln!("the first error: {}: {}", failure.code.as_str(), failure.message);
        }
    }
}

type Socket = WebSocketStream<TcpStream>;

struct Participant {
    run: Arc<Run>,
    socket: Socket,
    is_active: bool,
    link: Option<OpenLink>,
    /// A description has gone over the link, so candidates may.
    described: bool,
    last_s: Seq,
    acknowledged: Seq,
    ping_interval: Duration,
}

/// Lives until the task is dropped or the server ends it.
pub(crate) async fn live(run: Arc<Run>, index: usize, is_active: bool) {
    let began = Instant::now();
    let joined = tokio::time::timeout(JOIN, join(run.clone(), index, is_active)).await;
    let participant = match joined.map_err(|_| tungstenite::Error::Io(io::ErrorKind::TimedOut.into())) {
        Ok(Ok(participant)) => participant,
        Ok(Err(why)) | Err(why) => {
            if run.failed.fetch_add(1, Relaxed) == 0 {
                eprintln!("the first connection that failed: {why}");
            }
            return;
        }
    };
    run.joins.record(began.elapsed());
    run.inside.fetch_add(1, Relaxed);
    if let Err(why) = participant.stay(index).await
        && run.lost.fetch_add(1, Relaxed) == 0
    {
        eprintln!("the first connection that was lost: {why}");
    }
    run.inside.fetch_sub(1, Relaxed);
}

async fn connect(run: &Run, index: usize) -> Result<Socket, tungstenite::Error> {
    let socket = if run.address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if run.sources > 0 {
        let offset = u32::try_from(index).unwrap_or_default() % run.sources;
        let source = Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() + offset);
        socket.bind(SocketAddr::new(IpAddr::V4(source), 0))?;
    }
    let stream = socket.connect(run.address).await?;
    stream.set_nodelay(true)?;
    let mut request = run.url.as_str().into_client_request()?;
    let protocol = HeaderValue::from_static(madang_protocol::SUBPROTOCOL);
    request.headers_mut().insert("sec-websocket-protocol", protocol);
    let config = WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(0);
    Ok(client_async_with_config(request, stream, Some(config)).await?.0)
}

async fn join(run: Arc<Run>, index: usize, is_active: bool) -> Result<Participant, tungstenite::Error> {
    let mut socket = connect(&run, index).await?;
    let hello = ClientMessage::Hello(hello(&run, index, is_active));
    socket.send(text(hello)).await?;
    loop {
        let frame = match socket.next().await {
            Some(Ok(Message::Text(text))) => parse(&text)?,
            Some(Ok(_)) => continue,
            Some(Err(why)) => return Err(why),
            None => return Err(tungstenite::Error::ConnectionClosed),
        };
        match frame.message {
            ServerMessage::Welcome(welcome) => {
                let mut participant = Participant {
                    is_active,
                    link: welcome.links.into_iter().next(),
                    described: false,
                    last_s: welcome.last_s,
                    acknowledged: welcome.last_s,
                    ping_interval: Duration::from_millis(u64::from(welcome.ping_interval_ms.max(1000))),
                    socket,
                    run,
                };
                participant.offer().await?;
                return Ok(participant);
            }
            ServerMessage::Error(failure) => {
                let why = format!("{}: {}", failure.code.as_str(), failure.message);
                return Err(tungstenite::Error::Io(io::Error::other(why)));
            }
            _ => {}
        }
    }
}

fn hello(run: &Run, index: usize, is_active: bool) -> Hello {
    let kind = if is_active { "busy" } else { "idle" };
    let codecs = Codecs { audio: vec!["OPUS".into()], video: vec!["VP8".into()] };
    Hello {
        versions: vec![VERSION],
        token: run.token.clone(),
        room: RoomName(format!("{kind}-{}-{}", run.name, index / run.room_size)),
        name: format!("load {index}"),
        capabilities: Capabilities { codecs, ..Capabilities::default() },
        tracks: vec![],
        // It measures what the server relays between people.
        topology: Some(TopologyPolicy::Mesh),
        resume: None,
    }
}

fn text(message: ClientMessage) -> Message {
    let frame = ClientFrame { id: None, message };
    Message::text(serde_json::to_string(&frame).expect("a message has string keys and no failing serialisers"))
}

fn parse(text: &str) -> Result<ServerFrame, tungstenite::Error> {
    serde_json::from_str(text).map_err(|why| tungstenite::Error::Io(io::Error::other(why)))
}

impl Participant {
    async fn stay(mut self, index: usize) -> Result<(), tungstenite::Error> {
        let mut pings = interval_at(spread(index, self.ping_interval), self.ping_interval);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut relaying = self.run.relaying.subscribe();
        relaying.mark_changed(); // It may have begun before this one listened.
        let mut relays: Option<Interval> = None;
        loop {
            tokio::select! {
                message = self.socket.next() => match message {
                    Some(Ok(Message::Text(text))) => self.hear(&text).await?,
                    Some(Ok(_)) => {}
                    Some(Err(why)) => return Err(why),
                    None => return Err(tungstenite::Error::ConnectionClosed),
                },
                _ = pings.tick() => self.socket.send(text(ClientMessage::Ping(Ping {}))).await?,
                Ok(()) = relaying.changed() => {
                    let period = self.run.period;
                    let begins = *relaying.borrow_and_update() && self.is_active;
                    relays = begins.then(|| interval_at(spread(index, period), period));
                }
                () = tick(&mut relays) => self.relay().await?,
            }
        }
    }

    /// Reads a frame. Relayed messages, which are nearly all, are not parsed whole: this
    /// process shares its processors with the server that it measures.
    async fn hear(&mut self, text: &str) -> Result<(), tungstenite::Error> {
        if let Some(sent) = stamp(text) {
            let now = self.run.start.elapsed();
            self.run.latencies.record(now.saturating_sub(Duration::from_nanos(sent)));
            self.run.delivered.fetch_add(1, Relaxed);
            self.last_s = Seq(self.last_s.0 + 1);
        } else {
            let frame = parse(text)?;
            if let Some(s) = frame.s {
                self.last_s = s;
            }
            self.take_in(frame.message).await?;
        }
        if self.last_s.0 - self.acknowledged.0 >= ACK_EVENTS {
            self.acknowledged = self.last_s;
            self.socket.send(self::text(ClientMessage::Ack(Ack { s: self.last_s }))).await?;
        }
        Ok(())
    }

    async fn take_in(&mut self, message: ServerMessage) -> Result<(), tungstenite::Error> {
        match message {
            ServerMessage::Link(LinkEvent::Open(link)) if self.link.is_none() => {
                self.link = Some(link);
                self.offer().await?;
            }
            ServerMessage::Desc(desc) if self.link.as_ref().is_some_and(|link| link.link == desc.link) => {
                self.described = true;
            }
            ServerMessage::Error(failure) => self.run.note_error(&failure),
            ServerMessage::Bye(bye) => return Err(tungstenite::Error::Io(io::Error::other(bye.message))),
            _ => {}
        }
        Ok(())
    }

    /// An offer, so that candidates belong to something. Only where messages will be relayed.
    async fn offer(&mut self) -> Result<(), tungstenite::Error> {
        let Some(link) = self.link.as_ref().filter(|link| link.offerer == Offerer::You) else { return Ok(()) };
        if !self.is_active || self.run.kind != Kind::Ice {
            return Ok(());
        }
        let offer = Description {
            link: link.link.clone(),
            epoch: link.epoch,
            n: Negotiation(1),
            kind: SdpType::Offer,
            sdp: "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=ice-ufrag:load\r\n".into(),
            tracks: Default::default(),
            from: None,
        };
        self.described = true;
        self.socket.send(text(ClientMessage::Desc(offer))).await
    }

    async fn relay(&mut self) -> Result<(), tungstenite::Error> {
        let Some(link) = self.link.as_ref() else { return Ok(()) };
        let message = match self.run.kind {
            Kind::Ice if !self.described => return Ok(()),
            Kind::Ice => ClientMessage::Ice(candidate(link, &self.stamp_now())),
            Kind::Data => ClientMessage::Data(DataMessage {
                payload: "bWFkYW5n".repeat(16),
                to: link.peer.iter().cloned().collect(),
                topic: Some(self.stamp_now()),
            }),
        };
        self.socket.send(text(message)).await?;
        self.run.sent.fetch_add(1, Relaxed);
        Ok(())
    }

    fn stamp_now(&self) -> String {
        format!("{STAMP}{}", self.run.start.elapsed().as_nanos())
    }
}

/// When this one of many begins something periodic, so that not all do at once.
fn spread(index: usize, period: Duration) -> tokio::time::Instant {
    // Multiples of the golden ratio fill the interval evenly, however many they are.
    let share = (index as f64 * 0.618_033_988_75).fract();
    tokio::time::Instant::now() + period.mul_f64(share)
}

/// The next tick, or never.
async fn tick(interval: &mut Option<Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}

fn candidate(link: &OpenLink, stamp: &str) -> Ice {
    let candidate = IceCandidate {
        candidate: format!("candidate:1 1 udp 2130706431 198.51.100.7 50000 typ host generation 0{stamp}"),
        sdp_mid: Some("0".into()),
        sdp_m_line_index: Some(0),
        username_fragment: Some("load".into()),
    };
    Ice { link: link.link.clone(), epoch: link.epoch, n: Negotiation(1), candidate: Some(candidate), from: None }
}

fn stamp(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once(STAMP)?;
    let digits = rest.split(|byte: char| !byte.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_found_in_what_was_relayed() {
        assert_eq!(stamp(r#"{"t":"data","s":7,"topic":" sent=123456"}"#), Some(123_456));
        assert_eq!(stamp(r#"{"candidate":"candidate:1 typ host sent=42","sdpMid":"0"}"#), Some(42));
        assert_eq!(stamp(r#"{"t":"pong"}"#), None);
        assert_eq!(stamp(r#"{"text":" sent=now"}"#), None);
    }
}
