//! Native participants on a running server, and somebody on the wire between them and it.

#![allow(dead_code, reason = "each test file uses its part")]

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use futures_util::StreamExt;
use madang_client::{
    clip::{Hertz, Layer, tone},
    participant::{Config, Content, Event, Ice, Input, Output, Participant, Publication, Transport},
    signaling::{self, Settings},
    stamp::Clock,
};
use madang_protocol::{Capabilities, Codecs, RoomName, Topology, TopologyPolicy, TrackId, TrackSource};
use madang_server::Server;
use parking_lot::Mutex;
use tokio::{net::UdpSocket, task::JoinHandle, time::sleep_until};
use tokio_tungstenite::tungstenite::Message;

use crate::support::Client;

/// Datagrams that are kept, of each kind.
const KEPT: usize = 500;

pub(crate) async fn socket() -> UdpSocket {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port on loopback")
}

/// Somebody on the way between one participant and the server, who reads all, and can send in the
/// participant's name: to the server, the participant is at this address.
pub(crate) struct Wire {
    inside: SocketAddr,
    pub(crate) outside: UdpSocket,
    pub(crate) server: SocketAddr,
    kept: Mutex<Kept>,
    /// Packets of media that the participant has sent.
    pub(crate) media: AtomicU64,
}

/// What the participant has sent (RFC 7983 §7).
#[derive(Clone, Default)]
pub(crate) struct Kept {
    pub(crate) checks: Vec<Vec<u8>>,
    pub(crate) dtls: Vec<Vec<u8>>,
    pub(crate) media: Vec<Vec<u8>>,
}

impl Wire {
    async fn tap(server: SocketAddr) -> Arc<Self> {
        let inside = socket().await;
        let wire = Self {
            inside: inside.local_addr().expect("bound"),
            outside: socket().await,
            server,
            kept: Mutex::default(),
            media: AtomicU64::new(0),
        };
        let wire = Arc::new(wire);
        tokio::spawn(wire.clone().pass(inside));
        wire
    }

    async fn pass(self: Arc<Self>, inside: UdpSocket) {
        let (mut up, mut down) = ([0; 2000], [0; 2000]);
        let mut participant = None;
        loop {
            tokio::select! {
                Ok((length, from)) = inside.recv_from(&mut up) => {
                    participant = Some(from);
                    self.note(&up[..length]);
                    let _ = self.outside.send_to(&up[..length], self.server).await;
                }
                Ok((length, _)) = self.outside.recv_from(&mut down) => {
                    if let Some(participant) = participant {
                        let _ = inside.send_to(&down[..length], participant).await;
                    }
                }
            }
        }
    }

    fn note(&self, data: &[u8]) {
        let mut kept = self.kept.lock();
        let list = match data {
            [0..=3, ..] => &mut kept.checks,
            [20..=63, ..] => &mut kept.dtls,
            // RFC 5761 §4: no RTCP.
            [128..=191, kind, ..] if !(64..96).contains(&(kind & 0x7f)) => {
                self.media.fetch_add(1, Relaxed);
                &mut kept.media
            }
            _ => return,
        };
        if list.len() < KEPT {
            list.push(data.to_vec());
        }
    }

    pub(crate) fn kept(&self) -> Kept {
        self.kept.lock().clone()
    }
}

/// What a participant has seen.
#[derive(Default)]
struct Seen {
    /// By track: when the last frame came, and the longest time between two.
    frames: HashMap<TrackId, (Instant, Duration)>,
    /// Whatever must not happen.
    faults: Vec<String>,
}

/// Publishes a picture in three sizes and a tone, and receives.
pub(crate) struct Person {
    pub(crate) wire: Arc<Wire>,
    seen: Arc<Mutex<Seen>>,
    life: JoinHandle<()>,
}

impl Person {
    /// Begins to join a room that the server forwards.
    pub(crate) async fn join(server: &Server, room: &str, name: &str) -> Self {
        Self::join_by(server, room, name, (Topology::Sfu, TopologyPolicy::Sfu)).await
    }

    /// The same for a room that the server mixes.
    pub(crate) async fn join_mixed(server: &Server, room: &str, name: &str) -> Self {
        Self::join_by(server, room, name, (Topology::Mcu, TopologyPolicy::Mcu)).await
    }

    async fn join_by(server: &Server, room: &str, name: &str, topology: (Topology, TopologyPolicy)) -> Self {
        let wire = Wire::tap(server.addresses().media[0]).await;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let address = wire.outside.local_addr().expect("bound");
        let participant = Participant::new(config(room, name, address, topology), Instant::now());
        let client = Client::connect(server).await;
        let life = tokio::spawn(live(participant, client, wire.clone(), seen.clone()));
        Self { wire, seen, life }
    }

    /// Waits until it has sent a check of connectivity, and gives that back.
    pub(crate) async fn check(&self) -> Vec<u8> {
        for _ in 0..200 {
            if let Some(check) = self.wire.kept().checks.pop() {
                return check;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("no check; {:?}", self.faults());
    }

    /// Waits until so many tracks come.
    pub(crate) async fn watches(&self, tracks: usize) {
        for _ in 0..200 {
            if self.seen.lock().frames.len() >= tracks {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let seen = self.seen.lock();
        panic!("{} tracks of {tracks} came; {:?}", seen.frames.len(), seen.faults);
    }

    /// Is gone, without a word.
    pub(crate) async fn vanish(self) {
        self.life.abort();
        let _ = self.life.await;
    }

    /// The tracks that came.
    pub(crate) fn tracks(&self) -> usize {
        self.seen.lock().frames.len()
    }

    /// Forgets the gaps so far.
    pub(crate) fn begin(&self) {
        let now = Instant::now();
        self.seen.lock().frames.values_mut().for_each(|track| *track = (now, Duration::ZERO));
    }

    /// The longest time without a frame of a track since then, be it over or not.
    pub(crate) fn longest_gap(&self) -> Duration {
        let seen = self.seen.lock();
        let gaps = seen.frames.values().map(|(last, longest)| (*longest).max(last.elapsed()));
        gaps.max().expect("tracks that come")
    }

    pub(crate) fn faults(&self) -> Vec<String> {
        self.seen.lock().faults.clone()
    }
}

fn config(room: &str, name: &str, address: SocketAddr, (topology, policy): (Topology, TopologyPolicy)) -> Config {
    let codecs = Codecs { audio: vec!["OPUS".into()], video: vec!["VP8".into()] };
    let camera = Content::Pattern(Layer::ALL.to_vec());
    let microphone = Content::Clip(Arc::new(tone(Hertz(440)).expect("a tone")));
    let publication = |cid: &str, source, content| Publication { cid: cid.into(), source, content };
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Config {
        signaling: Settings {
            room: Some(RoomName(room.into())),
            name: name.into(),
            capabilities: Capabilities { codecs, simulcast: true, topologies: vec![topology] },
            topology: Some(policy),
            ..Settings::default()
        },
        publications: vec![
            publication("camera", TrackSource::Camera, camera),
            publication("microphone", TrackSource::Microphone, microphone),
        ],
        hosts: vec![address],
        ice: Ice::default(),
        certificate: None,
        clock: Clock::new(Instant::now(), since_1970),
        adapts: false,
        wants_frames: true,
        seed: u64::from(address.port()),
    }
}

async fn live(mut participant: Participant, mut client: Client, wire: Arc<Wire>, seen: Arc<Mutex<Seen>>) {
    let (server, here) = (wire.server, wire.outside.local_addr().expect("bound"));
    let socket = socket().await;
    let mut datagram = [0; 2000];
    participant.handle_input(Instant::now(), Input::Timeout);
    loop {
        let next = match participant.poll_output() {
            Output::Connect => {
                participant.handle_input(Instant::now(), Input::Signaling(signaling::Input::Connected));
                continue;
            }
            Output::Send(text) => {
                client.say_text(text).await;
                continue;
            }
            Output::Disconnect => return seen.lock().faults.push("it hangs up".into()),
            Output::Transmit(transmit) => {
                let _ = socket.send_to(&transmit.data, wire.inside).await;
                continue;
            }
            // Links to the server go without a relay here.
            Output::Stream(..) => continue,
            Output::Event(event) => {
                note(&mut seen.lock(), event);
                continue;
            }
            Output::Timeout(at) => at.unwrap_or_else(|| Instant::now() + Duration::from_secs(1)),
        };
        tokio::select! {
            message = client.socket.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    participant.handle_input(Instant::now(), Input::Signaling(signaling::Input::Message(&text)));
                }
                Some(Ok(_)) => {}
                _ => return seen.lock().faults.push("the WebSocket is gone".into()),
            },
            Ok((length, _)) = socket.recv_from(&mut datagram) => {
                let (transport, data) = (Transport::Udp, &datagram[..length]);
                participant.handle_input(Instant::now(), Input::Receive { transport, from: server, to: here, data });
            }
            () = sleep_until(next.into()) => participant.handle_input(Instant::now(), Input::Timeout),
        }
    }
}

fn note(seen: &mut Seen, event: Event) {
    let now = Instant::now();
    match event {
        Event::Frame(track, ..) => {
            let (last, longest) = seen.frames.entry(track).or_insert((now, Duration::ZERO));
            *longest = (*longest).max(now - std::mem::replace(last, now));
        }
        Event::LinkFailed(_, why) => seen.faults.push(format!("a link failed: {why}")),
        Event::Signaling(
            event @ (signaling::Event::Reconnecting
            | signaling::Event::Ended(_)
            | signaling::Event::Refused(..)
            | signaling::Event::LinkClosed(_)),
        ) => seen.faults.push(format!("{event:?}")),
        _ => {}
    }
}

/// The longest time for which this machine itself did nothing: what is measured in real time
/// can't be better than that.
pub(crate) struct Stalls(Arc<Mutex<Duration>>);

impl Stalls {
    pub(crate) fn watch() -> Self {
        let longest = Arc::new(Mutex::new(Duration::ZERO));
        let noted = longest.clone();
        std::thread::spawn(move || {
            let step = Duration::from_millis(10);
            while Arc::strong_count(&noted) > 1 {
                let began = Instant::now();
                std::thread::sleep(step);
                let late = began.elapsed() - step;
                let mut longest = noted.lock();
                *longest = (*longest).max(late);
            }
        });
        Self(longest)
    }

    pub(crate) fn longest(&self) -> Duration {
        *self.0.lock()
    }
}
