//! Tracks: published, withdrawn, muted, watched.

use std::sync::Arc;

use madang_protocol::{
    Change, Done, LinkId, MediaCommand, Mute, ParticipantId, PublishTrack, Role, ServerMessage, Subscribe, Topology,
    TrackEvent, TrackId, TrackInfo, TrackKind,
};

use crate::{codecs, refusal::Refusal, room::Room, roster::Order, subscription::Wish, validate};

const NO_TRACK: Refusal = Refusal::NotFound("there is no such track (any more)");

impl Room {
    pub(crate) fn publish(&mut self, order: Order, track: &PublishTrack) -> Result<Done, Refusal> {
        validate::track(track)?;
        self.admit_track(order, track)?;
        let participant = self.roster.get(order).ok_or(NO_TRACK)?;
        if participant.info.role == Role::Viewer {
            return Err(Refusal::Viewer);
        }
        if participant.info.tracks.len() >= self.settings.limits.tracks as usize {
            return Err(validate::too_many_tracks(&self.settings.limits));
        }
        let id = self.add_track(order, track);
        let offered_by_peers: Vec<LinkId> =
            self.links.of(order).filter(|link| link.offerer() != order).map(|link| link.id.clone()).collect();
        for link in offered_by_peers {
            self.ask_offerer(&link, false);
        }
        self.mend_server_link(order);
        Ok(Done { track: Some(id) })
    }

    /// In a mesh any codec of the room will do; the server forwards one video codec; the mixer
    /// takes one from each participant.
    fn admit_track(&self, order: Order, track: &PublishTrack) -> Result<(), Refusal> {
        let room = match (track.kind, self.topology) {
            (TrackKind::Audio, _) => self.codecs.audio.as_slice(),
            (TrackKind::Video, Topology::Mesh) => self.codecs.video.as_slice(),
            (TrackKind::Video, Topology::Sfu) => self.forwarded_codec.as_slice(),
            (TrackKind::Video, Topology::Mcu) => {
                let Some(me) = self.roster.get(order) else { return Err(NO_TRACK) };
                let narrowed = me.info.tracks.iter().filter_map(|track| me.narrowed.get(&track.id));
                let (own, preference) = (&me.capabilities.codecs.video, &self.settings.codecs.video);
                return codecs::admit_to_mixer(own, preference, narrowed.map(Vec::as_slice), &track.codecs);
            }
        };
        codecs::admit_track(track.kind, &track.codecs, room)
    }

    /// The same for the tracks of a `hello`.
    pub(crate) fn admit_tracks_to_mixer(&self, own: &[String], tracks: &[PublishTrack]) -> Result<(), Refusal> {
        let pictures: Vec<_> = tracks.iter().filter(|track| track.kind == TrackKind::Video).collect();
        for (place, track) in pictures.iter().enumerate() {
            let before = pictures[..place].iter().filter(|track| is_narrow(track));
            let before = before.map(|track| track.codecs.as_slice());
            codecs::admit_to_mixer(own, &self.settings.codecs.video, before, &track.codecs)?;
        }
        Ok(())
    }

    pub(crate) fn unpublish(&mut self, order: Order, track: &TrackId) -> Result<(), Refusal> {
        self.own_track(order, track)?;
        self.remove_track(order, track);
        Ok(())
    }

    pub(crate) fn mute(&mut self, order: Order, mute: &Mute) -> Result<(), Refusal> {
        self.own_track(order, &mute.track)?;
        self.set_muted(order, &mute.track, mute.muted, None);
        Ok(())
    }

    pub(crate) fn subscribe(&mut self, order: Order, subscribe: &Subscribe) -> Result<(), Refusal> {
        if subscribe.track == self.mix_tracks.video {
            return self.subscribe_to_mix(order, subscribe);
        }
        let publisher = self.roster.track_owner(&subscribe.track).ok_or(NO_TRACK)?.order;
        if publisher == order {
            return Err(Refusal::Malformed("a client does not watch its own tracks"));
        }
        let wish = Wish::from(subscribe);
        let Some(former) = self.roster.get_mut(order).map(|me| me.wishes.set(&subscribe.track, wish)) else {
            return Ok(());
        };
        if let Some(link) = self.links.between(order, publisher).map(|link| link.id.clone())
            && !wish.sends_alike(former)
        {
            self.tell_wish(publisher, &link, &subscribe.track, wish);
        }
        if wish != former {
            self.command_watch(order, &subscribe.track, wish);
        }
        Ok(())
    }

    /// The wish ends when the mix is given up.
    fn subscribe_to_mix(&mut self, order: Order, subscribe: &Subscribe) -> Result<(), Refusal> {
        let wish = Wish::from(subscribe);
        let me = self.roster.get_mut(order).filter(|me| me.mix.is_some()).ok_or(NO_TRACK)?;
        if me.wishes.set(&subscribe.track, wish) != wish {
            self.command_watch(order, &subscribe.track, wish);
        }
        Ok(())
    }

    fn own_track(&self, order: Order, track: &TrackId) -> Result<(), Refusal> {
        match self.roster.track_owner(track) {
            None => Err(NO_TRACK),
            Some(owner) if owner.order != order => Err(Refusal::ForeignTrack),
            Some(_) => Ok(()),
        }
    }

    /// Gives names to tracks that nobody was told of yet.
    pub(crate) fn tracks_of(&mut self, tracks: &[PublishTrack]) -> Vec<TrackInfo> {
        tracks.iter().map(|track| info(self.ids.track(), track)).collect()
    }

    /// The tracks of a `hello` that starts over. A viewer's are left out.
    pub(crate) fn add_tracks(&mut self, order: Order, tracks: &[PublishTrack]) {
        if self.roster.get(order).is_some_and(|participant| participant.info.role != Role::Viewer) {
            for track in tracks {
                self.add_track(order, track);
            }
        }
    }

    fn add_track(&mut self, order: Order, track: &PublishTrack) -> TrackId {
        let id = self.ids.track();
        let narrowed = is_narrow(track).then(|| track.codecs.clone());
        let track = info(id.clone(), track);
        if let Some(participant) = self.roster.get_mut(order) {
            participant.info.tracks.push(track.clone());
            participant.narrowed.extend(narrowed.map(|codecs| (id.clone(), codecs)));
            self.command_track(order, track.clone());
            self.tell_track(order, Change::Added, track, None);
        }
        id
    }

    pub(crate) fn tracks_at(&self, order: Order) -> Vec<TrackId> {
        let participant = self.roster.get(order).into_iter();
        participant.flat_map(|participant| &participant.info.tracks).map(|track| track.id.clone()).collect()
    }

    /// Removes a track. Nothing is negotiated: its sender just stops, and its transceiver is
    /// used again.
    pub(crate) fn remove_track(&mut self, order: Order, id: &TrackId) {
        let Some(participant) = self.roster.get_mut(order) else { return };
        let Some(place) = participant.info.tracks.iter().position(|track| track.id == *id) else { return };
        let track = participant.info.tracks.remove(place);
        participant.narrowed.remove(id);
        self.forget_track(id);
        self.command_about(order, MediaCommand::RemoveTrack { track: id.clone() });
        self.tell_track(order, Change::Removed, track, None);
    }

    pub(crate) fn set_muted(&mut self, order: Order, id: &TrackId, muted: bool, by: Option<ParticipantId>) {
        let Some(participant) = self.roster.get_mut(order) else { return };
        let Some(track) = participant.info.tracks.iter_mut().find(|track| track.id == *id) else { return };
        if track.muted != muted {
            track.muted = muted;
            let track = track.clone();
            self.command_about(order, MediaCommand::MuteTrack { track: id.clone(), muted });
            self.tell_track(order, Change::Changed, track, by);
        }
    }

    fn tell_track(&mut self, order: Order, change: Change, track: TrackInfo, by: Option<ParticipantId>) {
        if let Some(participant) = self.id_of(order) {
            self.broadcast(ServerMessage::Track(TrackEvent { change, participant, track, by }));
        }
    }

    /// Tells a link's offerer to offer (again). The server offers by itself when tracks change.
    pub(crate) fn ask_offerer(&mut self, link: &LinkId, restart: bool) {
        let Some(link) = self.links.get(link) else { return };
        if link.is_served() {
            if restart {
                self.command(MediaCommand::RestartIce { link: link.id.clone() });
            }
            return;
        }
        let negotiate = madang_protocol::Negotiate { link: link.id.clone(), epoch: link.epoch, restart };
        let offerer = link.offerer();
        self.signal(offerer, &negotiate.link.clone(), Arc::new(ServerMessage::Negotiate(negotiate)));
    }
}

/// A picture that can't be sent in all of its publisher's codecs.
pub(crate) fn is_narrow(track: &PublishTrack) -> bool {
    track.kind == TrackKind::Video && !track.codecs.is_empty()
}

fn info(id: TrackId, track: &PublishTrack) -> TrackInfo {
    TrackInfo {
        id,
        cid: track.cid.clone(),
        kind: track.kind,
        source: track.source,
        muted: track.muted,
        simulcast: track.simulcast,
        width: track.width,
        height: track.height,
    }
}
