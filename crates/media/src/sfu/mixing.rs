//! Rooms that are mixed for somebody: what goes into a room's mixer, and what comes out of it to
//! links.
//!
//! A mixed picture is a track like any other, with a layer for each rendition, whose owner is the
//! mixer: its viewers' layers, keyframes and numbers are found as those of forwarded tracks. Mixed
//! sound is numbered for each link, for each may hear another mix.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::{LinkId, MediaEvent, Mix, MixState, Person, Subscribe, TrackInfo, TrackKind, TrackSource};

use super::{
    Mixing, Output, RoomKey, Sfu,
    demand::Demand,
    layers::LayerSet,
    link::TrackKey,
    track::{MixedTrack, Owner, Subscription, Track, mixed_layers},
};
use crate::{
    mcu::{Job, Mixer, MixerId, MixerOutput, Take, Video, VideoFrame},
    payload::{Patch, PayloadInfo},
    session::{AudioLevel, LayerId, Line, MediaPacket, OutgoingPacket, SenderReport, VideoCodec},
};

/// Who goes over to the mix, or from it, gets both until the new flows, but for no longer than this.
const OVERLAP: Duration = Duration::from_secs(3);

/// A room's mixer, and its pictures as tracks.
pub(super) struct RoomMix {
    mixer: Mixer,
    tracks: Vec<(MixedTrack, TrackKey)>,
}

/// The mix that a link gets.
pub(super) struct LinkMix {
    pub(super) mix: Mix,
    /// Which picture of the mixer's; `None` for sound alone.
    picture: Option<usize>,
    pub(super) video: Option<Line>,
    sound: Option<Line>,
    /// In which payload type its sound goes, once that is agreed on.
    sound_type: Option<u8>,
    /// It hears everybody by themselves.
    is_silent: bool,
    /// Numbers of sound.
    seq: u64,
    phase: Phase,
    since: Instant,
}

/// Of a link that gets a mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Everybody's tracks still come.
    Coming,
    /// The mix alone.
    On,
    /// Everybody's tracks are to come again.
    Going,
}

impl LinkMix {
    /// Whether everybody's tracks are given to the link, too.
    pub(super) fn takes_others(&self) -> bool {
        self.phase == Phase::Going
    }
}

impl Sfu {
    /// A link is to get a mix, another one, or none any more.
    pub(super) fn mix(&mut self, now: Instant, key: usize, mix: Option<Mix>) {
        match (mix, self.links[key].mix.is_some()) {
            (Some(mix), true) => self.change_mix(now, key, mix),
            (Some(mix), false) => self.begin_mix(now, key, mix, Phase::Coming),
            (None, true) => self.end_mix(now, key),
            (None, false) => {}
        }
    }

    /// The same for a link that is just opened, and gets nothing else.
    pub(super) fn open_mixed(&mut self, now: Instant, key: usize, mix: Mix) {
        self.begin_mix(now, key, mix, Phase::On);
    }

    fn begin_mix(&mut self, now: Instant, key: usize, mix: Mix, phase: Phase) {
        if self.config.mixer.is_none() {
            return;
        }
        let link = &mut self.links[key];
        let (room, wish) = (link.room, link.wish(&mix.video).cloned());
        let sound = link.session.send_track(mix.audio.clone(), TrackKind::Audio);
        let video = link.mix_codec.and_then(|_| link.session.send_track(mix.video.clone(), TrackKind::Video));
        let codec = link.mix_codec.filter(|_| video.is_some());
        link.to_offer = true;
        let Some(room_mix) = self.room_mix(now, room) else { return };
        let picture = room_mix.mixer.take(now, key, take(&mix, codec));
        let mixed = picture.zip(codec).map(|(picture, codec)| MixedTrack { picture, codec });
        let place = mixed.map(|mixed| self.mixed_track(now, room, mixed, &mix));
        let link = &mut self.links[key];
        let is_silent = phase == Phase::Coming;
        link.mix = Some(LinkMix { mix, picture, video, sound, sound_type: None, is_silent, seq: 1, phase, since: now });
        if let (Some(line), Some(place)) = (video, place) {
            link.down.insert(line, place);
            self.tracks[place].subscriptions.push(Subscription::new(key, line, wish, TrackKind::Video));
        }
    }

    /// Another picture on the same line: numbers go on.
    fn change_mix(&mut self, now: Instant, key: usize, mix: Mix) {
        let (room, codec) = (self.links[key].room, self.links[key].mix_codec);
        let Some(room_mix) = self.room_mix(now, room) else { return };
        let picture = room_mix.mixer.take(now, key, take(&mix, codec));
        let place =
            picture.zip(codec).map(|(picture, codec)| self.mixed_track(now, room, MixedTrack { picture, codec }, &mix));
        let Some(link_mix) = self.links.get_mut(key).and_then(|link| link.mix.as_mut()) else { return };
        (link_mix.mix, link_mix.picture) = (mix, picture);
        if link_mix.phase == Phase::Going {
            (link_mix.phase, link_mix.since, link_mix.is_silent) = (Phase::Coming, now, true);
        }
        let Some((line, place)) = link_mix.video.zip(place) else { return };
        let former = self.links[key].down.insert(line, place);
        let Some(former) = former.filter(|former| *former != place) else { return };
        let Some(of) = self.tracks.get_mut(former) else { return };
        let Some(index) = of.subscriptions.iter().position(|subscription| subscription.link == key) else { return };
        let mut subscription = of.subscriptions.swap_remove(index);
        subscription.selector.begin_anew();
        self.tracks[place].subscriptions.push(subscription);
        self.forget_unwatched(room);
        self.links[key].bandwidth.divide_at = now;
    }

    fn end_mix(&mut self, now: Instant, key: usize) {
        let Some(mix) = self.links[key].mix.as_mut().filter(|mix| mix.phase != Phase::Going) else { return };
        (mix.phase, mix.since) = (Phase::Going, now);
        // The room has forgotten it: a mix that is taken again is watched as if for the first time.
        let video = mix.mix.video.clone();
        let link = &mut self.links[key];
        link.wishes.remove(&video);
        let room = link.room;
        let others = self.rooms.get(&room).map(|room| room.tracks.clone()).unwrap_or_default();
        // Those that it has had all along stay as they are.
        for track in others {
            self.subscribe(key, track);
        }
        self.settle_mix(now, key);
    }

    /// Lets go of what a link got before, once the new flows.
    pub(super) fn settle_mix(&mut self, now: Instant, key: usize) {
        let Self { links, tracks, .. } = self;
        let Some(link) = links.get_mut(key) else { return };
        let Some(mix) = &mut link.mix else { return };
        let waited = now.saturating_duration_since(mix.since) >= OVERLAP;
        let flows = |line: Line, place: &TrackKey| {
            let subscriptions = tracks.get(*place).into_iter().flat_map(|track| &track.subscriptions);
            subscriptions.filter(|of| of.link == key && of.line == line).any(|of| of.selector.current().is_some())
        };
        let is_picture = |place: &TrackKey| tracks.get(*place).is_some_and(|track| track.kind == TrackKind::Video);
        mix.sound_type = mix.sound.and_then(|line| link.session.sound_type(line));
        let others = link.down.iter().filter(|(line, _)| Some(**line) != mix.video);
        match mix.phase {
            Phase::On => {}
            Phase::Coming => {
                let shows = mix.video.is_none_or(|line| link.down.get(&line).is_some_and(|place| flows(line, place)));
                // Without sound on the new way nobody is to lose the old.
                if mix.sound.is_some_and(|line| link.session.can_send(line)) && (shows || waited) {
                    self.drop_others(key);
                }
            }
            Phase::Going => {
                let (pictures, sounds): (Vec<_>, Vec<_>) = others.partition(|(_, place)| is_picture(place));
                mix.is_silent = sounds.iter().all(|(line, _)| link.session.can_send(**line));
                let shows = pictures.is_empty() || pictures.iter().any(|(line, place)| flows(**line, place));
                if mix.is_silent && (shows || waited) {
                    self.drop_mix(key);
                }
            }
        }
    }

    fn drop_others(&mut self, key: usize) {
        let link = &mut self.links[key];
        let Some(mix) = &mut link.mix else { return };
        (mix.phase, mix.is_silent) = (Phase::On, false);
        let kept = mix.video;
        let dropped: Vec<_> = link.down.extract_if(|line, _| Some(*line) != kept).collect();
        link.to_offer |= !dropped.is_empty();
        for (line, place) in dropped {
            link.session.release(line);
            if let Some(track) = self.tracks.get_mut(place) {
                track.subscriptions.retain(|subscription| subscription.link != key);
            }
        }
    }

    /// A link gets no mix any more: at once.
    pub(super) fn drop_mix(&mut self, key: usize) {
        let Some(link) = self.links.get_mut(key) else { return };
        let (room, Some(mix)) = (link.room, link.mix.take()) else { return };
        link.to_offer = true;
        link.wishes.remove(&mix.mix.video);
        for line in [mix.sound, mix.video].into_iter().flatten() {
            link.session.release(line);
            if let Some(track) = link.down.remove(&line).and_then(|place| self.tracks.get_mut(place)) {
                track.subscriptions.retain(|subscription| subscription.link != key);
            }
        }
        if let Some(room_mix) = self.rooms.get_mut(&room).and_then(|room| room.mix.as_mut()) {
            room_mix.mixer.leave(key);
        }
        self.forget_unwatched(room);
    }

    /// A link is closed: nothing of it is mixed any more.
    pub(super) fn leave_mix(&mut self, room: RoomKey, key: usize) {
        if let Some(room_mix) = self.rooms.get_mut(&room).and_then(|room| room.mix.as_mut()) {
            room_mix.mixer.forget(key);
        }
        self.forget_unwatched(room);
    }

    /// Pictures that nobody watches are no tracks any more, and a mixer without viewers is gone.
    fn forget_unwatched(&mut self, key: RoomKey) {
        let Some(room) = self.rooms.get_mut(&key) else { return };
        let Some(room_mix) = &mut room.mix else { return };
        let tracks = &mut self.tracks;
        room_mix.tracks.retain(|(_, place)| {
            let is_watched = tracks.get(*place).is_some_and(|track| !track.subscriptions.is_empty());
            if !is_watched {
                tracks.try_remove(*place);
            }
            is_watched
        });
        if room_mix.mixer.is_idle() {
            for place in &room.tracks {
                if let Some(track) = tracks.get_mut(*place) {
                    track.is_mixed = false;
                }
            }
            if room_mix.mixer.is_full() {
                self.outputs.push_back(Output::Event { room: key, event: MediaEvent::MixFull { why: None } });
            }
            self.mixers.remove(&room_mix.mixer.id());
            self.gone.add_past(&room_mix.mixer.counters());
            room.mix = None;
        }
    }

    /// The room's mixer; made, with everybody in it, where there is none.
    fn room_mix(&mut self, now: Instant, key: RoomKey) -> Option<&mut RoomMix> {
        let config = self.config.mixer.clone()?;
        let room = self.rooms.entry(key).or_default();
        if room.mix.is_none() {
            self.newest_mixer += 1;
            let id = MixerId(self.newest_mixer);
            let mut mixer = Mixer::new(id, config, rand::random(), now);
            for link in &room.links {
                if let Some(of) = self.links.get(*link) {
                    mixer.person(*link, &of.participant, &of.person);
                }
            }
            for place in &room.tracks {
                if let Some(track) = self.tracks.get_mut(*place) {
                    add_to(&mut mixer, *place, track);
                }
            }
            self.mixers.insert(id, key);
            room.mix = Some(Box::new(RoomMix { mixer, tracks: Vec::new() }));
        }
        room.mix.as_deref_mut()
    }

    /// A mixed picture in a codec, as a track.
    fn mixed_track(&mut self, now: Instant, room: RoomKey, mixed: MixedTrack, mix: &Mix) -> TrackKey {
        let known = self.rooms.get(&room).and_then(|room| room.mix.as_ref());
        let known = known.and_then(|known| known.tracks.iter().find(|(of, _)| *of == mixed)).map(|(_, place)| *place);
        if let Some(place) = known {
            return place;
        }
        let height = self.config.mixer.as_ref().and_then(|config| u32::try_from(config.size.1).ok());
        let info = TrackInfo {
            id: mix.video.clone(),
            cid: String::new(),
            kind: TrackKind::Video,
            source: TrackSource::Camera,
            muted: false,
            simulcast: true,
            width: None,
            height,
        };
        let mut track = Track::new(info, Owner::Mixer(room, mixed), Line(0), mixed_layers(), now);
        track.demand = Demand::new(now, 0);
        if let Some(mixer) = self.mixer_mut(room) {
            track.most = mixer.most();
        }
        let place = self.tracks.insert(track);
        if let Some(room_mix) = self.rooms.get_mut(&room).and_then(|room| room.mix.as_mut()) {
            room_mix.tracks.push((mixed, place));
        }
        place
    }

    fn mixer_mut(&mut self, room: RoomKey) -> Option<&mut Mixer> {
        Some(&mut self.rooms.get_mut(&room)?.mix.as_mut()?.mixer)
    }

    /// A track has come into a room that is mixed.
    pub(super) fn mix_track(&mut self, room: RoomKey, place: TrackKey) {
        let Self { rooms, tracks, .. } = self;
        if let Some(mix) = rooms.get_mut(&room).and_then(|room| room.mix.as_mut())
            && let Some(track) = tracks.get_mut(place)
        {
            add_to(&mut mix.mixer, place, track);
        }
    }

    pub(super) fn unmix_track(&mut self, room: RoomKey, place: TrackKey) {
        if let Some(mixer) = self.mixer_mut(room) {
            mixer.remove_track(place);
        }
    }

    pub(super) fn mute_mixed(&mut self, room: RoomKey, place: TrackKey, muted: bool) {
        if let Some(mixer) = self.mixer_mut(room) {
            mixer.mute(place, muted);
        }
    }

    /// Somebody is called so from now on.
    pub(super) fn describe(&mut self, key: usize, person: Person) {
        let link = &mut self.links[key];
        let (room, participant) = (link.room, link.participant.clone());
        link.person = person.clone();
        if let Some(mixer) = self.mixer_mut(room) {
            mixer.person(key, &participant, &person);
        }
    }

    /// A packet of a track that is mixed.
    pub(super) fn feed_mixer(
        &mut self,
        now: Instant,
        room: RoomKey,
        place: TrackKey,
        packet: &MediaPacket,
        video: Option<&Video<'_>>,
    ) {
        let Some(mixer) = self.mixer_mut(room) else { return };
        match video {
            Some(video) => {
                mixer.picture(now, place, packet, video);
                self.drain_mixer(now, room);
            }
            None => mixer.sound(now, place, packet),
        }
    }

    /// What a track's publisher has to send for the mix: see [`Mixer::choose`].
    pub(super) fn choose_mixed(
        &mut self,
        now: Instant,
        place: TrackKey,
    ) -> Option<(Option<LayerId>, Option<LayerId>, u32)> {
        let Self { rooms, tracks, links, .. } = self;
        let track = tracks.get(place).filter(|track| track.is_mixed)?;
        let room = links.get(track.owner.link()?)?.room;
        let mixer = &mut rooms.get_mut(&room)?.mix.as_mut()?.mixer;
        let heights: Vec<_> = track.layers.iter().map(|layer| layer.height).collect();
        mixer.choose(place, &heights, track.live(now))
    }

    /// The layer of a track that the mixer needs a keyframe of.
    pub(super) fn keyframe_for_mixer(&self, now: Instant, place: TrackKey) -> Option<LayerId> {
        let track = self.tracks.get(place).filter(|track| track.is_mixed)?;
        let room = self.links.get(track.owner.link()?)?.room;
        self.rooms.get(&room)?.mix.as_ref()?.mixer.wants_keyframe(place, track.live(now))
    }

    /// Which layers of a mixed picture its viewers need.
    pub(super) fn demand_mixed(&mut self, room: RoomKey, mixed: MixedTrack, place: TrackKey, layers: LayerSet) {
        if let Some(track) = self.tracks.get_mut(place) {
            if track.made == layers {
                return;
            }
            track.made = layers;
        }
        if let Some(mixer) = self.mixer_mut(room) {
            mixer.demand(mixed.picture, mixed.codec, layers);
        }
    }

    pub(super) fn keyframe_of_mixed(&mut self, room: RoomKey, mixed: MixedTrack, layer: LayerId) {
        if let Some(mixer) = self.mixer_mut(room) {
            mixer.keyframe(mixed.picture, mixed.codec, layer);
        }
    }

    /// A job has been run.
    pub(super) fn done(&mut self, now: Instant, job: Job) {
        let Some(room) = self.mixers.get(&job.mixer()).copied() else { return };
        if let Some(mixer) = self.mixer_mut(room) {
            mixer.done(now, job);
            self.drain_mixer(now, room);
        }
    }

    /// Lets time pass for all mixers.
    pub(super) fn mixers_timeout(&mut self, now: Instant) {
        let rooms: Vec<RoomKey> = self.mixers.values().copied().collect();
        for room in rooms {
            if let Some(mixer) = self.mixer_mut(room)
                && mixer.timeout(now).is_some_and(|at| at <= now)
            {
                mixer.handle_timeout(now);
                self.drain_mixer(now, room);
            }
        }
    }

    /// When [`Self::mixers_timeout`] is to be called next.
    pub(super) fn mixers_due(&self, now: Instant) -> Option<Instant> {
        let mixers = self.mixers.values().filter_map(|room| self.rooms.get(room)?.mix.as_ref());
        mixers.filter_map(|mix| mix.mixer.timeout(now)).min()
    }

    fn drain_mixer(&mut self, now: Instant, room: RoomKey) {
        while let Some(output) = self.mixer_mut(room).and_then(Mixer::poll_output) {
            match output {
                MixerOutput::Job(job) => self.outputs.push_back(Output::Job(job)),
                MixerOutput::Sound { listeners, time, at, begins, payload } => {
                    // A job that was late may name a link that is another's by now, in another room.
                    let is_here = |link: &usize| self.links.get(*link).is_some_and(|link| link.room == room);
                    let listeners: Vec<usize> = listeners.into_iter().filter(is_here).collect();
                    for link in listeners {
                        self.send_sound(now, link, (time, at, begins), &payload);
                    }
                }
                MixerOutput::Video { picture, frame, timestamp, at } => {
                    self.send_picture(now, room, picture, frame, (timestamp, at));
                }
                MixerOutput::State { picture, state } => self.tell_state(room, picture, &state),
                MixerOutput::Most => self.limit_mixed(now, room),
                MixerOutput::Full(why) => {
                    self.outputs.push_back(Output::Event { room, event: MediaEvent::MixFull { why } });
                }
            }
        }
        self.gather(now);
    }

    /// There are larger renditions than before, or no such large ones: viewers get what comes next.
    fn limit_mixed(&mut self, now: Instant, room: RoomKey) {
        let Some(mix) = self.rooms.get(&room).and_then(|room| room.mix.as_ref()) else { return };
        for (_, place) in &mix.tracks {
            let Some(track) = self.tracks.get_mut(*place) else { continue };
            track.most = mix.mixer.most();
            for subscription in &track.subscriptions {
                if let Some(link) = self.links.get_mut(subscription.link) {
                    link.bandwidth.divide_at = now;
                }
            }
        }
    }

    fn send_sound(&mut self, now: Instant, key: usize, (time, at, begins): (u64, Instant, bool), payload: &Arc<[u8]>) {
        let Self { links, packets, counters, .. } = self;
        let Some(link) = links.get_mut(key) else { return };
        // Whoever still hears everybody by themselves does not hear them twice.
        let Some(mix) = link.mix.as_mut().filter(|mix| !mix.is_silent) else { return };
        let Some((line, payload_type)) = mix.sound.zip(mix.sound_type) else { return };
        #[expect(clippy::cast_possible_truncation, reason = "RTP timestamps wrap")]
        let packet = OutgoingPacket {
            payload_type,
            seq: mix.seq,
            timestamp: time as u32,
            at,
            marker: begins,
            payload: Arc::clone(payload),
            patch: Patch::default(),
            audio_level: None::<AudioLevel>,
            orientation: None,
            repeatable: false,
        };
        mix.seq += 1;
        counters.forwarded += 1;
        counters.forwarded_bytes += payload.len() as u64;
        link.session.write_to(now, line, packet, packets);
    }

    fn send_picture(
        &mut self,
        now: Instant,
        room: RoomKey,
        picture: usize,
        frame: VideoFrame,
        (timestamp, at): (u64, Instant),
    ) {
        let VideoFrame { codec, layer, seq, payloads } = frame;
        let mixed = MixedTrack { picture, codec };
        let mix = self.rooms.get(&room).and_then(|room| room.mix.as_ref());
        let Some(place) = mix.and_then(|mix| mix.tracks.iter().find(|(of, _)| *of == mixed)).map(|(_, place)| *place)
        else {
            return;
        };
        let last = payloads.len().saturating_sub(1);
        for (index, payload) in payloads.into_iter().enumerate() {
            #[expect(clippy::cast_possible_truncation, reason = "RTP timestamps wrap")]
            let packet = MediaPacket {
                line: Line(0),
                layer,
                payload_type: 0,
                seq: seq + index as u64,
                timestamp: timestamp as u32,
                marker: index == last,
                lost: false,
                payload: payload.into(),
                audio_level: None,
                orientation: None,
                // All layers share one clock, exactly.
                report: Some(SenderReport { at_us: timestamp * 100 / 9, timestamp: timestamp as u32 }),
            };
            let info = PayloadInfo::parse(codec, &packet.payload).unwrap_or_default();
            self.pass_on(now, at, place, &packet, &info, Some(codec));
        }
    }

    fn tell_state(&mut self, room: RoomKey, picture: usize, state: &MixState) {
        let links = self.rooms.get(&room).map(|room| room.links.as_slice()).unwrap_or_default();
        let viewers = links.iter().filter_map(|key| self.links.get(*key));
        let viewers = viewers.filter(|link| link.mix.as_ref().is_some_and(|mix| mix.picture == Some(picture)));
        let names: Vec<LinkId> = viewers.map(|link| link.name.clone()).collect();
        for link in names {
            self.outputs.push_back(Output::Event { room, event: MediaEvent::MixState { link, state: state.clone() } });
        }
    }

    /// How a link watches its mix.
    pub(super) fn watch_mix(&mut self, key: usize, wish: &Subscribe) {
        let link = &self.links[key];
        let line = link.mix.as_ref().filter(|mix| mix.mix.video == wish.track).and_then(|mix| mix.video);
        let Some(place) = line.and_then(|line| link.down.get(&line)).copied() else { return };
        if let Some(subscription) = self.tracks.get_mut(place).and_then(|track| track.subscription_mut(key)) {
            subscription.wish = Some(wish.clone());
        }
    }

    /// Whose microphones speak in rooms that are mixed.
    pub(super) fn tell_mixers_speakers(&mut self, now: Instant) {
        for key in self.mixers.values() {
            if let Some(room) = self.rooms.get_mut(key)
                && let Some(mix) = &mut room.mix
            {
                mix.mixer.speaking(now, &room.speaking);
            }
        }
    }

    /// What all mixers have counted.
    pub(super) fn mixing(&self) -> Mixing {
        let mut sum = self.gone;
        let mixers = self.mixers.values().filter_map(|room| self.rooms.get(room)?.mix.as_ref());
        mixers.for_each(|mix| sum.add(&mix.mixer.counters()));
        sum
    }
}

fn take(mix: &Mix, codec: Option<VideoCodec>) -> Take {
    Take { layout: mix.layout.clone(), hide_self: mix.hide_self, codec }
}

fn add_to(mixer: &mut Mixer, place: TrackKey, track: &mut Track) {
    let Some(link) = track.owner.link() else { return };
    let is_screen = track.source == TrackSource::Screen;
    track.is_mixed = true;
    match track.kind {
        TrackKind::Audio => mixer.add_sound(place, link, is_screen, track.muted),
        TrackKind::Video => mixer.add_picture(place, link, is_screen, track.muted),
    }
}
