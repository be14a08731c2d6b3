//! The IO of native participants: one thread that waits for the sockets and time-outs of as many
//! as there are, without a task for each.

pub(crate) mod address;
mod engine;
mod relay;
mod seat;
mod tls;
mod websocket;

pub(crate) use address::ServerAddress;
pub(crate) use engine::{Engine, Silent};
pub(crate) use seat::Happening;
pub(crate) use tls::{Trust, client_config};
