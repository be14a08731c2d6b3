//! Limits of the protocol, told to every client in `welcome`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What a client may do; past a limit it gets `too_large` or `rate_limited`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Limits {
    /// Largest WebSocket message, in bytes.
    pub frame_bytes: u32,
    /// Longest chat line, in bytes of UTF-8.
    pub chat_bytes: u32,
    /// Largest payload of `data`, in bytes before Base64.
    pub data_bytes: u32,
    /// Sustained messages per second.
    pub messages_per_second: u32,
    /// Messages at once above that rate.
    pub message_burst: u32,
    /// Tracks that one participant may publish.
    pub tracks: u32,
    /// Participants in the room.
    pub participants: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes: 64 * 1024,
            chat_bytes: 4 * 1024,
            data_bytes: 32 * 1024,
            messages_per_second: 50,
            message_burst: 100,
            tracks: 8,
            participants: 50,
        }
    }
}
