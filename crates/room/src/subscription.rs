//! What a participant wants of other people's tracks. Tracks never named are watched.

use std::collections::HashMap;

use madang_protocol::{BitrateReason, BitsPerSecond, Subscribe, TrackId};

/// One participant's wishes, at most one for each track in the room.
#[derive(Debug, Default)]
pub(crate) struct Wishes(HashMap<TrackId, Wish>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) on: bool,
    /// The width on screen in pixels, where known.
    width: Option<u32>,
    /// The height on screen in pixels, where known.
    pub(crate) height: Option<u32>,
    fps: Option<u32>,
    priority: u8,
}

impl Wish {
    const DEFAULT: Self = Self { on: true, width: None, height: None, fps: None, priority: 0 };

    /// What the publisher is told: the most to send, and why.
    pub(crate) fn bound(self) -> (Option<BitsPerSecond>, BitrateReason) {
        if self.on { (None, BitrateReason::Unlimited) } else { (Some(BitsPerSecond(0)), BitrateReason::NotWatched) }
    }

    /// Whether a publisher in a mesh would be told the same of both.
    pub(crate) fn sends_alike(self, other: Self) -> bool {
        (self.on, self.height) == (other.on, other.height)
    }

    /// What the media server is told.
    pub(crate) fn about(self, track: &TrackId) -> Subscribe {
        let Self { on, width, height, fps, priority } = self;
        Subscribe { track: track.clone(), on, width, height, fps, priority }
    }
}

impl From<&Subscribe> for Wish {
    fn from(subscribe: &Subscribe) -> Self {
        if !subscribe.on {
            return Self { on: false, ..Self::DEFAULT };
        }
        let Subscribe { on, width, height, fps, priority, .. } = *subscribe;
        Self { on, width, height, fps, priority }
    }
}

impl Wishes {
    /// Remembers a wish and returns the one before.
    pub(crate) fn set(&mut self, track: &TrackId, wish: Wish) -> Wish {
        let former = if wish == Wish::DEFAULT { self.0.remove(track) } else { self.0.insert(track.clone(), wish) };
        former.unwrap_or(Wish::DEFAULT)
    }

    /// The wish about a track, where it is not the default.
    pub(crate) fn about(&self, track: &TrackId) -> Option<Wish> {
        self.0.get(track).copied()
    }

    pub(crate) fn forget(&mut self, track: &TrackId) {
        self.0.remove(track);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
