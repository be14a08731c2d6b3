//! The TURN client: any packets from its server, with a request of its own on the way. The id of that
//! request is put where a message has its own when the first byte asks for it.
#![no_main]

use std::{
    net::SocketAddr,
    sync::LazyLock,
    time::{Duration, Instant},
};

use libfuzzer_sys::fuzz_target;
use madang_turn::client::{Client, ClientConfig, ClientInput, ClientOutput};
use madang_wire::Transport;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

fn drain(client: &mut Client, sent: &mut Vec<u8>) {
    loop {
        match client.poll_output() {
            ClientOutput::Timeout(_) => return,
            ClientOutput::Transmit(bytes) => *sent = bytes,
            _ => {}
        }
    }
}

fuzz_target!(|packets: Vec<(bool, Vec<u8>)>| {
    let (username, password) = ("mina".to_owned(), "secret".to_owned());
    let mut client = Client::new(ClientConfig { username, password, transport: Transport::Udp, seed: [7; 32] });
    let (mut now, mut sent) = (*START, Vec::new());
    let peer = SocketAddr::from(([203, 0, 113, 1], 5000));
    client.handle_input(now, ClientInput::Timeout);
    drain(&mut client, &mut sent);
    for (is_answer, mut packet) in packets {
        if let (true, Some(id), Some(place)) = (is_answer, sent.get(4..20), packet.get_mut(4..20)) {
            place.copy_from_slice(id);
        }
        now += Duration::from_millis(100);
        client.handle_input(now, ClientInput::Packet(&packet));
        client.handle_input(now, ClientInput::Send { peer, data: b"hello" });
        client.handle_input(now, ClientInput::Timeout);
        drain(&mut client, &mut sent);
    }
});
