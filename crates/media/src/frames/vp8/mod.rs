//! VP8: its RTP payload (RFC 7741), and the little of its frames (RFC 6386) that a participant
//! who decodes nothing has to know.

mod descriptor;
mod frame;
mod packetizer;

pub use descriptor::{Descriptor, LONGEST, Temporal};
pub use frame::{is_keyframe, size};
pub use packetizer::Packetizer;
