//! The way to a shard, from tasks and from other shards.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use madang_media::{mcu::Job, sfu::RoomKey};
use madang_protocol::MediaCommand;
use madang_turn::Reload;
use mio::Waker;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::{FromRelay, FromSibling, StreamCommand, TcpRelayCommand};
use crate::{tls::Identity, turn::PacketSender};

/// Commands that wait for a shard before senders have to wait.
const QUEUE: usize = 4096;

/// Commands of rooms that wait before a shard counts as stuck.
const ROOM_COMMANDS: usize = 65_536;

/// What other shards ask for that waits before a shard counts as stuck.
const SIBLINGS: usize = 65_536;

/// What is asked of a shard.
#[derive(Debug)]
pub(crate) enum Command {
    /// Of its TURN part.
    Stream(StreamCommand),
    /// Of its TCP relays.
    TcpRelay(TcpRelayCommand),
    /// An ICE-TCP connection to a media port begins; packets for it go to `to`.
    MediaOpened { from: SocketAddr, media: SocketAddr, connection: u64, to: PacketSender },
    /// A packet came on it.
    MediaFrame { from: SocketAddr, media: SocketAddr, data: Bytes },
    /// It has ended.
    MediaClosed { from: SocketAddr, media: SocketAddr, connection: u64 },
    /// Another shard's TURN part has something for this one's.
    Sibling(FromSibling),
    /// A relay on another shard has something for a media port of this one.
    ToMedia(FromRelay),
    /// A media port on another shard has something for a relay of this one.
    ToRelay(FromRelay),
}

/// What may never be lost to a full queue.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// No new allocations, and none at all from the deadline on.
    pub(super) drain: Mutex<Option<Drain>>,
    /// New settings of TURN.
    pub(super) reload: Mutex<Option<Arc<Reload>>>,
    /// What other shards' TURN parts want, but for data.
    pub(super) siblings: Mutex<VecDeque<FromSibling>>,
    /// A certificate for DTLS, the first one or a new one.
    pub(super) identity: Mutex<Option<Arc<Identity>>>,
    /// End the thread.
    pub(super) stop: AtomicBool,
    /// What rooms want, in their order.
    pub(super) rooms: Mutex<VecDeque<(RoomKey, MediaCommand)>>,
    /// Jobs of mixers that have been run. There are never more than mixers have parts.
    #[expect(clippy::vec_box, reason = "as the forwarder gives and takes them")]
    pub(super) done: Mutex<Vec<Box<Job>>>,
}

/// When allocations that are left have to end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drain {
    pub(super) deadline: Option<Instant>,
}

/// The way to a shard.
#[derive(Clone, Debug)]
pub(crate) struct ShardSender {
    commands: mpsc::Sender<Command>,
    pub(super) asked: Arc<Asked>,
    waker: Arc<Waker>,
}

impl ShardSender {
    pub(super) fn new(waker: Waker) -> (Self, mpsc::Receiver<Command>) {
        let (commands, receiver) = mpsc::channel(QUEUE);
        (Self { commands, asked: Arc::default(), waker: Arc::new(waker) }, receiver)
    }

    /// Waits for room in the queue, so that a fast TCP client is slowed down and not cut off.
    /// `false` when the shard has ended.
    pub(crate) async fn send(&self, command: Command) -> bool {
        let sent = self.commands.send(command).await.is_ok();
        self.wake();
        sent
    }

    /// From another shard, which waits for nobody: a packet that finds no room is lost.
    pub(super) fn try_send(&self, command: Command) -> bool {
        let sent = self.commands.try_send(command).is_ok();
        self.wake();
        sent
    }

    /// From another shard's TURN part: data as [`Self::try_send`], what clients ask for in a queue
    /// of its own, so that no load of data loses it. Needs a [`Self::wake`] afterwards.
    pub(super) fn sibling(&self, from: FromSibling) {
        if let FromSibling::Data { .. } = from {
            let _ = self.commands.try_send(Command::Sibling(from));
            return;
        }
        let mut siblings = self.asked.siblings.lock();
        if siblings.len() < SIBLINGS {
            siblings.push_back(from);
        }
    }

    /// From a room. `false` when the shard does not take them any more.
    pub(crate) fn room(&self, room: RoomKey, command: MediaCommand) -> bool {
        let mut rooms = self.asked.rooms.lock();
        if rooms.len() >= ROOM_COMMANDS {
            return false;
        }
        rooms.push_back((room, command));
        drop(rooms);
        self.wake();
        true
    }

    /// A job of one of its mixers has been run. The shard is woken once for all that come until it
    /// takes them.
    pub(super) fn done(&self, job: Box<Job>) {
        let mut done = self.asked.done.lock();
        let is_first = done.is_empty();
        done.push(job);
        drop(done);
        if is_first {
            self.wake();
        }
    }

    /// No new allocations from its next round on; those that are left end at the deadline.
    pub(crate) fn drain(&self, deadline: Option<Instant>) {
        *self.asked.drain.lock() = Some(Drain { deadline });
        self.wake();
    }

    /// New settings of TURN from its next round on.
    pub(crate) fn reload(&self, reload: Arc<Reload>) {
        *self.asked.reload.lock() = Some(reload);
        self.wake();
    }

    /// A certificate for DTLS from its next round on.
    pub(crate) fn identity(&self, identity: Arc<Identity>) {
        *self.asked.identity.lock() = Some(identity);
        self.wake();
    }

    /// Ends the thread within its next round.
    pub(crate) fn stop(&self) {
        self.asked.stop.store(true, Ordering::Release);
        self.wake();
    }

    pub(super) fn wake(&self) {
        // Fails only when the event queue is gone, and with it the shard.
        let _ = self.waker.wake();
    }
}
