//! What the server said may be sent (`bitrate`). A later word replaces an earlier one of the same
//! link and track.

use std::collections::HashMap;

use madang_protocol::{Bitrate, LinkId, TrackId};

#[derive(Debug, Default)]
pub(super) struct Limits {
    tracks: HashMap<TrackId, Bitrate>,
    /// By link; `None` is all links together.
    links: HashMap<Option<LinkId>, u64>,
}

impl Limits {
    pub(super) fn set(&mut self, bitrate: Bitrate) {
        match (&bitrate.track, bitrate.max_send_bps) {
            (Some(track), _) => {
                self.tracks.insert(track.clone(), bitrate);
            }
            (None, Some(most)) => {
                self.links.insert(bitrate.link, most.0);
            }
            (None, None) => {
                self.links.remove(&bitrate.link);
            }
        }
    }

    pub(super) fn of_track(&self, track: &TrackId) -> Option<&Bitrate> {
        self.tracks.get(track)
    }

    /// The least of what holds for the link, in bits per second.
    pub(super) fn of_link(&self, link: &LinkId) -> Option<u64> {
        [Some(link.clone()), None].iter().filter_map(|link| self.links.get(link)).copied().min()
    }
}
