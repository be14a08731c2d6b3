//! `madang loadtest floor`: what the kernel alone takes to send the packets that a forwarding
//! server would send, to as many sockets, by the calls that `madang-udp` makes.

use std::{
    error::Error,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use clap::Args;
use madang_server::config::Span;
use madang_udp::{ReceiveBatch, SendBatch, UdpSocket};
use mio::{Events, Interest, Poll, Token, unix::SourceFd};
use serde::Serialize;

use super::cpu::{self, Used};

#[derive(Args)]
pub(crate) struct Options {
    /// Numbers of receivers, each measured by itself.
    #[arg(long, value_delimiter = ',', default_value = "10,50,100,200")]
    receivers: Vec<u32>,
    /// Packets per second to each receiver.
    #[arg(long, default_value_t = 260, value_parser = clap::value_parser!(u32).range(1..))]
    packets_per_second: u32,
    /// Bytes of each packet.
    #[arg(long, default_value_t = 1200)]
    size: u16,
    /// How long each is measured.
    #[arg(long, default_value = "5s")]
    time: Span,
    /// The local address of all sockets.
    #[arg(long, default_value = "127.0.0.1")]
    address: IpAddr,
    /// The core of the sender.
    #[arg(long, default_value_t = 0)]
    core: usize,
    /// The core of all receivers.
    #[arg(long, default_value_t = 1)]
    receiver_core: usize,
    /// Prints each result as a line of JSON.
    #[arg(long)]
    json: bool,
}

/// How packets are handed to the kernel.
#[derive(Clone, Copy, Debug)]
struct Way {
    name: &'static str,
    /// Packets to each receiver in one call.
    burst: u32,
    gso: bool,
    /// Whether receivers take merged packets as one.
    gro: bool,
}

const WAYS: [Way; 3] = [
    Way { name: "sendmmsg", burst: 1, gso: false, gro: false },
    Way { name: "GSO of 8", burst: 8, gso: true, gro: false },
    Way { name: "GSO of 8, GRO", burst: 8, gso: true, gro: true },
];

#[derive(Debug, Serialize)]
struct Row {
    way: &'static str,
    receivers: u32,
    packets: u64,
    received: u64,
    used: Used,
    user_us: f64,
    system_us: f64,
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    if !options.json {
        println!("| receivers | way | CPU-µs per packet | user | system | softirq thread | received |");
        println!("| ---: | --- | ---: | ---: | ---: | ---: | ---: |");
    }
    for receivers in &options.receivers {
        for way in WAYS {
            let row = measure(options, *receivers, way)?;
            if options.json {
                println!("{}", serde_json::to_string(&row)?);
            } else {
                print(&row);
            }
        }
    }
    Ok(())
}

fn print(row: &Row) {
    let Row { way, receivers, packets, received, used, user_us, system_us } = row;
    let softirq = used.softirq * 1e6 / (*packets).max(1) as f64;
    let share = *received as f64 * 100.0 / (*packets).max(1) as f64;
    let all = user_us + system_us;
    println!("| {receivers} | {way} | {all:.2} | {user_us:.2} | {system_us:.2} | {softirq:.2} | {share:.1} % |");
}

fn open(options: &Options, way: Way) -> io::Result<UdpSocket> {
    let wanted = madang_udp::Options { gso: way.gso, gro: way.gro, ..madang_udp::Options::default() };
    UdpSocket::bind(SocketAddr::new(options.address, 0), wanted)
}

fn measure(options: &Options, receivers: u32, way: Way) -> Result<Row, Box<dyn Error>> {
    let sockets = (0..receivers).map(|_| open(options, way)).collect::<io::Result<Vec<_>>>()?;
    let addresses: Vec<SocketAddr> = sockets.iter().map(UdpSocket::local_addr).collect();
    let (stop, received) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let receiver = {
        let (stop, received, core) = (stop.clone(), received.clone(), options.receiver_core);
        thread::spawn(move || cpu::pin(core).and_then(|()| receive(&sockets, &received, &stop)))
    };
    let sender = {
        let socket = open(options, way)?;
        let (core, size, time) = (options.core, options.size, options.time.0);
        let pace = Pace { packets_per_second: options.packets_per_second, burst: way.burst };
        thread::spawn(move || cpu::pin(core).and_then(|()| send(&socket, &addresses, size, pace, time, core)))
    };
    let sent = sender.join().map_err(|_| "the sender has failed")?;
    // What the kernel still holds is received within a moment.
    thread::sleep(Duration::from_millis(200));
    stop.store(true, Relaxed);
    receiver.join().map_err(|_| "the receiver has failed")??;
    let (packets, used) = sent?;
    let [user_us, system_us] = used.micros_per(packets);
    Ok(Row { way: way.name, receivers, packets, received: received.load(Relaxed), used, user_us, system_us })
}

#[derive(Clone, Copy)]
struct Pace {
    packets_per_second: u32,
    burst: u32,
}

fn send(
    socket: &UdpSocket,
    to: &[SocketAddr],
    size: u16,
    pace: Pace,
    time: Duration,
    core: usize,
) -> io::Result<(u64, Used)> {
    let packet = vec![7; usize::from(size)];
    let mut batch = SendBatch::new(256 << 10, 1024);
    let period = Duration::from_secs(1) * pace.burst / pace.packets_per_second;
    let (began, mut sent, mut round) = (Instant::now(), 0, 0);
    let before = cpu::of_this_thread(Some(core))?;
    while began.elapsed() < time {
        for to in to {
            for _ in 0..pace.burst {
                while batch.push(*to, &[&packet]).is_err() {
                    sent += batch.flush(socket).packets;
                }
            }
        }
        sent += batch.flush(socket).packets;
        round += 1;
        thread::sleep((began + period * round).saturating_duration_since(Instant::now()));
    }
    Ok((sent, before.used()?))
}

fn receive(sockets: &[UdpSocket], received: &AtomicU64, stop: &AtomicBool) -> io::Result<()> {
    let mut poll = Poll::new()?;
    for (index, socket) in sockets.iter().enumerate() {
        let descriptor = std::os::fd::AsRawFd::as_raw_fd(socket);
        poll.registry().register(&mut SourceFd(&descriptor), Token(index), Interest::READABLE)?;
    }
    let (mut events, mut batch) = (Events::with_capacity(1024), ReceiveBatch::new(16, 0));
    while !stop.load(Relaxed) {
        poll.poll(&mut events, Some(Duration::from_millis(50)))?;
        for event in &events {
            let Some(socket) = sockets.get(event.token().0) else { continue };
            while batch.receive(socket).is_ok() {
                received.fetch_add(batch.datagrams().count() as u64, Relaxed);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_sends_what_it_says_and_the_receivers_get_it() {
        let options = Options {
            receivers: vec![3],
            packets_per_second: 400,
            size: 200,
            time: "200ms".parse().expect("a span"),
            address: "127.0.0.1".parse().expect("an address"),
            core: 0,
            receiver_core: 0,
            json: true,
        };
        for way in WAYS {
            let row = measure(&options, 3, way).expect("loopback");
            assert!(row.packets > 0 && row.packets.is_multiple_of(u64::from(3 * way.burst)), "{row:?}");
            assert_eq!(row.received, row.packets, "{row:?}");
        }
    }
}
