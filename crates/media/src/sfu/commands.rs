//! What rooms want: links opened and closed, tracks added and removed, offers and answers.

use std::{collections::HashMap, time::Instant};

use madang_protocol::{LinkId, MediaEvent, Negotiation, OpenMediaLink, Subscribe, TrackId, TrackInfo, TrackKind};

use super::{
    Link, MediaCommand, Output, RoomKey, Sfu,
    allocator::Allocator,
    data::Budget,
    demand,
    link::{Bandwidth, TrackKey},
    newcomers::Newcomers,
    track::{Owner, Subscription, Track, rids},
};
use crate::session::{Role, Session, SessionConfig, VideoCodec};

impl Sfu {
    pub(super) fn command(&mut self, now: Instant, room: RoomKey, command: MediaCommand) {
        match command {
            MediaCommand::OpenLink(open) => self.open(now, room, open),
            MediaCommand::CloseLink { link } => self.with_link(&link, Self::say_goodbye),
            MediaCommand::Answer { link, n, sdp } => self.answer(now, &link, n, &sdp),
            MediaCommand::Candidate { link, candidate: Some(candidate) } => {
                self.with_link(&link, |this, key| {
                    this.links[key].session.candidate(&candidate);
                    this.drain(now, key);
                });
            }
            MediaCommand::Candidate { candidate: None, .. } => {}
            MediaCommand::RestartIce { link } => self.with_link(&link, |this, key| {
                this.links[key].session.restart_ice();
                this.links[key].to_offer = true;
            }),
            MediaCommand::AddTrack { link, track } => {
                self.with_link(&link, |this, key| this.add_track(now, key, track));
            }
            MediaCommand::RemoveTrack { track } => self.remove_track(&track),
            MediaCommand::MuteTrack { track, muted } => {
                if let Some(&place) = self.track_by_id.get(&track) {
                    self.tracks[place].muted = muted;
                    if let Some(room) = self.room_of(place) {
                        self.mute_mixed(room, place, muted);
                    }
                }
            }
            MediaCommand::Watch { link, wish } => self.with_link(&link, |this, key| this.watch(now, key, wish)),
            MediaCommand::Limit { link, max_receive_bps } => {
                self.with_link(&link, |this, key| this.links[key].bandwidth.limit = max_receive_bps);
            }
            MediaCommand::Describe { link, person } => self.with_link(&link, |this, key| this.describe(key, person)),
            MediaCommand::Mix { link, mix } => self.with_link(&link, |this, key| this.mix(now, key, mix)),
            MediaCommand::End => self.end(room),
        }
    }

    /// A link that is gone is no fault: the command and its end have crossed.
    fn with_link(&mut self, name: &LinkId, act: impl FnOnce(&mut Self, usize)) {
        if let Some(&key) = self.by_name.get(name) {
            act(self, key);
        }
    }

    fn open(&mut self, now: Instant, room: RoomKey, open: OpenMediaLink) {
        if self.by_name.contains_key(&open.link) {
            return;
        }
        let codec = open.video_codec.as_deref().and_then(VideoCodec::from_name);
        let mix_codec = open.mix_codec.as_deref().and_then(VideoCodec::from_name);
        let config = SessionConfig {
            role: Role::Server,
            video: codec.into_iter().chain(mix_codec.filter(|mix| Some(*mix) != codec)).collect(),
            certificate: self.config.certificate.clone(),
            candidates: self.config.candidates.clone(),
        };
        let mut session = Session::new(&config, now);
        let (ufrag, types) = (session.ufrag(), session.video_types());
        let key = self.links.insert(Link {
            name: open.link.clone(),
            room,
            participant: open.participant,
            session,
            person: open.person.clone(),
            codec,
            mix_codec,
            types,
            mix: None,
            simulcast: open.simulcast,
            up: HashMap::new(),
            down: HashMap::new(),
            wishes: HashMap::new(),
            connected: false,
            dirty: false,
            to_offer: true,
            last_check: now,
            in_use: None,
            newcomers: Newcomers::new(now),
            wakes_at: None,
            due: now,
            bandwidth: Bandwidth::new(now),
            allocator: Allocator::default(),
            budget: Budget::new(now),
        });
        self.by_name.insert(open.link, key);
        self.demux.name(key as u32, ufrag);
        let others = self.rooms.entry(room).or_default();
        others.links.push(key);
        let tracks = others.tracks.clone();
        self.describe(key, open.person);
        match open.mix {
            Some(mix) if self.config.mixer.is_some() => self.open_mixed(now, key, mix),
            _ => tracks.into_iter().for_each(|track| self.subscribe(key, track)),
        }
        self.drain(now, key);
    }

    /// Gives a link a track of somebody else's.
    pub(super) fn subscribe(&mut self, key: usize, track: TrackKey) {
        let (link, of) = (&mut self.links[key], &mut self.tracks[track]);
        let has_it = of.subscription_mut(key).is_some();
        if has_it
            || of.owner == Owner::Link(key)
            || !link.takes_others()
            || (of.kind == TrackKind::Video && link.codec.is_none())
        {
            return;
        }
        let Some(line) = link.session.send_track(of.id.clone(), of.kind) else { return };
        link.down.insert(line, track);
        link.to_offer = true;
        let wish = link.wish(&of.id).cloned();
        of.subscriptions.push(Subscription::new(key, line, wish, of.kind));
    }

    /// The room that a participant's track is in.
    fn room_of(&self, place: TrackKey) -> Option<RoomKey> {
        let owner = self.tracks.get(place)?.owner.link()?;
        self.links.get(owner).map(|link| link.room)
    }

    fn add_track(&mut self, now: Instant, key: usize, info: TrackInfo) {
        if self.track_by_id.contains_key(&info.id) {
            return;
        }
        let link = &mut self.links[key];
        if info.kind == TrackKind::Video && link.codec.is_none() {
            return;
        }
        let rids = if info.simulcast && link.simulcast { rids(&info) } else { &[] };
        let Some(line) = link.session.receive_track(info.id.clone(), info.kind, rids) else { return };
        link.to_offer = true;
        let room = link.room;
        let id = info.id.clone();
        let track = Track::new(info, Owner::Link(key), line, rids, now);
        if track.kind == TrackKind::Video {
            // The room forgets what it was told of a track's link when that is replaced.
            let event = demand::event(id.clone(), track.demand.told(), &track.rids());
            self.outputs.push_back(Output::Event { room, event });
        }
        let track = self.tracks.insert(track);
        self.links[key].up.insert(line, track);
        self.track_by_id.insert(id, track);
        let Some(of) = self.rooms.get_mut(&room) else { return };
        of.tracks.push(track);
        for other in of.links.clone() {
            self.subscribe(other, track);
        }
        self.mix_track(room, track);
    }

    fn remove_track(&mut self, id: &TrackId) {
        let Some(key) = self.track_by_id.remove(id) else { return };
        if let Some(room) = self.room_of(key) {
            self.unmix_track(room, key);
        }
        let track = self.tracks.remove(key);
        if let Some(owner) = track.owner.link().and_then(|owner| self.links.get_mut(owner)) {
            owner.up.remove(&track.line);
            owner.session.release(track.line);
            owner.to_offer = true;
            if let Some(room) = self.rooms.get_mut(&owner.room) {
                room.tracks.retain(|other| *other != key);
            }
        }
        for subscription in track.subscriptions {
            if let Some(link) = self.links.get_mut(subscription.link) {
                link.down.remove(&subscription.line);
                link.wishes.remove(id);
                link.session.release(subscription.line);
                link.to_offer = true;
            }
        }
    }

    fn watch(&mut self, now: Instant, key: usize, wish: Subscribe) {
        let link = &mut self.links[key];
        link.bandwidth.divide_at = now;
        if let Some(track) = self.track_by_id.get(&wish.track)
            && let Some(subscription) = self.tracks[*track].subscription_mut(key)
        {
            subscription.wish = Some(wish.clone());
        }
        self.watch_mix(key, &wish);
        let link = &mut self.links[key];
        link.wishes.insert(wish.track.clone(), wish);
    }

    fn answer(&mut self, now: Instant, name: &LinkId, n: Negotiation, sdp: &str) {
        let Some(&key) = self.by_name.get(name) else { return };
        let link = &mut self.links[key];
        if let Err(why) = link.session.answer(n, sdp) {
            let (room, why) = (link.room, why.to_string());
            let event = MediaEvent::AnswerRefused { link: name.clone(), n, why };
            self.outputs.push_back(Output::Event { room, event });
            return;
        }
        // What changed while this offer was out is in the next one.
        link.to_offer = true;
        link.bandwidth.divide_at = now;
        let ufrag = link.session.ufrag();
        self.demux.name(key as u32, ufrag);
        self.wake_subscriptions(now, key);
        self.drain(now, key);
    }

    /// Makes the offers that are due. Called once a batch, so that what came together is offered
    /// together.
    pub(super) fn offer(&mut self) {
        for (key, link) in &mut self.links {
            if !std::mem::take(&mut link.to_offer) {
                continue;
            }
            let Some(offer) = link.session.offer() else { continue };
            self.demux.name(key as u32, link.session.ufrag());
            let event = MediaEvent::Offer { link: link.name.clone(), n: offer.n, sdp: offer.sdp, tracks: offer.tracks };
            self.outputs.push_back(Output::Event { room: link.room, event });
        }
    }

    fn say_goodbye(&mut self, key: usize) {
        let link = &mut self.links[key];
        link.session.close();
        while let crate::session::SessionOutput::Transmit(transmit) = link.session.poll_output() {
            self.outputs.push_back(Output::Transmit(transmit));
        }
        self.close(key);
    }

    /// Forgets a link, and what was published on it.
    pub(super) fn close(&mut self, key: usize) {
        let Some(room) = self.links.get(key).map(|link| link.room) else { return };
        let published: Vec<TrackKey> = self.links[key].up.values().copied().collect();
        for track in published {
            self.unmix_track(room, track);
        }
        self.drop_mix(key);
        self.leave_mix(room, key);
        let link = self.links.remove(key);
        self.by_name.remove(&link.name);
        self.demux.forget(key as u32);
        self.dirty.retain(|dirty| *dirty != key);
        for track in link.up.into_values() {
            let id = self.tracks[track].id.clone();
            self.remove_track(&id);
            if let Some(room) = self.rooms.get_mut(&link.room) {
                room.tracks.retain(|other| *other != track);
            }
        }
        for track in link.down.into_values() {
            self.tracks[track].subscriptions.retain(|subscription| subscription.link != key);
        }
        if let Some(room) = self.rooms.get_mut(&link.room) {
            room.links.retain(|other| *other != key);
            if room.links.is_empty() {
                self.rooms.remove(&link.room);
            }
        }
    }

    fn end(&mut self, room: RoomKey) {
        let links = self.rooms.get(&room).map(|room| room.links.clone()).unwrap_or_default();
        for key in links {
            self.say_goodbye(key);
        }
        self.rooms.remove(&room);
    }
}
