//! The seam between rooms and the media server that carries their links.

pub(crate) use madang_media::sfu::RoomKey;
use madang_protocol::MediaCommand;

/// What carries links to the server.
///
/// Its [`madang_protocol::MediaEvent`]s go to
/// [`LocalRooms::media_event`](crate::signaling::local::LocalRooms::media_event).
pub(crate) trait MediaPlane: Send + Sync {
    /// Takes a command. Commands of one room come in the room's order, while the room is
    /// locked: this neither waits nor gives the room an event before it returns.
    fn command(&self, room: RoomKey, command: MediaCommand);
}
