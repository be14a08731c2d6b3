//! Rooms in this process.
//!
//! A room is handled under its own lock; its outputs go into the connections' queues before
//! the lock is released, so everyone sees one order. No lock is held across an await, and the
//! map's lock is never held while a room's is waited for.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use futures_util::future::BoxFuture;
use madang_protocol::{ClientFrame, MediaEvent, RoomName, ServerMessage, Topology, TopologyPolicy};
use madang_room::{ConnectionId, Input, Output, Room, Settings};
use parking_lot::Mutex;

use super::{
    outbox::{Outbox, Writer},
    rooms::{Join, Rooms, Seat},
    timers::Timers,
};
use crate::{
    metrics::RoomCounts,
    shard::plane::{MediaPlane, RoomKey},
};

const SHARDS: usize = 64;

type Shard = Mutex<HashMap<RoomName, Arc<LocalRoom>>>;

/// The rooms of this process.
pub(crate) struct LocalRooms {
    shards: Box<[Shard]>,
    hasher: RandomState,
    settings: Arc<Settings>,
    policy: TopologyPolicy,
    media: Arc<dyn MediaPlane>,
    keys: AtomicU64,
    by_key: Mutex<HashMap<RoomKey, Weak<LocalRoom>>>,
    timers: Arc<Timers>,
    this: Weak<Self>,
}

/// One room and the connections in it.
pub(crate) struct LocalRoom {
    name: RoomName,
    key: RoomKey,
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
    pub(crate) fn start(settings: Settings, policy: TopologyPolicy, media: Arc<dyn MediaPlane>) -> Arc<Self> {
        let timers = Arc::new(Timers::default());
        let rooms = Arc::new_cyclic(|this| Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            settings: Arc::new(settings),
            policy,
            media,
            keys: AtomicU64::new(1),
            by_key: Mutex::default(),
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

    fn find_or_make(&self, name: &RoomName) -> Arc<LocalRoom> {
        let mut shard = self.shard(name).lock();
        shard.entry(name.clone()).or_insert_with_key(|name| self.make(name)).clone()
    }

    fn make(&self, name: &RoomName) -> Arc<LocalRoom> {
        let mut seed = [0; 32];
        aws_lc_rs::rand::fill(&mut seed).expect("the operating system's random source works");
        let inner = Inner {
            room: Room::new(name.clone(), self.settings.clone(), seed, self.policy),
            outboxes: HashMap::new(),
            wake_at: None,
            over: false,
        };
        let key = RoomKey(self.keys.fetch_add(1, Ordering::Relaxed));
        let room = Arc::new(LocalRoom { name: name.clone(), key, inner: Mutex::new(inner) });
        self.by_key.lock().insert(key, Arc::downgrade(&room));
        room
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
        if let Some(at) = inner.deliver(room.key, &*self.media) {
            self.timers.wake_at(at, Arc::downgrade(room));
        }
        if !inner.room.is_over() {
            return;
        }
        inner.over = true;
        drop(inner);
        self.by_key.lock().remove(&room.key);
        let mut shard = self.shard(&room.name).lock();
        if shard.get(&room.name).is_some_and(|found| Arc::ptr_eq(found, room)) {
            shard.remove(&room.name);
        }
    }

    /// Gives a room what the media plane has to say of it. A room that is over has no ears.
    pub(crate) fn media_event(&self, room: RoomKey, event: MediaEvent) {
        match &event {
            MediaEvent::Failed { link, why } => tracing::info!(%link, why, "a link to the server failed"),
            MediaEvent::AnswerRefused { link, n, why } => tracing::info!(%link, %n, why, "an answer was refused"),
            _ => {}
        }
        let found = self.by_key.lock().get(&room).and_then(Weak::upgrade);
        if let Some(room) = found {
            let _ = self.handle(&room, None, Input::Media(event));
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
    fn deliver(&mut self, key: RoomKey, media: &dyn MediaPlane) -> Option<Instant> {
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
                Output::Media(command) => media.command(key, command),
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
        let mut room = self.find_or_make(&hello.room);
        let mut input = Input::Join { connection, request, hello, grant, ice_servers };
        // A room that ended between finding and entering it is already being taken off the map.
        while let Err(back) = self.handle(&room, Some(&outbox), input) {
            std::thread::yield_now();
            input = *back;
            if let Input::Join { hello, .. } = &input {
                room = self.find_or_make(&hello.room);
            }
        }
        let rooms = self.this.upgrade().expect("whoever calls a method holds the rooms");
        Arc::new(LocalSeat { rooms, room, connection })
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use madang_protocol::{Capabilities, ClientMessage, Hello, Leave, LinkId, MediaCommand, Negotiation};
    use madang_room::Grant;

    use super::*;

    /// Keeps what rooms want of it.
    #[derive(Default)]
    struct Recorder(Mutex<Vec<(RoomKey, MediaCommand)>>);

    impl MediaPlane for Recorder {
        fn command(&self, room: RoomKey, command: MediaCommand) {
            self.0.lock().push((room, command));
        }
    }

    impl Recorder {
        /// The rooms and names of the links opened since the last time.
        fn opened(&self) -> Vec<(RoomKey, LinkId)> {
            let link = |(room, command)| match command {
                MediaCommand::OpenLink(open) => Some((room, open.link)),
                _ => None,
            };
            std::mem::take(&mut *self.0.lock()).into_iter().filter_map(link).collect()
        }
    }

    fn start() -> (Arc<LocalRooms>, Arc<Recorder>) {
        let recorder = Arc::new(Recorder::default());
        (LocalRooms::start(Settings::default(), TopologyPolicy::Sfu, recorder.clone()), recorder)
    }

    fn join(rooms: &LocalRooms, connection: u64, room: &str) -> (Arc<Outbox>, Arc<dyn Seat>) {
        let outbox = Outbox::new(ConnectionId(connection), 100_000, 100);
        let hello = Hello {
            versions: vec![1],
            token: None,
            room: room.into(),
            name: "Ada".into(),
            capabilities: Capabilities::default(),
            tracks: vec![],
            topology: None,
            resume: None,
        };
        let join = Join { request: None, hello: Box::new(hello), grant: Grant::default(), ice_servers: vec![] };
        let seat = rooms.join(join, outbox.clone());
        (outbox, seat)
    }

    fn offer(link: &LinkId) -> MediaEvent {
        let tracks = BTreeMap::new();
        MediaEvent::Offer { link: link.clone(), n: Negotiation(1), sdp: "v=0\r\n".into(), tracks }
    }

    #[tokio::test]
    async fn what_the_media_plane_says_reaches_the_room_that_it_means() {
        let (rooms, media) = start();
        let joined = ["yard", "attic"].map(|room| join(&rooms, room.len() as u64, room).0);
        let opened = media.opened();
        joined.iter().for_each(|outbox| drop(outbox.take()));
        assert_eq!(opened.len(), 2);
        let ((yard, link), (attic, _)) = (&opened[0], &opened[1]);
        assert_ne!(yard, attic);
        rooms.media_event(*attic, offer(link));
        rooms.media_event(*yard, offer(link));
        let heard = joined.map(|outbox| outbox.take().texts);
        assert!(heard[0].len() == 1 && heard[0][0].contains(r#""t":"desc""#), "{heard:?}");
        assert!(heard[1].is_empty(), "the link is not its own");
    }

    #[tokio::test]
    async fn a_room_that_begins_anew_hears_nothing_of_the_one_before() {
        let (rooms, media) = start();
        let (_, seat) = join(&rooms, 1, "yard");
        let former = media.opened().remove(0);
        seat.message(ClientFrame { id: None, message: ClientMessage::Leave(Leave {}) });
        assert_eq!(media.0.lock().last(), Some(&(former.0, MediaCommand::End)));
        assert!(rooms.by_key.lock().is_empty());
        let (outbox, _) = join(&rooms, 2, "yard");
        let (key, link) = media.opened().remove(0);
        assert_ne!(key, former.0);
        drop(outbox.take());
        rooms.media_event(former.0, offer(&link));
        assert!(outbox.take().texts.is_empty());
    }
}
