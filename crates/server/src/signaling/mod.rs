//! Signaling: from a WebSocket to a seat in a room, and back.
//!
//! [`session`] is the one task of a connection; [`outbox`] the bounded queue towards it;
//! [`rooms`] the seam behind which rooms live, here in this process ([`local`]), later on
//! another node of a cluster.

pub(crate) mod arrivals;
pub(crate) mod local;
pub(crate) mod outbox;
pub(crate) mod rate;
pub(crate) mod rooms;
pub(crate) mod session;
pub(crate) mod timers;
pub(crate) mod upgrade;
