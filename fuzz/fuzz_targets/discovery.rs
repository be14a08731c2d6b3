//! The discovery of NAT behaviour: any packets from anywhere to either socket, with requests of its
//! own on the way. The id of one of those is put where a message has its own when asked for.
#![no_main]

use std::{
    net::SocketAddr,
    sync::LazyLock,
    time::{Duration, Instant},
};

use libfuzzer_sys::fuzz_target;
use madang_turn::discovery::{Config, Discovery, Input, Output, Socket};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

fn drain(discovery: &mut Discovery, sent: &mut Vec<(SocketAddr, Vec<u8>)>) {
    loop {
        match discovery.poll_output() {
            Output::Timeout(_) => return,
            Output::Transmit { to, data, .. } => sent.push((to, data)),
            Output::Done(_) => {}
        }
    }
}

fuzz_target!(|packets: Vec<(u8, bool, Vec<u8>)>| {
    let server = SocketAddr::from(([198, 51, 100, 1], 3478));
    let mut discovery = Discovery::new(Config { server, local: None, sends: 2, seed: [7; 32] });
    let (mut now, mut sent) = (*START, Vec::new());
    discovery.handle_input(now, Input::Timeout);
    drain(&mut discovery, &mut sent);
    for (kind, second, mut data) in packets {
        let mut from = server;
        if kind & 1 == 1 && !sent.is_empty() {
            let (to, request) = &sent[usize::from(kind >> 2) % sent.len()];
            from = *to;
            if let (Some(id), Some(place)) = (request.get(4..20), data.get_mut(4..20)) {
                place.copy_from_slice(id);
            }
        }
        let at = if second { Socket::Second } else { Socket::First };
        discovery.handle_input(now, Input::Packet { at, from, data: &data });
        if kind & 2 == 2 {
            now += Duration::from_millis(500);
            discovery.handle_input(now, Input::Timeout);
        }
        drain(&mut discovery, &mut sent);
    }
    assert!(sent.len() <= 64, "a few requests for each test, whatever is answered");
});
