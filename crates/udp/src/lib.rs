//! Batches of datagrams: the system calls of the data plane. All of its `unsafe` lives here.
//!
//! - [`UdpSocket`] is opened non-blocking with the options that media needs, and registers with
//!   any poller by its file descriptor.
//! - [`ReceiveBatch`] takes many datagrams by one `recvmmsg`, each of which may be a run of
//!   datagrams that the kernel merged (UDP_GRO), and leaves room in front of them.
//! - [`SendBatch`] copies packets into one arena, gathers those of one destination, and sends all
//!   by few `sendmmsg` calls, runs of equal size as one message (UDP_SEGMENT).
//!
//! Linux (udp(7), recvmmsg(2), sendmmsg(2)). Nothing here allocates per packet.

mod address;
mod control;
mod errors;
mod index;
mod receive;
mod send;
mod socket;

pub use errors::Undelivered;
pub use receive::{Datagram, Datagrams, Place, ReceiveBatch};
pub use send::{Full, SendBatch, Sent};
pub use socket::{Options, UdpSocket};

/// The most bytes that one datagram carries, over IPv4: 65 535 less the headers of IP (20) and UDP (8).
pub const LARGEST_DATAGRAM: usize = 65_507;
