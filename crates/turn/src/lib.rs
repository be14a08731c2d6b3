//! STUN and TURN server core, sans-IO.
