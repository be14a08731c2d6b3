//! A few times a second: who speaks, what each receiver gets and why, which layers are needed.

use std::time::{Duration, Instant};

use madang_protocol::{
    BitsPerSecond, Delivery, DeliveryReason, MediaEvent, ParticipantId, Rid, TrackKind, TrackSource,
};
use smallvec::SmallVec;

use super::{
    Link, Output, RoomKey, Sfu,
    allocator::{Allocation, Candidate, Decision, Rank, Sending, Shortage, Wanted},
    demand::{self, Need},
    layers::LayerSet,
    link::{Path, TrackKey},
    select::Target,
    speakers::last_speakers,
    track::{MediaRoom, Owner, Track},
};
use crate::session::{Estimate, LayerId};

/// How often rooms are looked after.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// How often a receiver's bandwidth is divided anew where nothing calls for it earlier.
const DIVIDE: Duration = Duration::from_millis(500);

/// What is sent over a slower path, in bits per second, is paced packet by packet.
const SLOW: u64 = 1_500_000;

/// A layer that is needed and has not come for this long is one that its publisher can't send.
const STALLED: Duration = Duration::from_secs(3);

/// What layers take whose bit rate has not been measured, by their height in pixels at most.
const GUESSES: [(u32, u64); 4] = [(180, 150_000), (360, 500_000), (720, 1_700_000), (u32::MAX, 3_000_000)];

impl Sfu {
    /// The estimate of what can be sent to a receiver has changed.
    pub(super) fn estimated(&mut self, now: Instant, key: usize, estimate: Estimate) {
        let Some(link) = self.links.get_mut(key) else { return };
        link.bandwidth.path = Path::of(estimate.loss);
        // A path that loses for want of room is not helped by more, nor is padding, which is made
        // of repeated packets.
        let enough = link.bandwidth.shortage == Shortage::None && estimate.rate > link.bandwidth.used;
        link.session.repeat_twice(link.bandwidth.path == Path::Lossy && enough);
        let estimate = estimate.rate;
        let former = link.bandwidth.estimated(estimate);
        // A fall is answered at once, so that no queue grows; a rise can wait for its turn, except
        // where nothing is to be seen.
        if estimate < former || link.bandwidth.shortage == Shortage::All {
            let rate = link.bandwidth.expected(former);
            self.divide_rate(now, key, rate);
        }
    }

    pub(super) fn adapt(&mut self, now: Instant) {
        let mut rooms = std::mem::take(&mut self.rooms);
        for (key, room) in &mut rooms {
            self.listen(now, *key, room);
        }
        self.rooms = rooms;
        self.tell_mixers_speakers(now);
        for key in 0..self.links.capacity() {
            let due = |link: &Link| link.connected && link.bandwidth.divide_at <= now;
            if self.links.get(key).is_some_and(due) {
                self.divide(now, key);
            }
            self.settle_mix(now, key);
        }
        for place in 0..self.tracks.capacity() {
            self.follow_need(now, place);
            self.ask_keyframes(now, place);
        }
    }

    /// Who speaks in a room, and whose picture is shown where there are too many.
    fn listen(&mut self, now: Instant, key: RoomKey, room: &mut MediaRoom) {
        let Self { tracks, links, config, .. } = self;
        let loud = room.tracks.iter().filter_map(|place| {
            let track = tracks.get_mut(*place).filter(|track| track.is_microphone())?;
            track.voice.is_speaking(now).then(|| (*place, track.voice.loudness()))
        });
        room.speakers.update(loud);
        let who = |place: &TrackKey| links.get(tracks.get(*place)?.owner.link()?).map(|link| link.participant.clone());
        let mut speaking: Vec<ParticipantId> = Vec::new();
        for participant in room.speakers.list().iter().filter_map(who) {
            if !speaking.contains(&participant) {
                speaking.push(participant);
            }
        }
        let owner = |place: &TrackKey| tracks.get(*place).and_then(|track| track.owner.link());
        room.speaking.clear();
        room.speaking.extend(room.speakers.list().iter().filter_map(owner));
        let cameras = || room.tracks.iter().filter(|place| tracks.get(**place).is_some_and(Track::is_camera));
        room.on_stage = (cameras().count() > config.last_n).then(|| {
            let owners: Vec<usize> = cameras().filter_map(owner).collect();
            last_speakers(config.last_n, room.on_stage.as_deref().unwrap_or_default(), &room.speaking, &owners)
        });
        if speaking != room.told {
            room.told.clone_from(&speaking);
            let event = MediaEvent::Speakers { participants: speaking };
            self.outputs.push_back(Output::Event { room: key, event });
        }
    }

    /// Decides what a receiver gets of each track.
    pub(super) fn divide(&mut self, now: Instant, key: usize) {
        let rate = self.links.get(key).map_or(0, |link| link.bandwidth.available());
        self.divide_rate(now, key, rate);
    }

    fn divide_rate(&mut self, now: Instant, key: usize, rate: u64) {
        let Some(link) = self.links.get_mut(key) else { return };
        link.bandwidth.divide_at = now + DIVIDE;
        let Some(room) = self.rooms.get(&link.room) else { return };
        let (mut sound, mut wanted) = (0, Vec::new());
        let mut places: Vec<TrackKey> = link.down.values().copied().collect();
        places.sort_unstable();
        for &place in &places {
            let Some(track) = self.tracks.get_mut(place) else { continue };
            if track.kind == TrackKind::Audio {
                sound += track.sound_rate(now);
                track.decide_sound(key, place);
                continue;
            }
            let owner = track.owner.link();
            let speaks = owner.is_some_and(|owner| room.speaking.contains(&owner));
            let stage = room.on_stage.as_ref().zip(owner);
            let on_stage = stage.is_none_or(|(stage, owner)| stage.contains(&owner));
            wanted.extend(track.wanted(now, key, place, speaks, on_stage));
        }
        let rate = BitsPerSecond(rate);
        link.allocator.hold_back(link.bandwidth.is_falling());
        let allocation = link.allocator.allocate(now, Some(rate), link.bandwidth.limit, BitsPerSecond(sound), &wanted);
        link.bandwidth.used = allocation.total.0;
        link.bandwidth.least = allocation.least.0;
        self.ask_bandwidth(now, key, &allocation);
        for decision in allocation.decisions {
            self.decided(key, decision);
        }
        for place in places {
            self.tell_delivery(key, place);
            self.ask_keyframes(now, place);
        }
    }

    /// Tells the estimator what to find out: whether all of it would go through.
    fn ask_bandwidth(&mut self, now: Instant, key: usize, allocation: &Allocation<TrackKey>) {
        let Some(link) = self.links.get_mut(key) else { return };
        let estimate = link.bandwidth.estimate;
        // What waits in a pacer is too much after a fall, and is better lost than late.
        link.session.set_paced(now, estimate < SLOW && !allocation.falling, &mut self.packets);
        let desired = allocation.desired.0.min(link.bandwidth.limit.map_or(u64::MAX, |limit| limit.0));
        let former = link.bandwidth.desired;
        if former.abs_diff(desired) > former.max(desired) / 20 {
            link.bandwidth.desired = desired;
            link.session.set_desired(desired);
        }
        link.bandwidth.shortage = allocation.shortage();
        self.gather(now);
    }

    fn decided(&mut self, key: usize, decision: Decision<TrackKey>) {
        let Some(track) = self.tracks.get_mut(decision.key) else { return };
        let Some(subscription) = track.subscription_mut(key) else { return };
        if decision.target.is_none()
            && subscription.selector.current().is_some()
            && let Some(link) = self.links.get_mut(key)
        {
            link.session.forget_sent(subscription.line);
        }
        subscription.selector.set_target(decision.target);
        subscription.decision = Some(decision);
    }

    /// Tells a receiver in which layer it gets a picture, when that has changed.
    fn tell_delivery(&mut self, key: usize, place: TrackKey) {
        let (Some(link), Some(track)) = (self.links.get(key), self.tracks.get_mut(place)) else { return };
        if track.kind == TrackKind::Audio {
            return;
        }
        let (id, rids) = (track.id.clone(), track.rids());
        let Some(subscription) = track.subscription_mut(key) else { return };
        let Some(decision) = &subscription.decision else { return };
        let delivery = Delivery {
            link: link.name.clone(),
            track: id,
            paused: decision.target.is_none(),
            layer: decision.target.and_then(|target| rids.get(usize::from(target.layer.0)).cloned()),
            height: decision.height.filter(|_| decision.target.is_some()),
            temporal: decision.target.and_then(|target| target.temporal),
            available_bps: Some(BitsPerSecond(link.bandwidth.estimate)),
            reason: decision.reason,
        };
        let told = subscription.told.as_ref();
        let same = told.is_some_and(|told| Delivery { available_bps: told.available_bps, ..delivery.clone() } == *told);
        if !same {
            subscription.told = Some(delivery.clone());
            self.outputs.push_back(Output::Event { room: link.room, event: MediaEvent::Delivery(delivery) });
        }
    }

    /// Tells a publisher which layers somebody needs.
    fn follow_need(&mut self, now: Instant, place: TrackKey) {
        let mixed = self.choose_mixed(now, place);
        let Some(track) = self.tracks.get_mut(place) else { return };
        if track.kind == TrackKind::Audio {
            return;
        }
        let live = track.live(now);
        let mut need = Need::default();
        if let Some((current, target, height)) = mixed {
            need.add(current, target, Some(height));
        }
        for subscription in track.subscriptions.iter().filter(|subscription| subscription.open) {
            let target = subscription.selector.target().map(|target| target.layer);
            let height = subscription.wish.as_ref().and_then(|wish| wish.height);
            if target.is_some() {
                need.add(subscription.selector.current(), target, height);
            }
        }
        for (layer, missing) in (0..).map(LayerId).zip(&mut track.missing) {
            let absent = need.layers.contains(layer) && !live.contains(layer) && !track.muted;
            *missing = if absent { missing.or(Some(now)) } else { None };
        }
        let owner = match track.owner {
            Owner::Link(owner) => owner,
            Owner::Mixer(room, mixed) => {
                // One that is needed again after a moment costs no keyframe.
                let told = track.demand.update(now, need).unwrap_or(track.demand.told());
                return self.demand_mixed(room, mixed, place, told.layers);
            }
        };
        let Some(told) = track.demand.update(now, need) else { return };
        let event = demand::event(track.id.clone(), told, &track.rids());
        if let Some(owner) = self.links.get(owner) {
            self.outputs.push_back(Output::Event { room: owner.room, event });
        }
    }

    /// How many subscriptions there are by why they get what they get.
    pub(super) fn deliveries(&self) -> [u64; 7] {
        let mut counts = [0; 7];
        let subscriptions = self.tracks.iter().flat_map(|(_, track)| &track.subscriptions);
        for decision in subscriptions.filter_map(|subscription| subscription.decision.as_ref()) {
            counts[decision.reason as usize] += 1;
        }
        counts
    }
}

impl Track {
    fn is_microphone(&self) -> bool {
        self.kind == TrackKind::Audio && self.source != TrackSource::Screen
    }

    fn is_camera(&self) -> bool {
        self.kind == TrackKind::Video && self.source != TrackSource::Screen
    }

    pub(super) fn rids(&self) -> SmallVec<[Rid; 3]> {
        self.layers.iter().filter_map(|layer| layer.rid.map(Rid::from)).collect()
    }

    /// Sound is forwarded whole, unless its receiver does not want it or its publisher is muted.
    fn decide_sound(&mut self, link: usize, place: TrackKey) {
        let muted = self.muted;
        let Some(subscription) = self.subscription_mut(link) else { return };
        let reason = match &subscription.wish {
            Some(wish) if !wish.on => DeliveryReason::NotWatched,
            _ if muted => DeliveryReason::Muted,
            _ => DeliveryReason::Best,
        };
        let target = (reason == DeliveryReason::Best).then_some(Target { layer: LayerId(0), temporal: None });
        subscription.selector.set_target(target);
        subscription.decision = Some(Decision { key: place, target, height: None, rate: BitsPerSecond(0), reason });
    }

    /// The picture as one that a receiver may get.
    fn wanted(
        &mut self,
        now: Instant,
        link: usize,
        place: TrackKey,
        speaks: bool,
        on_stage: bool,
    ) -> Option<Wanted<TrackKey>> {
        let live = self.live(now);
        let layers = self.candidates(now, live);
        let rank = match self.source {
            TrackSource::Screen => Rank::Screen,
            _ if speaks => Rank::Speaker,
            _ => Rank::Other,
        };
        let (muted, camera) = (self.muted, self.is_camera());
        let wish = self.subscription_mut(link)?.wish.as_ref();
        let withheld = match wish {
            Some(wish) if !wish.on => Some(DeliveryReason::NotWatched),
            _ if muted => Some(DeliveryReason::Muted),
            _ if camera && !on_stage => Some(DeliveryReason::NotSpeaking),
            _ => None,
        };
        let (priority, height) = wish.map_or((0, None), |wish| (wish.priority, wish.height));
        Some(Wanted { key: place, rank, priority, height, withheld, layers })
    }

    fn candidates(&mut self, now: Instant, live: LayerSet) -> SmallVec<[Candidate; 3]> {
        let (missing, most) = (self.missing, self.most);
        let candidates = self.layers.iter_mut().zip((0..).map(LayerId)).map(|(layer, id)| {
            let stalled =
                missing[usize::from(id.0)].is_some_and(|since| now.saturating_duration_since(since) > STALLED);
            let sending = match live.contains(id) {
                true => Sending::Live,
                false if stalled || id > most => Sending::Stalled,
                false => Sending::Asleep,
            };
            let height = layer.height;
            let mut rates: SmallVec<[BitsPerSecond; 3]> =
                layer.meter.measure(now).iter().copied().map(BitsPerSecond).collect();
            if rates.is_empty() {
                rates.push(BitsPerSecond(guess(height)));
            }
            Candidate { layer: id, sending, height, rates }
        });
        candidates.collect()
    }
}

fn guess(height: Option<u32>) -> u64 {
    let height = height.unwrap_or(720);
    GUESSES.iter().find(|(most, _)| height <= *most).map_or(3_000_000, |(_, rate)| *rate)
}
