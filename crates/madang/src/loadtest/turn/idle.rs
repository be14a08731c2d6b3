//! Allocations that do nothing: what they take of memory.

use std::{error::Error, fs, net::SocketAddr};

use serde::Serialize;

use super::{
    Options,
    place::Place,
    rig::{Allocated, local},
};

/// Bytes.
#[derive(Debug, Serialize)]
struct Found {
    allocations: u32,
    /// Of the process, in proportion to what it shares, without any allocation.
    process_before: u64,
    process_after: u64,
    /// Of the kernel's caches for sockets, open files and their kin.
    kernel_before: u64,
    kernel_after: u64,
}

pub(super) fn run(options: &Options, count: u32) -> Result<(), Box<dyn Error>> {
    let place = Place::find(options)?;
    let pid = place.pid.ok_or("whose memory? Name the server's process, --pid")?;
    let (process_before, kernel_before) = (memory_of(pid)?, memory_of_kernel()?);
    let mut held = Vec::with_capacity(count as usize);
    for number in 0..count {
        held.push(Allocated::new(options, place.address, client(place.address, number).ip())?);
        if !options.json && number % 10_000 == 9_999 {
            eprintln!("{} allocations", number + 1);
        }
    }
    let (with_clients, process_after) = (memory_of_kernel()?, memory_of(pid)?);
    // The load's own sockets are the kernel's too: each client has one, as each allocation has.
    let kernel_after = kernel_before + with_clients.saturating_sub(kernel_before) / 2;
    let found = Found { allocations: count, process_before, process_after, kernel_before, kernel_after };
    if options.json {
        println!("{}", serde_json::to_string(&found)?);
        return Ok(());
    }
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let each = |before: u64, after: u64| after.saturating_sub(before) / u64::from(count.max(1));
    println!("{count} idle allocations");
    println!(
        "process  {:.1} MiB, {:.1} before; {} bytes each",
        mib(process_after),
        mib(process_before),
        each(process_before, process_after)
    );
    println!(
        "kernel   {:.1} MiB, {:.1} before; {} bytes each",
        mib(kernel_after),
        mib(kernel_before),
        each(kernel_before, kernel_after)
    );
    Ok(())
}

/// The address of a client: a few thousand on each loopback address, for ports are limited.
fn client(server: SocketAddr, number: u32) -> SocketAddr {
    if !server.ip().is_loopback() || server.is_ipv6() {
        return SocketAddr::new(local(server), 0);
    }
    let [_, high, mid, low] = (number / 10_000 + 1).to_be_bytes();
    SocketAddr::from(([127, high + 1, mid, low], 0))
}

/// Proportional set size.
fn memory_of(pid: u32) -> Result<u64, Box<dyn Error>> {
    field(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?, "Pss:")
}

/// What the kernel has taken for its own objects.
fn memory_of_kernel() -> Result<u64, Box<dyn Error>> {
    field(&fs::read_to_string("/proc/meminfo")?, "Slab:")
}

fn field(text: &str, name: &str) -> Result<u64, Box<dyn Error>> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).ok_or("not as expected")?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes * 1024)
}
