//! Opening the sockets that clients reach.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use madang_udp::{Options, UdpSocket};
use socket2::{Domain, Protocol, Socket, Type};

/// What a burst of media may need while the shard is busy elsewhere. The kernel may grant less.
const LISTENER_BUFFER: usize = 4 << 20;

/// UDP and TCP on the same port, as browsers expect of one `turn:` address.
#[derive(Debug)]
pub(super) struct Pair {
    /// One for each shard, among which the kernel divides the clients.
    pub(super) udp: Vec<UdpSocket>,
    pub(super) tcp: TcpListener,
    pub(super) address: SocketAddr,
}

/// How often port 0 is tried until the port that TCP got is free for UDP too.
const TRIES: usize = 16;

/// Opens both; port 0 takes a port that is free for both.
pub(super) fn open_pair(address: SocketAddr, shards: usize) -> io::Result<Pair> {
    let tries = if address.port() == 0 { TRIES } else { 1 };
    let mut failure = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..tries {
        let tcp = open_tcp(address)?;
        let address = tcp.local_addr()?;
        match open_udp(address, shards) {
            Ok(udp) => return Ok(Pair { udp, tcp, address }),
            Err(why) => failure = why,
        }
    }
    Err(failure)
}

/// As many sockets as there are shards, all on one address.
pub(super) fn open_udp(address: SocketAddr, shards: usize) -> io::Result<Vec<UdpSocket>> {
    let options = Options {
        receive_buffer: LISTENER_BUFFER,
        send_buffer: LISTENER_BUFFER,
        reuse_port: shards > 1,
        ..Options::default()
    };
    (0..shards).map(|_| UdpSocket::bind(address, options)).collect()
}

/// Opens a TCP listener.
pub(crate) fn open_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A restart must not wait for connections of the last process to be forgotten.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    Ok(socket.into())
}
