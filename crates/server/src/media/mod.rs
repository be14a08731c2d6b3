//! The server's own media: what carries the links that rooms have to the server.

pub(crate) mod plane;
