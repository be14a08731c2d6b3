//! The rooms that are measured.

use std::time::Duration;

use clap::ValueEnum;
use madang_protocol::TrackKind;

use super::{
    signaling::{Participant, Track},
    stream::{Plan, StreamId},
};

/// The payload of a packet that has 1200 bytes with RTP's header, its extensions and SRTP's tag.
const VIDEO_PAYLOAD: usize = 1160;
const AUDIO_PAYLOAD: usize = 100;
const SPREAD: Duration = Duration::from_millis(13);
/// The streams of one publisher have numbers from a multiple of this on.
const STREAMS: u16 = 8;

/// What kind of room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Case {
    /// Publishers send 2.5 Mbit/s of video: 30 frames and 260 packets a second, each frame spread
    /// over 13 ms. Subscribers receive.
    Broadcast,
    /// Everybody publishes sound and video in three layers, and receives everybody else.
    Conference,
    /// Publishers send Opus, subscribers receive.
    Sound,
}

impl Case {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Broadcast => "broadcast",
            Self::Conference => "conference",
            Self::Sound => "sound",
        }
    }

    /// Its participants; publishers come first. In a conference all do both.
    pub(crate) fn participants(self, publishers: u16, subscribers: u16) -> Vec<Participant> {
        let publishing = (0..publishers).map(|index| Participant {
            name: format!("publisher {index}"),
            tracks: self.tracks(index * STREAMS),
            receives: self == Self::Conference,
        });
        let subscribers = if self == Self::Conference { 0 } else { subscribers };
        let subscribing = (0..subscribers).map(|index| Participant {
            name: format!("subscriber {index}"),
            tracks: Vec::new(),
            receives: true,
        });
        publishing.chain(subscribing).collect()
    }

    fn tracks(self, first: u16) -> Vec<Track> {
        let sound = || Track {
            kind: TrackKind::Audio,
            plans: vec![Plan::Audio { size: AUDIO_PAYLOAD }],
            first: StreamId(first),
        };
        let video = |plans| Track { kind: TrackKind::Video, plans, first: StreamId(first + 1) };
        let plan = |packets_per_second, height| Plan::Video {
            packets_per_second,
            size: VIDEO_PAYLOAD,
            spread: SPREAD,
            height,
        };
        match self {
            Self::Broadcast => vec![video(vec![plan(260, 720)])],
            Self::Conference => vec![sound(), video(vec![plan(30, 180), plan(60, 360), plan(150, 720)])],
            Self::Sound => vec![sound()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conference_has_everybody_do_both_and_other_rooms_have_one_or_the_other() {
        let conference = Case::Conference.participants(6, 100);
        assert_eq!(conference.len(), 6);
        assert!(conference.iter().all(|each| each.receives && each.tracks.len() == 2));
        let broadcast = Case::Broadcast.participants(1, 50);
        assert_eq!(broadcast.iter().filter(|each| each.receives).count(), 50);
        assert!(broadcast.iter().all(|each| each.receives == each.tracks.is_empty()));
    }

    #[test]
    fn no_two_streams_of_a_room_have_one_number() {
        let mut numbers: Vec<u16> = Vec::new();
        for track in Case::Conference.participants(10, 0).iter().flat_map(|each| &each.tracks) {
            numbers.extend((0..).zip(&track.plans).map(|(layer, _): (u16, _)| track.first.0 + layer));
        }
        let all = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!((numbers.len(), all), (40, 40));
    }
}
