//! What a session gives and takes.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use crate::payload::Patch;

/// A media description of a session, by its place among those of this session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Line(pub u16);

/// A simulcast layer of a line, from 0, the smallest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LayerId(pub u8);

/// One of the two data channels of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DataChannel {
    /// Ordered, nothing is lost. Stream 0.
    Reliable,
    /// Unordered, nothing is sent twice. Stream 1.
    Lossy,
}

/// How bytes reach the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A TCP connection with RFC 4571 framing.
    Tcp,
}

/// A packet that goes out.
#[derive(Debug)]
pub struct Transmit {
    /// How.
    pub transport: Transport,
    /// From which local candidate.
    pub from: SocketAddr,
    /// Where to.
    pub to: SocketAddr,
    /// The bytes.
    pub data: Vec<u8>,
}

/// A packet that came in, RFC 3550 and its header extensions, decrypted.
#[derive(Debug)]
pub struct MediaPacket {
    /// On which line.
    pub line: Line,
    /// In which layer; a line without simulcast has its top layer alone.
    pub layer: LayerId,
    /// Its payload type.
    pub payload_type: u8,
    /// Its sequence number, extended over wraps.
    pub seq: u64,
    /// Its timestamp.
    pub timestamp: u32,
    /// Its marker bit.
    pub marker: bool,
    /// One before it in its stream is missing, and is not asked for any more.
    pub lost: bool,
    /// Its payload, shared by all who get it.
    pub payload: Arc<[u8]>,
    /// RFC 6464.
    pub audio_level: Option<AudioLevel>,
    /// How the picture is turned (3GPP TS 26.114, coordination of video orientation).
    pub orientation: Option<Orientation>,
    /// The stream's newest sender report (RFC 3550 §6.4.1).
    pub report: Option<SenderReport>,
}

/// What ties a stream's timestamps to its sender's clock, which all its layers share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderReport {
    /// A moment of the sender's clock, in microseconds since 1970.
    pub at_us: u64,
    /// The stream's timestamp then.
    pub timestamp: u32,
}

impl SenderReport {
    /// The moment of the sender's clock, in microseconds since 1970, that a timestamp of the stream
    /// stands for. `rate` is the stream's, in Hz.
    #[must_use]
    pub fn moment_us(self, timestamp: u32, rate: u32) -> i64 {
        let ticks = i64::from(timestamp.wrapping_sub(self.timestamp).cast_signed());
        self.at_us.cast_signed().saturating_add(ticks * 1_000_000 / i64::from(rate.max(1)))
    }
}

/// How a picture is turned, as its sender has said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Orientation(pub(super) str0m::rtp::VideoOrientation);

impl Orientation {
    pub(crate) fn on_wire(self) -> u8 {
        self.0 as u8
    }

    /// By how many quarters it is to be turned clockwise to be upright (3GPP TS 26.114 §7.4.5, as
    /// browsers understand it).
    pub(crate) fn quarter_turns(self) -> u8 {
        self.on_wire() & 3
    }
}

/// How loud a packet is (RFC 6464).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioLevel {
    /// Below full scale, in decibels: 0 is the loudest, 127 silence.
    pub below_full: u8,
    /// Whether the sender takes it for speech.
    pub voice: bool,
}

impl AudioLevel {
    /// RFC 6464 §3.
    pub(crate) fn on_wire(self) -> u8 {
        u8::from(self.voice) << 7 | self.below_full & 0x7F
    }
}

/// A packet to send, numbered by whoever sends it.
#[derive(Debug)]
pub struct OutgoingPacket {
    /// As in the packet that it repeats.
    pub payload_type: u8,
    /// Extended; the first of a stream is below 65 536.
    pub seq: u64,
    /// RTP timestamp.
    pub timestamp: u32,
    /// When it was captured or came in, for sender reports.
    pub at: Instant,
    /// Marker bit.
    pub marker: bool,
    /// Shared.
    pub payload: Arc<[u8]>,
    /// Numbers to write over those in the payload.
    pub patch: Patch,
    /// RFC 6464.
    pub audio_level: Option<AudioLevel>,
    /// Turned picture.
    pub orientation: Option<Orientation>,
    /// Whether it is kept to be sent again.
    pub repeatable: bool,
}

/// What is known of the path to the other end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// What can be sent, in bits per second, as payloads.
    pub rate: u64,
    /// The share that was lost over the last second, from 0 to 1; `None` where nothing was
    /// reported.
    pub loss: Option<f32>,
}

/// What happened in a session.
#[derive(Debug)]
pub enum SessionEvent {
    /// ICE and DTLS are done.
    Connected,
    /// No candidate pair works (any more).
    PathLost,
    /// One works again.
    PathFound,
    /// Media came.
    Packet(MediaPacket),
    /// The other end wants a keyframe of what it gets on a line.
    KeyframeWanted {
        /// Which.
        line: Line,
        /// Which layer, where several are sent.
        layer: Option<LayerId>,
    },
    /// What can be sent, a few times a second.
    Estimate(Estimate),
    /// Bytes on a data channel.
    Data(DataChannel, Vec<u8>),
    /// The data channels can be used.
    ChannelsOpen,
    /// The other end has closed the session, or it has failed. Nothing follows.
    Ended(String),
}

/// What a session has to say.
#[derive(Debug)]
pub enum SessionOutput {
    /// Send this.
    Transmit(Transmit),
    /// This happened.
    Event(SessionEvent),
    /// Nothing more now; call again then.
    Timeout(Instant),
}
