//! What a participant wants of other people's tracks. Tracks never named are watched.

use std::collections::HashMap;

use madang_protocol::{BitrateReason, BitsPerSecond, Subscribe, TrackId};

/// One participant's wishes, at most one for each track in the room.
#[derive(Debug, Default)]
pub(crate) struct Wishes(HashMap<TrackId, Wish>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) on: bool,
    /// The height on screen in pixels, where known.
    pub(crate) height: Option<u32>,
}

impl Wish {
    const DEFAULT: Self = Self { on: true, height: None };

    /// What the publisher is told: the most to send, and why.
    pub(crate) fn bound(self) -> (Option<BitsPerSecond>, BitrateReason) {
        if self.on { (None, BitrateReason::Unlimited) } else { (Some(BitsPerSecond(0)), BitrateReason::NotWatched) }
    }
}

impl From<&Subscribe> for Wish {
    fn from(subscribe: &Subscribe) -> Self {
        Self { on: subscribe.on, height: subscribe.height.filter(|_| subscribe.on) }
    }
}

impl Wishes {
    /// Remembers a wish and says whether it is another than before.
    pub(crate) fn set(&mut self, track: &TrackId, wish: Wish) -> bool {
        let former = if wish == Wish::DEFAULT { self.0.remove(track) } else { self.0.insert(track.clone(), wish) };
        former.unwrap_or(Wish::DEFAULT) != wish
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
