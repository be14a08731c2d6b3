//! A media server that does as it is told, and notices what it can't have been told.

use std::collections::{BTreeMap, BTreeSet};

use madang_protocol::*;

#[derive(Debug, Default)]
pub struct Media {
    pub links: BTreeMap<LinkId, MediaLink>,
    /// Every track, with the link that it is published on.
    pub tracks: BTreeMap<TrackId, (LinkId, TrackInfo)>,
    pub wishes: BTreeMap<(LinkId, TrackId), Subscribe>,
    /// Every command since the test looked last.
    commands: Vec<MediaCommand>,
    /// Names of links, closed ones too: none is used twice.
    pub ever: BTreeSet<LinkId>,
    /// The mixer takes no more viewers.
    pub is_full: bool,
    /// It holds nothing of the room: none was opened yet, or the room has ended.
    pub is_idle: bool,
}

#[derive(Debug)]
pub struct MediaLink {
    pub open: OpenMediaLink,
    pub max_receive_bps: Option<BitsPerSecond>,
    /// Offers made.
    pub offers: u32,
}

impl Media {
    pub fn new() -> Self {
        Self { is_idle: true, ..Self::default() }
    }

    pub fn commands(&mut self) -> Vec<MediaCommand> {
        std::mem::take(&mut self.commands)
    }

    pub fn apply(&mut self, command: MediaCommand) {
        self.commands.push(command.clone());
        match command {
            MediaCommand::OpenLink(open) => self.open(open),
            MediaCommand::CloseLink { link } => self.close(&link),
            MediaCommand::Answer { link, n, .. } => {
                assert_eq!(n.0, self.link(&link).offers, "the newest offer is answered");
            }
            MediaCommand::Candidate { link, .. } | MediaCommand::RestartIce { link } => drop(self.link(&link)),
            MediaCommand::Limit { link, max_receive_bps } => {
                self.links.get_mut(&link).expect("a link that is open").max_receive_bps = max_receive_bps;
            }
            MediaCommand::AddTrack { link, track } => {
                self.link(&link);
                let former = self.tracks.insert(track.id.clone(), (link, track));
                assert_eq!(former, None, "a track is added once");
            }
            MediaCommand::RemoveTrack { track } => {
                assert!(self.tracks.remove(&track).is_some(), "a track that is removed was there");
                self.wishes.retain(|(_, about), _| *about != track);
            }
            MediaCommand::MuteTrack { track, muted } => {
                let (_, track) = self.tracks.get_mut(&track).expect("a track that is there");
                assert_ne!(std::mem::replace(&mut track.muted, muted), muted, "it changes");
            }
            MediaCommand::Watch { link, wish } => self.watch(link, wish),
            MediaCommand::Describe { link, person } => {
                let link = self.links.get_mut(&link).expect("a link that is open");
                assert_ne!(std::mem::replace(&mut link.open.person, person.clone()), person, "it changes");
            }
            MediaCommand::Mix { link, mix } => self.mix(&link, mix),
            MediaCommand::End => {
                assert!(!self.is_idle, "ended twice");
                *self = Self {
                    ever: std::mem::take(&mut self.ever),
                    commands: std::mem::take(&mut self.commands),
                    ..Self::new()
                };
            }
        }
    }

    fn open(&mut self, open: OpenMediaLink) {
        self.is_idle = false;
        assert!(self.ever.insert(open.link.clone()), "a link's name is used once");
        assert!(self.link_of(&open.participant).is_none(), "one link for each participant");
        self.links.insert(open.link.clone(), MediaLink { open, max_receive_bps: None, offers: 0 });
    }

    fn close(&mut self, link: &LinkId) {
        assert!(self.links.remove(link).is_some(), "a link that closes was open");
        self.tracks.retain(|_, (on, _)| on != link);
        let (links, tracks) = (&self.links, &self.tracks);
        let is_mix =
            |watcher: &LinkId, track: &TrackId| links[watcher].open.mix.as_ref().is_some_and(|mix| mix.video == *track);
        self.wishes
            .retain(|(watcher, track), _| watcher != link && (tracks.contains_key(track) || is_mix(watcher, track)));
    }

    fn watch(&mut self, link: LinkId, wish: Subscribe) {
        self.link(&link);
        if self.link(&link).open.mix.as_ref().is_none_or(|mix| mix.video != wish.track) {
            let (publisher, _) = self.tracks.get(&wish.track).expect("a track that is there");
            assert_ne!(*publisher, link, "nobody watches oneself");
        }
        self.wishes.insert((link, wish.track.clone()), wish);
    }

    /// A link whose mix is given up is told anew what it watches.
    fn mix(&mut self, link: &LinkId, mix: Option<Mix>) {
        let pictures = self.pictures();
        let open = &mut self.links.get_mut(link).expect("a link that is open").open;
        let former = std::mem::replace(&mut open.mix, mix.clone());
        assert_ne!(former, mix, "it changes");
        if mix.is_none() {
            self.wishes.retain(|(watcher, _), _| watcher != link);
        } else if self.is_full {
            assert!(former.is_some() && self.pictures() <= pictures, "it takes no more");
        }
    }

    /// How many different pictures it makes.
    pub fn pictures(&self) -> usize {
        let mut pictures = Vec::new();
        for open in self.links.values().map(|link| &link.open) {
            let picture = open.mix.as_ref().map(|mix| (&mix.layout, mix.hide_self.then_some(&open.participant)));
            pictures.extend(picture.filter(|picture| !pictures.contains(picture)));
        }
        pictures.len()
    }

    fn link(&self, link: &LinkId) -> &MediaLink {
        self.links.get(link).expect("a link that is open")
    }

    pub fn link_of(&self, participant: &ParticipantId) -> Option<&LinkId> {
        self.links.values().find(|link| link.open.participant == *participant).map(|link| &link.open.link)
    }

    /// The next offer on a link: it may be closed by now, as the room may know already.
    pub fn offer(&mut self, link: &LinkId) -> MediaEvent {
        let n = self.links.get_mut(link).map_or(9, |link| {
            link.offers += 1;
            link.offers
        });
        let mix = self.links.get(link).and_then(|link| link.open.mix.as_ref());
        let mix: Vec<_> = mix.into_iter().flat_map(|mix| [&mix.audio, &mix.video]).collect();
        let mids = self.tracks.keys().chain(mix).enumerate().map(|(mid, track)| (Mid(mid.to_string()), track.clone()));
        let sdp = format!("v=0\r\na=ice-lite\r\na=ice-ufrag:s{}\r\n", n / 3);
        MediaEvent::Offer { link: link.clone(), n: Negotiation(n), sdp, tracks: mids.collect() }
    }
}
