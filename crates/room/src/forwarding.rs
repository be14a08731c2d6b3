//! Links to the server, and what the media server that carries them is told.

use madang_protocol::{MediaCommand, OpenMediaLink, Subscribe, Topology, TrackId, TrackInfo, TrackKind};

use crate::{
    codecs,
    link::Link,
    room::{Room, Timer},
    roster::{Order, Participant, SERVER},
    served::{Reach, Served},
    subscription::Wish,
};

impl Room {
    pub(crate) fn server_link(&self, order: Order) -> Option<&Link> {
        self.links.between(SERVER, order)
    }

    pub(crate) fn served_mut(&mut self, order: Order) -> Option<&mut Served> {
        let id = self.server_link(order)?.id.clone();
        self.links.get_mut(&id)?.served.as_mut()
    }

    /// Opens links between these participants and the server, who have none.
    pub(crate) fn open_server_links(&mut self, orders: &[Order]) {
        for order in orders {
            self.open_link(SERVER, *order);
            self.command_open(*order);
        }
        // Only now does the media server know all tracks that wishes are about.
        for (watcher, track, wish) in self.wishes_around(orders) {
            self.command_watch(watcher, &track, wish);
        }
    }

    fn command_open(&mut self, order: Order) {
        let (Some(link), Some(participant)) = (self.server_link(order), self.roster.get(order)) else { return };
        let link = link.id.clone();
        let tracks = participant.info.tracks.clone();
        let open = OpenMediaLink {
            link: link.clone(),
            participant: participant.info.id.clone(),
            person: participant.person(),
            video_codec: self.video_codec_of(participant),
            mix_codec: codecs::got_from_mixer(&participant.capabilities.codecs.video, self.forwarded_codec.as_deref()),
            mix: participant.mix.clone(),
            simulcast: participant.capabilities.simulcast,
        };
        if let Some(served) = self.served_mut(order) {
            served.person = open.person.clone();
            served.video_codec.clone_from(&open.video_codec);
        }
        self.command(MediaCommand::OpenLink(open));
        if let Some(most) = self.settings.max_receive_bps {
            self.command(MediaCommand::Limit { link, max_receive_bps: Some(most) });
        }
        for track in tracks {
            self.command_track(order, track);
        }
    }

    /// The video codec that a participant's link is to have: in a mixed room its own choice.
    fn video_codec_of(&self, participant: &Participant) -> Option<String> {
        if self.topology != Topology::Mcu {
            return self.forwarded_codec.clone();
        }
        let tracks = participant.info.tracks.iter().filter_map(|track| participant.narrowed.get(&track.id));
        let own = &participant.capabilities.codecs.video;
        codecs::sent_to_mixer(own, &self.settings.codecs.video, tracks.map(Vec::as_slice))
    }

    /// Tells the media server who a participant is, where that changed.
    pub(crate) fn describe(&mut self, order: Order) {
        let Some(person) = self.roster.get(order).map(Participant::person) else { return };
        let Some(link) = self.server_link(order).map(|link| link.id.clone()) else { return };
        if let Some(served) = self.served_mut(order)
            && served.person != person
        {
            served.person = person.clone();
            self.command(MediaCommand::Describe { link, person });
        }
    }

    /// The wishes of these participants, and those of others about their tracks.
    fn wishes_around(&self, orders: &[Order]) -> Vec<(Order, TrackId, Wish)> {
        let mut found = Vec::new();
        for watcher in self.roster.iter() {
            let wish = |track: &TrackInfo| Some((watcher.order, track.id.clone(), watcher.wishes.about(&track.id)?));
            let owners = if orders.contains(&watcher.order) { self.roster.orders() } else { orders.to_vec() };
            let owners = owners.iter().filter_map(|owner| self.roster.get(*owner));
            found.extend(owners.flat_map(|owner| &owner.info.tracks).filter_map(wish));
            let mix = &self.mix_tracks.video;
            let mix = watcher.wishes.about(mix).map(|wish| (watcher.order, mix.clone(), wish));
            found.extend(mix.filter(|_| orders.contains(&watcher.order)));
        }
        found
    }

    /// Says again how a participant watches tracks of others.
    pub(crate) fn command_wishes_of(&mut self, watcher: Order) {
        let wishes = self.wishes_around(&[watcher]).into_iter().filter(|(whose, ..)| *whose == watcher);
        for (_, track, wish) in wishes {
            self.command_watch(watcher, &track, wish);
        }
    }

    pub(crate) fn command_track(&mut self, order: Order, track: TrackInfo) {
        if let Some(link) = self.server_link(order) {
            self.command(MediaCommand::AddTrack { link: link.id.clone(), track });
        }
    }

    pub(crate) fn command_watch(&mut self, watcher: Order, track: &TrackId, wish: Wish) {
        if let Some(link) = self.server_link(watcher) {
            let wish: Subscribe = wish.about(track);
            self.command(MediaCommand::Watch { link: link.id.clone(), wish });
        }
    }

    /// A command about a track of this participant, if the media server has it.
    pub(crate) fn command_about(&mut self, order: Order, command: MediaCommand) {
        if self.server_link(order).is_some() {
            self.command(command);
        }
    }

    /// Nobody watches a track that is gone.
    pub(crate) fn forget_track(&mut self, track: &TrackId) {
        for participant in self.roster.iter_mut() {
            participant.wishes.forget(track);
        }
        for watcher in self.served() {
            if let Some(served) = self.served_mut(watcher) {
                served.forget(track);
            }
        }
    }

    /// Closes a participant's link to the server and opens another, with its tracks and wishes.
    pub(crate) fn replace_server_link(&mut self, order: Order) {
        self.replace_server_links(&[order]);
    }

    fn replace_server_links(&mut self, orders: &[Order]) {
        let mut tried_again = Vec::new();
        for order in orders {
            let Some(link) = self.server_link(*order) else { continue };
            if link.served.as_ref().is_some_and(|served| served.is_second_try) {
                tried_again.push(*order);
            }
            self.close_link(&link.id.clone());
        }
        self.open_server_links(orders);
        for order in tried_again {
            if let Some(served) = self.served_mut(order) {
                served.is_second_try = true;
            }
        }
    }

    /// Takes another video codec for all links to the server, where somebody came who lacks
    /// the one in use.
    pub(crate) fn settle_forwarded_codec(&mut self) {
        let first = self.codecs.video.first();
        if self.topology != Topology::Sfu || first.is_none() || first == self.forwarded_codec.as_ref() {
            return;
        }
        self.forwarded_codec = first.cloned();
        let served = self.served();
        self.replace_server_links(&served);
    }

    /// Replaces a participant's link to the server if it is broken or has the wrong codec: once it
    /// is old enough, and only while the participant is there to answer.
    pub(crate) fn mend_server_link(&mut self, order: Order) {
        let (Some(link), Some(participant)) = (self.server_link(order), self.roster.get(order)) else { return };
        let is_unfit = |served: &Served| served.reach == Reach::Broken || self.has_wrong_codec(participant, served);
        if !link.served.as_ref().is_some_and(is_unfit) || !participant.is_present() {
            return;
        }
        match (link.too_young(self.now), self.now) {
            (Some(left), Some(now)) => {
                self.timers.insert(Timer::Mend(order), now + left);
            }
            _ => self.replace_server_link(order),
        }
    }

    /// Whether a participant of a mixed room has a track that can't be sent in its link's codec,
    /// while there is a better one: tracks from before the room was mixed may have none in common.
    fn has_wrong_codec(&self, participant: &Participant, served: &Served) -> bool {
        let codec = served.video_codec.as_slice();
        let cannot = |codecs: &Vec<String>| codecs::admit_track(TrackKind::Video, codecs, codec).is_err();
        self.topology == Topology::Mcu
            && participant.narrowed.values().any(cannot)
            && self.video_codec_of(participant) != served.video_codec
    }
}
