//! `madang loadtest soak`: people come, talk, lose their connection and go, politely or not, for
//! minutes. Then the server has to be what it was after the first of them: as much memory, as many
//! open files, no rooms and no links.

mod crowd;
mod life;
mod reading;
mod report;
mod verdict;

use std::{
    error::Error,
    time::{Duration, Instant, SystemTime},
};

use clap::Args;
use tokio::runtime::Runtime;

use super::server::Server;
use crate::native::ServerAddress;
use crowd::Crowd;
use life::Life;
use reading::Reading;
use report::{Most, Report, Sample};

/// The server's grace for lost sessions and its patience with silent connections: shorter than by
/// default, so that thousands of sessions expire within the run and nobody waits long at its end.
const GRACE: Duration = Duration::from_secs(5);
const DEAD_AFTER: Duration = Duration::from_secs(10);
const PING: &str = "3s";
/// What the server may take beyond that, and what sockets take to close.
const MARGIN: Duration = Duration::from_secs(10);
/// Between the last session's end and the reading: sockets that were told goodbye close.
const REST: Duration = Duration::from_secs(3);
const TICK: Duration = Duration::from_millis(50);
const PROGRESS: Duration = Duration::from_secs(5);
/// The longest warm-up. One of a shorter run is a quarter of it.
const WARM_UP: Duration = Duration::from_secs(60);
/// If people come and go for less than this, nobody falls silent: waiting for their end would take
/// as long again.
const SILENCE_FROM: Duration = Duration::from_secs(30);

#[derive(Args)]
pub(crate) struct Options {
    /// How long people come and go, the warm-up included.
    #[arg(long, default_value_t = 10.0, value_name = "M")]
    minutes: f64,
    /// People at once, at most.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1000))]
    people: u32,
    /// Rooms that they choose from.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    rooms: u32,
    /// How long they stay, on average.
    #[arg(long, default_value_t = 8.0, value_name = "S")]
    stay: f64,
    /// Who does what hangs on this number alone; without it chance chooses one and says which.
    #[arg(long)]
    seed: Option<u64>,
    /// Prints the result as JSON.
    #[arg(long)]
    json: bool,
}

/// A run, as far as it got.
struct Soak<'a> {
    options: &'a Options,
    seed: u64,
    pid: u32,
    crowd: Crowd,
    began: Instant,
    /// The number of the next participant, and when it comes.
    next: (u64, Instant),
    most: Most,
    samples: Vec<Sample>,
}

pub(crate) fn run(options: &Options, runtime: &Runtime) -> Result<(), Box<dyn Error>> {
    let length = Duration::try_from_secs_f64(options.minutes * 60.0)?;
    let seed = options.seed.unwrap_or_else(chance);
    eprintln!("seed {seed}");
    let (grace, dead_after) = (format!("{}s", GRACE.as_secs()), format!("{}s", DEAD_AFTER.as_secs()));
    // Kept alive until the end: it ends with this.
    let server = runtime.block_on(Server::start(&[
        ("MADANG__ROOM__RESUME_GRACE", &grace),
        ("MADANG__SIGNALING__DEAD_AFTER", &dead_after),
        ("MADANG__SIGNALING__PING_INTERVAL", PING),
    ]))?;
    let pid = server.id().ok_or("the server ended at once")?;
    let crowd = Crowd::new(ServerAddress::of_server(&server.url)?, seed, DEAD_AFTER + MARGIN / 2)?;
    let now = Instant::now();
    let mut soak =
        Soak { options, seed, pid, crowd, began: now, next: (0, now), most: Most::default(), samples: Vec::new() };
    let report = soak.run(length)?;
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}");
    }
    if report.against.is_empty() { Ok(()) } else { Err(format!("not flat: {}", report.against.join("; ")).into()) }
}

impl Soak<'_> {
    fn run(&mut self, length: Duration) -> Result<Report, Box<dyn Error>> {
        let fresh = self.read()?;
        let warm_up = WARM_UP.min(length / 4);
        self.come_and_go(warm_up)?;
        let before = self.empty()?;
        self.come_and_go(length - warm_up)?;
        let after = self.empty()?;
        let books = self.crowd.books.clone();
        let mut against = verdict::judge(&before, &after, warm_up, &books.failures);
        if books.joined == 0 || books.streams == 0 {
            against.push("nobody was inside, or nothing was seen: nothing is proved".into());
        }
        Ok(Report {
            seed: self.seed,
            seconds: length.as_secs_f64(),
            warm_up_seconds: warm_up.as_secs_f64(),
            books,
            fresh,
            before,
            after,
            most: self.most,
            samples: std::mem::take(&mut self.samples),
            against,
        })
    }

    fn come_and_go(&mut self, time: Duration) -> Result<(), Box<dyn Error>> {
        let end = Instant::now() + time;
        let mut told = Instant::now();
        self.next.1 = told;
        while Instant::now() < end {
            self.admit(time)?;
            self.crowd.turn(Instant::now() + TICK)?;
            if told.elapsed() >= PROGRESS {
                told = Instant::now();
                self.tell()?;
            }
        }
        Ok(())
    }

    /// Whoever comes next comes, if it is time.
    fn admit(&mut self, time: Duration) -> Result<(), Box<dyn Error>> {
        let now = Instant::now();
        while self.next.1 <= now {
            if self.crowd.len() >= self.options.people as usize {
                // Memory hangs on the fullest moment: that of the warm-up is as full as any later one.
                self.next.1 = now + TICK;
                return Ok(());
            }
            let stay = Duration::try_from_secs_f64(self.options.stay)?;
            let mut life = Life::new(self.seed, self.next.0, self.options.rooms, stay);
            if time < SILENCE_FROM && life.end == life::End::Silence {
                life.end = life::End::Vanish;
            }
            // Twice as often as people go (Little's law): it is full but for moments.
            self.next.1 += stay.mul_f64(life.gap / f64::from(2 * self.options.people));
            self.crowd.join(self.next.0, life)?;
            self.next.0 += 1;
        }
        Ok(())
    }

    /// Everyone leaves; then the server gets the time to forget them.
    fn empty(&mut self) -> Result<Reading, Box<dyn Error>> {
        self.crowd.send_home();
        let most = DEAD_AFTER + GRACE + MARGIN;
        eprintln!(
            "all leave; waiting until the server has forgotten them, {} s at most: {} s until a silent connection \
             counts as dead, {} s in which its session may be resumed, and some for the machine",
            most.as_secs(),
            DEAD_AFTER.as_secs(),
            GRACE.as_secs()
        );
        let began = Instant::now();
        while began.elapsed() < most {
            // The sockets of the silent ones are open for long enough that the server ends them.
            self.crowd.turn(Instant::now() + Duration::from_millis(500))?;
            if self.crowd.is_gone() && self.read()?.held.is_nothing() {
                break;
            }
        }
        self.crowd.turn(Instant::now() + REST)?;
        self.tell()
    }

    fn read(&self) -> Result<Reading, Box<dyn Error>> {
        Reading::take(self.pid, self.crowd.server()).map_err(|why| format!("the server can't be asked: {why}").into())
    }

    fn tell(&mut self) -> Result<Reading, Box<dyn Error>> {
        let server = self.read()?;
        self.most.note(&server);
        let books = &self.crowd.books;
        let sample = Sample {
            at: self.began.elapsed().as_secs_f64(),
            people: self.crowd.len(),
            joined: books.joined,
            failures: books.failures.sum(),
            server,
        };
        eprintln!("{sample}");
        self.samples.push(sample);
        Ok(server)
    }
}

/// A seed that nobody chose.
fn chance() -> u64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::from(since_1970.subsec_nanos()) ^ u64::from(std::process::id())
}
