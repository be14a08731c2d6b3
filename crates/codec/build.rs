//! Finds libvpx and libdav1d, and compiles the little C that stands between them and us.
//!
//! Their structs change from version to version. C compiled against the headers that are installed
//! always fits the library that is installed; generated Rust fits only the versions it was made for.
//!
//! Where the archive of a library is installed beside its headers, it becomes part of the program.
//! Otherwise libvpx is needed wherever the program runs, and libdav1d is looked for when the first
//! AV1 comes.

use std::path::{Path, PathBuf};

use pkg_config::{Config, Error, Library};

fn main() -> Result<(), Error> {
    let vpx = probe("vpx", "1.8")?;
    let dav1d = probe("dav1d", "1.0")?;
    let mut shim = cc::Build::new();
    shim.warnings(true).extra_warnings(true).includes(&vpx.include_paths).includes(&dav1d.include_paths);
    for source in ["shim/vpx.c", "shim/dav1d.c"] {
        shim.file(source);
        println!("cargo::rerun-if-changed={source}");
    }
    println!("cargo::rerun-if-changed=shim/picture.h");
    let has_dav1d = archive("dav1d", &dav1d).is_some();
    if !has_dav1d {
        shim.define("MADANG_LOAD_DAV1D", None);
    }
    shim.compile("madang_codec_shim");
    // Behind the shim, which needs them.
    if has_dav1d {
        link("dav1d", &dav1d);
    }
    link("vpx", &vpx);
    Ok(())
}

fn probe(library: &str, oldest: &str) -> Result<Library, Error> {
    Config::new().atleast_version(oldest).cargo_metadata(false).probe(library)
}

/// The folder with the library's archive, if it is installed: beside what `pkg-config` names, or
/// wherever the C compiler looks.
fn archive(name: &str, library: &Library) -> Option<PathBuf> {
    let file = format!("lib{name}.a");
    let mut compiler = cc::Build::new().get_compiler().to_command();
    let answer = compiler.arg(format!("-print-file-name={file}")).output().ok();
    let found =
        answer.and_then(|answer| PathBuf::from(String::from_utf8(answer.stdout).ok()?.trim()).canonicalize().ok());
    let beside = found.and_then(|path| path.parent().map(Path::to_owned));
    library.link_paths.iter().cloned().chain(beside).find(|folder| folder.join(&file).is_file())
}

fn link(name: &str, library: &Library) {
    for path in &library.link_paths {
        println!("cargo::rustc-link-search=native={}", path.display());
    }
    let statically =
        archive(name, library).inspect(|folder| println!("cargo::rustc-link-search=native={}", folder.display()));
    for library in &library.libs {
        let kind = if library == name && statically.is_some() { "static" } else { "dylib" };
        println!("cargo::rustc-link-lib={kind}={library}");
    }
}
