//! The NAT that this machine is behind: two sockets for the discovery core.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use madang_client::relay::discovery::{Config, Discovery, Input, Output, Report, Socket};

use super::connection::unspecified;

/// Requests before the server is given up: the last leaves after 3.5 s.
const SENDS: u32 = 4;
/// Two sockets are waited for in turn.
const SLICE: Duration = Duration::from_millis(5);

/// Asks a STUN server. Takes up to five seconds where there is no answer, and as long again where
/// the NAT lets nobody in.
pub(super) fn discover(server: SocketAddr) -> io::Result<Report> {
    let sockets = [UdpSocket::bind(unspecified(server))?, UdpSocket::bind(unspecified(server))?];
    for socket in &sockets {
        socket.set_read_timeout(Some(SLICE))?;
    }
    let local = SocketAddr::new(local_address(server)?.ip(), sockets[0].local_addr()?.port());
    let config = Config { server, local: Some(local), sends: SENDS, seed: rand::random() };
    let mut discovery = Discovery::new(config);
    discovery.handle_input(Instant::now(), Input::Timeout);
    let mut buffer = [0; 2048];
    loop {
        let timeout = match discovery.poll_output() {
            Output::Done(report) => return Ok(report),
            Output::Transmit { by, to, data } => {
                // One that can't be sent is one that was lost.
                let _ = sockets[usize::from(by == Socket::Second)].send_to(&data, to);
                continue;
            }
            Output::Timeout(at) => at,
        };
        for (socket, at) in sockets.iter().zip([Socket::First, Socket::Second]) {
            if let Ok((length, from)) = socket.recv_from(&mut buffer) {
                discovery.handle_input(Instant::now(), Input::Packet { at, from, data: &buffer[..length] });
            }
        }
        let now = Instant::now();
        if timeout.is_some_and(|at| at <= now) {
            discovery.handle_input(now, Input::Timeout);
        }
    }
}

/// The address with which this machine sends to a server.
fn local_address(server: SocketAddr) -> io::Result<SocketAddr> {
    let socket = UdpSocket::bind(unspecified(server))?;
    socket.connect(server)?;
    socket.local_addr()
}
