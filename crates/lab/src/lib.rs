//! A simulated network in virtual time, for tests.
//!
//! A [`Network`] joins addresses by links, each with a rate, a queue, delay, jitter, loss,
//! reordering and duplication. It is sans-IO as what it joins is: give it packets by
//! [`Network::send`], take those that arrive by [`Network::poll`], and let time jump to
//! [`Network::timeout`]. All chance comes from a seed, so that a run can be repeated: see
//! [`seeds`].

mod link;
mod loss;
mod network;
mod seed;

pub use link::{Fate, Link, LinkConfig, LinkCounters};
pub use loss::Loss;
pub use network::{Delivery, Network};
pub use seed::seeds;
