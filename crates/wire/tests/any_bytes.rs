//! Whatever comes from the network, parsers answer and never panic.

use madang_wire::{ChannelData, ChannelNumber, Packet, StreamFramer, stun};
use proptest::prelude::*;

/// Bytes that begin like STUN, so that parsing goes further than the header.
fn almost_stun() -> impl Strategy<Value = Vec<u8>> {
    (any::<[u8; 12]>(), 0u16..0x4000, prop::collection::vec(any::<u8>(), 0..200)).prop_map(|(id, kind, attributes)| {
        let length = u16::try_from(attributes.len() / 4 * 4).unwrap_or(0);
        let mut bytes = kind.to_be_bytes().to_vec();
        bytes.extend(length.to_be_bytes());
        bytes.extend(stun::MAGIC_COOKIE.to_be_bytes());
        bytes.extend(id);
        bytes.extend(attributes);
        bytes
    })
}

/// A frame of either kind, with its padding for streams.
fn frame() -> impl Strategy<Value = (Vec<u8>, usize)> {
    let channel = (0x4000u16..0x8000, prop::collection::vec(any::<u8>(), 0..50)).prop_map(|(number, data)| {
        let number = ChannelNumber::new(number).unwrap_or(ChannelNumber::MIN);
        let mut bytes = ChannelData::header(number, data.len()).unwrap_or_default().to_vec();
        bytes.extend(&data);
        (bytes, ChannelData::padding(data.len()))
    });
    let message = prop::collection::vec(any::<[u8; 4]>(), 0..20).prop_map(|words| {
        let mut bytes = vec![0, 1];
        bytes.extend(u16::try_from(words.len() * 4).unwrap_or(0).to_be_bytes());
        bytes.extend(stun::MAGIC_COOKIE.to_be_bytes());
        bytes.extend([7; 12]);
        bytes.extend(words.concat());
        (bytes, 0)
    });
    prop_oneof![channel, message]
}

proptest! {
    #[test]
    fn classifying_and_parsing_never_panic(bytes in prop_oneof![prop::collection::vec(any::<u8>(), 0..100), almost_stun()]) {
        if let Some(Packet::Stun(bytes)) = Packet::classify(&bytes)
            && let Ok(message) = stun::Message::from_bytes(bytes)
        {
            let _ = stun::optional::<stun::XorPeerAddress>(&message);
            let _ = stun::optional::<stun::PasswordAlgorithms>(&message);
            let _ = stun::optional::<stun::Username>(&message);
            let key = stun::LongTermKeyCredentials::new("a".into(), "b".into(), "c".into());
            prop_assert!(message.validate_integrity(&key.into()).is_err());
        }
    }

    #[test]
    fn frames_survive_any_cutting(frames in prop::collection::vec(frame(), 0..8), step in 1usize..40) {
        let stream: Vec<u8> = frames.iter().flat_map(|(bytes, padding)| bytes.iter().copied().chain(vec![0; *padding])).collect();
        let mut framer = StreamFramer::new(65_536);
        let mut seen = Vec::new();
        for part in stream.chunks(step) {
            framer.push(part);
            while let Ok(Some(frame)) = framer.next_frame() {
                seen.push(frame.to_vec());
            }
        }
        let sent: Vec<Vec<u8>> = frames.into_iter().map(|(bytes, _)| bytes).collect();
        prop_assert_eq!(seen, sent);
        prop_assert_eq!(framer.pending(), 0);
    }

    #[test]
    fn a_stream_of_anything_stays_bounded(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..40)) {
        let mut framer = StreamFramer::new(256);
        'stream: for part in parts {
            framer.push(&part);
            loop {
                match framer.next_frame() {
                    Ok(Some(frame)) => prop_assert!(frame.len() <= 256),
                    Ok(None) => break,
                    Err(_) => break 'stream,
                }
            }
            prop_assert!(framer.pending() < 256);
        }
    }
}
