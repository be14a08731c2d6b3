//! Finds libvpx and libdav1d, and compiles the little C that stands between them and us.
//!
//! Their structs change from version to version. C compiled against the headers that are installed
//! always fits the library that is installed; generated Rust fits only the versions it was made for.

fn main() -> Result<(), pkg_config::Error> {
    let mut shim = cc::Build::new();
    shim.warnings(true).extra_warnings(true);
    for (library, oldest, source) in [("vpx", "1.8", "shim/vpx.c"), ("dav1d", "1.0", "shim/dav1d.c")] {
        let found = pkg_config::Config::new().atleast_version(oldest).probe(library)?;
        shim.includes(found.include_paths).file(source);
        println!("cargo::rerun-if-changed={source}");
    }
    println!("cargo::rerun-if-changed=shim/picture.h");
    shim.compile("madang_codec_shim");
    Ok(())
}
