//! What goes into signaling and what comes out of it.

use std::time::Instant;

use madang_protocol::{
    Bitrate, Capabilities, ChatEvent, DataEvent, Delivery, Description, ErrorCode, Failure, Ice, IceServer,
    LeaveReason, LinkId, Mix, MixState, Negotiate, OpenLink, ParticipantId, ParticipantInfo, PublishTrack, Quality,
    RequestId, RoomInfo, RoomName, Speakers, TopologyEvent, TopologyPolicy, TrackInfo,
};

/// How to join.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The room.
    pub room: Option<RoomName>,
    /// The name to show.
    pub name: String,
    /// A join token, where the server has keys.
    pub token: Option<String>,
    /// What this client brings.
    pub capabilities: Capabilities,
    /// Tracks to publish from the beginning.
    pub tracks: Vec<PublishTrack>,
    /// The topology wished for, should this client create the room.
    pub topology: Option<TopologyPolicy>,
    /// For the chance in the pauses between two attempts to connect.
    pub seed: u64,
}

/// What happens to signaling.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// The WebSocket asked for by [`Output::Connect`] is open.
    Connected,
    /// A text frame came.
    Message(&'a str),
    /// The WebSocket could not be opened, or is gone.
    Disconnected,
    /// The time named by [`Output::Timeout`] has come.
    Timeout,
}

/// What the shell is to do.
#[derive(Debug)]
pub enum Output {
    /// Open a WebSocket; answer with [`Input::Connected`] or [`Input::Disconnected`].
    Connect,
    /// Send a text frame.
    Send(String),
    /// Close the WebSocket; no [`Input::Disconnected`] is needed.
    Disconnect,
    /// Something happened.
    Event(Event),
    /// Nothing more now. Come again at that time with [`Input::Timeout`].
    Timeout(Option<Instant>),
}

/// What happened in the room, or between the client and the server.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Inside, for the first time or again after the session was lost.
    Joined {
        /// Who this client is; its tracks have their ids.
        me: ParticipantInfo,
        /// The room.
        room: RoomInfo,
        /// STUN and TURN servers.
        ice_servers: Vec<IceServer>,
    },
    /// The connection was lost, and another is being tried. Media goes on.
    Reconnecting,
    /// The session was taken up on a new connection.
    Resumed,
    /// Somebody came.
    ParticipantJoined(ParticipantInfo),
    /// Somebody has another name, role, hand or presence.
    ParticipantChanged(ParticipantInfo),
    /// Somebody left.
    ParticipantLeft(ParticipantInfo, Option<LeaveReason>),
    /// A track was published, possibly by this client.
    TrackAdded(ParticipantId, TrackInfo),
    /// A track was muted, unmuted or is of another size.
    TrackChanged(ParticipantId, TrackInfo),
    /// A track was withdrawn.
    TrackRemoved(ParticipantId, TrackInfo),
    /// A link is to be opened.
    LinkOpened(OpenLink),
    /// A link is to be closed.
    LinkClosed(LinkId),
    /// This client, the link's offerer, is to offer.
    Negotiate(Negotiate),
    /// An offer or an answer.
    Description(Description),
    /// A candidate.
    Candidate(Ice),
    /// What may be sent.
    Bitrate(Bitrate),
    /// In which layer a track comes.
    Delivery(Delivery),
    /// The mix that comes in place of everybody's tracks, or those again.
    Mix(Option<Mix>),
    /// How the mix is made.
    MixState(MixState),
    /// Who speaks.
    Speakers(Speakers),
    /// How well somebody is connected.
    Quality(Quality),
    /// A line of text.
    Chat(ChatEvent),
    /// Bytes.
    Data(DataEvent),
    /// The room changed.
    Room(RoomInfo),
    /// The room moves to another topology.
    Topology(TopologyEvent),
    /// STUN and TURN servers with fresh credentials.
    IceServers(Vec<IceServer>),
    /// A request was refused.
    Refused(Option<RequestId>, Failure),
    /// It is over; nothing follows.
    Ended(End),
}

/// Why it is over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum End {
    /// The server said so, or this client left.
    #[error("{message}")]
    Bye {
        /// Why, for programs.
        code: Option<ErrorCode>,
        /// Why, for people.
        message: String,
    },
    /// The server does not let this client in.
    #[error("the server refuses: {} ({})", .0.message, .0.code.as_str())]
    Refused(Failure),
    /// The server can't be reached.
    #[error("the server can't be reached")]
    Unreachable,
    /// The server says what nobody understands.
    #[error("the server does not speak the protocol: {0}")]
    Protocol(String),
}

impl End {
    /// This client left before the server could say goodbye.
    pub(super) fn left() -> Self {
        Self::Bye { code: None, message: "Left.".into() }
    }
}
