//! What goes into a participant and what comes out of it.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use madang_media::session::Certificate;
pub use madang_media::session::{DataChannel, Transmit, Transport};
use madang_protocol::{LinkId, ParticipantId, PublishTrack, TrackId, TrackKind, TrackSource};

use super::path::Path;
use crate::{
    clip::{Clip, Codec, Layer},
    receive::Received,
    relay::Transport as RelayTransport,
    signaling, stamp,
};

/// Who a participant is and what it brings.
#[derive(Clone, Debug)]
pub struct Config {
    /// How to join; the tracks are those of `publications`.
    pub signaling: signaling::Settings,
    /// What it publishes.
    pub publications: Vec<Publication>,
    /// Its UDP sockets.
    pub hosts: Vec<SocketAddr>,
    /// How its media may travel.
    pub ice: Ice,
    /// Its DTLS certificate; `None` makes one. Many in one process may share one.
    pub certificate: Option<Certificate>,
    /// The clock of the stamps in its pictures.
    pub clock: stamp::Clock,
    /// Whether it sends no more layers than bandwidth estimation allows.
    pub adapts: bool,
    /// Whether received frames are given out; their figures are there anyway.
    pub wants_frames: bool,
    /// Makes its numbers differ from those of others; nothing secret hangs on it.
    pub seed: u64,
}

/// How media may travel.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Ice {
    /// Which candidates there are. With [`Kinds::Relay`] links to the server go by the relay too,
    /// and are opened once it is there; otherwise they are direct.
    pub kinds: Kinds,
    /// The one way in which a relay is to be reached; `None`: whichever gets through, UDP first.
    pub relay: Option<RelayTransport>,
    /// Secret and random: ids of STUN transactions come from it (RFC 8489 §5).
    pub secret: [u8; 32],
}

/// Secrets stay out of logs.
impl std::fmt::Debug for Ice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ice").field("kinds", &self.kinds).field("relay", &self.relay).finish_non_exhaustive()
    }
}

/// Which kinds of candidates are gathered for links to other participants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kinds {
    /// Its sockets, what STUN servers see of them, and a relay.
    #[default]
    All,
    /// All but the relay.
    NoRelay,
    /// The relay alone.
    Relay,
}

/// A byte stream to a relay, by its number among those of a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamId(pub u32);

/// What the shell is to do with a stream. What is sent before it is open waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamOutput {
    /// Connect.
    Open {
        /// To this address.
        at: SocketAddr,
        /// Whose certificate has this name.
        host: String,
        /// TCP, or TLS on it.
        transport: RelayTransport,
    },
    /// Send this.
    Send(Vec<u8>),
    /// Close it; nothing more is said of it.
    Close,
}

/// What happened to a stream.
#[derive(Clone, Copy, Debug)]
pub enum StreamInput<'a> {
    /// A frame came, cut out by [`madang_wire::StreamFramer`].
    Frame(&'a [u8]),
    /// It could not be opened, or is gone, and why.
    Closed(&'a str),
}

/// A track to publish.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The client's own name for it.
    pub cid: String,
    /// Where it is said to come from.
    pub source: TrackSource,
    /// What is sent.
    pub content: Content,
}

/// What a track shows or sounds like.
#[derive(Clone, Debug)]
pub enum Content {
    /// The test picture, stamped, in as many layers as the server takes of these.
    Pattern(Vec<Layer>),
    /// A clip as it is.
    Clip(Arc<Clip>),
}

impl Content {
    /// What it is encoded in.
    #[must_use]
    pub fn codec(&self) -> Codec {
        match self {
            Self::Pattern(_) => Codec::Vp8,
            Self::Clip(clip) => clip.codec,
        }
    }
}

impl Publication {
    /// As the server is told of it.
    #[must_use]
    pub fn announcement(&self) -> PublishTrack {
        let codec = self.content.codec();
        let (size, simulcast) = match &self.content {
            Content::Pattern(layers) => {
                (layers.iter().max().map(|layer| crate::clip::pattern(*layer).size), layers.len() > 1)
            }
            Content::Clip(clip) => (Some(clip.size).filter(|size| size.height > 0), false),
        };
        PublishTrack {
            cid: self.cid.clone(),
            kind: if codec == Codec::Opus { TrackKind::Audio } else { TrackKind::Video },
            source: self.source,
            muted: false,
            simulcast,
            codecs: vec![codec.name().to_owned()],
            width: size.map(|size| size.width),
            height: size.map(|size| size.height),
        }
    }
}

/// What happens to a participant.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Something about its WebSocket.
    Signaling(signaling::Input<'a>),
    /// A packet came. Drain the outputs before the next: a session holds one packet of media.
    Receive {
        /// How.
        transport: Transport,
        /// From whom.
        from: SocketAddr,
        /// To which of its sockets.
        to: SocketAddr,
        /// The bytes.
        data: &'a [u8],
    },
    /// Something happened to a stream of [`Output::Stream`].
    Stream(StreamId, StreamInput<'a>),
    /// The time named by [`Output::Timeout`] has come.
    Timeout,
}

/// What the shell is to do.
#[derive(Debug)]
pub enum Output {
    /// Open a WebSocket; answer with [`signaling::Input::Connected`] or `Disconnected`.
    Connect,
    /// Send a text frame.
    Send(String),
    /// Close the WebSocket.
    Disconnect,
    /// Send a packet from one of its sockets.
    Transmit(Transmit),
    /// Do this with a stream.
    Stream(StreamId, StreamOutput),
    /// Something happened.
    Event(Event),
    /// Nothing more now. Come again at that time with [`Input::Timeout`].
    Timeout(Option<Instant>),
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// In the room, or between the client and the server.
    Signaling(signaling::Event),
    /// Media can flow on a link.
    Connected(LinkId),
    /// Media on a link to another participant goes this way now.
    Path(LinkId, Path),
    /// No way to the other participant works (any more); one is looked for.
    PathLost(LinkId),
    /// There is a relay at this address, and how its server is reached.
    RelayOpened(SocketAddr, RelayTransport),
    /// There is no relay to be had, and why.
    RelayFailed(String),
    /// A link has failed; the server is asked for another.
    LinkFailed(LinkId, String),
    /// A track begins to come.
    TrackBegins(TrackId, Codec),
    /// A frame of a track; only where [`Config::wants_frames`].
    Frame(TrackId, Codec, Received),
    /// Bytes of somebody, by data channel.
    Data {
        /// Whose; the link's peer, where the link is to a participant.
        from: Option<ParticipantId>,
        /// By which channel.
        channel: DataChannel,
        /// What they are about.
        topic: String,
        /// The bytes.
        bytes: Vec<u8>,
    },
}
