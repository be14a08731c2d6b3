//! A simulated network in virtual time, and a laboratory of NATs, for tests.
//!
//! A [`Network`] joins addresses by links, each with a rate, a queue, delay, jitter, loss,
//! reordering and duplication. It is sans-IO as what it joins is: give it packets by
//! [`Network::send`], take those that arrive by [`Network::poll`], and let time jump to
//! [`Network::timeout`]. All chance comes from a seed, so that a run can be repeated: see
//! [`seeds`].
//!
//! [`nat`] has the nine kinds of NAT that RFC 4787 tells apart; a [`World`] puts them into such a
//! network.

mod link;
mod loss;
pub mod matrix;
pub mod nat;
mod network;
mod seed;
mod world;

pub use link::{Fate, Link, LinkConfig, LinkCounters};
pub use loss::Loss;
pub use network::{Delivery, Network};
pub use seed::seeds;
pub use world::{Datagram, Node, World};
