//! Identifiers and numbers: one type each, so that none is taken for another.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

macro_rules! string_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, TS)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

string_id! {
    /// A participant in a room, given by the server: `p_` and 10 letters or digits. It stays
    /// the same over a resume.
    ParticipantId
}
string_id! {
    /// A published track, given by the server: `t_` and 10 letters or digits.
    TrackId
}
string_id! {
    /// One PeerConnection between a participant and another participant or the server,
    /// given by the server: `l_` and 10 letters or digits.
    LinkId
}
string_id! {
    /// A signaling session: what a resume names. `s_` and 16 letters or digits.
    SessionId
}
string_id! {
    /// A room's name: 1 to 64 letters, digits, `-`, `_`, as it stands in `/r/{room}`.
    RoomName
}
string_id! {
    /// A simulcast layer of a track (RFC 8851): `h`, `m`, `l` from the largest to the smallest
    /// of a camera, `h` and `l` of a screen.
    Rid
}
string_id! {
    /// The media description's identification (`a=mid`, RFC 9143) in an SDP.
    Mid
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, TS)]
        #[serde(transparent)]
        pub struct $name(
            #[ts(type = "number")]
            pub $inner
        );

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

number! {
    /// The number that a client gives a request; the reply carries it as `re`.
    RequestId(u64)
}
number! {
    /// The sequence number of a server event within a session, from 1, without gaps.
    Seq(u64)
}
number! {
    /// Grows by one each time a room changes its topology.
    Epoch(u32)
}
number! {
    /// Grows by one with every offer on a link; its answer and its candidates carry it too.
    Negotiation(u32)
}
number! {
    /// Bits per second.
    BitsPerSecond(u64)
}
