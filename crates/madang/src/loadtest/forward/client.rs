//! One client of a load: a session on a socket of its own, what it sends and what it received.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant, SystemTime},
};

use madang_media::session::{
    Certificate, LayerId, Line, LocalCandidate, MediaPacket, Role, Session, SessionConfig, SessionEvent, SessionOutput,
    Transport, VideoCodec,
};
use madang_udp::{Options, ReceiveBatch, SendBatch, UdpSocket};

use super::{
    reception::Reception,
    stream::{Mark, Stream, StreamId},
};
use crate::loadtest::histogram::Histogram;

/// What all clients of a run share.
pub(crate) struct Shared {
    pub(crate) send: SendBatch,
    /// From written by the publisher to taken in by the receiver's kernel.
    pub(crate) delays: Histogram,
    /// Packets written now are marked as measured.
    pub(crate) measuring: bool,
    /// Packets that went out and that the kernel refused.
    pub(crate) unsent: u64,
}

pub(crate) struct Client {
    pub(crate) session: Session,
    pub(crate) socket: UdpSocket,
    pub(crate) streams: Vec<Stream>,
    pub(crate) receptions: HashMap<StreamId, Reception>,
    pub(crate) connected: bool,
    /// Why it has ended.
    pub(crate) ended: Option<String>,
    /// When it wants to be called again.
    pub(crate) due: Instant,
}

impl Client {
    pub(crate) fn open(address: IpAddr, certificate: &Certificate, now: Instant) -> io::Result<Self> {
        // Without GRO: each packet has a time of arrival of its own, and the server is spared nothing
        // that a network card would not spare it.
        let options = Options { gro: false, timestamps: true, receive_buffer: 1 << 20, ..Options::default() };
        let socket = UdpSocket::bind(SocketAddr::new(address, 0), options)?;
        let config = SessionConfig {
            role: Role::Client,
            video: vec![VideoCodec::Vp8],
            certificate: Some(certificate.clone()),
            candidates: vec![LocalCandidate { address: socket.local_addr(), tcp: false }],
        };
        Ok(Self {
            session: Session::new(&config, now),
            socket,
            streams: Vec::new(),
            receptions: HashMap::new(),
            connected: false,
            ended: None,
            due: now,
        })
    }

    /// Takes in what waits on the socket.
    pub(crate) fn receive(&mut self, batch: &mut ReceiveBatch, shared: &mut Shared) {
        let local = self.socket.local_addr();
        loop {
            let count = batch.receive(&self.socket).unwrap_or(0);
            let now = Instant::now();
            for datagram in batch.datagrams() {
                self.session.receive(now, Transport::Udp, datagram.from, local, datagram.data());
                // After each one, so that a packet is known by the datagram that it came in.
                self.drain(shared, datagram.arrival());
            }
            if count < batch.capacity() {
                break;
            }
        }
        self.flush(shared);
    }

    /// Lets time pass.
    pub(crate) fn tick(&mut self, now: Instant, shared: &mut Shared) {
        self.session.handle_timeout(now);
        self.drain(shared, None);
        self.flush(shared);
    }

    /// Writes the packets that are due. Says when the next one is.
    pub(crate) fn publish(&mut self, now: Instant, shared: &mut Shared) -> Option<Instant> {
        if !self.connected {
            return None;
        }
        for stream in &mut self.streams {
            while stream.due() <= now {
                let packet = stream.next(now, SystemTime::now(), shared.measuring);
                self.session.write_in(stream.line, stream.layer, packet);
            }
        }
        self.tick(now, shared);
        self.streams.iter().map(Stream::due).min()
    }

    fn drain(&mut self, shared: &mut Shared, arrival: Option<SystemTime>) {
        drain(&mut self.session, &mut self.due, |output| match output {
            Drained::Transmit { to, data } => send(&self.socket, shared, to, data),
            Drained::Event(SessionEvent::Packet(packet)) => count(&mut self.receptions, shared, &packet, arrival),
            Drained::Event(SessionEvent::KeyframeWanted { line, layer }) => {
                want_keyframe(&mut self.streams, line, layer);
            }
            Drained::Event(event) => note(event, &mut self.connected, &mut self.ended),
        });
    }

    fn flush(&mut self, shared: &mut Shared) {
        if !shared.send.is_empty() {
            shared.unsent += shared.send.flush(&self.socket).dropped;
        }
    }
}

enum Drained<'a> {
    Transmit { to: SocketAddr, data: &'a [u8] },
    Event(SessionEvent),
}

fn drain(session: &mut Session, due: &mut Instant, mut take: impl FnMut(Drained<'_>)) {
    while !session.is_ended() {
        match session.poll_output() {
            SessionOutput::Transmit(transmit) => take(Drained::Transmit { to: transmit.to, data: &transmit.data }),
            SessionOutput::Event(event) => take(Drained::Event(event)),
            SessionOutput::Timeout(at) => {
                *due = at;
                return;
            }
        }
    }
}

fn send(socket: &UdpSocket, shared: &mut Shared, to: SocketAddr, data: &[u8]) {
    while shared.send.push(to, &[data]).is_err() {
        shared.unsent += shared.send.flush(socket).dropped;
    }
}

fn note(event: SessionEvent, connected: &mut bool, ended: &mut Option<String>) {
    match event {
        SessionEvent::Connected => *connected = true,
        SessionEvent::Ended(why) => *ended = Some(why),
        _ => {}
    }
}

fn count(
    receptions: &mut HashMap<StreamId, Reception>,
    shared: &Shared,
    packet: &MediaPacket,
    arrival: Option<SystemTime>,
) {
    let Some(mark) = Mark::read(&packet.payload).filter(|mark| mark.measured) else { return };
    if !receptions.entry(mark.stream).or_default().count(mark.index) {
        return;
    }
    let arrival = arrival.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    if let Some(arrival) = arrival {
        shared.delays.record(arrival.checked_sub(mark.sent).unwrap_or(Duration::ZERO));
    }
}

fn want_keyframe(streams: &mut [Stream], line: Line, layer: Option<LayerId>) {
    let of = |stream: &&mut Stream| stream.line == line && layer.is_none_or(|layer| layer == stream.layer);
    streams.iter_mut().filter(of).for_each(Stream::want_keyframe);
}
