//! The IO of native participants: one thread that waits for the sockets and time-outs of as many
//! as there are, without a task for each.

pub(crate) mod address;
mod engine;
mod hosts;
mod seat;
mod stream;
mod tls;
mod websocket;

pub(crate) use address::ServerAddress;
pub(crate) use engine::{Engine, Silent};
pub(crate) use hosts::Interfaces;
pub(crate) use tls::{Trust, client_config};
