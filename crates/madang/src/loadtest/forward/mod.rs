//! `madang loadtest forward`: what a server that forwards media takes for each packet. The same
//! native clients and the same load for madang and for others.

mod case;
mod client;
mod engine;
mod janus;
mod madang;
mod reception;
mod signaling;
mod stream;

use std::{
    error::Error,
    fs,
    net::IpAddr,
    thread,
    time::{Duration, Instant},
};

use clap::{Args, ValueEnum};
use madang_server::config::Span;
use serde::Serialize;

use self::{
    case::Case,
    engine::{Clients, Engine, Failure},
    janus::Janus,
    madang::Madang,
    signaling::{Participant, Signaling},
};
use super::{
    cpu::{self, Used},
    process,
    report::Percentiles,
};

#[derive(Args)]
pub(crate) struct Options {
    /// What kind of server it is.
    #[arg(value_enum)]
    server: Kind,
    /// Its signaling address: ws://…
    #[arg(long)]
    url: String,
    /// Its process id: its processor time and memory are read from /proc.
    #[arg(long, value_name = "PID")]
    server_pid: u32,
    /// The core that it is pinned to, whose kernel thread is watched too.
    #[arg(long, default_value_t = 0)]
    server_core: usize,
    /// What kind of room.
    #[arg(long, value_enum, default_value_t = Case::Broadcast)]
    case: Case,
    /// Those who send.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    publishers: u16,
    /// Those who only receive.
    #[arg(long, default_value_t = 50)]
    subscribers: u16,
    /// How long media flows before it is measured.
    #[arg(long, default_value = "3s")]
    warm_up: Span,
    /// How long it is measured.
    #[arg(long, default_value = "10s")]
    time: Span,
    /// The local address of all clients' sockets.
    #[arg(long)]
    address: IpAddr,
    /// Prints the result as a line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A madang whose rooms run as sfu, at ws://…/v1/ws.
    Madang,
    /// Janus 1.x with its VideoRoom, at ws://….
    Janus,
}

/// What is late may still come, before what is missing is counted as lost.
const LATE: Duration = Duration::from_millis(1500);
const SECOND: Duration = Duration::from_secs(1);

/// Times in milliseconds, sizes in bytes.
#[derive(Debug, Serialize)]
struct Row {
    case: &'static str,
    publishers: u16,
    subscribers: u16,
    /// From the first word of signaling until everybody was connected.
    join_seconds: f64,
    seconds: f64,
    /// Packets that all subscribers together received.
    forwarded: u64,
    /// Packets that they should have received.
    expected: u64,
    /// Missing ones, 0 to 1.
    loss: f64,
    delay_ms: Percentiles,
    server: Used,
    user_us: f64,
    system_us: f64,
    /// Of the kernel's thread beside the server.
    softirq_us: f64,
    memory_empty: u64,
    memory_full: u64,
    memory_per_participant: u64,
    /// Cores that the clients took: near 1 they were the bottleneck, and nothing here counts.
    client_cores: f64,
    /// Datagrams that clients and server were too slow to read, and datagrams not sent.
    overflows: u64,
    unsent: u64,
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let row = measure(options).map_err(|why| -> Box<dyn Error> { why })?;
    if options.json {
        println!("{}", serde_json::to_string(&row)?);
    } else {
        print(&row);
    }
    Ok(())
}

fn print(row: &Row) {
    let Row { case, publishers, subscribers, seconds, forwarded, loss, delay_ms, .. } = row;
    println!("{case}, {publishers} → {subscribers}: {forwarded} packets forwarded in {seconds:.1} s");
    let all = row.user_us + row.system_us;
    let (user, system, softirq) = (row.user_us, row.system_us, row.softirq_us);
    println!("CPU per packet  {all:.2} µs (user {user:.2}, system {system:.2}); softirq thread {softirq:.2}");
    println!("delay           {delay_ms}");
    println!("lost            {:.3} %", loss * 100.0);
    println!("memory          {:.0} KiB per participant", row.memory_per_participant as f64 / 1024.0);
    println!("clients         {:.2} cores; {} overflows, {} unsent", row.client_cores, row.overflows, row.unsent);
}

fn measure(options: &Options) -> Result<Row, Failure> {
    let participants = options.case.participants(options.publishers, options.subscribers);
    let empty = process::usage(options.server_pid)?.memory;
    let (engine, thread) = Engine::start(options.address)?;
    let begun = Instant::now();
    let mut signaling: Box<dyn Signaling> = match options.server {
        Kind::Madang => Box::new(Madang::new(&options.url)?),
        Kind::Janus => Box::new(Janus::connect(&options.url, usize::from(options.publishers))?),
    };
    signaling.join(&engine, &participants)?;
    engine.wait_until_connected()?;
    let join_seconds = begun.elapsed().as_secs_f64();
    pass(options.warm_up.0, signaling.as_mut())?;

    let overflows = udp_overflows()?;
    let own = cpu::of_process(std::process::id(), None)?;
    let server = cpu::of_process(options.server_pid, Some(options.server_core))?;
    engine.call(|clients, _| clients.shared.measuring = true)?;
    let measured = Instant::now();
    pass(options.time.0, signaling.as_mut())?;
    engine.call(|clients, _| clients.shared.measuring = false)?;
    let (server, own, seconds) = (server.used()?, own.used()?, measured.elapsed().as_secs_f64());
    let overflows = udp_overflows()?.saturating_sub(overflows);
    let full = process::usage(options.server_pid)?.memory;
    thread::sleep(LATE);

    let listening = participants.clone();
    let (totals, delay_ms, unsent) = engine.call(move |clients, _| {
        let delays = &clients.shared.delays;
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let delay = Percentiles {
            p50: ms(delays.percentile(0.5)),
            p99: ms(delays.percentile(0.99)),
            max: ms(delays.greatest()),
        };
        (totals(clients, &listening), delay, clients.shared.unsent)
    })?;
    engine.stop()?;
    thread.join().map_err(|_| "the load engine has failed")??;
    let Totals { forwarded, expected } = totals;
    let [user_us, system_us] = server.micros_per(forwarded);
    Ok(Row {
        case: options.case.name(),
        publishers: options.publishers,
        subscribers: options.subscribers,
        join_seconds,
        seconds,
        forwarded,
        expected,
        loss: expected.saturating_sub(forwarded) as f64 / expected.max(1) as f64,
        delay_ms,
        server,
        user_us,
        system_us,
        softirq_us: server.softirq * 1e6 / forwarded.max(1) as f64,
        memory_empty: empty,
        memory_full: full,
        memory_per_participant: full.saturating_sub(empty) / participants.len().max(1) as u64,
        client_cores: own.seconds / seconds,
        overflows,
        unsent,
    })
}

/// Lets time pass, and keeps the server's queues towards signaling short.
fn pass(time: Duration, signaling: &mut dyn Signaling) -> Result<(), Failure> {
    let end = Instant::now() + time;
    while Instant::now() < end {
        thread::sleep(SECOND.min(end.saturating_duration_since(Instant::now())));
        signaling.tend()?;
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Totals {
    forwarded: u64,
    expected: u64,
}

/// Every participant that receives is to get each track of every other: all of it where it has
/// one layer, and where it has more, all between the first and the last packet of each layer.
fn totals(clients: &Clients, participants: &[Participant]) -> Totals {
    let sent = |stream| {
        let mut streams = clients.all.iter().flat_map(|client| &client.streams);
        streams.find(|each| each.id == stream).map_or(0, |each| u64::from(each.measured))
    };
    let mut all = Totals::default();
    for client in &clients.all {
        all.forwarded += client.receptions.values().map(|each| u64::from(each.packets)).sum::<u64>();
    }
    for (index, participant) in participants.iter().enumerate() {
        for track in &participant.tracks {
            let receivers =
                participants.iter().enumerate().filter(|(other, each)| *other != index && each.receives).count();
            if track.plans.len() == 1 {
                all.expected += sent(track.first) * receivers as u64;
                continue;
            }
            let layers = (0_u16..).zip(&track.plans).map(|(layer, _)| stream::StreamId(track.first.0 + layer));
            for layer in layers {
                let spans = clients.all.iter().filter_map(|client| client.receptions.get(&layer));
                all.expected += spans.map(|reception| u64::from(reception.span())).sum::<u64>();
            }
        }
    }
    all
}

/// Datagrams that found a full buffer, in this network namespace (RFC 1213 in spirit; Linux's
/// `RcvbufErrors` and `SndbufErrors`).
fn udp_overflows() -> Result<u64, Failure> {
    let text = fs::read_to_string("/proc/net/snmp")?;
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Udp: "));
    let (names, values) = lines.next().zip(lines.next()).ok_or("/proc/net/snmp is not as expected")?;
    let wanted = ["RcvbufErrors", "SndbufErrors"];
    let all = names.split(' ').zip(values.split(' ')).filter(|(name, _)| wanted.contains(name));
    Ok(all.filter_map(|(_, value)| value.parse::<u64>().ok()).sum())
}
