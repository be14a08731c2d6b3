//! Memory of many allocations that nobody uses.

use std::{
    error::Error,
    fmt,
    net::{Ipv4Addr, SocketAddr},
    thread,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{
    Options,
    kernel::Memory,
    setup::{self, Allocation, Batches},
};

/// Allocated at once.
const TOGETHER: u32 = 128;
/// Clients of one address; ports from here on. So no 5-tuple comes twice.
const PORTS: u32 = 20_000;
const FIRST_PORT: u32 = 20_000;
/// The shortest lifetime that servers give (RFC 8656 §3.2) less some time to measure.
const LIFETIME: Duration = Duration::from_secs(570);
/// Until the server's own work after the last allocation is over.
const SETTLE: Duration = Duration::from_secs(2);

#[derive(Debug, Serialize)]
pub(super) struct Report {
    allocations: u32,
    /// How long they took to make.
    seconds: f64,
    before: Memory,
    after: Memory,
    /// Of process memory, for each allocation.
    rss_per_allocation: f64,
}

/// The clients' sockets are closed as soon as their relays are there, so that what the kernel
/// holds is the server's; the allocations live on for their lifetime.
pub(super) fn run(options: &Options, count: u32) -> Result<Report, Box<dyn Error>> {
    let pid = options.pid.ok_or("--pid is needed")?;
    let credentials = options.credentials()?;
    let mut batches = Batches::new();
    let before = Memory::of(pid)?;
    let (began, mut made) = (Instant::now(), 0);
    while made < count {
        let next = (made + TOGETHER).min(count);
        let open = |index| Allocation::open(options.server, local(index), &credentials, options.sockets());
        let mut clients = (made..next).map(open).collect::<Result<Vec<_>, _>>()?;
        setup::allocate(&mut clients, &mut batches).map_err(|why| format!("after {made} allocations: {why}"))?;
        made = next;
        if began.elapsed() > LIFETIME {
            return Err(format!("only {made} allocations within the lifetime of the first").into());
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    thread::sleep(SETTLE);
    let after = Memory::of(pid)?;
    let rss_per_allocation = after.rss.saturating_sub(before.rss) as f64 / f64::from(count.max(1));
    Ok(Report { allocations: count, seconds, before, after, rss_per_allocation })
}

/// 127.1.0.0 and on.
fn local(index: u32) -> SocketAddr {
    let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 1)) + index / PORTS);
    SocketAddr::from((address, (FIRST_PORT + index % PORTS) as u16))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mega = |bytes: u64| bytes as f64 / 1e6;
        let Self { allocations, seconds, before, after, rss_per_allocation } = self;
        writeln!(f, "idle allocations  {allocations}, made in {seconds:.1} s")?;
        writeln!(f, "server RSS        {:.1} MB; {:.1} MB before", mega(after.rss), mega(before.rss))?;
        writeln!(f, "server PSS        {:.1} MB; {:.1} MB before", mega(after.pss), mega(before.pss))?;
        writeln!(f, "for each          {rss_per_allocation:.0} bytes")?;
        writeln!(
            f,
            "kernel's objects  {:.1} MB; {:.1} MB before (whole machine)",
            mega(after.slab),
            mega(before.slab)
        )?;
        let buffers = mega(after.udp_buffers);
        write!(f, "UDP sockets       {}; {} before; {buffers:.1} MB in buffers", after.udp_sockets, before.udp_sockets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_clients_have_one_address() {
        let mut all: Vec<SocketAddr> = (0..100_000).map(local).collect();
        assert_eq!(all[0], "127.1.0.1:20000".parse().expect("an address"));
        assert_eq!(all[99_999], "127.1.0.5:39999".parse().expect("an address"));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 100_000);
    }
}
