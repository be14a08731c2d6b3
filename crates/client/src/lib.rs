//! A participant without a browser, sans-IO.

pub mod clip;
pub mod histogram;
pub mod participant;
pub mod receive;
pub mod relay;
pub mod signaling;
pub mod source;
pub mod stamp;
pub mod webm;
