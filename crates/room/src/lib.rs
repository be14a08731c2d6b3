//! Rooms, participants and their links, sans-IO.
