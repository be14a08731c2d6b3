//! The envelope around every message.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ClientMessage, RequestId, Seq, ServerMessage};

/// What a client sends: a message, and an `id` where it wants a reply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
pub struct ClientFrame {
    /// Asks for an `ok` or an `error` whose `re` is this number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub id: Option<RequestId>,
    /// The message, told apart by `t`.
    #[serde(flatten)]
    pub message: ClientMessage,
}

/// What the server sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
pub struct ServerFrame {
    /// The request that this replies to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub re: Option<RequestId>,
    /// The place of this event in the session, from 1 without gaps. `participant`, `track`,
    /// `link`, `negotiate`, `desc`, `ice`, `chat`, `data`, `room` and `topology` have one;
    /// everything else has none and is not replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub s: Option<Seq>,
    /// The message, told apart by `t`.
    #[serde(flatten)]
    pub message: ServerMessage,
}

/// A [`ServerFrame`] over a message that is shared, for writing it out without a copy.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ServerFrameRef<'a> {
    /// See [`ServerFrame::re`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub re: Option<RequestId>,
    /// See [`ServerFrame::s`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s: Option<Seq>,
    /// See [`ServerFrame::message`].
    #[serde(flatten)]
    pub message: &'a ServerMessage,
}
