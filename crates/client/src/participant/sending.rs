//! One track on its way to the server: which layers are sent, and the packets of those.

use std::time::Instant;

use madang_media::session::{AudioLevel, LayerId, Line, OutgoingPacket, Session};
use madang_protocol::{Bitrate, TrackId};

use super::io::{Content, Publication};
use crate::{
    clip::{Codec, Layer},
    source::{Marks, Outgoing, Source},
    stamp::Clock,
};

/// A frame louder than this counts as speech (RFC 6464 §3, the V flag).
const VOICE: u8 = 60;

#[derive(Debug)]
pub(super) struct Sending {
    pub(super) track: TrackId,
    pub(super) line: Line,
    payload_type: u8,
    source: Source,
    /// The layers by RID, from the smallest, with what each takes; one without a name where
    /// there is no simulcast.
    layers: Vec<(Option<String>, u64)>,
}

/// What the layers of the test picture take, with RTP around them, in bits per second.
fn rate(layer: Layer) -> u64 {
    match layer {
        Layer::Low => 165_000,
        Layer::Middle => 540_000,
        Layer::High => 1_600_000,
    }
}

fn layer_of(rid: &str) -> Option<Layer> {
    Layer::ALL.into_iter().find(|layer| layer.rid() == rid)
}

/// How to make a source.
pub(super) struct Start {
    pub(super) clock: Clock,
    pub(super) now: Instant,
    pub(super) seed: u64,
}

impl Sending {
    /// Starts a publication on a line with these RIDs. `None` when the session has no payload
    /// type for its codec.
    pub(super) fn new(
        publication: &Publication,
        track: TrackId,
        line: Line,
        rids: &[String],
        session: &Session,
        start: &Start,
    ) -> Option<Self> {
        let payload_type = session.payload_type(publication.content.codec().name())?;
        let (source, layers) = match &publication.content {
            Content::Clip(clip) => {
                let source = Source::clip(clip.clone(), Marks::None, start.now, start.seed);
                (source, vec![(None, 0)])
            }
            Content::Pattern(wanted) => {
                let by_rid: Vec<_> = rids
                    .iter()
                    .filter_map(|rid| Some((rid, layer_of(rid).filter(|layer| wanted.contains(layer))?)))
                    .collect();
                let mut layers: Vec<_> =
                    by_rid.iter().map(|(rid, layer)| (Some((*rid).clone()), rate(*layer))).collect();
                let mut sizes: Vec<_> = by_rid.into_iter().map(|(_, layer)| layer).collect();
                if sizes.is_empty() {
                    let only = wanted.iter().copied().max().unwrap_or(Layer::Middle);
                    sizes.push(only);
                    layers.push((None, rate(only)));
                }
                (Source::pattern(&sizes, Marks::Stamps(start.clock), start.now, start.seed), layers)
            }
        };
        Some(Self { track, line, payload_type, source, layers })
    }

    pub(super) fn timeout(&self) -> Option<Instant> {
        self.source.timeout()
    }

    /// What all layers together take, in bits per second.
    pub(super) fn full_rate(&self) -> u64 {
        self.layers.iter().map(|(_, rate)| rate).sum()
    }

    pub(super) fn is_sound(&self) -> bool {
        self.source.codec() == Codec::Opus
    }

    /// Sends the layers that somebody watches and that fit into `available` bits per second, the
    /// smallest first. The smallest of all fits always.
    pub(super) fn limit(&mut self, wish: Option<&Bitrate>, available: Option<u64>, is_muted: bool, now: Instant) {
        let stopped = is_muted || wish.is_some_and(|wish| wish.max_send_bps.is_some_and(|most| most.0 == 0));
        let most = match (wish.and_then(|wish| wish.max_send_bps), available) {
            (Some(most), Some(available)) => Some(most.0.min(available)),
            (most, available) => most.map(|most| most.0).or(available),
        };
        let mut taken = 0;
        for (index, (rid, rate)) in self.layers.iter().enumerate() {
            let watched = match (wish.and_then(|wish| wish.layers.as_ref()), rid) {
                (Some(watched), Some(rid)) => watched.iter().any(|layer| layer.as_str() == rid),
                (Some(watched), None) => !watched.is_empty(),
                (None, _) => true,
            };
            let fits = taken == 0 || most.is_none_or(|most| taken + rate <= most);
            let is_active = watched && fits && !stopped;
            if is_active {
                taken += rate.max(&1);
            }
            self.source.set_active(index, is_active, now);
        }
    }

    pub(super) fn request_keyframe(&mut self, layer: Option<LayerId>) {
        self.source.request_keyframe(layer.map(|layer| usize::from(layer.0)));
    }

    /// Hands the packets that are due to the session; how many bytes that were.
    pub(super) fn send(&mut self, now: Instant, session: &mut Session, packets: &mut Vec<Outgoing>) -> u64 {
        packets.clear();
        self.source.poll(now, packets);
        let mut bytes = 0;
        for packet in packets.drain(..) {
            bytes += packet.payload.len() as u64;
            let level = packet.level.map(|level| AudioLevel { below_full: level.0, voice: level.0 < VOICE });
            let layer = LayerId(u8::try_from(packet.layer).unwrap_or(0));
            let out = OutgoingPacket {
                payload_type: self.payload_type,
                seq: packet.sequence,
                timestamp: packet.timestamp,
                at: now,
                marker: packet.is_marked,
                payload: packet.payload.into(),
                patch: Default::default(),
                audio_level: level,
                orientation: None,
                repeatable: level.is_none(),
            };
            session.write_in(self.line, layer, out);
        }
        bytes
    }
}
