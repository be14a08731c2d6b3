//! The load itself: one thread that sends at an even pace and takes what arrives in between.

use std::{
    error::Error,
    os::fd::AsRawFd,
    time::{Duration, Instant},
};

use madang_udp::{ReceiveBatch, SendBatch};
use mio::{Events, Interest, Poll, Token, unix::SourceFd};

use super::{
    super::{
        cpu::{self, Used},
        histogram::Histogram,
    },
    Options,
    rig::{Flows, Receiver},
};

/// What arrives after the end belongs to what was sent before it, for this long.
const LATE: Duration = Duration::from_millis(300);

/// What is behind by more than this is given up, so that a slow machine is offered less and the
/// table says so, and not bursts that nobody asked for.
const BEHIND: Duration = Duration::from_millis(20);

/// Data begins with when it was sent, and whether it counts.
const STAMP: usize = 9;

/// What was seen while it was measured.
pub(super) struct Outcome {
    pub(super) sent: u64,
    pub(super) delivered: u64,
    /// Lost at the sockets of the load, not by the server.
    pub(super) overrun: u64,
    pub(super) seconds: f64,
    pub(super) used: Option<Used>,
    pub(super) latency: Histogram,
}

struct Load {
    flows: Flows,
    out: SendBatch,
    received: ReceiveBatch,
    poll: Poll,
    events: Events,
    data: Vec<u8>,
    began: Instant,
    delivered: u64,
    latency: Histogram,
}

pub(super) fn run(
    options: &Options,
    flows: Flows,
    server: Option<(u32, Option<usize>)>,
) -> Result<Outcome, Box<dyn Error>> {
    let poll = Poll::new()?;
    for (index, receiver) in flows.receivers.iter().enumerate() {
        let descriptor = receiver.socket.as_raw_fd();
        poll.registry().register(&mut SourceFd(&descriptor), Token(index), Interest::READABLE)?;
    }
    let before = overruns(&flows.receivers)?;
    let mut load = Load {
        out: SendBatch::new(1 << 20, 1024),
        received: ReceiveBatch::new(64, 0),
        poll,
        events: Events::with_capacity(1024),
        data: vec![0; usize::from(options.size)],
        began: Instant::now(),
        delivered: 0,
        latency: Histogram::new(),
        flows,
    };
    let time = options.time.0;
    load.send_for(options, time / 10, false)?;
    let reading = server.map(|(pid, core)| cpu::of_process(pid, core)).transpose()?;
    let begin = Instant::now();
    let sent = load.send_for(options, time, true)?;
    let seconds = begin.elapsed().as_secs_f64();
    let end = Instant::now() + LATE;
    while Instant::now() < end {
        load.take()?;
    }
    let used = reading.map(|reading| reading.used()).transpose()?;
    let overrun = overruns(&load.flows.receivers)?.saturating_sub(before);
    Ok(Outcome { sent, delivered: load.delivered, overrun, seconds, used, latency: load.latency })
}

impl Load {
    /// Sends for so long; says how many packets.
    fn send_for(&mut self, options: &Options, time: Duration, counts: bool) -> Result<u64, Box<dyn Error>> {
        let (rate, burst) = (f64::from(options.rate), u64::from(options.burst));
        let (begin, mut due_since, mut flow) = (Instant::now(), Duration::ZERO, 0);
        let (mut sent, mut paced) = (0, 0_u64);
        loop {
            let elapsed = begin.elapsed();
            if elapsed >= time {
                return Ok(sent);
            }
            let due = ((elapsed - due_since).as_secs_f64() * rate) as u64;
            if due.saturating_sub(paced) as f64 > rate * BEHIND.as_secs_f64() {
                (due_since, paced) = (elapsed, 0);
            }
            while paced + burst <= due {
                sent += self.send_burst(options, flow, counts);
                paced += burst;
                flow = (flow + 1) % self.flows.senders.len();
            }
            self.take()?;
        }
    }

    fn send_burst(&mut self, options: &Options, flow: usize, counts: bool) -> u64 {
        let Self { flows, out, data, began, .. } = self;
        let sender = &flows.senders[flow];
        let nanos = began.elapsed().as_nanos() as u64;
        data[..8].copy_from_slice(&nanos.to_be_bytes());
        data[8] = u8::from(counts);
        let mut sent = 0;
        for packet in 1..=options.burst {
            // A batch of one burst always has room.
            let _ = out.push(sender.to, &[&sender.head, data]);
            if packet % options.gso == 0 && options.gso > 1 {
                sent += out.flush(&sender.socket).packets;
            }
        }
        if !out.is_empty() {
            sent += out.flush(&sender.socket).packets;
        }
        sent
    }

    /// Takes what has arrived.
    fn take(&mut self) -> Result<(), Box<dyn Error>> {
        let Self { flows, received, poll, events, began, delivered, latency, .. } = self;
        poll.poll(events, Some(Duration::ZERO))?;
        for event in events.iter() {
            let Some(Receiver { socket, head }) = flows.receivers.get(event.token().0) else { continue };
            while let Ok(messages) = received.receive(socket) {
                let now = began.elapsed();
                for (_, place) in received.places(0) {
                    let bytes = place.of(received.bytes());
                    let Some(stamp) = bytes.get(*head..*head + STAMP) else { continue };
                    let (nanos, counts) = stamp.split_at(8);
                    if counts[0] == 1 {
                        *delivered += 1;
                        let nanos = nanos.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
                        latency.record(now.saturating_sub(Duration::from_nanos(nanos)));
                    }
                }
                if messages < received.capacity() {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Packets that found no room at these sockets, udp(7): the last column of `/proc/net/udp`.
fn overruns(receivers: &[Receiver]) -> Result<u64, Box<dyn Error>> {
    let ports: Vec<u16> = receivers.iter().map(|receiver| receiver.socket.local_addr().port()).collect();
    let mut total = 0;
    for file in ["/proc/net/udp", "/proc/net/udp6"] {
        for line in std::fs::read_to_string(file).unwrap_or_default().lines().skip(1) {
            let mut fields = line.split_ascii_whitespace();
            let port = fields.nth(1).and_then(|local| u16::from_str_radix(local.rsplit(':').next()?, 16).ok());
            if port.is_some_and(|port| ports.contains(&port)) {
                total += fields.last().and_then(|drops| drops.parse::<u64>().ok()).unwrap_or(0);
            }
        }
    }
    Ok(total)
}
