//! The rules of a room, one by one, with every error code that a room gives.

#![allow(clippy::panic, reason = "a test fails by it")]

#[path = "../yard/mod.rs"]
mod yard;

mod entry;
mod forwarding;
mod links;
mod measures;
mod mix;
mod mixed;
mod moderation;
mod moves;
mod resume;
mod sfu;
mod talk;
mod tracks;

use std::sync::Arc;

use madang_protocol::{Bye, Failure, ServerMessage};

/// The one error among these messages.
fn failure(messages: &[Arc<ServerMessage>]) -> Failure {
    let mut failures = messages.iter().filter_map(|message| match &**message {
        ServerMessage::Error(failure) => Some(failure.clone()),
        _ => None,
    });
    let failure = failures.next().expect("an error");
    assert!(failures.next().is_none(), "one error");
    failure
}

/// The one goodbye among these messages.
fn bye(messages: &[Arc<ServerMessage>]) -> Bye {
    let mut byes = messages.iter().filter_map(|message| match &**message {
        ServerMessage::Bye(bye) => Some(bye.clone()),
        _ => None,
    });
    let bye = byes.next().expect("a goodbye");
    assert!(byes.next().is_none(), "one goodbye");
    bye
}
