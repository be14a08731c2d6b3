//! A simulated network in virtual time, and a laboratory of NATs, for tests.
//!
//! A [`Network`] joins addresses by links, each with a rate, a queue, delay, jitter, loss,
//! reordering and duplication. It is sans-IO as what it joins is: give it packets by
//! [`Network::send`], take those that arrive by [`Network::poll`], and let time jump to
//! [`Network::timeout`]. All chance comes from a seed, so that a run can be repeated: see
//! [`seeds`].
//!
//! [`nat`] has the nine kinds of NAT that RFC 4787 tells apart. They stand in a [`World`], which is
//! such a network, or translate real packets: a [`Router`] does that, the program `natlab` runs one
//! between two interfaces, and a `yard::Yard` builds networks of namespaces around it, and around
//! the kernel's own NAT.

pub mod ipv4;
mod link;
mod loss;
pub mod matrix;
pub mod nat;
mod network;
mod router;
mod seed;
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub mod tun;
mod world;
#[cfg(target_os = "linux")]
pub mod yard;

pub use link::{Fate, Link, LinkConfig, LinkCounters};
pub use loss::Loss;
pub use network::{Delivery, Network};
pub use router::{Router, Side};
pub use seed::seeds;
pub use world::{Datagram, Node, World};
