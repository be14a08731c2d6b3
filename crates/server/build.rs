//! The web files are embedded at compile time: build again when one is added or removed.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for folder in ["web/app", "web/sdk/src", "web/example", "docs"] {
        // A path that does not exist would mean to build again each time.
        let path = Path::new("../..").join(folder);
        if path.exists() {
            println!("cargo:rerun-if-changed={}", path.display());
        }
    }
}
