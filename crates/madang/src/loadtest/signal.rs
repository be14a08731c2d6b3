//! Signaling under load.

use std::{
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use clap::Args;
use madang_server::config::Span;
use serde_json::{Value, json};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use super::{client::Client, figures::Delays, server::Server};

type Fault = Box<dyn Error + Send + Sync>;

/// Joins under way at once.
const JOINING: usize = 64;

/// As `welcome` asks for.
const PING: Duration = Duration::from_secs(15);

#[derive(Args)]
pub(crate) struct Options {
    /// Idle participants.
    #[arg(long, default_value_t = 10_000)]
    idle: usize,
    /// Participants that send, each to the others in its room.
    #[arg(long, default_value_t = 500)]
    active: usize,
    /// Participants in a room.
    #[arg(long, default_value_t = 2)]
    room_size: usize,
    /// Messages sent per second, by all together.
    #[arg(long, default_value_t = 20_000)]
    rate: u32,
    /// How long they are sent.
    #[arg(long, default_value = "10s")]
    time: Span,
}

pub(crate) async fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let server = Server::start().await?;
    let empty = server.usage()?.resident_bytes;
    let (stop, stopped) = watch::channel(false);

    let begun = Instant::now();
    let mut resting = JoinSet::new();
    let rest = |client| {
        resting.spawn(rest(client, stopped.clone()));
    };
    join_all(&server.url, "idle", options.idle, options.room_size, rest).await.map_err(|why| why.to_string())?;
    let joined_in = begun.elapsed().as_secs_f64();
    // What joining needed for a moment is given back by then.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let full = server.usage()?.resident_bytes;
    println!("idle participants        {:>9}   joined in {joined_in:.1} s", options.idle);
    println!("resident memory          {:>9.1}   MB; {:.1} MB with nobody inside", mega(full), mega(empty));
    if options.idle > 0 {
        println!(
            "for each participant     {:>9.1}   KB",
            full.saturating_sub(empty) as f64 / options.idle as f64 / 1e3
        );
    }

    if options.active > 0 {
        relay(&server, options).await?;
    }
    stop.send_replace(true);
    while let Some(done) = resting.join_next().await {
        done?.map_err(|why| format!("an idle participant was lost: {why}"))?;
    }
    Ok(())
}

fn mega(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Lets people in and gives each to `inside` as it arrives.
async fn join_all(
    url: &str,
    prefix: &str,
    people: usize,
    room_size: usize,
    mut inside: impl FnMut(Client),
) -> Result<(), Fault> {
    let doors = Arc::new(Semaphore::new(JOINING));
    let mut joining = JoinSet::new();
    for person in 0..people {
        let door = doors.clone().acquire_owned().await?;
        while let Some(client) = joining.try_join_next() {
            inside(client??);
        }
        let (url, room) = (url.to_owned(), format!("{prefix}{}", person / room_size.max(1)));
        joining.spawn(async move {
            let client = Client::join(&url, &room).await;
            drop(door);
            client
        });
    }
    while let Some(client) = joining.join_next().await {
        inside(client??);
    }
    Ok(())
}

/// Sends `ping` now and then, and nothing else.
async fn rest(mut client: Client, mut stopped: watch::Receiver<bool>) -> Result<(), Fault> {
    let mut ping = interval(PING);
    ping.tick().await;
    loop {
        tokio::select! {
            _ = stopped.changed() => return Ok(()),
            _ = ping.tick() => client.say(&json!({ "t": "ping" })).await?,
            message = client.next() => { message?; }
        }
    }
}

async fn relay(server: &Server, options: &Options) -> Result<(), Box<dyn Error>> {
    let mut active = Vec::with_capacity(options.active);
    let inside = |client| active.push(client);
    join_all(&server.url, "busy", options.active, options.room_size, inside).await.map_err(|why| why.to_string())?;
    let start = Instant::now();
    let end = start + options.time.0;
    let every = Duration::from_secs_f64(options.active as f64 / f64::from(options.rate.max(1)));
    let before = server.usage()?;
    let mut talking = JoinSet::new();
    for (person, client) in active.into_iter().enumerate() {
        let first = every.mul_f64(person as f64 / options.active as f64);
        talking.spawn(talk(client, start, first, every, end));
    }
    let (mut delays, mut sent) = (Delays::default(), 0_u64);
    while let Some(done) = talking.join_next().await {
        let (mine, said) = done?.map_err(|why| why.to_string())?;
        delays.merge(mine);
        sent += said;
    }
    let seconds = start.elapsed().as_secs_f64();
    let cpu = server.usage()?.cpu_seconds - before.cpu_seconds;
    let relayed = delays.count();
    let [p50, p99, most] = delays.quantiles([0.5, 0.99, 1.0]);
    println!(
        "messages sent            {sent:>9}   by {} participants in rooms of {}",
        options.active, options.room_size
    );
    println!("messages relayed         {relayed:>9}   {:.0} a second", relayed as f64 / seconds);
    println!("delay p50                {p50:>9.2}   ms");
    println!("delay p99                {p99:>9.2}   ms");
    println!("delay at most            {most:>9.2}   ms");
    println!(
        "server's CPU             {:>9.2}   cores; {:.1} µs a relayed message",
        cpu / seconds,
        cpu * 1e6 / relayed as f64
    );
    Ok(())
}

/// Sends stamped messages at its pace and measures those that arrive.
async fn talk(
    mut client: Client,
    start: Instant,
    first: Duration,
    every: Duration,
    end: Instant,
) -> Result<(Delays, u64), Fault> {
    let (mut delays, mut sent) = (Delays::default(), 0);
    tokio::time::sleep(first).await;
    let mut beat = interval(every);
    beat.set_missed_tick_behavior(MissedTickBehavior::Burst);
    // What is on its way at the end still counts.
    let close = end + Duration::from_millis(500);
    loop {
        tokio::select! {
            _ = beat.tick(), if Instant::now() < end => {
                let now = micros(start);
                client.say(&json!({ "t": "data", "payload": STANDARD.encode(now.to_be_bytes()) })).await?;
                sent += 1;
            }
            message = client.next() => {
                let message = message?;
                if let Some(then) = stamp(&message) {
                    delays.add(micros(start).saturating_sub(then));
                } else if message["t"] == "error" {
                    return Err(message.to_string().into());
                }
            }
            () = tokio::time::sleep_until(close.into()) => return Ok((delays, sent)),
        }
    }
}

fn micros(start: Instant) -> u32 {
    u32::try_from(start.elapsed().as_micros()).unwrap_or(u32::MAX)
}

fn stamp(message: &Value) -> Option<u32> {
    let bytes = STANDARD.decode(message.get("payload")?.as_str()?).ok()?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}
