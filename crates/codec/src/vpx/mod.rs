//! VP8 (RFC 6386) and VP9, by libvpx.

mod decoder;
mod encoder;
mod ffi;
mod vp8_header;
mod vp9_header;

pub use decoder::{Vp8Decoder, Vp9Decoder};
pub use encoder::{Vp8Encoder, Vp8Settings};
