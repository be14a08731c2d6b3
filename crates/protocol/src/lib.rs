//! The signaling messages of madang, version 1.
//!
//! These types are the one source of the protocol: the JSON Schema and the TypeScript
//! declarations are generated from them ([`json_schema`], [`type_script`]). `docs/protocol.md`
//! explains the exchange to someone who writes a client in another language.
//!
//! A frame is one JSON object on a WebSocket text message:
//! `{"t": "...", "id"?, "re"?, "s"?, ...}`. See [`ClientFrame`] and [`ServerFrame`].
//! Unknown fields are ignored; an unknown `t` is answered with [`ErrorCode::BadRequest`].

mod client;
mod error;
mod frame;
mod generate;
mod id;
mod limits;
mod media;
mod media_plane;
mod mix;
mod participant;
mod server;

pub use client::*;
pub use error::*;
pub use frame::*;
pub use generate::*;
pub use id::*;
pub use limits::*;
pub use media::*;
pub use media_plane::*;
pub use mix::*;
pub use participant::*;
pub use server::*;

/// The protocol version that this crate describes.
pub const VERSION: u32 = 1;

/// The WebSocket subprotocol of [`VERSION`].
pub const SUBPROTOCOL: &str = "madang.v1";

/// The path of the signaling WebSocket.
pub const WEBSOCKET_PATH: &str = "/v1/ws";
