//! Processor time to the nanosecond: what the scheduler counts for each thread (Linux,
//! `/proc/…/schedstat`), and how it divides into the program's own and the kernel's.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::thread::{CpuSet, sched_setaffinity};
use serde::Serialize;

/// What the calling thread has used since its start, in user mode and in the kernel.
pub(crate) fn so_far() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// What a process, or a thread, had used at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    root: PathBuf,
    /// Nanoseconds of each thread.
    threads: BTreeMap<String, u64>,
    /// Ticks in user mode and in the kernel: what was running at each tick of the clock.
    ticks: [u64; 2],
    kernel_thread: Option<(PathBuf, u64)>,
}

/// What was used between two readings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Used {
    /// Processor time in seconds.
    pub(crate) seconds: f64,
    /// The program's own share of it, 0 to 1.
    pub(crate) user: f64,
    /// Beside it, in seconds: the kernel's thread that takes over network work of the same core
    /// when there is much.
    pub(crate) softirq: f64,
}

impl Used {
    /// Microseconds for each of so many packets: the program's own, and the kernel's for it.
    pub(crate) fn micros_per(&self, packets: u64) -> [f64; 2] {
        let micros = self.seconds * 1e6 / packets.max(1) as f64;
        [micros * self.user, micros * (1.0 - self.user)]
    }
}

/// Reads a whole process that runs on `core`.
pub(crate) fn of_process(pid: u32, core: Option<usize>) -> io::Result<Reading> {
    Reading::new(PathBuf::from(format!("/proc/{pid}")), core)
}

/// Reads the thread that calls.
pub(crate) fn of_this_thread(core: Option<usize>) -> io::Result<Reading> {
    Reading::new(PathBuf::from("/proc/thread-self"), core)
}

/// Keeps the calling thread, and those that it starts, on one core.
pub(crate) fn pin(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

impl Reading {
    fn new(root: PathBuf, core: Option<usize>) -> io::Result<Self> {
        let kernel_thread = core.and_then(softirq_thread);
        let kernel_thread = kernel_thread.and_then(|path| Some((path.clone(), on_cpu(&path).ok()?)));
        let ticks = ticks(&fs::read_to_string(root.join("stat"))?);
        let ticks = ticks.ok_or_else(|| io::Error::other("/proc/…/stat is not as expected"))?;
        Ok(Self { threads: threads(&root)?, root, ticks, kernel_thread })
    }

    /// What was used since.
    pub(crate) fn used(&self) -> io::Result<Used> {
        let now = Self::new(self.root.clone(), None)?;
        let since = |(name, nanos): (&String, &u64)| nanos - self.threads.get(name).unwrap_or(&0).min(nanos);
        let nanos: u64 = now.threads.iter().map(since).sum();
        let [user, system] = [0, 1].map(|index| now.ticks[index].saturating_sub(self.ticks[index]));
        let softirq = match &self.kernel_thread {
            Some((path, before)) => on_cpu(path)?.saturating_sub(*before),
            None => 0,
        };
        Ok(Used {
            seconds: Duration::from_nanos(nanos).as_secs_f64(),
            user: user as f64 / (user + system).max(1) as f64,
            softirq: Duration::from_nanos(softirq).as_secs_f64(),
        })
    }
}

fn threads(root: &Path) -> io::Result<BTreeMap<String, u64>> {
    let Ok(tasks) = fs::read_dir(root.join("task")) else {
        return Ok(BTreeMap::from([(String::new(), on_cpu(root)?)]));
    };
    // One that has ended meanwhile is left out.
    let read = |entry: fs::DirEntry| Some((entry.file_name().into_string().ok()?, on_cpu(&entry.path()).ok()?));
    Ok(tasks.flatten().filter_map(read).collect())
}

/// The first field: nanoseconds on a processor.
fn on_cpu(path: &Path) -> io::Result<u64> {
    let text = fs::read_to_string(path.join("schedstat"))?;
    let first = text.split_ascii_whitespace().next().and_then(|field| field.parse().ok());
    first.ok_or_else(|| io::Error::other("/proc/…/schedstat is not as expected"))
}

/// Fields 14 and 15, counted after the name in parentheses, which may hold anything.
fn ticks(stat: &str) -> Option<[u64; 2]> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    Some([fields.next()?.parse().ok()?, fields.next()?.parse().ok()?])
}

fn softirq_thread(core: usize) -> Option<PathBuf> {
    let wanted = format!("ksoftirqd/{core}");
    let is = |path: &PathBuf| fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim() == wanted);
    fs::read_dir("/proc").ok()?.flatten().map(|entry| entry.path()).find(is)
}

#[cfg(test)]
mod tests {
    use std::{hint::black_box, time::Instant};

    use super::*;

    #[test]
    fn a_thread_that_computes_uses_time_of_its_own() {
        // First the process: what it uses is then counted for longer than what its thread does.
        let process = of_process(std::process::id(), None).expect("this process");
        let thread = of_this_thread(Some(0)).expect("this thread");
        let began = Instant::now();
        while thread.used().expect("this thread").seconds < 0.05 {
            black_box((0..1000_u64).map(black_box).sum::<u64>());
            assert!(began.elapsed() < Duration::from_secs(60), "no time was counted");
        }
        let whole = process.used().expect("this process");
        assert!(whole.seconds >= 0.05, "{whole:?}");
        assert!((0.0..=1.0).contains(&whole.user));
    }

    #[test]
    fn time_per_packet_divides_into_the_programs_own_and_the_kernels() {
        let used = Used { seconds: 2.0, user: 0.25, softirq: 0.0 };
        assert_eq!(used.micros_per(1_000_000), [0.5, 1.5]);
        assert_eq!(Used::default().micros_per(0), [0.0, 0.0]);
    }

    #[test]
    fn ticks_are_read_behind_a_name_that_holds_anything() {
        assert_eq!(ticks("7 (a (b) c) S 1 7 7 0 -1 4194304 100 0 0 0 50 20 0 0 20 0 3 0"), Some([50, 20]));
        assert_eq!(ticks("7 (a) S 1"), None);
    }
}
