//! The hot path: a packet that came in, on to everyone who gets its track.

use std::{sync::Arc, time::Instant};

use madang_protocol::TrackKind;
use smallvec::SmallVec;

use super::{
    Sfu,
    layers::LayerSet,
    rewrite::{Incoming, Numbers, Outcome},
    select::Verdict,
    track::Subscription,
};
use crate::{
    payload::PayloadInfo,
    session::{Line, MediaPacket, OutgoingPacket, VideoCodec},
};

/// A packet and all that is known of it.
struct Arrived<'a> {
    packet: &'a MediaPacket,
    info: &'a PayloadInfo,
    codec: Option<VideoCodec>,
    /// The layers that its publisher sends at present.
    live: LayerSet,
}

impl Sfu {
    pub(super) fn forward(&mut self, now: Instant, key: usize, packet: MediaPacket) {
        self.counters.received += 1;
        let Self { links, tracks, counters, dirty, .. } = self;
        let Some(link) = links.get(key) else { return };
        let Some(track) = link.up.get(&packet.line).and_then(|place| tracks.get_mut(*place)) else { return };
        let codec = link.codec.filter(|_| track.kind == TrackKind::Video);
        let info = match (track.kind, codec) {
            (TrackKind::Video, Some(codec)) => PayloadInfo::parse(codec, &packet.payload).unwrap_or_default(),
            _ => PayloadInfo::SOUND,
        };
        track.saw(now, &packet, &info);
        // Whoever gets this layer can't ask for what the forwarder has not got itself.
        let ask = packet.lost && track.kind == TrackKind::Video && track.keyframes.request(now, packet.layer);
        let place = link.up.get(&packet.line).copied().filter(|_| ask);
        let arrived = Arrived { packet: &packet, info: &info, codec, live: track.activity.live(now) };
        let mut smaller: SmallVec<[(usize, Line, OutgoingPacket); 1]> = SmallVec::new();
        for subscription in &mut track.subscriptions {
            let former = subscription.selector.current();
            let Some(outgoing) = subscription.pass(now, &arrived) else { continue };
            let Some(receiver) = links.get_mut(subscription.link) else { continue };
            counters.forwarded += 1;
            counters.forwarded_bytes += packet.payload.len() as u64;
            let begins = subscription.selector.current() != former;
            if begins && former.is_none_or(|former| former > packet.layer) {
                smaller.push((subscription.link, subscription.line, outgoing));
                continue;
            }
            receiver.session.write(subscription.line, outgoing);
            if !receiver.dirty {
                receiver.dirty = true;
                dirty.push(subscription.link);
            }
        }
        if let Some(place) = place {
            self.ask_keyframe(now, place, packet.layer);
        }
        for (receiver, line, outgoing) in smaller {
            self.begin_smaller(now, receiver, line, outgoing);
        }
        if !self.dirty.is_empty() {
            self.flush_at.get_or_insert(now + self.config.gather);
        }
    }

    /// Sends the first packet of a smaller layer, or after a pause. A path that was too full for
    /// what it had must not carry that again: what was sent of it, and waits to be, is not repeated.
    fn begin_smaller(&mut self, now: Instant, key: usize, line: Line, outgoing: OutgoingPacket) {
        let Some(receiver) = self.links.get_mut(key) else { return };
        receiver.session.handle_timeout(now);
        self.drain(now, key);
        if let Some(receiver) = self.links.get_mut(key) {
            receiver.session.forget_sent(line);
            receiver.session.write(line, outgoing);
            self.touch(now, key);
        }
    }

    /// A receiver asks for a keyframe of what it gets on a line.
    pub(super) fn keyframe_wanted(&mut self, now: Instant, key: usize, line: Line) {
        self.counters.keyframes_wanted += 1;
        let Some(&place) = self.links.get(key).and_then(|link| link.down.get(&line)) else { return };
        let Some(track) = self.tracks.get_mut(place) else { return };
        let live = track.activity.live(now);
        let current = track.subscription_mut(key).and_then(|subscription| subscription.selector.current());
        let Some(layer) = current.or_else(|| live.iter().next()) else { return };
        if track.keyframes.request(now, layer) {
            self.ask_keyframe(now, place, layer);
        }
    }

    /// Asks for the keyframes that a track's subscriptions wait for.
    pub(super) fn ask_keyframes(&mut self, now: Instant, place: usize) {
        let Some(track) = self.tracks.get_mut(place) else { return };
        if track.kind == TrackKind::Audio {
            return;
        }
        let live = track.activity.live(now);
        let open = track.subscriptions.iter().filter(|subscription| subscription.open);
        let wanted: LayerSet = open.filter_map(|subscription| subscription.selector.want_keyframe(live)).collect();
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
        let (owner, line) = (track.owner, track.line);
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
            if let Some(subscription) = self.tracks.get_mut(*place).and_then(|track| track.subscription_mut(key)) {
                subscription.open = link.session.can_send(*line);
            }
        }
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
            Outcome::Send(numbers) => Some(arrived.outgoing(now, &numbers)),
            Outcome::Empty { seq, timestamp } => Some(arrived.empty(now, seq, timestamp)),
            Outcome::Nothing => None,
        }
    }
}

impl Arrived<'_> {
    fn outgoing(&self, now: Instant, numbers: &Numbers) -> OutgoingPacket {
        let packet = self.packet;
        OutgoingPacket {
            payload_type: packet.payload_type,
            seq: numbers.seq,
            timestamp: numbers.timestamp,
            at: now,
            marker: packet.marker,
            payload: self.payload(numbers),
            vp8: (self.codec == Some(VideoCodec::Vp8)).then(|| numbers.vp8()),
            audio_level: packet.audio_level,
            orientation: packet.orientation,
            repeatable: self.codec.is_some(),
        }
    }

    /// The payload is shared. VP9's numbers are written into a copy where they differ; str0m
    /// writes VP8's while it seals.
    fn payload(&self, numbers: &Numbers) -> Arc<[u8]> {
        let shared = &self.packet.payload;
        let changed = self.info.picture_id.map(|id| id.value) != numbers.picture_id
            || self.info.tl0.map(|tl0| tl0.value) != numbers.tl0;
        if self.codec != Some(VideoCodec::Vp9) || !changed {
            return shared.clone();
        }
        let mut payload = shared.to_vec();
        if let (Some(field), Some(value)) = (self.info.picture_id, numbers.picture_id) {
            field.write(&mut payload, value);
        }
        if let (Some(field), Some(value)) = (self.info.tl0, numbers.tl0) {
            field.write(&mut payload, value);
        }
        payload.into()
    }

    /// A packet without payload, in place of one that was left out too late.
    fn empty(&self, now: Instant, seq: u64, timestamp: u32) -> OutgoingPacket {
        OutgoingPacket {
            payload_type: self.packet.payload_type,
            seq,
            timestamp,
            at: now,
            marker: false,
            payload: Arc::from([]),
            vp8: None,
            audio_level: None,
            orientation: None,
            repeatable: false,
        }
    }
}
