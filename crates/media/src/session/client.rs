//! The participant's side of offer and answer on a link to the server.

use std::collections::BTreeMap;

use madang_protocol::{Mid as MidName, TrackId, TrackKind};
use str0m::{
    change::SdpOffer,
    media::{Direction, MediaKind, Mid, Rid},
};

use super::{
    DataChannel, Line, Session, SessionError, check_size,
    negotiation::{MediaLine, Purpose, channel_config},
};

/// A line of an offer that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientLine {
    /// Its place.
    pub line: Line,
    /// Sound or picture.
    pub kind: TrackKind,
    /// Which track it carries; `None` while it is idle.
    pub track: Option<TrackId>,
    /// Whether this end sends on it.
    pub sends: bool,
    /// The layers it is sent in, from the smallest.
    pub rids: Vec<String>,
}

impl Session {
    /// Answers the server's offer. `tracks` are those that came with it. Returns the answer and
    /// every line.
    ///
    /// # Errors
    /// When the offer can't be read or does not fit.
    pub fn accept(
        &mut self,
        sdp: &str,
        tracks: &BTreeMap<MidName, TrackId>,
    ) -> Result<(String, Vec<ClientLine>), SessionError> {
        check_size(sdp)?;
        let offer = SdpOffer::from_sdp_string(sdp).map_err(|why| SessionError::Sdp(why.to_string()))?;
        let answer = self.rtc.sdp_api().accept_offer(offer)?;
        self.open_channels();
        self.find_lines(sdp, tracks);
        Ok((answer.to_sdp_string(), self.lines()))
    }

    /// Makes this end of the data channels, if it is not there yet.
    pub(super) fn open_channels(&mut self) {
        if self.negotiation.channels[0].is_none() {
            for channel in [DataChannel::Reliable, DataChannel::Lossy] {
                let id = self.rtc.direct_api().create_data_channel(channel_config(channel));
                self.negotiation.channels[channel as usize] = Some(id);
            }
        }
    }

    /// Every line by direction: one that carries a track each way is there twice.
    pub(super) fn lines(&self) -> Vec<ClientLine> {
        let of_line = |(index, line): (usize, &MediaLine)| {
            let Purpose { sends, receives } = line.purpose.clone();
            let part = |track: Option<TrackId>, sends| ClientLine {
                line: Line(u16::try_from(index).unwrap_or(u16::MAX)),
                kind: line.kind,
                track,
                sends,
                rids: line.rids.iter().map(|rid| rid.to_string()).collect(),
            };
            let idle = line.purpose.is_idle().then(|| part(None, false));
            let sent = sends.map(|track| part(Some(track), true));
            let received = receives.map(|track| part(Some(track), false));
            [sent, received, idle].into_iter().flatten()
        };
        self.negotiation.lines.iter().enumerate().flat_map(of_line).collect()
    }

    fn find_lines(&mut self, sdp: &str, tracks: &BTreeMap<MidName, TrackId>) {
        for name in sdp.lines().filter_map(|line| line.strip_prefix("a=mid:")) {
            let mid = Mid::from(name.trim());
            let Some(media) = self.rtc.media(mid) else { continue };
            let kind = if media.kind() == MediaKind::Audio { TrackKind::Audio } else { TrackKind::Video };
            let track = tracks.get(&MidName(name.trim().to_owned())).cloned();
            let purpose = match (media.direction(), track) {
                (Direction::SendOnly | Direction::SendRecv, Some(track)) => Purpose::send(track),
                (Direction::RecvOnly, Some(track)) => Purpose::receive(track),
                _ => Purpose::default(),
            };
            let line = MediaLine::of_offer(mid, kind, purpose);
            let Some(place) = self.negotiation.lines.iter().position(|known| known.mid == mid) else {
                self.negotiation.lines.push(line);
                continue;
            };
            let former = std::mem::replace(&mut self.negotiation.lines[place].purpose, line.purpose);
            let ends = former.sends.is_some() && former != self.negotiation.lines[place].purpose;
            if let Some(place) = u16::try_from(place).ok().filter(|_| ends) {
                self.outgoing.release(Line(place));
            }
        }
        self.find_client_streams();
    }

    /// Offers to send a track in layers, by RID from the smallest; in one layer when there is
    /// none. For servers that leave offers to their clients; takes effect with the next
    /// [`Session::offer`], which has no data channels then.
    pub fn send_layers(&mut self, track: TrackId, kind: TrackKind, rids: &[&str]) -> Option<Line> {
        let rids: Vec<Rid> = rids.iter().map(|rid| Rid::from(*rid)).collect();
        self.negotiation.take(kind, Purpose::send(track), &rids)
    }

    /// The layers that the offer asked for; their streams are there already.
    pub(super) fn find_client_streams(&mut self) {
        for line in &mut self.negotiation.lines {
            if line.purpose.sends.is_some() && line.rids.is_empty() {
                let mut api = self.rtc.direct_api();
                let offered = ["l", "m", "h"].map(Rid::from).into_iter();
                line.rids = offered.filter(|rid| api.stream_tx_by_mid(line.mid, Some(*rid)).is_some()).collect();
            }
        }
        self.find_outgoing();
    }

    /// The payload type that a line sends a codec in, by its name in SDP.
    #[must_use]
    pub fn payload_type(&self, codec: &str) -> Option<u8> {
        let mut params = self.rtc.codec_config().params().iter();
        let named =
            |params: &&str0m::format::PayloadParams| params.spec().codec.to_string().eq_ignore_ascii_case(codec);
        params.find(named).map(|params| *params.pt())
    }
}
