//! Either side of offer and answer on a link between two participants (docs/protocol.md, "Media
//! descriptions"): lines carry a track each way, and each end names its own.

use std::{collections::BTreeMap, net::SocketAddr, time::Instant};

use madang_protocol::{Mid as MidName, Negotiation as Number, TrackId, TrackKind};
use str0m::{
    Input,
    change::SdpOffer,
    media::{Direction, MediaKind, Mid},
    net::{Protocol, Receive},
};

use super::{
    ClientLine, Gathered, Line, Path, Session, SessionError, Transport, check_size,
    negotiation::{MediaLine, Negotiation, Purpose},
};

/// A track of this end or of the other.
type Track = (TrackId, TrackKind);

/// What an answer to another participant's offer is.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// RFC 8866.
    pub sdp: String,
    /// This end's own tracks.
    pub tracks: BTreeMap<MidName, TrackId>,
    /// Every line by direction.
    pub lines: Vec<ClientLine>,
}

impl Session {
    /// What the next [`Session::offer`] is to carry: this end's tracks and the other's.
    pub fn plan(&mut self, own: &[Track], others: &[Track]) {
        for line in self.negotiation.plan(own, others) {
            self.outgoing.release(line);
        }
    }

    /// Takes the other participant's answer to the newest offer, with the tracks that it names as
    /// its own. Returns every line by direction.
    ///
    /// # Errors
    /// When it answers no open offer, can't be read, or does not fit.
    pub fn accept_answer(
        &mut self,
        n: Number,
        sdp: &str,
        tracks: &BTreeMap<MidName, TrackId>,
    ) -> Result<Vec<ClientLine>, SessionError> {
        self.answer(n, sdp)?;
        self.learn_candidates(sdp);
        for line in &mut self.negotiation.lines {
            let is_received = self.rtc.media(line.mid).is_some_and(|media| media.direction().is_receiving());
            let named = tracks.get(&MidName(line.mid.to_string())).cloned();
            line.purpose.receives = named.filter(|_| is_received);
        }
        Ok(self.lines())
    }

    /// Answers the other participant's offer. `tracks` came with it; `own` are this end's.
    ///
    /// # Errors
    /// When the offer can't be read or does not fit.
    pub fn accept_offer(
        &mut self,
        sdp: &str,
        tracks: &BTreeMap<MidName, TrackId>,
        own: &[Track],
    ) -> Result<Exchange, SessionError> {
        check_size(sdp)?;
        let offer = SdpOffer::from_sdp_string(sdp).map_err(|why| SessionError::Sdp(why.to_string()))?;
        let answer = self.rtc.sdp_api().accept_offer(offer)?;
        self.open_channels();
        self.learn_candidates(sdp);
        self.learn_lines(sdp);
        self.assign(tracks, own);
        let unused = self.close_unused();
        self.find_client_streams();
        self.due = self.now;
        let named = self.negotiation.lines.iter().filter_map(|line| {
            let track = line.purpose.sends.clone()?;
            Some((MidName(line.mid.to_string()), track))
        });
        let tracks = named.collect();
        Ok(Exchange { sdp: with_directions(&answer.to_sdp_string(), &unused), tracks, lines: self.lines() })
    }

    fn learn_candidates(&mut self, sdp: &str) {
        if let Some(paths) = &mut self.paths {
            paths.remote_description(sdp);
        }
    }

    /// The offer's lines, as far as they are new.
    fn learn_lines(&mut self, sdp: &str) {
        for name in sdp.lines().filter_map(|line| line.strip_prefix("a=mid:")) {
            let mid = Mid::from(name.trim());
            let Some(media) = self.rtc.media(mid) else { continue };
            if self.negotiation.by_mid(mid).is_none() {
                let kind = if media.kind() == MediaKind::Audio { TrackKind::Audio } else { TrackKind::Video };
                self.negotiation.lines.push(MediaLine::of_offer(mid, kind, Purpose::default()));
            }
        }
    }

    /// Puts this end's tracks on lines of their kind, those that have one first.
    fn assign(&mut self, tracks: &BTreeMap<MidName, TrackId>, own: &[Track]) {
        let mut left: Vec<&Track> = own.iter().collect();
        let mut released = Vec::new();
        for (index, line) in self.negotiation.lines.iter_mut().enumerate() {
            let direction = self.rtc.media(line.mid).map_or(Direction::Inactive, str0m::media::Media::direction);
            let named = tracks.get(&MidName(line.mid.to_string())).cloned();
            line.purpose.receives = named.filter(|_| direction.is_receiving());
            let Some(former) = line.purpose.sends.take() else { continue };
            match left.iter().position(|(track, _)| *track == former).filter(|_| direction.is_sending()) {
                Some(place) => {
                    left.remove(place);
                    line.purpose.sends = Some(former);
                }
                None => released.extend(u16::try_from(index).map(Line)),
            }
        }
        for line in released {
            self.outgoing.release(line);
        }
        for line in &mut self.negotiation.lines {
            let can_send = self.rtc.media(line.mid).is_some_and(|media| media.direction().is_sending());
            let fits = left.iter().position(|(_, kind)| *kind == line.kind);
            if let (true, None, Some(place)) = (can_send, &line.purpose.sends, fits) {
                line.purpose.sends = Some(left.remove(place).0.clone());
            }
        }
    }

    /// Does not send on lines that no track of this end is on; returns their directions.
    fn close_unused(&mut self) -> BTreeMap<String, Direction> {
        let mut unused = BTreeMap::new();
        for line in &self.negotiation.lines {
            let Some(media) = self.rtc.media(line.mid) else { continue };
            let direction = media.direction();
            if direction.is_sending() && line.purpose.sends.is_none() {
                let rest = if direction.is_receiving() { Direction::RecvOnly } else { Direction::Inactive };
                self.rtc.sdp_api().set_direction(line.mid, rest);
                unused.insert(line.mid.to_string(), rest);
            }
        }
        unused
    }

    /// Adds a local candidate that was found meanwhile. What the other end is to be told of it:
    /// the candidate-attribute (RFC 8839 §5.1). `None` where nothing is new.
    pub fn add_candidate(&mut self, gathered: Gathered) -> Option<String> {
        let candidate = gathered.candidate()?;
        if let Some(paths) = &mut self.paths {
            paths.add(gathered);
        }
        self.due = self.now;
        let text = self.rtc.add_local_candidate(candidate)?.to_sdp_string();
        // Its user name is told beside it: an offer that restarts ICE has another than str0m has
        // until the answer is there.
        Some(text.split_once(" ufrag ").map_or(text.as_str(), |(candidate, _)| candidate).to_owned())
    }

    /// A local candidate is gone.
    pub fn remove_candidate(&mut self, gathered: Gathered) {
        if let Some(paths) = &mut self.paths {
            paths.remove(gathered);
        }
        if let Some(candidate) = gathered.candidate() {
            self.rtc.direct_api().invalidate_candidate(&candidate);
            self.due = self.now;
        }
    }

    /// Whether a packet is for this session: a check that names it, the answer to a check of its
    /// own, or whatever comes from where its checks lead.
    #[must_use]
    pub fn accepts(&self, now: Instant, transport: Transport, from: SocketAddr, to: SocketAddr, data: &[u8]) -> bool {
        let proto = if transport == Transport::Udp { Protocol::Udp } else { Protocol::Tcp };
        Receive::new(proto, from, to, data).is_ok_and(|received| self.rtc.accepts(&Input::Receive(now, received)))
    }

    /// Which way media goes, as soon as it does.
    #[must_use]
    pub fn path(&self) -> Option<Path> {
        let way = self.outgoing.way()?;
        Some(self.paths.as_ref()?.path(way.from, way.to))
    }
}

impl Negotiation {
    /// Lines for the tracks of both ends: a track keeps its line, a new one takes one of its kind
    /// that is free in its direction, or a new one. Returns the lines whose track of this end is
    /// gone.
    fn plan(&mut self, own: &[Track], others: &[Track]) -> Vec<Line> {
        let before: Vec<Purpose> = self.lines.iter().map(|line| line.purpose.clone()).collect();
        let keep = |track: &mut Option<TrackId>, of: &[Track]| {
            track.take_if(|track| !of.iter().any(|(known, _)| known == track));
        };
        for line in &mut self.lines {
            keep(&mut line.purpose.sends, own);
            keep(&mut line.purpose.receives, others);
        }
        let sides: [(&[Track], fn(&mut Purpose) -> &mut Option<TrackId>); 2] =
            [(own, |purpose| &mut purpose.sends), (others, |purpose| &mut purpose.receives)];
        for (tracks, side) in sides {
            for (track, kind) in tracks {
                if self.lines.iter_mut().any(|line| side(&mut line.purpose).as_ref() == Some(track)) {
                    continue;
                }
                let free = self.lines.iter_mut().find_map(|line| {
                    let is_free = line.kind == *kind && side(&mut line.purpose).is_none();
                    is_free.then_some(&mut line.purpose)
                });
                let purpose = match free {
                    Some(purpose) => purpose,
                    None => {
                        self.lines.push(MediaLine::to_offer(*kind, Purpose::default(), &[]));
                        let Some(line) = self.lines.last_mut() else { continue };
                        &mut line.purpose
                    }
                };
                *side(purpose) = Some(track.clone());
            }
        }
        let mut released = Vec::new();
        for (index, (line, former)) in self.lines.iter_mut().zip(&before).enumerate() {
            if line.purpose != *former {
                line.settled = false;
                self.changed = true;
                let is_released = former.sends.is_some() && former.sends != line.purpose.sends;
                released.extend(u16::try_from(index).ok().filter(|_| is_released).map(Line));
            }
        }
        self.changed |= self.lines.len() > before.len();
        released
    }
}

/// A description with other directions for some of its lines, by mid.
fn with_directions(sdp: &str, directions: &BTreeMap<String, Direction>) -> String {
    let mut out = String::with_capacity(sdp.len());
    let starts = sdp.match_indices("m=").map(|(at, _)| at).filter(|at| *at == 0 || sdp.as_bytes()[at - 1] == b'\n');
    let mut cuts: Vec<usize> = starts.collect();
    cuts.insert(0, 0);
    cuts.push(sdp.len());
    for cut in cuts.windows(2) {
        let section = &sdp[cut[0]..cut[1]];
        let mid = section.lines().find_map(|line| line.strip_prefix("a=mid:")).map(str::trim);
        match mid.and_then(|mid| directions.get(mid)) {
            Some(direction) => {
                for line in section.lines() {
                    let is_direction = matches!(line, "a=sendrecv" | "a=sendonly" | "a=recvonly" | "a=inactive");
                    if is_direction {
                        out.push_str(&format!("a={direction}"))
                    } else {
                        out.push_str(line)
                    }
                    out.push_str("\r\n");
                }
            }
            None => out.push_str(section),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Role;

    fn track(name: &str) -> Track {
        (name.into(), if name.starts_with('a') { TrackKind::Audio } else { TrackKind::Video })
    }

    fn tracks(names: &[&str]) -> Vec<Track> {
        names.iter().map(|name| track(name)).collect()
    }

    /// Each line as `own>other`.
    fn drawn(negotiation: &Negotiation) -> Vec<String> {
        let name = |track: &Option<TrackId>| track.as_ref().map_or("-".to_owned(), ToString::to_string);
        let line = |line: &MediaLine| format!("{}>{}", name(&line.purpose.sends), name(&line.purpose.receives));
        negotiation.lines.iter().map(line).collect()
    }

    #[test]
    fn tracks_of_both_ends_share_lines_of_their_kind() {
        let mut negotiation = Negotiation::new(Role::Peer);
        negotiation.plan(&tracks(&["a1", "v1"]), &tracks(&["v2", "v3", "a2"]));
        assert_eq!(drawn(&negotiation), ["a1>a2", "v1>v2", "->v3"]);
    }

    #[test]
    fn a_track_keeps_its_line_and_a_new_one_takes_what_is_free() {
        let mut negotiation = Negotiation::new(Role::Peer);
        negotiation.plan(&tracks(&["a1", "v1"]), &tracks(&["v2", "v3"]));
        negotiation.changed = false;
        let released = negotiation.plan(&tracks(&["v1", "v4", "v5"]), &tracks(&["v3"]));
        assert_eq!(drawn(&negotiation), ["->-", "v1>-", "v4>v3", "v5>-"]);
        assert_eq!(released, [Line(0)]);
        assert!(negotiation.changed);
        negotiation.changed = false;
        assert!(negotiation.plan(&tracks(&["v1", "v4", "v5"]), &tracks(&["v3"])).is_empty());
        assert!(!negotiation.changed, "the same again is no change");
    }

    #[test]
    fn directions_are_written_into_their_lines_alone() {
        let sdp = "v=0\r\ns=m=\r\nm=audio 9\r\na=sendrecv\r\na=mid:x\r\nm=video 9\r\na=mid:y\r\na=sendrecv\r\n";
        let directions = BTreeMap::from([("y".to_owned(), Direction::RecvOnly)]);
        let expected = sdp.replacen("a=mid:y\r\na=sendrecv", "a=mid:y\r\na=recvonly", 1);
        assert_eq!(with_directions(sdp, &directions), expected);
    }
}
