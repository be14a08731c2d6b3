//! The offerer's side of offer and answer: which lines there are, what each is for, and when
//! the next offer is due. One offer is out at a time; what changes meanwhile is in the next.

use std::collections::BTreeMap;

use madang_protocol::{Mid as MidName, Negotiation as Number, TrackId, TrackKind};
use str0m::{
    Rtc,
    change::{SdpAnswer, SdpPendingOffer},
    channel::{ChannelConfig, ChannelId, Reliability},
    media::{Direction, MediaKind, Mid, Rid, Simulcast, SimulcastLayer},
};

use super::{DataChannel, LayerId, Line, Role, error::SessionError};

/// The mid of a line that was not offered yet.
const NO_MID: &str = "?";

/// What a line is for. One without either is idle: the next track of its kind takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Purpose {
    /// The other end gets this track on it.
    pub(super) sends: Option<TrackId>,
    /// The other end sends this track on it.
    pub(super) receives: Option<TrackId>,
}

impl Purpose {
    pub(super) fn send(track: TrackId) -> Self {
        Self { sends: Some(track), receives: None }
    }

    pub(super) fn receive(track: TrackId) -> Self {
        Self { sends: None, receives: Some(track) }
    }

    pub(super) fn is_idle(&self) -> bool {
        *self == Self::default()
    }

    fn direction(&self) -> Direction {
        match (&self.sends, &self.receives) {
            (Some(_), Some(_)) => Direction::SendRecv,
            (Some(_), None) => Direction::SendOnly,
            (None, Some(_)) => Direction::RecvOnly,
            (None, None) => Direction::Inactive,
        }
    }
}

/// A media description.
#[derive(Debug)]
pub(super) struct MediaLine {
    pub(super) mid: Mid,
    pub(super) kind: TrackKind,
    pub(super) purpose: Purpose,
    /// RIDs from the smallest layer to the largest; empty without simulcast.
    pub(super) rids: Vec<Rid>,
    /// Made to be sent on. On links to the server lines keep their direction for life.
    sends: bool,
    /// What it is for now was in an offer; the answer to that may be on its way.
    pub(super) settled: bool,
}

impl MediaLine {
    /// The layer that packets with this RID are in. Without one it is the top layer: the other
    /// end does not do simulcast.
    pub(super) fn layer(&self, rid: Option<Rid>) -> LayerId {
        let top = self.rids.len().saturating_sub(1);
        let index = rid.and_then(|rid| self.rids.iter().position(|own| *own == rid)).unwrap_or(top);
        LayerId(u8::try_from(index).unwrap_or(u8::MAX))
    }

    /// A line that the other end has offered.
    pub(super) fn of_offer(mid: Mid, kind: TrackKind, purpose: Purpose) -> Self {
        let sends = purpose.sends.is_some();
        Self { mid, kind, purpose, rids: Vec::new(), sends, settled: true }
    }

    /// A line to be offered.
    pub(super) fn to_offer(kind: TrackKind, purpose: Purpose, rids: &[Rid]) -> Self {
        let sends = purpose.sends.is_some();
        Self { mid: Mid::from(NO_MID), kind, purpose, rids: rids.to_vec(), sends, settled: false }
    }
}

/// An offer to bring to the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its number, from 1.
    pub n: Number,
    /// RFC 8866.
    pub sdp: String,
    /// The track of each line in use.
    pub tracks: BTreeMap<MidName, TrackId>,
}

pub(super) struct Negotiation {
    pub(super) lines: Vec<MediaLine>,
    pub(super) channels: [Option<ChannelId>; 2],
    /// Which end's offers these are.
    role: Role,
    newest: u32,
    pending: Option<SdpPendingOffer>,
    /// Lines asked for since the last offer: their place, with the mid to come.
    pub(super) changed: bool,
    restart: bool,
}

impl Negotiation {
    pub(super) fn new(role: Role) -> Self {
        Self { role, lines: Vec::new(), channels: [None; 2], newest: 0, pending: None, changed: false, restart: false }
    }

    pub(super) fn line(&self, line: Line) -> Option<&MediaLine> {
        self.lines.get(usize::from(line.0))
    }

    pub(super) fn by_mid(&self, mid: Mid) -> Option<(Line, &MediaLine)> {
        let index = self.lines.iter().position(|line| line.mid == mid)?;
        Some((Line(u16::try_from(index).ok()?), &self.lines[index]))
    }

    /// A line for a track, new or idle. Its mid is real once it has been offered.
    pub(super) fn take(&mut self, kind: TrackKind, purpose: Purpose, rids: &[Rid]) -> Option<Line> {
        self.changed = true;
        let sends = purpose.sends.is_some();
        let fits = |line: &MediaLine| {
            line.purpose.is_idle() && line.settled && line.kind == kind && line.sends == sends && line.rids == rids
        };
        if let Some(index) = self.lines.iter().position(fits) {
            let line = &mut self.lines[index];
            line.purpose = purpose;
            line.settled = false;
            return u16::try_from(index).ok().map(Line);
        }
        let index = u16::try_from(self.lines.len()).ok()?;
        self.lines.push(MediaLine::to_offer(kind, purpose, rids));
        Some(Line(index))
    }

    pub(super) fn release(&mut self, line: Line) {
        if let Some(line) = self.lines.get_mut(usize::from(line.0)) {
            line.purpose = Purpose::default();
            line.settled = false;
            self.changed = true;
        }
    }

    pub(super) fn restart(&mut self) {
        self.restart = true;
    }

    /// The next offer, when something has changed and no other is out.
    pub(super) fn offer(&mut self, rtc: &mut Rtc) -> Option<Offer> {
        let first = self.role != Role::Client && self.channels[0].is_none();
        if self.pending.is_some() || !(first || self.changed || self.restart) {
            return None;
        }
        let is_peer = self.role == Role::Peer;
        let directions: Vec<_> =
            self.lines.iter().map(|line| rtc.media(line.mid).map(str0m::media::Media::direction)).collect();
        let mut api = rtc.sdp_api();
        if first {
            // The application line comes first, so that a link without tracks has a line too.
            for channel in [DataChannel::Reliable, DataChannel::Lossy] {
                self.channels[channel as usize] = Some(api.add_channel_with_config(channel_config(channel)));
            }
        }
        for (line, present) in self.lines.iter_mut().zip(directions).filter(|(line, _)| !line.settled) {
            let direction = line.purpose.direction();
            if line.mid == Mid::from(NO_MID) {
                let kind = match line.kind {
                    TrackKind::Audio => MediaKind::Audio,
                    TrackKind::Video => MediaKind::Video,
                };
                line.mid = api.add_media(kind, direction, None, None, layers(line));
            } else {
                // str0m offers again only where a direction changed; another track in the same
                // direction has to be named too.
                if is_peer && present == Some(direction) {
                    api.set_direction(line.mid, Direction::Inactive);
                }
                api.set_direction(line.mid, direction);
            }
        }
        if std::mem::take(&mut self.restart) {
            api.ice_restart(true);
        }
        self.changed = false;
        let (offer, pending) = api.apply()?;
        self.pending = Some(pending);
        for line in &mut self.lines {
            line.settled = true;
        }
        self.newest += 1;
        // Between participants each end names its own tracks alone.
        let tracks = self.lines.iter().filter_map(|line| {
            let Purpose { sends, receives } = &line.purpose;
            let track = sends.as_ref().or(receives.as_ref().filter(|_| !is_peer))?;
            Some((MidName(line.mid.to_string()), track.clone()))
        });
        Some(Offer { n: Number(self.newest), sdp: offer.to_sdp_string(), tracks: tracks.collect() })
    }

    /// Takes the answer to the offer that is out.
    pub(super) fn answer(&mut self, rtc: &mut Rtc, n: Number, answer: SdpAnswer) -> Result<(), SessionError> {
        if n.0 != self.newest {
            return Err(SessionError::Stale);
        }
        let pending = self.pending.take().ok_or(SessionError::Stale)?;
        Ok(rtc.sdp_api().accept_answer(pending, answer)?)
    }
}

fn layers(line: &MediaLine) -> Option<Simulcast> {
    if line.rids.is_empty() {
        return None;
    }
    // RFC 8853 §5.2: in the order of preference, so the largest first.
    let layers = line.rids.iter().rev().map(|rid| SimulcastLayer { rid: *rid, attributes: None }).collect();
    Some(match line.sends {
        true => Simulcast { send: layers, recv: Vec::new() },
        false => Simulcast { send: Vec::new(), recv: layers },
    })
}

/// The channel as both ends make it, without a word on the wire (RFC 8832 is not needed).
pub(super) fn channel_config(channel: DataChannel) -> ChannelConfig {
    match channel {
        DataChannel::Reliable => {
            ChannelConfig { label: "reliable".into(), negotiated: Some(0), ..ChannelConfig::default() }
        }
        DataChannel::Lossy => ChannelConfig {
            label: "lossy".into(),
            ordered: false,
            reliability: Reliability::MaxRetransmits { retransmits: 0 },
            negotiated: Some(1),
            ..ChannelConfig::default()
        },
    }
}
