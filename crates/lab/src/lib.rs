//! A simulated network in virtual time, for tests.
