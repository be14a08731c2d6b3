//! Writes the moving picture of the tests as YUV4MPEG2, of which tests/fixtures were made.
use std::io::{Result, Write, stdout};

#[path = "../tests/common/mod.rs"]
mod common;

fn main() -> Result<()> {
    const SIZE: (usize, usize) = (176, 96);
    let mut out = stdout().lock();
    writeln!(out, "YUV4MPEG2 W{} H{} F30:1 Ip A1:1 C420jpeg", SIZE.0, SIZE.1)?;
    for at in 0..16 {
        let picture = common::moving(SIZE.0, SIZE.1, at);
        writeln!(out, "FRAME")?;
        (0..3).try_for_each(|plane| out.write_all(picture.plane(plane)))?;
    }
    Ok(())
}
