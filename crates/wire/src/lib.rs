//! STUN and TURN messages, identifiers, rates and privacy-wrapped addresses.
