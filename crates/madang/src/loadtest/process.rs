//! What another process on this machine uses, from `/proc` (Linux; proc_pid_stat(5)).

use std::{fs, io, time::Duration};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Memory that is resident, in bytes.
    pub(crate) memory: u64,
    /// Processor time since it began, user and system.
    pub(crate) cpu: Duration,
}

pub(crate) fn usage(pid: u32) -> io::Result<Usage> {
    let odd = |what: &str| io::Error::other(format!("/proc/{pid}/{what} is not as expected"));
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    Ok(Usage {
        memory: resident(&status).ok_or_else(|| odd("status"))?,
        cpu: cpu_time(&stat).ok_or_else(|| odd("stat"))?,
    })
}

/// How many descriptors it has open.
pub(crate) fn descriptors(pid: u32) -> io::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Fields 14 and 15, counted after the name in parentheses, which may hold
/// anything.
fn cpu_time(stat: &str) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_secs_f64((user + system) as f64 / rustix::param::clock_ticks_per_second() as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_time_are_read_from_their_fields() {
        assert_eq!(resident("Name:\tmadang\nVmHWM:\t 9 kB\nVmRSS:\t  2048 kB\n"), Some(2 * 1024 * 1024));
        assert_eq!(resident("Name:\tmadang\n"), None);
        let ticks = rustix::param::clock_ticks_per_second();
        let stat = format!("7 (a (b) c) S 1 7 7 0 -1 4194304 100 0 0 0 {} {ticks} 0 0 20 0 3 0 100 1 2", ticks / 2);
        assert_eq!(cpu_time(&stat), Some(Duration::from_millis(1500)));
        assert_eq!(cpu_time("7 (a) S 1"), None);
    }

    #[test]
    fn this_process_uses_something() {
        let usage = usage(std::process::id()).expect("this process");
        assert!(usage.memory > 100_000);
        assert!(descriptors(std::process::id()).expect("this process") > 2);
    }
}
