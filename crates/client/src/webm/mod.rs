//! WebM files: read to be published, written to record what came.

mod ebml;
mod reader;
mod writer;

pub use reader::InvalidWebm;
pub use writer::{Patch, Track, Writer};
