//! The seam behind which rooms live.
//!
//! A session knows [`Rooms`] and its [`Seat`] alone, and exchanges protocol messages with
//! them. In one process that is [`super::local::LocalRooms`]; in a cluster, frames for a room
//! that lives on another node go there and come back to the same [`Outbox`].

use std::sync::Arc;

use futures_util::future::BoxFuture;
use madang_protocol::{ClientFrame, Hello, IceServer, RequestId, RoomName, Topology};
use madang_room::Grant;

use super::outbox::Outbox;
use crate::metrics::RoomCounts;

/// Somebody at the door, checked.
#[derive(Debug)]
pub(crate) struct Join {
    /// The `id` of the hello.
    pub(crate) request: Option<RequestId>,
    /// The hello.
    pub(crate) hello: Box<Hello>,
    /// What its token grants.
    pub(crate) grant: Grant,
    /// STUN and TURN servers for it.
    pub(crate) ice_servers: Vec<IceServer>,
}

/// All rooms.
pub(crate) trait Rooms: Send + Sync {
    /// Takes somebody to the room named in its hello, which is made where there is none. The
    /// welcome, or the refusal and the close, come through `outbox`.
    fn join(&self, join: Join, outbox: Arc<Outbox>) -> Arc<dyn Seat>;

    /// The names of those inside; none where there is no such room.
    fn roster(&self, room: &RoomName) -> BoxFuture<'static, Vec<String>>;

    /// What the rooms hold.
    fn counts(&self) -> [(Topology, RoomCounts); 3];

    /// Tells everyone to come back later, or to another server.
    fn drain(&self, retry_after_ms: u32);
}

/// A connection's place in a room.
pub(crate) trait Seat: Send + Sync {
    /// The connection said something.
    fn message(&self, frame: ClientFrame);

    /// The connection is gone. Whose page closed leaves at once; others have the resume grace.
    fn left(&self, page_closed: bool);
}
