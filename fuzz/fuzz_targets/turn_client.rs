//! The TURN client, with everything wished for: any packets from its server, with a request of its
//! own on the way, between changes of its address. The id of that request is put where a message has
//! its own when the first byte asks for it.
#![no_main]

use std::{
    net::SocketAddr,
    sync::LazyLock,
    time::{Duration, Instant},
};

use libfuzzer_sys::fuzz_target;
use madang_turn::client::{Client, ClientConfig, ClientInput, ClientOutput, Families, Wishes};
use madang_wire::{
    Transport,
    stun::{
        Attribute, IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageWrite, MessageWriteExt, MessageWriteVec,
        RawAttribute,
    },
};

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

/// A success for a request, with any attributes, signed as a server would that knows the password:
/// what lies behind the signature has to be reached too.
fn signed(request: &[u8], attributes: &[u8]) -> Option<Vec<u8>> {
    let request = Message::from_bytes(request).ok()?;
    let mut answer = Message::builder_success(&request, MessageWriteVec::new());
    let mut rest = attributes;
    while let Ok(attribute) = RawAttribute::from_bytes(rest) {
        let length = (4 + attribute.value.len()).next_multiple_of(4);
        // The codec writes these itself: MESSAGE-INTEGRITY, the same with SHA-256, FINGERPRINT.
        if !matches!(attribute.get_type().value(), 0x0008 | 0x001C | 0x8028) {
            answer.add_attribute(&attribute).ok()?;
        }
        rest = rest.get(length..)?;
    }
    let credentials = LongTermKeyCredentials::new("mina".into(), "secret".into(), "realm".into());
    let algorithm = IntegrityAlgorithm::Sha1;
    answer.add_message_integrity_with_key(&credentials.make_key(algorithm), algorithm).ok()?;
    Some(answer.finish())
}

fuzz_target!(|packets: Vec<(u8, Vec<u8>)>| {
    let (username, password) = ("mina".to_owned(), "secret".to_owned());
    let mut client = Client::new(ClientConfig {
        username,
        password,
        transport: Transport::Udp,
        seed: [7; 32],
        server: Some(SocketAddr::from(([198, 51, 100, 1], 3478))),
        wishes: Wishes { families: Families::Both, mobility: true, dont_fragment: false },
    });
    let (mut now, mut sent) = (*START, Vec::new());
    let peer = SocketAddr::from(([203, 0, 113, 1], 5000));
    client.handle_input(now, ClientInput::Timeout);
    drain(&mut client, &mut sent);
    for (kind, mut packet) in packets {
        if kind & 2 == 2 {
            packet = signed(&sent, &packet).unwrap_or(packet);
        } else if let (1, Some(id), Some(place)) = (kind & 1, sent.get(4..20), packet.get_mut(4..20)) {
            place.copy_from_slice(id);
        }
        now += Duration::from_millis(100);
        client.handle_input(now, ClientInput::Packet(&packet));
        client.handle_input(now, ClientInput::Send { peer, data: b"hello" });
        if kind & 4 == 4 {
            client.handle_input(now, ClientInput::AddressChanged);
        }
        client.handle_input(now, ClientInput::Timeout);
        drain(&mut client, &mut sent);
    }
});
