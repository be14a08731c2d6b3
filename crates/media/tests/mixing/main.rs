//! Rooms that are mixed for some or for all: real sessions in virtual time, with codecs that a test
//! can look through.

mod basics;
mod chaos;
mod faults;
mod impairments;
mod overload;
mod people;
mod room;
mod sources;
#[path = "../yard/mod.rs"]
mod yard;
