//! The test vectors of RFC 5769.

use madang_wire::{
    Packet,
    stun::{
        BINDING, LongTermKeyCredentials, Message, MessageClass, MessageIntegrityCredentials, Nonce, Realm,
        ShortTermCredentials, Software, Username, XorMappedAddress, optional,
    },
};

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hexadecimal");
    digits.chunks(2).map(byte).collect()
}

fn short_term() -> MessageIntegrityCredentials {
    ShortTermCredentials::new("VOkJxbRl1RmTxUk/WvJxBt".into()).into()
}

fn stun(data: &[u8]) -> Message<'_> {
    assert_eq!(Packet::classify(data), Some(Packet::Stun(data)));
    Message::from_bytes(data).expect("a STUN message with a good fingerprint")
}

#[test]
fn sample_request_2_1() {
    let data = bytes(
        "00010058 2112a442 b7e7a701bc34d686fa87dfae 80220010 5354554e207465737420636c69656e74 00240004 6e0001ff \
         80290008 932ff9b151263b36 00060009 6576746a3a68367659202020 00080014 \
         9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2 80280004 e57a3bcf",
    );
    let message = stun(&data);
    assert_eq!((message.class(), message.method()), (MessageClass::Request, BINDING));
    assert_eq!(message.attribute::<Username>().expect("a name").username(), "evtj:h6vY");
    message.validate_integrity(&short_term()).expect("the password is right");
}

#[test]
fn sample_ipv4_response_2_2() {
    let data = bytes(
        "0101003c 2112a442 b7e7a701bc34d686fa87dfae 8022000b 7465737420766563746f7220 00200008 0001a147e112a643 \
         00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7 80280004 c07d4c96",
    );
    let message = stun(&data);
    assert_eq!(message.attribute::<Software>().expect("a name").software(), "test vector");
    let mapped = message.attribute::<XorMappedAddress>().expect("an address").addr(message.transaction_id());
    assert_eq!(mapped.to_string(), "192.0.2.1:32853");
    message.validate_integrity(&short_term()).expect("the password is right");
}

#[test]
fn sample_ipv6_response_2_3() {
    let data = bytes(
        "01010048 2112a442 b7e7a701bc34d686fa87dfae 8022000b 7465737420766563746f7220 00200014 \
         0002a147 0113a9faa5d3f179bc25f4b5bed2b9d9 00080014 a382954e4be67bf11784c97c8292c275bfe3ed41 \
         80280004 c8fb0b4c",
    );
    let message = stun(&data);
    let mapped = message.attribute::<XorMappedAddress>().expect("an address").addr(message.transaction_id());
    assert_eq!(mapped.to_string(), "[2001:db8:1234:5678:11:2233:4455:6677]:32853");
    message.validate_integrity(&short_term()).expect("the password is right");
}

#[test]
fn sample_request_with_long_term_authentication_2_4() {
    let data = bytes(
        "00010060 2112a442 78ad3433c6ad72c029da412e 00060012 e3839ee38388e383aae38383e382afe382b90000 0015001c \
         662f2f3439396b3935346436 4f4c33346f4c394653547679 36347341 0014000b 6578616d706c652e6f726700 \
         00080014 f67024656dd64a3e02b8e0712e85c9a28ca89666",
    );
    let message = stun(&data);
    assert_eq!(message.attribute::<Nonce>().expect("a nonce").nonce(), "f//499k954d6OL34oL9FSTvy64sA");
    let realm = optional::<Realm>(&message).expect("well-formed").expect("a realm");
    let username = message.attribute::<Username>().expect("a name");
    // The password "The\u{AD}M\u{AA}tr\u{2168}" after SASLprep.
    let credentials = |password: &str| {
        LongTermKeyCredentials::new(username.username().into(), password.into(), realm.realm().into()).into()
    };
    message.validate_integrity(&credentials("TheMatrIX")).expect("the password is right");
    message.validate_integrity(&credentials("TheMatrix")).expect_err("the password is wrong");
}
