//! What the kernel says about sockets and memory (Linux, proc(5)).

use std::{collections::BTreeSet, fs, io};

use serde::Serialize;

/// Datagrams that found the buffer of a socket on one of these local ports full, ever.
pub(super) fn drops(ports: &BTreeSet<u16>) -> u64 {
    ["/proc/net/udp", "/proc/net/udp6"]
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .map(|table| sum(&table, ports))
        .sum()
}

/// The second field is address:port in hexadecimal, the last one counts.
fn sum(table: &str, ports: &BTreeSet<u16>) -> u64 {
    let row = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let (_, port) = fields.nth(1)?.rsplit_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        ports.contains(&port).then(|| fields.next_back()?.parse::<u64>().ok()).flatten()
    };
    table.lines().skip(1).filter_map(row).sum()
}

/// Memory of one process, and of the kernel for all, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Memory {
    pub(super) rss: u64,
    /// Shared pages in proportion.
    pub(super) pss: u64,
    /// The kernel's own objects, of the whole machine: sockets, files, directory entries.
    pub(super) slab: u64,
    /// UDP sockets of this network namespace.
    pub(super) udp_sockets: u64,
    /// What waits in their buffers.
    pub(super) udp_buffers: u64,
}

impl Memory {
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let machine = fs::read_to_string("/proc/meminfo")?;
        let sockets = fs::read_to_string("/proc/net/sockstat")?;
        let kibibytes = |text: &str, name| Some(number(text, name)? * 1024);
        let udp = sockets.lines().find(|line| line.starts_with("UDP:")).unwrap_or_default();
        let odd = || io::Error::other("/proc is not as expected");
        Ok(Self {
            rss: kibibytes(&rollup, "Rss:").ok_or_else(odd)?,
            pss: kibibytes(&rollup, "Pss:").ok_or_else(odd)?,
            slab: kibibytes(&machine, "Slab:").ok_or_else(odd)?,
            udp_sockets: after(udp, "inuse").ok_or_else(odd)?,
            udp_buffers: after(udp, "mem").ok_or_else(odd)? * rustix::param::page_size() as u64,
        })
    }
}

fn number(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

fn after(line: &str, name: &str) -> Option<u64> {
    let mut words = line.split_ascii_whitespace();
    words.find(|word| *word == name)?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_are_those_of_the_ports_asked_for() {
        let table = "  sl  local_address rem_address st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode ref pointer drops\n\
            1: 0100007F:1389 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 9 2 0000 17\n\
            2: 0100007F:138A 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 9 2 0000 4\n";
        assert_eq!(sum(table, &BTreeSet::from([5001])), 17);
        assert_eq!(sum(table, &BTreeSet::from([5001, 5002])), 21);
        assert_eq!(sum(table, &BTreeSet::from([1])), 0);
    }

    #[test]
    fn this_process_has_memory_and_its_socket_is_counted() {
        let _socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let memory = Memory::of(std::process::id()).expect("this process");
        assert!(memory.rss > 100_000 && memory.pss <= memory.rss, "{memory:?}");
        assert!(memory.udp_sockets >= 1 && memory.slab > 0, "{memory:?}");
    }
}
