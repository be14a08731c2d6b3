//! What arrives from outside: unknown, incomplete, odd, hostile.

#![allow(clippy::panic, reason = "a test fails by it")]

use madang_protocol::{ClientFrame, ClientMessage, Codecs, RequestId, ServerFrame};
use proptest::prelude::*;

fn client(text: &str) -> Result<ClientFrame, serde_json::Error> {
    serde_json::from_str(text)
}

#[test]
fn unknown_fields_are_ignored_at_every_depth() {
    let frame = client(
        r#"{"t":"publish","id":7,"later":[1,{"a":2}],
            "track":{"cid":"c","kind":"video","source":"camera","hdr":true}}"#,
    );
    let frame = frame.expect("unknown fields are ignored");
    assert_eq!(frame.id, Some(RequestId(7)));
    assert!(matches!(frame.message, ClientMessage::Publish(publish) if publish.track.cid == "c"));
}

#[test]
fn an_unknown_or_missing_type_is_an_error() {
    for wrong in [r#"{"t":"teleport"}"#, r#"{"id":1}"#, r#"{"t":7}"#, r#"{"t":null}"#, "{}"] {
        assert!(client(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_is_not_an_object_is_an_error() {
    for wrong in ["", " ", "null", "[]", "7", "\"ping\"", "{", "{\"t\":\"ping\"", "{\"t\":\"ping\"} {}"] {
        assert!(client(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_missing_or_wrong_field_is_an_error() {
    for wrong in [
        r#"{"t":"chat"}"#,
        r#"{"t":"chat","text":7}"#,
        r#"{"t":"ack","s":-1}"#,
        r#"{"t":"ack","s":1.5}"#,
        r#"{"t":"ack","s":18446744073709551616}"#,
        r#"{"t":"subscribe","track":"t","on":true,"priority":256}"#,
        r#"{"t":"desc","link":"l","epoch":0,"n":1,"kind":"pranswer","sdp":""}"#,
        r#"{"t":"mod","action":"promote"}"#,
        r#"{"t":"ping","id":"one"}"#,
    ] {
        assert!(client(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn optional_fields_may_be_absent_or_null() {
    let hello = r#"{"t":"hello","versions":[1],"room":"yard","name":"Mina","token":null,"resume":null}"#;
    let ClientMessage::Hello(hello) = client(hello).expect("a hello").message else { panic!("a hello") };
    assert_eq!((hello.token, hello.resume, hello.topology), (None, None, None));
    assert_eq!(hello.capabilities.codecs, Codecs::default());
    assert!(hello.tracks.is_empty());
    let last = client(r#"{"t":"ice","link":"l","epoch":0,"n":1}"#).expect("the last candidate");
    assert!(matches!(last.message, ClientMessage::Ice(ice) if ice.candidate.is_none()));
}

#[test]
fn deep_nesting_is_an_error_and_not_a_crash() {
    let deep = "[".repeat(60_000);
    assert!(client(&format!(r#"{{"t":"ping","x":{deep}"#)).is_err());
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = serde_json::from_slice::<ClientFrame>(&bytes);
        let _ = serde_json::from_slice::<ServerFrame>(&bytes);
    }

    #[test]
    fn damaged_messages_never_panic(at in 0usize..400, byte in any::<u8>()) {
        let mut bytes = include_bytes!("golden/client_hello.json").to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(frame) = serde_json::from_slice::<ClientFrame>(&bytes) {
            let text = serde_json::to_string(&frame).expect("what was parsed can be written");
            prop_assert_eq!(serde_json::from_str::<ClientFrame>(&text).expect("and parsed again"), frame);
        }
    }
}
