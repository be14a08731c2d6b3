//! What goes into a room and what comes out of it.

use std::{sync::Arc, time::Instant};

use madang_protocol::{
    BitsPerSecond, ClientFrame, Hello, IceServer, MediaCommand, MediaEvent, RequestId, Role, Seq, ServerFrameRef,
    ServerMessage, Topology,
};

/// One signaling connection, numbered by the shell; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// What the shell found out about a newcomer: the claims of a checked token, or nothing where
/// the server runs open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// The token's `sub`.
    pub identity: Option<String>,
    /// The token's `name`; overrides the name in `hello`.
    pub name: Option<String>,
    /// The token's `role`. Absent means that the room gives the roles itself: the first to
    /// join is host, and a last host who leaves hands the role on.
    pub role: Option<Role>,
    /// The most that this participant may send in all.
    pub max_send_bps: Option<BitsPerSecond>,
}

/// Something that happened to a room.
#[derive(Clone, Debug)]
pub enum Input {
    /// A connection said `hello`, and its token (if any) was checked.
    Join {
        /// The connection.
        connection: ConnectionId,
        /// The `id` of the hello.
        request: Option<RequestId>,
        /// The hello, `resume` included.
        hello: Box<Hello>,
        /// What its token grants.
        grant: Grant,
        /// STUN and TURN servers with credentials for this participant.
        ice_servers: Vec<IceServer>,
    },
    /// A frame from a connection that has joined. The shell has checked its size and rate.
    Message {
        /// The connection.
        connection: ConnectionId,
        /// The frame.
        frame: ClientFrame,
        /// The wall clock, in milliseconds since 1970, which chat lines carry.
        unix_ms: u64,
    },
    /// The connection is gone.
    Disconnected {
        /// The connection.
        connection: ConnectionId,
        /// Whether the client said that its page closed (WebSocket code 1001): its participant
        /// leaves at once, and is itself again if it comes back within the resume grace.
        /// Otherwise it stays, away, for that grace.
        page_closed: bool,
    },
    /// The media server answers what [`Output::Media`] told it. What is late is dropped.
    Media(MediaEvent),
    /// The time that [`Output::Timeout`] named has come.
    Timeout,
    /// The server goes down: everyone is told to come back, and the room ends.
    Drain {
        /// When to come back.
        retry_after_ms: u32,
    },
}

/// What the shell has to do.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send a frame.
    Send {
        /// To this connection.
        connection: ConnectionId,
        /// The frame.
        frame: OutFrame,
    },
    /// Close the connection after everything sent before. The room knows it no longer.
    Close {
        /// The connection.
        connection: ConnectionId,
    },
    /// Give this to the media server that carries the room's links. Commands are to reach it in
    /// order; what it answers comes back as [`Input::Media`].
    Media(MediaCommand),
    /// Nothing more to do now. Give [`Input::Timeout`] at the time named, if any.
    Timeout(Option<Instant>),
}

/// A frame to send; its message is shared between everyone who gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct OutFrame {
    /// The request that it replies to.
    pub re: Option<RequestId>,
    /// Its place among the session's events.
    pub s: Option<Seq>,
    /// The message.
    pub message: Arc<ServerMessage>,
}

impl OutFrame {
    /// The frame in the form that serialises.
    #[must_use]
    pub fn as_frame(&self) -> ServerFrameRef<'_> {
        ServerFrameRef { re: self.re, s: self.s, message: &self.message }
    }
}

/// What a room counts, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Census {
    /// Its topology.
    pub topology: Topology,
    /// Participants, those in grace included.
    pub participants: usize,
    /// Participants whose signaling is connected.
    pub present: usize,
    /// Links.
    pub links: usize,
}
