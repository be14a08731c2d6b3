//! `madang loadtest`: load from this very program, and what it cost the server.

mod histogram;
mod participant;
mod process;
mod report;
mod room;
mod server;
mod signal;

use std::error::Error;

use clap::{Args, Subcommand};

#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Signaling: memory of idle participants, then the delay of relayed messages.
    Signal(signal::Options),
    /// Media: rooms of people who publish and watch, and how well every stream arrives.
    Room(room::Options),
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    crate::limits::raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match &options.what {
        What::Signal(options) => runtime.block_on(signal::run(options))?,
        What::Room(options) => room::run(options, &runtime)?,
    }
    // Thousands of sockets need no goodbye each.
    runtime.shutdown_background();
    Ok(())
}
