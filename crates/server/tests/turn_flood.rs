//! Requests from very many forged addresses. Alone in its file: memory is the whole process's.

#![allow(clippy::panic, reason = "a test fails where it has to")]

mod raw_support;
mod support;
mod turn_support;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use madang_wire::stun::{ALLOCATE, Lifetime, REFRESH};
use raw_support::{allocated, ask, bare};
use support::{metric, start};
use turn_support::WHOLE;

const REQUESTS: u32 = 100_000;

/// More than what allocators, batches and counters take for themselves; less than forty bytes for
/// each request.
const FLAT: u64 = 4 << 20;

/// Bytes of this process that are its own, without files.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

/// No two requests have the same source, and two in three not even the same network.
fn source(number: u32) -> SocketAddr {
    let [_, high, middle, low] = number.to_be_bytes();
    (Ipv4Addr::new(127, middle, low, 2 + high), 0).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_forged_allocates_leave_memory_flat_and_a_client_served() {
    let server = start(WHOLE).await;
    let listener = server.addresses().turn[0];
    let request = bare(ALLOCATE);
    let mut wire = raw_support::udp(listener);
    let (client, _) = allocated(&mut wire);
    let mut flood = |numbers: std::ops::Range<u32>| {
        for number in numbers {
            let socket = UdpSocket::bind(source(number)).expect("loopback");
            socket.send_to(&request, listener).expect("sent");
            // The kernel would drop what waits for too long; and who is known is heard meanwhile.
            if number % 128 == 0 {
                assert_eq!(ask(&mut wire, &client, REFRESH, &[&Lifetime::new(600)]).code(), 0);
            }
        }
    };
    // What is made on first use is made by these.
    flood(0..2000);
    let before = memory();
    flood(2000..REQUESTS);
    let grown = memory().saturating_sub(before);
    assert!(grown < FLAT, "{grown} bytes more than before");
    let refused = metric(&server, "madang_turn_refused_total{reason=\"unauthenticated\"}").await;
    let limited = metric(&server, "madang_turn_dropped_packets_total{reason=\"rate_limited\"}").await;
    assert!(refused + limited >= u64::from(REQUESTS) * 9 / 10, "only {refused} refused, {limited} limited");
    assert_eq!(metric(&server, "madang_turn_allocations{").await, 1);
}
