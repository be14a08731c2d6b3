//! `madang loadtest signal`: how many participants, and how many relayed messages, the
//! signaling of a server carries.

use std::{
    error::Error,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use clap::{Args, ValueEnum};
use madang_server::config::Span;
use tokio::{net::lookup_host, sync::watch, task::JoinSet};
use tokio_tungstenite::tungstenite::http::Uri;

use super::{
    histogram::Histogram,
    participant::{self, Run},
    process::{self, Usage},
    report::{Idle, Memory, Percentiles, Relay, Report},
    server::Server,
};

/// Connections from one loopback address; a server allows 512 by default.
const PER_SOURCE: u32 = 400;

const SECOND: Duration = Duration::from_secs(1);

#[derive(Args)]
pub(crate) struct Options {
    /// Idle participants: they join, ping and acknowledge.
    #[arg(long, default_value_t = 10_000)]
    idle: u32,
    /// Active participants: each relays messages to another in its room.
    #[arg(long, default_value_t = 500)]
    active: u32,
    /// Participants in a room.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    room_size: u32,
    /// Messages sent per second, by all active ones together.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// How long they are sent.
    #[arg(long, default_value = "10s")]
    time: Span,
    /// How long all idle ones are inside before memory is read.
    #[arg(long, default_value = "2s")]
    settle: Span,
    /// What is relayed.
    #[arg(long, value_enum, default_value_t = Kind::Data)]
    kind: Kind,
    /// Joins begun per second.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    join_rate: u32,
    /// A running server's signaling address (ws://…/v1/ws). Without it a server is started, on
    /// one worker thread.
    #[arg(long)]
    url: Option<String>,
    /// That server's process id: its memory and processor time are read from /proc.
    #[arg(long, value_name = "PID", requires = "url")]
    server_pid: Option<u32>,
    /// Loopback addresses (127.0.0.1 and the following) to connect from; by default as many
    /// as keep each below 400 connections. For servers on 127.0.0.0/8 only.
    #[arg(long)]
    sources: Option<u32>,
    /// A join token that is good for every room of the run. Servers without keys need none.
    #[arg(long, value_name = "JWT")]
    token: Option<String>,
    /// Prints the result as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Candidates, over a link.
    Ice,
    /// 96 bytes, to one participant.
    Data,
}

/// The server under load, and what it has used.
struct Target {
    url: String,
    id: Option<u32>,
    /// Ends with this.
    _own: Option<Server>,
}

impl Target {
    async fn find(options: &Options) -> Result<Self, Box<dyn Error>> {
        if let Some(url) = &options.url {
            return Ok(Self { url: url.clone(), id: options.server_pid, _own: None });
        }
        let server = Server::start(&[]).await?;
        Ok(Self { url: server.url.clone(), id: server.id(), _own: Some(server) })
    }

    fn usage(&self) -> Result<Option<Usage>, Box<dyn Error>> {
        Ok(self.id.map(process::usage).transpose()?)
    }
}

pub(crate) async fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let target = Target::find(options).await?;
    let run = Arc::new(prepare(options, &target.url).await?);
    let mut tasks = JoinSet::new();
    let mut report = Report { room_size: options.room_size, ..Report::default() };

    let empty = target.usage()?;
    let joined_in = join_all(options, &run, &mut tasks, false).await?;
    let joined = target.usage()?;
    watch_for("idle", &run, options.settle.0).await;
    let memory = empty.zip(joined).zip(target.usage()?);
    report.idle = Idle {
        participants: options.idle,
        join_seconds: joined_in.as_secs_f64(),
        join_ms: percentiles(&run.joins),
        memory: memory.map(|((empty, joined), idle)| Memory {
            empty: empty.memory,
            idle: idle.memory,
            per_participant: idle.memory.saturating_sub(empty.memory) / u64::from(options.idle.max(1)),
            idle_cores: (idle.cpu.saturating_sub(joined.cpu)).as_secs_f64() / options.settle.0.as_secs_f64().max(0.001),
        }),
    };
    if options.active > 0 {
        join_all(options, &run, &mut tasks, true).await?;
        report.relay = Some(relay(options, &run, &target).await?);
    }
    report.errors = run.errors.load(Relaxed);
    report.connections_lost = run.lost.load(Relaxed);
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}");
    }
    Ok(())
}

async fn prepare(options: &Options, url: &str) -> Result<Run, Box<dyn Error>> {
    let address = resolve(url).await?;
    let is_loopback = matches!(address, SocketAddr::V4(address) if address.ip().is_loopback());
    let enough = options.idle.saturating_add(options.active).div_ceil(PER_SOURCE);
    let sources = options.sources.unwrap_or(if is_loopback { enough } else { 0 });
    if sources > 0 && !is_loopback {
        return Err("--sources needs a server on 127.0.0.0/8".into());
    }
    if options.active > 0 && options.room_size < 2 {
        return Err("relaying needs a --room-size of 2 or more".into());
    }
    Ok(Run {
        url: url.to_owned(),
        address,
        sources,
        start: Instant::now(),
        name: std::process::id(),
        room_size: options.room_size as usize,
        token: options.token.clone(),
        kind: options.kind,
        period: Duration::from_secs_f64(f64::from(options.active.max(1)) / f64::from(options.rate)),
        relaying: watch::Sender::new(false),
        joins: Histogram::new(),
        latencies: Histogram::new(),
        inside: AtomicU64::new(0),
        failed: AtomicU64::new(0),
        sent: AtomicU64::new(0),
        delivered: AtomicU64::new(0),
        errors: AtomicU64::new(0),
        lost: AtomicU64::new(0),
    })
}

async fn resolve(url: &str) -> Result<SocketAddr, Box<dyn Error>> {
    let uri: Uri = url.parse()?;
    if uri.scheme_str() != Some("ws") {
        return Err("--url has to begin with ws:// (the generator speaks no TLS)".into());
    }
    let host = uri.host().ok_or("--url names no host")?.trim_matches(['[', ']']);
    let address = lookup_host((host, uri.port_u16().unwrap_or(80))).await?.next();
    Ok(address.ok_or("the host of --url has no address")?)
}

/// Starts the idle or the active ones at the rate asked for, and waits until all are inside.
async fn join_all(
    options: &Options,
    run: &Arc<Run>,
    tasks: &mut JoinSet<()>,
    is_active: bool,
) -> Result<Duration, Box<dyn Error>> {
    let people = if is_active { options.active } else { options.idle };
    let (begun, wanted) = (Instant::now(), run.joins.count() + u64::from(people));
    let gap = Duration::from_secs(1) / options.join_rate;
    let mut told = begun;
    for index in 0..people {
        tokio::time::sleep_until((begun + gap * index).into()).await;
        tasks.spawn(participant::live(run.clone(), index as usize, is_active));
        if told.elapsed() >= SECOND {
            told = Instant::now();
            eprintln!("joining: {} of {wanted}", run.inside.load(Relaxed));
        }
    }
    while run.joins.count() + run.failed.load(Relaxed) < wanted {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    match run.failed.load(Relaxed) {
        0 => Ok(begun.elapsed()),
        failed => Err(format!("{failed} of {wanted} could not join; the reason of the first stands above").into()),
    }
}

async fn relay(options: &Options, run: &Run, target: &Target) -> Result<Relay, Box<dyn Error>> {
    let (before, began) = (target.usage()?, Instant::now());
    run.relaying.send_replace(true);
    watch_for("relaying", run, options.time.0).await;
    run.relaying.send_replace(false);
    let seconds = began.elapsed().as_secs_f64();
    let cpu = before.zip(target.usage()?);
    let cpu = cpu.map(|(before, after)| after.cpu.saturating_sub(before.cpu).as_secs_f64());
    // What is still on its way may arrive.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (sent, delivered) = (run.sent.load(Relaxed), run.delivered.load(Relaxed));
    Ok(Relay {
        participants: options.active,
        kind: match options.kind {
            Kind::Ice => "ice",
            Kind::Data => "data",
        },
        seconds,
        wanted_rate: options.rate,
        sent,
        sent_rate: sent as f64 / seconds,
        delivered,
        delivered_rate: delivered as f64 / seconds,
        latency_ms: percentiles(&run.latencies),
        server_cores: cpu.map(|cpu| cpu / seconds),
        server_cpu_us_per_message: cpu.map(|cpu| cpu * 1e6 / delivered.max(1) as f64),
    })
}

/// Lets time pass and says every second how it goes.
async fn watch_for(what: &str, run: &Run, time: Duration) {
    let end = Instant::now() + time;
    let mut delivered = run.delivered.load(Relaxed);
    while Instant::now() < end {
        tokio::time::sleep_until(end.min(Instant::now() + SECOND).into()).await;
        let now = run.delivered.load(Relaxed);
        let inside = run.inside.load(Relaxed);
        eprintln!("{what}: {inside} inside, {} messages delivered since the last line", now - delivered);
        delivered = now;
    }
}

fn percentiles(histogram: &Histogram) -> Percentiles {
    let millis = |latency: Duration| latency.as_secs_f64() * 1000.0;
    Percentiles {
        p50: millis(histogram.percentile(0.5)),
        p99: millis(histogram.percentile(0.99)),
        max: millis(histogram.greatest()),
    }
}
