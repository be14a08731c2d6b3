//! The server's side of offer and answer: which lines there are, what each is for, and when
//! the next offer is due. One offer is out at a time; what changes meanwhile is in the next.

use std::collections::BTreeMap;

use madang_protocol::{Mid as MidName, Negotiation as Number, TrackId, TrackKind};
use str0m::{
    Rtc,
    change::{SdpAnswer, SdpPendingOffer},
    channel::{ChannelConfig, ChannelId, Reliability},
    media::{Direction, MediaKind, Mid, Rid, Simulcast, SimulcastLayer},
};

use super::{DataChannel, LayerId, Line, error::SessionError};

/// What a line is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The other end sends this track on it.
    Receive(TrackId),
    /// It gets this track on it.
    Send(TrackId),
    /// Nothing at present; the next track of its kind takes it.
    Idle,
}

/// A media description.
#[derive(Debug)]
pub(super) struct MediaLine {
    pub(super) mid: Mid,
    pub(super) kind: TrackKind,
    pub(super) purpose: Purpose,
    /// RIDs from the smallest layer to the largest; empty without simulcast.
    pub(super) rids: Vec<Rid>,
    /// Made to be sent on. Lines keep their direction for life.
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
        let sends = matches!(purpose, Purpose::Send(_));
        Self { mid, kind, purpose, rids: Vec::new(), sends, settled: true }
    }

    fn direction(&self) -> Direction {
        match self.purpose {
            Purpose::Receive(_) => Direction::RecvOnly,
            Purpose::Send(_) => Direction::SendOnly,
            Purpose::Idle => Direction::Inactive,
        }
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

#[derive(Default)]
pub(super) struct Negotiation {
    pub(super) lines: Vec<MediaLine>,
    pub(super) channels: [Option<ChannelId>; 2],
    /// Offers open the data channels: the server's do.
    offers_channels: bool,
    newest: u32,
    pending: Option<SdpPendingOffer>,
    /// Lines asked for since the last offer: their place, with the mid to come.
    changed: bool,
    restart: bool,
}

impl Negotiation {
    pub(super) fn new(offers_channels: bool) -> Self {
        Self { offers_channels, ..Self::default() }
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
        let sends = matches!(purpose, Purpose::Send(_));
        let fits = |line: &MediaLine| {
            line.purpose == Purpose::Idle
                && line.settled
                && line.kind == kind
                && line.sends == sends
                && line.rids == rids
        };
        if let Some(index) = self.lines.iter().position(fits) {
            let line = &mut self.lines[index];
            line.purpose = purpose;
            line.settled = false;
            return u16::try_from(index).ok().map(Line);
        }
        let index = u16::try_from(self.lines.len()).ok()?;
        self.lines.push(MediaLine { mid: Mid::from("?"), kind, purpose, rids: rids.to_vec(), sends, settled: false });
        Some(Line(index))
    }

    pub(super) fn release(&mut self, line: Line) {
        if let Some(line) = self.lines.get_mut(usize::from(line.0)) {
            line.purpose = Purpose::Idle;
            line.settled = false;
            self.changed = true;
        }
    }

    pub(super) fn restart(&mut self) {
        self.restart = true;
    }

    /// The next offer, when something has changed and no other is out.
    pub(super) fn offer(&mut self, rtc: &mut Rtc) -> Option<Offer> {
        let first = self.offers_channels && self.channels[0].is_none();
        if self.pending.is_some() || !(first || self.changed || self.restart) {
            return None;
        }
        let mut api = rtc.sdp_api();
        if first {
            // The application line comes first, so that a link without tracks has a line too.
            for channel in [DataChannel::Reliable, DataChannel::Lossy] {
                self.channels[channel as usize] = Some(api.add_channel_with_config(channel_config(channel)));
            }
        }
        for line in self.lines.iter_mut().filter(|line| !line.settled) {
            if line.mid == Mid::from("?") {
                let kind = match line.kind {
                    TrackKind::Audio => MediaKind::Audio,
                    TrackKind::Video => MediaKind::Video,
                };
                line.mid = api.add_media(kind, line.direction(), None, None, layers(line));
            } else {
                api.set_direction(line.mid, line.direction());
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
        let tracks = self.lines.iter().filter_map(|line| match &line.purpose {
            Purpose::Receive(track) | Purpose::Send(track) => Some((MidName(line.mid.to_string()), track.clone())),
            Purpose::Idle => None,
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
