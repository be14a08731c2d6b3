//! A non-blocking UDP socket with the options that media needs.

use std::{
    io,
    net::SocketAddr,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
};

use socket2::{Domain, Protocol, Socket, Type};

/// So many messages that the kernel would not cut, none that it would in between, and it is not
/// asked again.
const REFUSALS: u32 = 8;

/// How to open a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// SO_REUSEPORT: other sockets of this user may share the address.
    pub reuse_port: bool,
    /// SO_RCVBUF in bytes; the kernel may grant less. 0 leaves the system's default.
    pub receive_buffer: usize,
    /// SO_SNDBUF in bytes; the kernel may grant less. 0 leaves the system's default.
    pub send_buffer: usize,
    /// UDP_GRO: the kernel may merge datagrams of one sender that arrive together.
    pub gro: bool,
    /// UDP_SEGMENT: runs of equal size are handed to the kernel as one message.
    pub gso: bool,
    /// SO_TIMESTAMPNS: each datagram tells when the kernel took it in.
    pub timestamps: bool,
    /// IP_RECVERR: what could not be delivered is told, see [`UdpSocket::take_error`].
    pub errors: bool,
    /// IP_PMTUDISC_DONT: what is too long for the path is cut into fragments on its way.
    pub fragments: bool,
}

impl Default for Options {
    /// Buffers for a burst of some thousand packets; merging both ways.
    fn default() -> Self {
        Self {
            reuse_port: false,
            receive_buffer: 4 << 20,
            send_buffer: 4 << 20,
            gro: true,
            gso: true,
            timestamps: false,
            errors: false,
            fragments: false,
        }
    }
}

/// A non-blocking UDP socket on one local address.
#[derive(Debug)]
pub struct UdpSocket {
    socket: Socket,
    local: SocketAddr,
    gro: bool,
    errors: bool,
    gso: AtomicBool,
    /// Merged messages refused since the last that wasn't.
    refusals: AtomicU32,
}

impl UdpSocket {
    /// Opens a socket on `address`; port 0 takes a free one. IPv6 sockets are of IPv6 alone.
    ///
    /// What the kernel does not have of `options` is left out; only a refused address, or no more
    /// file descriptors, is an error.
    pub fn bind(address: SocketAddr, options: Options) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        if options.reuse_port {
            socket.set_reuse_port(true)?;
        }
        socket.set_nonblocking(true)?;
        grant_buffers(&socket, options);
        socket.bind(&address.into())?;
        let local = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        if options.timestamps {
            set_option(&socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
        }
        let gro = options.gro && set_option(&socket, libc::SOL_UDP, libc::UDP_GRO, 1).is_ok();
        // A kernel without UDP_SEGMENT would ignore the control message and send one huge
        // datagram; setting no default size asks whether it knows the option at all.
        let gso = options.gso && set_option(&socket, libc::SOL_UDP, libc::UDP_SEGMENT, 0).is_ok();
        let errors = options.errors && set_ip_option(&socket, local, libc::IP_RECVERR, libc::IPV6_RECVERR, 1).is_ok();
        let socket = Self { socket, local, gro, errors, gso: AtomicBool::new(gso), refusals: AtomicU32::new(0) };
        if options.fragments {
            let _ = socket.set_dont_fragment(false);
        }
        Ok(socket)
    }

    /// Where it is bound.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Whether the kernel may merge what arrives.
    pub fn merges_received(&self) -> bool {
        self.gro
    }

    /// Whether runs of packets are sent as one message. Ends for good when the kernel refuses.
    pub fn merges_sent(&self) -> bool {
        self.gso.load(Relaxed)
    }

    /// Whether errors of packets that were sent can be taken.
    pub fn tells_errors(&self) -> bool {
        self.errors
    }

    /// Whether routers may cut what is sent from now on into fragments (RFC 791 "DF", RFC 8200 §5).
    pub fn set_dont_fragment(&self, dont: bool) -> io::Result<()> {
        let value = if dont { libc::IP_PMTUDISC_DO } else { libc::IP_PMTUDISC_DONT };
        set_ip_option(&self.socket, self.local, libc::IP_MTU_DISCOVER, libc::IPV6_MTU_DISCOVER, value)
    }

    /// The size of the receive buffer that the kernel granted, in bytes of its own accounting.
    pub fn receive_buffer(&self) -> io::Result<usize> {
        self.socket.recv_buffer_size()
    }

    pub(crate) fn merged_was_sent(&self) {
        if self.refusals.load(Relaxed) > 0 {
            self.refusals.store(0, Relaxed);
        }
    }

    /// EIO says that the way out has no checksum offload, so it never works. Other errors may be one
    /// destination's, whose path is too narrow for the segment.
    pub(crate) fn merged_was_refused(&self, errno: i32) {
        let refusals = self.refusals.fetch_add(1, Relaxed) + 1;
        if errno == libc::EIO || refusals >= REFUSALS {
            self.gso.store(false, Relaxed);
        }
    }
}

impl AsFd for UdpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for UdpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// Who may (CAP_NET_ADMIN) goes past the system's limits. Smaller buffers than wished for lose
/// packets under load, which is no reason not to start.
fn grant_buffers(socket: &Socket, options: Options) {
    let wished = |bytes: usize| libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    if options.receive_buffer > 0
        && set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, wished(options.receive_buffer)).is_err()
    {
        let _ = socket.set_recv_buffer_size(options.receive_buffer);
    }
    if options.send_buffer > 0
        && set_option(socket, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, wished(options.send_buffer)).is_err()
    {
        let _ = socket.set_send_buffer_size(options.send_buffer);
    }
}

/// An option that both families have, each under its own number.
fn set_ip_option(socket: &impl AsRawFd, local: SocketAddr, v4: i32, v6: i32, value: libc::c_int) -> io::Result<()> {
    match local {
        SocketAddr::V4(_) => set_option(socket, libc::SOL_IP, v4, value),
        SocketAddr::V6(_) => set_option(socket, libc::SOL_IPV6, v6, value),
    }
}

pub(crate) fn set_option(socket: &impl AsRawFd, level: i32, name: i32, value: libc::c_int) -> io::Result<()> {
    let length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: `value` is an int that lives through the call, and `length` is its size.
    let done = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), length) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_socket_knows_its_address_and_grants_what_it_may() {
        for text in ["127.0.0.1:0", "[::1]:0"] {
            let socket = UdpSocket::bind(address(text), Options { receive_buffer: 64 << 10, ..Options::default() });
            let socket = socket.expect("loopback");
            assert_eq!(socket.local_addr().ip(), address(text).ip());
            assert_ne!(socket.local_addr().port(), 0);
            assert!(socket.receive_buffer().expect("a size") >= 64 << 10);
        }
    }

    #[test]
    fn an_address_is_shared_only_by_those_who_say_so() {
        let shared = Options { reuse_port: true, ..Options::default() };
        let first = UdpSocket::bind(address("127.0.0.1:0"), shared).expect("loopback");
        UdpSocket::bind(first.local_addr(), shared).expect("shared");
        let alone = UdpSocket::bind(first.local_addr(), Options::default());
        assert_eq!(alone.expect_err("taken").kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn ipv6_leaves_ipv4_of_the_same_port_free() {
        let six = UdpSocket::bind(address("[::]:0"), Options::default()).expect("any address");
        let four = SocketAddr::new(address("0.0.0.0:0").ip(), six.local_addr().port());
        UdpSocket::bind(four, Options::default()).expect("its own family");
    }

    #[test]
    fn merging_is_off_where_it_is_not_wanted() {
        let options = Options { gro: false, gso: false, ..Options::default() };
        let socket = UdpSocket::bind(address("127.0.0.1:0"), options).expect("loopback");
        assert!(!socket.merges_received() && !socket.merges_sent());
    }

    #[test]
    fn merging_ends_at_once_without_offload_and_else_after_refusals_in_a_row() {
        let open = || UdpSocket::bind(address("127.0.0.1:0"), Options::default()).expect("loopback");
        let socket = open();
        socket.merged_was_refused(libc::EIO);
        assert!(!socket.merges_sent());

        let socket = open();
        if !socket.merges_sent() {
            return; // This kernel has none.
        }
        for _ in 0..3 * REFUSALS {
            socket.merged_was_refused(libc::EINVAL);
            socket.merged_was_sent();
        }
        assert!(socket.merges_sent());
        (0..REFUSALS).for_each(|_| socket.merged_was_refused(libc::EINVAL));
        assert!(!socket.merges_sent());
    }
}
