//! Golden messages: parsed and written again they stay the same, byte for byte but for the
//! order of their fields. The web SDK's tests read the same files.

use std::{collections::BTreeSet, fs, path::Path};

use madang_protocol::{ClientFrame, ServerFrame, json_schema};
use serde_json::Value;

fn golden(direction: &str) -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the golden messages") {
        let path = entry.expect("a file").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        if name.starts_with(direction) {
            let text = fs::read_to_string(&path).expect("a text");
            found.push((name, serde_json::from_str(&text).expect("JSON")));
        }
    }
    found
}

/// The values of `t` that the schema knows for a direction.
fn types_in_schema(frame: &str) -> BTreeSet<String> {
    let schema = json_schema();
    let variants = schema["$defs"][frame]["oneOf"].as_array().expect("an enum").clone();
    let name = |variant: &Value| variant["properties"]["t"]["const"].as_str().map(str::to_owned);
    variants.iter().map(|variant| name(variant).expect("a `t`")).collect()
}

fn types_in(golden: &[(String, Value)]) -> BTreeSet<String> {
    golden.iter().filter_map(|(_, json)| json["t"].as_str().map(str::to_owned)).collect()
}

#[test]
fn messages_of_clients_survive_parsing_and_writing() {
    for (name, json) in golden("client") {
        let frame: ClientFrame = serde_json::from_value(json.clone()).expect(&name);
        assert_eq!(serde_json::to_value(&frame).expect(&name), json, "{name}");
        let text = serde_json::to_string(&frame).expect(&name);
        assert_eq!(serde_json::from_str::<ClientFrame>(&text).expect(&name), frame, "{name}");
    }
}

#[test]
fn messages_of_the_server_survive_parsing_and_writing() {
    for (name, json) in golden("server") {
        let frame: ServerFrame = serde_json::from_value(json.clone()).expect(&name);
        assert_eq!(serde_json::to_value(&frame).expect(&name), json, "{name}");
        let text = serde_json::to_string(&frame).expect(&name);
        assert_eq!(serde_json::from_str::<ServerFrame>(&text).expect(&name), frame, "{name}");
    }
}

#[test]
fn every_message_type_has_a_golden_message() {
    assert_eq!(types_in(&golden("client")), types_in_schema("ClientFrame"));
    assert_eq!(types_in(&golden("server")), types_in_schema("ServerFrame"));
}
