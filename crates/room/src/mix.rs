//! The mix: who gets it in place of everybody's tracks, and how it looks.
//!
//! What somebody wishes is kept whatever becomes of the room: in one that the server forwards for,
//! it decides who gets the mix; in a mesh it rests; a mixed room gives the mix to everyone, each
//! in the layout that they chose.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::{
    MediaCommand, Mix, MixEvent, MixLayout, ParticipantId, ServerMessage, TakeMix, Topology, TopologyPolicy, TrackId,
};

use crate::{
    ids::Ids,
    refusal::Refusal,
    room::{Room, Timer},
    roster::{Order, Participant},
    topology, validate,
};

/// One person's picture changes no more often: each change may cost the mixer a canvas, encoders
/// and a keyframe.
const PACE: Duration = Duration::from_millis(500);

/// The tracks of a room's mix: the same names for everyone, in nobody's list of tracks.
#[derive(Debug)]
pub(crate) struct MixTracks {
    audio: TrackId,
    pub(crate) video: TrackId,
}

impl MixTracks {
    pub(crate) fn new(ids: &mut Ids) -> Self {
        Self { audio: ids.track(), video: ids.track() }
    }

    pub(crate) fn contain(&self, track: &TrackId) -> bool {
        *track == self.audio || *track == self.video
    }
}

/// What somebody wishes of the mix.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct MixWish {
    /// To get it where the server forwards.
    on: bool,
    /// `None` for the server's usual.
    layout: Option<MixLayout>,
    hide_self: bool,
}

/// When somebody's wishes come true who has many.
#[derive(Debug, Default)]
pub(crate) struct MixPace {
    changed: Option<Instant>,
    /// The newest wish, while it waits.
    next: Option<MixWish>,
}

/// A picture is made once for all who get the same.
#[derive(Clone, Debug, PartialEq)]
struct Picture {
    layout: MixLayout,
    hidden: Option<ParticipantId>,
}

impl Room {
    pub(crate) fn take_mix(&mut self, order: Order, take: TakeMix) -> Result<(), Refusal> {
        take.layout.as_ref().map_or(Ok(()), validate::layout)?;
        let topology = self.topology_for(take.on)?;
        let Some(me) = self.roster.get(order) else { return Ok(()) };
        let former = me.mix_pace.next.as_ref().unwrap_or(&me.mix_wish);
        let wish = MixWish {
            // A mixed room asks nobody; what they wished before comes true when it is one no more.
            on: if topology == Topology::Mcu { former.on } else { take.on },
            layout: take.layout.or_else(|| former.layout.clone()),
            hide_self: take.hide_self.unwrap_or(former.hide_self),
        };
        self.check_wish(me, &wish, topology)?;
        let changes = self.picture_for(me, &wish, topology) != self.picture_for(me, &me.mix_wish, self.topology);
        match self.mix_rests_until(me) {
            Some(until) if changes && topology == self.topology => self.put_off(order, wish, until),
            _ => self.grant_wish(order, wish, topology),
        }
        Ok(())
    }

    /// Until when somebody's mix stays as it is, after it has changed a moment ago.
    fn mix_rests_until(&self, me: &Participant) -> Option<Instant> {
        let until = me.mix_pace.changed? + PACE;
        self.now.is_some_and(|now| now < until).then_some(until)
    }

    fn put_off(&mut self, order: Order, wish: MixWish, until: Instant) {
        if let Some(me) = self.roster.get_mut(order) {
            me.mix_pace.next = Some(wish);
            self.timers.insert(Timer::Mix(order), until);
        }
    }

    /// The newest wish of somebody who had many comes true, if there is a place for it still: it
    /// holds none while it waits.
    pub(crate) fn take_next_mix(&mut self, order: Order) {
        let Some(wish) = self.roster.get_mut(order).and_then(|me| me.mix_pace.next.take()) else { return };
        let Some(me) = self.roster.get(order) else { return };
        // What rests in a mesh is to fit where it comes true.
        let topology = if self.topology == Topology::Mesh { Topology::Sfu } else { self.topology };
        match self.check_wish(me, &wish, topology) {
            Ok(()) => self.grant_wish(order, wish, self.topology),
            Err(refusal) => self.tell(order, Arc::new(ServerMessage::Error(refusal.into_failure(false)))),
        }
    }

    fn grant_wish(&mut self, order: Order, wish: MixWish, topology: Topology) {
        self.timers.remove(&Timer::Mix(order));
        let Some(me) = self.roster.get_mut(order) else { return };
        let former = me.mix.clone();
        me.mix_wish = wish;
        me.mix_pace.next = None;
        if topology != self.topology {
            self.move_to(topology, "Somebody takes the mix, which the server makes.");
        } else if self.settle_mix(order) {
            self.command_mix(order);
        }
        let now = self.now;
        if let Some(me) = self.roster.get_mut(order).filter(|me| me.mix != former) {
            me.mix_pace.changed = now;
        }
    }

    /// The topology in which somebody can have the mix, or do without: the present one, or the
    /// one that an automatic room moves to.
    fn topology_for(&self, on: bool) -> Result<Topology, Refusal> {
        match (self.topology, self.policy) {
            (Topology::Mcu, _) if !on => Err(Refusal::MixedForEveryone),
            (Topology::Mesh, TopologyPolicy::Auto) if on => {
                let everyone = self.roster.iter().map(|participant| &participant.capabilities);
                topology::admit(Topology::Sfu, everyone)?;
                Ok(Topology::Sfu)
            }
            (Topology::Mesh, _) if on => Err(Refusal::NoMixInMesh),
            (topology, _) => Ok(topology),
        }
    }

    /// Checks that the mixer can do what somebody wishes beside what it does for the others.
    fn check_wish(&self, me: &Participant, wish: &MixWish, topology: Topology) -> Result<(), Refusal> {
        let Some(picture) = self.picture_for(me, wish, topology) else { return Ok(()) };
        let mut pictures = self.pictures(topology, Some(me.order));
        if me.mix.is_none() {
            self.check_mixer()?;
        }
        if pictures.contains(&picture) {
            return Ok(());
        }
        pictures.push(picture);
        if pictures.len() > self.settings.mix.pictures.max(1) as usize {
            return Err(Refusal::Pictures(self.settings.mix.pictures.max(1)));
        }
        if pictures.len() > self.pictures(topology, None).len() {
            self.check_mixer()?;
        }
        Ok(())
    }

    /// Checks that the mixer takes anybody or anything more.
    pub(crate) fn check_mixer(&self) -> Result<(), Refusal> {
        self.mixer_full.clone().map_or(Ok(()), |why| Err(Refusal::MixerFull(why)))
    }

    /// What there is to be seen in this topology, by all but `except`. In a mixed room the usual
    /// picture counts always: a newcomer is to find a place for it.
    fn pictures(&self, topology: Topology, except: Option<Order>) -> Vec<Picture> {
        let mut pictures = Vec::new();
        if topology == Topology::Mcu {
            pictures.push(self.usual_picture());
        }
        for viewer in self.roster.iter().filter(|participant| Some(participant.order) != except) {
            let picture = self.picture_for(viewer, &viewer.mix_wish, topology);
            pictures.extend(picture.filter(|picture| !pictures.contains(picture)));
        }
        pictures
    }

    fn usual_picture(&self) -> Picture {
        Picture { layout: self.settings.mix.layout.clone(), hidden: None }
    }

    /// What somebody with this wish would see of the mix; `None` where they get none.
    fn picture_for(&self, viewer: &Participant, wish: &MixWish, topology: Topology) -> Option<Picture> {
        let gets_it = match topology {
            Topology::Mesh => false,
            Topology::Sfu => wish.on,
            Topology::Mcu => true,
        };
        gets_it.then(|| Picture {
            layout: wish.layout.clone().unwrap_or_else(|| self.settings.mix.layout.clone()),
            hidden: wish.hide_self.then(|| viewer.info.id.clone()),
        })
    }

    /// What somebody gets follows their wish and the topology; they are told where that changes.
    /// Returns whether it did, which the media server has to be told then.
    pub(crate) fn settle_mix(&mut self, order: Order) -> bool {
        let Some(me) = self.roster.get(order) else { return false };
        let mix = self.picture_for(me, &me.mix_wish, self.topology).map(|picture| Mix {
            audio: self.mix_tracks.audio.clone(),
            video: self.mix_tracks.video.clone(),
            layout: picture.layout,
            hide_self: picture.hidden.is_some(),
        });
        if mix == me.mix {
            return false;
        }
        let other_tracks = mix.is_some() != me.mix.is_some();
        if let Some(me) = self.roster.get_mut(order) {
            me.mix.clone_from(&mix);
            if mix.is_none() {
                me.wishes.forget(&self.mix_tracks.video);
            }
        }
        if other_tracks && let Some(served) = self.served_mut(order) {
            served.receives_other_tracks();
        }
        self.emit(order, Arc::new(ServerMessage::Mix(MixEvent { mix })));
        true
    }

    /// The same for everyone, after the room has moved: their links are about to be opened anew.
    pub(crate) fn settle_mixes(&mut self) {
        if self.topology == Topology::Mcu {
            self.fit_pictures();
        }
        for order in self.roster.orders() {
            self.settle_mix(order);
        }
    }

    /// Of pictures that would be too many in a room that is mixed for everyone, those of people
    /// who had the mix before stay, and of people who came first.
    fn fit_pictures(&mut self) {
        let mut pictures = vec![self.usual_picture()];
        let mut too_many = Vec::new();
        let mut viewers: Vec<&Participant> = self.roster.iter().collect();
        viewers.sort_by_key(|viewer| viewer.mix.is_none());
        for viewer in viewers {
            let Some(picture) = self.picture_for(viewer, &viewer.mix_wish, self.topology) else { continue };
            if pictures.contains(&picture) {
                continue;
            }
            if pictures.len() < self.settings.mix.pictures as usize {
                pictures.push(picture);
            } else {
                too_many.push(viewer.order);
            }
        }
        for order in too_many {
            if let Some(viewer) = self.roster.get_mut(order) {
                viewer.mix_wish = MixWish { on: viewer.mix_wish.on, ..MixWish::default() };
            }
        }
    }

    /// Tells the media server what a participant gets. With everybody's tracks it hears again how
    /// they are watched.
    fn command_mix(&mut self, order: Order) {
        let Some(mix) = self.roster.get(order).map(|me| me.mix.clone()) else { return };
        let Some(link) = self.server_link(order).map(|link| link.id.clone()) else { return };
        let is_given_up = mix.is_none();
        self.command(MediaCommand::Mix { link, mix });
        if is_given_up {
            self.command_wishes_of(order);
        }
    }
}
