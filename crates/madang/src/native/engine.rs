//! The loop over all participants' sockets and time-outs.

use std::{
    collections::{BTreeSet, HashMap},
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use madang_client::{
    participant::{Config, Event, Participant},
    stamp::Clock,
};
use madang_udp::{ReceiveBatch, SendBatch};
use mio::{Events, Poll};
use rustls::ClientConfig;

use super::{
    address::ServerAddress,
    hosts::Interfaces,
    seat::{Seat, Shared, TOKENS},
};

/// Messages taken from a socket, and packets sent to one, by one system call.
const RECEIVE: usize = 32;
const SEND: usize = 64;
const SEND_BYTES: usize = 256 * 1024;

/// A participant that was taken out: it hears, says and sends nothing. Its sockets stay open until
/// this is dropped; then it has vanished.
pub(crate) struct Silent(Seat);

/// Many participants, one thread.
pub(crate) struct Engine {
    poll: Poll,
    ready: Events,
    seats: HashMap<usize, Seat>,
    /// The place of the next one. No place is given twice, so that late news find nobody.
    next: usize,
    timers: BTreeSet<(Instant, usize)>,
    shared: Shared,
    clock: Clock,
}

impl Engine {
    /// An engine without participants. `tls` is for servers that are reached over TLS.
    pub(crate) fn new(tls: Option<Arc<ClientConfig>>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let shared = Shared {
            registry: poll.registry().try_clone()?,
            receive: Some(ReceiveBatch::new(RECEIVE, 0)),
            send: SendBatch::new(SEND_BYTES, SEND),
            tls,
            happened: Vec::new(),
        };
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let clock = Clock::new(Instant::now(), since_1970);
        Ok(Self {
            poll,
            ready: Events::with_capacity(1024),
            seats: HashMap::new(),
            next: 0,
            timers: BTreeSet::new(),
            shared,
            clock,
        })
    }

    /// The clock of this machine, for stamps.
    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// A participant begins to join, with sockets on these interfaces. Its place is the number of
    /// those before it.
    pub(crate) fn add(
        &mut self,
        config: Config,
        address: &Arc<ServerAddress>,
        server: SocketAddr,
        interfaces: Interfaces,
    ) -> io::Result<usize> {
        let place = self.next;
        let now = Instant::now();
        let at = (address.clone(), server);
        let seat = Seat::new(config, place, at, interfaces, &self.shared.registry, now)?;
        self.seats.insert(place, seat);
        self.next += 1;
        self.run(place, now, Seat::timeout);
        Ok(place)
    }

    /// A participant that was not taken out, to be looked at.
    pub(crate) fn participant(&self, place: usize) -> &Participant {
        &self.seats[&place].participant
    }

    /// Takes a participant out. Nothing is said to anybody.
    pub(crate) fn remove(&mut self, place: usize) -> Option<Silent> {
        let seat = self.seats.remove(&place)?;
        if let Some(at) = seat.timer {
            self.timers.remove(&(at, place));
        }
        Some(Silent(seat))
    }

    /// Breaks a participant's WebSocket without a word, as a lost network does.
    pub(crate) fn cut(&mut self, place: usize) {
        self.run(place, Instant::now(), Seat::cut);
    }

    /// Closes a participant's WebSocket as a browser does whose page goes away, and takes it out.
    pub(crate) fn close_page(&mut self, place: usize) {
        if let Some(mut gone) = self.remove(place) {
            gone.0.close_page();
        }
    }

    /// Looks whether a participant's machine has other addresses now.
    pub(crate) fn look_for_networks(&mut self, place: usize) {
        self.run(place, Instant::now(), Seat::look_for_networks);
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.seats.len()
    }

    /// Has a participant do something.
    pub(crate) fn with(&mut self, place: usize, act: impl FnOnce(&mut Participant)) {
        self.run(place, Instant::now(), |seat, now, shared| {
            act(&mut seat.participant);
            seat.drain(now, shared);
        });
    }

    /// Waits for something to do until `until`, does it, and gives what happened.
    pub(crate) fn turn(&mut self, until: Instant, happened: &mut Vec<(usize, Event)>) -> io::Result<()> {
        let next = self.timers.first().map_or(until, |(at, _)| until.min(*at));
        let wait = next.saturating_duration_since(Instant::now());
        match self.poll.poll(&mut self.ready, Some(wait.min(Duration::from_secs(1)))) {
            Err(why) if why.kind() != io::ErrorKind::Interrupted => return Err(why),
            _ => {}
        }
        let tokens: Vec<usize> = self.ready.iter().map(|event| event.token().0).collect();
        for token in tokens {
            self.run(token / TOKENS, Instant::now(), |seat, _, shared| seat.ready(token % TOKENS, shared));
        }
        let now = Instant::now();
        while let Some((at, place)) = self.timers.first().copied() {
            if at > now {
                break;
            }
            self.run(place, now, Seat::timeout);
            // Whoever is due again at once has to wait for the others.
            if self.timers.first().is_some_and(|first| *first <= (at, place)) {
                break;
            }
        }
        happened.append(&mut self.shared.happened);
        Ok(())
    }

    fn run(&mut self, place: usize, now: Instant, act: impl FnOnce(&mut Seat, Instant, &mut Shared)) {
        let Some(seat) = self.seats.get_mut(&place) else { return };
        let former = seat.timer;
        act(seat, now, &mut self.shared);
        if former != seat.timer {
            if let Some(at) = former {
                self.timers.remove(&(at, place));
            }
            if let Some(at) = seat.timer {
                self.timers.insert((at, place));
            }
        }
    }
}
