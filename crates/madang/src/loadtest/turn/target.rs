//! A bare forwarder under the same load as a server.

use std::{
    collections::BTreeSet,
    error::Error,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use madang_udp::UdpSocket;

use super::{
    Direction, Options, Ready,
    flow::{Flow, Load, Sink},
};

/// The forwarder's process.
pub(super) struct Bare(Child);

impl Drop for Bare {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The flows of `options`, by way of a forwarder that has one socket for all.
pub(super) fn bare(options: &Options) -> Result<Ready, Box<dyn Error>> {
    let open = || UdpSocket::bind(options.local(), options.sockets());
    let mut sockets = (0..options.allocations).map(|_| open()).collect::<Result<Vec<_>, _>>()?;
    let clients: Vec<SocketAddr> = sockets.iter().map(UdpSocket::local_addr).collect();
    let peer = open()?;
    let (peer_address, last) = (peer.local_addr(), sockets.len());
    sockets.push(peer);
    let (unframe, frame) = match options.direction {
        Direction::ClientToPeer => (true, false),
        Direction::PeerToClient => (false, true),
        Direction::ClientToClient => (true, true),
    };
    let to = (0..clients.len()).map(|index| match options.direction {
        Direction::ClientToPeer => peer_address,
        Direction::PeerToClient => clients[index],
        Direction::ClientToClient => clients[index ^ 1],
    });
    let (bare, server) = start(options, to, unframe, frame)?;
    let sender = |index| if options.direction == Direction::PeerToClient { last } else { index };
    let channel = unframe.then_some([0x40, 0]);
    let flows = (0..clients.len()).map(|index| Flow { socket: sender(index), to: server, channel }).collect();
    let sinks = match options.direction {
        Direction::ClientToPeer => vec![Sink { socket: last, framed: false }],
        _ => (0..clients.len()).map(|socket| Sink { socket, framed: true }).collect(),
    };
    Ok(Ready {
        load: Load::new(sockets, flows, sinks, options.pace()),
        pid: Some(bare.0.id()),
        server_ports: BTreeSet::from([server.port()]),
        _bare: Some(bare),
    })
}

fn start(
    options: &Options,
    to: impl Iterator<Item = SocketAddr>,
    unframe: bool,
    frame: bool,
) -> Result<(Bare, SocketAddr), Box<dyn Error>> {
    let to: Vec<String> = to.map(|to| to.to_string()).collect();
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["loadtest", "turn-forwarder", "--listen", &options.local().to_string(), "--to", &to.join(",")]);
    command.args(unframe.then_some("--unframe")).args(frame.then_some("--frame"));
    if let Some(core) = options.server_core {
        command.args(["--core", &core.to_string()]);
    }
    let mut bare = Bare(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?);
    let output = bare.0.stdout.take().ok_or("the forwarder has no output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let server = line.trim().strip_prefix("ready ").ok_or("the forwarder did not start")?;
    Ok((bare, server.parse()?))
}
