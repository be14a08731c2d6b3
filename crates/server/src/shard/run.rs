//! A shard's loop: wait in one place, take what there is in bursts, send what came of it.

use std::{
    collections::VecDeque,
    io,
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use mio::{Events, Poll, Waker};
use tokio::sync::mpsc;

use madang_media::mcu::Job;
use madang_turn::Directory;

use super::{
    Command, ShardSender, Source, TurnPart,
    live_relays::LiveRelays,
    media::{MediaPart, MediaPorts},
    relay_id, tokens,
};
use crate::mixing::JobSender;

/// Commands taken before sockets get their turn.
const COMMANDS: usize = 256;

/// A shard without anything to do looks up this often.
const IDLE: Duration = Duration::from_secs(30);

/// See the module.
pub(super) struct Shard {
    index: usize,
    poll: Poll,
    turn: TurnPart,
    media: MediaPart,
    commands: mpsc::Receiver<Command>,
    sender: ShardSender,
    ports: MediaPorts,
    ready: VecDeque<Source>,
    relays: LiveRelays,
}

impl Shard {
    /// A shard that is ready to [`Shard::run`], and the way to it. `ports` says on which shard
    /// each media port is.
    pub(super) fn new(
        index: usize,
        mut turn: TurnPart,
        mut media: MediaPart,
        (ports, relays): (MediaPorts, LiveRelays),
    ) -> io::Result<(Self, ShardSender)> {
        let poll = Poll::new()?;
        let (sender, commands) = ShardSender::new(Waker::new(poll.registry(), tokens::WAKE)?);
        turn.register(poll.registry(), sender.clone())?;
        media.register(poll.registry())?;
        let shard =
            Self { index, poll, turn, media, commands, sender: sender.clone(), ports, ready: VecDeque::new(), relays };
        Ok((shard, sender))
    }

    /// Who runs the jobs of its mixers.
    pub(super) fn run_jobs_on(&mut self, pool: JobSender<Job>) {
        self.media.run_jobs_on(pool);
    }

    /// Serves until told to stop. `others` are the ways to all shards, by their places.
    pub(super) fn run(mut self, others: &[ShardSender]) {
        let mut events = Events::with_capacity(1024);
        let (mut next, mut busy) = (Instant::now(), false);
        while !self.sender.asked.stop.load(Ordering::Acquire) {
            let wait = if busy { Duration::ZERO } else { next.saturating_duration_since(Instant::now()) };
            if let Err(why) = self.poll.poll(&mut events, Some(wait))
                && why.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%why, shard = self.index, "a shard cannot wait for packets");
                return;
            }
            for event in &events {
                if let Some(source) = tokens::source(event.token()) {
                    self.is_ready(source, event.is_error());
                }
            }
            self.do_what_is_asked();
            let commands_left = self.take_commands();
            self.read_ready();
            next = self.settle(others);
            busy = commands_left || !self.ready.is_empty();
            // Media that is due soon is not kept waiting.
            let pause = self.turn.pause().filter(|pause| !busy && next > Instant::now() + 2 * *pause);
            pause.into_iter().for_each(thread::sleep);
        }
    }

    fn is_ready(&mut self, source: Source, has_error: bool) {
        let news = match source {
            Source::Media(index) => self.media.queue(index),
            Source::Listener(_) | Source::Relay(_) => self.turn.queue(source),
        };
        if news {
            self.ready.push_back(source);
        }
        if has_error && let Source::Relay(index) = source {
            self.turn.read_errors(Instant::now(), self.poll.registry(), relay_id(index));
        }
    }

    fn do_what_is_asked(&mut self) {
        if let Some(drain) = self.sender.asked.drain.lock().take() {
            self.turn.drain(self.poll.registry(), drain.deadline);
        }
        let siblings = std::mem::take(&mut *self.sender.asked.siblings.lock());
        for from in siblings {
            self.turn.take_from_sibling(Instant::now(), self.poll.registry(), from);
        }
        if let Some(reload) = self.sender.asked.reload.lock().take() {
            self.turn.reload(self.poll.registry(), &reload);
        }
        if let Some(identity) = self.sender.asked.identity.lock().take() {
            self.turn.identity(&identity);
        }
    }

    /// Says whether there may be more, for which no further wake-up comes.
    fn take_commands(&mut self) -> bool {
        let done = std::mem::take(&mut *self.sender.asked.done.lock());
        let rooms = std::mem::take(&mut *self.sender.asked.rooms.lock());
        let now = Instant::now();
        for job in done {
            self.media.done(now, job);
        }
        for (room, command) in rooms {
            self.media.command(now, room, command);
        }
        for _ in 0..COMMANDS {
            let Ok(command) = self.commands.try_recv() else { return false };
            let now = Instant::now();
            let registry = self.poll.registry();
            match command {
                Command::Stream(command) => self.turn.stream(now, registry, command),
                Command::TcpRelay(command) => self.turn.tcp_relay(now, registry, command),
                Command::ToRelay(packet) => self.turn.take_from_media(now, registry, &packet),
                Command::Sibling(from) => self.turn.take_from_sibling(now, registry, from),
                Command::ToMedia(packet) => self.media.take_from_relay(now, &packet),
                Command::MediaOpened { from, media, connection, to } => {
                    self.media.opened(from, media, connection, to);
                }
                Command::MediaFrame { from, media, data } => self.media.frame(now, from, media, &data),
                Command::MediaClosed { from, media, connection } => self.media.closed(from, media, connection),
            }
        }
        true
    }

    /// Reads from each ready socket once around; those with more stay in the queue.
    fn read_ready(&mut self) {
        let now = Instant::now();
        for _ in 0..self.ready.len() {
            let Some(source) = self.ready.pop_front() else { break };
            let more = match source {
                Source::Media(index) => self.media.read(index),
                Source::Listener(_) | Source::Relay(_) => self.turn.read(now, self.poll.registry(), source),
            };
            if more {
                self.ready.push_back(source);
            }
        }
        self.turn.flush();
    }

    /// Hands over what is for another part, lets time pass, and sends. Says when to come back.
    fn settle(&mut self, others: &[ShardSender]) -> Instant {
        let now = Instant::now();
        for packet in self.turn.take_for_media() {
            match self.ports.shard_of(&packet.media) {
                Some(shard) if shard == self.index => self.media.take_from_relay(now, &packet),
                Some(shard) => {
                    let _ = others.get(shard).is_some_and(|other| other.try_send(Command::ToMedia(packet)));
                }
                None => {}
            }
        }
        let media_due = self.media.settle(now);
        self.hand_to_relays(now, others);
        let turn_due = self.turn.timeout(now, self.poll.registry());
        self.hand_to_siblings(others);
        [media_due, Some(turn_due)].into_iter().flatten().min().unwrap_or(now + IDLE)
    }

    /// What other shards' TURN parts are to get; each of them is woken once.
    fn hand_to_siblings(&mut self, others: &[ShardSender]) {
        let mut woken = Vec::new();
        for (shard, from) in self.turn.take_for_siblings() {
            let Some(other) = others.get(usize::from(shard)) else { continue };
            other.sibling(from);
            if !woken.contains(&shard) {
                woken.push(shard);
            }
        }
        woken.iter().filter_map(|shard| others.get(usize::from(*shard))).for_each(ShardSender::wake);
    }

    /// What media ports of this shard have for relays of ours.
    fn hand_to_relays(&mut self, now: Instant, others: &[ShardSender]) {
        for packet in self.media.take_for_relays() {
            match self.relays.shard_of(&packet.relayed).map(usize::from) {
                Some(shard) if shard == self.index => self.turn.take_from_media(now, self.poll.registry(), &packet),
                Some(shard) => {
                    let _ = others.get(shard).is_some_and(|other| other.try_send(Command::ToRelay(packet)));
                }
                // It has ended meanwhile.
                None => {}
            }
        }
    }
}
