//! Rooms in this process.
//!
//! A room is handled under its own lock; its outputs go into the connections' queues before
//! the lock is released, so everyone sees one order. No lock is held across an await, and the
//! map's lock is never held while a room's is waited for.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Weak},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use futures_util::future::BoxFuture;
use madang_protocol::{ClientFrame, Hello, RoomName, ServerMessage, Topology, TopologyPolicy};
use madang_room::{ConnectionId, Input, Output, Room, Settings};
use parking_lot::Mutex;

use super::{
    outbox::{Outbox, Writer},
    rooms::{Join, Rooms, Seat},
    timers::Timers,
};
use crate::metrics::RoomCounts;

const SHARDS: usize = 64;

type Shard = Mutex<HashMap<RoomName, Arc<LocalRoom>>>;

/// The rooms of this process.
pub(crate) struct LocalRooms {
    shards: Box<[Shard]>,
    hasher: RandomState,
    settings: Arc<Settings>,
    policy: TopologyPolicy,
    timers: Arc<Timers>,
    this: Weak<Self>,
}

/// One room and the connections in it.
pub(crate) struct LocalRoom {
    name: RoomName,
    inner: Mutex<Inner>,
}

struct Inner {
    room: Room,
    outboxes: HashMap<ConnectionId, Arc<Outbox>>,
    wake_at: Option<Instant>,
    /// Set when the room was taken off the map; whoever still holds it has to look again.
    over: bool,
}

struct LocalSeat {
    rooms: Arc<LocalRooms>,
    room: Arc<LocalRoom>,
    connection: ConnectionId,
}

impl LocalRooms {
    /// Starts the task that wakes rooms; needs a tokio runtime.
    pub(crate) fn start(settings: Settings, policy: TopologyPolicy) -> Arc<Self> {
        let timers = Arc::new(Timers::default());
        let rooms = Arc::new_cyclic(|this| Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            settings: Arc::new(settings),
            policy,
            timers: timers.clone(),
            this: this.clone(),
        });
        let this = Arc::downgrade(&rooms);
        tokio::spawn(timers.run(move |room| {
            if let Some(rooms) = this.upgrade() {
                rooms.wake(&room);
            }
        }));
        rooms
    }

    fn shard(&self, name: &RoomName) -> &Shard {
        let hash = self.hasher.hash_one(name);
        &self.shards[(hash % SHARDS as u64) as usize]
    }

    fn find_or_make(&self, hello: &Hello) -> Arc<LocalRoom> {
        let mut shard = self.shard(&hello.room).lock();
        shard.entry(hello.room.clone()).or_insert_with_key(|name| Arc::new(self.make(name, hello.topology))).clone()
    }

    fn make(&self, name: &RoomName, wish: Option<TopologyPolicy>) -> LocalRoom {
        let mut seed = [0; 32];
        aws_lc_rs::rand::fill(&mut seed).expect("the operating system's random source works");
        let policy = wish.unwrap_or(self.policy);
        let inner = Inner {
            room: Room::new(name.clone(), self.settings.clone(), seed, policy),
            outboxes: HashMap::new(),
            wake_at: None,
            over: false,
        };
        LocalRoom { name: name.clone(), inner: Mutex::new(inner) }
    }

    /// Gives `input` to the room; false if the room is over and another may have its name.
    fn handle(&self, room: &Arc<LocalRoom>, newcomer: Option<&Arc<Outbox>>, input: Input) -> Result<(), Box<Input>> {
        let mut inner = room.inner.lock();
        if inner.over {
            return Err(Box::new(input));
        }
        if let Some(outbox) = newcomer {
            inner.outboxes.insert(outbox.connection, outbox.clone());
        }
        inner.room.handle_input(Instant::now(), input);
        self.finish(room, inner);
        Ok(())
    }

    /// Delivers what the room has to say, and takes a room that is over off the map.
    fn finish(&self, room: &Arc<LocalRoom>, mut inner: parking_lot::MutexGuard<'_, Inner>) {
        if let Some(at) = inner.deliver() {
            self.timers.wake_at(at, Arc::downgrade(room));
        }
        if !inner.room.is_over() {
            return;
        }
        inner.over = true;
        drop(inner);
        let mut shard = self.shard(&room.name).lock();
        if shard.get(&room.name).is_some_and(|found| Arc::ptr_eq(found, room)) {
            shard.remove(&room.name);
        }
    }

    fn wake(&self, room: &Arc<LocalRoom>) {
        let mut inner = room.inner.lock();
        let now = Instant::now();
        if inner.over || inner.wake_at.is_none_or(|at| at > now) {
            return;
        }
        inner.wake_at = None;
        inner.room.handle_input(now, Input::Timeout);
        self.finish(room, inner);
    }

    fn all(&self) -> Vec<Arc<LocalRoom>> {
        self.shards.iter().flat_map(|shard| shard.lock().values().cloned().collect::<Vec<_>>()).collect()
    }
}

impl Inner {
    /// Empties the room's outputs; returns when it wants to be woken, if that is news.
    fn deliver(&mut self) -> Option<Instant> {
        let mut writer = Writer::default();
        loop {
            match self.room.poll_output() {
                Output::Send { connection, frame } => {
                    if let ServerMessage::Welcome(welcome) = &*frame.message {
                        // A welcome answers the session in whose span this runs.
                        tracing::Span::current().record("participant", welcome.me.id.as_str());
                    }
                    if let Some(outbox) = self.outboxes.get(&connection) {
                        let text = writer.text(frame.re, frame.s, &frame.message);
                        outbox.push(&frame.message, text);
                    }
                }
                Output::Close { connection } => {
                    if let Some(outbox) = self.outboxes.remove(&connection) {
                        outbox.close();
                    }
                }
                Output::Timeout(None) => return None,
                Output::Timeout(Some(at)) => {
                    if self.wake_at.is_some_and(|known| known <= at) {
                        return None;
                    }
                    self.wake_at = Some(at);
                    return Some(at);
                }
            }
        }
    }
}

impl Rooms for LocalRooms {
    fn join(&self, join: Join, outbox: Arc<Outbox>) -> Arc<dyn Seat> {
        let connection = outbox.connection;
        let Join { request, hello, grant, ice_servers } = join;
        let mut name = self.find_or_make(&hello);
        let mut input = Input::Join { connection, request, hello, grant, ice_servers };
        // A room that ended between finding and entering it is already being taken off the map.
        while let Err(back) = self.handle(&name, Some(&outbox), input) {
            std::thread::yield_now();
            input = *back;
            if let Input::Join { hello, .. } = &input {
                name = self.find_or_make(hello);
            }
        }
        let rooms = self.this.upgrade().expect("whoever calls a method holds the rooms");
        Arc::new(LocalSeat { rooms, room: name, connection })
    }

    fn roster(&self, room: &RoomName) -> BoxFuture<'static, Vec<String>> {
        let found = self.shard(room).lock().get(room).cloned();
        let names = found.map(|room| room.inner.lock().room.roster()).unwrap_or_default();
        Box::pin(std::future::ready(names))
    }

    fn counts(&self) -> [(Topology, RoomCounts); 3] {
        let mut counts =
            [Topology::Mesh, Topology::Sfu, Topology::Mcu].map(|topology| (topology, RoomCounts::default()));
        for room in self.all() {
            let census = room.inner.lock().room.census();
            if census.participants == 0 {
                continue; // It waits for a page that reloads.
            }
            if let Some((_, count)) = counts.iter_mut().find(|(topology, _)| *topology == census.topology) {
                count.rooms += 1;
                count.participants += census.participants as u64;
                count.links += census.links as u64;
            }
        }
        counts
    }

    fn drain(&self, retry_after_ms: u32) {
        for room in self.all() {
            // A room that is over has nobody to tell.
            let _ = self.handle(&room, None, Input::Drain { retry_after_ms });
        }
    }
}

impl Seat for LocalSeat {
    fn message(&self, frame: ClientFrame) {
        let unix_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let unix_ms = u64::try_from(unix_ms).unwrap_or(u64::MAX);
        let input = Input::Message { connection: self.connection, frame, unix_ms };
        // A room that is over has closed this connection.
        let _ = self.rooms.handle(&self.room, None, input);
    }

    fn left(&self, page_closed: bool) {
        self.room.inner.lock().outboxes.remove(&self.connection);
        let input = Input::Disconnected { connection: self.connection, page_closed };
        let _ = self.rooms.handle(&self.room, None, input);
    }
}
