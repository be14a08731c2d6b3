//! Drawing what a layout arranges.

mod axis;
mod kernel;
mod raster;
mod scale;
mod text;
