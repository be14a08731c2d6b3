//! H.264 in constrained baseline, by OpenH264.

mod access_unit;
mod decoder;
mod encoder;

pub use decoder::H264Decoder;
pub use encoder::{H264Encoder, H264Settings};
