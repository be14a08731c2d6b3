//! JSON Schema and TypeScript declarations of the messages.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};
use ts_rs::{Config, TS, TypeVisitor};

use crate::{ClientFrame, ServerFrame};

const TYPE_SCRIPT_HEADER: &str = "\
// The signaling messages of madang, version 1.
// Generated from crates/protocol by `cargo run -p madang-protocol --example generate`. Do not edit.
";

/// TypeScript declarations of every type that a frame can hold, as one module.
#[must_use]
pub fn type_script() -> String {
    let mut declarations = Declarations { config: Config::new(), found: BTreeMap::new() };
    declarations.visit::<ClientFrame>();
    declarations.visit::<ServerFrame>();
    let mut text = TYPE_SCRIPT_HEADER.to_owned();
    for declaration in declarations.found.values() {
        text.push('\n');
        text.push_str(declaration);
    }
    text
}

/// A JSON Schema (2020-12) whose `$defs` hold every type, `ClientFrame` and `ServerFrame` among
/// them; a frame of either direction is valid against it.
#[must_use]
pub fn json_schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let client = generator.subschema_for::<ClientFrame>();
    let server = generator.subschema_for::<ServerFrame>();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "madang.v1",
        "description": "The signaling messages of madang, version 1. Generated from crates/protocol.",
        "anyOf": [client, server],
        "$defs": generator.take_definitions(true),
    })
}

struct Declarations {
    config: Config,
    found: BTreeMap<String, String>,
}

impl TypeVisitor for Declarations {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        // Types without a path are TypeScript's own: they have no declaration.
        if T::output_path().is_none() {
            return;
        }
        let name = T::ident(&self.config);
        if self.found.contains_key(&name) {
            return;
        }
        let docs = T::docs().unwrap_or_default();
        self.found.insert(name, format!("{docs}export {}\n", T::decl(&self.config)));
        T::visit_dependencies(self);
    }
}
