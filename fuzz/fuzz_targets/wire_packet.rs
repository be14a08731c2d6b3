//! One packet of a TURN client, and every attribute that the server reads from it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use madang_wire::{Packet, stun};

fuzz_target!(|bytes: &[u8]| {
    let Some(Packet::Stun(bytes)) = Packet::classify(bytes) else { return };
    let Ok(message) = stun::Message::from_bytes(bytes) else { return };
    let _ = stun::optional::<stun::Username>(&message);
    let _ = stun::optional::<stun::Realm>(&message);
    let _ = stun::optional::<stun::Nonce>(&message);
    let _ = stun::optional::<stun::PasswordAlgorithm>(&message);
    let _ = stun::optional::<stun::PasswordAlgorithms>(&message);
    let _ = stun::optional::<stun::RequestedTransport>(&message);
    let _ = stun::optional::<stun::RequestedAddressFamily>(&message);
    let _ = stun::optional::<stun::EvenPort>(&message);
    let _ = stun::optional::<stun::ReservationToken>(&message);
    let _ = stun::optional::<stun::Lifetime>(&message);
    let _ = stun::optional::<stun::ChannelNumberAttribute>(&message);
    let peer = stun::optional::<stun::XorPeerAddress>(&message);
    let _ = peer.map(|peer| peer.map(|peer| peer.addr(message.transaction_id())));
    for algorithm in [stun::IntegrityAlgorithm::Sha1, stun::IntegrityAlgorithm::Sha256] {
        let credentials = stun::LongTermKeyCredentials::new("user".into(), "password".into(), "realm".into());
        let _ = message.validate_integrity_with_key(&credentials.make_key(algorithm));
    }
});
