//! Servers that stand in a yard's internet, and people at home.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod cell;
pub(crate) mod client;
pub(crate) mod coturn;
mod madang;

use std::path::{Path, PathBuf};

pub(crate) use madang::Madang;
use madang_lab::yard::{Yard, skip};

/// The NAT of this crate, as a program.
pub(crate) fn natlab() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_natlab"))
}

/// The root of the source tree.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A yard for a test that needs these programs; `None` where it can't be, which is said, and is a
/// failure with `NATLAB_REQUIRED=1`.
pub(crate) fn yard(needs: &[&str]) -> Option<Yard> {
    let there = |program: &&&str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).chain(["/usr/sbin".into()]).any(|folder| folder.join(program).exists())
    };
    match needs.iter().find(|need| !there(need)) {
        None => Yard::open(natlab()),
        Some(missing) => {
            skip(&format!("{missing} is missing; scripts/test-needs.sh installs it"));
            None
        }
    }
}

/// The Python that has aiortc.
pub(crate) fn python() -> PathBuf {
    root().join(".venv/bin/python")
}

/// madang's program: `MADANG_BIN`, else that which was built beside this test, as `cargo test` does
/// for the workspace.
pub(crate) fn program() -> PathBuf {
    let built = || natlab().with_file_name("madang");
    let path = std::env::var_os("MADANG_BIN").map_or_else(built, PathBuf::from);
    assert!(path.exists(), "{} is missing: run `cargo build -p madang`, or set MADANG_BIN", path.display());
    path
}

/// Whether that program knows a subcommand, and an option of it.
pub(crate) fn knows(subcommand: &str, option: &str) -> bool {
    let help = std::process::Command::new(program()).args([subcommand, "--help"]).output().expect("it starts");
    help.status.success() && String::from_utf8_lossy(&help.stdout).contains(option)
}
