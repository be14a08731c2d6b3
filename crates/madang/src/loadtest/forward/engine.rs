//! Many clients on one thread: sockets, timers, schedules. Signaling, on other threads, reaches
//! them by [`Engine::call`].

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    error::Error,
    io,
    net::IpAddr,
    os::fd::AsRawFd,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use madang_media::session::{Certificate, LayerId, Line};
use madang_udp::{ReceiveBatch, SendBatch};
use mio::{Events, Interest, Poll, Token, Waker, unix::SourceFd};

use super::{
    client::{Client, Shared},
    stream::{Plan, Stream, StreamId},
};
use crate::loadtest::histogram::Histogram;

const WAKE: Token = Token(usize::MAX);
/// A poller waits in whole milliseconds; what is due sooner is waited for by the thread itself.
const SHORT: Duration = Duration::from_millis(2);

/// Time for everybody to be connected once signaling is done.
const CONNECT: Duration = Duration::from_secs(30);

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// Which client of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientId(usize);

/// Why it wants to be called then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Session(usize),
    Packet(usize),
}

/// The clients, as the engine's thread has them.
pub(crate) struct Clients {
    poll: Poll,
    address: IpAddr,
    certificate: Certificate,
    pub(crate) all: Vec<Client>,
    receive: ReceiveBatch,
    pub(crate) shared: Shared,
    due: BinaryHeap<Reverse<(Instant, Due)>>,
    /// The session time-out that stands in `due` for each client.
    queued: Vec<Option<Instant>>,
    stopped: bool,
}

impl Clients {
    /// A new client, which has not said anything yet.
    pub(crate) fn open(&mut self, now: Instant) -> io::Result<ClientId> {
        let client = Client::open(self.address, &self.certificate, now)?;
        let descriptor = client.socket.as_raw_fd();
        let token = Token(self.all.len());
        self.poll.registry().register(&mut SourceFd(&descriptor), token, Interest::READABLE)?;
        self.all.push(client);
        self.queued.push(None);
        Ok(ClientId(self.all.len() - 1))
    }

    pub(crate) fn client(&mut self, id: ClientId) -> &mut Client {
        &mut self.all[id.0]
    }

    /// Sends a track in so many layers as there are plans, from `began` on.
    pub(crate) fn publish(
        &mut self,
        id: ClientId,
        line: Line,
        first: StreamId,
        plans: &[Plan],
        began: Instant,
    ) -> Result<(), Failure> {
        let client = &mut self.all[id.0];
        for (layer, plan) in (0_u8..).zip(plans) {
            let codec = if matches!(plan, Plan::Video { .. }) { "VP8" } else { "opus" };
            let payload_type = client.session.payload_type(codec).ok_or_else(|| format!("no {codec}"))?;
            let id = StreamId(first.0 + u16::from(layer));
            client.streams.push(Stream::new(id, (line, LayerId(layer)), payload_type, *plan, began));
        }
        self.due.push(Reverse((began, Due::Packet(id.0))));
        Ok(())
    }

    /// After anything that was done to a session: what it wants sent, and when it wants to be called.
    pub(crate) fn tend(&mut self, id: ClientId, now: Instant) {
        self.tick(id.0, now);
    }

    fn tick(&mut self, index: usize, now: Instant) {
        let Some(client) = self.all.get_mut(index) else { return };
        client.tick(now, &mut self.shared);
        self.queue(index);
    }

    fn queue(&mut self, index: usize) {
        let client = &self.all[index];
        if client.ended.is_none() && self.queued[index].is_none_or(|queued| client.due < queued) {
            self.queued[index] = Some(client.due);
            self.due.push(Reverse((client.due, Due::Session(index))));
        }
    }

    fn run_due(&mut self, now: Instant) {
        while let Some(Reverse((at, due))) = self.due.peek().copied().filter(|Reverse((at, _))| *at <= now) {
            self.due.pop();
            match due {
                Due::Session(index) if self.queued[index] == Some(at) => {
                    self.queued[index] = None;
                    if self.all[index].due <= now {
                        self.tick(index, now);
                    } else {
                        self.queue(index);
                    }
                }
                // A sooner one took its place.
                Due::Session(_) => {}
                Due::Packet(index) => {
                    let next = self.all[index].publish(now, &mut self.shared);
                    let next = next.unwrap_or(now + Duration::from_millis(10));
                    if self.all[index].ended.is_none() {
                        self.due.push(Reverse((next, Due::Packet(index))));
                    }
                    self.queue(index);
                }
            }
        }
    }

    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        let until = self.due.peek().map(|Reverse((at, _))| at.saturating_duration_since(Instant::now()));
        let wait = match until {
            Some(until) if until < SHORT => {
                thread::sleep(until);
                Duration::ZERO
            }
            // Rounded down, for the rest is waited for more exactly.
            Some(until) => Duration::from_millis(u64::try_from(until.as_millis()).unwrap_or(100).min(100) - 1),
            None => Duration::from_millis(100),
        };
        match self.poll.poll(events, Some(wait)) {
            Err(why) if why.kind() == io::ErrorKind::Interrupted => Ok(()),
            done => done,
        }
    }

    fn run(&mut self, calls: &mpsc::Receiver<Call>) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        while !self.stopped {
            self.wait(&mut events)?;
            for event in &events {
                if event.token() == WAKE {
                    for call in calls.try_iter() {
                        call(self, Instant::now());
                    }
                } else if let Some(client) = self.all.get_mut(event.token().0) {
                    client.receive(&mut self.receive, &mut self.shared);
                    self.queue(event.token().0);
                }
            }
            self.run_due(Instant::now());
        }
        Ok(())
    }
}

type Call = Box<dyn FnOnce(&mut Clients, Instant) + Send>;

/// The way to an engine's thread, for any thread.
#[derive(Clone)]
pub(crate) struct Engine {
    calls: mpsc::Sender<Call>,
    waker: Arc<Waker>,
}

impl Engine {
    /// An engine whose clients' sockets are all on one address.
    pub(crate) fn start(address: IpAddr) -> Result<(Self, JoinHandle<io::Result<()>>), Failure> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let mut clients = Clients {
            poll,
            address,
            certificate: Certificate::generate().ok_or("no certificate")?,
            all: Vec::new(),
            receive: ReceiveBatch::new(16, 0),
            shared: Shared {
                send: SendBatch::new(256 << 10, 256),
                delays: Histogram::new(),
                measuring: false,
                unsent: 0,
            },
            due: BinaryHeap::new(),
            queued: Vec::new(),
            stopped: false,
        };
        let (sender, calls) = mpsc::channel();
        let thread = thread::Builder::new().name("load".into()).spawn(move || clients.run(&calls))?;
        Ok((Self { calls: sender, waker }, thread))
    }

    /// Has something done on the engine's thread, and waits for what came of it.
    pub(crate) fn call<T: Send + 'static>(
        &self,
        what: impl FnOnce(&mut Clients, Instant) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let (answer, answered) = mpsc::sync_channel(1);
        let call: Call = Box::new(move |clients, now| {
            // Nobody waits for it only when the caller has failed.
            let _ = answer.send(what(clients, now));
        });
        self.calls.send(call).map_err(|_| "the load engine has ended")?;
        self.waker.wake()?;
        answered.recv().map_err(|_| "the load engine has ended".into())
    }

    /// Waits until every client that there is has ICE and DTLS behind it.
    pub(crate) fn wait_until_connected(&self) -> Result<(), Failure> {
        let begun = Instant::now();
        loop {
            let (waiting, ended) = self.call(|clients, _| {
                let waiting = clients.all.iter().filter(|client| !client.connected).count();
                (waiting, clients.all.iter().find_map(|client| client.ended.clone()))
            })?;
            if let Some(why) = ended {
                return Err(format!("a client was cut off: {why}").into());
            }
            if waiting == 0 {
                return Ok(());
            }
            if begun.elapsed() > CONNECT {
                return Err(format!("{waiting} clients are not connected after {CONNECT:?}").into());
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) -> Result<(), Failure> {
        self.call(|clients, _| clients.stopped = true)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, net::Ipv4Addr};

    use madang_protocol::{TrackId, TrackKind};

    use super::*;

    /// Connects a publisher of one track with somebody who receives it, without a server between.
    fn connect(engine: &Engine, plans: &'static [Plan]) -> Result<(), Failure> {
        engine.call(move |clients, now| -> Result<(), Failure> {
            let (from, to) = (clients.open(now)?, clients.open(now)?);
            let rids: &[&str] = if plans.len() > 1 { &["l", "h"] } else { &[] };
            let track = TrackId::from("t_own");
            let session = &mut clients.client(from).session;
            let line = session.send_layers(track.clone(), TrackKind::Video, rids).ok_or("no line")?;
            let offer = session.offer().ok_or("no offer")?;
            let (answer, _) = clients.client(to).session.accept(&offer.sdp, &BTreeMap::from_iter(offer.tracks))?;
            clients.client(from).session.answer(offer.n, &answer)?;
            clients.tend(from, now);
            clients.tend(to, now);
            clients.publish(from, line, StreamId(8), plans, now)
        })?
    }

    #[test]
    fn everything_published_arrives_once_in_every_layer_with_its_delay() {
        const SPREAD: Duration = Duration::from_millis(13);
        const PLANS: &[Plan] = &[
            Plan::Video { packets_per_second: 60, size: 200, spread: SPREAD, height: 180 },
            Plan::Video { packets_per_second: 150, size: 1160, spread: SPREAD, height: 720 },
        ];
        for plans in [&PLANS[..1], PLANS] {
            let (engine, thread) = Engine::start(Ipv4Addr::LOCALHOST.into()).expect("an engine");
            connect(&engine, plans).expect("a connection");
            engine.wait_until_connected().expect("loopback connects");
            let measure = |on| engine.call(move |clients, _| clients.shared.measuring = on).expect("it runs");
            measure(true);
            thread::sleep(Duration::from_millis(500));
            measure(false);
            thread::sleep(Duration::from_millis(500));
            let (sent, received, delays) = engine
                .call(|clients, _| {
                    let sent: Vec<_> = clients.all[0].streams.iter().map(|each| (each.id, each.measured)).collect();
                    let packets =
                        |(id, _): &(StreamId, u32)| clients.all[1].receptions.get(id).map(|each| each.packets);
                    let received: Vec<_> = sent.iter().map(packets).collect();
                    (sent, received, clients.shared.delays.count())
                })
                .expect("it runs");
            assert_eq!(sent.len(), plans.len());
            for ((id, sent), received) in sent.iter().zip(received) {
                assert!(*sent > 10, "{id:?}: {sent}");
                assert_eq!(received, Some(*sent), "{id:?}");
            }
            assert_eq!(delays, sent.iter().map(|(_, sent)| u64::from(*sent)).sum::<u64>());
            engine.stop().expect("it runs");
            thread.join().expect("no panic").expect("no failure");
        }
    }
}
