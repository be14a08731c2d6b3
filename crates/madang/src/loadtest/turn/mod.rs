//! `madang loadtest turn`: what a TURN server takes for each packet that it relays.

mod flow;
mod forwarder;
mod idle;
mod place;
mod report;
mod rig;

use std::{error::Error, net::SocketAddr};

use clap::{Args, ValueEnum};
use madang_server::config::Span;
use serde::Serialize;

use super::cpu;

#[derive(Args)]
pub(crate) struct Options {
    /// The server, over UDP. Without one, a server is started on a free port of 127.0.0.1.
    #[arg(long)]
    server: Option<SocketAddr>,
    /// The process of that server, to read its processor time and memory.
    #[arg(long, requires = "server")]
    pid: Option<u32>,
    /// A user of the server.
    #[arg(long, default_value = "load")]
    username: String,
    /// Their password.
    #[arg(long, default_value = "load")]
    password: String,
    /// Which way data goes.
    #[arg(long, value_enum, default_value = "client-to-peer")]
    direction: Direction,
    /// Allocations. Between clients: pairs of them.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    allocations: u32,
    /// Bytes of application data in each packet.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(16..=8000))]
    size: u16,
    /// Packets a second, of all allocations together.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Packets that one flow sends at once, before it is the next one's turn.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=512))]
    burst: u32,
    /// Packets that senders hand to the kernel as one message (UDP_SEGMENT); 1 for single ones.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    gso: u32,
    /// How long it is measured, after a tenth of it to warm up.
    #[arg(long, default_value = "5s")]
    time: Span,
    /// The core of the load; of a server that is started here, the other one.
    #[arg(long)]
    core: Option<usize>,
    /// The core that the server is on.
    #[arg(long)]
    server_core: Option<usize>,
    /// So many allocations that do nothing, instead: what they take of memory.
    #[arg(long, conflicts_with_all = ["allocations", "rate", "burst", "gso", "size", "direction", "forwarder"])]
    idle: Option<u32>,
    /// A bare forwarder in place of a server: the limit of what a server can reach.
    #[arg(long, conflicts_with_all = ["server", "pid", "idle"])]
    forwarder: bool,
    /// Prints the result as a line of JSON.
    #[arg(long)]
    json: bool,
    /// Leaves out the heading of the table.
    #[arg(long)]
    bare: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Direction {
    /// Clients send to one peer.
    ClientToPeer,
    /// One peer sends to the clients.
    PeerToClient,
    /// Half of the clients send to the other half: both ends are relayed.
    ClientToClient,
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    if let Some(count) = options.idle {
        return idle::run(options, count);
    }
    let row = if options.forwarder { forwarder::measure(options)? } else { measure(options)? };
    if options.json {
        println!("{}", serde_json::to_string(&row)?);
    } else {
        if !options.bare {
            println!("{}", report::HEADING);
        }
        println!("{row}");
    }
    Ok(())
}

fn measure(options: &Options) -> Result<report::Row, Box<dyn Error>> {
    let place = place::Place::find(options)?;
    if let Some(core) = options.core {
        cpu::pin(core)?;
    }
    let rig = rig::Rig::build(options, place.address)?;
    let outcome = flow::run(options, rig.flows, place.pid.map(|pid| (pid, options.server_core)))?;
    Ok(report::Row::new(options, "server", &outcome))
}
