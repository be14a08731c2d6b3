//! The steady load itself: one thread that sends at an even pace and counts what arrives.

use std::{
    hint,
    net::SocketAddr,
    time::{Duration, Instant, SystemTime},
};

use madang_udp::{ReceiveBatch, SendBatch, UdpSocket};

use super::super::histogram::Histogram;

/// Run, flow, and when it was sent, in front of each payload.
pub(super) const MARK: usize = 16;
/// ChannelData's header, RFC 8656 §12.4.
const HEADER: usize = 4;
/// How often sockets are emptied: so rarely that each call takes many packets, and long before
/// any buffer is full.
const DRAIN: Duration = Duration::from_millis(2);
/// After a delay of its own the load catches up, but never for so long that it stops receiving.
const CATCH_UP: u32 = 32;
/// What is still on its way arrives before this much silence, and this long at most is waited.
const SILENCE: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(3);

/// One direction of one relay.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    /// Which socket sends it.
    pub(super) socket: usize,
    pub(super) to: SocketAddr,
    /// The channel, where it goes out as ChannelData.
    pub(super) channel: Option<[u8; 2]>,
}

/// A socket where packets arrive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sink {
    pub(super) socket: usize,
    /// As ChannelData.
    pub(super) framed: bool,
}

/// How to send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) packets_per_second: u32,
    /// Packets of one flow in a row.
    pub(super) burst: u32,
    /// Packets of a burst in one message; 1: none merged.
    pub(super) gso: u32,
    pub(super) payload: usize,
}

/// What went out and what came.
#[derive(Debug, Default)]
pub(super) struct Count {
    pub(super) sent: u64,
    /// The kernel did not take them.
    pub(super) unsent: u64,
    pub(super) delivered: u64,
    /// Neither of this run nor left over from setting up.
    pub(super) strange: u64,
    pub(super) seconds: f64,
    /// Part of the time in which there was nothing to do.
    pub(super) idle: f64,
}

pub(super) struct Load {
    pub(super) sockets: Vec<UdpSocket>,
    pub(super) flows: Vec<Flow>,
    pub(super) sinks: Vec<Sink>,
    pub(super) pace: Pace,
    receive: ReceiveBatch,
    send: SendBatch,
    packet: Vec<u8>,
    run: u32,
}

impl Load {
    pub(super) fn new(sockets: Vec<UdpSocket>, flows: Vec<Flow>, sinks: Vec<Sink>, pace: Pace) -> Self {
        Self {
            receive: ReceiveBatch::new(64, 0),
            send: SendBatch::new(1 << 20, 512),
            packet: vec![7; pace.payload],
            sockets,
            flows,
            sinks,
            pace,
            run: rand::random(),
        }
    }

    /// Sends for so long, then waits for what is on its way. Packets of earlier runs do not count.
    pub(super) fn run(&mut self, time: Duration, delays: &Histogram) -> Count {
        self.run = self.run.wrapping_add(1);
        let (mut count, mut flow, mut offered, mut idle) = (Count::default(), 0, 0_u64, Duration::ZERO);
        let began = Instant::now();
        let (mut now, mut drain_at) = (began, began + DRAIN);
        while now.duration_since(began) < time {
            let due = now.duration_since(began).as_secs_f64() * f64::from(self.pace.packets_per_second);
            let mut bursts = 0;
            while offered + u64::from(self.pace.burst) <= due as u64 && bursts < CATCH_UP {
                self.burst(flow, &mut count);
                offered += u64::from(self.pace.burst);
                flow = (flow + 1) % self.flows.len();
                bursts += 1;
            }
            let before = now;
            now = Instant::now();
            if now >= drain_at {
                self.drain(&mut count, delays);
                drain_at = now + DRAIN;
            } else if bursts == 0 {
                idle += now.duration_since(before);
                hint::spin_loop();
            }
        }
        let seconds = began.elapsed();
        let (ended, mut heard_at) = (Instant::now(), Instant::now());
        while count.delivered < count.sent && heard_at.elapsed() < SILENCE && ended.elapsed() < LATEST {
            if self.drain(&mut count, delays) {
                heard_at = Instant::now();
            }
            std::thread::sleep(DRAIN);
        }
        count.seconds = seconds.as_secs_f64();
        count.idle = idle.as_secs_f64() / count.seconds;
        count
    }

    fn burst(&mut self, index: usize, count: &mut Count) {
        let Some(Flow { socket, to, channel }) = self.flows.get(index).copied() else { return };
        let Some(socket) = self.sockets.get(socket) else { return };
        self.packet[..4].copy_from_slice(&self.run.to_be_bytes());
        self.packet[4..8].copy_from_slice(&(index as u32).to_be_bytes());
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.packet[8..MARK].copy_from_slice(&(since.as_nanos() as u64).to_be_bytes());
        let mut head = [0; HEADER];
        if let Some(channel) = channel {
            head[..2].copy_from_slice(&channel);
            head[2..].copy_from_slice(&(self.pace.payload as u16).to_be_bytes());
        }
        let head = if channel.is_some() { &head[..] } else { &[] };
        let chunk = if self.pace.gso > 1 { self.pace.gso } else { self.pace.burst };
        let mut left = self.pace.burst;
        while left > 0 {
            let now = left.min(chunk);
            for _ in 0..now {
                if self.send.push(to, &[head, &self.packet]).is_err() {
                    flush(&mut self.send, socket, count);
                    let _ = self.send.push(to, &[head, &self.packet]);
                }
            }
            flush(&mut self.send, socket, count);
            left -= now;
        }
    }

    /// Whether anything came.
    fn drain(&mut self, count: &mut Count, delays: &Histogram) -> bool {
        let run = self.run.to_be_bytes();
        let mut heard = false;
        for Sink { socket, framed } in &self.sinks {
            let Some(socket) = self.sockets.get(*socket) else { continue };
            let skipped = if *framed { HEADER } else { 0 };
            while let Ok(messages) = self.receive.receive(socket) {
                heard = true;
                for datagram in self.receive.datagrams() {
                    let payload = datagram.data().get(skipped..).unwrap_or_default();
                    // Probes and packets of an earlier run come late.
                    if payload.len() != self.pace.payload {
                        count.strange += u64::from(payload.len() > MARK);
                        continue;
                    }
                    if payload[..4] != run {
                        continue;
                    }
                    count.delivered += 1;
                    if let Some(delay) = delay(payload, datagram.arrival()) {
                        delays.record(delay);
                    }
                }
                if messages < self.receive.capacity() {
                    break;
                }
            }
        }
        heard
    }
}

fn flush(batch: &mut SendBatch, socket: &UdpSocket, count: &mut Count) {
    let sent = batch.flush(socket);
    count.sent += sent.packets;
    count.unsent += sent.dropped;
}

fn delay(payload: &[u8], arrival: Option<SystemTime>) -> Option<Duration> {
    let sent = u64::from_be_bytes(payload.get(8..MARK)?.try_into().ok()?);
    arrival?.duration_since(SystemTime::UNIX_EPOCH + Duration::from_nanos(sent)).ok()
}

/// Which flow a packet belongs to.
pub(super) fn flow_of(payload: &[u8]) -> Option<usize> {
    Some(u32::from_be_bytes(payload.get(4..8)?.try_into().ok()?) as usize)
}

/// Buffers that hold what comes between two looks, also while another program has the core.
pub(super) fn options(gso: bool, gro: bool, timestamps: bool) -> madang_udp::Options {
    madang_udp::Options {
        receive_buffer: 32 << 20,
        send_buffer: 8 << 20,
        gro,
        gso,
        timestamps,
        ..madang_udp::Options::default()
    }
}
