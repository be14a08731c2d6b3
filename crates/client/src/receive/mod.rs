//! From RTP packets to frames, and what can be said of them without decoding.

mod assembler;
mod continuity;
mod payload;
mod reception;

pub use assembler::{Arrival, Assembler, Frame, Packet};
pub use continuity::Continuity;
pub use payload::FrameInfo;
pub use reception::{Figures, Received, Reception};
