//! What became of packets that were sent: ICMP errors, as ip(7) `IP_RECVERR` tells them.

use std::{io, net::SocketAddr, os::fd::AsRawFd};

use crate::{UdpSocket, address::RawAddress, control::ErrorControl};

/// `SO_EE_ORIGIN_LOCAL`: the kernel itself would not send it.
const LOCAL: u8 = 1;

/// A packet did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// To whom it was sent.
    pub to: SocketAddr,
    /// The type of the ICMP or ICMPv6 message; of "destination unreachable" and "packet too big"
    /// where the kernel itself found the packet too long for the path.
    pub kind: u8,
    /// Its code.
    pub code: u8,
    /// The next hop's MTU in bytes where that is the reason, else 0.
    pub mtu: u32,
}

/// What the kernel's `struct sock_extended_err` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extended {
    pub(crate) errno: u32,
    pub(crate) origin: u8,
    pub(crate) kind: u8,
    pub(crate) code: u8,
    pub(crate) info: u32,
}

impl Extended {
    fn about(self, to: SocketAddr) -> Undelivered {
        let is_too_big = self.errno == libc::EMSGSIZE as u32;
        let (kind, code) = match (self.origin, to) {
            // RFC 792 and RFC 1191: fragmentation needed. RFC 4443 §3.2: packet too big.
            (LOCAL, SocketAddr::V4(_)) => (3, 4),
            (LOCAL, SocketAddr::V6(_)) => (2, 0),
            _ => (self.kind, self.code),
        };
        Undelivered { to, kind, code, mtu: if is_too_big { self.info } else { 0 } }
    }
}

impl UdpSocket {
    /// The oldest error that was not taken yet; `None` when there is none. Only a socket opened
    /// with [`Options::errors`](crate::Options::errors) has any.
    pub fn take_error(&self) -> Option<Undelivered> {
        let mut address = RawAddress::EMPTY;
        let mut control = ErrorControl::EMPTY;
        loop {
            // SAFETY: integers and pointers only, for all of which zero is a value.
            let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
            header.msg_name = (&raw mut address).cast();
            header.msg_namelen = RawAddress::ROOM;
            header.msg_control = control.as_mut_ptr().cast();
            header.msg_controllen = ErrorControl::LENGTH as _;
            // SAFETY: the header points to an address and a control buffer with their sizes, which
            // live through the call; it has no vectors, so no data is written.
            let received = unsafe { libc::recvmsg(self.as_raw_fd(), &raw mut header, libc::MSG_ERRQUEUE) };
            if received < 0 {
                match io::Error::last_os_error().kind() {
                    io::ErrorKind::Interrupted => continue,
                    _ => return None,
                }
            }
            #[allow(clippy::useless_conversion)] // Its type differs between C libraries.
            let length = usize::try_from(header.msg_controllen).unwrap_or(0);
            if let (Some(to), Some(said)) = (address.address(), control.parse(length)) {
                return Some(said.about(to));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Options, SendBatch};

    fn open(errors: bool) -> UdpSocket {
        let options = Options { errors, ..Options::default() };
        UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)), options).expect("loopback")
    }

    /// Sends to a port that nobody has.
    fn send_into_the_void(socket: &UdpSocket) -> SocketAddr {
        let gone = open(false).local_addr();
        let mut batch = SendBatch::new(0, 1);
        batch.push(gone, &[b"anybody there?"]).expect("room");
        assert_eq!(batch.flush(socket).packets, 1);
        std::thread::sleep(Duration::from_millis(50));
        gone
    }

    #[test]
    fn a_port_that_nobody_has_is_told_once_and_by_name() {
        let socket = open(true);
        let gone = send_into_the_void(&socket);
        // RFC 792: destination unreachable, port unreachable.
        assert_eq!(socket.take_error(), Some(Undelivered { to: gone, kind: 3, code: 3, mtu: 0 }));
        assert_eq!(socket.take_error(), None);
    }

    #[test]
    fn an_error_of_one_packet_loses_none_to_others() {
        let socket = open(true);
        send_into_the_void(&socket);
        let other = open(false);
        let mut batch = SendBatch::new(0, 2);
        batch.push(other.local_addr(), &[b"one"]).expect("room");
        batch.push(other.local_addr(), &[b"other"]).expect("room");
        let sent = batch.flush(&socket);
        assert_eq!((sent.packets, sent.dropped), (2, 0));
    }

    #[test]
    fn who_does_not_ask_is_told_nothing() {
        let socket = open(false);
        send_into_the_void(&socket);
        assert_eq!(socket.take_error(), None);
    }

    #[test]
    fn what_is_too_long_for_the_path_names_the_mtu() {
        let to = SocketAddr::from(([192, 0, 2, 1], 1));
        let said = Extended { errno: libc::EMSGSIZE as u32, origin: LOCAL, kind: 0, code: 0, info: 1400 };
        assert_eq!(said.about(to), Undelivered { to, kind: 3, code: 4, mtu: 1400 });
        let to = SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 1));
        assert_eq!(said.about(to), Undelivered { to, kind: 2, code: 0, mtu: 1400 });
    }
}
