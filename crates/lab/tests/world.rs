//! Endpoints behind NATs in virtual time: what an RFC 5780 client finds out, and which pairs can
//! talk directly.

mod world {
    mod discovery;
    mod endpoint;
    mod matrix;
    mod paths;
}
