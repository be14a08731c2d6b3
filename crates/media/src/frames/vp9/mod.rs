//! VP9: its RTP payload (RFC 9628), and the little of its frames that a participant who decodes
//! nothing has to know.

mod descriptor;
mod frame;
mod packetizer;

pub use descriptor::Descriptor;
pub use frame::{is_keyframe, size};
pub use packetizer::Packetizer;
