//! stub
use super::*;
use crate::session::*;
impl Sfu {
    pub(super) fn forward(&mut self, now: Instant, key: usize, packet: MediaPacket) {
        self.counters.received += 1;
        let Self { links, tracks, counters, dirty, .. } = self;
        let Some(link) = links.get(key) else { return };
        let Some(track) = link.up.get(&packet.line).and_then(|place| tracks.get_mut(*place)) else { return };
        for subscription in &mut track.subscriptions {
            let Some(receiver) = links.get_mut(subscription.link) else { continue };
            if !receiver.session.can_send(subscription.line) {
                continue;
            }
            counters.forwarded += 1;
            receiver.session.write(
                subscription.line,
                OutgoingPacket {
                    payload_type: packet.payload_type,
                    seq: packet.seq,
                    timestamp: packet.timestamp,
                    at: now,
                    marker: packet.marker,
                    payload: packet.payload.clone(),
                    vp8: None,
                    audio_level: packet.audio_level,
                    orientation: packet.orientation,
                    repeatable: true,
                },
            );
            if !receiver.dirty {
                receiver.dirty = true;
                dirty.push(subscription.link);
            }
        }
        if !dirty.is_empty() {
            self.flush_at.get_or_insert(now + self.config.gather);
        }
    }
    pub(super) fn keyframe_wanted(&mut self, _: Instant, _: usize, _: Line) {}
    pub(super) fn wake_subscriptions(&mut self, _: Instant, _: usize) {}
}
