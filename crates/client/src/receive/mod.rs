//! What can be said of the frames that come, without decoding them.

mod reception;

pub use madang_media::frames::{Arrival, Assembler, Continuity, Frame, FrameInfo, Packet};
pub use reception::{Figures, Received, Reception};
