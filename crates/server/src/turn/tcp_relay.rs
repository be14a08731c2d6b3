//! The sockets of TCP relays: one that listens, and connections from the same address.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpSocket, TcpStream};

/// Peers' connections that wait until they are accepted.
const BACKLOG: i32 = 64;

/// A relay that listens.
pub(crate) struct TcpRelay {
    pub(crate) listener: TcpListener,
    /// What peers are told.
    pub(crate) relayed: SocketAddr,
}

/// Listens on an address that nobody else listens on.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of an earlier relay that the kernel still remembers don't hold the port.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    // For the connections that go out from this address. Only now: set before, a relay of another
    // shard could listen on the same port, and get some of this one's peers.
    socket.set_reuse_port(true)?;
    Ok(socket.into())
}

/// Connects from a relay's address: RFC 6062 §5.2.
pub(crate) async fn connect(from: SocketAddr, peer: SocketAddr) -> io::Result<TcpStream> {
    let socket = if from.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(from)?;
    socket.connect(peer).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_relay_holds_its_port_and_connects_from_it() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let address = free.expect("a free port");
        let relay = listen(address).expect("it is free");
        let second = listen(address).map_err(|why| why.kind());
        assert_eq!(second.err(), Some(io::ErrorKind::AddrInUse));
        let peers = ["127.0.0.1:0"; 2].map(|any| std::net::TcpListener::bind(any).expect("a free port"));
        for peer in &peers {
            let to = peer.local_addr().expect("bound");
            let _connected = connect(address, to).await.expect("the peer listens");
            assert_eq!(peer.accept().map(|(_, from)| from).ok(), Some(address));
        }
        assert!(listen(address).is_err(), "after connections too");
        drop(relay);
        listen(address).expect("free again, whatever the kernel remembers");
    }
}
