//! What goes into a forwarder and what comes out of it.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use madang_protocol::{MediaCommand, MediaEvent};

use crate::mcu::{Job, MixerConfig};
use crate::session::{Certificate, LocalCandidate, Transmit, Transport};

/// A room, numbered by the shell; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomKey(pub u64);

/// How a forwarder is set up.
#[derive(Clone, Debug)]
pub struct SfuConfig {
    /// Where its links' media comes to.
    pub candidates: Vec<LocalCandidate>,
    /// The certificate of its links; `None` makes one for each.
    pub certificate: Option<Certificate>,
    /// In a room with more cameras than this, only those of the last speakers are forwarded.
    pub last_n: usize,
    /// How long forwarded packets may wait for others to the same receiver, so that one wake-up
    /// and one system call serve several. Zero sends at once.
    pub gather: Duration,
    /// How rooms are mixed; `None` where none can be.
    pub mixer: Option<MixerConfig>,
}

/// Something that happened to a forwarder.
#[derive(Debug)]
pub enum Input<'a> {
    /// A packet came.
    Packet {
        /// How.
        transport: Transport,
        /// From there.
        from: SocketAddr,
        /// To this local candidate.
        to: SocketAddr,
        /// The bytes.
        data: &'a [u8],
    },
    /// A room wants something.
    Command {
        /// Which room.
        room: RoomKey,
        /// What.
        command: MediaCommand,
    },
    /// A job has been run.
    Done(Box<Job>),
    /// A batch of inputs is over, or the time that [`Output::Timeout`] named has come.
    Timeout,
}

/// What the shell has to do.
#[derive(Debug)]
pub enum Output {
    /// Send a packet.
    Transmit(Transmit),
    /// Run a job off the shard, and give it back with [`Input::Done`].
    Job(Box<Job>),
    /// Tell a room.
    Event {
        /// Which room.
        room: RoomKey,
        /// What.
        event: MediaEvent,
    },
    /// Nothing more to do now. Give [`Input::Timeout`] at the time named, if any.
    Timeout(Option<Instant>),
}

/// What a forwarder counts, since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets of media that came in.
    pub received: u64,
    /// Packets of media that were handed to a receiver's session.
    pub forwarded: u64,
    /// Their payloads' bytes.
    pub forwarded_bytes: u64,
    /// Packets that belong to no link: strangers', or late.
    pub unknown: u64,
    /// Keyframes asked of publishers.
    pub keyframes_asked: u64,
    /// Keyframes that receivers asked for.
    pub keyframes_wanted: u64,
    /// Messages on data channels that were over a participant's rate, or no messages.
    pub data_refused: u64,
    /// Links that ended by a fault.
    pub failed: u64,
    /// Links that are open now.
    pub links: u64,
    /// Tracks that there are now, mixed pictures among them.
    pub tracks: u64,
    /// What the mixers do.
    pub mixing: Mixing,
    /// Subscriptions by what is forwarded and why, now; in the order of
    /// [`madang_protocol::DeliveryReason`].
    pub deliveries: [u64; 7],
}

/// What mixers count. What is not said to be now is since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mixing {
    /// Rooms that are mixed for somebody, now.
    pub rooms: u64,
    /// Viewers and listeners of mixes, now.
    pub viewers: u64,
    /// Sources whose pictures are decoded, now.
    pub decoding: u64,
    /// Renditions that are encoded, now.
    pub encoding: u64,
    /// Rooms whose mix has fewer pictures, or smaller ones, than it should, now.
    pub limited: u64,
    /// Rooms whose mix takes no further viewers, now.
    pub full: u64,
    /// People, tracks and mixed pictures that mixers know, and who listens, now.
    pub people: u64,
    /// Tracks.
    pub sources: u64,
    /// Mixed pictures.
    pub pictures: u64,
    /// Who listens.
    pub listeners: u64,
    /// Pictures decoded.
    pub decoded: u64,
    /// Frames that could not be decoded.
    pub decoder_faults: u64,
    /// Pictures encoded.
    pub encoded: u64,
    /// Keyframes among them.
    pub keyframes: u64,
    /// Packets of mixed sound.
    pub sound_packets: u64,
    /// Sound of sources that was played, and how much of it was made up for want of packets, in
    /// microseconds.
    pub played_us: u64,
    /// Made up.
    pub concealed_us: u64,
    /// Pictures left out because the one before was not done.
    pub late: u64,
    /// Processor time of decoding, of pictures and of sound, in microseconds.
    pub decode_us: u64,
    /// Of drawing and encoding.
    pub picture_us: u64,
    /// Of mixing sound.
    pub sound_us: u64,
}

impl Mixing {
    /// Adds what another mixer counts.
    pub(crate) fn add(&mut self, other: &Self) {
        let Self { rooms, viewers, decoding, encoding, limited, full, people, sources, pictures, listeners, .. } =
            other;
        let now = [
            (&mut self.rooms, rooms),
            (&mut self.viewers, viewers),
            (&mut self.decoding, decoding),
            (&mut self.encoding, encoding),
            (&mut self.limited, limited),
            (&mut self.full, full),
            (&mut self.people, people),
            (&mut self.sources, sources),
            (&mut self.pictures, pictures),
            (&mut self.listeners, listeners),
        ];
        now.into_iter().for_each(|(own, other)| *own += other);
        self.add_past(other);
    }

    /// Adds what a mixer has counted that is gone, and does nothing now.
    pub(crate) fn add_past(&mut self, other: &Self) {
        let past = [
            (&mut self.decoded, other.decoded),
            (&mut self.decoder_faults, other.decoder_faults),
            (&mut self.encoded, other.encoded),
            (&mut self.keyframes, other.keyframes),
            (&mut self.sound_packets, other.sound_packets),
            (&mut self.played_us, other.played_us),
            (&mut self.concealed_us, other.concealed_us),
            (&mut self.late, other.late),
            (&mut self.decode_us, other.decode_us),
            (&mut self.picture_us, other.picture_us),
            (&mut self.sound_us, other.sound_us),
        ];
        past.into_iter().for_each(|(own, other)| *own += other);
    }
}
