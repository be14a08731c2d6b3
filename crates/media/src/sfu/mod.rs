//! One shard's forwarder: the links of its rooms, and what goes from one to the others.
//!
//! A packet's way: [`demux`] finds the link, its session decrypts, [`forward`] decides for each
//! subscription whether and with which numbers it goes on, the receivers' sessions seal it, and
//! it leaves with everything else that waited in this batch. Which layer each subscription gets
//! is decided a few times a second by [`adapt`].

mod adapt;
pub mod allocator;
mod commands;
mod data;
pub mod demand;
mod demux;
mod forward;
pub mod history;
mod io;
pub mod keyframes;
pub mod layers;
mod link;
mod meter;
mod mixing;
mod newcomers;
pub mod rewrite;
pub mod select;
pub mod speakers;
mod timer_wheel;
mod track;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::{Duration, Instant},
};

use madang_protocol::{LinkId, MediaCommand, MediaEvent, TrackId};
use slab::Slab;

use demux::{Demux, Kind, Path};
pub use io::{Counters, Input, Mixing, Output, RoomKey, SfuConfig};
use link::{Link, TrackKey};
use timer_wheel::TimerWheel;
use track::{MediaRoom, Track};

use crate::egress::{Packets, Way};
use crate::mcu::MixerId;
use crate::session::{SessionEvent, SessionOutput, Transport, answers_check};

/// A peer that has sent no check for this long is gone: an ICE-lite end sends none itself, so
/// this is the consent that it has (RFC 7675 §5.1 lets consent expire after 30 s).
const SILENCE: Duration = Duration::from_secs(15);

/// A link that has never connected is given up after this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of media that wait at most, give or take one packet for all of a room.
const FULL: usize = 1 << 20;

/// How often one session is called at one moment before it has to wait for the next
/// millisecond: a session that is always due must not stop the others.
const ROUNDS: usize = 64;

/// One shard's forwarder. See the module.
pub struct Sfu {
    config: SfuConfig,
    links: Slab<Link>,
    tracks: Slab<Track>,
    rooms: HashMap<RoomKey, MediaRoom>,
    by_name: HashMap<LinkId, usize>,
    track_by_id: HashMap<TrackId, TrackKey>,
    demux: Demux,
    wheel: TimerWheel,
    /// Links whose session has something to send, or may have.
    dirty: Vec<usize>,
    /// Media for receivers, sealed.
    packets: Packets,
    /// They have been gathered for long enough.
    packets_due: bool,
    /// When both are flushed.
    flush_at: Option<Instant>,
    /// When rooms are looked after next.
    tick_at: Instant,
    outputs: VecDeque<Output>,
    counters: Counters,
    /// The rooms that are mixed, by their mixers.
    mixers: BTreeMap<MixerId, RoomKey>,
    newest_mixer: u64,
    /// What mixers have counted that are gone.
    gone: Mixing,
    /// The time of the last input.
    now: Instant,
    /// Reused from call to call.
    due: Vec<u32>,
    scratch: Vec<u8>,
}

impl Sfu {
    /// A forwarder without links.
    #[must_use]
    pub fn new(config: SfuConfig, now: Instant) -> Self {
        Self {
            config,
            links: Slab::new(),
            tracks: Slab::new(),
            rooms: HashMap::new(),
            by_name: HashMap::new(),
            track_by_id: HashMap::new(),
            demux: Demux::default(),
            wheel: TimerWheel::new(now),
            dirty: Vec::new(),
            packets: Packets::default(),
            packets_due: false,
            flush_at: None,
            tick_at: now + adapt::TICK,
            outputs: VecDeque::new(),
            counters: Counters::default(),
            mixers: BTreeMap::new(),
            newest_mixer: 0,
            gone: Mixing::default(),
            now,
            due: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Takes something in. After a batch give [`Input::Timeout`], then drain
    /// [`Self::poll_output`] and [`Self::drain_packets`].
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        self.now = now;
        match input {
            Input::Packet { transport, from, to, data } => self.packet(now, Path { transport, from, to }, data),
            Input::Command { room, command } => self.command(now, room, command),
            Input::Done(job) => self.done(now, *job),
            Input::Timeout => self.timeout(now),
        }
    }

    /// The next thing to do. [`Output::Timeout`] is the last of a drain.
    pub fn poll_output(&mut self) -> Output {
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        let quiet = self.links.is_empty().then_some(()).map_or(Some(self.tick_at), |()| None);
        let mixers = self.mixers_due(self.now);
        Output::Timeout([quiet, self.wheel.next(), self.flush_at, mixers].into_iter().flatten().min())
    }

    /// Hands out the media that is to be sent by now.
    pub fn drain_packets(&mut self, mut send: impl FnMut(Way, &[u8])) {
        if std::mem::take(&mut self.packets_due) || self.flush_at.is_none() || self.is_full() {
            self.packets.iter().for_each(|(way, data)| send(way, data));
            self.packets.clear();
        }
    }

    /// So much media waits that [`Self::drain_packets`] is due before more comes in.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.packets.size() > FULL
    }

    /// What it has counted.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters {
            links: self.links.len() as u64,
            tracks: self.tracks.len() as u64,
            deliveries: self.deliveries(),
            mixing: self.mixing(),
            ..self.counters
        }
    }

    fn packet(&mut self, now: Instant, path: Path, data: &[u8]) {
        let Some(kind) = Kind::of(data) else {
            self.counters.unknown += 1;
            return;
        };
        let found = self.demux.find(&path, kind, data).map(|link| link as usize);
        let Some((key, link)) = found.and_then(|key| Some((key, self.links.get_mut(key)?))) else {
            self.counters.unknown += 1;
            return;
        };
        if kind == Kind::Stun && !self.demux.is_known(key as u32, &path) && !link.newcomers.has_room(now) {
            self.counters.unknown += 1;
            return;
        }
        link.session.receive(now, path.transport, path.from, path.to, data);
        self.drain(now, key);
    }

    /// Takes everything that a session has to say. Where it answers a check it has proved the
    /// address, be it now or, when the check was faster than the answer to an offer, much later.
    fn drain(&mut self, now: Instant, key: usize) {
        for _ in 0..ROUNDS {
            let Some(link) = self.links.get_mut(key) else { return };
            match link.session.poll_output_to(&mut self.packets) {
                SessionOutput::Transmit(transmit) => {
                    let path = Path { transport: transmit.transport, from: transmit.to, to: transmit.from };
                    if !answers_check(&transmit.data) {
                        link.in_use = Some(path);
                    } else {
                        link.last_check = now;
                        if self.demux.passed(key as u32, path, link.in_use) {
                            link.newcomers.take();
                        }
                    }
                    self.outputs.push_back(Output::Transmit(transmit));
                }
                SessionOutput::Event(event) => self.session_event(now, key, event),
                SessionOutput::Timeout(at) if at > now => {
                    self.gather(now);
                    self.sleep_until(key, at);
                    return;
                }
                SessionOutput::Timeout(_) => link.session.handle_timeout(now),
            }
        }
        self.gather(now);
        self.sleep_until(key, now + Duration::from_millis(1));
    }

    /// Sees to it that media that waits leaves.
    fn gather(&mut self, now: Instant) {
        if !self.packets.is_empty() {
            self.flush_at.get_or_insert(now + self.config.gather);
        }
    }

    fn sleep_until(&mut self, key: usize, at: Instant) {
        let Some(link) = self.links.get_mut(key) else { return };
        link.due = at;
        if link.wakes_at.is_none_or(|wakes_at| at < wakes_at) {
            link.wakes_at = Some(self.wheel.set(at, key as u32));
        }
    }

    fn session_event(&mut self, now: Instant, key: usize, event: SessionEvent) {
        match event {
            SessionEvent::Packet(packet) => self.forward(now, key, packet),
            SessionEvent::KeyframeWanted { line, .. } => self.keyframe_wanted(now, key, line),
            SessionEvent::Estimate(estimate) => self.estimated(now, key, estimate),
            SessionEvent::Data(channel, bytes) => self.data(now, key, channel, &bytes),
            SessionEvent::Connected => self.connected(now, key),
            // A dead link is found by its silence, which the room has a time for.
            SessionEvent::ChannelsOpen | SessionEvent::PathLost | SessionEvent::PathFound => {}
            SessionEvent::Ended(why) => self.fail(key, why),
        }
    }

    fn connected(&mut self, now: Instant, key: usize) {
        let Some(link) = self.links.get_mut(key) else { return };
        link.connected = true;
        link.bandwidth.divide_at = now;
        let (room, event) = (link.room, MediaEvent::Connected { link: link.name.clone() });
        self.outputs.push_back(Output::Event { room, event });
        self.wake_subscriptions(now, key);
    }

    /// A link has ended by a fault; its room is told, and forgets or replaces it.
    fn fail(&mut self, key: usize, why: String) {
        let Some(link) = self.links.get(key) else { return };
        self.counters.failed += 1;
        let (room, event) = (link.room, MediaEvent::Failed { link: link.name.clone(), why });
        self.outputs.push_back(Output::Event { room, event });
        self.close(key);
    }

    fn timeout(&mut self, now: Instant) {
        let mut due = std::mem::take(&mut self.due);
        self.wheel.expire(now, &mut due);
        for key in due.drain(..).map(|key| key as usize) {
            let Some(link) = self.links.get_mut(key) else { continue };
            // An entry that an earlier one has overtaken: to follow it would make two of one.
            if link.wakes_at.is_some_and(|at| at > now) {
                continue;
            }
            link.wakes_at = None;
            if link.due <= now {
                link.session.handle_timeout(now);
                self.drain(now, key);
            } else {
                let at = link.due;
                self.sleep_until(key, at);
            }
        }
        self.due = due;
        self.mixers_timeout(now);
        if now >= self.tick_at {
            self.tick_at = now + adapt::TICK;
            self.tick(now);
        }
        if self.flush_at.is_some_and(|at| at <= now) {
            self.flush(now);
        }
        self.offer();
    }

    /// Marks a link as having something to send.
    fn touch(&mut self, now: Instant, key: usize) {
        let Some(link) = self.links.get_mut(key) else { return };
        if !link.dirty {
            link.dirty = true;
            self.dirty.push(key);
            self.flush_at.get_or_insert(now + self.config.gather);
        }
    }

    fn flush(&mut self, now: Instant) {
        self.flush_at = None;
        self.packets_due = true;
        let mut dirty = std::mem::take(&mut self.dirty);
        for key in dirty.drain(..) {
            let Some(link) = self.links.get_mut(key) else { continue };
            link.dirty = false;
            link.session.handle_timeout(now);
            self.drain(now, key);
        }
        // Whatever was touched meanwhile waits for the next time.
        std::mem::swap(&mut self.dirty, &mut dirty);
        self.dirty.append(&mut dirty);
    }

    /// Looks after rooms and links: what has gone silent, who speaks, who gets what.
    fn tick(&mut self, now: Instant) {
        let silent = |link: &Link| {
            now.saturating_duration_since(link.last_check) > if link.connected { SILENCE } else { PATIENCE }
        };
        let gone: Vec<usize> = self.links.iter().filter(|(_, link)| silent(link)).map(|(key, _)| key).collect();
        for key in gone {
            self.fail(key, "no checks from the other end".into());
        }
        self.adapt(now);
    }

    /// Brings a message on a data channel to those it is for.
    fn data(&mut self, now: Instant, key: usize, channel: crate::session::DataChannel, bytes: &[u8]) {
        let Some(link) = self.links.get_mut(key) else { return };
        let Some(addressed) = data::read(bytes).filter(|_| link.budget.take(now, bytes.len())) else {
            self.counters.data_refused += 1;
            return;
        };
        let mut message = std::mem::take(&mut self.scratch);
        data::write(link.participant.as_str(), addressed.message, &mut message);
        let others = self.rooms.get(&link.room).map(|room| room.links.clone()).unwrap_or_default();
        for other in others.into_iter().filter(|other| *other != key) {
            let Some(link) = self.links.get_mut(other) else { continue };
            let meant = addressed.to.is_empty() || addressed.to.contains(&link.participant.as_str());
            if meant && link.session.send_data(channel, &message) {
                self.touch(now, other);
            }
        }
        self.scratch = message;
    }

    /// Whether an address is one that a link's peer has proved.
    #[must_use]
    pub fn knows(&self, transport: Transport, from: std::net::SocketAddr, to: std::net::SocketAddr) -> bool {
        self.demux.find(&Path { transport, from, to }, Kind::Other, &[]).is_some()
    }
}
