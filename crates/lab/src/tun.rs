//! A TUN interface: IP packets of one network namespace as a file.

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::OpenOptionsExt,
    },
};

use rustix::{
    fs::OFlags,
    ioctl::{Opcode, Setter, ioctl, opcode},
};

/// `struct ifreq` of netdevice(7), with the member that TUNSETIFF reads.
#[repr(C)]
struct Request {
    name: [u8; 16],
    flags: i16,
    rest: [u8; 22],
}

/// Packets as they are, without a header of the kernel's before them.
const IFF_TUN_NO_PI: i16 = 0x1001;
const TUNSETIFF: Opcode = opcode::write::<i32>(b'T', 202);

/// An interface that is there as long as this is. It may be moved to another network namespace.
#[derive(Debug)]
pub struct Tun {
    file: File,
}

impl Tun {
    /// Makes an interface of that name, of 15 bytes at most, in this process's network namespace.
    ///
    /// # Errors
    /// The name is too long or taken, or this process may not do that.
    pub fn create(name: &str) -> io::Result<Self> {
        let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
        let file = OpenOptions::new().read(true).write(true).custom_flags(nonblocking).open("/dev/net/tun")?;
        let mut request = Request { name: [0; 16], flags: IFF_TUN_NO_PI, rest: [0; 22] };
        if name.len() >= request.name.len() {
            return Err(io::Error::new(ErrorKind::InvalidInput, format!("{name:?} is too long for an interface")));
        }
        request.name[..name.len()].copy_from_slice(name.as_bytes());
        // SAFETY: TUNSETIFF reads and writes a `struct ifreq`, which `Request` is in size and
        // layout; it lives until the call returns, and the kernel keeps no pointer to it.
        unsafe { ioctl(&file, Setter::<TUNSETIFF, Request>::new(request)) }?;
        Ok(Self { file })
    }

    /// The next packet that the kernel sends by this interface; `None` when there is none now.
    ///
    /// # Errors
    /// The interface is gone.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match (&self.file).read(buffer) {
            Ok(length) => Ok(Some(length)),
            Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
            Err(why) => Err(why),
        }
    }

    /// Gives the kernel a packet, as if it came by this interface.
    ///
    /// # Errors
    /// The interface is gone or down, or the kernel wants no such packet.
    pub fn send(&self, packet: &[u8]) -> io::Result<()> {
        (&self.file).write(packet).map(|_| ())
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
