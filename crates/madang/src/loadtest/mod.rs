//! `madang loadtest`: load from this very program, and what it cost the server.

mod cpu;
mod floor;
mod forward;
mod histogram;
mod mix;
mod participant;
mod process;
mod report;
mod room;
mod server;
mod signal;
mod soak;
mod turn;

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
    /// People come and go at random for minutes; then memory and open files have to be what they were.
    Soak(soak::Options),
    /// TURN: what a relayed packet costs the server, at a steady load; memory of idle allocations.
    Turn(turn::Options),
    /// The mixer: files into one picture, as fast as it can, and what that took.
    Mix(mix::Options),
    /// The bare forwarder of `turn --bare`, in a process of its own.
    #[command(hide = true)]
    TurnForwarder(turn::ForwarderOptions),
    /// What a server that forwards media takes for each packet; `make bench ONLY=sfu` uses it.
    #[command(hide = true)]
    Forward(forward::Options),
    /// What the kernel alone takes to send as many packets; `make bench ONLY=sfu` uses it.
    #[command(hide = true)]
    Floor(floor::Options),
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    crate::limits::raise_open_files();
    match &options.what {
        What::Signal(options) => run_async(signal::run(options)),
        What::Room(options) => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            room::run(options, &runtime)?;
            // Thousands of sockets need no goodbye each.
            runtime.shutdown_background();
            Ok(())
        }
        What::Soak(options) => {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
            soak::run(options, &runtime)
        }
        What::Turn(options) => turn::run(options),
        What::Mix(options) => mix::run(options),
        What::TurnForwarder(options) => turn::forward(options),
        What::Forward(options) => forward::run(options),
        What::Floor(options) => floor::run(options),
    }
}

fn run_async(load: impl Future<Output = Result<(), Box<dyn Error>>>) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(load)?;
    // Thousands of sockets need no goodbye each.
    runtime.shutdown_background();
    Ok(())
}
