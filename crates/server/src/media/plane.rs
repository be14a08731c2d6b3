//! The seam between rooms and the media server that carries their links.

use madang_protocol::MediaCommand;

/// One room, from its first participant to its end; never given twice. A room that begins
/// anew under the same name has another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RoomKey(pub(crate) u64);

/// What carries links to the server.
///
/// Its [`madang_protocol::MediaEvent`]s go to
/// [`LocalRooms::media_event`](crate::signaling::local::LocalRooms::media_event).
pub(crate) trait MediaPlane: Send + Sync {
    /// Takes a command. Commands of one room come in the room's order, while the room is
    /// locked: this neither waits nor gives the room an event before it returns.
    fn command(&self, room: RoomKey, command: MediaCommand);
}

/// Stands where nothing carries links: rooms of such a server have to be a mesh.
pub(crate) struct NoMedia;

impl MediaPlane for NoMedia {
    fn command(&self, room: RoomKey, _command: MediaCommand) {
        tracing::warn!(room = room.0, "this server carries no media");
    }
}
