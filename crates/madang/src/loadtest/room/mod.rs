//! `madang loadtest room`: rooms of people who publish and of people who only watch; every stream
//! is received, decrypted, put together and looked at.

mod crowd;
mod report;

use std::{
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio::runtime::Runtime;

use super::{
    process::{self, Usage},
    server::Server,
};
use crate::native::{ServerAddress, Trust, client_config};
use crowd::Crowd;
use report::Report;

const SECOND: Duration = Duration::from_secs(1);
/// Everyone has so long to be inside and to receive all there is.
const BEGIN: Duration = Duration::from_secs(30);
/// Streams that began this long ago flow as they will.
const SETTLE: Duration = Duration::from_secs(2);

#[derive(Args)]
pub(crate) struct Options {
    /// A running server, by any address on it. Without it a server is started.
    url: Option<String>,
    /// That server's process id: its memory and processor time are read from /proc.
    #[arg(long, value_name = "PID", requires = "url")]
    server_pid: Option<u32>,
    /// Rooms.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    rooms: u32,
    /// People in each room who publish; they watch the others of their room too.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    publishers: u32,
    /// People in each room who only watch.
    #[arg(long, default_value_t = 10)]
    subscribers: u32,
    /// Publish pictures in three sizes.
    #[arg(long)]
    simulcast: bool,
    /// What is published.
    #[arg(long, value_enum, default_value_t = Media::Both)]
    media: Media,
    /// The height of each picture on the screens of those who watch; without it the largest is
    /// asked for.
    #[arg(long, value_name = "PIXELS")]
    height: Option<u32>,
    /// How long is measured, once everything flows.
    #[arg(long, default_value_t = 10.0, value_name = "S")]
    seconds: f64,
    /// Joins begun per second.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    join_rate: u32,
    /// A join token that is good for every room of the run. Servers without keys need none.
    #[arg(long, value_name = "JWT")]
    token: Option<String>,
    /// Believe any certificate.
    #[arg(long)]
    insecure: bool,
    /// Prints the result as JSON.
    #[arg(long)]
    json: bool,
}

/// What a publisher sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Media {
    /// The test picture.
    Video,
    /// A tone.
    Sound,
    /// Both.
    Both,
}

impl Media {
    fn has_video(self) -> bool {
        self != Self::Sound
    }

    fn has_sound(self) -> bool {
        self != Self::Video
    }
}

impl Options {
    /// Streams that are to arrive: everybody gets those of all others in the room who publish.
    fn streams(&self) -> u64 {
        let (publishers, subscribers) = (u64::from(self.publishers), u64::from(self.subscribers));
        let kinds = u64::from(self.media.has_video()) + u64::from(self.media.has_sound());
        u64::from(self.rooms) * publishers * (publishers - 1 + subscribers) * kinds
    }

    fn people(&self) -> u32 {
        self.rooms.saturating_mul(self.publishers.saturating_add(self.subscribers))
    }
}

pub(crate) fn run(options: &Options, runtime: &Runtime) -> Result<(), Box<dyn Error>> {
    // Kept alive until the end: it ends with this.
    let server = match options.url {
        Some(_) => None,
        None => {
            let participants = (options.publishers + options.subscribers).max(2).to_string();
            Some(runtime.block_on(Server::start(&[("MADANG__ROOM__MAX_PARTICIPANTS", &participants)]))?)
        }
    };
    let url = server.as_ref().map(|server| server.url.as_str()).or(options.url.as_deref()).unwrap_or_default();
    let pid = server.as_ref().and_then(Server::id).or(options.server_pid);
    let address = ServerAddress::of_server(url)?;
    let trust = if options.insecure { Trust::Anyone } else { Trust::System };
    let tls = if address.is_encrypted { Some(client_config(trust)?) } else { None };
    let mut crowd = Crowd::new(options, Arc::new(address), tls)?;

    let empty = pid.map(process::usage).transpose()?;
    let joined_in = begin(options, &mut crowd)?;
    pass(&mut crowd, SETTLE.min(Duration::from_secs_f64(options.seconds)), |_| {})?;
    let (before, own) = (pid.map(process::usage).transpose()?, process::usage(std::process::id())?);
    let earlier = crowd.tally();
    let measured = measure(options, &mut crowd)?;
    let after = pid.map(process::usage).transpose()?;
    let own = busy(own, process::usage(std::process::id())?, measured);
    let tally = crowd.tally().since(&earlier);
    let report = Report::new(options, &crowd, &tally, joined_in, measured, own, server_usage(empty, before, after));
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}");
    }
    Ok(())
}

/// Memory at the beginning and the end, and what was used in between.
fn server_usage(empty: Option<Usage>, before: Option<Usage>, after: Option<Usage>) -> Option<(Usage, Usage, Usage)> {
    Some((empty?, before?, after?))
}

fn busy(before: Usage, after: Usage, time: Duration) -> f64 {
    after.cpu.saturating_sub(before.cpu).as_secs_f64() / time.as_secs_f64().max(0.001)
}

/// Lets everyone in, and waits until all streams flow.
fn begin(options: &Options, crowd: &mut Crowd) -> Result<Duration, Box<dyn Error>> {
    let began = Instant::now();
    let gap = SECOND / options.join_rate;
    let mut told = began;
    for person in 0..options.people() {
        crowd.turn(began + gap * person)?;
        crowd.join(person)?;
        if told.elapsed() >= SECOND {
            told = Instant::now();
            eprintln!("joining: {} of {} inside", crowd.inside(), options.people());
        }
    }
    let wanted = options.streams();
    while began.elapsed() < BEGIN {
        let begun = crowd.streams();
        if crowd.inside() == u64::from(options.people()) && begun >= wanted {
            break;
        }
        crowd.check()?;
        if told.elapsed() >= SECOND {
            told = Instant::now();
            eprintln!("beginning: {} inside, {begun} of {wanted} streams", crowd.inside());
        }
        crowd.turn(Instant::now() + Duration::from_millis(20))?;
    }
    Ok(began.elapsed())
}

fn measure(options: &Options, crowd: &mut Crowd) -> Result<Duration, Box<dyn Error>> {
    let began = Instant::now();
    let wanted = options.streams();
    let mut former = crowd.tally();
    pass(crowd, Duration::from_secs_f64(options.seconds.max(0.1)), |crowd| {
        let tally = crowd.tally();
        let now = tally.since(&former);
        eprintln!("{:3.0} s: {} of {wanted} streams; {now}", began.elapsed().as_secs_f64(), crowd.streams());
        former = tally;
    })?;
    Ok(began.elapsed())
}

/// Lets time pass, and calls `each_second`.
fn pass(crowd: &mut Crowd, time: Duration, mut each_second: impl FnMut(&Crowd)) -> Result<(), Box<dyn Error>> {
    let end = Instant::now() + time;
    let mut next = Instant::now() + SECOND;
    while Instant::now() < end {
        crowd.turn(next.min(end))?;
        if Instant::now() >= next {
            next += SECOND;
            each_second(crowd);
        }
    }
    Ok(())
}
