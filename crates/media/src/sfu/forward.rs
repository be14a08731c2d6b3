//! The hot path: a packet that came in, on to everyone who gets its track.

use std::{sync::Arc, time::Instant};

use madang_protocol::TrackKind;

use super::{
    Sfu,
    layers::LayerSet,
    link::TrackKey,
    rewrite::{Incoming, Numbers, Outcome},
    select::Verdict,
    track::{Owner, Subscription},
};
use crate::{
    mcu::Video,
    payload::{Patch, PayloadInfo},
    session::{Line, MediaPacket, OutgoingPacket, VideoCodec},
};

/// A packet and all that is known of it.
struct Arrived<'a> {
    packet: &'a MediaPacket,
    info: &'a PayloadInfo,
    codec: Option<VideoCodec>,
    /// The layers that its publisher sends at present.
    live: LayerSet,
    /// When it was captured, as far as that is known.
    at: Instant,
}

impl Sfu {
    pub(super) fn forward(&mut self, now: Instant, key: usize, packet: MediaPacket) {
        self.counters.received += 1;
        let Some(link) = self.links.get(key) else { return };
        let Some(&place) = link.up.get(&packet.line) else { return };
        let Some(track) = self.tracks.get_mut(place) else { return };
        let codec = if track.kind == TrackKind::Video { link.codec_of(packet.payload_type) } else { None };
        let info = match (track.kind, codec) {
            (TrackKind::Video, Some(codec)) => PayloadInfo::parse(codec, &packet.payload).unwrap_or_default(),
            // Something else in the place of pictures.
            (TrackKind::Video, None) => return,
            (TrackKind::Audio, _) => PayloadInfo::SOUND,
        };
        // Others have agreed on the link's own codec alone.
        let is_forwarded = track.kind == TrackKind::Audio || codec == link.codec;
        let (room, is_mixed) = (link.room, track.is_mixed);
        track.saw(now, &packet, &info);
        // Whoever gets this layer can't ask for what the forwarder has not got itself.
        let ask = packet.lost && track.kind == TrackKind::Video && track.keyframes.request(now, packet.layer);
        if is_mixed {
            let video = codec.map(|codec| Video { info: &info, codec, live: track.live(now) });
            self.feed_mixer(now, room, place, &packet, video.as_ref());
        }
        if is_forwarded {
            self.pass_on(now, now, place, &packet, &info, codec);
        }
        if ask {
            self.ask_keyframe(now, place, packet.layer);
        }
    }

    /// Gives a track's packet, which was captured or came in at `at`, to all who get it.
    pub(super) fn pass_on(
        &mut self,
        now: Instant,
        at: Instant,
        place: TrackKey,
        packet: &MediaPacket,
        info: &PayloadInfo,
        codec: Option<VideoCodec>,
    ) {
        let Self { links, tracks, counters, dirty, packets, .. } = self;
        let Some(track) = tracks.get_mut(place) else { return };
        let live = track.live(now);
        if matches!(track.owner, Owner::Mixer(..)) {
            track.saw(at, packet, info);
        }
        let arrived = Arrived { packet, info, codec, live, at };
        for subscription in &mut track.subscriptions {
            let former = subscription.selector.current();
            let Some(mut outgoing) = subscription.pass(now, &arrived) else { continue };
            let Some(receiver) = links.get_mut(subscription.link) else { continue };
            if let Some(payload_type) = subscription.payload_type {
                outgoing.payload_type = payload_type;
            }
            counters.forwarded += 1;
            counters.forwarded_bytes += packet.payload.len() as u64;
            // The first packet of a smaller layer, or after a pause. A path that was too full for what
            // it had must not carry that again.
            let begins = subscription.selector.current() != former;
            if begins && former.is_none_or(|former| former > packet.layer) {
                receiver.session.forget_sent(subscription.line);
            }
            let waits = receiver.session.write_to(now, subscription.line, outgoing, packets);
            if waits && !receiver.dirty {
                receiver.dirty = true;
                dirty.push(subscription.link);
            }
        }
        if !(self.dirty.is_empty() && self.packets.is_empty()) {
            self.flush_at.get_or_insert(now + self.config.gather);
        }
    }

    /// A receiver asks for a keyframe of what it gets on a line.
    pub(super) fn keyframe_wanted(&mut self, now: Instant, key: usize, line: Line) {
        self.counters.keyframes_wanted += 1;
        let Some(&place) = self.links.get(key).and_then(|link| link.down.get(&line)) else { return };
        let Some(track) = self.tracks.get_mut(place) else { return };
        let live = track.live(now);
        let current = track.subscription_mut(key).and_then(|subscription| subscription.selector.current());
        let Some(layer) = current.or_else(|| live.iter().next()) else { return };
        if track.keyframes.request(now, layer) {
            self.ask_keyframe(now, place, layer);
        }
    }

    /// Asks for the keyframes that a track's subscriptions wait for.
    pub(super) fn ask_keyframes(&mut self, now: Instant, place: usize) {
        let for_mixer = self.keyframe_for_mixer(now, place);
        let Some(track) = self.tracks.get_mut(place) else { return };
        if track.kind == TrackKind::Audio {
            return;
        }
        let live = track.live(now);
        let open = track.subscriptions.iter().filter(|subscription| subscription.open);
        let wanted = open.filter_map(|subscription| subscription.selector.want_keyframe(live));
        let wanted: LayerSet = wanted.chain(for_mixer).collect();
        let mut ask = LayerSet::NONE;
        for layer in wanted.iter() {
            if track.keyframes.request(now, layer) {
                ask.insert(layer);
            }
        }
        while let Some(layer) = track.keyframes.poll(now) {
            ask.insert(layer);
        }
        for layer in ask.iter() {
            self.ask_keyframe(now, place, layer);
        }
    }

    fn ask_keyframe(&mut self, now: Instant, place: usize, layer: crate::session::LayerId) {
        let Some(track) = self.tracks.get(place) else { return };
        let line = track.line;
        let owner = match track.owner {
            Owner::Link(owner) => owner,
            Owner::Mixer(room, mixed) => return self.keyframe_of_mixed(room, mixed, layer),
        };
        if let Some(link) = self.links.get_mut(owner) {
            self.counters.keyframes_asked += 1;
            link.session.request_keyframe(line, layer);
            self.touch(now, owner);
        }
    }

    /// After an answer or a connection: which subscriptions of a link can be served now.
    pub(super) fn wake_subscriptions(&mut self, now: Instant, key: usize) {
        let Some(link) = self.links.get(key) else { return };
        for (line, place) in &link.down {
            let Some(track) = self.tracks.get_mut(*place) else { continue };
            let mixed = if let Owner::Mixer(_, mixed) = track.owner { Some(mixed) } else { None };
            if let Some(subscription) = track.subscription_mut(key) {
                subscription.payload_type = mixed.and_then(|mixed| link.session.video_type(*line, mixed.codec));
                let is_agreed = mixed.is_none() || subscription.payload_type.is_some();
                subscription.open = is_agreed && link.session.can_send(*line);
            }
        }
        self.settle_mix(now, key);
        self.divide(now, key);
    }
}

impl Subscription {
    /// What becomes of a packet for this subscription.
    fn pass(&mut self, now: Instant, arrived: &Arrived<'_>) -> Option<OutgoingPacket> {
        if !self.open {
            return None;
        }
        let Arrived { packet, info, live, .. } = *arrived;
        let verdict = self.selector.packet(packet.layer, packet.timestamp, info, live);
        if verdict == Verdict::Ignore {
            return None;
        }
        let incoming =
            Incoming { layer: packet.layer, seq: packet.seq, timestamp: packet.timestamp, report: packet.report, info };
        let outcome = match verdict {
            Verdict::Begin => self.rewriter.begin(now, &incoming),
            Verdict::Forward => self.rewriter.forward(now, &incoming),
            Verdict::LeaveOut => self.rewriter.leave_out(&incoming),
            Verdict::Ignore => Outcome::Nothing,
        };
        match outcome {
            Outcome::Send(numbers) => Some(arrived.outgoing(&numbers)),
            Outcome::Empty { seq, timestamp } => Some(arrived.empty(seq, timestamp)),
            Outcome::Nothing => None,
        }
    }
}

impl Arrived<'_> {
    fn outgoing(&self, numbers: &Numbers) -> OutgoingPacket {
        let packet = self.packet;
        OutgoingPacket {
            payload_type: packet.payload_type,
            seq: numbers.seq,
            timestamp: numbers.timestamp,
            at: self.at,
            marker: packet.marker,
            payload: packet.payload.clone(),
            patch: self.patch(numbers),
            audio_level: packet.audio_level,
            orientation: packet.orientation,
            repeatable: self.codec.is_some(),
        }
    }

    /// What stands in the shared payload otherwise than it is to be sent.
    fn patch(&self, numbers: &Numbers) -> Patch {
        let Self { info, .. } = self;
        Patch {
            picture_id: info.picture_id.zip(numbers.picture_id).filter(|(field, value)| field.value != *value),
            tl0: info.tl0.zip(numbers.tl0).filter(|(field, value)| field.value != *value),
            key_idx: info.key_idx.zip(numbers.key_idx).filter(|(field, value)| field.value != *value),
        }
    }

    /// A packet without payload, in place of one that was left out too late.
    fn empty(&self, seq: u64, timestamp: u32) -> OutgoingPacket {
        OutgoingPacket {
            payload_type: self.packet.payload_type,
            seq,
            timestamp,
            at: self.at,
            marker: false,
            payload: Arc::from([]),
            patch: Patch::default(),
            audio_level: None,
            orientation: None,
            repeatable: false,
        }
    }
}
