//! Socket addresses as the kernel lays them out: ip(7), ipv6(7).

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Room for either family's address: `sockaddr_in6` is the larger.
const ROOM: usize = size_of::<libc::sockaddr_in6>();
const V4: usize = size_of::<libc::sockaddr_in>();

/// A `sockaddr_in` or `sockaddr_in6`, byte by byte, aligned as they are.
#[repr(C, align(4))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawAddress([u8; ROOM]);

impl RawAddress {
    pub(crate) const EMPTY: Self = Self([0; ROOM]);
    /// Of an empty one, for the kernel to fill.
    pub(crate) const ROOM: libc::socklen_t = ROOM as libc::socklen_t;

    /// How many bytes of its `RawAddress` count.
    pub(crate) fn length(address: SocketAddr) -> libc::socklen_t {
        if address.is_ipv4() { V4 as libc::socklen_t } else { Self::ROOM }
    }

    pub(crate) fn new(address: SocketAddr) -> Self {
        let mut raw = Self::EMPTY;
        raw.0[2..4].copy_from_slice(&address.port().to_be_bytes());
        match address {
            SocketAddr::V4(v4) => {
                raw.0[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
                raw.0[4..8].copy_from_slice(&v4.ip().octets());
            }
            SocketAddr::V6(v6) => {
                raw.0[..2].copy_from_slice(&(libc::AF_INET6 as u16).to_ne_bytes());
                raw.0[4..8].copy_from_slice(&v6.flowinfo().to_be_bytes());
                raw.0[8..24].copy_from_slice(&v6.ip().octets());
                raw.0[24..28].copy_from_slice(&v6.scope_id().to_ne_bytes());
            }
        }
        raw
    }

    /// `None` for what is neither IPv4 nor IPv6.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        let port = u16::from_be_bytes(self.bytes(2));
        match libc::c_int::from(u16::from_ne_bytes(self.bytes(0))) {
            libc::AF_INET => Some(SocketAddrV4::new(Ipv4Addr::from(self.bytes::<4>(4)), port).into()),
            libc::AF_INET6 => {
                let flow = u32::from_be_bytes(self.bytes(4));
                let scope = u32::from_ne_bytes(self.bytes(24));
                Some(SocketAddrV6::new(Ipv6Addr::from(self.bytes::<16>(8)), port, flow, scope).into())
            }
            _ => None,
        }
    }

    fn bytes<const N: usize>(&self, from: usize) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.0[from..from + N]);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_survives_the_kernels_layout() {
        for text in ["192.0.2.1:9", "0.0.0.0:0", "[2001:db8::7]:65535", "[fe80::1%3]:5000"] {
            let address: SocketAddr = text.parse().expect("an address");
            assert_eq!(RawAddress::new(address).address(), Some(address));
            assert_eq!(RawAddress::length(address), if address.is_ipv4() { 16 } else { 28 });
        }
        assert_eq!(RawAddress::EMPTY.address(), None);
    }

    #[test]
    fn the_layout_is_that_of_the_c_structures() {
        assert_eq!(align_of::<RawAddress>(), align_of::<libc::sockaddr_in6>());
        assert_eq!(std::mem::offset_of!(libc::sockaddr_in, sin_port), 2);
        assert_eq!(std::mem::offset_of!(libc::sockaddr_in, sin_addr), 4);
        assert_eq!(std::mem::offset_of!(libc::sockaddr_in6, sin6_flowinfo), 4);
        assert_eq!(std::mem::offset_of!(libc::sockaddr_in6, sin6_addr), 8);
        assert_eq!(std::mem::offset_of!(libc::sockaddr_in6, sin6_scope_id), 24);
    }
}
