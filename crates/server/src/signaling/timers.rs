//! The time-outs of all rooms, in one task.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::{Arc, Weak},
    time::Instant,
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::local::LocalRoom;

/// Rooms to wake, and when.
#[derive(Default)]
pub(crate) struct Timers {
    heap: Mutex<BinaryHeap<Reverse<Entry>>>,
    earlier: Notify,
}

struct Entry {
    at: Instant,
    room: Weak<LocalRoom>,
}

impl Timers {
    /// Wakes `room` at `at`. A room that wants to be woken earlier adds itself again; it
    /// ignores waking too early.
    pub(crate) fn wake_at(&self, at: Instant, room: Weak<LocalRoom>) {
        let mut heap = self.heap.lock();
        let first = heap.peek().is_none_or(|Reverse(first)| at < first.at);
        heap.push(Reverse(Entry { at, room }));
        drop(heap);
        if first {
            self.earlier.notify_one();
        }
    }

    /// Wakes rooms for ever.
    pub(crate) async fn run(self: Arc<Self>, wake: impl Fn(Arc<LocalRoom>) + Send) {
        loop {
            let next = self.heap.lock().peek().map(|Reverse(entry)| entry.at);
            match next {
                Some(at) if at <= Instant::now() => {
                    let due = self.heap.lock().pop();
                    if let Some(room) = due.and_then(|Reverse(entry)| entry.room.upgrade()) {
                        wake(room);
                    }
                    continue;
                }
                Some(at) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(at.into()) => {}
                        () = self.earlier.notified() => {}
                    }
                }
                None => self.earlier.notified().await,
            }
        }
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}
