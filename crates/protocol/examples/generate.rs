//! Writes the JSON Schema and the TypeScript declarations where the repository keeps them.

use std::{error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let schema = serde_json::to_string_pretty(&madang_protocol::json_schema())? + "\n";
    write(&root.join("crates/protocol/schema/madang.v1.schema.json"), &schema)?;
    write(&root.join("web/sdk/src/protocol.d.ts"), &madang_protocol::type_script())
}

fn write(path: &Path, text: &str) -> Result<(), Box<dyn Error>> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)?;
    println!("{}", path.display());
    Ok(())
}
