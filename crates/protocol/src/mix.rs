//! The mix: one picture and one sound of everybody, made by the server.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ParticipantId, TrackId, TrackSource};

/// How people are arranged in a mixed picture, told apart by `kind`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MixLayout {
    /// `presentation` while somebody shares a screen, `grid` otherwise.
    #[default]
    Auto,
    /// Equal tiles, 25 at most.
    Grid,
    /// Who speaks large, the others in a strip.
    Speaker,
    /// The shared screen large, who speaks beside it; as `speaker` while nobody shares.
    Presentation,
    /// The shared screen or who speaks on all of the picture, one more person small in a corner.
    PictureInPicture,
    /// Regions by name.
    Custom {
        /// In the order in which they are filled, 1 to 25.
        regions: Vec<MixRegion>,
    },
}

/// A region of a custom layout. Lengths are shares of the picture's width or height, 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
pub struct MixRegion {
    /// From the left edge.
    pub left: f32,
    /// From the upper edge.
    pub top: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
    /// Higher is in front.
    #[serde(default)]
    #[ts(as = "Option<_>", optional)]
    pub z: i32,
    /// What fills it.
    pub fill: MixFill,
    /// How; by itself, cameras cover their region and screens are contained in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub fit: Option<MixFit>,
}

/// What fills a region of a custom layout, told apart by `what`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum MixFill {
    /// Somebody's camera; empty while they are not there.
    Participant {
        /// Whose.
        participant: ParticipantId,
    },
    /// Somebody's shared screen.
    Screen {
        /// Whose.
        participant: ParticipantId,
    },
    /// Who speaks; where they have a region already, who spoke before.
    Speaker,
    /// A shared screen that has no region yet.
    AnyScreen,
    /// The next person, in the order in which they came, who has no region yet.
    Next,
}

/// How a picture fills a region of another shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum MixFit {
    /// All of the region is filled; what is over on two sides is cut off.
    Cover,
    /// All of the picture is seen.
    Contain,
}

/// Asks for the mix in place of everybody's tracks, or for those again; or changes how it looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
pub struct TakeMix {
    /// Whether to get the mix. In a room whose topology is `mcu` everybody gets it.
    pub on: bool,
    /// The arrangement; absent leaves it as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub layout: Option<MixLayout>,
    /// Whether one's own tile is left out; absent leaves it as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub hide_self: Option<bool>,
}

/// The mix that a client gets in place of everybody's tracks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Mix {
    /// The track of its sound, as the server's offers name it. It is in nobody's list of tracks.
    pub audio: TrackId,
    /// The track of its picture. It can be named in `subscribe`, for its size on screen.
    pub video: TrackId,
    /// The arrangement.
    pub layout: MixLayout,
    /// Whether one's own tile is left out.
    pub hide_self: bool,
}

/// A client gets the mix from now on, another one, or none any more.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
pub struct MixEvent {
    /// Absent: everybody's tracks are forwarded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub mix: Option<Mix>,
}

/// Where somebody is in a mixed picture. Lengths are shares of its width or height, 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
pub struct MixPlace {
    /// Who.
    pub participant: ParticipantId,
    /// Their camera (or in its place their avatar), or their screen.
    pub source: TrackSource,
    /// From the left edge.
    pub left: f32,
    /// From the upper edge.
    pub top: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

/// How a mix is made at present. Told when the places change, and every two seconds while the
/// mixer works; it has no `s`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
pub struct MixState {
    /// Who is where, from the backmost.
    pub places: Vec<MixPlace>,
    /// Pictures per second at most.
    pub fps: u32,
    /// The height in pixels of the largest rendition that is offered.
    pub max_height: u32,
    /// Why it is less than the server's usual, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub limited: Option<String>,
    /// What the room's mixer does, for all of its viewers.
    pub work: MixWork,
}

/// What a room's mixer does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
pub struct MixWork {
    /// Pictures that are decoded, of so many sources.
    pub decoding: u32,
    /// Pictures that are encoded, in so many renditions.
    pub encoding: u32,
    /// Listeners.
    pub listeners: u32,
    /// Processor time for decoding, in milliseconds per second.
    pub decode_ms: f32,
    /// Processor time for composing and encoding, in milliseconds per second.
    pub encode_ms: f32,
    /// Processor time for sound, in milliseconds per second.
    pub sound_ms: f32,
}
