//! Every example in docs/protocol.md is a frame of the direction that its block names, with no
//! field that the protocol does not have.

#![allow(clippy::panic, reason = "a test fails by it")]

use std::{fs, path::Path};

use madang_protocol::{ClientFrame, ServerFrame};
use serde_json::{Deserializer, Value};

struct Example {
    from_client: bool,
    json: Value,
}

fn examples() -> Vec<Example> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol.md");
    let text = fs::read_to_string(path).expect("the document");
    let mut found = Vec::new();
    for block in text.split("\n```json ").skip(1) {
        let (direction, rest) = block.split_once('\n').expect("a block has lines");
        let (body, _) = rest.split_once("\n```").expect("a block ends");
        assert!(matches!(direction, "client" | "server"), "a block names its direction: {direction}");
        for json in Deserializer::from_str(body).into_iter() {
            found.push(Example { from_client: direction == "client", json: json.expect(body) });
        }
    }
    found
}

/// Every field of the example survives parsing; fields that the protocol fills in may be added.
fn assert_contained(example: &Value, parsed: &Value) {
    match (example, parsed) {
        (Value::Object(example), Value::Object(parsed)) => {
            for (key, value) in example {
                assert_contained(value, parsed.get(key).unwrap_or_else(|| panic!("{key} is not of the protocol")));
            }
        }
        (Value::Array(example), Value::Array(parsed)) => {
            assert_eq!(example.len(), parsed.len());
            example.iter().zip(parsed).for_each(|(example, parsed)| assert_contained(example, parsed));
        }
        (Value::Number(example), Value::Number(parsed)) => assert_eq!(example.as_f64(), parsed.as_f64()),
        _ => assert_eq!(example, parsed),
    }
}

#[test]
fn every_example_of_the_document_is_a_frame() {
    for Example { from_client, json } in examples() {
        let parsed = if from_client {
            serde_json::from_value::<ClientFrame>(json.clone()).and_then(serde_json::to_value)
        } else {
            serde_json::from_value::<ServerFrame>(json.clone()).and_then(serde_json::to_value)
        };
        assert_contained(&json, &parsed.unwrap_or_else(|error| panic!("{error}: {json}")));
    }
}

#[test]
fn the_document_shows_the_messages_that_a_client_needs() {
    let examples = examples();
    let shown = |from_client: bool, t: &str| {
        examples.iter().any(|example| example.from_client == from_client && example.json["t"] == t)
    };
    for t in ["hello", "desc", "ice", "restart", "publish", "unpublish", "mute", "subscribe", "chat", "data", "state"] {
        assert!(shown(true, t), "{t} from a client");
    }
    for t in ["mod", "stats", "ack", "leave"] {
        assert!(shown(true, t), "{t} from a client");
    }
    for t in ["welcome", "resumed", "ok", "error", "participant", "track", "link", "negotiate", "desc", "ice"] {
        assert!(shown(false, t), "{t} from the server");
    }
    for t in ["bitrate", "quality", "chat", "data", "room", "bye", "topology", "delivery", "speakers"] {
        assert!(shown(false, t), "{t} from the server");
    }
}

#[test]
#[should_panic(expected = "colour is not of the protocol")]
fn a_field_that_the_protocol_does_not_have_is_noticed() {
    let json: Value = serde_json::from_str(r#"{"t": "ping", "colour": "red"}"#).expect("JSON");
    let frame: ClientFrame = serde_json::from_value(json.clone()).expect("unknown fields are ignored");
    assert_contained(&json, &serde_json::to_value(frame).expect("a value"));
}
