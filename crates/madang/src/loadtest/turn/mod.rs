//! `madang loadtest turn`: what a relayed packet costs a TURN server, madang's or another's.

mod flow;
mod forwarder;
mod idle;
mod kernel;
mod report;
mod setup;
mod target;

use std::{
    collections::BTreeSet,
    error::Error,
    net::{IpAddr, SocketAddr},
    thread,
    time::{Duration, SystemTime},
};

use clap::{Args, ValueEnum};
use madang_server::config::Span;
use madang_udp::UdpSocket;

use self::{
    flow::{Flow, Load, MARK, Pace, Sink},
    report::Report,
    setup::{Allocation, Batches, Credentials},
    target::Bare,
};
use super::{cpu, histogram::Histogram, report::Percentiles};

pub(crate) use forwarder::Options as ForwarderOptions;

#[derive(Args)]
pub(crate) struct Options {
    /// The server's UDP address.
    #[arg(long, default_value = "127.0.0.1:3478", conflicts_with = "bare")]
    server: SocketAddr,
    /// Load on a bare forwarder instead, which this program starts: the limit of any server.
    #[arg(long)]
    bare: bool,
    /// The name of a static user.
    #[arg(long, default_value = "load")]
    user: String,
    /// The user's password.
    #[arg(long, default_value = "load", conflicts_with = "secret")]
    password: String,
    /// The shared secret of time-limited credentials, in place of a password.
    #[arg(long)]
    secret: Option<String>,
    /// Which way packets go.
    #[arg(long, value_enum, default_value_t = Direction::ClientToPeer)]
    direction: Direction,
    /// How many relays, each of a client of its own.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    allocations: u32,
    /// Bytes of each packet that a peer sends or receives.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(MARK as i64..=8000))]
    payload: u16,
    /// Packets offered per second, all flows together.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Packets of one flow in a row.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=512))]
    burst: u32,
    /// Packets of a burst that the sender hands to the kernel as one message (UDP_SEGMENT); 1: none.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    gso: u32,
    /// Receivers take packets one by one: the kernel takes apart what the server sent merged, in the server's time.
    #[arg(long)]
    no_gro: bool,
    /// How long it sends before it is measured.
    #[arg(long, default_value = "1s")]
    warm_up: Span,
    /// How long it is measured, at most four minutes: permissions are not renewed meanwhile.
    #[arg(long, default_value = "10s")]
    time: Span,
    /// Measures delays too, by the kernel's time stamps, which cost the server's core a little.
    #[arg(long)]
    delay: bool,
    /// The server's process id, on this machine: its processor time is read from /proc.
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// The core that the server is pinned to, whose kernel thread is watched too; `--bare` pins its forwarder there.
    #[arg(long)]
    server_core: Option<usize>,
    /// The local address of clients and peers.
    #[arg(long, default_value = "127.0.0.1")]
    address: IpAddr,
    /// No load: makes so many allocations from many addresses of 127.0.0.0/8 and tells what memory they take.
    #[arg(long, value_name = "N", requires = "pid")]
    idle: Option<u32>,
    /// Prints the result as a line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Direction {
    /// ChannelData in, datagrams out of the relay.
    ClientToPeer,
    /// Datagrams to the relay, ChannelData out.
    PeerToClient,
    /// Clients in pairs, each by its own relay to the other's.
    ClientToClient,
}

impl Direction {
    fn name(self) -> &'static str {
        match self {
            Self::ClientToPeer => "client to peer",
            Self::PeerToClient => "peer to client",
            Self::ClientToClient => "client to client",
        }
    }
}

/// Permissions last five minutes (RFC 8656 §9).
const LONGEST: Duration = Duration::from_secs(240);

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    if let Some(count) = options.idle {
        let report = idle::run(options, count)?;
        println!("{}", if options.json { serde_json::to_string(&report)? } else { report.to_string() });
        return Ok(());
    }
    if options.time.0 + options.warm_up.0 > LONGEST {
        return Err("warm-up and time together may be four minutes at most".into());
    }
    if options.direction == Direction::ClientToClient && !options.allocations.is_multiple_of(2) {
        return Err("client-to-client needs an even number of allocations".into());
    }
    let report = measure(options)?;
    println!("{}", if options.json { serde_json::to_string(&report)? } else { report.to_string() });
    Ok(())
}

pub(crate) fn forward(options: &ForwarderOptions) -> Result<(), Box<dyn Error>> {
    forwarder::run(options)
}

impl Options {
    fn credentials(&self) -> Result<Credentials, Box<dyn Error>> {
        let Some(secret) = &self.secret else {
            return Ok(Credentials { username: self.user.clone(), password: self.password.clone() });
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
        let (username, password) = madang_turn::mint(secret, &self.user, now + 3600);
        Ok(Credentials { username, password })
    }

    fn sockets(&self) -> madang_udp::Options {
        flow::options(self.gso > 1, !self.no_gro, self.delay)
    }

    fn local(&self) -> SocketAddr {
        SocketAddr::new(self.address, 0)
    }

    fn pace(&self) -> Pace {
        Pace { packets_per_second: self.rate, burst: self.burst, gso: self.gso, payload: usize::from(self.payload) }
    }
}

/// What load goes to, and the ports of its sockets.
struct Ready {
    load: Load,
    pid: Option<u32>,
    server_ports: BTreeSet<u16>,
    /// Ends when dropped.
    _bare: Option<Bare>,
}

fn measure(options: &Options) -> Result<Report, Box<dyn Error>> {
    let mut ready = if options.bare { target::bare(options)? } else { relays(options)? };
    let own_ports: BTreeSet<u16> = ready.load.sockets.iter().map(|socket| socket.local_addr().port()).collect();
    let delays = Histogram::new();
    ready.load.run(options.warm_up.0, &Histogram::new());
    thread::sleep(Duration::from_millis(100));

    let drops = [&own_ports, &ready.server_ports].map(kernel::drops);
    let before = ready.pid.map(|pid| cpu::of_process(pid, options.server_core)).transpose()?;
    let count = ready.load.run(options.time.0, &delays);
    let used = before.map(|before| before.used()).transpose()?;
    let after = [&own_ports, &ready.server_ports].map(kernel::drops);
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let delay = (delays.count() > 0).then(|| Percentiles {
        p50: ms(delays.percentile(0.5)),
        p99: ms(delays.percentile(0.99)),
        max: ms(delays.greatest()),
    });
    let merges = ready.load.sockets.iter().all(UdpSocket::merges_sent);
    Ok(Report::new(options, &count, used, [0, 1].map(|index| after[index].saturating_sub(drops[index])), delay, merges))
}

/// Allocates, binds channels, and lays out the flows.
fn relays(options: &Options) -> Result<Ready, Box<dyn Error>> {
    let credentials = options.credentials()?;
    let mut batches = Batches::new();
    let open = |_| Allocation::open(options.server, options.local(), &credentials, options.sockets());
    let mut clients = (0..options.allocations).map(open).collect::<Result<Vec<_>, _>>()?;
    setup::allocate(&mut clients, &mut batches)?;
    let relayed: Vec<SocketAddr> = clients.iter().filter_map(|client| client.relayed).collect();
    let peer = UdpSocket::bind(options.local(), options.sockets())?;
    match options.direction {
        Direction::ClientToClient => {
            let partners: Vec<SocketAddr> = (0..relayed.len()).map(|index| relayed[index ^ 1]).collect();
            setup::bind(&mut clients, partners.into_iter(), &mut batches)?;
        }
        _ => setup::bind(&mut clients, std::iter::repeat(peer.local_addr()), &mut batches)?,
    }
    let channels: Vec<Option<[u8; 2]>> = clients.iter().map(|client| client.channel).collect();
    let mut sockets: Vec<UdpSocket> = clients.into_iter().map(|client| client.socket).collect();
    let (each, last) = (0..sockets.len(), sockets.len());
    sockets.push(peer);
    let from_clients = || {
        let flow =
            |(socket, channel): (usize, &Option<[u8; 2]>)| Flow { socket, to: options.server, channel: *channel };
        channels.iter().enumerate().map(flow).collect()
    };
    let to_clients = || each.clone().map(|socket| Sink { socket, framed: true }).collect();
    let (flows, sinks) = match options.direction {
        Direction::ClientToPeer => (from_clients(), vec![Sink { socket: last, framed: false }]),
        Direction::PeerToClient => {
            (relayed.iter().map(|to| Flow { socket: last, to: *to, channel: None }).collect(), to_clients())
        }
        Direction::ClientToClient => (from_clients(), to_clients()),
    };
    let server_ports = relayed.iter().map(SocketAddr::port).chain([options.server.port()]).collect();
    let load = Load::new(sockets, flows, sinks, options.pace());
    Ok(Ready { load, pid: options.pid, server_ports, _bare: None })
}
