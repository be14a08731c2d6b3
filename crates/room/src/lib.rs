//! Rooms, participants and their links, sans-IO.
//!
//! A [`Room`] holds no socket, clock or thread. The shell gives it an [`Input`] with the time,
//! then drains [`Room::poll_output`] until it answers [`Output::Timeout`]:
//!
//! ```
//! use std::{sync::Arc, time::Instant};
//! use madang_protocol::{Capabilities, Hello, RoomName, TopologyPolicy};
//! use madang_room::{ConnectionId, Grant, Input, Output, Room, Settings};
//!
//! let seed = [7; 32]; // from the system's generator, in earnest
//! let mut room = Room::new(RoomName::from("yard"), Arc::new(Settings::default()), seed, TopologyPolicy::Auto);
//! let hello = Hello {
//!     versions: vec![1], token: None, room: RoomName::from("yard"), name: "Mina".into(),
//!     capabilities: Capabilities::default(), tracks: vec![], topology: None, resume: None,
//! };
//! room.handle_input(Instant::now(), Input::Join {
//!     connection: ConnectionId(1), request: None, hello: Box::new(hello),
//!     grant: Grant::default(), ice_servers: vec![],
//! });
//! let Output::Send { frame, .. } = room.poll_output() else { panic!("a welcome") };
//! assert!(matches!(*frame.message, madang_protocol::ServerMessage::Welcome(_)));
//! assert!(matches!(room.poll_output(), Output::Timeout(None)));
//! ```
//!
//! In a mesh every pair of participants has one link; in a room that the server forwards for
//! (`sfu`), or that it mixes (`mcu`), each has one to the server. Those who are away within their resume grace keep theirs.
//! The media behind links to the server is not here: [`Output::Media`] tells the media server
//! what to do, and [`Input::Media`] brings what it has to say. Everything that a client can make the room keep is bounded by [`Settings`].

mod bandwidth;
mod codecs;
mod departed;
mod departure;
mod entry;
mod forwarding;
mod ids;
mod io;
mod kicked;
mod link;
mod media_event;
mod mix;
mod moderation;
mod negotiation;
mod quality;
mod refusal;
mod relay;
mod report;
mod resume;
mod ring;
mod room;
mod roster;
mod secret;
mod served;
mod session;
mod settings;
mod subscription;
mod talk;
mod topology;
mod track;
mod validate;
mod welcome;

pub use io::{Census, ConnectionId, Grant, Input, OutFrame, Output};
pub use room::Room;
pub use settings::{BandwidthSettings, MixSettings, QualitySettings, Settings};
pub use validate::can_be_mixed;
