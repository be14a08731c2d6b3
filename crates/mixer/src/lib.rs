//! Mixing many people's sound and pictures into one of each. No socket, clock, thread or codec
//! library: time comes as an argument, codecs come behind the traits of [`codec`].
//!
//! | module | what it does |
//! | --- | --- |
//! | [`picture`] | pictures in I420, and views of them |
//! | [`codec`] | what a decoder and an encoder are |
//! | [`canvas`] | drawing it |
//! | [`layout`] | where each person's picture goes |
//! | [`sound`] | everybody's sound into one, and for those who speak without their own |

pub mod canvas;
pub mod codec;
pub mod layout;
pub mod picture;
pub mod sound;
