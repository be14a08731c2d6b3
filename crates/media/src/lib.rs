//! Media sessions and the forwarder (SFU), sans-IO.
