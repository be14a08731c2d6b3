//! The generated files in the repository are those that the types give today.

use std::{fs, path::Path};

const HINT: &str = "stale: run `cargo run -p madang-protocol --example generate` and commit the result";

fn in_repository(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    fs::read_to_string(path).expect("a generated file of the repository")
}

#[test]
fn the_json_schema_in_the_repository_is_current() {
    let schema = serde_json::to_string_pretty(&madang_protocol::json_schema()).expect("a JSON value") + "\n";
    assert!(schema == in_repository("crates/protocol/schema/madang.v1.schema.json"), "{HINT}");
}

#[test]
fn the_typescript_declarations_in_the_repository_are_current() {
    assert!(madang_protocol::type_script() == in_repository("web/sdk/src/protocol.d.ts"), "{HINT}");
}
